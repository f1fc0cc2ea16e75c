/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries a plan out: actions whose dependencies have succeeded run, in order; a failure blocks
 * only its dependants. Containers that have nothing to do with each other come, go and start
 * several at a time.
 */
#pragma once

#include "controller/plan/plan.h"

enum outcome {
	OUTCOME_DONE,
	OUTCOME_KEPT,	 /* nothing to do */
	OUTCOME_FAILED,	 /* err says why */
	OUTCOME_REFUSED, /* the plan said so */
	OUTCOME_BLOCKED, /* something it needs failed; err says what */
	OUTCOME_CANCELLED,
	OUTCOME_SKIPPED, /* nothing on the host was begun; err says why */
};
const char *outcome_name(enum outcome outcome);

struct result {
	const struct action *action;
	enum outcome outcome;
	struct error err;
	int64_t duration_ms;
};

struct results {
	struct result *items; /* one per action, in the plan's arena */
	size_t count, done, failed, refused, blocked, skipped;
};

/* Would anything be changed? */
bool plan_changes_anything(const struct plan *plan);
/* The results of a plan none of which is carried out. */
void plan_skip(const struct plan *plan, struct arena *arena, const struct error *why,
	       struct results *ret_results);

/* `done` is told of each result as it comes, in this thread; may be NULL. Hooks of the pass may run
 * in another one, never two at once. */
void plan_execute(struct pass *pass, const struct plan *plan, struct arena *arena,
		  void (*done)(void *ctx, const struct result *result), void *ctx,
		  struct results *ret_results);
