/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel under load: threads, many channels, back pressure, half-close. */
#include <malloc.h>

#include "tests/race/fixture.h"

struct worker {
	struct tunnel_host *host;
	int number;
	pthread_t thread;
};

static void *work(void *ctx)
{
	struct worker *worker = ctx;
	struct engine_request requests[20];
	struct tunnel_host_info info;
	struct error err = ERROR_INIT;
	char *output;
	int status;

	if (worker->number % 3 == 0)
		CHECK(tunnel_host_connect(worker->host, &err) == 0, "%s", err.text);
	struct engine *engine = open_engine(worker->host);
	memset(requests, 0, sizeof(requests));
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		requests[i].method = "GET";
		requests[i].path = i % 5 == 4 ? "/nothing" : "/json/68000";
	}
	CHECK(engine_perform_all(engine, requests, ARRAY_SIZE(requests), &err) == 0, "%s",
	      err.text);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (i % 5 == 4) {
			CHECK(requests[i].err.code == ERROR_NOT_FOUND, "%s", requests[i].err.text);
			CHECK(str_eq(requests[i].err.text, "gone"), "%s", requests[i].err.text);
			continue;
		}
		CHECK(json_string_length(requests[i].reply) == 68000, "%s", requests[i].err.text);
		json_decref(requests[i].reply);
	}
	if (worker->number % 3 == 1) {
		CHECK(tunnel_host_exec(worker->host, "echo out; echo bad >&2; exit 7", &output,
				       &status, &err) == 0,
		      "%s", err.text);
		CHECK(status == 7 && str_eq(output, "out\nbad\n"), "%d %s", status, output);
		free(output);
	}
	CHECK(tunnel_host_error(worker->host, &err) == 0, "%s", err.text);
	tunnel_host_info(worker->host, &info);
	CHECK(str_has_prefix(info.fingerprint, "SHA256:"), "%s", info.fingerprint);
	CHECK(str_has_prefix(info.banner, "SSH-2.0-OpenSSH"), "%s", info.banner);
	engine_close(engine);
	return NULL;
}

static void many_threads(struct fixture *f)
{
	struct worker workers[18];
	struct tunnel_host *hosts[6];
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);

	sshd_start(f, "MaxStartups 3:50:8\nMaxSessions 64\n");
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		hosts[i] = add_host(tunnel, &options);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i] =
			(struct worker){ .host = hosts[i % ARRAY_SIZE(hosts)], .number = (int)i };
		CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
	}
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		pthread_join(workers[i].thread, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(hosts) / 2; i++)
		tunnel_remove_host(hosts[i]);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static void many_channels(struct fixture *f)
{
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	int fds[200];

	sshd_start(f, "");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_raw(host, "GET /v1.41/bytes/9000 HTTP/1.1\r\n\r\n");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		skip_head(fds[i]);
		expect_bytes(fds[i], 0, 9000);
	}
	/* All are open now; each serves once more. */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		CHECK(send_text(fds[i], "GET /v1.41/bytes/10 HTTP/1.1\r\n\r\n") == 0, "%m");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		skip_head(fds[i]);
		expect_bytes(fds[i], 0, 10);
		close(fds[i]);
	}
	tunnel_free(tunnel);
	sshd_stop(f);
}

static size_t heap_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

struct writer {
	int fd;
	size_t count;
};

static void *write_bytes(void *ctx)
{
	struct writer *writer = ctx;

	CHECK(send_bytes(writer->fd, writer->count) == 0, "%m");
	CHECK(shutdown(writer->fd, SHUT_WR) == 0, "%m");
	return NULL;
}

/* Back pressure both ways, with keys exchanged anew every few MiB. */
static void slow_reader(struct fixture *f)
{
	size_t total = (UNDER_SANITIZER ? 24ul : 256ul) * MIB;
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	struct error err = ERROR_INIT;

	sshd_start(f, UNDER_SANITIZER ? "RekeyLimit 6M\n" : "RekeyLimit 30M\n");
	CHECK(tunnel_host_connect(host, &err) == 0, "%s", err.text);
	size_t before = heap_in_use(), most = 0, at = 0;
	CLEANUP(cleanup_free)
	char *request = xasprintf("GET /v1.41/bytes/%zu HTTP/1.1\r\n\r\n", total);
	int slow = connect_raw(host, request);
	struct engine *engine = open_engine(host);
	skip_head(slow);
	while (at < total) {
		size_t piece = at < 40 * MIB ? 300 * 1000 : 8 * MIB;

		/* The reader of one channel sleeps: the others must not. */
		if (at < 40 * MIB) {
			json_t *reply = NULL;

			CHECK(engine_get(engine, "/json/1000", &reply, &err) == 0, "%s", err.text);
			json_decref(reply);
		}
		if (piece > total - at)
			piece = total - at;
		expect_bytes(slow, at, piece);
		at += piece;
		if (!UNDER_SANITIZER && heap_in_use() > most)
			most = heap_in_use();
	}
	CHECK(UNDER_SANITIZER || most < before + 8 * MIB, "the heap grew by %zu", most - before);
	close(slow);
	engine_close(engine);
	tunnel_free(tunnel);
	sshd_stop(f);
}

static void half_close(struct fixture *f)
{
	size_t total = (UNDER_SANITIZER ? 8ul : 64ul) * MIB;
	struct tunnel *tunnel = new_tunnel();
	struct tunnel_options options = options_for(f);
	struct tunnel_host *host = add_host(tunnel, &options);
	char rest[16] = { 0 };
	pthread_t thread;

	sshd_start(f, "RekeyLimit 2M\n");
	struct writer writer = { .count = total };
	writer.fd = connect_raw(host, "POST /v1.41/echo HTTP/1.1\r\nConnection: Upgrade\r\n"
				      "Upgrade: tcp\r\n\r\n");
	skip_head(writer.fd);
	CHECK(pthread_create(&thread, NULL, write_bytes, &writer) == 0, "thread");
	/* The engine stops reading when nobody takes the echo: so does the writer. */
	poll(NULL, 0, 200);
	expect_bytes(writer.fd, 0, total);
	pthread_join(thread, NULL);
	for (size_t len = 0; len < 3; len++)
		CHECK(read(writer.fd, rest + len, 1) == 1, "ended early");
	CHECK(str_eq(rest, "end"), "%s", rest);
	CHECK(read(writer.fd, rest, 1) == 0, "did not end");
	close(writer.fd);
	tunnel_free(tunnel);
	sshd_stop(f);
}

int main(int argc, char **argv)
{
	static const struct scenario scenarios[] = {
		{ "many_threads", many_threads },
		{ "many_channels", many_channels },
		{ "slow_reader", slow_reader },
		{ "half_close", half_close },
	};

	(void)argc;
	return run_scenarios(scenarios, ARRAY_SIZE(scenarios), argv);
}
