/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SSH connection of one host: when to log in, adopting the result, pumping, its end. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/host/printable.h"
#include "controller/host/tunnel_internal.h"

enum {
	/* sshd starts to drop connections at ten that have not logged in (MaxStartups), and
	 * others may be logging in as well. */
	LOGINS_PER_SERVER = 5,
	/* Overall, so that a hundred hosts do not fight for the processor. A login that takes
	 * longer waits for the network: it no longer keeps others from starting. */
	LOGINS_AT_ONCE = 8,
	LOGIN_COUNTS_MS = 300,
	LOGIN_THREADS = 256,
	LOGIN_STACK = 512 * 1024,
	/* Past its own deadline a login sits in name resolution: nobody waits for it longer. */
	LOGIN_GRACE_MS = 1000,
	/* Each takes 4 KiB at most off the connection; then other hosts get their turn. */
	POLLS_PER_TURN = 64,
	ROUNDS_PER_TURN = 16,
	/* Short commands are over by then and are spared the price of it. */
	PROMPT_AFTER_MS = 2000,
};

/* --- the login's thread --------------------------------------------------------------------- */

void tunnel_queue_unref(struct tunnel_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	int refs = --queue->refs;
	pthread_mutex_unlock(&queue->lock);
	if (refs > 0)
		return;
	if (queue->event_fd >= 0)
		close(queue->event_fd);
	pthread_cond_destroy(&queue->stoppable_cond);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

void tunnel_attempt_free(struct tunnel_attempt *attempt)
{
	struct tunnel_queue *queue = attempt->queue;

	ssh_login_done(&attempt->login);
	if (attempt->login.cancel_fd >= 0)
		close(attempt->login.cancel_fd);
	free(attempt);
	tunnel_queue_unref(queue);
}

static void count_stoppable(struct tunnel_queue *queue, int change)
{
	queue->stoppable += change;
	if (queue->stoppable == 0)
		pthread_cond_signal(&queue->stoppable_cond);
}

static void on_unstoppable(void *ctx, bool begins)
{
	struct tunnel_attempt *attempt = ctx;

	pthread_mutex_lock(&attempt->queue->lock);
	count_stoppable(attempt->queue, begins ? -1 : 1);
	pthread_mutex_unlock(&attempt->queue->lock);
}

static void on_agent_asked(void *ctx, int fd)
{
	struct tunnel_attempt *attempt = ctx;

	pthread_mutex_lock(&attempt->queue->lock);
	attempt->agent_fd = fd;
	if (fd >= 0 && attempt->cancelled)
		shutdown(fd, SHUT_RDWR);
	pthread_mutex_unlock(&attempt->queue->lock);
}

static void *login_main(void *ctx)
{
	struct tunnel_attempt *attempt = ctx;
	struct tunnel_queue *queue = attempt->queue;
	uint64_t one = 1;

	ssh_login_run(&attempt->login);
	pthread_mutex_lock(&queue->lock);
	bool closed = queue->closed;
	if (!closed) {
		STAILQ_INSERT_TAIL(&queue->finished, attempt, link);
		(void)!write(queue->event_fd, &one, sizeof(one));
	}
	count_stoppable(queue, -1);
	pthread_mutex_unlock(&queue->lock);
	if (closed)
		tunnel_attempt_free(attempt);
	else
		tunnel_queue_unref(queue);
	return NULL;
}

/* --- logins, seen from the I/O thread -------------------------------------------------------- */

void tunnel_attempt_cancel(struct tunnel_attempt *attempt)
{
	uint64_t one = 1;

	pthread_mutex_lock(&attempt->queue->lock);
	attempt->cancelled = true;
	(void)!write(attempt->login.cancel_fd, &one, sizeof(one));
	if (attempt->agent_fd >= 0)
		shutdown(attempt->agent_fd, SHUT_RDWR);
	pthread_mutex_unlock(&attempt->queue->lock);
}

static int start_login_thread(struct tunnel_attempt *attempt)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, LOGIN_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&thread, &attributes, login_main, attempt);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return rc;
}

static void login_failed(struct tunnel_host *host, const struct error *err)
{
	host->state = HOST_DOWN;
	tunnel_host_fail(host, err);
}

static void start_login(struct tunnel_host *host)
{
	struct tunnel *tunnel = host->tunnel;
	struct tunnel_attempt *attempt = xcalloc(1, sizeof(*attempt));
	int64_t now_ms = io_now_ms();
	struct error err;

	attempt->queue = tunnel->queue;
	attempt->host = host;
	attempt->agent_fd = -1;
	attempt->started_ms = now_ms;
	attempt->deadline_ms = now_ms + host->options.connect_timeout_ms + LOGIN_GRACE_MS;
	attempt->login = (struct ssh_login){ .unstoppable = on_unstoppable,
					     .agent_asked = on_agent_asked,
					     .ctx = attempt,
					     .fd = -1 };
	tunnel_options_copy(&attempt->login.options, &host->options);
	attempt->login.cancel_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int errnum = attempt->login.cancel_fd < 0 ? errno : 0;

	pthread_mutex_lock(&tunnel->queue->lock);
	/* The attempt's, and the thread's while it runs. */
	tunnel->queue->refs += 2;
	tunnel->queue->stoppable++;
	pthread_mutex_unlock(&tunnel->queue->lock);
	host->state = HOST_LOGGING_IN;
	if (!errnum)
		errnum = start_login_thread(attempt);
	if (errnum) {
		pthread_mutex_lock(&tunnel->queue->lock);
		tunnel->queue->refs--;
		tunnel->queue->stoppable--;
		pthread_mutex_unlock(&tunnel->queue->lock);
		tunnel_attempt_free(attempt);
		error_errno(&err, errnum, "cannot start a login to %s", host->target);
		login_failed(host, &err);
		return;
	}
	host->attempt = attempt;
	LIST_INSERT_HEAD(&tunnel->active, attempt, active);
	tunnel_wake_at(tunnel, attempt->deadline_ms);
}

/* Whether the host may log in now; if not, the thread wakes up when that may have changed. */
static bool has_slot(struct tunnel_host *host, int64_t now_ms)
{
	struct tunnel *tunnel = host->tunnel;
	struct tunnel_attempt *attempt;
	int all = 0, fresh = 0, same = 0;
	int64_t fresh_until_ms = INT64_MAX;

	for (attempt = LIST_FIRST(&tunnel->active); attempt; attempt = LIST_NEXT(attempt, active)) {
		const struct tunnel_options *o = &attempt->login.options;

		all++;
		if (o->port == host->options.port && str_eq(o->host, host->options.host))
			same++;
		if (attempt->started_ms + LOGIN_COUNTS_MS <= now_ms)
			continue;
		fresh++;
		if (attempt->started_ms + LOGIN_COUNTS_MS < fresh_until_ms)
			fresh_until_ms = attempt->started_ms + LOGIN_COUNTS_MS;
	}
	if (all >= LOGIN_THREADS || same >= LOGINS_PER_SERVER)
		return false;
	if (fresh < LOGINS_AT_ONCE)
		return true;
	tunnel_wake_at(tunnel, fresh_until_ms);
	return false;
}

void tunnel_start_logins(struct tunnel *tunnel)
{
	struct tunnel_host *host, *next;
	int64_t now_ms = io_now_ms();

	for (host = TAILQ_FIRST(&tunnel->queued); host; host = next) {
		next = TAILQ_NEXT(host, queued_link);
		if (!has_slot(host, now_ms))
			continue;
		TAILQ_REMOVE(&tunnel->queued, host, queued_link);
		start_login(host);
	}
}

void tunnel_host_need(struct tunnel_host *host)
{
	if (host->state != HOST_DOWN)
		return;
	host->state = HOST_QUEUED;
	TAILQ_INSERT_TAIL(&host->tunnel->queued, host, queued_link);
	tunnel_start_logins(host->tunnel);
}

/* --- adopting a connection -------------------------------------------------------------------- */

/* Callers may still hold what was published before, so it is kept. */
static const char *keep(struct tunnel_host *host, const char *before, const char *text)
{
	if (!text || str_eq(before, text))
		return before;
	size_t size = strlen(text) + 1;
	struct tunnel_kept *kept = xmalloc(sizeof(*kept) + size);
	memcpy(kept->text, text, size);
	kept->next = host->kept;
	host->kept = kept;
	return kept->text;
}

static void publish_info(struct tunnel_host *host, const struct ssh_login *login)
{
	struct tunnel_host_info *info = &host->info;

	pthread_mutex_lock(&host->tunnel->queue->lock);
	info->host_key_known = login->host_key_known;
	info->fingerprint = keep(host, info->fingerprint, login->fingerprint);
	/* A server that has shown a key and is offered no line for it must not keep an older one.
	 */
	info->known_hosts_line =
		login->fingerprint && !login->known_hosts_line
			? NULL
			: keep(host, info->known_hosts_line, login->known_hosts_line);
	info->banner = keep(host, info->banner, login->banner);
	pthread_mutex_unlock(&host->tunnel->queue->lock);
}

static void adopt(struct tunnel_host *host, struct ssh_login *login)
{
	struct tunnel *tunnel = host->tunnel;

	host->ssh = login->session;
	host->session.fd = login->fd;
	login->session = NULL;
	login->fd = -1;
	host->event = ssh_event_new();
	if (!host->event || ssh_event_add_session(host->event, host->ssh))
		abort();
	host->state = HOST_UP;
	host->diagnosis = DIAGNOSIS_NONE;
	host->dial_stdio = false;
	host->commands = 0;
	tunnel_host_set_error(host, NULL);
	host->prompt_at_ms = io_now_ms() + PROMPT_AFTER_MS;
	tunnel_wake_at(tunnel, host->prompt_at_ms);
	tunnel_watch_set(tunnel, &host->session, EPOLLIN);
	log_debug(tunnel->log, "connected host=%s to=%s", host->options.name, host->target);
	tunnel_touch(host);
}

void tunnel_attempt_finished(struct tunnel *tunnel, struct tunnel_attempt *attempt)
{
	struct tunnel_host *host = attempt->host;
	struct ssh_login *login = &attempt->login;

	LIST_REMOVE(attempt, active);
	if (host) {
		host->attempt = NULL;
		publish_info(host, login);
		if (login->err.code == ERROR_NONE)
			adopt(host, login);
		else
			login_failed(host, &login->err);
	}
	tunnel_attempt_free(attempt);
	tunnel_start_logins(tunnel);
}

/* --- the life of a connection -------------------------------------------------------------------
 */

bool tunnel_host_is_full(struct tunnel_host *host)
{
	return ssh_get_status(host->ssh) & SSH_WRITE_PENDING;
}

static bool is_broken(struct tunnel_host *host)
{
	return !ssh_is_connected(host->ssh) ||
	       (ssh_get_status(host->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

static void close_connection(struct tunnel_host *host)
{
	tunnel_watch_off(host->tunnel, &host->session);
	/* Says goodbye where that can be done without waiting. */
	ssh_disconnect(host->ssh);
	ssh_event_remove_session(host->event, host->ssh);
	ssh_event_free(host->event);
	ssh_free(host->ssh);
	close(host->session.fd);
	host->session.fd = -1;
	host->ssh = NULL;
	host->event = NULL;
}

void tunnel_host_fail(struct tunnel_host *host, const struct error *err)
{
	struct tunnel_channel *channel, *next;
	bool was_up = host->state == HOST_UP;

	tunnel_host_set_error(host, err);
	if (was_up) {
		/* libssh's channels go first: nothing below may touch one. */
		for (channel = TAILQ_FIRST(&host->channels); channel;
		     channel = TAILQ_NEXT(channel, link))
			if (channel->ssh)
				ssh_remove_channel_callbacks(channel->ssh, &channel->callbacks);
		close_connection(host);
		host->state = HOST_DOWN;
	}
	for (channel = TAILQ_FIRST(&host->channels); channel; channel = next) {
		next = TAILQ_NEXT(channel, link);
		tunnel_channel_lost(channel, err);
	}
	/* Those that had not begun may try once more, on a new connection. */
	if (was_up && err->code != ERROR_CANCELLED && !TAILQ_EMPTY(&host->channels))
		tunnel_host_need(host);
}

static void fail_broken(struct tunnel_host *host)
{
	const char *why = ssh_get_error(host->ssh);
	char shown[256];
	struct error err;

	error_set(&err, ERROR_UNREACHABLE, "the SSH connection to %s broke: %s", host->target,
		  printable_copy(shown, sizeof(shown), why, strlen(why)));
	tunnel_host_fail(host, &err);
}

/* Takes packets off the connection. True when some may be left. */
static bool pump(struct tunnel_host *host)
{
	int one = 1, polls = 0, rc;

	do {
		rc = ssh_event_dopoll(host->event, 0);
	} while (rc == SSH_OK && ++polls < POLLS_PER_TURN);
	if (polls > 0) {
		host->news = true;
		/* sshd leaves Nagle's algorithm on for connections that only forward: it holds a
		 * small packet back until the last was acknowledged, which we must not delay. */
		(void)setsockopt(host->session.fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	}
	return polls == POLLS_PER_TURN;
}

void tunnel_host_settle(struct tunnel_host *host)
{
	struct tunnel_channel *channel, *next;
	bool more = false;

	if (host->state != HOST_UP) {
		for (channel = TAILQ_FIRST(&host->channels); channel; channel = next) {
			next = TAILQ_NEXT(channel, link);
			tunnel_channel_settle(channel);
		}
		return;
	}
	for (int round = 0; round < ROUNDS_PER_TURN; round++) {
		host->news = false;
		more = pump(host);
		if (is_broken(host)) {
			fail_broken(host);
			return;
		}
		for (channel = TAILQ_FIRST(&host->channels); channel; channel = next) {
			next = TAILQ_NEXT(channel, link);
			tunnel_channel_settle(channel);
		}
		if (is_broken(host)) {
			fail_broken(host);
			return;
		}
		if (!host->news || more)
			break;
	}
	tunnel_watch_set(host->tunnel, &host->session,
			 EPOLLIN | (tunnel_host_is_full(host) ? EPOLLOUT : 0u));
	if (host->news || more)
		tunnel_touch(host);
}

/* --- time-outs ----------------------------------------------------------------------------------
 */

static void abandon_login(struct tunnel_host *host)
{
	struct error err;

	tunnel_attempt_cancel(host->attempt);
	host->attempt->host = NULL;
	host->attempt = NULL;
	error_set(&err, ERROR_TIMEOUT,
		  "no connection to %s within %d ms: finding its address, or the SSH agent, takes "
		  "too long",
		  host->target, host->options.connect_timeout_ms);
	login_failed(host, &err);
}

static void check_channel(struct tunnel_channel *channel, int64_t now_ms)
{
	struct tunnel_host *host = channel->host;
	struct error err;

	if (channel->deadline_ms == 0)
		return;
	if (now_ms < channel->deadline_ms) {
		tunnel_wake_at(host->tunnel, channel->deadline_ms);
		return;
	}
	if (channel->purpose == PURPOSE_SPARE) {
		tunnel_channel_finish(channel, NULL);
		return;
	}
	if (channel->phase == CHANNEL_OPENING && host->state == HOST_UP) {
		/* sshd answers at once: the server, or the way to it, is dead. */
		error_set(&err, ERROR_TIMEOUT,
			  "%s did not answer within %d ms on the SSH connection it had",
			  host->target, host->options.connect_timeout_ms);
		tunnel_host_fail(host, &err);
		return;
	}
	if (channel->phase == CHANNEL_WAITING)
		error_set(&err, ERROR_TIMEOUT,
			  "all %d sessions that %s allows on a connection were in use for %d ms "
			  "(MaxSessions in sshd_config; allowing AllowStreamLocalForwarding needs "
			  "none)",
			  TUNNEL_COMMANDS_AT_ONCE, host->target, host->options.connect_timeout_ms);
	else
		error_set(&err, ERROR_TIMEOUT, "a command on %s did not end within %d ms",
			  host->target, host->options.connect_timeout_ms);
	tunnel_channel_finish(channel, &err);
}

void tunnel_host_check(struct tunnel_host *host, int64_t now_ms)
{
	struct tunnel_channel *channel, *next;

	if (host->attempt && now_ms >= host->attempt->deadline_ms)
		abandon_login(host);
	else if (host->attempt)
		tunnel_wake_at(host->tunnel, host->attempt->deadline_ms);
	if (host->state == HOST_UP && host->prompt_at_ms) {
		if (now_ms >= host->prompt_at_ms) {
			host->prompt_at_ms = 0;
			tunnel_channel_new(host, PURPOSE_PROMPT)->command = xstrdup("true");
			tunnel_touch(host);
		} else {
			tunnel_wake_at(host->tunnel, host->prompt_at_ms);
		}
	}
	bool was_up = host->state == HOST_UP;
	for (channel = TAILQ_FIRST(&host->channels); channel; channel = next) {
		next = TAILQ_NEXT(channel, link);
		check_channel(channel, now_ms);
		/* The connection went, and the channels with it. */
		if (was_up && host->state != HOST_UP)
			break;
	}
}
