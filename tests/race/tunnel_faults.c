/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel when things go wrong: hang-ups, bad answers, broken connections, refusals. */
#include "tests/race/fixture.h"

static bool all_hung_up(void *ctx)
{
	return atomic_load(&((struct fixture *)ctx)->served.hung_up) == 3;
}

static int stop_at_once(void *ctx, const json_t *item, struct error *err)
{
	(void)item;
	(void)err;
	++*(int *)ctx;
	return 1;
}

/* Who closes a stream is gone for the engine as well, however it closes. */
static void hang_up(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	struct engine_request request = { .method = "GET", .path = "/hang" };
	struct error err = ERROR_INIT;
	int items = 0;

	sshd_start(f, "");
	int fd = connect_raw(host, "GET /v1.41/hang HTTP/1.1\r\n\r\n");
	skip_head(fd);
	close(fd);
	/* Closed before the channel is open. */
	close(connect_raw(host, "GET /v1.41/json/1 HTTP/1.1\r\n\r\n"));
	struct engine *engine = open_engine(host);
	CHECK(engine_stream_json(engine, &request, stop_at_once, &items, 0, &err) == 0, "%s",
	      err.text);
	CHECK(items == 1, "%d items", items);
	request = (struct engine_request){ .method = "GET", .path = "/hang" };
	struct engine_stream stream = { .request = request, .idle_timeout_ms = 200 };
	CHECK(engine_stream(engine, &stream, &err) && err.code == ERROR_TIMEOUT, "%s", err.text);
	wait_until(all_hung_up, f, "the engine to see three hang-ups");
	engine_close(engine);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static void bad_answers(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	struct error err = ERROR_INIT;
	json_t *reply = NULL;

	sshd_start(f, "");
	struct engine *engine = open_engine(host);
	expect_error(engine_get(engine, "/cut", &reply, &err), &err, ERROR_UNREACHABLE, "broke");
	expect_error(engine_get(engine, "/garbage", &reply, &err), &err, ERROR_REMOTE, "<html>");
	expect_error(engine_get(engine, "/nothing", &reply, &err), &err, ERROR_NOT_FOUND, "gone");
	/* On a connection that was kept, what only reads is repeated; what changes is not. */
	CHECK(engine_get(engine, "/json/5", &reply, &err) == 0, "%s", err.text);
	json_decref(reply);
	expect_error(engine_post(engine, "/drop", NULL, NULL, &err), &err, ERROR_UNREACHABLE,
		     "may or may not");
	CHECK(atomic_load(&f->served.dropped) == 1, "%d", atomic_load(&f->served.dropped));
	CHECK(engine_get(engine, "/json/5", &reply, &err) == 0, "%s", err.text);
	json_decref(reply);
	expect_error(engine_get(engine, "/drop", &reply, &err), &err, ERROR_UNREACHABLE, "broke");
	CHECK(atomic_load(&f->served.dropped) == 3, "%d", atomic_load(&f->served.dropped));
	engine_interrupt(engine);
	expect_error(engine_get(engine, "/json/5", &reply, &err), &err, ERROR_CANCELLED, "");
	engine_close(engine);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static int kill_sshd(void *ctx, const json_t *item, struct error *err)
{
	(void)item;
	(void)err;
	kill_connections(ctx);
	return 0;
}

static void broken_connection(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	struct engine_request request = { .method = "GET", .path = "/hang" };
	struct error err = ERROR_INIT;
	json_t *reply = NULL;

	sshd_start(f, "");
	struct engine *engine = open_engine(host);
	expect_error(engine_stream_json(engine, &request, kill_sshd, f, 0, &err), &err,
		     ERROR_UNREACHABLE, "broke");
	CHECK(engine_get(engine, "/json/5", &reply, &err) == 0, "%s", err.text);
	json_decref(reply);
	sshd_stop(f);
	expect_error(engine_get(engine, "/json/5", &reply, &err), &err, ERROR_UNREACHABLE,
		     "refused");
	expect_error(tunnel_host_connect(host, &err), &err, ERROR_UNREACHABLE, "refused");
	sshd_start(f, "");
	CHECK(engine_get(engine, "/json/5", &reply, &err) == 0, "%s", err.text);
	json_decref(reply);
	engine_close(engine);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static void refusals(struct fixture *f)
{
	CLEANUP(cleanup_free) char *none = xasprintf("%s/none", f->dir);
	CLEANUP(cleanup_free) char *other_key = xasprintf("%s/other", f->dir);
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct error err = ERROR_INIT;

	sshd_start(f, "");
	make_key(other_key);

	options.docker_socket = none;
	expect_error(tunnel_host_connect(add_host(tunnel, &options), &err), &err, ERROR_NOT_FOUND,
		     none);
	options = options_for(f);
	options.docker_socket = f->known_hosts;
	expect_error(tunnel_host_connect(add_host(tunnel, &options), &err), &err, ERROR_NOT_FOUND,
		     "is not a socket");
	options = options_for(f);
	options.known_hosts = none;
	expect_error(tunnel_host_connect(add_host(tunnel, &options), &err), &err, ERROR_DENIED,
		     "SHA256:");
	options = options_for(f);
	options.identity_file = other_key;
	expect_error(tunnel_host_connect(add_host(tunnel, &options), &err), &err, ERROR_DENIED,
		     "the server offers: publickey");
	options = options_for(f);
	options.port = 1;
	expect_error(tunnel_host_connect(add_host(tunnel, &options), &err), &err, ERROR_UNREACHABLE,
		     "refused");
	tunnel_free(tunnel);
	sshd_stop(f);
}

static bool has_failed(void *ctx)
{
	struct error ignored = ERROR_INIT;

	return tunnel_host_error(ctx, &ignored) < 0;
}

/* What was begun is told once, to the first who asks, however long ago it failed: no login is made
 * twice. Nobody needs to ask. */
static void begun(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct error err = ERROR_INIT;

	sshd_start(f, "");
	struct tunnel_host *host = add_host(tunnel, &options);
	tunnel_host_begin(host);
	tunnel_host_begin(host);
	CHECK(tunnel_host_connect(host, &err) == 0, "%s", err.text);
	tunnel_host_begin(add_host(tunnel, &options));
	host = add_host(tunnel, &options);
	tunnel_host_begin(host);
	tunnel_remove_host(host);
	sshd_stop(f);

	host = add_host(tunnel, &options);
	tunnel_host_begin(host);
	wait_until(has_failed, host, "the login that was begun to fail");
	sshd_start(f, "");
	expect_error(tunnel_host_connect(host, &err), &err, ERROR_UNREACHABLE, "refused");
	CHECK(tunnel_host_connect(host, &err) == 0, "%s", err.text);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static void dial_stdio(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	struct engine_request requests[30];
	struct error err = ERROR_INIT;

	sshd_start(f, "AllowStreamLocalForwarding no\n");
	CHECK(tunnel_host_connect(host, &err) == 0, "%s", err.text);
	struct engine *engine = open_engine(host);
	memset(requests, 0, sizeof(requests));
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		requests[i].method = "GET";
		requests[i].path = "/json/68000";
	}
	CHECK(engine_perform_all(engine, requests, ARRAY_SIZE(requests), &err) == 0, "%s",
	      err.text);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		CHECK(json_string_length(requests[i].reply) == 68000, "%s", requests[i].err.text);
		json_decref(requests[i].reply);
	}
	engine_close(engine);
	tunnel_free(tunnel);
	sshd_stop(f);
}

struct watcher {
	struct engine *engine;
	atomic_int items;
};

static int count_item(void *ctx, const json_t *item, struct error *err)
{
	(void)item;
	(void)err;
	atomic_fetch_add((atomic_int *)ctx, 1);
	return 0;
}

static void *watch_events(void *ctx)
{
	struct watcher *watcher = ctx;
	struct engine_request request = { .method = "GET", .path = "/hang" };
	struct error err = ERROR_INIT;

	expect_error(
		engine_stream_json(watcher->engine, &request, count_item, &watcher->items, 0, &err),
		&err, ERROR_CANCELLED, "interrupted");
	return NULL;
}

static bool has_item(void *ctx)
{
	return atomic_load(&((struct watcher *)ctx)->items) == 1;
}

/* As a controller does that is told to end while it watches events. */
static void interrupt(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct watcher watcher;
	pthread_t thread;

	sshd_start(f, "");
	watcher.engine = open_engine(add_host(tunnel, &options));
	atomic_init(&watcher.items, 0);
	CHECK(pthread_create(&thread, NULL, watch_events, &watcher) == 0, "thread");
	wait_until(has_item, &watcher, "the first event");
	engine_interrupt(watcher.engine);
	pthread_join(thread, NULL);
	engine_close(watcher.engine);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static void *connect_and_wait(void *ctx)
{
	struct error err = ERROR_INIT;

	expect_error(tunnel_host_connect(ctx, &err), &err, ERROR_CANCELLED, "");
	return NULL;
}

/* A server that accepts and says nothing keeps its own callers waiting, nobody else. */
static void silent_server(struct fixture *f)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *good = add_host(tunnel, &options);
	struct error err = ERROR_INIT;
	pthread_t threads[20];

	sshd_start(f, "");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 64) == 0, "%m");
	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "%m");
	options.port = ntohs(address.sin_port);
	options.connect_timeout_ms = DEADLINE_MS;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, connect_and_wait,
				     add_host(tunnel, &options)) == 0,
		      "thread");
	CHECK(tunnel_host_connect(good, &err) == 0, "%s", err.text);
	int64_t before_ms = io_now_ms();
	options.connect_timeout_ms = 300;
	options.host = "localhost";
	expect_error(tunnel_host_connect(add_host(tunnel, &options), &err), &err, ERROR_TIMEOUT,
		     "did not answer");
	CHECK(io_now_ms() - before_ms < 20 * 1000, "the time-out took too long");
	tunnel_free(tunnel);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	close(fd);
	sshd_stop(f);
}

int main(int argc, char **argv)
{
	static const struct scenario scenarios[] = {
		{ "hang_up", hang_up },
		{ "bad_answers", bad_answers },
		{ "broken_connection", broken_connection },
		{ "refusals", refusals },
		{ "begun", begun },
		{ "dial_stdio", dial_stdio },
		{ "interrupt", interrupt },
		{ "silent_server", silent_server },
	};

	(void)argc;
	return run_scenarios(scenarios, ARRAY_SIZE(scenarios), argv);
}
