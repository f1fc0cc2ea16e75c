/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What diff, apply and backup begin with: manifests, revision, a fleet, its plans. */
#pragma once

#include "controller/cli/command.h"
#include "controller/cli/progress.h"
#include "controller/cli/revision.h"
#include "controller/fleet/fleet.h"

#include <signal.h>

struct session {
	struct context *context;
	struct manifest_set *set;
	struct fleet *fleet;
	struct revision revision;
	struct progress_view *progress;
	char *state_dir;
	struct conditions *record; /* what is known to be written soon; else NULL */
	int lock; /* -1, or the state directory's: one drey at a time changes hosts */
	struct plan_summary summary; /* after session_plan() */
	size_t failed;		     /* hosts that could not be planned */
	json_t *not_ready;	     /* after session_wait(): rows {host, resource, message} */
	sigset_t old_mask;	     /* where `blocked`: signals wait for the fleet */
	bool blocked;
	const char *stray_target; /* a --target that names nothing on any host, or NULL */
};

/* Loads, picks hosts, says so when the engine of this machine is meant (and refuses that where
 * nobody could have seen it). `options` may preset write, begin and backup. Returns an exit code:
 * on EXIT_IN_STEP go on and end with session_done(); else all has been said. */
int session_start(struct session *session, struct context *context,
		  const struct fleet_options *preset);
void session_done(struct session *session);

/* Leaves a host that was planned out of all that follows; *err says why. */
void session_leave_out(struct session *session, struct visit *visit, const struct error *err);

/* Takes the state directory's lock, until session_done(). EXIT_REFUSED, and all has been said, when
 * another drey has it. */
int session_lock(struct session *session);

/* Asks whether to go on, unless --yes says so. EXIT_IN_STEP: yes; else all has been said: "no",
 * interrupted, or nobody can be asked. */
int session_confirm(struct session *session, const char *question);
/* Plans all hosts. */
void session_plan(struct session *session);
/* Does a --target name nothing anywhere? Then *err says so. */
bool session_stray(const struct session *session, struct error *err);
/* On stderr: why hosts could not be planned. */
void session_print_failures(const struct session *session);
/* Carries the plans out, telling of results and recording them; returns the exit code. */
int session_execute(struct session *session);
/* fleet_run() with progress; returns 130 when it was interrupted, else 0. */
int session_run(struct session *session, void (*task)(void *ctx, struct visit *visit), void *ctx);
/* Prints what the plans say, and on stderr why hosts could not be planned. */
void session_print_plans(const struct session *session);
/* The same as the members "project", "revision", "hosts" and "summary" of a JSON document. */
void session_add_json(const struct session *session, json_t *document);
/* The member "results": what came of each action. New reference. */
json_t *session_results_json(const struct session *session);
/* 130 when interrupted, EXIT_PARTIAL when hosts failed, else 0. EXIT_USAGE and EXIT_REFUSED (a
 * --target that names nothing, a removal cap that some host would pass) concern all hosts:
 * nothing may be executed then. */
int session_exit(const struct session *session);
/* What session_exit() says means that nothing may be carried out, nor saved to be carried out. */
bool session_is_void(int code);
