/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps that changing a container takes, shared by creating, updating, replacing and
 * recovering one. All may be done again: what is done already is success.
 */
#pragma once

#include "reconcilers/container.h"
#include "reconcilers/container_calls.h"

/* Tells the caller of the pass, and its journal. */
void container_step(struct pass *pass, const struct action *action, const char *text);

/* Creates it under `name`, on all of its networks and with its files, not started. replaces: may be
 * NULL. */
MUST_CHECK int container_create(struct pass *pass, const struct action *action, const char *name,
				const struct object *replaces, const char **ret_id,
				struct error *err);
/* Connects it to the networks it should be on and to no others. Endpoints that are as they
 * should be stay. action: whose changes say which endpoints differ. */
MUST_CHECK int container_sync_networks(struct pass *pass, const struct action *action,
				       const char *id, struct error *err);
/* Puts action->namesake aside, which has the name still: names may be swapped. */
MUST_CHECK int container_make_room(struct pass *pass, const struct action *action,
				   struct error *err);
/* Starts it; where a port is taken the error says by whom. */
MUST_CHECK int container_start(struct pass *pass, const char *id, struct error *err);

/* The old one has stopped: ERROR_REFUSED where it has written what the plan did not see, and nobody
 * has agreed to lose. */
MUST_CHECK int container_layer_is_kept(struct pass *pass, const struct action *action,
				       const char *id, struct error *err);

/* --- container_wait.c --- */

/*
 * The gate a started container must pass. With a health check: healthy within start_period +
 * retries x (interval + timeout). Without: up through `monitor` with RestartCount and StartedAt
 * unchanged, since a crash loop reads "running" most of the time. The error has its last log
 * lines. *ret_found_wanting: it was the container that failed, not the asking.
 */
MUST_CHECK int container_gate(struct pass *pass, const struct resource *want, const char *id,
			      bool *ret_found_wanting, struct error *err);
/* Waits until a container that shall complete has exited with 0; one that takes long is left
 * running, which is success. */
MUST_CHECK int container_wait_completed(struct pass *pass, const struct resource *want,
					const char *id, struct error *err);
struct replacement;

/* Waits for what depends_on names. `along`: the replacement that it goes along with as a sharer,
 * or NULL. */
MUST_CHECK int container_wait_dependencies(struct pass *pass, const struct action *action,
					   const struct replacement *along, struct error *err);

/* --- container_replace.c --- */

/* Two containers, one of which takes the other's place. Strings live in the pass's arena. */
struct replacement {
	struct pass *pass;
	const struct action *action;
	const char *name;	     /* that the new one shall have */
	const char *old_name;	     /* that the old one gets back */
	const char *old_id;	     /* NULL: there is none any more */
	const char *old_policy;	     /* restart policy that it gets back; NULL: not known */
	const char *new_id;	     /* NULL: there is none (yet, or any more) */
	bool start_old, pause_old;   /* what it gets back to */
	bool stop_is_doubtful;	     /* the answer got lost: the engine may still be at it */
	bool start_first;	     /* the old one is not stopped before the end */
	bool found_wanting;	     /* the new one did not prove itself */
	bool told_to_stop;	     /* start_first: the old one has had its pre_stop */
	bool old_is_gone;	     /* removed by itself: the new one is all there is */
	struct replacement *sharers; /* of ours, replaced with it; want NULL: only stopped */
	size_t sharer_count;
};

/* "<id>,<policy>" of the label drey.replaces. False when malformed. */
bool replacement_read_label(struct arena *arena, const char *label, const char **ret_id,
			    const char **ret_policy);
/* Before anything is touched: its image is there, its temporary name free; looks at the old one. */
MUST_CHECK int replacement_prepare(struct replacement *replacement, struct error *err);
/* Creates the new one under its temporary name. */
MUST_CHECK int replacement_create(struct replacement *replacement, struct error *err);
/* Where it is asked for; once the old one is stopped: earlier, a backup loses the last writes. */
MUST_CHECK int replacement_back_up(const struct replacement *replacement, struct error *err);
/* From both created and the old one stopped to the gate: names, policy, start. */
MUST_CHECK int replacement_switch(struct replacement *replacement, struct error *err);
/* Its post_start and the gate; where failure_action is continue, what does not pass counts all the
 * same. */
MUST_CHECK int replacement_prove(struct replacement *replacement, struct error *err);
/* Start-first, past the gate: both run, the new one takes the name and the old one's policy is
 * "no". */
MUST_CHECK int replacement_swap_names(struct replacement *replacement, struct error *err);
/* What failed the gate is left for a look: the old one, or where that serves on the new one, gets
 * the name NAME.drey-held. */
MUST_CHECK int replacement_hold(struct replacement *replacement, struct error *err);
/* Past the gate, and stopped unless it started first: removes the old one. */
MUST_CHECK int replacement_finish(struct replacement *replacement, struct error *err);
/* The old one, which has served before: what its post_start says is told, and costs nothing. */
MUST_CHECK int replacement_start_old(const struct replacement *replacement, struct error *err);
/* Removes the new one; the old one has its name and policy again, and is not started. */
MUST_CHECK int replacement_put_back(struct replacement *replacement, struct error *err);
/* The same, of its sharers too; then starts what ran. May be called at any point, again too. Does
 * nothing where the old one is gone: the new one stays. */
MUST_CHECK int replacement_undo(struct replacement *replacement, struct error *err);

MUST_CHECK int container_replace(struct pass *pass, const struct action *action, struct error *err);

/* --- container_sharers.c --- */

/* Fills in replacement->sharers: those of ours that run in the old one's namespaces. */
void sharers_find(struct replacement *replacement);
/* Those that a run which died had stopped for it, after `since` (RFC 3339), and that are to run:
 * what starts the old one again starts them. */
void sharers_find_stopped(struct replacement *replacement, const char *since);
MUST_CHECK int sharers_prepare(struct replacement *replacement, struct error *err);
MUST_CHECK int sharers_stop(const struct replacement *replacement, struct error *err);
MUST_CHECK int sharers_back_up(const struct replacement *replacement, struct error *err);
/* Once what they share runs: creates the new ones and leads each through its gate. */
/* Comes before `want` whatever else does, since that refers to what is replaced: a sharer does not
 * wait for it. */
bool sharers_precede(const struct replacement *replacement, const struct resource *want);
MUST_CHECK int sharers_switch(struct replacement *replacement, struct error *err);
MUST_CHECK int sharers_finish(struct replacement *replacement, struct error *err);
MUST_CHECK int sharers_undo(struct replacement *replacement, struct error *err);
MUST_CHECK int sharers_start(const struct replacement *replacement, struct error *err);
/* Stops and starts those of a container that was started again, which has other namespaces now. */
MUST_CHECK int sharers_restart(struct pass *pass, const struct action *action, struct error *err);
/* *ret_id: the container that took the place of action->have when what it shares was replaced, a
 * moment ago; NULL: none did. */
MUST_CHECK int sharer_was_replaced(struct pass *pass, const struct action *action,
				   const char **ret_id, struct error *err);
