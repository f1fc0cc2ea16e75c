/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey tunnel HOST -- CMD: CMD gets a DOCKER_HOST that leads to the host's engine. */
#include "controller/base/interrupt.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/fleet/visit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals as they are in this process from here on; the child gets back what was before. */
struct signals {
	sigset_t taken, before;
};

/* Before the tunnel's thread is there: no thread may get them. */
static void take_signals(struct signals *signals)
{
	/* Where it is ignored children vanish without a status. */
	signal(SIGCHLD, SIG_DFL);
	interrupt_signals(&signals->taken);
	sigaddset(&signals->taken, SIGQUIT);
	sigaddset(&signals->taken, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &signals->taken, &signals->before);
}

/* Hands on what the child does not get by itself: the terminal tells it of its keys, and of its
 * end, as well. */
static void pass_on(const siginfo_t *info, pid_t child)
{
	bool from_terminal = info->si_code == SI_KERNEL;

	if (!from_terminal)
		kill(child, info->si_signo);
}

/* The child's status as a shell reports it. The tunnel outlives it, whatever this process is
 * sent. */
static int wait_for_child(const struct signals *signals, pid_t child)
{
	siginfo_t info;
	int status;

	for (;;) {
		int signo = sigwaitinfo(&signals->taken, &info);

		if (signo == SIGCHLD && waitpid(child, &status, WNOHANG) == child)
			break;
		if (signo > 0 && signo != SIGCHLD)
			pass_on(&info, child);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_child(const struct context *context, const struct signals *signals,
		     const char *socket, char **argv)
{
	CLEANUP(cleanup_free) char *docker_host = xasprintf("unix://%s", socket);
	struct error err = ERROR_INIT;
	pid_t pid = fork();

	if (pid < 0) {
		error_errno(&err, errno, "fork");
		return command_fail(context, EXIT_PARTIAL, &err);
	}
	if (pid == 0) {
		/* Ignored here only, and inherited otherwise. */
		signal(SIGPIPE, SIG_DFL);
		pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
		setenv("DOCKER_HOST", docker_host, 1);
		unsetenv("DOCKER_CONTEXT");
		execvp(argv[0], argv);
		fprintf(stderr, "drey: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	return wait_for_child(signals, pid);
}

static const struct resource *find_host(const struct manifest_set *set, const char *name,
					struct error *err)
{
	size_t count = set_host_count(set);
	CLEANUP(cleanup_free) const char **names = xcalloc(count, sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		names[i] = set_host(set, i)->name;
		if (strcmp(names[i], name) == 0)
			return set_host(set, i);
	}
	error_set(err, ERROR_INVALID, "the manifests have no Host/%s", name);
	const char *near = str_nearest(name, names, count);
	if (near)
		error_hint(err, "did you mean '%s'?", near);
	return NULL;
}

struct connecting {
	struct connection *connection;
	struct error err;
	int result;
};

static void connect_host(void *ctx)
{
	struct connecting *job = ctx;

	job->result = tunnel_host_connect(job->connection->tunnel_host, &job->err);
}

static void give_up(void *ctx)
{
	connection_interrupt(((struct connecting *)ctx)->connection);
}

static int run_remote(const struct context *context, const struct signals *signals,
		      struct connection *connection)
{
	struct connecting job = { .connection = connection, .err = ERROR_INIT };

	bool interrupted = interrupt_run(connect_host, give_up, &job);
	if (interrupted && job.result == 0)
		error_set(&job.err, ERROR_CANCELLED, "interrupted");
	if (interrupted || job.result < 0)
		return command_fail(context, interrupted ? EXIT_INTERRUPTED : EXIT_PARTIAL,
				    &job.err);
	return run_child(context, signals, tunnel_host_socket(connection->tunnel_host),
			 context->options.args + 1);
}

static int open_and_run(struct context *context, const struct resource *host)
{
	struct connection connection = { 0 };
	struct tunnel *tunnel = NULL;
	struct error err = ERROR_INIT;
	struct signals signals;
	int code;

	take_signals(&signals);
	if (tunnel_new(&context->log, &tunnel, &err) < 0 ||
	    connection_init(&connection, tunnel, host, &context->log, &err) < 0)
		code = command_fail(context, EXIT_PARTIAL, &err);
	else if (connection.tunnel_host)
		code = run_remote(context, &signals, &connection);
	else
		code = run_child(context, &signals,
				 resource_string(host, "address") + strlen("unix://"),
				 context->options.args + 1);
	connection_done(&connection);
	tunnel_free(tunnel);
	pthread_sigmask(SIG_SETMASK, &signals.before, NULL);
	return code;
}

static int run_tunnel(struct context *context)
{
	struct manifest_set *set;
	struct error err = ERROR_INIT;

	int code = load_manifests(context, &set);
	if (code != EXIT_IN_STEP)
		return code;
	const struct resource *host = find_host(set, context->options.args[0], &err);
	code = host ? open_and_run(context, host) : command_fail(context, EXIT_USAGE, &err);
	set_unref(set);
	return code;
}

static const struct option_row *const tunnel_options[] = { &opt_file, NULL };

const struct command command_tunnel = {
	.name = "tunnel",
	.group = GROUP_FLEET,
	.usage = "[-f DIR] HOST -- COMMAND [ARGUMENT]...",
	.summary = "Run a command with DOCKER_HOST leading to a host's engine",
	.description = "Opens the host's SSH connection, sets DOCKER_HOST to a private Unix "
		       "socket that leads to the engine there, and runs the command. Any Docker "
		       "client works, without anything installed on the host. The exit code is "
		       "the command's.",
	.options = tunnel_options,
	.example = "drey tunnel edge-1 -- docker ps",
	.min_args = 2,
	.max_args = -1,
	.complete = "host",
	.run = run_tunnel,
};
