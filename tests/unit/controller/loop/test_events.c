/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against a socket that answers as an engine does, one canned stream after the other. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/loop/events.h"

static json_t *document(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	cr_assert_not_null(json);
	return json;
}

Test(events, a_container_event_is_taken_apart)
{
	json_t *json = document(
		"{\"Type\":\"container\",\"Action\":\"rename\",\"Actor\":{\"ID\":\"abc\","
		"\"Attributes\":{\"name\":\"new\",\"oldName\":\"/web\",\"drey.name\":\"web\"}}}");
	struct event event;

	cr_assert(events_parse(json, &event));
	cr_assert_str_eq(event.action, "rename");
	cr_assert_str_eq(event.id, "abc");
	cr_assert_str_eq(event.name, "new");
	cr_assert_str_eq(event.old_name, "web");
	cr_assert_str_eq(event.label_name, "web");
	json_decref(json);
}

Test(events, what_does_not_matter_or_is_nonsense_is_left_out)
{
	static const char *const texts[] = {
		"{\"Type\":\"container\",\"Action\":\"exec_create: sh\",\"Actor\":{}}",
		"{\"Type\":\"container\",\"Action\":\"exec_die\"}",
		"{\"Type\":\"container\",\"Action\":\"health_status: healthy\"}",
		"{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"abc\","
		"\"Attributes\":{\"name\":\"drey-lock\",\"drey.lease\":\"1\"}}}",
		"{\"Type\":1,\"Action\":[]}",
		"{}",
		"[1]",
		"{\"status\":\"start\"}",
	};
	struct event event;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *json = document(texts[i]);

		cr_assert_not(events_parse(json, &event), "%s", texts[i]);
		json_decref(json);
	}
}

/* An engine: each connection is answered by what the request's path asks for. */
struct fake {
	char path[64];
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	int streams, ups, downs, seen;
	bool ended;
	char since[64];
};

static void reply(int fd, const char *body)
{
	dprintf(fd,
		"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
		"Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);
}

static void answer(struct fake *fake, int fd)
{
	static const char one[] = "{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{}}\n";
	char request[4096];
	ssize_t len = read(fd, request, sizeof(request) - 1);

	if (len <= 0)
		return;
	request[len] = '\0';
	if (strstr(request, "/_ping")) {
		reply(fd, "OK");
	} else if (strstr(request, "/info")) {
		reply(fd, "{\"SystemTime\":\"2023-11-23T16:00:00.5+01:00\"}");
	} else {
		pthread_mutex_lock(&fake->lock);
		int stream = fake->streams++;
		const char *since = strstr(request, "since=");
		snprintf(fake->since, sizeof(fake->since), "%.*s",
			 since ? (int)strcspn(since, "&") : 0, since ? since : "");
		pthread_mutex_unlock(&fake->lock);
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n%s%s", one,
			stream == 0 ? "" : one);
		if (stream == 0)
			return; /* broken off */
		/* The second one stays open until the client leaves. */
		(void)!read(fd, request, 1);
	}
}

static void *serve(void *arg)
{
	struct fake *fake = arg;
	int fd;

	while ((fd = accept(fake->fd, NULL, NULL)) >= 0) {
		answer(fake, fd);
		close(fd);
	}
	return NULL;
}

static void fake_start(struct fake *fake)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*fake = (struct fake){ 0 };
	pthread_mutex_init(&fake->lock, NULL);
	snprintf(fake->path, sizeof(fake->path), "/tmp/drey-events-%d.sock", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fake->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fake->fd, 8), 0);
	cr_assert_eq(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static void fake_stop(struct fake *fake)
{
	shutdown(fake->fd, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->fd);
	unlink(fake->path);
}

static void count(struct fake *fake, int *counter)
{
	pthread_mutex_lock(&fake->lock);
	(*counter)++;
	pthread_mutex_unlock(&fake->lock);
}

static void on_up(void *ctx)
{
	struct fake *fake = ctx;

	count(fake, &fake->ups);
}

static void on_down(void *ctx, const struct error *err, int64_t retry_ms)
{
	struct fake *fake = ctx;

	cr_assert_neq(err->code, ERROR_NONE);
	cr_assert_leq(retry_ms, EVENTS_BACKOFF_MAX_MS);
	count(fake, &fake->downs);
}

static void on_seen(void *ctx, const struct event *event)
{
	struct fake *fake = ctx;

	cr_assert_str_eq(event->action, "disconnect");
	count(fake, &fake->seen);
}

static void on_ended(void *ctx)
{
	((struct fake *)ctx)->ended = true;
}

static bool is_there(struct fake *fake, int ups, int downs, int seen)
{
	pthread_mutex_lock(&fake->lock);
	bool is = fake->ups == ups && fake->downs == downs && fake->seen == seen;
	pthread_mutex_unlock(&fake->lock);
	return is;
}

Test(events, a_stream_that_breaks_is_opened_again, .timeout = 30)
{
	struct fake fake;
	struct error err = ERROR_INIT;
	struct events *events;

	fake_start(&fake);
	struct engine_options options = { .name = "h1",
					  .socket_path = fake.path,
					  .connect_timeout_ms = 5000,
					  .request_timeout_ms = 5000 };
	struct events_callbacks callbacks = {
		.ctx = &fake, .up = on_up, .down = on_down, .seen = on_seen, .ended = on_ended
	};
	cr_assert_eq(events_start(&options, &callbacks, &events, &err), 0);
	for (int64_t end = io_now_ms() + 10000; !is_there(&fake, 2, 1, 3) && io_now_ms() < end;)
		usleep(10000);
	cr_assert(is_there(&fake, 2, 1, 3));
	/* Listening from the engine's own time on, so that nothing falls between. */
	cr_assert_str_eq(fake.since, "since=1700751600");
	int64_t stop_ms = io_now_ms();
	events_stop(events);
	events_free(events);
	cr_assert(fake.ended);
	cr_assert_lt(io_now_ms() - stop_ms, 3000);
	fake_stop(&fake);
}

Test(events, ends_at_once_while_it_waits_to_try_again, .timeout = 30)
{
	struct fake fake = { .path = "/tmp/drey-events-nobody.sock" };
	struct error err = ERROR_INIT;
	struct events *events;

	pthread_mutex_init(&fake.lock, NULL);
	struct engine_options options = { .name = "h1",
					  .socket_path = fake.path,
					  .connect_timeout_ms = 5000,
					  .request_timeout_ms = 5000 };
	struct events_callbacks callbacks = {
		.ctx = &fake, .up = on_up, .down = on_down, .seen = on_seen, .ended = on_ended
	};
	cr_assert_eq(events_start(&options, &callbacks, &events, &err), 0);
	for (int64_t end = io_now_ms() + 10000; !is_there(&fake, 0, 1, 0) && io_now_ms() < end;)
		usleep(10000);
	cr_assert(is_there(&fake, 0, 1, 0));
	int64_t stop_ms = io_now_ms();
	events_stop(events);
	events_free(events);
	cr_assert_lt(io_now_ms() - stop_ms, 400);
}

/* Left to its back-off the tenth try comes after more than a minute. */
Test(events, who_can_not_connect_may_be_hurried, .timeout = 30)
{
	struct fake fake = { .path = "/tmp/drey-events-nobody.sock" };
	struct error err = ERROR_INIT;
	struct events *events;

	pthread_mutex_init(&fake.lock, NULL);
	struct engine_options options = { .name = "h1",
					  .socket_path = fake.path,
					  .connect_timeout_ms = 5000,
					  .request_timeout_ms = 5000 };
	struct events_callbacks callbacks = {
		.ctx = &fake, .up = on_up, .down = on_down, .seen = on_seen, .ended = on_ended
	};
	cr_assert_eq(events_start(&options, &callbacks, &events, &err), 0);
	for (int tries = 1; tries <= 10; tries++) {
		while (!is_there(&fake, 0, tries, 0))
			usleep(1000);
		events_hurry(events);
	}
	events_stop(events);
	events_free(events);
}
