/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real sshd on the loopback interface, and behind it an engine of a few lines in this process:
 * what the programs of this folder try the tunnel on. They are plain programs, since they also
 * run under ThreadSanitizer. They need root (sshd) and leave nothing behind.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
	atomic_int dropped; /* requests of /drop, which get no answer */
};

struct served_connection {
	struct served *served;
	int fd;
};

/* What a body is made of: byte N is pattern[N % PERIOD], so that loss and disorder show. */
enum { PERIOD = 251, PATTERN = PERIOD * 262 };
static char pattern[PATTERN];

static inline int send_text(int fd, const char *text)
{
	return io_write_all(fd, text, strlen(text));
}

static inline int send_bytes(int fd, size_t count)
{
	for (size_t n; count > 0; count -= n) {
		n = count < PATTERN ? count : PATTERN;
		if (io_write_all(fd, pattern, n))
			return -1;
	}
	return 0;
}

static inline int answer_length(int fd, const char *type, size_t len)
{
	CLEANUP(cleanup_free)
	char *head = xasprintf("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: %s\r\n"
			       "Content-Length: %zu\r\n\r\n",
			       type, len);

	return send_text(fd, head);
}

/* -1: the connection ends. */
static inline int serve_echo(int fd)
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

static inline int serve_hang(struct served *served, int fd)
{
	char c;

	if (send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n"))
		return -1;
	while (read(fd, &c, 1) > 0)
		;
	atomic_fetch_add(&served->hung_up, 1);
	return -1;
}

static inline int serve_one(struct served *served, int fd, const char *path)
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
	if (str_eq(path, "/v1.41/drop")) {
		atomic_fetch_add(&served->dropped, 1);
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

static inline void *serve_connection(void *ctx)
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

static inline void *serve(void *ctx)
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

static inline void served_start(struct served *served, const char *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	served->path = xasprintf("%s/engine.sock", dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", served->path);
	served->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(served->fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%m");
	CHECK(listen(served->fd, 1024) == 0, "%m");
	atomic_init(&served->hung_up, 0);
	atomic_init(&served->dropped, 0);
	CHECK(pthread_create(&served->thread, NULL, serve, served) == 0, "thread");
}

static inline void served_stop(struct served *served)
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

static inline int run(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0, "%m");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "%m");
	return status;
}

static inline void make_key(const char *path)
{
	const char *argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, NULL };

	CHECK(run(argv) == 0, "ssh-keygen");
}

static inline int free_port(void)
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

static inline bool answers(int port)
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
static inline void wait_until(bool (*is_so)(void *ctx), void *ctx, const char *what)
{
	int64_t until_ms = io_now_ms() + DEADLINE_MS;

	while (!is_so(ctx)) {
		CHECK(io_now_ms() < until_ms, "waited too long for: %s", what);
		poll(NULL, 0, 10);
	}
}

static inline bool sshd_answers(void *ctx)
{
	return answers(((struct fixture *)ctx)->port);
}

static inline void sshd_start(struct fixture *f, const char *more)
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
static inline void kill_connections(struct fixture *f)
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

static inline void sshd_stop(struct fixture *f)
{
	kill_connections(f);
	kill(f->sshd, SIGKILL);
	CHECK(waitpid(f->sshd, NULL, 0) == f->sshd, "%m");
}

static inline void fixture_start(struct fixture *f)
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

static inline void fixture_stop(struct fixture *f)
{
	const char *argv[] = { "rm", "-rf", f->dir, NULL };

	served_stop(&f->served);
	CHECK(run(argv) == 0, "rm");
	free(f->key);
	free(f->known_hosts);
}

static inline struct tunnel_options options_for(struct fixture *f)
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

static inline struct tunnel *new_tunnel(void)
{
	struct tunnel *tunnel;
	struct error err = ERROR_INIT;

	CHECK(tunnel_new(NULL, &tunnel, &err) == 0, "%s", err.text);
	return tunnel;
}

static inline struct tunnel_host *add_host(struct tunnel *tunnel,
					   const struct tunnel_options *options)
{
	struct tunnel_host *host;
	struct error err = ERROR_INIT;

	CHECK(tunnel_add_host(tunnel, options, &host, &err) == 0, "%s", err.text);
	return host;
}

static inline struct engine *open_engine(struct tunnel_host *host)
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
static inline int connect_raw(struct tunnel_host *host, const char *request)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tunnel_host_socket(host));
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%m");
	CHECK(send_text(fd, request) == 0, "%m");
	return fd;
}

static inline void skip_head(int fd)
{
	char last[4] = { 0 };

	while (memcmp(last, "\r\n\r\n", 4)) {
		memmove(last, last + 1, 3);
		CHECK(read(fd, last + 3, 1) == 1, "the answer ended in its head");
	}
}

/* Reads count bytes of send_bytes() from `at` on. */
static inline void expect_bytes(int fd, size_t at, size_t count)
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

static inline void expect_error(int rc, const struct error *err, enum error_code code,
				const char *word)
{
	CHECK(rc == -1 && err->code == code && strstr(err->text, word), "%d %s: %s", rc,
	      error_code_name(err->code), err->text);
}

/* --- running ------------------------------------------------------------------------------- */

struct scenario {
	const char *name;
	void (*run)(struct fixture *f);
};

/* All of them, or the one that the first argument names. */
static inline int run_scenarios(const struct scenario *scenarios, size_t count, char **argv)
{
	struct fixture fixture = { 0 };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < PATTERN; i++)
		pattern[i] = (char)(']' + i % PERIOD % 33);
	fixture_start(&fixture);
	for (size_t i = 0; i < count; i++) {
		if (argv[1] && !str_eq(argv[1], scenarios[i].name))
			continue;
		int64_t before_ms = io_now_ms();
		scenarios[i].run(&fixture);
		printf("%-18s %5d ms\n", scenarios[i].name, (int)(io_now_ms() - before_ms));
		fflush(stdout);
	}
	fixture_stop(&fixture);
	return 0;
}
