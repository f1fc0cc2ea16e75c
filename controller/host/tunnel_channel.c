/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One channel: bytes both ways with back pressure, or the output of a command.
 *
 * Towards `local`: what it has no room for stays in libssh's buffer, which the window bounds
 * (1.28 MB); libssh offers it again only with the next packet, so it is fetched when `local` is
 * writable. ssh_channel_read() opens the window to its full size whatever is still buffered:
 * reading in small pieces would let the buffer grow without bound, so all of it is taken at once
 * and nothing more until that is written.
 *
 * Towards the engine: `local` is read only while the window is open and the connection takes
 * bytes, for ssh_channel_write() would queue without bound.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/host/printable.h"
#include "controller/host/tunnel_internal.h"

enum {
	READS_PER_EVENT = 4,
	/* Longer than who asked for the connection takes to use it, shorter than a way to the host
	 * takes to die unseen. */
	SPARE_MS = 1000,
	/* What the diagnosis exits with. */
	SOCKET_MISSING = 10,
	SOCKET_DENIED = 11,
	NOT_A_SOCKET = 12,
};

static void set_deadline(struct tunnel_channel *channel)
{
	channel->deadline_ms = io_now_ms() + channel->host->options.connect_timeout_ms;
	tunnel_wake_at(channel->host->tunnel, channel->deadline_ms);
}

struct tunnel_channel *tunnel_channel_new(struct tunnel_host *host, enum tunnel_purpose purpose)
{
	struct tunnel_channel *channel = xcalloc(1, sizeof(*channel));

	channel->host = host;
	channel->purpose = purpose;
	channel->phase = CHANNEL_WAITING;
	channel->local = (struct tunnel_watch){ .kind = WATCH_LOCAL, .fd = -1, .owner = channel };
	channel->exit_status = -1;
	TAILQ_INSERT_TAIL(&host->channels, channel, link);
	return channel;
}

struct tunnel_channel *tunnel_channel_for_pump(struct tunnel_host *host)
{
	struct tunnel_channel *channel = NULL;

	TAILQ_FOREACH (channel, &host->channels, link) {
		if (channel->purpose == PURPOSE_SPARE && channel->phase == CHANNEL_OPEN &&
		    !channel->remote_eof && !channel->remote_closed &&
		    io_now_ms() < channel->deadline_ms)
			break;
	}
	if (!channel)
		return tunnel_channel_new(host, PURPOSE_PUMP);
	channel->purpose = PURPOSE_PUMP;
	channel->deadline_ms = 0;
	return channel;
}

void tunnel_channel_free(struct tunnel_channel *channel)
{
	free(channel->command);
	str_done(&channel->output);
	str_done(&channel->errors);
	free(channel->to_local.data);
	free(channel->to_remote.data);
	free(channel);
}

/* --- interest ------------------------------------------------------------------------------- */

static void watch_local(struct tunnel_channel *channel)
{
	struct tunnel *tunnel = channel->host->tunnel;
	uint32_t events = 0;

	if (channel->local.fd < 0)
		return;
	if (channel->phase == CHANNEL_OPEN && !channel->local_eof && !channel->held)
		events |= EPOLLIN | EPOLLRDHUP;
	if (!channel->local_gone && (channel->to_local.len > 0 || channel->backlog))
		events |= EPOLLOUT;
	/* A hang-up is reported for ever, wanted or not. */
	if (channel->local_gone && events == 0)
		tunnel_watch_off(tunnel, &channel->local);
	else
		tunnel_watch_set(tunnel, &channel->local, events);
}

/* --- towards local ---------------------------------------------------------------------------- */

/* Bytes taken; 0 when there is no room. A peer that went counts as one that takes everything. */
static size_t send_local(struct tunnel_channel *channel, const char *data, size_t len)
{
	size_t sent = 0;

	while (sent < len && !channel->local_gone) {
		ssize_t n = send(channel->local.fd, data + sent, len - sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return sent;
		if (n < 0)
			channel->local_gone = true;
		else
			sent += (size_t)n;
	}
	return len;
}

static void drop_chunk(struct tunnel_chunk *chunk)
{
	free(chunk->data);
	*chunk = (struct tunnel_chunk){ 0 };
}

static void write_chunk(struct tunnel_channel *channel)
{
	struct tunnel_chunk *chunk = &channel->to_local;

	chunk->at += send_local(channel, chunk->data + chunk->at, chunk->len - chunk->at);
	if (chunk->at == chunk->len)
		drop_chunk(chunk);
}

/* Fetches what libssh still holds, as often as `local` takes it. */
static void drain(struct tunnel_channel *channel)
{
	struct tunnel_chunk *chunk = &channel->to_local;

	if (chunk->len > 0)
		write_chunk(channel);
	while (chunk->len == 0 && channel->backlog) {
		int held = channel->ssh ? ssh_channel_poll(channel->ssh, 0) : 0;

		if (held <= 0) {
			channel->backlog = false;
			break;
		}
		chunk->data = xmalloc((size_t)held);
		int n = ssh_channel_read_timeout(channel->ssh, chunk->data, (uint32_t)held, 0, 0);
		if (n <= 0) {
			drop_chunk(chunk);
			channel->backlog = false;
			break;
		}
		chunk->at = 0;
		chunk->len = (size_t)n;
		write_chunk(channel);
	}
}

static int on_data(ssh_session session, ssh_channel ssh, void *data, uint32_t len, int is_stderr,
		   void *ctx)
{
	struct tunnel_channel *channel = ctx;

	(void)session;
	(void)ssh;
	channel->host->news = true;
	if (!is_stderr && !channel->answered) {
		channel->answered = true;
		if (channel->dial_stdio)
			tunnel_host_set_error(channel->host, NULL);
	}
	if (is_stderr || channel->purpose != PURPOSE_PUMP) {
		struct str *to = is_stderr ? &channel->errors : &channel->output;
		size_t room = to->data ? to->ceiling - to->len : 0;

		if (to->data)
			str_append_n(to, data, len < room ? len : room);
		return (int)len;
	}
	if (channel->local.fd < 0 || channel->local_gone)
		return (int)len;
	size_t taken = 0;
	if (!channel->backlog && channel->to_local.len == 0)
		taken = send_local(channel, data, len);
	if (taken < len)
		channel->backlog = true;
	watch_local(channel);
	return (int)taken;
}

static void on_eof(ssh_session session, ssh_channel ssh, void *ctx)
{
	struct tunnel_channel *channel = ctx;

	(void)session;
	(void)ssh;
	channel->remote_eof = true;
	channel->host->news = true;
}

static void on_close(ssh_session session, ssh_channel ssh, void *ctx)
{
	struct tunnel_channel *channel = ctx;

	(void)session;
	(void)ssh;
	channel->remote_eof = true;
	channel->remote_closed = true;
	channel->host->news = true;
}

static void on_exit_status(ssh_session session, ssh_channel ssh, int status, void *ctx)
{
	struct tunnel_channel *channel = ctx;

	(void)session;
	(void)ssh;
	channel->exit_status = status & 0xff;
}

/* --- towards the engine --------------------------------------------------------------------- */

static bool may_write(struct tunnel_channel *channel)
{
	return !tunnel_host_is_full(channel->host) && ssh_channel_window_size(channel->ssh) > 0;
}

/* Bytes taken: fewer than len while keys are exchanged anew or the window is short. */
static size_t write_remote(struct tunnel_channel *channel, const char *data, size_t len)
{
	int n = ssh_channel_write(channel->ssh, data, (uint32_t)len);

	channel->host->news = true;
	if (n >= 0)
		return (size_t)n;
	/* The far side is gone; what it still sent is delivered. */
	channel->local_eof = true;
	channel->eof_sent = true;
	return len;
}

/* True when nothing is left over. */
static bool write_leftover(struct tunnel_channel *channel)
{
	struct tunnel_chunk *chunk = &channel->to_remote;

	if (chunk->len > 0)
		chunk->at += write_remote(channel, chunk->data + chunk->at, chunk->len - chunk->at);
	if (chunk->at < chunk->len)
		return false;
	drop_chunk(chunk);
	return true;
}

static void read_local(struct tunnel_channel *channel)
{
	char *scratch = channel->host->tunnel->scratch;

	for (int i = 0; i < READS_PER_EVENT && !channel->local_eof; i++) {
		if (!may_write(channel)) {
			channel->held = true;
			return;
		}
		size_t room = ssh_channel_window_size(channel->ssh);
		ssize_t n = recv(channel->local.fd, scratch,
				 room < TUNNEL_SCRATCH ? room : TUNNEL_SCRATCH, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			channel->local_eof = true;
			channel->local_gone |= n < 0;
			return;
		}
		size_t taken = write_remote(channel, scratch, (size_t)n);
		if (taken == (size_t)n)
			continue;
		channel->to_remote.len = (size_t)n - taken;
		channel->to_remote.data = xmalloc(channel->to_remote.len);
		memcpy(channel->to_remote.data, scratch + taken, channel->to_remote.len);
		channel->held = true;
		return;
	}
}

void tunnel_channel_event(struct tunnel_channel *channel, uint32_t events)
{
	/* Shut down both ways, where EPOLLRDHUP alone says that it still reads. */
	if (events & (EPOLLHUP | EPOLLERR))
		channel->local_gone = true;
	if (channel->phase == CHANNEL_OPEN) {
		if (channel->local_gone)
			drop_chunk(&channel->to_local);
		else if (events & EPOLLOUT)
			drain(channel);
		if (!channel->held)
			read_local(channel);
	}
	watch_local(channel);
	tunnel_touch(channel->host);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void close_local(struct tunnel_channel *channel)
{
	if (channel->local.fd < 0)
		return;
	tunnel_watch_off(channel->host->tunnel, &channel->local);
	close(channel->local.fd);
	channel->local.fd = -1;
}

static void release_ssh(struct tunnel_channel *channel)
{
	if (!channel->ssh)
		return;
	/* libssh calls them until the server has closed the channel as well. */
	ssh_remove_channel_callbacks(channel->ssh, &channel->callbacks);
	/* It sends EOF and gives up before CLOSE where the connection is full (SSH_AGAIN); the
	 * second call queues the CLOSE. */
	if (ssh_channel_is_open(channel->ssh) && ssh_channel_close(channel->ssh) == SSH_AGAIN)
		(void)ssh_channel_close(channel->ssh);
	ssh_channel_free(channel->ssh);
	channel->ssh = NULL;
	if (channel->command)
		channel->host->commands--;
	channel->host->news = true;
}

static void answer_request(struct tunnel_channel *channel, const struct error *err)
{
	struct tunnel_request *request = channel->request;

	if (!request)
		return;
	channel->request = NULL;
	if (err) {
		request->err = *err;
	} else if (channel->purpose == PURPOSE_EXEC) {
		size_t room = channel->output.ceiling - channel->output.len;

		str_append_n(&channel->output, channel->errors.data,
			     channel->errors.len < room ? channel->errors.len : room);
		request->output = str_take(&channel->output);
		request->exit_status = channel->exit_status < 0 ? 256 : channel->exit_status;
	}
	tunnel_request_done(channel->host->tunnel, request);
}

static void end_diagnosis(struct tunnel_channel *channel, const struct error *err)
{
	struct tunnel_host *host = channel->host;
	const char *path = host->options.docker_socket;
	struct error *why = &host->diagnosis_err;
	const char *user = host->target;
	int user_len = (int)strcspn(user, "@");

	host->diagnosis = DIAGNOSIS_BAD;
	if (host->state != HOST_UP && err) {
		*why = *err;
		return;
	}
	switch (err ? -1 : channel->exit_status) {
	case 0:
		host->diagnosis = DIAGNOSIS_USABLE;
		return;
	case SOCKET_MISSING:
		error_set(why, ERROR_NOT_FOUND,
			  "no engine socket at %s on %s: is Docker installed and started there "
			  "(systemctl start docker), and is docker_socket right?",
			  path, host->target);
		return;
	case SOCKET_DENIED:
		error_set(
			why, ERROR_DENIED,
			"the user %.*s may not use the engine socket %s on %s: add the user to the "
			"group docker there (usermod -aG docker %.*s)",
			user_len, user, path, host->target, user_len, user);
		return;
	case NOT_A_SOCKET:
		error_set(why, ERROR_NOT_FOUND, "%s on %s is not a socket: is docker_socket right?",
			  path, host->target);
		return;
	default:
		error_set(
			why, ERROR_NOT_FOUND,
			"no engine socket at %s on %s, or the user may not use it, or sshd refuses "
			"to forward to it (AllowStreamLocalForwarding)",
			path, host->target);
		if (err)
			error_hint(why, "which of them could not be told: %s", err->text);
	}
}

void tunnel_channel_finish(struct tunnel_channel *channel, const struct error *err)
{
	struct tunnel_host *host = channel->host;

	if (err && channel->purpose <= PURPOSE_CONNECT)
		tunnel_host_set_error(host, err);
	if (channel->purpose == PURPOSE_DIAGNOSE && channel->phase != CHANNEL_DONE)
		end_diagnosis(channel, err);
	answer_request(channel, err);
	/* What is told of a closed socket was said before. */
	close_local(channel);
	host->news = true;
	tunnel_touch(host);
	/* libssh can't take an open back: the answer must come before it can be closed. */
	if (channel->phase == CHANNEL_OPENING && channel->ssh) {
		channel->local_gone = true;
		channel->deadline_ms = 0;
		if (channel->purpose == PURPOSE_DIAGNOSE)
			channel->purpose = PURPOSE_PROMPT;
		return;
	}
	release_ssh(channel);
	channel->phase = CHANNEL_DONE;
	TAILQ_REMOVE(&host->channels, channel, link);
	TAILQ_INSERT_TAIL(&host->tunnel->graveyard, channel, link);
}

void tunnel_channel_lost(struct tunnel_channel *channel, const struct error *err)
{
	bool again = channel->phase == CHANNEL_OPENING && !channel->retried &&
		     !channel->local_gone && err->code != ERROR_CANCELLED &&
		     (channel->purpose == PURPOSE_PUMP || channel->request);

	channel->ssh = NULL;
	if (!again) {
		channel->phase = CHANNEL_WAITING;
		tunnel_channel_finish(channel, err);
		return;
	}
	/* Nothing was sent yet: a connection that proved dead at its next use costs only time. */
	channel->retried = true;
	channel->phase = CHANNEL_WAITING;
	channel->deadline_ms = 0;
	if (channel->dial_stdio) {
		free(channel->command);
		channel->command = NULL;
		channel->dial_stdio = false;
	}
}

/* --- opening -------------------------------------------------------------------------------- */

static void start_diagnosis(struct tunnel_host *host)
{
	CLEANUP(cleanup_free) char *path = tunnel_quote(host->options.docker_socket);
	struct tunnel_channel *channel = tunnel_channel_new(host, PURPOSE_DIAGNOSE);

	host->diagnosis = DIAGNOSIS_RUNNING;
	/* By sh: the user's own shell may be no Bourne shell. connect(2) asks for write
	 * permission (unix(7)). */
	channel->command =
		xasprintf("exec sh -c 'test -e \"$1\" || exit %d; test -S \"$1\" || exit "
			  "%d; test -w \"$1\" || exit %d; exit 0' sh %s",
			  SOCKET_MISSING, NOT_A_SOCKET, SOCKET_DENIED, path);
}

static void use_dial_stdio(struct tunnel_channel *channel)
{
	CLEANUP(cleanup_free)
	char *url = xasprintf("unix://%s", channel->host->options.docker_socket);
	CLEANUP(cleanup_free) char *quoted = tunnel_quote(url);

	channel->dial_stdio = true;
	channel->command = xasprintf("docker -H %s system dial-stdio", quoted);
}

static void open_failed(struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;
	const char *why = ssh_get_error(host->ssh);
	char shown[256];
	struct error err;

	channel->phase = CHANNEL_WAITING; /* the answer has come: it can be freed */
	release_ssh(channel);
	if (channel->local_gone) {
		tunnel_channel_finish(channel, NULL);
		return;
	}
	if (!channel->command) {
		channel->phase = CHANNEL_PUZZLED;
		channel->deadline_ms = 0;
		if (host->diagnosis != DIAGNOSIS_RUNNING)
			start_diagnosis(host);
		host->news = true;
		return;
	}
	error_set(&err, ERROR_DENIED, "%s does not let this user run commands: %s", host->target,
		  printable_copy(shown, sizeof(shown), why, strlen(why)));
	if (channel->dial_stdio)
		error_hint(&err, "nor forward to %s", host->options.docker_socket);
	tunnel_channel_finish(channel, &err);
}

static void note_round_trip(const struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;
	int64_t took_ms = io_now_ms() - channel->opening_ms;

	pthread_mutex_lock(&host->tunnel->queue->lock);
	host->info.round_trip_ms = channel->dial_stdio ? 0 : (int)took_ms;
	pthread_mutex_unlock(&host->tunnel->queue->lock);
}

static void opened(struct tunnel_channel *channel)
{
	static const char ping[] = "GET /_ping HTTP/1.0\r\n\r\n";

	channel->phase = CHANNEL_OPEN;
	channel->host->news = true;
	channel->deadline_ms = 0;
	if (channel->local_gone) {
		tunnel_channel_finish(channel, NULL);
		return;
	}
	if (channel->command && !channel->dial_stdio) {
		set_deadline(channel);
		(void)ssh_channel_send_eof(channel->ssh);
		return;
	}
	note_round_trip(channel);
	if (!channel->dial_stdio)
		tunnel_host_set_error(channel->host, NULL);
	if (channel->purpose == PURPOSE_PUMP) {
		/* The request that made the caller connect is mostly there already. */
		read_local(channel);
		watch_local(channel);
	} else if (channel->dial_stdio) {
		/* That the command runs does not say that it reaches the engine. */
		set_deadline(channel);
		(void)write_remote(channel, ping, sizeof(ping) - 1);
	} else {
		answer_request(channel, NULL);
		channel->purpose = PURPOSE_SPARE;
		channel->deadline_ms = io_now_ms() + SPARE_MS;
		tunnel_wake_at(channel->host->tunnel, channel->deadline_ms);
	}
}

/* Takes the place of libssh's own, which ssh_channel_open_forward_unix() asks before it opens
 * anything. Up to libssh 0.11.1 that reads versions of one digit only (ssh_analyze_banner() in its
 * misc.c), and so takes OpenSSH 10 for no OpenSSH, which would leave such hosts to a Docker CLI
 * that they may not have. Nothing is lost by not asking: a server that can't forward to sockets
 * says so. */
int ssh_get_openssh_version(ssh_session session)
{
	(void)session;
	return SSH_VERSION_INT(6, 7, 0); /* the first that forwards to sockets */
}

static void step_open(struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;
	int rc;

	if (channel->phase == CHANNEL_OPENING) {
		if (channel->command)
			rc = ssh_channel_open_session(channel->ssh);
		else
			rc = ssh_channel_open_forward_unix(
				channel->ssh, host->options.docker_socket, "localhost", 0);
		if (rc == SSH_AGAIN)
			return;
		if (rc != SSH_OK) {
			open_failed(channel);
			return;
		}
		channel->phase = channel->command ? CHANNEL_REQUESTING : CHANNEL_OPEN;
	}
	if (channel->phase == CHANNEL_REQUESTING && !channel->local_gone) {
		rc = ssh_channel_request_exec(channel->ssh, channel->command);
		if (rc == SSH_AGAIN)
			return;
		if (rc != SSH_OK) {
			open_failed(channel);
			return;
		}
	}
	opened(channel);
}

static void start_open(struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;

	if (channel->purpose <= PURPOSE_CONNECT && host->dial_stdio && !channel->command)
		use_dial_stdio(channel);
	if (channel->dial_stdio && host->commands >= TUNNEL_COMMANDS_AT_ONCE) {
		if (channel->deadline_ms == 0)
			set_deadline(channel);
		return;
	}
	channel->ssh = ssh_channel_new(host->ssh);
	if (!channel->ssh)
		abort();
	if (channel->command) {
		host->commands++;
		if (!channel->output.data)
			str_init(&channel->output, TUNNEL_OUTPUT_CEILING);
		if (!channel->errors.data)
			str_init(&channel->errors, TUNNEL_STDERR_CEILING);
	}
	channel->callbacks = (struct ssh_channel_callbacks_struct){
		.userdata = channel,
		.channel_data_function = on_data,
		.channel_eof_function = on_eof,
		.channel_close_function = on_close,
		.channel_exit_status_function = on_exit_status,
	};
	ssh_callbacks_init(&channel->callbacks);
	if (ssh_add_channel_callbacks(channel->ssh, &channel->callbacks))
		abort();
	channel->phase = CHANNEL_OPENING;
	channel->opening_ms = io_now_ms();
	set_deadline(channel);
	step_open(channel);
}

static void settle_puzzled(struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;

	if (host->diagnosis == DIAGNOSIS_RUNNING)
		return;
	if (host->diagnosis != DIAGNOSIS_USABLE) {
		tunnel_channel_finish(channel, &host->diagnosis_err);
		return;
	}
	host->dial_stdio = true;
	channel->phase = CHANNEL_WAITING;
	start_open(channel);
}

/* --- settling ------------------------------------------------------------------------------- */

static void finish_dial_stdio(struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;
	char shown[300];
	struct error err;

	if (channel->answered) {
		tunnel_channel_finish(channel, NULL);
		return;
	}
	printable_copy(shown, sizeof(shown), channel->errors.data, channel->errors.len);
	error_set(&err, ERROR_UNREACHABLE,
		  "the engine socket %s on %s is there, but nothing answers through it: is the "
		  "engine running (systemctl status docker)? If so, sshd refuses to forward to it "
		  "(AllowStreamLocalForwarding), and `docker system dial-stdio` failed: %s",
		  host->options.docker_socket, host->target, *shown ? shown : "without a word");
	/* Forwarding may be what works next time. */
	host->dial_stdio = false;
	tunnel_channel_finish(channel, &err);
}

static void settle_pump(struct tunnel_channel *channel)
{
	if (channel->held && !channel->remote_closed && may_write(channel))
		channel->held = !write_leftover(channel);
	if (channel->local_eof && !channel->eof_sent && channel->to_remote.len == 0) {
		channel->eof_sent = true;
		/* A full close is a close: an EOF alone would let a process run on. */
		if (!channel->local_gone)
			(void)ssh_channel_send_eof(channel->ssh);
		channel->host->news = true;
	}
	/* Who closes while the engine takes nothing does not care for what is left. */
	if (channel->local_gone && (channel->held || channel->eof_sent || channel->remote_eof)) {
		tunnel_channel_finish(channel, NULL);
		return;
	}
	bool delivered = channel->to_local.len == 0 && !channel->backlog;
	if (channel->remote_closed && delivered) {
		if (channel->dial_stdio)
			finish_dial_stdio(channel);
		else
			tunnel_channel_finish(channel, NULL);
		return;
	}
	if (channel->remote_eof && delivered && !channel->local_shut && !channel->dial_stdio) {
		channel->local_shut = true;
		shutdown(channel->local.fd, SHUT_WR);
	}
	watch_local(channel);
}

void tunnel_channel_settle(struct tunnel_channel *channel)
{
	struct tunnel_host *host = channel->host;

	switch (channel->phase) {
	case CHANNEL_WAITING:
		if (channel->local_gone)
			tunnel_channel_finish(channel, NULL);
		else if (host->state == HOST_UP)
			start_open(channel);
		break;
	case CHANNEL_OPENING:
	case CHANNEL_REQUESTING:
		step_open(channel);
		break;
	case CHANNEL_PUZZLED:
		if (channel->local_gone)
			tunnel_channel_finish(channel, NULL);
		else
			settle_puzzled(channel);
		break;
	case CHANNEL_OPEN:
		if (channel->purpose == PURPOSE_PUMP)
			settle_pump(channel);
		else if (channel->dial_stdio && (channel->answered || channel->remote_closed))
			finish_dial_stdio(channel);
		else if (channel->remote_closed)
			tunnel_channel_finish(channel, NULL);
		break;
	case CHANNEL_DONE:
		break;
	}
}
