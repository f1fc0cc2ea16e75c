/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the tunnel: tunnel.c has the thread and its queue, tunnel_session.c the connection of
 * one host, tunnel_channel.c one channel.
 *
 * What may be touched where: `struct tunnel_queue` and what is marked (lock) by any thread under
 * queue->lock; everything else by the I/O thread alone. A login belongs to its own thread until
 * that has put it into queue->finished.
 *
 * Within one turn of the I/O thread nothing is freed that an epoll event of that turn may point
 * to, and no libssh callback frees or opens anything: callbacks move bytes and set flags, and
 * tunnel_host_settle() acts on the flags.
 */
#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controller/base/str.h"
#include "controller/host/ssh_login.h"
#include "controller/host/tunnel.h"

enum {
	TUNNEL_SCRATCH = 64 * 1024,
	TUNNEL_OUTPUT_CEILING = 64 * 1024, /* of a command */
	TUNNEL_STDERR_CEILING = 4 * 1024,
	/* sshd's MaxSessions is 10 by default; doctor and diagnosis need two. */
	TUNNEL_COMMANDS_AT_ONCE = 8,
};

/* A descriptor in the I/O thread's epoll set. */
struct tunnel_watch {
	enum { WATCH_QUEUE, WATCH_LISTEN, WATCH_SESSION, WATCH_LOCAL } kind;
	int fd;
	uint32_t events;
	bool on;
	void *owner;
};

/* What another thread asks of the I/O thread, and waits for. */
struct tunnel_request {
	enum { REQUEST_ADD, REQUEST_REMOVE, REQUEST_INTERRUPT, REQUEST_CONNECT, REQUEST_EXEC } kind;
	struct tunnel_host *host;
	const char *command;
	char *output;
	int exit_status;
	struct error err;
	bool done; /* (lock) */
	pthread_cond_t done_cond;
	STAILQ_ENTRY(tunnel_request) link;
};

STAILQ_HEAD(tunnel_requests, tunnel_request);
STAILQ_HEAD(tunnel_attempts, tunnel_attempt);

/* Outlives the tunnel while a login sits in name resolution. */
struct tunnel_queue {
	pthread_mutex_t lock;
	int refs;
	int event_fd;
	bool closed;   /* the tunnel is going: logins free themselves */
	int stoppable; /* logins that tunnel_free() waits for */
	pthread_cond_t stoppable_cond;
	struct tunnel_requests requests;
	struct tunnel_attempts finished;
};

/* A login on its way. */
struct tunnel_attempt {
	struct ssh_login login; /* the thread's */
	struct tunnel_queue *queue;
	struct tunnel_host *host; /* NULL once nobody waits for it any more */
	int64_t started_ms, deadline_ms;
	bool cancelled; /* (lock) */
	int agent_fd;	/* (lock) -1: none */
	STAILQ_ENTRY(tunnel_attempt) link;
	LIST_ENTRY(tunnel_attempt) active;
};

/* Bytes that could not be written at once. */
struct tunnel_chunk {
	char *data;
	size_t at, len;
};

enum tunnel_purpose {
	PURPOSE_PUMP,	  /* between `local` and the engine */
	PURPOSE_CONNECT,  /* opened, to see whether it can be; then a spare */
	PURPOSE_EXEC,	  /* a command of tunnel_host_exec() */
	PURPOSE_DIAGNOSE, /* a command that tells why the engine's socket can't be opened */
	PURPOSE_PROMPT,	  /* `true`, after which sshd sends small packets at once */
	PURPOSE_SPARE,	  /* open, for whoever comes next: saves a round trip */
};

struct tunnel_channel {
	struct tunnel_host *host;
	enum tunnel_purpose purpose;
	enum {
		CHANNEL_WAITING, /* for the connection, or a free session */
		CHANNEL_OPENING,
		CHANNEL_REQUESTING, /* open; the exec request is under way */
		CHANNEL_PUZZLED,    /* refused; the diagnosis will say what to do */
		CHANNEL_OPEN,
		CHANNEL_DONE,
	} phase;
	ssh_channel ssh;
	struct ssh_channel_callbacks_struct callbacks;
	struct tunnel_watch local; /* fd -1: none */
	struct tunnel_request *request;
	char *command; /* NULL: direct-streamlocal */
	struct str output, errors;
	int exit_status;
	int64_t opening_ms;  /* when it was asked for */
	int64_t deadline_ms; /* 0: none */
	bool retried;	     /* on a second connection after the first proved dead */
	bool dial_stdio;
	bool answered;	 /* something came from the engine */
	bool backlog;	 /* libssh holds bytes that `local` had no room for */
	bool held;	 /* not reading `local`: window closed, or the connection is full */
	bool local_eof;	 /* nothing more comes from `local` */
	bool local_gone; /* `local` takes nothing more either */
	bool eof_sent;	 /* the far side was told of local_eof */
	bool remote_eof, remote_closed, local_shut;
	struct tunnel_chunk to_local, to_remote;
	TAILQ_ENTRY(tunnel_channel) link;
};
TAILQ_HEAD(tunnel_channels, tunnel_channel);

/* Strings that callers may hold as long as the host lives. */
struct tunnel_kept {
	struct tunnel_kept *next;
	char text[];
};

struct tunnel_host {
	struct tunnel *tunnel;
	struct tunnel_options options;
	char *target; /* "user@host:port", for messages */
	char *socket_path;
	struct tunnel_request add, begin;
	/* Whether `begin` was sent, and has told somebody what came of it. (lock) */
	enum { BEGUN_NOT, BEGUN_WAITS, BEGUN_TOLD } begun;

	struct error error;	      /* (lock) of the last attempt */
	struct tunnel_host_info info; /* (lock) */
	struct tunnel_kept *kept;     /* (lock) */

	enum { HOST_DOWN, HOST_QUEUED, HOST_LOGGING_IN, HOST_UP } state;
	struct tunnel_watch listen, session;
	struct tunnel_attempt *attempt;
	ssh_session ssh;
	ssh_event event;
	struct tunnel_channels channels;
	int commands; /* session channels that are open or being opened */
	enum { DIAGNOSIS_NONE, DIAGNOSIS_RUNNING, DIAGNOSIS_USABLE, DIAGNOSIS_BAD } diagnosis;
	struct error diagnosis_err;
	bool dial_stdio;
	bool touched;
	bool news; /* a callback has set a flag on a channel */
	int64_t prompt_at_ms;
	LIST_ENTRY(tunnel_host) link;
	TAILQ_ENTRY(tunnel_host) touched_link, queued_link;
};

struct tunnel {
	const struct logger *log;
	struct tunnel_queue *queue;
	pthread_t thread;
	char *dir;
	unsigned int sockets; /* (lock) */
	int callers;	      /* (lock) threads that wait in a request */
	pthread_cond_t callers_cond;
	bool stop; /* (lock) */

	int epoll_fd;
	struct tunnel_watch wake;
	LIST_HEAD(tunnel_host_list, tunnel_host) hosts;
	LIST_HEAD(tunnel_active, tunnel_attempt) active;
	TAILQ_HEAD(tunnel_hosts, tunnel_host) touched, queued;
	struct tunnel_channels graveyard;
	struct tunnel_host_list removed;
	int64_t next_check_ms;
	char scratch[TUNNEL_SCRATCH];
};

/* --- tunnel.c */

/* Brings what epoll watches in line with watch->events; 0 events still report a hang-up. */
void tunnel_watch_set(struct tunnel *tunnel, struct tunnel_watch *watch, uint32_t events);
void tunnel_watch_off(struct tunnel *tunnel, struct tunnel_watch *watch);
/* The host is settled before the thread sleeps again. */
void tunnel_touch(struct tunnel_host *host);
/* The thread wakes up at that time at the latest and calls tunnel_host_check(). */
void tunnel_wake_at(struct tunnel *tunnel, int64_t at_ms);
void tunnel_request_done(struct tunnel *tunnel, struct tunnel_request *request);
/* NULL: the last attempt went well. */
void tunnel_host_set_error(struct tunnel_host *host, const struct error *err);

/* --- tunnel_session.c */

void tunnel_queue_unref(struct tunnel_queue *queue);
void tunnel_attempt_free(struct tunnel_attempt *attempt);
/* Brings the connection up unless it is, or is being brought up. */
void tunnel_host_need(struct tunnel_host *host);
/* Starts what waits for a login slot and may go now. */
void tunnel_start_logins(struct tunnel *tunnel);
void tunnel_attempt_finished(struct tunnel *tunnel, struct tunnel_attempt *attempt);
void tunnel_attempt_cancel(struct tunnel_attempt *attempt);
/* Moves everything that can be moved; ends when nothing more can. */
void tunnel_host_settle(struct tunnel_host *host);
/* Time-outs. */
void tunnel_host_check(struct tunnel_host *host, int64_t now_ms);
/* Closes connection and channels, with *err as the reason. */
void tunnel_host_fail(struct tunnel_host *host, const struct error *err);
/* True while libssh holds bytes that the connection has no room for. */
bool tunnel_host_is_full(struct tunnel_host *host);

/* --- tunnel_channel.c */

struct tunnel_channel *tunnel_channel_new(struct tunnel_host *host, enum tunnel_purpose purpose);
/* For a connection to the engine that was just accepted: the spare one, or a new one. */
struct tunnel_channel *tunnel_channel_for_pump(struct tunnel_host *host);
/* Does what can be done next. */
void tunnel_channel_settle(struct tunnel_channel *channel);
/* `local` is ready. */
void tunnel_channel_event(struct tunnel_channel *channel, uint32_t events);
/* Ends it; err is NULL when it ended well. The struct goes when the turn ends. */
void tunnel_channel_finish(struct tunnel_channel *channel, const struct error *err);
/* The connection is gone, and ssh_free() took the libssh channel along. */
void tunnel_channel_lost(struct tunnel_channel *channel, const struct error *err);
void tunnel_channel_free(struct tunnel_channel *channel);
