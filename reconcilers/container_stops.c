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
	EVENTS_IDLE_MS = 3 * 1000,
	EVENTS_LONGEST_MS = 10 * 1000,
	STOP_SLACK_MS = 5 * 1000, /* beyond the grace period: kill and clean up */
};

struct signals {
	json_t *sent; /* container -> the last signal that it has got and outlived */
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
	if (strcmp(action, "kill") == 0 && json_is_string(signal))
		json_object_set(signals->sent, id, (json_t *)signal);
	else if (strcmp(action, "die") == 0)
		json_object_del(signals->sent, id);
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
	if (rc == 0 || err->code != ERROR_TIMEOUT)
		return rc;
	error_clear(err);
	return 0;
}

static bool is_stop_signal(const json_t *inspect, const char *sent)
{
	const char *own = json_string_value(
		json_object_get(json_object_get(inspect, "Config"), "StopSignal"));
	json_t *got = signal_normalize(sent), *stops = signal_normalize(own && *own ? own : "TERM");
	bool equal = json_equal(got, stops);

	json_decref(got);
	json_decref(stops);
	return equal;
}

/* Somebody else's may take a signal as it likes, and has any grace period. */
static bool is_ours(const struct pass *pass, const char *id)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->ours && str_eq(object->id, id))
			return true;
	}
	return false;
}

static int await_stop(struct pass *pass, const char *id, const char *sent, bool *ret_awaited,
		      struct error *err)
{
	int64_t deadline_ms = -1;

	for (;;) {
		json_t *inspect = NULL;

		if (call_inspect(pass, id, &inspect, err) < 0)
			return -1;
		bool stops = inspect && inspect_is_live(inspect) && is_stop_signal(inspect, sent);
		if (stops && deadline_ms < 0) {
			*ret_awaited = true;
			deadline_ms = io_now_ms() + call_grace_ms(inspect) + STOP_SLACK_MS;
			log_debug(pass->log, "a stop is under way container=%.12s", id);
		}
		json_decref(inspect);
		/* One that outlives its grace period has not been asked to stop. */
		if (!stops || io_now_ms() > deadline_ms)
			return 0;
		if (call_pause(pass, CONTAINER_POLL_MS, err) < 0)
			return -1;
	}
}

int container_await_stops(struct pass *pass, int64_t since_s, bool *ret_awaited, struct error *err)
{
	struct signals signals = { .sent = json_object() };
	const json_t *sent;
	const char *id;
	int rc = read_signals(pass, since_s, &signals, err);

	*ret_awaited = false;
	json_object_foreach (signals.sent, id, sent) {
		if (rc == 0 && is_ours(pass, id))
			rc = await_stop(pass, id, json_string_value(sent), ret_awaited, err);
	}
	json_decref(signals.sent);
	return rc < 0 ? error_wrap(err, "see which containers are being stopped") : 0;
}
