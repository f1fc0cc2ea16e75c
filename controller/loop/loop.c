/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/loop.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/str.h"
#include "controller/loop/loop_internal.h"
#include "controller/loop/notify.h"
#include "controller/state/lock.h"

enum { EVENTS_PER_TURN = 8 };

/* --- messages */

static const char *past_of(const char *verdict)
{
	static const struct {
		const char *verdict, *past;
	} words[] = {
		{ "create", "created" },
		{ "update", "updated" },
		{ "replace", "replaced" },
		{ "remove", "removed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].verdict, verdict) == 0)
			return words[i].past;
	return verdict;
}

static void log_row(struct loop *loop, const struct report *report, const struct report_row *row)
{
	if (row->action && row->outcome == OUTCOME_DONE)
		log_info(loop->log, "%s host=%s resource=%s revision=%s%s%s", past_of(row->action),
			 report->host, row->resource, report->revision, *row->message ? " " : "",
			 row->message);
	else if (row->action)
		log_error(loop->log, "%s failed: %s host=%s resource=%s revision=%s%s", row->action,
			  row->message, report->host, row->resource, report->revision,
			  row->state == ROW_STALLED ? " (not tried again)" : "");
}

/* Trouble of a host is said when it begins, changes and ends. */
static void log_host(struct loop *loop, struct loop_host *host, const struct report *report)
{
	const char *trouble = report->err.code != ERROR_NONE ? report->err.text : NULL;

	if (str_eq(trouble, host->said))
		return;
	if (trouble)
		log_write(loop->log,
			  report->err.code == ERROR_CONFLICT ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
			  "%s host=%s", trouble, host->name);
	else
		log_info(loop->log, "host is back host=%s", host->name);
	free(host->said);
	host->said = trouble ? xstrdup(trouble) : NULL;
}

/* What has left the manifests leaves the state, once a host. */
static void sweep_state(struct loop *loop, struct loop_host *host, const struct report *report)
{
	json_t *keep;

	if (host->swept == host->look.generation)
		return;
	host->swept = host->look.generation;
	keep = json_array();
	json_array_append_new(keep, json_sprintf("Host/%s", host->name));
	VEC_FOREACH (const struct report_row *, row, &report->rows)
		if (row->state != ROW_GONE)
			json_array_append_new(keep,
					      json_sprintf("%s@%s", row->resource, host->name));
	conditions_prune(loop->conditions, report->project, host->name, keep);
	json_decref(keep);
}

static void tell_status(struct loop *loop)
{
	size_t in_step = 0;

	for (size_t i = 0; i < loop->hosts.count; i++)
		in_step += loop->hosts.items[i]->in_step;
	CLEANUP(cleanup_free)
	char *status = xasprintf("STATUS=%zu of %zu hosts in step%s", in_step, loop->hosts.count,
				 loop->faults ? ", the manifests are broken" : "");
	if (str_eq(status, loop->told))
		return;
	notify_send(status);
	free(loop->told);
	loop->told = TAKE(status);
}

static void take_report(struct loop *loop, struct loop_host *host, const struct report *report)
{
	if (report->err.code == ERROR_CANCELLED)
		return;
	if (!report->begun) {
		log_host(loop, host, report);
		VEC_FOREACH (const struct report_row *, row, &report->rows)
			log_row(loop, report, row);
		if (report->rows.count)
			sweep_state(loop, host, report);
		host->generation = host->look.generation;
		host->in_step = report_in_step(report);
	}
	conditions_record(loop->conditions, report, manifests_time_ms());
	if (!report->begun) {
		manifests_judge(loop);
		tell_status(loop);
	}
}

static void take_up(struct loop *loop, struct loop_host *host)
{
	host->listening = true;
	queue_set_slow(loop->queue, host->name, false);
	log_debug(loop->log, "listening to events host=%s", host->name);
	if (!host->retiring)
		queue_hurry(loop->queue, host->name, io_now_ms());
}

static void take_down(struct loop *loop, struct loop_host *host, const struct message *message)
{
	if (host->listening)
		log_warning(loop->log, "event stream broke: %s host=%s retry=%lldms",
			    message->err.text, host->name, (long long)message->wait_ms);
	else
		log_debug(loop->log, "no event stream: %s host=%s retry=%lldms", message->err.text,
			  host->name, (long long)message->wait_ms);
	host->listening = false;
	queue_set_slow(loop->queue, host->name, true);
	/* The engine may come back as another version of itself. */
	atomic_store(&host->renegotiate, true);
	if (!host->retiring)
		queue_add(loop->queue, host->name, io_now_ms());
}

static void take_message(struct loop *loop, struct message *message)
{
	struct loop_host *host = message->host;

	switch (message->kind) {
	case MESSAGE_LOOK:
		atomic_store(&host->look_wanted, false);
		if (!host->retiring)
			queue_add(loop->queue, host->name, io_now_ms());
		break;
	case MESSAGE_UP:
		take_up(loop, host);
		break;
	case MESSAGE_DOWN:
		take_down(loop, host, message);
		break;
	case MESSAGE_ENDED:
		hosts_stream_ended(loop, host);
		break;
	case MESSAGE_REPORT:
		take_report(loop, host, message->report);
		break;
	case MESSAGE_DONE:
		hosts_look_done(loop, host);
		break;
	case MESSAGE_JOURNAL:
		conditions_put_journal(loop->conditions, set_project(host->set), message->resource,
				       message->step, manifests_time_ms());
		break;
	case MESSAGE_BACKUP:
		conditions_put_backup(loop->conditions, message->record);
		break;
	}
}

static void take_messages(struct loop *loop)
{
	struct message *message = mailbox_take(loop->mailbox);

	for (struct message *next; message; message = next) {
		next = message->next;
		take_message(loop, message);
		message_free(message);
	}
}

/* --- signals */

static void take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			log_info(loop->log, "loading the manifests again, as asked");
			loop->forced = true;
			watch_ask(loop->watch, io_now_ms());
			continue;
		}
		if (loop->stopping++ == 0) {
			log_info(loop->log, "ending: what runs ends at its next safe point");
			notify_send("STOPPING=1\nSTATUS=Ending");
			atomic_store(&loop->cancelled, true);
			hosts_stop(loop);
		} else {
			log_warning(loop->log, "ending now: requests are cut off");
			hosts_cut(loop);
		}
	}
}

/* --- turning */

static void tell_obstacle(struct loop *loop, int64_t now_ms)
{
	int64_t since_ms;
	const char *obstacle = watch_obstacle(loop->watch, &since_ms);

	if (!obstacle || now_ms - since_ms < LOOP_LOCK_REMARK_MS ||
	    loop->obstacle_said_ms == since_ms)
		return;
	loop->obstacle_said_ms = since_ms;
	log_warning(loop->log, "the manifests are not loaded: %s", obstacle);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return a_ms < 0 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

static int64_t until(int64_t at_ms, int64_t now_ms)
{
	return at_ms > now_ms ? at_ms - now_ms : 0;
}

/* Looks and loads take memory that an idle loop does not need. */
static void rest(struct loop *loop)
{
	loop->rest_at_ms = INT64_MAX;
	if (loop->running)
		return; /* the end of the last look sets it again */
	hosts_rest(loop);
	malloc_trim(0);
}

/* Manifests, timers, looks; returns how long nothing has to be done. */
static int64_t do_due(struct loop *loop)
{
	int64_t now_ms = io_now_ms(), wait_ms;

	if (loop->watchdog_ms > 0 && now_ms >= loop->watchdog_at_ms) {
		notify_send("WATCHDOG=1");
		loop->watchdog_at_ms = now_ms + loop->watchdog_ms;
	}
	wait_ms = loop->watchdog_ms > 0 ? until(loop->watchdog_at_ms, now_ms) : -1;
	if (loop->stopping)
		return wait_ms;
	/* What an event asked for does not wait for the rest. */
	hosts_dispatch(loop, now_ms);
	if (now_ms >= loop->reload_at_ms)
		manifests_refresh(loop);
	int64_t watch_ms;
	if (watch_poll(loop->watch, now_ms, &watch_ms))
		manifests_load(loop);
	tell_obstacle(loop, now_ms);
	hosts_dispatch(loop, io_now_ms());
	now_ms = io_now_ms();
	wait_ms = sooner(wait_ms, watch_ms);
	wait_ms = sooner(wait_ms, until(loop->reload_at_ms, now_ms));
	if (loop->running < (size_t)loop->options.parallel)
		wait_ms = sooner(wait_ms, queue_wait(loop->queue, now_ms));
	if (now_ms >= loop->rest_at_ms)
		rest(loop);
	return sooner(wait_ms, until(loop->rest_at_ms, now_ms));
}

static void turn(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int64_t wait_ms = do_due(loop);

	/* Descriptors are read whether they were told of or not: each says so by itself. */
	(void)!epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN,
			  wait_ms < 0 || wait_ms > INT32_MAX ? -1 : (int)wait_ms);
	take_messages(loop);
	take_signals(loop);
}

/* --- beginning and end */

static int add_fd(struct loop *loop, int fd, struct error *err)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return error_errno(err, errno, "epoll");
	return 0;
}

/* Before any thread is started: threads inherit the mask, so that signals come here only. */
static int open_signals(struct loop *loop, struct error *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	loop->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_fd < 0)
		return error_errno(err, errno, "signalfd");
	return add_fd(loop, loop->signal_fd, err);
}

static int open_loop(struct loop *loop, struct error *err)
{
	const struct loop_options *options = &loop->options;

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return error_errno(err, errno, "epoll");
	if (open_signals(loop, err) < 0 || lock_take(options->state_dir, &loop->lock_fd, err) < 0 ||
	    mailbox_new(&loop->mailbox, err) < 0 ||
	    add_fd(loop, mailbox_fd(loop->mailbox), err) < 0 ||
	    watch_new(options->dir, loop->log, io_now_ms(), &loop->watch, err) < 0)
		return -1;
	return add_fd(loop, watch_fd(loop->watch), err);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_loop(struct loop *loop)
{
	pool_free(loop->pool);
	hosts_free(loop);
	tunnel_free(loop->tunnel);
	queue_free(loop->queue);
	watch_free(loop->watch);
	mailbox_free(loop->mailbox);
	conditions_free(loop->conditions);
	set_unref(loop->set);
	free(loop->revision);
	free(loop->subject);
	free(loop->faults);
	free(loop->status);
	free(loop->told);
	pthread_mutex_destroy(&loop->twins_lock);
	close_fd(loop->signal_fd);
	close_fd(loop->epoll_fd);
	close_fd(loop->lock_fd);
}

int loop_run(const struct loop_options *options, struct error *err)
{
	struct loop loop = {
		.options = *options,
		.log = options->log,
		.epoll_fd = -1,
		.signal_fd = -1,
		.lock_fd = -1,
		.watchdog_ms = notify_watchdog_ms(),
	};
	int rc;

	if (loop.options.parallel <= 0)
		loop.options.parallel = LOOP_PARALLEL_DEFAULT;
	pthread_mutex_init(&loop.twins_lock, NULL);
	backoff_init(&loop.chance, 0, 0, 0);
	rc = open_loop(&loop, err);
	if (rc == 0) {
		loop.queue = queue_new(LOOP_BACKOFF_MS, LOOP_BACKOFF_MAX_MS, 0);
		queue_limit_slow(loop.queue, (size_t)(loop.options.parallel + 1) / 2);
		loop.pool = pool_new(loop.options.parallel, look_run);
		loop.conditions = conditions_new(options->state_dir, loop.log);
		loop.reload_at_ms = loop.rest_at_ms = INT64_MAX;
		log_info(loop.log, "watching dir=%s state=%s", options->dir, options->state_dir);
		notify_send("READY=1\nSTATUS=Loading the manifests");
		while (!loop.stopping || hosts_are_busy(&loop))
			turn(&loop);
		log_info(loop.log, "ended");
	}
	close_loop(&loop);
	return rc;
}
