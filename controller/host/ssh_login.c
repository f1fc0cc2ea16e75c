/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/ssh_login.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/printable.h"
#include "controller/host/ssh_auth.h"
#include "controller/host/ssh_hostkey.h"

enum {
	/* A server that dies without a word is noticed after this long with data under way ... */
	TCP_UNANSWERED_MS = 30 * 1000,
	/* ... and an idle one after 15 s and three probes. */
	TCP_IDLE_S = 15,
	TCP_PROBE_S = 5,
	TCP_PROBES = 3,
	/* For an address that does not answer when others stand behind it. */
	ADDRESS_TRY_MS = 1000,
	/* sshd drops connections at random beyond MaxStartups: asking again is what it wants. */
	DROPPED_TRIES = 6,
	DROPPED_PAUSE_MS = 80,
};

/* aes128-gcm first: with AES in hardware it costs the server 37 % less than chacha20. */
static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
			      "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void tunnel_options_copy(struct tunnel_options *to, const struct tunnel_options *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->user = dup_or_null(from->user);
	to->host = xstrdup(from->host);
	to->identity_file = dup_or_null(from->identity_file);
	to->password = dup_or_null(from->password);
	to->known_hosts = dup_or_null(from->known_hosts);
	to->docker_socket = xstrdup(from->docker_socket);
}

void tunnel_options_done(struct tunnel_options *options)
{
	if (options->password)
		explicit_bzero((char *)options->password, strlen(options->password));
	free((char *)options->name);
	free((char *)options->user);
	free((char *)options->host);
	free((char *)options->identity_file);
	free((char *)options->password);
	free((char *)options->known_hosts);
	free((char *)options->docker_socket);
	*options = (struct tunnel_options){ 0 };
}

static int timed_out(struct ssh_login *login, const char *doing)
{
	return error_set(&login->err, ERROR_TIMEOUT, "%s:%d did not answer within %d ms (%s)",
			 login->options.host, login->options.port,
			 login->options.connect_timeout_ms, doing);
}

/* Waits for the descriptor (none: just waits) until `until_ms`. 1: ready; 0: time is up;
 * -1: cancelled, login->err is set. */
static int wait_for(struct ssh_login *login, int fd, short events, int64_t until_ms)
{
	struct pollfd fds[2] = { { .fd = login->cancel_fd, .events = POLLIN },
				 { .fd = fd, .events = events } };

	for (;;) {
		int64_t left_ms = until_ms - io_now_ms();
		int n = poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (fds[0].revents)
			return error_set(&login->err, ERROR_CANCELLED, "interrupted");
		if (n > 0)
			return 1;
		return 0;
	}
}

int ssh_login_wait(struct ssh_login *login, const char *doing)
{
	short events = POLLIN;

	/* A descriptor that is always ready (it hung up) must not keep us here for ever. */
	if (io_now_ms() >= login->deadline_ms)
		return timed_out(login, doing);
	if (ssh_get_poll_flags(login->session) & SSH_WRITE_PENDING)
		events |= POLLOUT;
	int rc = wait_for(login, login->fd, events, login->deadline_ms);
	if (rc == 0)
		return timed_out(login, doing);
	return rc < 0 ? -1 : 0;
}

static int resolve(struct ssh_login *login, struct addrinfo **ret_list)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	const char *host = login->options.host;
	char port[16];

	snprintf(port, sizeof(port), "%d", login->options.port);
	if (getaddrinfo(host, port, &hints, ret_list) == 0)
		return 0;
	hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
	login->unstoppable(login->ctx, true);
	int rc = getaddrinfo(host, port, &hints, ret_list);
	int errnum = errno;
	login->unstoppable(login->ctx, false);
	if (rc == 0 && wait_for(login, -1, 0, 0) < 0) {
		freeaddrinfo(*ret_list);
		return -1;
	}
	if (rc == 0)
		return 0;
	return error_set(&login->err, ERROR_UNREACHABLE, "cannot find the address of %s: %s", host,
			 rc == EAI_SYSTEM ? strerror(errnum) : gai_strerror(rc));
}

static void set_tcp_options(int fd)
{
	const struct {
		int level, name, value;
	} options[] = {
		/* sshd's and our small packets wait for each other's acknowledgement else. */
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_UNANSWERED_MS },
		{ IPPROTO_TCP, TCP_KEEPIDLE, TCP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, TCP_PROBE_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, TCP_PROBES },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};

	/* Without one of them the connection is slower or dies later, but works. */
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				 sizeof(options[i].value));
}

/* The errno that connecting ended with; -1 with login->err set. */
static int await_connection(struct ssh_login *login, int fd, int64_t until_ms)
{
	int errnum = 0;
	socklen_t size = sizeof(errnum);
	int rc = wait_for(login, fd, POLLOUT, until_ms);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return timed_out(login, "connecting");
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size);
	return errnum;
}

static int connect_to(struct ssh_login *login, int fd, const struct addrinfo *address,
		      int64_t until_ms)
{
	int errnum = 0;

	set_tcp_options(fd);
	if (connect(fd, address->ai_addr, address->ai_addrlen))
		errnum = errno == EINPROGRESS ? await_connection(login, fd, until_ms) : errno;
	if (errnum <= 0)
		return errnum;
	error_errno(&login->err, errnum, "cannot connect to %s:%d", login->options.host,
		    login->options.port);
	if (login->err.code != ERROR_TIMEOUT)
		login->err.code = ERROR_UNREACHABLE;
	if (errnum == ECONNREFUSED)
		error_hint(&login->err, "is sshd running there, and is the port right?");
	return -1;
}

/* The connected descriptor, or -1 with login->err set. */
static int connect_any(struct ssh_login *login, const struct addrinfo *list)
{
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		int64_t until_ms = login->deadline_ms;
		int64_t try_until_ms = io_now_ms() + ADDRESS_TRY_MS;
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd < 0) {
			error_errno(&login->err, errno, "cannot make a socket");
			continue;
		}
		if (a->ai_next && try_until_ms < until_ms)
			until_ms = try_until_ms;
		if (connect_to(login, fd, a, until_ms) == 0)
			return fd;
		close(fd);
		if (login->err.code == ERROR_CANCELLED)
			break;
	}
	return -1;
}

static void close_session(struct ssh_login *login)
{
	if (login->session) {
		ssh_disconnect(login->session);
		ssh_free(login->session);
		login->session = NULL;
	}
	if (login->fd >= 0)
		close(login->fd);
	login->fd = -1;
}

/* Hands the connected descriptor to a new session. */
static int make_session(struct ssh_login *login, int fd)
{
	const struct tunnel_options *o = &login->options;
	unsigned int port = (unsigned int)o->port;
	int no = 0;
	char user[256];
	struct passwd entry, *me = NULL;

	login->session = ssh_new();
	if (!login->session)
		abort();
	login->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (login->fd < 0) {
		close(fd);
		return error_errno(&login->err, errno, "cannot duplicate a descriptor");
	}
	ssh_set_blocking(login->session, 0);
	if (!o->user)
		getpwuid_r(geteuid(), &entry, user, sizeof(user), &me);
	if (ssh_options_set(login->session, SSH_OPTIONS_PROCESS_CONFIG, &no) ||
	    ssh_options_set(login->session, SSH_OPTIONS_HOST, o->host) ||
	    ssh_options_set(login->session, SSH_OPTIONS_PORT, &port) ||
	    ssh_options_set(login->session, SSH_OPTIONS_USER,
			    o->user ? o->user
			    : me    ? me->pw_name
				    : "root") ||
	    ssh_options_set(login->session, SSH_OPTIONS_CIPHERS_C_S, ciphers) ||
	    ssh_options_set(login->session, SSH_OPTIONS_CIPHERS_S_C, ciphers) ||
	    ssh_hostkey_set_options(login->session, o->known_hosts) ||
	    ssh_options_set(login->session, SSH_OPTIONS_FD, &fd)) {
		error_set(&login->err, ERROR_INVALID, "cannot use the address %s:%d: %s", o->host,
			  o->port, ssh_get_error(login->session));
		close(fd);
		return -1;
	}
	return 0;
}

static int fail_exchange(struct ssh_login *login)
{
	char shown[256];
	const char *why = ssh_get_error(login->session);

	if (ssh_get_serverbanner(login->session))
		return error_set(&login->err, ERROR_UNREACHABLE,
				 "the SSH key exchange with %s:%d failed: %s", login->options.host,
				 login->options.port,
				 printable_copy(shown, sizeof(shown), why, strlen(why)));
	return error_set(&login->err, ERROR_UNREACHABLE,
			 "%s:%d closed the connection before it said anything: too many logins at "
			 "once (MaxStartups in sshd_config), this address is shut out for a while "
			 "after failed logins (PerSourcePenalties there, or a program such as "
			 "fail2ban), or no SSH server is there",
			 login->options.host, login->options.port);
}

/* Banners and key exchange. 1: the server dropped the connection before it said anything. */
static int exchange_keys(struct ssh_login *login)
{
	const char *banner;
	int rc;

	while ((rc = ssh_connect(login->session)) == SSH_AGAIN)
		if (ssh_login_wait(login, "SSH key exchange"))
			return -1;
	banner = ssh_get_serverbanner(login->session);
	if (banner) {
		char shown[256];

		free(login->banner);
		login->banner =
			xstrdup(printable_copy(shown, sizeof(shown), banner, strlen(banner)));
	}
	if (rc == SSH_OK)
		return 0;
	fail_exchange(login);
	return banner ? -1 : 1;
}

static int pause_before_retry(struct ssh_login *login, int try)
{
	unsigned char noise = 0;

	/* Those who were dropped together should not come back together. */
	(void)!getrandom(&noise, 1, GRND_NONBLOCK);
	int64_t until_ms = io_now_ms() + (DROPPED_PAUSE_MS << try) + noise;
	if (until_ms >= login->deadline_ms)
		return -1;
	return wait_for(login, -1, 0, until_ms) < 0 ? -1 : 0;
}

static int connect_and_exchange(struct ssh_login *login, const struct addrinfo *list)
{
	for (int try = 0;; try++) {
		int fd = connect_any(login, list);

		if (fd < 0 || make_session(login, fd))
			return -1;
		int rc = exchange_keys(login);
		if (rc <= 0)
			return rc;
		close_session(login);
		if (try + 1 == DROPPED_TRIES || pause_before_retry(login, try))
			return -1;
		error_clear(&login->err);
	}
}

static int log_in(struct ssh_login *login)
{
	struct addrinfo *list;

	if (resolve(login, &list))
		return -1;
	int rc = connect_and_exchange(login, list);
	freeaddrinfo(list);
	if (rc)
		return -1;
	/* libssh makes the descriptor blocking when the connection comes up. */
	fcntl(login->fd, F_SETFL, fcntl(login->fd, F_GETFL) | O_NONBLOCK);
	if (ssh_hostkey_check(login))
		return -1;
	login->host_key_known = true;
	if (ssh_auth_run(login))
		return -1;
	ssh_set_blocking(login->session, 0);
	return 0;
}

void ssh_login_run(struct ssh_login *login)
{
	login->session = NULL;
	login->fd = -1;
	login->err = ERROR_INIT;
	login->deadline_ms = io_now_ms() + login->options.connect_timeout_ms;
	if (log_in(login))
		close_session(login);
	else
		login->err = ERROR_INIT;
}

void ssh_login_done(struct ssh_login *login)
{
	close_session(login);
	tunnel_options_done(&login->options);
	free(login->fingerprint);
	free(login->known_hosts_line);
	free(login->banner);
}
