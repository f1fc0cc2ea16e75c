/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a host in the loop: it comes with the manifests, has an event stream and looks,
 * and goes when nothing uses its connection any more. A host whose settings change goes and
 * comes again.
 */
#include <string.h>

#include "controller/base/io.h"
#include "controller/base/str.h"
#include "controller/host/address.h"
#include "controller/loop/loop_internal.h"

enum {
	NS_PER_MS = 1000000,
	SPREAD_MS = 20,	      /* between the first looks of two hosts */
	SPREAD_MAX_MS = 2000, /* of all of them */
	ACTED_GAP_MS = 250,   /* for the last events of what was just done */
	UNHEARD_MS = 1000,    /* the same where no event stream would tell */
};

static struct loop_host *find(const struct loop *loop, const char *name)
{
	for (size_t i = 0; i < loop->hosts.count; i++)
		if (str_eq(loop->hosts.items[i]->name, name))
			return loop->hosts.items[i];
	return NULL;
}

static const struct resource *find_resource(const struct manifest_set *set, const char *name)
{
	for (size_t i = 0; i < set_host_count(set); i++)
		if (str_eq(set_host(set, i)->name, name))
			return set_host(set, i);
	return NULL;
}

/* --- the event stream's callbacks, in its thread */

static void on_up(void *ctx)
{
	struct loop_host *host = ctx;

	mailbox_post(host->loop->mailbox, message_new(MESSAGE_UP, host));
}

static void on_down(void *ctx, const struct error *err, int64_t retry_ms)
{
	struct loop_host *host = ctx;
	struct message *message = message_new(MESSAGE_DOWN, host);

	message->err = *err;
	message->wait_ms = retry_ms;
	mailbox_post(host->loop->mailbox, message);
}

static void on_ended(void *ctx)
{
	struct loop_host *host = ctx;

	mailbox_post(host->loop->mailbox, message_new(MESSAGE_ENDED, host));
}

static bool unsettles(const struct event *event)
{
	return strcmp(event->type, "container") == 0 &&
	       (strcmp(event->action, "die") == 0 || strcmp(event->action, "stop") == 0 ||
		strcmp(event->action, "rename") == 0);
}

static void on_seen(void *ctx, const struct event *event)
{
	struct loop_host *host = ctx;

	log_debug(host->loop->log, "event %s %s host=%s name=%s", event->type, event->action,
		  host->name, event->name ? event->name : "");
	if (unsettles(event))
		settle_note(host->settle, io_now_ms(), event->id,
			    event->old_name ? event->old_name : event->name, event->label_name);
	/* However many come, one message is under way at a time. */
	if (!atomic_exchange(&host->look_wanted, true))
		mailbox_post(host->loop->mailbox, message_new(MESSAGE_LOOK, host));
}

/* --- coming */

static int start_events(struct loop_host *host, struct error *err)
{
	struct events_callbacks callbacks = {
		.ctx = host,
		.up = on_up,
		.down = on_down,
		.seen = on_seen,
		.ended = on_ended,
	};
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct tunnel_host *tunnel_host = host->connection.tunnel_host;
	int connect_ms = (int)(resource_int(host->resource, "connect_timeout") / NS_PER_MS);
	struct host_address address;

	if (host_address_parse(arena, resource_string(host->resource, "address"), &address, err) <
	    0)
		return -1;
	free(host->socket_path);
	host->socket_path = xstrdup(tunnel_host ? tunnel_host_socket(tunnel_host) : address.path);
	host->events_options = (struct engine_options){
		.name = host->name,
		.socket_path = host->socket_path,
		.tunnel = tunnel_host,
		.connect_timeout_ms = connect_ms,
		/* Of the two small requests before the stream. */
		.request_timeout_ms = connect_ms,
		.max_in_flight = 1,
		.log = host->loop->log,
	};
	return events_start(&host->events_options, &callbacks, &host->events, err);
}

static int connect_host(struct loop *loop, struct loop_host *host, struct error *err)
{
	if (!loop->tunnel && !str_has_prefix(resource_string(host->resource, "address"), "unix:") &&
	    tunnel_new(loop->log, &loop->tunnel, err) < 0)
		return -1;
	if (connection_init(&host->connection, loop->tunnel, host->resource, loop->log, err) < 0)
		return -1;
	host->connected = true;
	return start_events(host, err);
}

static void set_resource(struct loop *loop, struct loop_host *host)
{
	struct manifest_set *before = host->set;

	host->set = set_ref(loop->set);
	host->resource = find_resource(loop->set, host->name);
	set_unref(before);
}

static void bring_up(struct loop *loop, struct loop_host *host)
{
	int64_t spread_ms = (int64_t)set_host_count(loop->set) * SPREAD_MS;

	set_resource(loop, host);
	host->retiring = false;
	atomic_store(&host->cancelled, false);
	atomic_store(&host->look_wanted, false);
	error_clear(&host->init_err);
	/* A host without a stream is looked at all the same. */
	if (connect_host(loop, host, &host->init_err) < 0)
		log_error(loop->log, "%s host=%s", host->init_err.text, host->name);
	if (spread_ms > SPREAD_MAX_MS)
		spread_ms = SPREAD_MAX_MS;
	queue_hurry(loop->queue, host->name,
		    io_now_ms() + backoff_spread(&loop->chance, spread_ms));
	/* A look may wait for as long as connecting may take; the event stream, which connects by
	 * itself, tells when it need not. */
	queue_set_slow(loop->queue, host->name, host->events != NULL);
}

static void add_host(struct loop *loop, const char *name)
{
	struct loop_host *host = xcalloc(1, sizeof(*host));

	host->loop = loop;
	host->name = xstrdup(name);
	host->settle = settle_new();
	host->look.stall = stall_new(0);
	pthread_mutex_init(&host->connection_lock, NULL);
	pthread_mutex_lock(&loop->twins_lock);
	vec_push(&loop->hosts, host);
	pthread_mutex_unlock(&loop->twins_lock);
	bring_up(loop, host);
}

/* --- going */

static void free_host(struct loop_host *host)
{
	if (host->connected)
		connection_done(&host->connection);
	set_unref(host->set);
	settle_free(host->settle);
	stall_free(host->look.stall);
	pthread_mutex_destroy(&host->connection_lock);
	json_decref(host->digests);
	free(host->engine_id);
	free(host->socket_path);
	free(host->said);
	free(host->name);
	free(host);
}

static void remove_host(struct loop *loop, struct loop_host *host)
{
	pthread_mutex_lock(&loop->twins_lock);
	for (size_t i = 0; i < loop->hosts.count; i++) {
		if (loop->hosts.items[i] == host) {
			loop->hosts.items[i] = loop->hosts.items[--loop->hosts.count];
			break;
		}
	}
	pthread_mutex_unlock(&loop->twins_lock);
	free_host(host);
}

static void forget_engine(struct loop_host *host)
{
	pthread_mutex_lock(&host->loop->twins_lock);
	free(host->engine_id);
	host->engine_id = NULL;
	pthread_mutex_unlock(&host->loop->twins_lock);
}

/* Once neither a look nor the stream uses its connection. */
static void finish_retiring(struct loop *loop, struct loop_host *host)
{
	if (!host->retiring || host->running || host->events || loop->stopping)
		return;
	if (find_resource(loop->set, host->name)) {
		if (host->connected)
			connection_done(&host->connection);
		host->connected = false;
		forget_engine(host);
		bring_up(loop, host);
		return;
	}
	json_t *none = json_array();
	conditions_prune(loop->conditions, set_project(host->set), host->name, none);
	json_decref(none);
	log_info(loop->log, "host left the manifests host=%s", host->name);
	remove_host(loop, host);
}

static void interrupt(struct loop_host *host)
{
	pthread_mutex_lock(&host->connection_lock);
	if (host->connected)
		connection_interrupt(&host->connection);
	pthread_mutex_unlock(&host->connection_lock);
}

static void retire(struct loop *loop, struct loop_host *host)
{
	if (!host->retiring)
		queue_remove(loop->queue, host->name);
	host->retiring = true;
	atomic_store(&host->cancelled, true);
	if (host->events)
		events_stop(host->events);
	if (!atomic_load(&host->acting))
		interrupt(host);
	finish_retiring(loop, host);
}

void hosts_update(struct loop *loop)
{
	for (size_t i = loop->hosts.count; i-- > 0;) {
		struct loop_host *host = loop->hosts.items[i];
		const struct resource *now = find_resource(loop->set, host->name);

		/* Values, not digests: those do not tell when a password changes. */
		if (!now || !json_equal(now->spec, host->resource->spec))
			retire(loop, host);
		else if (!host->retiring)
			set_resource(loop, host);
	}
	for (size_t i = 0; i < set_host_count(loop->set); i++)
		if (!find(loop, set_host(loop->set, i)->name))
			add_host(loop, set_host(loop->set, i)->name);
}

/* --- looks */

static void start_look(struct loop *loop, struct loop_host *host)
{
	struct look *look = &host->look;
	struct error err = ERROR_INIT;

	look->set = set_ref(loop->set);
	look->resource = find_resource(loop->set, host->name);
	look->revision = xstrdup(loop->revision);
	look->sweep = look->generation != loop->generation;
	look->generation = loop->generation;
	host->running = true;
	loop->running++;
	if (pool_submit(loop->pool, host, &err) == 0)
		return;
	log_error(loop->log, "%s host=%s", err.text, host->name);
	look->success = false;
	hosts_look_done(loop, host);
}

void hosts_dispatch(struct loop *loop, int64_t now_ms)
{
	const char *name;

	if (!loop->set || loop->stopping)
		return;
	while (loop->running < (size_t)loop->options.parallel &&
	       (name = queue_take(loop->queue, now_ms))) {
		struct loop_host *host = find(loop, name);

		start_look(loop, host);
	}
}

static int64_t gap_after(const struct look *look)
{
	if (look->acted)
		return ACTED_GAP_MS;
	if (look->took_ms < LOOP_GAP_MS)
		return LOOP_GAP_MS;
	return look->took_ms < LOOP_GAP_MAX_MS ? look->took_ms : LOOP_GAP_MAX_MS;
}

void hosts_look_done(struct loop *loop, struct loop_host *host)
{
	struct look *look = &host->look;
	int64_t now_ms = io_now_ms();
	int64_t next_ms = now_ms + backoff_jitter(&loop->chance, loop->options.interval_ms);

	host->running = false;
	loop->running--;
	loop->rest_at_ms = now_ms + LOOP_REST_MS;
	set_unref(look->set);
	look->set = NULL;
	look->resource = NULL;
	free(TAKE(look->revision));
	if (look->retry_ms >= 0 && now_ms + look->retry_ms < next_ms)
		next_ms = now_ms + look->retry_ms;
	if (look->acted && !host->listening && now_ms + UNHEARD_MS < next_ms)
		next_ms = now_ms + UNHEARD_MS;
	if (look->success && host->events && !host->listening)
		events_hurry(host->events);
	queue_done(loop->queue, host->name, look->success, now_ms, next_ms, gap_after(look));
	finish_retiring(loop, host);
}

void hosts_stream_ended(struct loop *loop, struct loop_host *host)
{
	events_free(host->events);
	host->events = NULL;
	host->listening = false;
	finish_retiring(loop, host);
}

/* --- the end */

void hosts_stop(struct loop *loop)
{
	for (size_t i = 0; i < loop->hosts.count; i++) {
		struct loop_host *host = loop->hosts.items[i];

		if (host->events)
			events_stop(host->events);
		/* Who only looks, or connects, may be cut off at once. */
		if (!atomic_load(&host->acting))
			interrupt(host);
	}
}

void hosts_cut(struct loop *loop)
{
	for (size_t i = 0; i < loop->hosts.count; i++)
		if (loop->hosts.items[i]->running)
			interrupt(loop->hosts.items[i]);
}

bool hosts_are_busy(const struct loop *loop)
{
	for (size_t i = 0; i < loop->hosts.count; i++)
		if (loop->hosts.items[i]->running || loop->hosts.items[i]->events)
			return true;
	return false;
}

void hosts_rest(struct loop *loop)
{
	for (size_t i = 0; i < loop->hosts.count; i++) {
		struct loop_host *host = loop->hosts.items[i];

		if (host->connected && !host->running)
			connection_reset(&host->connection);
	}
}

void hosts_free(struct loop *loop)
{
	for (size_t i = 0; i < loop->hosts.count; i++)
		free_host(loop->hosts.items[i]);
	vec_done(&loop->hosts);
}
