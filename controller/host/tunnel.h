/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnel: one I/O thread that holds every SSH connection and makes each remote engine look
 * like a local Unix socket.
 *
 * For each host there is a private pathname socket (directory 0700, peer uid checked). For every
 * connection accepted on it the thread opens a direct-streamlocal@openssh.com channel to the
 * engine's socket on that host (OpenSSH PROTOCOL section 2.4), falling back to an exec of
 * `docker system dial-stdio` where forwarding is refused, and pumps bytes both ways with back
 * pressure. Above it nothing knows whether an engine is near or far.
 *
 * The connection to a host comes up at the first use and again after it broke; a failed attempt
 * is remembered, so that its reason can be asked for with tunnel_host_error(). Simultaneous
 * handshakes are capped per server (sshd's MaxStartups).
 *
 * All functions may be called from any thread. A connection is made by a thread of its own and
 * then belongs to the I/O thread; libssh is never in one session twice.
 */
#pragma once

#include "controller/base/error.h"
#include "controller/base/log.h"

#include <stdbool.h>

struct tunnel;
struct tunnel_host;

struct tunnel_options {
	const char *name; /* the Host's name, for messages */
	const char *user; /* NULL: the user who runs drey */
	const char *host; /* name or address */
	int port;
	const char *identity_file; /* private key; NULL: none */
	bool agent;		   /* ask the agent of $SSH_AUTH_SOCK */
	const char *password;	   /* NULL: none; copied, wiped when the host goes */
	const char *known_hosts;   /* file; strictly checked. NULL: ~/.ssh/known_hosts */
	const char *docker_socket; /* on the host */
	int connect_timeout_ms;	   /* for TCP, key exchange and login together */
};

/* Starts the thread and makes the private directory ($XDG_RUNTIME_DIR or $TMPDIR or /tmp). */
MUST_CHECK int tunnel_new(const struct logger *log, struct tunnel **ret_tunnel, struct error *err);
/* Closes every connection, ends the thread, removes sockets and directory. NULL is allowed. */
void tunnel_free(struct tunnel *tunnel);

/* Makes the socket; does not connect. Options are copied. */
MUST_CHECK int tunnel_add_host(struct tunnel *tunnel, const struct tunnel_options *options,
			       struct tunnel_host **ret_host, struct error *err);
void tunnel_remove_host(struct tunnel_host *host);

/* Path of the host's local socket; valid until the host is removed. */
const char *tunnel_host_socket(const struct tunnel_host *host);

/* Waits until the connection is up and a channel to the engine's socket could be opened, or that
 * failed. ERROR_UNREACHABLE, ERROR_TIMEOUT, ERROR_DENIED (login, host key: the text has the
 * fingerprint and the known_hosts line to add after it was verified; or the user may not use the
 * engine's socket), ERROR_NOT_FOUND (no engine socket). Wakes up with ERROR_CANCELLED when the
 * tunnel is being freed. To try the login alone: tunnel_host_exec(host, "true", ...). */
MUST_CHECK int tunnel_host_connect(struct tunnel_host *host, struct error *err);

/* Begins that without waiting, once in the life of a host: the next tunnel_host_connect() waits for
 * this attempt and tells what came of it. */
void tunnel_host_begin(struct tunnel_host *host);

/* Ends the connection, or the attempt at one: who waits for it or uses it gets ERROR_CANCELLED.
 * Does not wait for that. The next use makes a new connection. */
void tunnel_host_interrupt(struct tunnel_host *host);

/* Why the last connection or channel attempt failed: fills *err and returns -1; 0 when there is
 * no failure to tell of. */
int tunnel_host_error(struct tunnel_host *host, struct error *err);

/*
 * Runs a short command by the login shell of the host's user, over the same connection (made
 * when it is not up). *ret_output (free(3) it) is what it wrote to stdout and then stderr, 64 KiB
 * at most, the rest dropped; *ret_exit_status 0 to 255, or 256 when a signal ended it. A command
 * that fails is no error; one that has not ended within connect_timeout_ms is ERROR_TIMEOUT, a
 * server that runs no commands ERROR_DENIED. Quote with tunnel_quote().
 */
MUST_CHECK int tunnel_host_exec(struct tunnel_host *host, const char *command, char **ret_output,
				int *ret_exit_status, struct error *err);

/* The text as one word of a POSIX shell, in single quotes. free(3) it. */
char *tunnel_quote(const char *text);

/* What `drey doctor` shows of the server: filled after a key exchange, even a refused one.
 * Strings live as long as the host; NULL when unknown. */
struct tunnel_host_info {
	const char *fingerprint; /* "SHA256:…" of the key the server showed */
	bool host_key_known;	 /* known_hosts has that very key */
	/* The line that would make it known; NULL where the file says otherwise of this host. */
	const char *known_hosts_line;
	const char *banner; /* "SSH-2.0-OpenSSH_9.2p1" */
	/* What the last opening of a channel to the engine's socket took; 0: there was none, or
	 * its channels are commands, of which sshd allows few. */
	int round_trip_ms;
};
void tunnel_host_info(struct tunnel_host *host, struct tunnel_host_info *ret_info);
