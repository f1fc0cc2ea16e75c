/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The containers that use a volume, held still while it is copied, and set going again whatever
 * happened in between. Should drey die meanwhile, the next `drey apply` or the controller starts
 * them: their manifests say that they run.
 */
#pragma once

#include "reconcilers/reconciler.h"

enum quiesce { QUIESCE_STOP, QUIESCE_PAUSE, QUIESCE_NONE };

struct user {
	char *id, *name;
	size_t rank; /* place in the order of starting */
	bool ours, writes, held;
	bool shares;   /* the namespaces of a user, or of one that does */
	bool job;      /* runs once: its manifest says `state: completed` */
	bool paused;   /* by somebody else, before */
	bool doubtful; /* whether it is stopped: the answer got lost */
};

struct users {
	struct user *items;
	size_t count;
	enum quiesce quiesce;
	bool no_choice; /* no manifest could say `while: paused` instead */
};

/* The running containers that mount the volume, asked from the engine at this moment. */
MUST_CHECK int users_find(struct pass *pass, const char *engine_volume, struct users *ret_users,
			  struct error *err);
/* Stops or pauses them, dependants first; with those that are stopped, the containers that share
 * their namespaces, which join the list. A foreign container that writes to the volume is never
 * touched, nor is a job stopped: ERROR_REFUSED, and nothing is held. What was held when it fails
 * is set going again. */
MUST_CHECK int users_hold(struct pass *pass, struct users *users, enum quiesce quiesce,
			  struct error *err);
/* ERROR_CONFLICT when a container that writes to the volume was set going meanwhile. */
MUST_CHECK int users_check_still(struct pass *pass, const char *engine_volume,
				 const struct users *users, struct error *err);
/* Sets going what was held, in the order of starting, and paused again what was paused. Tries
 * all, and for minutes where the host can't be reached; the first error is reported. */
MUST_CHECK int users_release(struct pass *pass, struct users *users, struct error *err);
/* Names of the users, as a JSON array. New reference. */
json_t *users_names(const struct users *users);
void users_done(struct users *users);
