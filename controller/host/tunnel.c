/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/tunnel_internal.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"

enum { EVENTS_PER_TURN = 64, CHANNELS_PER_HOST = 1000, ACCEPT_PAUSE_MS = 100 };

/* --- epoll, timers ------------------------------------------------------------------------ */

void tunnel_watch_set(struct tunnel *tunnel, struct tunnel_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (watch->fd < 0 || (watch->on && watch->events == events))
		return;
	if (epoll_ctl(tunnel->epoll_fd, watch->on ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd,
		      &event))
		log_debug(tunnel->log, "epoll_ctl failed fd=%d: %s", watch->fd, strerror(errno));
	watch->on = true;
	watch->events = events;
}

void tunnel_watch_off(struct tunnel *tunnel, struct tunnel_watch *watch)
{
	if (watch->on)
		epoll_ctl(tunnel->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->on = false;
}

void tunnel_touch(struct tunnel_host *host)
{
	if (host->touched)
		return;
	host->touched = true;
	TAILQ_INSERT_TAIL(&host->tunnel->touched, host, touched_link);
}

void tunnel_wake_at(struct tunnel *tunnel, int64_t at_ms)
{
	if (at_ms < tunnel->next_check_ms)
		tunnel->next_check_ms = at_ms;
}

/* --- requests ----------------------------------------------------------------------------- */

void tunnel_request_done(struct tunnel *tunnel, struct tunnel_request *request)
{
	pthread_mutex_lock(&tunnel->queue->lock);
	request->done = true;
	pthread_cond_signal(&request->done_cond);
	pthread_mutex_unlock(&tunnel->queue->lock);
}

static void wake(struct tunnel_queue *queue)
{
	uint64_t one = 1;

	/* Full (EAGAIN) means that it is awake already. */
	(void)!write(queue->event_fd, &one, sizeof(one));
}

/* With the queue's lock. */
static void hand_over(struct tunnel *tunnel, struct tunnel_request *request)
{
	request->err = ERROR_INIT;
	request->done = tunnel->stop;
	if (tunnel->stop) {
		error_set(&request->err, ERROR_CANCELLED, "interrupted");
		return;
	}
	STAILQ_INSERT_TAIL(&tunnel->queue->requests, request, link);
	wake(tunnel->queue);
}

/* With the queue's lock. */
static int wait_for(struct tunnel *tunnel, struct tunnel_request *request, struct error *err)
{
	tunnel->callers++;
	while (!request->done)
		pthread_cond_wait(&request->done_cond, &tunnel->queue->lock);
	if (--tunnel->callers == 0)
		pthread_cond_signal(&tunnel->callers_cond);
	if (request->err.code == ERROR_NONE)
		return 0;
	*err = request->err;
	return -1;
}

/* Hands the request to the I/O thread and waits for the answer. */
static int run_request(struct tunnel *tunnel, struct tunnel_request *request, struct error *err)
{
	struct tunnel_queue *queue = tunnel->queue;

	pthread_cond_init(&request->done_cond, NULL);
	pthread_mutex_lock(&queue->lock);
	hand_over(tunnel, request);
	int result = wait_for(tunnel, request, err);
	pthread_mutex_unlock(&queue->lock);
	pthread_cond_destroy(&request->done_cond);
	return result;
}

static void free_host(struct tunnel_host *host)
{
	while (host->kept) {
		struct tunnel_kept *kept = host->kept;

		host->kept = kept->next;
		free(kept);
	}
	pthread_cond_destroy(&host->begin.done_cond);
	tunnel_options_done(&host->options);
	free(host->target);
	free(host->socket_path);
	free(host);
}

/* Ends the connection, or the attempt at one, and all that waits for it. */
static void drop_connection(struct tunnel_host *host)
{
	struct error err;

	error_set(&err, ERROR_CANCELLED, "interrupted");
	tunnel_host_fail(host, &err);
	if (host->state == HOST_QUEUED)
		TAILQ_REMOVE(&host->tunnel->queued, host, queued_link);
	if (host->attempt) {
		tunnel_attempt_cancel(host->attempt);
		host->attempt->host = NULL;
		host->attempt = NULL;
	}
	host->state = HOST_DOWN;
}

/* Everything of a host that the I/O thread holds; the struct stays. */
static void take_down(struct tunnel_host *host)
{
	drop_connection(host);
	if (host->touched)
		TAILQ_REMOVE(&host->tunnel->touched, host, touched_link);
	host->touched = false;
	tunnel_watch_off(host->tunnel, &host->listen);
	close(host->listen.fd);
	unlink(host->socket_path);
	LIST_REMOVE(host, link);
}

static void take_request(struct tunnel *tunnel, struct tunnel_request *request)
{
	struct tunnel_host *host = request->host;
	struct tunnel_channel *channel;

	switch (request->kind) {
	case REQUEST_ADD:
		LIST_INSERT_HEAD(&tunnel->hosts, host, link);
		tunnel_watch_set(tunnel, &host->listen, EPOLLIN);
		break;
	case REQUEST_REMOVE:
		take_down(host);
		LIST_INSERT_HEAD(&tunnel->removed, host, link);
		tunnel_request_done(tunnel, request);
		break;
	case REQUEST_INTERRUPT:
		drop_connection(host);
		free(request); /* nobody waits for it */
		break;
	case REQUEST_CONNECT:
	case REQUEST_EXEC:
		channel = tunnel_channel_new(host, request->kind == REQUEST_EXEC ? PURPOSE_EXEC
										 : PURPOSE_CONNECT);
		channel->request = request;
		if (request->kind == REQUEST_EXEC)
			channel->command = xstrdup(request->command);
		tunnel_host_need(host);
		tunnel_touch(host);
		break;
	}
}

/* --- the thread --------------------------------------------------------------------------- */

static void take_queue(struct tunnel *tunnel)
{
	struct tunnel_queue *queue = tunnel->queue;
	struct tunnel_requests requests = STAILQ_HEAD_INITIALIZER(requests);
	struct tunnel_attempts finished = STAILQ_HEAD_INITIALIZER(finished);
	uint64_t count;

	pthread_mutex_lock(&queue->lock);
	(void)!read(queue->event_fd, &count, sizeof(count));
	STAILQ_CONCAT(&requests, &queue->requests);
	STAILQ_CONCAT(&finished, &queue->finished);
	pthread_mutex_unlock(&queue->lock);

	while (!STAILQ_EMPTY(&finished)) {
		struct tunnel_attempt *attempt = STAILQ_FIRST(&finished);

		STAILQ_REMOVE_HEAD(&finished, link);
		tunnel_attempt_finished(tunnel, attempt);
	}
	while (!STAILQ_EMPTY(&requests)) {
		struct tunnel_request *request = STAILQ_FIRST(&requests);

		STAILQ_REMOVE_HEAD(&requests, link);
		take_request(tunnel, request);
	}
}

/* Only this user, and root who could do anything anyway. The directory says the same; this
 * holds even where it lies on a file system that does not know owners. */
static bool is_peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void accept_all(struct tunnel_host *host)
{
	struct tunnel *tunnel = host->tunnel;
	int count = 0;

	for (struct tunnel_channel *c = TAILQ_FIRST(&host->channels); c; c = TAILQ_NEXT(c, link))
		count++;
	for (;;) {
		int fd = accept4(host->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno != EAGAIN) {
			/* Out of descriptors: the connection stays readable, so look away. */
			log_debug(tunnel->log, "accept failed host=%s: %s", host->options.name,
				  strerror(errno));
			tunnel_watch_off(tunnel, &host->listen);
			tunnel_wake_at(tunnel, io_now_ms() + ACCEPT_PAUSE_MS);
		}
		if (fd < 0)
			return;
		if (!is_peer_allowed(fd) || count++ >= CHANNELS_PER_HOST) {
			close(fd);
			continue;
		}
		struct tunnel_channel *channel = tunnel_channel_for_pump(host);
		channel->local.fd = fd;
		tunnel_watch_set(tunnel, &channel->local, 0);
		tunnel_host_need(host);
		tunnel_touch(host);
	}
}

static void dispatch(struct tunnel *tunnel, struct tunnel_watch *watch, uint32_t events)
{
	/* Something earlier in this turn closed it. */
	if (!watch->on)
		return;
	switch (watch->kind) {
	case WATCH_QUEUE:
		take_queue(tunnel);
		break;
	case WATCH_LISTEN:
		accept_all(watch->owner);
		break;
	case WATCH_SESSION:
		tunnel_touch(watch->owner);
		break;
	case WATCH_LOCAL:
		tunnel_channel_event(watch->owner, events);
		break;
	}
}

static void bury(struct tunnel *tunnel)
{
	while (!TAILQ_EMPTY(&tunnel->graveyard)) {
		struct tunnel_channel *channel = TAILQ_FIRST(&tunnel->graveyard);

		TAILQ_REMOVE(&tunnel->graveyard, channel, link);
		tunnel_channel_free(channel);
	}
	while (!LIST_EMPTY(&tunnel->removed)) {
		struct tunnel_host *host = LIST_FIRST(&tunnel->removed);

		LIST_REMOVE(host, link);
		free_host(host);
	}
}

static void check_times(struct tunnel *tunnel, int64_t now_ms)
{
	struct tunnel_host *host;

	if (now_ms < tunnel->next_check_ms)
		return;
	tunnel->next_check_ms = INT64_MAX;
	for (host = LIST_FIRST(&tunnel->hosts); host; host = LIST_NEXT(host, link)) {
		tunnel_watch_set(tunnel, &host->listen, EPOLLIN);
		tunnel_host_check(host, now_ms);
	}
	tunnel_start_logins(tunnel);
}

static bool is_stopped(struct tunnel *tunnel)
{
	pthread_mutex_lock(&tunnel->queue->lock);
	bool stop = tunnel->stop;
	pthread_mutex_unlock(&tunnel->queue->lock);
	return stop;
}

static void turn(struct tunnel *tunnel)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int64_t left_ms = tunnel->next_check_ms - io_now_ms();
	int timeout_ms = -1;

	if (!TAILQ_EMPTY(&tunnel->touched))
		timeout_ms = 0;
	else if (tunnel->next_check_ms != INT64_MAX)
		timeout_ms = left_ms < 0 ? 0 : left_ms > 60 * 1000 ? 60 * 1000 : (int)left_ms;
	int n = epoll_wait(tunnel->epoll_fd, events, EVENTS_PER_TURN, timeout_ms);
	for (int i = 0; i < n; i++)
		dispatch(tunnel, events[i].data.ptr, events[i].events);
	/* A host that has more to do than is fair puts itself at the end again. */
	struct tunnel_host *last = TAILQ_LAST(&tunnel->touched, tunnel_hosts);
	while (!TAILQ_EMPTY(&tunnel->touched)) {
		struct tunnel_host *host = TAILQ_FIRST(&tunnel->touched);

		TAILQ_REMOVE(&tunnel->touched, host, touched_link);
		host->touched = false;
		tunnel_host_settle(host);
		if (host == last)
			break;
	}
	check_times(tunnel, io_now_ms());
	bury(tunnel);
}

static void *io_main(void *ctx)
{
	struct tunnel *tunnel = ctx;

	while (!is_stopped(tunnel))
		turn(tunnel);
	/* Requests that came before `stop` get their answer; later ones are not let in. */
	take_queue(tunnel);
	while (!LIST_EMPTY(&tunnel->hosts)) {
		struct tunnel_host *host = LIST_FIRST(&tunnel->hosts);

		take_down(host);
		LIST_INSERT_HEAD(&tunnel->removed, host, link);
	}
	return NULL;
}

/* --- making and freeing ------------------------------------------------------------------- */

static int make_dir(struct tunnel *tunnel, struct error *err)
{
	const char *places[] = { getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp" };
	const struct sockaddr_un room;
	int errnum = ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!places[i] || *places[i] != '/')
			continue;
		/* The longest socket name to come must fit as well. */
		if (strlen(places[i]) + sizeof("/drey-XXXXXX/4294967295.sock") >
		    sizeof(room.sun_path))
			continue;
		char *dir = xasprintf("%s/drey-XXXXXX", places[i]);
		if (mkdtemp(dir)) {
			tunnel->dir = dir;
			return 0;
		}
		errnum = errno;
		free(dir);
	}
	return error_errno(err, errnum,
			   "cannot make a directory for the tunnel's sockets (in "
			   "$XDG_RUNTIME_DIR, $TMPDIR or /tmp)");
}

static struct tunnel_queue *queue_new(void)
{
	struct tunnel_queue *queue = xcalloc(1, sizeof(*queue));

	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->stoppable_cond, NULL);
	STAILQ_INIT(&queue->requests);
	STAILQ_INIT(&queue->finished);
	queue->refs = 1;
	queue->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return queue;
}

/* Threads of ours get no signals: main's handlers are for main's thread. */
static int start_thread(struct tunnel *tunnel)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&tunnel->thread, NULL, io_main, tunnel);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void free_tunnel(struct tunnel *tunnel)
{
	bury(tunnel);
	if (tunnel->epoll_fd >= 0)
		close(tunnel->epoll_fd);
	if (tunnel->dir)
		rmdir(tunnel->dir);
	free(tunnel->dir);
	pthread_cond_destroy(&tunnel->callers_cond);
	tunnel_queue_unref(tunnel->queue);
	free(tunnel);
}

int tunnel_new(const struct logger *log, struct tunnel **ret_tunnel, struct error *err)
{
	struct tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

	tunnel->log = log;
	tunnel->queue = queue_new();
	pthread_cond_init(&tunnel->callers_cond, NULL);
	TAILQ_INIT(&tunnel->touched);
	TAILQ_INIT(&tunnel->queued);
	TAILQ_INIT(&tunnel->graveyard);
	tunnel->next_check_ms = INT64_MAX;
	tunnel->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (tunnel->epoll_fd < 0 || tunnel->queue->event_fd < 0) {
		error_errno(err, errno, "cannot start the tunnel");
		free_tunnel(tunnel);
		return -1;
	}
	tunnel->wake = (struct tunnel_watch){ .kind = WATCH_QUEUE, .fd = tunnel->queue->event_fd };
	tunnel_watch_set(tunnel, &tunnel->wake, EPOLLIN);
	if (make_dir(tunnel, err)) {
		free_tunnel(tunnel);
		return -1;
	}
	int errnum = start_thread(tunnel);
	if (errnum) {
		error_errno(err, errnum, "cannot start the tunnel's thread");
		free_tunnel(tunnel);
		return -1;
	}
	*ret_tunnel = tunnel;
	return 0;
}

void tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	struct tunnel_queue *queue = tunnel->queue;

	pthread_mutex_lock(&queue->lock);
	tunnel->stop = true;
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(tunnel->thread, NULL);

	pthread_mutex_lock(&queue->lock);
	while (tunnel->callers > 0)
		pthread_cond_wait(&tunnel->callers_cond, &queue->lock);
	while (queue->stoppable > 0)
		pthread_cond_wait(&queue->stoppable_cond, &queue->lock);
	queue->closed = true;
	pthread_mutex_unlock(&queue->lock);
	/* Nobody adds to it any more. */
	while (!STAILQ_EMPTY(&queue->finished)) {
		struct tunnel_attempt *attempt = STAILQ_FIRST(&queue->finished);

		STAILQ_REMOVE_HEAD(&queue->finished, link);
		tunnel_attempt_free(attempt);
	}
	free_tunnel(tunnel);
}

/* --- hosts -------------------------------------------------------------------------------- */

static int listen_at(const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	error_errno(err, errno, "cannot listen at %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static char *name_target(const struct tunnel_options *options)
{
	struct passwd entry, *me = NULL;
	char names[1024];

	if (!options->user)
		getpwuid_r(geteuid(), &entry, names, sizeof(names), &me);
	return xasprintf(strchr(options->host, ':') ? "%s@[%s]:%d" : "%s@%s:%d",
			 options->user ? options->user
			 : me	       ? me->pw_name
				       : "root",
			 options->host, options->port);
}

int tunnel_add_host(struct tunnel *tunnel, const struct tunnel_options *options,
		    struct tunnel_host **ret_host, struct error *err)
{
	struct tunnel_queue *queue = tunnel->queue;
	struct tunnel_host *host = xcalloc(1, sizeof(*host));

	host->tunnel = tunnel;
	tunnel_options_copy(&host->options, options);
	host->target = name_target(options);
	TAILQ_INIT(&host->channels);
	host->session = (struct tunnel_watch){ .kind = WATCH_SESSION, .fd = -1, .owner = host };
	host->add = (struct tunnel_request){ .kind = REQUEST_ADD, .host = host };
	host->begin = (struct tunnel_request){ .kind = REQUEST_CONNECT, .host = host };
	pthread_cond_init(&host->begin.done_cond, NULL);

	pthread_mutex_lock(&queue->lock);
	host->socket_path = xasprintf("%s/%u.sock", tunnel->dir, tunnel->sockets++);
	pthread_mutex_unlock(&queue->lock);
	int fd = listen_at(host->socket_path, err);
	if (fd < 0) {
		free_host(host);
		return -1;
	}
	host->listen = (struct tunnel_watch){ .kind = WATCH_LISTEN, .fd = fd, .owner = host };

	pthread_mutex_lock(&queue->lock);
	STAILQ_INSERT_TAIL(&queue->requests, &host->add, link);
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
	*ret_host = host;
	return 0;
}

void tunnel_remove_host(struct tunnel_host *host)
{
	struct tunnel_request request = { .kind = REQUEST_REMOVE, .host = host };
	struct error ignored = ERROR_INIT;

	if (host)
		(void)!run_request(host->tunnel, &request, &ignored);
}

const char *tunnel_host_socket(const struct tunnel_host *host)
{
	return host->socket_path;
}

void tunnel_host_begin(struct tunnel_host *host)
{
	pthread_mutex_t *lock = &host->tunnel->queue->lock;

	pthread_mutex_lock(lock);
	if (host->begun == BEGUN_NOT) {
		host->begun = BEGUN_WAITS;
		hand_over(host->tunnel, &host->begin);
	}
	pthread_mutex_unlock(lock);
}

int tunnel_host_connect(struct tunnel_host *host, struct error *err)
{
	struct tunnel_request request = { .kind = REQUEST_CONNECT, .host = host };
	pthread_mutex_t *lock = &host->tunnel->queue->lock;
	int result = 0;

	pthread_mutex_lock(lock);
	bool begun = host->begun == BEGUN_WAITS;
	if (begun) {
		host->begun = BEGUN_TOLD;
		result = wait_for(host->tunnel, &host->begin, err);
	}
	pthread_mutex_unlock(lock);
	return begun ? result : run_request(host->tunnel, &request, err);
}

void tunnel_host_interrupt(struct tunnel_host *host)
{
	struct tunnel_queue *queue = host->tunnel->queue;
	struct tunnel_request *request = xcalloc(1, sizeof(*request));

	request->kind = REQUEST_INTERRUPT;
	request->host = host;
	pthread_mutex_lock(&queue->lock);
	if (host->tunnel->stop) {
		free(request); /* all that waits is being woken up */
	} else {
		STAILQ_INSERT_TAIL(&queue->requests, request, link);
		wake(queue);
	}
	pthread_mutex_unlock(&queue->lock);
}

int tunnel_host_exec(struct tunnel_host *host, const char *command, char **ret_output,
		     int *ret_exit_status, struct error *err)
{
	struct tunnel_request request = { .kind = REQUEST_EXEC, .host = host, .command = command };

	if (run_request(host->tunnel, &request, err))
		return -1;
	*ret_output = request.output;
	*ret_exit_status = request.exit_status;
	return 0;
}

void tunnel_host_set_error(struct tunnel_host *host, const struct error *err)
{
	pthread_mutex_lock(&host->tunnel->queue->lock);
	if (err)
		host->error = *err;
	else
		error_clear(&host->error);
	pthread_mutex_unlock(&host->tunnel->queue->lock);
	if (err)
		log_debug(host->tunnel->log, "tunnel: %s host=%s", err->text, host->options.name);
}

int tunnel_host_error(struct tunnel_host *host, struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&host->tunnel->queue->lock);
	if (host->error.code != ERROR_NONE) {
		*err = host->error;
		rc = -1;
	}
	pthread_mutex_unlock(&host->tunnel->queue->lock);
	return rc;
}

void tunnel_host_info(struct tunnel_host *host, struct tunnel_host_info *ret_info)
{
	pthread_mutex_lock(&host->tunnel->queue->lock);
	*ret_info = host->info;
	pthread_mutex_unlock(&host->tunnel->queue->lock);
}

char *tunnel_quote(const char *text)
{
	struct str quoted;

	str_init(&quoted, 0);
	str_append_char(&quoted, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			str_append(&quoted, "'\\''");
		else
			str_append_char(&quoted, *text);
	}
	str_append_char(&quoted, '\'');
	return str_take(&quoted);
}
