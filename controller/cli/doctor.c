/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey doctor: what stands between drey and each engine, and what to do about it. */
#include "controller/base/interrupt.h"
#include "controller/base/mem.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "controller/fleet/visit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
	CHECKS_MAX = 8,
	PARALLEL_DEFAULT = 32,
	/* Below these a pull or a backup's import is likely to fail half way. */
	DISK_FREE_PERCENT = 5,
	DISK_FREE_MIB = 1024,
};

enum finding { FINDING_OK, FINDING_WARNING, FINDING_FAILED };

struct check {
	const char *name;
	enum finding finding;
	const char *detail; /* what was seen, or why it failed */
	const char *remedy; /* NULL: none needed, or the detail says it */
};

/* One host's examination, run by one thread. */
struct exam {
	const struct context *context;
	const struct manifest_set *set;
	const struct resource *host;
	struct arena *arena;
	struct connection connection; /* interrupted from another thread */
	const atomic_bool *cancelled; /* of all of them */
	struct check checks[CHECKS_MAX];
	size_t count;
	bool failed;
	bool complete; /* not cut short by a signal */
};

struct examinations {
	struct exam *list;
	size_t count, parallel;
	atomic_bool cancelled;
};

static void note(struct exam *exam, const char *name, enum finding finding, const char *detail,
		 const char *remedy)
{
	char *text = arena_strdup(exam->arena, detail);

	set_hide_secrets(exam->set, text);
	exam->checks[exam->count++] = (struct check){
		.name = name,
		.finding = finding,
		.detail = text,
		.remedy = remedy ? arena_strdup(exam->arena, remedy) : NULL,
	};
	exam->failed = exam->failed || finding == FINDING_FAILED;
}

/* refused: why the key was, NULL when it is known. */
static void note_host_key(struct exam *exam, const char *refused)
{
	const char *file = resource_string(exam->host, "known_hosts");
	const char *detail, *remedy = refused;
	struct tunnel_host_info info;

	tunnel_host_info(exam->connection.tunnel_host, &info);
	if (!info.fingerprint)
		return;
	if (!file)
		file = "~/.ssh/known_hosts";
	detail = arena_printf(exam->arena, "%s (%s)", info.fingerprint,
			      info.banner ? info.banner : "no banner");
	if (refused && info.known_hosts_line) {
		detail = arena_printf(exam->arena, "%s is not in %s", detail, file);
		remedy =
			arena_printf(exam->arena,
				     "compare the fingerprint with the host's own (ssh-keygen -lf "
				     "/etc/ssh/ssh_host_ed25519_key.pub there), then add this line "
				     "to %s: %s",
				     file, info.known_hosts_line);
	}
	note(exam, "host key", refused ? FINDING_FAILED : FINDING_OK, detail, remedy);
}

/* Connection, host key and login. */
static void check_ssh(struct exam *exam)
{
	CLEANUP(cleanup_free) char *output = NULL;
	struct tunnel_host_info info;
	struct error err = ERROR_INIT;
	int status;

	if (!exam->connection.tunnel_host)
		return;
	if (tunnel_host_exec(exam->connection.tunnel_host, "true", &output, &status, &err) == 0) {
		note_host_key(exam, NULL);
		note(exam, "login", FINDING_OK, "accepted", NULL);
		return;
	}
	tunnel_host_info(exam->connection.tunnel_host, &info);
	if (!info.fingerprint) {
		note(exam, "connect", FINDING_FAILED, err.text,
		     "check spec.address, that sshd runs there, and what stands between (firewall, "
		     "VPN)");
	} else if (info.host_key_known) {
		note_host_key(exam, NULL);
		note(exam, "login", FINDING_FAILED, err.text,
		     "check spec.identity_file, spec.agent and the user in spec.address, and that "
		     "the public key is in ~/.ssh/authorized_keys there");
	} else {
		note_host_key(exam, err.text);
	}
}

static void check_remote_socket(struct exam *exam)
{
	const char *socket = resource_string(exam->host, "docker_socket");
	CLEANUP(cleanup_free) char *quoted = tunnel_quote(socket);
	CLEANUP(cleanup_free)
	char *command = xasprintf(
		"s=%s; id -un; test -S \"$s\" || exit 3; test -r \"$s\" -a -w \"$s\" || exit 4",
		quoted);
	CLEANUP(cleanup_free) char *output = NULL;
	struct error err = ERROR_INIT;
	int status;

	if (!exam->connection.tunnel_host)
		return;
	if (tunnel_host_exec(exam->connection.tunnel_host, command, &output, &status, &err) < 0) {
		note(exam, "socket", FINDING_WARNING,
		     arena_printf(exam->arena, "could not be looked at: %s", err.text), NULL);
		return;
	}
	char *end = strchrnul(output, '\n');
	*end = '\0';
	if (status == 3)
		note(exam, "socket", FINDING_FAILED,
		     arena_printf(exam->arena, "there is no socket %s", socket),
		     "start the engine there (systemctl start docker), or name its socket in "
		     "spec.docker_socket");
	else if (status == 4)
		note(exam, "socket", FINDING_FAILED,
		     arena_printf(exam->arena, "user %s may not use %s", output, socket),
		     arena_printf(exam->arena,
				  "add the user to the socket's group there (usermod -aG docker "
				  "%s), then log in anew; mind that this is as good as root",
				  output));
	else
		note(exam, "socket", FINDING_OK, socket, NULL);
}

/* What stands in the way of an engine whose socket was found; of a local one that is not yet
 * said. */
static const char *engine_remedy(enum error_code code)
{
	switch (code) {
	case ERROR_NOT_FOUND:
	case ERROR_UNREACHABLE:
		return "start the engine there (systemctl start docker), or correct the path of "
		       "its socket";
	case ERROR_DENIED:
		return "add the user to the group of the socket (usermod -aG docker USER), then "
		       "log in anew; mind that this is as good as root";
	case ERROR_UNSUPPORTED:
		return "upgrade the older of the two, engine or drey";
	default:
		return "see what the engine says of it there (journalctl -u docker)";
	}
}

static void check_engine(struct exam *exam)
{
	struct error err = ERROR_INIT;

	if (connection_open(&exam->connection, exam->host, &exam->context->log, &err) < 0) {
		note(exam, "engine", FINDING_FAILED, err.text, engine_remedy(err.code));
		return;
	}
	const json_t *version = engine_version(exam->connection.engine);
	const char *number = json_string_value(json_object_get(version, "Version"));
	note(exam, "engine", FINDING_OK,
	     arena_printf(exam->arena, "%s, API 1.%d", number ? number : "unknown version",
			  engine_api(exam->connection.engine)),
	     NULL);
}

static void note_disk(struct exam *exam, const char *root, uint64_t free_kib, uint64_t total_kib)
{
	unsigned percent = total_kib ? (unsigned)(free_kib * 100 / total_kib) : 0;
	const char *detail = arena_printf(exam->arena, "%s has %llu MiB free of %llu MiB (%u %%)",
					  root, (unsigned long long)(free_kib / 1024),
					  (unsigned long long)(total_kib / 1024), percent);
	bool low = percent < DISK_FREE_PERCENT || free_kib / 1024 < DISK_FREE_MIB;

	note(exam, "disk", low ? FINDING_WARNING : FINDING_OK, detail,
	     low ? "make room: docker system df there shows what takes it" : NULL);
}

static void check_remote_disk(struct exam *exam, const char *root)
{
	CLEANUP(cleanup_free) char *quoted = tunnel_quote(root);
	CLEANUP(cleanup_free) char *command = xasprintf("df -Pk %s", quoted);
	CLEANUP(cleanup_free) char *output = NULL;
	unsigned long long total, used, available;
	struct error err = ERROR_INIT;
	int status;

	if (tunnel_host_exec(exam->connection.tunnel_host, command, &output, &status, &err) < 0 ||
	    status != 0)
		return;
	/* POSIX df -P: one line of heads, then name, total, used, available in KiB. */
	const char *line = strchr(output, '\n');
	if (line && sscanf(line + 1, "%*s %llu %llu %llu", &total, &used, &available) == 3)
		note_disk(exam, root, available, total);
}

static void check_disk(struct exam *exam)
{
	struct error err = ERROR_INIT;
	json_t *info = NULL;
	struct statvfs fs;

	if (!exam->connection.engine)
		return;
	if (engine_get(exam->connection.engine, "/info", &info, &err) < 0) {
		note(exam, "disk", FINDING_WARNING, err.text, NULL);
		return;
	}
	const char *root = json_string_value(json_object_get(info, "DockerRootDir"));
	if (root && exam->connection.tunnel_host)
		check_remote_disk(exam, root);
	else if (root && statvfs(root, &fs) == 0)
		note_disk(exam, root, (uint64_t)fs.f_bavail * fs.f_frsize / 1024,
			  (uint64_t)fs.f_blocks * fs.f_frsize / 1024);
	json_decref(info);
}

/* Describes the connection; who can't be described is done with. */
static void begin(struct exam *exam, struct tunnel *tunnel)
{
	struct error err = ERROR_INIT;

	if (connection_init(&exam->connection, tunnel, exam->host, &exam->context->log, &err) < 0)
		note(exam, "address", FINDING_FAILED, err.text,
		     "correct spec.address in the Host document");
	else
		note(exam, "address", FINDING_OK, resource_string(exam->host, "address"), NULL);
}

static void examine(struct exam *exam)
{
	static void (*const checks[])(struct exam *) = {
		check_ssh,
		check_remote_socket,
		check_engine,
		check_disk,
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !exam->failed; i++) {
		checks[i](exam);
		/* What failed may have failed for being interrupted. */
		if (atomic_load(exam->cancelled))
			return;
	}
	exam->complete = true;
}

static void *examine_thread(void *exam)
{
	examine(exam);
	return NULL;
}

static void examine_all(void *ctx)
{
	struct examinations *exams = ctx;
	CLEANUP(cleanup_free) pthread_t *threads = xcalloc(exams->count, sizeof(*threads));

	for (size_t from = 0; from < exams->count && !atomic_load(&exams->cancelled);
	     from += exams->parallel) {
		size_t to = exams->count - from < exams->parallel ? exams->count
								  : from + exams->parallel;
		size_t started = from;

		while (started < to && pthread_create(&threads[started], NULL, examine_thread,
						      &exams->list[started]) == 0)
			started++;
		for (size_t i = started; i < to; i++)
			examine(&exams->list[i]);
		for (size_t i = from; i < started; i++)
			pthread_join(threads[i], NULL);
	}
}

static void interrupt_all(void *ctx)
{
	struct examinations *exams = ctx;

	atomic_store(&exams->cancelled, true);
	for (size_t i = 0; i < exams->count; i++)
		connection_interrupt(&exams->list[i].connection);
}

static const char *finding_name(enum finding finding)
{
	static const char *const names[] = { "ok", "warning", "failed" };

	return names[finding];
}

static void print(const struct context *context, const struct exam *exam)
{
	static const enum color colors[] = { COLOR_GREEN, COLOR_YELLOW, COLOR_RED };

	printf("%s%s%s\n", output_color(context, COLOR_BOLD), exam->host->name,
	       output_color(context, COLOR_NONE));
	for (size_t i = 0; i < exam->count; i++) {
		const struct check *check = &exam->checks[i];

		printf("  %s%-8s%s %-9s %s\n", output_color(context, colors[check->finding]),
		       finding_name(check->finding), output_color(context, COLOR_NONE), check->name,
		       check->detail);
		if (check->remedy)
			printf("%21s-> %s\n", "", check->remedy);
	}
}

static json_t *exam_json(const struct exam *exam)
{
	json_t *checks = json_array();

	for (size_t i = 0; i < exam->count; i++) {
		const struct check *check = &exam->checks[i];

		json_array_append_new(checks,
				      json_pack("{s:s, s:s, s:s, s:s?}", "check", check->name,
						"finding", finding_name(check->finding), "detail",
						check->detail, "remedy", check->remedy));
	}
	return json_pack("{s:s, s:b, s:o}", "host", exam->host->name, "ok", !exam->failed, "checks",
			 checks);
}

static int report(const struct context *context, const struct examinations *exams, int code)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < exams->count; i++) {
		const struct exam *exam = &exams->list[i];

		if (!exam->complete) {
			fprintf(stderr, "drey: %s: interrupted\n", exam->host->name);
			continue;
		}
		if (exam->failed)
			code = exit_worst(code, EXIT_PARTIAL);
		if (context->options.output == OUTPUT_JSON)
			json_array_append_new(hosts, exam_json(exam));
		else
			print(context, exam);
	}
	if (context->options.output == OUTPUT_JSON) {
		json_t *document = output_document(context);

		json_object_set(document, "hosts", hosts);
		json_object_set_new(document, "exit", json_integer(code));
		output_json(document);
	}
	json_decref(hosts);
	return code;
}

static int examine_hosts(struct context *context, const struct manifest_set *set,
			 struct tunnel *tunnel, const struct resource *const *hosts, size_t count)
{
	int parallel = context->options.parallel;
	struct examinations exams = {
		.list = xcalloc(count, sizeof(*exams.list)),
		.count = count,
		.parallel = parallel > 0 ? (size_t)parallel : PARALLEL_DEFAULT,
	};

	for (size_t i = 0; i < count; i++) {
		exams.list[i] = (struct exam){ .context = context,
					       .set = set,
					       .host = hosts[i],
					       .arena = arena_new(),
					       .cancelled = &exams.cancelled };
		begin(&exams.list[i], tunnel);
	}
	bool interrupted = interrupt_run(examine_all, interrupt_all, &exams);
	int code = report(context, &exams, interrupted ? EXIT_INTERRUPTED : EXIT_IN_STEP);
	for (size_t i = 0; i < count; i++) {
		connection_done(&exams.list[i].connection);
		arena_free(exams.list[i].arena);
	}
	free(exams.list);
	return code;
}

static int run_doctor(struct context *context)
{
	const struct resource **hosts;
	struct tunnel *tunnel = NULL;
	struct manifest_set *set;
	struct error err = ERROR_INIT;
	sigset_t signals, before;
	size_t count;

	int code = load_manifests(context, &set);
	if (code != EXIT_IN_STEP)
		return code;
	/* Before the tunnel's thread is there: no thread may get them. */
	interrupt_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	if (load_hosts(context, set, &hosts, &count, &err) < 0 ||
	    tunnel_new(&context->log, &tunnel, &err) < 0)
		code = command_fail(context, EXIT_USAGE, &err);
	else
		code = examine_hosts(context, set, tunnel, hosts, count);
	tunnel_free(tunnel);
	set_unref(set);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

static const struct option_row *const doctor_options[] = {
	&opt_file, &opt_host, &opt_host_selector, &opt_parallel, &opt_output, NULL,
};

const struct command command_doctor = {
	.name = "doctor",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... [-f DIR]",
	.summary = "Find out why a host can't be reached, and what to do",
	.description =
		"For each host: the address, the host key with its fingerprint (and the line to "
		"add where it is unknown), the login, the engine's socket and whether the user "
		"may use it, the engine's version and API, and the room on its disk. Each failure "
		"comes with its remedy. The exit code is 3 when a host fails.",
	.options = doctor_options,
	.example = "drey doctor -f fleet",
	.run = run_doctor,
};
