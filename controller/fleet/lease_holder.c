/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/fleet/lease_holder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/fleet/lease.h"
#include "controller/host/printable.h"
#include "reconcilers/ownership.h"

#define LABEL_HOST LABEL_LEASE ".host"
#define LABEL_BOOT LABEL_LEASE ".boot"
#define LABEL_PID LABEL_LEASE ".pid"
#define LABEL_PID_NAMESPACE LABEL_LEASE ".pid-namespace"
#define LABEL_START LABEL_LEASE ".start"
#define LABEL_PURPOSE LABEL_LEASE ".purpose"
#define LABEL_VOID_SINCE LABEL_LEASE ".void-since"

enum { TAR_BLOCK = 512, TAR_MTIME = 136, TAR_MTIME_SIZE = 12, TAR_TYPE = 156, IDLE_MS = 30 * 1000 };

void lease_holder_uid(char ret_uid[33])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret_uid + 2 * i, 3, "%02x", bytes[i]);
}

/* The first line of a small file of proc(5), empty where it can't be read. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, (int)size, file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
}

/* Clock ticks after the boot at which a process began; -1: it can't be seen. One that has ended
 * and whose parent has not asked for it yet began never. */
static long long start_of(long long pid)
{
	char path[48], line[1024];

	snprintf(path, sizeof(path), "/proc/%lld/stat", pid);
	read_line(path, line, sizeof(line));
	/* The name, field 2, may hold blanks and parentheses. */
	char *at = strrchr(line, ')');
	if (at && (at[2] == 'Z' || at[2] == 'X'))
		return 0;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoll(at, NULL, 10) : -1;
}

static void read_boot(char *boot, size_t size)
{
	read_line("/proc/sys/kernel/random/boot_id", boot, size);
}

static void read_pid_namespace(char *name, size_t size)
{
	ssize_t len = readlink("/proc/self/ns/pid", name, size - 1);

	name[len > 0 ? len : 0] = '\0';
}

json_t *lease_holder_body(const char *purpose, const char *uid, int64_t void_since_s)
{
	char host[65] = "", boot[40], pid_namespace[40], pid[24], start[24], since[24];

	gethostname(host, sizeof(host) - 1);
	read_boot(boot, sizeof(boot));
	read_pid_namespace(pid_namespace, sizeof(pid_namespace));
	snprintf(pid, sizeof(pid), "%lld", (long long)getpid());
	snprintf(start, sizeof(start), "%lld", start_of(getpid()));
	snprintf(since, sizeof(since), "%lld", (long long)void_since_s);
	return json_pack("{s:[s], s:b, s:{s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}", "Cmd",
			 "never-started", "NetworkDisabled", 1, "HostConfig", "NetworkMode", "none",
			 "Labels", LABEL_LEASE, uid, LABEL_HOST, host, LABEL_BOOT, boot, LABEL_PID,
			 pid, LABEL_PID_NAMESPACE, pid_namespace, LABEL_START, start, LABEL_PURPOSE,
			 purpose, LABEL_VOID_SINCE, since);
}

static void copy(char *to, size_t size, const json_t *from)
{
	const char *text = json_string_value(from);

	printable_copy(to, size, text ? text : "", text ? strlen(text) : 0);
}

static long long number(const json_t *from)
{
	const char *text = json_string_value(from);

	return text ? strtoll(text, NULL, 10) : -1;
}

int lease_holder_read(const json_t *inspect, struct lease_holder *ret_holder)
{
	const json_t *labels = json_object_get(json_object_get(inspect, "Config"), "Labels");
	const char *id = json_string_value(json_object_get(inspect, "Id"));

	if (!id || !json_object_get(labels, LABEL_LEASE))
		return -1;
	*ret_holder = (struct lease_holder){
		.pid = number(json_object_get(labels, LABEL_PID)),
		.start_ticks = number(json_object_get(labels, LABEL_START)),
		.void_since_s = number(json_object_get(labels, LABEL_VOID_SINCE)),
	};
	snprintf(ret_holder->id, sizeof(ret_holder->id), "%s", id);
	copy(ret_holder->uid, sizeof(ret_holder->uid), json_object_get(labels, LABEL_LEASE));
	copy(ret_holder->host, sizeof(ret_holder->host), json_object_get(labels, LABEL_HOST));
	copy(ret_holder->boot, sizeof(ret_holder->boot), json_object_get(labels, LABEL_BOOT));
	copy(ret_holder->pid_namespace, sizeof(ret_holder->pid_namespace),
	     json_object_get(labels, LABEL_PID_NAMESPACE));
	copy(ret_holder->purpose, sizeof(ret_holder->purpose),
	     json_object_get(labels, LABEL_PURPOSE));
	copy(ret_holder->since, sizeof(ret_holder->since), json_object_get(inspect, "Created"));
	return 0;
}

void lease_holder_describe(const struct lease_holder *holder, char *text, size_t size)
{
	int whole_seconds = (int)strcspn(holder->since, ".Z");

	snprintf(text, size,
		 "another drey (%s, process %lld on %s) has been changing this engine "
		 "since %.*s UTC",
		 holder->purpose, holder->pid, holder->host, whole_seconds, holder->since);
}

/* Numbers of processes mean something in one namespace only: two containers of this machine have
 * the boot in common, and both a process 1. */
static bool is_of_here(const struct lease_holder *holder)
{
	char boot[40], pid_namespace[40];

	read_boot(boot, sizeof(boot));
	read_pid_namespace(pid_namespace, sizeof(pid_namespace));
	return *boot && strcmp(boot, holder->boot) == 0 && *pid_namespace &&
	       strcmp(pid_namespace, holder->pid_namespace) == 0 && holder->pid > 0 &&
	       holder->start_ticks >= 0;
}

bool lease_holder_is_self(const struct lease_holder *holder)
{
	return is_of_here(holder) && holder->pid == getpid() &&
	       holder->start_ticks == start_of(getpid());
}

bool lease_holder_is_dead(const struct lease_holder *holder)
{
	if (!is_of_here(holder))
		return false;
	if (kill((pid_t)holder->pid, 0) < 0 && errno == ESRCH)
		return true;
	long long start = start_of(holder->pid);
	/* It may have gone by now, or its number be another's; where /proc hides the processes of
	 * others it can't be known. */
	return start >= 0 && start != holder->start_ticks;
}

bool lease_holder_tar_time(const char header[TAR_BLOCK], int64_t *ret_seconds)
{
	char digits[TAR_MTIME_SIZE + 1] = "", *end;

	if (header[TAR_TYPE] != '5')
		return false;
	memcpy(digits, header + TAR_MTIME, TAR_MTIME_SIZE);
	long long seconds = strtoll(digits, &end, 8);
	if (end == digits || seconds < 0)
		return false;
	*ret_seconds = seconds;
	return true;
}

struct header {
	char block[TAR_BLOCK];
	size_t len;
};

static int take_header(void *ctx, const char *data, size_t len, struct error *err)
{
	struct header *header = ctx;
	size_t left = TAR_BLOCK - header->len, n = len < left ? len : left;

	memcpy(header->block + header->len, data, n);
	header->len += n;
	/* No more is wanted. */
	return header->len < TAR_BLOCK ? 0 : error_set(err, ERROR_CANCELLED, "enough");
}

/* When the last beat was unpacked: the engine's file system gave the directory that time. */
static int read_beat(struct engine *engine, const char *id, int64_t *ret_seconds, bool *ret_known,
		     struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/archive?path=%s", id, "/");
	struct header header = { .len = 0 };
	struct engine_stream stream = {
		.request = { .method = "GET", .path = path },
		.sink = take_header,
		.ctx = &header,
		.idle_timeout_ms = IDLE_MS,
	};

	if (engine_stream(engine, &stream, err) < 0) {
		if (header.len < TAR_BLOCK)
			return -1;
		error_clear(err);
	}
	*ret_known = header.len == TAR_BLOCK && lease_holder_tar_time(header.block, ret_seconds);
	return 0;
}

int lease_holder_is_silent(struct engine *engine, const struct lease_holder *holder,
			   bool *ret_silent, struct error *err)
{
	int64_t now, created, beat;
	bool known;

	*ret_silent = false;
	/* The beat first: time that passes between the two makes it older by nothing but itself. */
	if (read_beat(engine, holder->id, &beat, &known, err) < 0) {
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "read the heartbeat of container " LEASE_NAME);
		error_clear(err);
		return 0;
	}
	if (engine_read_clock(engine, &now, err) < 0)
		return error_wrap(err, "read the engine's clock");
	known = known && engine_parse_time(holder->since, &created);
	if (known)
		*ret_silent = now - (beat > created ? beat : created) > LEASE_STALE_S;
	return 0;
}
