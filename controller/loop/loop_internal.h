/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the loop share: loop.c turns it, loop_hosts.c has the life of a host,
 * loop_manifests.c loads, look.c is what a worker does.
 *
 * Who may touch what: `struct loop` is the main thread's but for what is marked. A host's
 * `struct look` is its worker's from pool_submit() to MESSAGE_DONE, the main thread's otherwise.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "controller/fleet/visit.h"
#include "controller/loop/backoff.h"
#include "controller/loop/conditions.h"
#include "controller/loop/events.h"
#include "controller/loop/loop.h"
#include "controller/loop/mailbox.h"
#include "controller/loop/pool.h"
#include "controller/loop/queue.h"
#include "controller/loop/settle.h"
#include "controller/loop/stall.h"
#include "controller/loop/watch.h"

/* One look: what it is to go by, and what has to be remembered between looks. */
struct look {
	struct manifest_set *set;	 /* a reference */
	const struct resource *resource; /* the Host, in set */
	char *revision;
	uint64_t generation; /* of the set */
	bool sweep;	     /* the set is a new one */
	struct stall *stall;
	int64_t took_ms;
	bool success, acted;
	int64_t retry_ms; /* -1: none */
	/* While it runs. */
	struct visit visit;
	struct report *report;
	unsigned steps; /* journalled of the action that runs */
};

struct loop_host {
	struct loop *loop;
	char *name;
	struct manifest_set *set; /* a reference: `resource` is in it */
	const struct resource *resource;
	struct connection connection;
	bool connected;	       /* connection_init() went well */
	struct error init_err; /* else: why not */
	struct events *events; /* NULL: none, or ended */
	struct engine_options events_options;
	char *socket_path;
	struct settle *settle;
	struct look look;
	/* The worker's: what registries said, kept for LOOP_REGISTRY_MS, since each question counts
	 * against a limit there. */
	json_t *digests;
	int64_t digests_ms;

	bool running;	/* a look is under way */
	bool retiring;	/* its connection is to be taken down as soon as nothing uses it */
	bool listening; /* the event stream is open */
	bool in_step;
	uint64_t generation; /* of the set it was last seen in step or not with; 0: never */
	uint64_t swept;	     /* generation whose resources the state has been cleared for */
	char *said;	     /* what was last logged of its trouble; NULL: none */

	atomic_bool cancelled;	 /* ends at the next safe point */
	atomic_bool acting;	 /* changes are being made */
	atomic_bool look_wanted; /* a MESSAGE_LOOK is under way */
	atomic_bool renegotiate; /* the engine was away: ask anew what it speaks */
	/* Held while the connection's engine is dropped (worker) or interrupted (main). */
	pthread_mutex_t connection_lock;
	/* Under loop->twins_lock: the engine's ID as /info tells it. */
	char *engine_id;
};

struct loop {
	struct loop_options options;
	const struct logger *log;
	int epoll_fd, signal_fd, lock_fd;
	struct watch *watch;
	struct mailbox *mailbox;
	struct tunnel *tunnel; /* NULL until a remote host needs it */
	struct pool *pool;
	struct queue *queue;
	struct conditions *conditions;
	struct backoff chance;

	struct manifest_set *set; /* in force; NULL: none yet */
	char *revision, *subject;
	uint64_t generation; /* counts sets that came into force */
	char *faults;	     /* what was last said about broken manifests; NULL: they are fine */
	char *status;	     /* of the revision, as last recorded */

	char *told; /* systemd */

	VEC(struct loop_host *) hosts; /* items: main; the list itself under twins_lock */
	pthread_mutex_t twins_lock;
	size_t running;
	bool forced;	      /* the next load has every host looked at, changed or not */
	unsigned torn;	      /* loads in a row that something was changed under */
	int64_t reload_at_ms; /* secrets and revision are read again */
	int64_t watchdog_ms, watchdog_at_ms;
	int64_t obstacle_said_ms;
	int64_t rest_at_ms; /* when what an idle loop does not need is given up */
	int stopping;	    /* signals that asked for the end */
	atomic_bool cancelled;
};

/* --- look.c: a pool's job; arg is a struct loop_host. */
void look_run(void *arg);

/* --- loop_hosts.c */
/* Brings the hosts in line with loop->set. */
void hosts_update(struct loop *loop);
/* Starts looks that are due, as far as there are workers. */
void hosts_dispatch(struct loop *loop, int64_t now_ms);
/* A stream or a look of a host has ended. */
void hosts_look_done(struct loop *loop, struct loop_host *host);
void hosts_stream_ended(struct loop *loop, struct loop_host *host);
void hosts_stop(struct loop *loop); /* every host is to end at its next safe point */
void hosts_cut(struct loop *loop);  /* what runs is cut off */
bool hosts_are_busy(const struct loop *loop);
/* Engines of hosts that nobody looks at: each takes 50 KiB, and is made again in no time. */
void hosts_rest(struct loop *loop);
void hosts_free(struct loop *loop);

/* --- loop_manifests.c */
/* Reads the directory, which rests. */
void manifests_load(struct loop *loop);
/* Has it read again for what no digest tells (values of secrets, the revision), and for what the
 * watch may have missed. */
void manifests_refresh(struct loop *loop);
/* The revision's status, judged by the hosts. */
void manifests_judge(struct loop *loop);
int64_t manifests_time_ms(void); /* CLOCK_REALTIME */
