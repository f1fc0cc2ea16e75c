/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnel against a real sshd on the loopback interface and an engine of a few lines in this
 * process: threads, many channels, back pressure, half-close, broken connections, refusals.
 * A plain main(), since it also runs under ThreadSanitizer. Needs root (sshd), leaves nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/engine.h"
#include "controller/host/tunnel.h"

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (condition)                                                                     \
			break;                                                                     \
		fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
		abort();                                                                           \
	} while (0)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { UNDER_SANITIZER = 1 };
#else
enum { UNDER_SANITIZER = 0 };
#endif

enum { DEADLINE_MS = 60 * 1000, MIB = 1024 * 1024 };

/* --- the engine ----------------------------------------------------------------------------- */

struct served {
	char *path;
	int fd;
	pthread_t thread;
	atomic_int hung_up; /* connections to /hang that the client has closed */
};

struct served_connection {
	struct served *served;
	int fd;
};

/* What a body is made of: byte N is pattern[N % PERIOD], so that loss and disorder show. */
enum { PERIOD = 251, PATTERN = PERIOD * 262 };
static char pattern[PATTERN];

static int send_text(int fd, const char *text)
{
	return io_write_all(fd, text, strlen(text));
}

static int send_bytes(int fd, size_t count)
{
	for (size_t n; count > 0; count -= n) {
		n = count < PATTERN ? count : PATTERN;
		if (io_write_all(fd, pattern, n))
			return -1;
	}
	return 0;
}

static int answer_length(int fd, const char *type, size_t len)
{
	CLEANUP(cleanup_free)
	char *head = xasprintf("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: %s\r\n"
			       "Content-Length: %zu\r\n\r\n",
			       type, len);

	return send_text(fd, head);
}

/* -1: the connection ends. */
static int serve_echo(int fd)
{
	char buf[65536];
	ssize_t n;

	if (send_text(fd, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"))
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (io_write_all(fd, buf, (size_t)n))
			return -1;
	/* Only who was half-closed can still say this. */
	(void)!send_text(fd, "end");
	return -1;
}

static int serve_hang(struct served *served, int fd)
{
	char c;

	if (send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n"))
		return -1;
	while (read(fd, &c, 1) > 0)
		;
	atomic_fetch_add(&served->hung_up, 1);
	return -1;
}

static int serve_one(struct served *served, int fd, const char *path)
{
	size_t n;

	if (sscanf(path, "/v1.41/json/%zu", &n) == 1)
		return answer_length(fd, "application/json", n + 2) || send_text(fd, "\"") ||
		       send_bytes(fd, n) || send_text(fd, "\"");
	if (sscanf(path, "/v1.41/bytes/%zu", &n) == 1)
		return answer_length(fd, "application/x-tar", n) || send_bytes(fd, n);
	if (str_eq(path, "/v1.41/cut")) {
		(void)!(answer_length(fd, "application/json", 1000) || send_text(fd, "{\"a\":"));
		return -1;
	}
	if (str_eq(path, "/v1.41/garbage"))
		return answer_length(fd, "text/html", 6) || send_text(fd, "<html>");
	if (str_eq(path, "/v1.41/hang"))
		return serve_hang(served, fd);
	if (str_eq(path, "/v1.41/echo"))
		return serve_echo(fd);
	if (str_eq(path, "/_ping"))
		return answer_length(fd, "text/plain", 2) || send_text(fd, "OK");
	return send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n"
			     "{\"message\":\"gone\"}");
}

static void *serve_connection(void *ctx)
{
	struct served_connection *connection = ctx;
	char head[4096], path[256];
	size_t len = 0;
	int rc = 0;

	while (rc == 0 && len < sizeof(head) - 1) {
		ssize_t n = read(connection->fd, head + len, 1);

		if (n <= 0)
			break;
		len += (size_t)n;
		head[len] = '\0';
		if (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4))
			continue;
		len = 0;
		if (sscanf(head, "%*s %255s", path) != 1)
			break;
		rc = serve_one(connection->served, connection->fd, path);
	}
	close(connection->fd);
	free(connection);
	return NULL;
}

static void *serve(void *ctx)
{
	struct served *served = ctx;

	for (;;) {
		int fd = accept4(served->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		struct served_connection *connection = xcalloc(1, sizeof(*connection));
		pthread_t thread;
		connection->served = served;
		connection->fd = fd;
		CHECK(pthread_create(&thread, NULL, serve_connection, connection) == 0, "thread");
		pthread_detach(thread);
	}
}

static void served_start(struct served *served, const char *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	served->path = xasprintf("%s/engine.sock", dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", served->path);
	served->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(served->fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%m");
	CHECK(listen(served->fd, 1024) == 0, "%m");
	atomic_init(&served->hung_up, 0);
	CHECK(pthread_create(&served->thread, NULL, serve, served) == 0, "thread");
}

static void served_stop(struct served *served)
{
	shutdown(served->fd, SHUT_RDWR);
	pthread_join(served->thread, NULL);
	close(served->fd);
	unlink(served->path);
	free(served->path);
}

/* --- sshd ------------------------------------------------------------------------------------- */

struct fixture {
	char dir[64];
	struct served served;
	int port;
	pid_t sshd;
	char *key, *known_hosts;
};

static int run(char *const argv[])
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0, "%m");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "%m");
	return status;
}

static void make_key(const char *path)
{
	char *argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", (char *)path, NULL };

	CHECK(run(argv) == 0, "ssh-keygen");
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(bind(fd, (struct sockaddr *)&address, size) == 0, "%m");
	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "%m");
	close(fd);
	return ntohs(address.sin_port);
}

static bool answers(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	close(fd);
	return ok;
}

/* Polls instead of sleeping for luck. */
static void wait_until(bool (*is_so)(void *ctx), void *ctx, const char *what)
{
	int64_t until_ms = io_now_ms() + DEADLINE_MS;

	while (!is_so(ctx)) {
		CHECK(io_now_ms() < until_ms, "waited too long for: %s", what);
		poll(NULL, 0, 10);
	}
}

static bool sshd_answers(void *ctx)
{
	return answers(((struct fixture *)ctx)->port);
}

static void sshd_start(struct fixture *f, const char *more)
{
	CLEANUP(cleanup_free) char *config = xasprintf("%s/sshd_config", f->dir);
	CLEANUP(cleanup_free)
	char *text = xasprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nPidFile none\n"
			       "AuthorizedKeysFile %s/key.pub\nStrictModes no\nUsePAM no\n"
			       "PermitRootLogin yes\nPasswordAuthentication no\n"
			       "KbdInteractiveAuthentication no\nLogLevel ERROR\n"
			       /* bash reads no ~/.bashrc then, whatever is in it. */
			       "SetEnv SHLVL=2\n%s",
			       f->port, f->dir, f->dir, more);
	CLEANUP(cleanup_free) char *log = xasprintf("%s/sshd.log", f->dir);
	struct error err = ERROR_INIT;

	CHECK(io_write_file(config, 0600, text, strlen(text), &err) == 0, "%s", err.text);
	f->sshd = fork();
	CHECK(f->sshd >= 0, "%m");
	if (f->sshd == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", config, "-E", log, NULL);
		_exit(127);
	}
	wait_until(sshd_answers, f, "sshd");
}

/* Every process that serves a connection; the listener stays. */
static void kill_connections(struct fixture *f)
{
	char path[64], list[65536];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", f->sshd, f->sshd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, list, sizeof(list) - 1);
	close(fd);
	CHECK(n >= 0, "%m");
	list[n] = '\0';
	char *state = NULL;
	for (char *pid = strtok_r(list, " ", &state); pid; pid = strtok_r(NULL, " ", &state))
		kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
}

static void sshd_stop(struct fixture *f)
{
	kill_connections(f);
	kill(f->sshd, SIGKILL);
	CHECK(waitpid(f->sshd, NULL, 0) == f->sshd, "%m");
}

static void fixture_start(struct fixture *f)
{
	CLEANUP(cleanup_free) char *host_key = NULL, *host_pub = NULL, *pub = NULL, *line = NULL;
	struct error err = ERROR_INIT;
	size_t len;

	snprintf(f->dir, sizeof(f->dir), "/tmp/drey-test-XXXXXX");
	CHECK(mkdtemp(f->dir), "%m");
	mkdir("/run/sshd", 0755);
	f->key = xasprintf("%s/key", f->dir);
	f->known_hosts = xasprintf("%s/known_hosts", f->dir);
	host_key = xasprintf("%s/host", f->dir);
	host_pub = xasprintf("%s/host.pub", f->dir);
	make_key(f->key);
	make_key(host_key);
	f->port = free_port();
	CHECK(io_read_file(host_pub, 4096, &pub, &len, &err) == 0, "%s", err.text);
	line = xasprintf("[127.0.0.1]:%d %s", f->port, pub);
	CHECK(io_write_file(f->known_hosts, 0600, line, strlen(line), &err) == 0, "%s", err.text);
	served_start(&f->served, f->dir);
}

static void fixture_stop(struct fixture *f)
{
	char *argv[] = { "rm", "-rf", f->dir, NULL };

	served_stop(&f->served);
	CHECK(run(argv) == 0, "rm");
	free(f->key);
	free(f->known_hosts);
}

static struct tunnel_options options_for(struct fixture *f)
{
	return (struct tunnel_options){ .name = "h1",
					.user = "root",
					.host = "127.0.0.1",
					.port = f->port,
					.identity_file = f->key,
					.known_hosts = f->known_hosts,
					.docker_socket = f->served.path,
					.connect_timeout_ms = 20 * 1000 };
}

static struct tunnel *new_tunnel(void)
{
	struct tunnel *tunnel;
	struct error err = ERROR_INIT;

	CHECK(tunnel_new(NULL, &tunnel, &err) == 0, "%s", err.text);
	return tunnel;
}

static struct tunnel_host *add_host(struct tunnel *tunnel, const struct tunnel_options *options)
{
	struct tunnel_host *host;
	struct error err = ERROR_INIT;

	CHECK(tunnel_add_host(tunnel, options, &host, &err) == 0, "%s", err.text);
	return host;
}

static struct engine *open_engine(struct tunnel_host *host)
{
	struct engine_options options = { .name = "h1",
					  .socket_path = tunnel_host_socket(host),
					  .tunnel = host,
					  .connect_timeout_ms = 5000,
					  .request_timeout_ms = DEADLINE_MS };
	struct engine *engine;
	struct error err = ERROR_INIT;

	CHECK(engine_open(&options, &engine, &err) == 0, "%s", err.text);
	return engine;
}

/* A connection to the engine as any other client makes it. */
static int connect_raw(struct tunnel_host *host, const char *request)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tunnel_host_socket(host));
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%m");
	CHECK(send_text(fd, request) == 0, "%m");
	return fd;
}

static void skip_head(int fd)
{
	char last[4] = { 0 };

	while (memcmp(last, "\r\n\r\n", 4)) {
		memmove(last, last + 1, 3);
		CHECK(read(fd, last + 3, 1) == 1, "the answer ended in its head");
	}
}

/* Reads count bytes of send_bytes() from `at` on. */
static void expect_bytes(int fd, size_t at, size_t count)
{
	char buf[PATTERN - PERIOD];

	while (count > 0) {
		ssize_t n = read(fd, buf, count < sizeof(buf) ? count : sizeof(buf));

		CHECK(n > 0, "the answer ended at %zu", at);
		CHECK(memcmp(buf, pattern + at % PERIOD, (size_t)n) == 0,
		      "wrong bytes between %zu and %zu", at, at + (size_t)n);
		at += (size_t)n;
		count -= (size_t)n;
	}
}

/* --- scenarios ------------------------------------------------------------------------------ */

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

static void expect_error(int rc, const struct error *err, enum error_code code, const char *word)
{
	CHECK(rc == -1 && err->code == code && strstr(err->text, word), "%d %s: %s", rc,
	      error_code_name(err->code), err->text);
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
	CHECK(engine_get(engine, "/json/5", &reply, &err) == 0, "%s", err.text);
	json_decref(reply);
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
	static const struct {
		const char *name;
		void (*run)(struct fixture *f);
	} scenarios[] = {
		{ "many_threads", many_threads },
		{ "many_channels", many_channels },
		{ "slow_reader", slow_reader },
		{ "half_close", half_close },
		{ "hang_up", hang_up },
		{ "bad_answers", bad_answers },
		{ "broken_connection", broken_connection },
		{ "refusals", refusals },
		{ "dial_stdio", dial_stdio },
		{ "silent_server", silent_server },
	};
	struct fixture fixture = { 0 };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < PATTERN; i++)
		pattern[i] = (char)(']' + i % PERIOD % 33);
	fixture_start(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		if (argc > 1 && !str_eq(argv[1], scenarios[i].name))
			continue;
		int64_t before_ms = io_now_ms();
		scenarios[i].run(&fixture);
		printf("%-18s %5d ms\n", scenarios[i].name, (int)(io_now_ms() - before_ms));
		fflush(stdout);
	}
	fixture_stop(&fixture);
	return 0;
}
