/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Getting an SSH connection up: name resolution, TCP, key exchange, host key check, login, as
 * straight-line code that waits. It runs in a thread of its own, because name resolution, an
 * agent that asks its user, and reading known_hosts would hold up every other host otherwise.
 */
#pragma once

#include <libssh/libssh.h>
#include <stdint.h>

#include "controller/base/error.h"
#include "controller/host/tunnel.h"

struct ssh_login {
	struct tunnel_options options; /* own copies, see tunnel_options_copy() */
	int cancel_fd;		       /* an eventfd: readable means: give up */
	/* Brackets the one wait that nothing can end, getaddrinfo(3). */
	void (*unstoppable)(void *ctx, bool begins);
	/* Called with the agent's socket before it is asked, with -1 after: an agent may wait for
	 * a person, and only shutdown(2) on its socket ends that. */
	void (*agent_asked)(void *ctx, int fd);
	void *ctx;

	/* Results. On success `session` is non-blocking and `fd` a duplicate of its descriptor:
	 * libssh closes its own when the connection breaks, so epoll must not depend on it. */
	ssh_session session;
	int fd;
	bool host_key_known;
	char *fingerprint, *known_hosts_line, *banner; /* as far as it got; free(3) */
	struct error err;			       /* ERROR_NONE on success */

	int64_t deadline_ms;
};

/* Deep copy; the password is wiped by tunnel_options_done(). */
void tunnel_options_copy(struct tunnel_options *to, const struct tunnel_options *from);
void tunnel_options_done(struct tunnel_options *options);

/* Fills in the results. Everything together takes options.connect_timeout_ms at most, name
 * resolution apart. */
void ssh_login_run(struct ssh_login *login);

/* Frees what is still there; a caller that keeps the session takes it, and fd, out first. */
void ssh_login_done(struct ssh_login *login);
