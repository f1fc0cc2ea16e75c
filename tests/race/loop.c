/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller over engines of a few lines in this process: events from all of them at once,
 * manifests that change and break, hosts that leave and come back with other settings, an engine
 * that falls silent, the end in the middle of it. A plain main(), since it also runs under
 * ThreadSanitizer. What is asserted is that it turns and ends; that it does so without a race is
 * for ThreadSanitizer to say.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/loop/loop.h"
#include "controller/loop/watch.h"

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (condition)                                                                     \
			break;                                                                     \
		fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
		abort();                                                                           \
	} while (0)

enum { ENGINES = 6, DEADLINE_MS = 60 * 1000, EVENT_EVERY_MS = 20 };

struct engine_double {
	char path[96];
	int number, fd;
	atomic_int looks; /* lists of containers that were asked for */
	atomic_int pulls;
	atomic_bool silent; /* accepts, and answers nothing */
	pthread_t thread;
};

struct bench {
	char dir[64];
	struct engine_double engines[ENGINES];
	atomic_bool ending;
};

static struct bench bench;

/* --- the engines */

static void reply(int fd, int status, const char *body)
{
	dprintf(fd,
		"HTTP/1.1 %d Answer\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
		"Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
}

/* Of every other engine it is the container that the manifests want which never rests: nothing
 * is done to it for a while. */
static void send_events(const struct engine_double *engine, int fd)
{
	char event[256];
	int len = snprintf(event, sizeof(event),
			   "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"abc\","
			   "\"Attributes\":{\"name\":\"web\",\"drey.name\":\"%s\"}}}\n",
			   engine->number % 2 ? "other" : "web");

	dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
	while (!bench.ending && send(fd, event, (size_t)len, MSG_NOSIGNAL) > 0)
		usleep(EVENT_EVERY_MS * 1000);
}

struct conversation {
	struct engine_double *engine;
	int fd;
};

static void answer(struct engine_double *engine, int fd)
{
	char request[8192], info[128];
	ssize_t len = recv(fd, request, sizeof(request) - 1, 0);

	if (len <= 0)
		return;
	request[len] = '\0';
	char *end = strstr(request, " HTTP/");
	if (end)
		*end = '\0';
	while (engine->silent && !bench.ending)
		usleep(1000);
	snprintf(info, sizeof(info), "{\"ID\":\"E%d\",\"SystemTime\":\"2023-11-23T16:00:00Z\"}",
		 engine->number);
	if (strstr(request, "/events"))
		send_events(engine, fd);
	else if (strstr(request, "/_ping"))
		reply(fd, 200, "OK");
	else if (strstr(request, "/info"))
		reply(fd, 200, info);
	else if (strstr(request, "POST ") && strstr(request, "/images/create") && ++engine->pulls)
		reply(fd, 404, "{\"message\":\"manifest unknown\"}");
	else if (strstr(request, "/containers/json") && ++engine->looks)
		reply(fd, 200, "[]");
	else if (strstr(request, "/networks") || strstr(request, "/images/json"))
		reply(fd, 200, "[]");
	else if (strstr(request, "/volumes"))
		reply(fd, 200, "{\"Volumes\":[]}");
	else
		reply(fd, 404, "{\"message\":\"not here\"}");
}

static void *converse(void *arg)
{
	struct conversation *conversation = arg;

	answer(conversation->engine, conversation->fd);
	close(conversation->fd);
	free(conversation);
	return NULL;
}

static void *serve(void *arg)
{
	struct engine_double *engine = arg;
	pthread_attr_t attr;
	int fd;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while ((fd = accept4(engine->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct conversation *conversation = xmalloc(sizeof(*conversation));
		pthread_t thread;

		*conversation = (struct conversation){ engine, fd };
		CHECK(pthread_create(&thread, &attr, converse, conversation) == 0, "no thread");
	}
	pthread_attr_destroy(&attr);
	return NULL;
}

static void start_engine(struct engine_double *engine, int number)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	engine->number = number;
	snprintf(engine->path, sizeof(engine->path), "%s/e%d.sock", bench.dir, number);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", engine->path);
	engine->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(engine->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		      listen(engine->fd, 64) == 0,
	      "%s", engine->path);
	CHECK(pthread_create(&engine->thread, NULL, serve, engine) == 0, "no thread");
}

/* --- the manifests */

static void write_file(const char *name, const char *text)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/m/%s", bench.dir, name);
	struct error err = ERROR_INIT;

	CHECK(io_write_file(path, 0600, text, strlen(text), &err) == 0, "%s", err.text);
}

static void remove_file(const char *name)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/m/%s", bench.dir, name);

	CHECK(unlink(path) == 0, "%s", path);
}

static void write_hosts(int count, const char *timeout)
{
	struct str text;

	str_init(&text, 0);
	str_append(&text, "apiVersion: drey/v1\nkind: Project\nmetadata: { name: race }\n"
			  "spec: { hosts: [");
	for (int i = 0; i < count; i++)
		str_printf(&text, "%sh%d", i ? ", " : "", i);
	str_append(&text, "] }\n");
	for (int i = 0; i < count; i++)
		str_printf(&text,
			   "---\napiVersion: drey/v1\nkind: Host\nmetadata: { name: h%d }\n"
			   "spec: { address: \"unix://%s\", request_timeout: %s }\n",
			   i, bench.engines[i].path, timeout);
	write_file("hosts.yaml", text.data);
	str_done(&text);
}

/* Four containers that have nothing to do with each other: they are carried out by several threads.
 */
static void write_containers(const char *image)
{
	static const char *const names[] = { "web", "api", "job", "queue" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(cleanup_free) char *file = xasprintf("%s.yaml", names[i]);
		CLEANUP(cleanup_free)
		char *text = xasprintf("apiVersion: drey/v1\nkind: Container\n"
				       "metadata: { name: %s }\nspec: { image: %s-%s }\n",
				       names[i], names[i], image);

		write_file(file, text);
	}
}

/* --- what happens to it */

/* Until each of the engines has been looked at so many times more. */
static void wait_looks(int first, int last, int more)
{
	int64_t until_ms = io_now_ms() + DEADLINE_MS;
	int wanted[ENGINES];

	for (int i = first; i <= last; i++)
		wanted[i] = bench.engines[i].looks + more;
	for (int i = first; i <= last; i++) {
		while (bench.engines[i].looks < wanted[i] && io_now_ms() < until_ms)
			usleep(2000);
		CHECK(bench.engines[i].looks >= wanted[i], "h%d: %d of %d looks", i,
		      bench.engines[i].looks, wanted[i]);
	}
}

/* A change of the manifests is loaded, whatever the looks do meanwhile. */
static void wait_load(void)
{
	usleep(3 * WATCH_QUIET_MS * 1000);
}

static void *drive(void *arg)
{
	(void)arg;
	wait_looks(0, ENGINES - 1, 3);
	write_containers("of:2");
	wait_load();
	wait_looks(0, ENGINES - 1, 3);
	write_file("bad.yaml", "kind: [");
	wait_load();
	wait_looks(0, ENGINES - 1, 3);
	remove_file("bad.yaml");
	write_hosts(ENGINES - 2, "5s");
	wait_load();
	wait_looks(0, ENGINES - 3, 3);
	write_hosts(ENGINES, "6s");
	wait_load();
	wait_looks(0, ENGINES - 1, 3);
	kill(getpid(), SIGHUP);
	bench.engines[0].silent = true;
	wait_looks(1, ENGINES - 1, 5);
	bench.engines[0].silent = false;
	wait_looks(0, 0, 2);
	kill(getpid(), SIGTERM);
	return NULL;
}

static void read_revision(const char *dir, const char *digest, char **ret_id, char **ret_subject)
{
	(void)dir;
	*ret_id = xasprintf("sha256:%s", digest);
	*ret_subject = NULL;
}

static void block_signals(void)
{
	sigset_t mask;

	/* The loop's, before any thread is there that they could end. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

static void remove_all(void)
{
	CLEANUP(cleanup_free) char *command = xasprintf("rm -r '%s'", bench.dir);

	CHECK(system(command) == 0, "%s", command);
}

int main(void)
{
	CLEANUP(cleanup_free) char *manifests = NULL;
	CLEANUP(cleanup_free) char *state = NULL;
	struct error err = ERROR_INIT;
	struct logger log = { .level = LOG_LEVEL_ERROR, .fd = -1 };
	pthread_t driver;

	block_signals();
	signal(SIGPIPE, SIG_IGN); /* of the engines: clients hang up on them */
	snprintf(bench.dir, sizeof(bench.dir), "/tmp/drey-race-loop-XXXXXX");
	CHECK(mkdtemp(bench.dir), "no directory");
	manifests = xasprintf("%s/m", bench.dir);
	state = xasprintf("%s/state", bench.dir);
	CHECK(io_make_dirs(manifests, 0700, &err) == 0, "%s", err.text);
	for (int i = 0; i < ENGINES; i++)
		start_engine(&bench.engines[i], i);
	write_hosts(ENGINES, "5s");
	write_containers("of:1");
	struct loop_options options = {
		.dir = manifests,
		.state_dir = state,
		.log = &log,
		.parallel = 4,
		.interval_ms = 1000,
		.max_removals_percent = 10,
		.version = DREY_VERSION,
		.read_revision = read_revision,
	};
	CHECK(pthread_create(&driver, NULL, drive, NULL) == 0, "no thread");
	int64_t start_ms = io_now_ms();
	CHECK(loop_run(&options, &err) == 0, "%s", err.text);
	printf("loop              %5lld ms\n", (long long)(io_now_ms() - start_ms));
	pthread_join(driver, NULL);
	CHECK(bench.engines[1].pulls > 0, "nothing was ever tried");
	bench.ending = true;
	for (int i = 0; i < ENGINES; i++) {
		shutdown(bench.engines[i].fd, SHUT_RDWR);
		pthread_join(bench.engines[i].thread, NULL);
		close(bench.engines[i].fd);
	}
	remove_all();
	return 0;
}
