/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops that nobody waits for any more. An engine goes on with one when whoever asked for it is
 * gone: the container is seen to run until its grace period is over, and is down a moment later.
 * Nothing in an inspect tells; the engine's events do, of which it keeps the last 256
 * (moby, daemon/events/events.go).
 */
#include <stdio.h>
#include <string.h>

#include "controller/base/io.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_steps.h"

enum {
	EVENTS_MAX = 10000,
	/* The stream ends within a second, but where the engine's clock is being set. */
	EVENTS_IDLE_MS = 10 * 1000,
	EVENTS_LONGEST_MS = 10 * 1000,
	CLEAN_UP_MS = 5 * 1000, /* beyond the grace period: kill and clean up */
};

struct signals {
	/* container -> [the signals that it has got since it last died] */
	json_t *sent;
	size_t count;
	int64_t until_ms; /* here; the stream has taken long enough */
};

static int take_event(void *ctx, const json_t *event, struct error *err)
{
	struct signals *signals = ctx;
	const json_t *actor = json_object_get(event, "Actor");
	const json_t *signal = json_object_get(json_object_get(actor, "Attributes"), "signal");
	const char *action = json_string_value(json_object_get(event, "Action"));
	const char *id = json_string_value(json_object_get(actor, "ID"));

	(void)err;
	if (++signals->count > EVENTS_MAX || io_now_ms() > signals->until_ms)
		return 1;
	if (!action || !id)
		return 0;
	json_t *got = json_object_get(signals->sent, id);
	if (!got || strcmp(action, "die") == 0)
		json_object_set_new(signals->sent, id, got = json_array());
	if (strcmp(action, "kill") == 0 && json_is_string(signal))
		json_array_append(got, (json_t *)signal);
	return 0;
}

/* Up to the engine's next second, which ends the stream. */
static int read_signals(struct pass *pass, int64_t since_s, struct signals *signals,
			struct error *err)
{
	static const char filters[] = "{\"type\":[\"container\"],\"event\":[\"kill\",\"die\"]}";
	char since[24], until[24];
	int64_t now_s;

	if (engine_read_clock(pass->engine, &now_s, err) < 0)
		return -1;
	snprintf(since, sizeof(since), "%lld", (long long)since_s);
	snprintf(until, sizeof(until), "%lld", (long long)now_s + 1);
	CLEANUP(cleanup_free)
	char *path = engine_path("/events?since=%s&until=%s&filters=%s", since, until, filters);
	struct engine_request request = { .method = "GET", .path = path };
	signals->until_ms = io_now_ms() + EVENTS_LONGEST_MS;
	int rc = engine_stream_json(pass->engine, &request, take_event, signals, EVENTS_IDLE_MS,
				    err);
	json_decref(request.reply);
	/* What has been is told first: one that was answered, and does not end, has told it. An
	 * engine that has no events to tell, to us, is none that can't be changed. */
	if (rc == 0 || !(request.status == 403 || request.status == 404 ||
			 (err->code == ERROR_TIMEOUT && request.status != 0)))
		return rc;
	log_debug(pass->log, "%s", err->text);
	error_clear(err);
	return 0;
}

/* The engine's last means is SIGKILL, which may take a while as well. */
static bool was_told_to_stop(const json_t *inspect, const json_t *sent)
{
	const char *own = json_string_value(
		json_object_get(json_object_get(inspect, "Config"), "StopSignal"));
	json_t *stops = signal_normalize(own && *own ? own : "TERM"),
	       *kill = json_string("SIGKILL");
	const json_t *signal;
	bool told = false;
	size_t i;

	json_array_foreach (sent, i, signal) {
		json_t *got = signal_normalize(json_string_value(signal));

		told = told || json_equal(got, stops) || json_equal(got, kill);
		json_decref(got);
	}
	json_decref(kill);
	json_decref(stops);
	return told;
}

/* A drey's, of whatever project: the lease is the engine's. Somebody else's may take a signal as it
 * likes, and has any grace period. */
static const struct object *find_managed(const struct pass *pass, const char *id)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->own.project && object->own.uid && str_eq(object->id, id))
			return object;
	}
	return NULL;
}

static void tell(struct pass *pass, const struct object *object)
{
	CLEANUP(cleanup_free)
	char *text = xasprintf("wait: the engine is still stopping container %s, as a drey that is "
			       "gone had asked",
			       object->engine_name);
	struct progress progress = { .host = pass->desired->host->name, .text = text };

	log_debug(pass->log, "a stop is under way container=%.12s", object->id);
	if (pass->hooks.progress)
		pass->hooks.progress(pass->hooks.ctx, &progress);
}

/* All stops have begun by `start_ms`: how long one took to wait for counts for the next. */
static int await_stop(struct pass *pass, const struct object *object, const json_t *sent,
		      int64_t start_ms, bool *ret_outdated, struct error *err)
{
	bool awaited = false;

	for (;;) {
		json_t *inspect = NULL;

		if (call_inspect(pass, object->id, &inspect, err) < 0)
			return -1;
		bool live = inspect && inspect_is_live(inspect);
		/* One that outlives its grace period has not been asked to stop. */
		bool stops = live && was_told_to_stop(inspect, sent) &&
			     io_now_ms() <= start_ms + call_grace_ms(inspect) + CLEAN_UP_MS;
		json_decref(inspect);
		if (!stops) {
			*ret_outdated |=
				object->ours && (awaited || live != state_is_live(object->state));
			return 0;
		}
		if (!awaited)
			tell(pass, object);
		awaited = true;
		if (call_pause(pass, CONTAINER_POLL_MS, err) < 0)
			return -1;
	}
}

int container_await_stops(struct pass *pass, int64_t since_s, bool *ret_outdated, struct error *err)
{
	struct signals signals = { .sent = json_object() };
	int rc = read_signals(pass, since_s, &signals, err);
	int64_t start_ms = io_now_ms();
	const json_t *sent;
	const char *id;

	*ret_outdated = false;
	json_object_foreach (signals.sent, id, sent) {
		const struct object *object = find_managed(pass, id);

		if (rc == 0 && object)
			rc = await_stop(pass, object, sent, start_ms, ret_outdated, err);
	}
	json_decref(signals.sent);
	return rc < 0 ? error_wrap(err, "see which containers are being stopped") : 0;
}
