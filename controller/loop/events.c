/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/events.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/tunnel.h"
#include "controller/loop/backoff.h"
#include "reconcilers/ownership.h"

/*
 * What can put a resource out of step. Left out are what drey looks for elsewhere (health), what
 * changes nothing that is compared (exec, attach, top, copies, mounts) and what another event
 * follows (kill).
 */
static const char filters[] =
	"{\"type\":[\"container\",\"network\",\"volume\",\"image\"],"
	"\"event\":[\"create\",\"start\",\"stop\",\"die\",\"restart\",\"pause\",\"unpause\","
	"\"rename\",\"update\",\"destroy\",\"connect\",\"disconnect\",\"remove\",\"pull\",\"tag\","
	"\"untag\",\"delete\",\"load\",\"import\"]}";

struct events {
	struct engine_options options;
	struct events_callbacks callbacks;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	bool stopping;	       /* under lock */
	bool hurried;	       /* under lock */
	bool unconnected;      /* under lock: that is what the next try waits for */
	struct engine *engine; /* under lock; the thread's */
	struct backoff backoff;
	int64_t up_ms;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const char *without_slash(const char *name)
{
	return name && *name == '/' ? name + 1 : name;
}

bool events_parse(const json_t *document, struct event *ret_event)
{
	const json_t *actor = json_object_get(document, "Actor");
	const json_t *attributes = json_object_get(actor, "Attributes");

	*ret_event = (struct event){
		.type = text_of(document, "Type"),
		.action = text_of(document, "Action"),
		.id = text_of(actor, "ID"),
	};
	if (!ret_event->type || !ret_event->action)
		return false;
	if (strcmp(ret_event->type, "container") != 0)
		return true;
	/* "exec_create: CMD" and "health_status: healthy": engines differ in what they filter. */
	if (strchr(ret_event->action, ':') || str_has_prefix(ret_event->action, "exec_"))
		return false;
	/* The lease that a change takes (controller/fleet/lease.h) is none itself. */
	if (json_object_get(attributes, LABEL_LEASE))
		return false;
	ret_event->name = without_slash(text_of(attributes, "name"));
	ret_event->old_name = without_slash(text_of(attributes, "oldName"));
	ret_event->label_name = text_of(attributes, LABEL_NAME);
	return true;
}

static int take(void *ctx, const json_t *document, struct error *err)
{
	struct events *events = ctx;
	struct event event;

	(void)err;
	if (events_parse(document, &event))
		events->callbacks.seen(events->callbacks.ctx, &event);
	return 0;
}

static bool is_stopping(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	bool stopping = events->stopping;
	pthread_mutex_unlock(&events->lock);
	return stopping;
}

/* What events_stop() may interrupt; false: it has been called already. */
static bool publish(struct events *events, struct engine *engine)
{
	pthread_mutex_lock(&events->lock);
	bool go = !events->stopping;
	events->engine = engine;
	pthread_mutex_unlock(&events->lock);
	return go;
}

static int listen_once(struct events *events, struct engine *engine, struct error *err)
{
	int64_t since = 0;

	if (engine_read_clock(engine, &since, err) < 0)
		return -1;
	events->up_ms = io_now_ms();
	events->callbacks.up(events->callbacks.ctx);
	char number[24];
	snprintf(number, sizeof(number), "%lld", (long long)since);
	CLEANUP(cleanup_free)
	char *path = engine_path("/events?since=%s&filters=%s", number, filters);
	struct engine_request request = { .method = "GET", .path = path };
	int rc = engine_stream_json(engine, &request, take, events, 0, err);
	json_decref(request.reply);
	if (rc < 0)
		return -1;
	return error_set(err, ERROR_UNREACHABLE, "%s: the engine ended its event stream",
			 engine_name(engine));
}

static void connect_and_listen(struct events *events, struct error *err)
{
	struct engine *engine;

	events->up_ms = 0;
	if (events->options.tunnel && tunnel_host_connect(events->options.tunnel, err) < 0)
		return;
	if (engine_open(&events->options, &engine, err) < 0)
		return;
	if (publish(events, engine))
		(void)!listen_once(events, engine, err);
	publish(events, NULL);
	engine_close(engine);
}

static void wait_before_retry(struct events *events, int64_t wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&events->lock);
	while (!events->stopping && !events->hurried &&
	       pthread_cond_timedwait(&events->stop_cond, &events->lock, &until) == 0)
		;
	events->unconnected = events->hurried = false;
	pthread_mutex_unlock(&events->lock);
}

static void *run(void *arg)
{
	struct events *events = arg;

	while (!is_stopping(events)) {
		struct error err = ERROR_INIT;

		connect_and_listen(events, &err);
		if (is_stopping(events))
			break;
		if (events->up_ms && io_now_ms() - events->up_ms >= EVENTS_STEADY_MS)
			backoff_reset(&events->backoff);
		int64_t wait_ms = backoff_fail(&events->backoff);
		pthread_mutex_lock(&events->lock);
		events->unconnected = events->up_ms == 0;
		pthread_mutex_unlock(&events->lock);
		events->callbacks.down(events->callbacks.ctx, &err, wait_ms);
		wait_before_retry(events, wait_ms);
	}
	events->callbacks.ended(events->callbacks.ctx);
	return NULL;
}

/* Signals are for the main thread alone. */
static int start_thread(struct events *events)
{
	sigset_t all, before;
	pthread_attr_t attr;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, EVENTS_STACK);
	int errnum = pthread_create(&events->thread, &attr, run, events);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
}

static void destroy(struct events *events)
{
	pthread_cond_destroy(&events->stop_cond);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

int events_start(const struct engine_options *options, const struct events_callbacks *callbacks,
		 struct events **ret_events, struct error *err)
{
	struct events *events = xcalloc(1, sizeof(*events));
	pthread_condattr_t attr;

	events->options = *options;
	events->callbacks = *callbacks;
	backoff_init(&events->backoff, EVENTS_BACKOFF_MS, EVENTS_BACKOFF_MAX_MS, 0);
	pthread_mutex_init(&events->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&events->stop_cond, &attr);
	pthread_condattr_destroy(&attr);
	int errnum = start_thread(events);
	if (errnum) {
		destroy(events);
		return error_errno(err, errnum, "%s: start the event stream", options->name);
	}
	*ret_events = events;
	return 0;
}

void events_hurry(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	events->hurried = events->unconnected;
	if (events->hurried)
		pthread_cond_signal(&events->stop_cond);
	pthread_mutex_unlock(&events->lock);
}

void events_stop(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	events->stopping = true;
	if (events->engine)
		engine_interrupt(events->engine);
	pthread_cond_signal(&events->stop_cond);
	pthread_mutex_unlock(&events->lock);
}

void events_free(struct events *events)
{
	if (!events)
		return;
	pthread_join(events->thread, NULL);
	destroy(events);
}
