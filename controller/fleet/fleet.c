/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers take visits off a counter and post messages; the caller's thread takes the messages
 * and runs the callbacks. The caller waits in poll(2), so that a signal reaches it too: the
 * first asks everything to end at its next safe point, the second cuts the requests off.
 */
#include "controller/fleet/fleet.h"

#include "controller/backup/migrate.h"
#include "controller/base/interrupt.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/base/vec.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	WORKER_STACK = 512 * 1024,
	/* Byte counts of a pull may be dropped when the reader is slow; steps never are. */
	MESSAGES_MAX = 4096,
	FAR_CONNECTIONS = 256,
	FAR_CONNECTIONS_EACH = 32,
};

enum message_kind { MESSAGE_PLANNED, MESSAGE_PROGRESS, MESSAGE_RESULT, MESSAGE_EXECUTED };

struct message {
	struct message *next;
	enum message_kind kind;
	const struct visit *visit;
	const struct result *result;
	struct progress progress; /* strings are the message's own */
};

struct member {
	struct fleet *fleet;
	struct connection *connection; /* NULL: it could not even be described */
	struct visit visit;
	struct error init_err; /* why */
};

/* Plans are only read from engines; the others change them. */
enum phase { PHASE_PLAN, PHASE_EXECUTE, PHASE_TASK };

struct fleet {
	struct manifest_set *set;
	struct fleet_options options;
	struct connections *connections;
	struct member *members;
	size_t count;

	pthread_mutex_t lock;
	struct message *first, **last; /* under lock */
	size_t waiting;		       /* under lock */
	size_t running;		       /* workers; under lock */
	int wake_fd, signal_fd;
	atomic_size_t next;
	atomic_size_t failed; /* hosts on which a change failed */
	atomic_bool cancelled;
	enum phase phase;
	void (*task)(void *ctx, struct visit *visit); /* of PHASE_TASK */
	void *task_ctx;
	sigset_t old_mask;
};

static int open_fds(struct fleet *fleet, struct error *err)
{
	sigset_t mask;

	interrupt_signals(&mask);
	/* Workers inherit the mask (the tunnel's threads block all), so that signals come here
	 * only. */
	pthread_sigmask(SIG_BLOCK, &mask, &fleet->old_mask);
	fleet->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	fleet->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fleet->signal_fd < 0 || fleet->wake_fd < 0)
		return error_errno(err, errno, "signalfd or eventfd");
	return 0;
}

/* Connections of a command, which are kept until its end, may be many to one host, or some to many.
 */
static int far_in_flight(const struct fleet *fleet)
{
	size_t each = FAR_CONNECTIONS / (fleet->count ? fleet->count : 1);

	return (int)(each < FAR_CONNECTIONS_EACH ? each : FAR_CONNECTIONS_EACH);
}

/* A host that can't be set up fails alone. */
static void describe_connections(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++) {
		struct member *member = &fleet->members[i];

		if (connections_get(fleet->connections, member->visit.host, &member->connection,
				    &member->init_err) == 0)
			member->connection->far_in_flight = far_in_flight(fleet);
	}
}

int fleet_new(struct manifest_set *set, const struct fleet_options *options,
	      struct fleet **ret_fleet, struct error *err)
{
	struct fleet *fleet = xcalloc(1, sizeof(*fleet));

	fleet->set = set_ref(set);
	fleet->options = *options;
	fleet->connections =
		options->connections ? options->connections : connections_new(options->log);
	if (fleet->options.parallel <= 0)
		fleet->options.parallel = FLEET_PARALLEL_DEFAULT;
	fleet->last = &fleet->first;
	fleet->wake_fd = fleet->signal_fd = -1;
	pthread_mutex_init(&fleet->lock, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &fleet->old_mask);
	fleet->count = options->host_count;
	fleet->members = xcalloc(fleet->count, sizeof(*fleet->members));
	for (size_t i = 0; i < fleet->count; i++)
		fleet->members[i] =
			(struct member){ .fleet = fleet, .visit.host = options->hosts[i] };
	if (open_fds(fleet, err) < 0) {
		fleet_free(fleet);
		return -1;
	}
	describe_connections(fleet);
	*ret_fleet = fleet;
	return 0;
}

static void message_free(struct message *message)
{
	free((char *)message->progress.host);
	free((char *)message->progress.resource);
	free((char *)message->progress.text);
	free((char *)message->progress.item);
	free(message);
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	for (size_t i = 0; i < fleet->count; i++)
		visit_done(&fleet->members[i].visit);
	connections_free(fleet->connections);
	for (struct message *m = fleet->first, *next; m; m = next) {
		next = m->next;
		message_free(m);
	}
	if (fleet->wake_fd >= 0)
		close(fleet->wake_fd);
	if (fleet->signal_fd >= 0)
		close(fleet->signal_fd);
	pthread_sigmask(SIG_SETMASK, &fleet->old_mask, NULL);
	pthread_mutex_destroy(&fleet->lock);
	free(fleet->members);
	set_unref(fleet->set);
	free(fleet);
}

size_t fleet_count(const struct fleet *fleet)
{
	return fleet->count;
}

struct visit *fleet_visit(struct fleet *fleet, size_t index)
{
	return &fleet->members[index].visit;
}

void fleet_cancel(struct fleet *fleet)
{
	atomic_store(&fleet->cancelled, true);
}

bool fleet_is_cancelled(const struct fleet *fleet)
{
	return atomic_load(&fleet->cancelled);
}

int fleet_signal_fd(const struct fleet *fleet)
{
	return fleet->signal_fd;
}

static void wake(struct fleet *fleet)
{
	uint64_t one = 1;
	/* A full counter means that the reader is to wake up anyway. */
	ssize_t ignored = write(fleet->wake_fd, &one, sizeof(one));
	(void)ignored;
}

static void post(struct fleet *fleet, struct message *message)
{
	pthread_mutex_lock(&fleet->lock);
	bool droppable =
		message->kind == MESSAGE_PROGRESS && message->progress.kind != PROGRESS_STEP;
	if (droppable && fleet->waiting >= MESSAGES_MAX) {
		pthread_mutex_unlock(&fleet->lock);
		message_free(message);
		return;
	}
	/* The first message of some wakes the reader, who takes all that there are by then. */
	bool first = !fleet->first;
	*fleet->last = message;
	fleet->last = &message->next;
	fleet->waiting++;
	pthread_mutex_unlock(&fleet->lock);
	if (first)
		wake(fleet);
}

static void post_visit(struct member *member, enum message_kind kind, const struct result *result)
{
	struct message *message = xcalloc(1, sizeof(*message));

	message->kind = kind;
	message->visit = &member->visit;
	message->result = result;
	post(member->fleet, message);
}

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void on_progress(void *ctx, const struct progress *progress)
{
	struct member *member = ctx;
	struct message *message = xcalloc(1, sizeof(*message));

	message->kind = MESSAGE_PROGRESS;
	message->visit = &member->visit;
	message->progress = *progress;
	message->progress.host = dup_or_null(progress->host);
	message->progress.resource = dup_or_null(progress->resource);
	message->progress.text = dup_or_null(progress->text);
	message->progress.item = dup_or_null(progress->item);
	post(member->fleet, message);
}

static int on_backup(void *ctx, struct pass *pass, const struct resource *resource,
		     const struct object *object, struct error *err)
{
	const struct fleet_options *options = &((struct member *)ctx)->fleet->options;

	return options->backup(options->backup_ctx, pass, resource, object, err);
}

static bool on_cancelled(void *ctx)
{
	return fleet_is_cancelled(((struct member *)ctx)->fleet);
}

static void on_result(void *ctx, const struct result *result)
{
	post_visit(ctx, MESSAGE_RESULT, result);
}

bool max_failures_reached(const struct max_failures *max, size_t failed, size_t hosts)
{
	if (max->percent > 0)
		return failed > 0 && failed * 100 >= (size_t)max->percent * hosts;
	return failed >= (size_t)(max->number > 0 ? max->number : 1);
}

static int on_admit(void *ctx, struct error *err)
{
	struct fleet *fleet = ((struct member *)ctx)->fleet;
	size_t failed = atomic_load(&fleet->failed);

	if (!max_failures_reached(&fleet->options.max_failures, failed, fleet->count))
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "not begun, since changes failed on %zu host%s (--max-failures)", failed,
			 failed == 1 ? "" : "s");
}

static void plan_member(struct member *member)
{
	struct fleet *fleet = member->fleet;
	struct visit *visit = &member->visit;
	struct visit_options options = {
		.log = fleet->options.log,
		.plan = fleet->options.plan,
		.write = fleet->options.write,
		.state_dir = fleet->options.state_dir,
		.purpose = fleet->options.purpose,
		.lock_timeout_ms = fleet->options.lock_timeout_ms,
		.replan = fleet->options.replan,
		.admit = on_admit,
		.hooks = {
			.ctx = member,
			.progress = on_progress,
			.backup = fleet->options.backup ? on_backup : NULL,
			.migrate = fleet->options.write ? volume_migrate : NULL,
			.settle = volume_settle,
			.cancelled = on_cancelled,
		},
	};

	if (fleet_is_cancelled(fleet)) {
		error_set(&visit->err, ERROR_CANCELLED, "interrupted");
	} else if (!member->connection) {
		visit->err = member->init_err;
	} else if (visit_plan(visit, member->connection, fleet->set, visit->host, &options) < 0) {
		/* visit->err tells; the callback reports it. */
		visit->planned = false;
	}
	post_visit(member, MESSAGE_PLANNED, NULL);
}

static bool is_failure(const struct error *err)
{
	return err->code != ERROR_UNREACHABLE && err->code != ERROR_TIMEOUT;
}

/* What a host can't be reached for says nothing about the change. */
static bool has_failed(const struct visit *visit)
{
	for (size_t i = 0; i < visit->results.count; i++) {
		const struct result *result = &visit->results.items[i];

		if (result->outcome == OUTCOME_FAILED && is_failure(&result->err))
			return true;
	}
	return false;
}

static void execute_member(struct member *member)
{
	struct visit *visit = &member->visit;

	if (!visit->planned)
		return;
	visit_execute(visit, on_result, member);
	if (has_failed(visit))
		atomic_fetch_add(&member->fleet->failed, 1);
	post_visit(member, MESSAGE_EXECUTED, NULL);
}

static void *work(void *arg)
{
	struct fleet *fleet = arg;
	size_t i;

	while ((i = atomic_fetch_add(&fleet->next, 1)) < fleet->count) {
		struct member *member = &fleet->members[i];

		if (fleet->phase == PHASE_PLAN)
			plan_member(member);
		else if (fleet->phase == PHASE_EXECUTE)
			execute_member(member);
		else if (member->visit.planned)
			fleet->task(fleet->task_ctx, &member->visit);
	}
	pthread_mutex_lock(&fleet->lock);
	fleet->running--;
	pthread_mutex_unlock(&fleet->lock);
	wake(fleet);
	return NULL;
}

static void dispatch(const struct message *message, const struct fleet_callbacks *callbacks)
{
	switch (message->kind) {
	case MESSAGE_PLANNED:
		if (callbacks->planned)
			callbacks->planned(callbacks->ctx, message->visit);
		break;
	case MESSAGE_PROGRESS:
		if (callbacks->progress)
			callbacks->progress(callbacks->ctx, &message->progress);
		break;
	case MESSAGE_RESULT:
		if (callbacks->result)
			callbacks->result(callbacks->ctx, message->visit, message->result);
		break;
	case MESSAGE_EXECUTED:
		if (callbacks->executed)
			callbacks->executed(callbacks->ctx, message->visit);
		break;
	}
}

/* Runs the callbacks of all that is waiting; false once nothing more can come. */
static bool drain(struct fleet *fleet, const struct fleet_callbacks *callbacks)
{
	pthread_mutex_lock(&fleet->lock);
	struct message *message = fleet->first;
	bool more = fleet->running > 0;
	fleet->first = NULL;
	fleet->last = &fleet->first;
	fleet->waiting = 0;
	pthread_mutex_unlock(&fleet->lock);
	for (struct message *next; message; message = next) {
		next = message->next;
		dispatch(message, callbacks);
		message_free(message);
	}
	return more;
}

void fleet_take_signals(struct fleet *fleet)
{
	struct signalfd_siginfo info;

	while (read(fleet->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		/* A terminal that goes away may say so twice. */
		bool again = fleet_is_cancelled(fleet) && info.ssi_signo != SIGHUP;

		fleet_cancel(fleet);
		/* Reading may be cut off at once; writing only when the user insists. */
		for (size_t i = 0; i < fleet->count && (again || fleet->phase == PHASE_PLAN); i++)
			if (fleet->members[i].connection)
				connection_interrupt(fleet->members[i].connection);
	}
}

static void run(struct fleet *fleet, enum phase phase, const struct fleet_callbacks *callbacks)
{
	size_t threads = fleet->count < (size_t)fleet->options.parallel
				 ? fleet->count
				 : (size_t)fleet->options.parallel;
	CLEANUP(cleanup_free) pthread_t *workers = xcalloc(threads, sizeof(*workers));
	pthread_attr_t attr;
	size_t started = 0;

	fleet->phase = phase;
	atomic_store(&fleet->next, 0);
	fleet->running = threads;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	while (started < threads && pthread_create(&workers[started], &attr, work, fleet) == 0)
		started++;
	pthread_attr_destroy(&attr);
	pthread_mutex_lock(&fleet->lock);
	fleet->running -= threads - started;
	pthread_mutex_unlock(&fleet->lock);
	if (started == 0) {
		/* No thread to be had: the work still gets done, one host after the other. */
		fleet->running = 1;
		work(fleet);
	}
	if (callbacks->begun)
		callbacks->begun(callbacks->ctx);
	while (drain(fleet, callbacks)) {
		struct pollfd fds[] = { { .fd = fleet->wake_fd, .events = POLLIN },
					{ .fd = fleet->signal_fd, .events = POLLIN } };
		uint64_t count;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			fleet_take_signals(fleet);
		ssize_t ignored = read(fleet->wake_fd, &count, sizeof(count));
		(void)ignored;
	}
	for (size_t i = 0; i < started; i++)
		pthread_join(workers[i], NULL);
	drain(fleet, callbacks);
}

static const char *engine_id(const struct visit *visit)
{
	return visit->planned ? json_string_value(json_object_get(visit->pass.observed.info, "ID"))
			      : NULL;
}

/* Two names for one engine would fight over every container: neither is touched. */
static void refuse_twins(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++) {
		struct visit *a = fleet_visit(fleet, i);
		const char *id = engine_id(a);
		struct visit *twin = NULL;

		for (size_t j = i + 1; id && *id && j < fleet->count && !twin; j++)
			if (str_eq(engine_id(fleet_visit(fleet, j)), id))
				twin = fleet_visit(fleet, j);
		if (!twin)
			continue;
		error_set(&twin->err, ERROR_REFUSED,
			  "Host/%s and Host/%s are one engine (ID %s); remove one of them",
			  a->host->name, twin->host->name, id);
		a->err = twin->err;
		a->planned = twin->planned = false;
	}
}

void fleet_plan(struct fleet *fleet, const struct fleet_callbacks *callbacks)
{
	run(fleet, PHASE_PLAN, callbacks);
	refuse_twins(fleet);
}

void fleet_set_revision(struct fleet *fleet, const char *revision)
{
	for (size_t i = 0; i < fleet->count; i++)
		fleet->members[i].visit.pass.revision = revision;
}

void fleet_execute(struct fleet *fleet, const struct fleet_callbacks *callbacks)
{
	run(fleet, PHASE_EXECUTE, callbacks);
}

void fleet_run(struct fleet *fleet, void (*task)(void *ctx, struct visit *visit), void *ctx,
	       const struct fleet_callbacks *callbacks)
{
	fleet->task = task;
	fleet->task_ctx = ctx;
	run(fleet, PHASE_TASK, callbacks);
}
