/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Desired + observed -> plan. Pure: no I/O, no clock, no log. What `drey diff` prints and what
 * `drey apply` executes are the same object.
 */
#pragma once

#include "reconcilers/reconciler.h"

struct plan_options {
	bool prune;		    /* --prune, or the Project's */
	const char *selector;	    /* metadata.labels of resources; NULL: all */
	const char *const *targets; /* "Container/web" or "Container/web@h1"; NULL: all */
	size_t target_count;
	/* A Volume: what does not mount it is left as it is. NULL: nothing is. */
	const char *users_of;
	int max_removals_percent; /* 10 */
	int max_removals;	  /* floor of the cap: 3 */
};

/* The plan of one host. Lives in its arena; borrows from the pass and the set. */
struct plan {
	const char *host;
	const char *project;
	struct action *actions; /* in the order they are executed; removals last */
	size_t count;
	const char **warnings; /* about the host as a whole */
	size_t warning_count;
	size_t unfinished; /* interrupted changes that apply finishes or undoes before all else */
	const bool *target_hits; /* for each target: it names something here, or in the set */
	bool over_cap;		 /* plan_build() failed for this: prune would remove too much */
};

/* Fills *ret_plan. ERROR_REFUSED when prune would empty the host or pass the removal cap
 * (nothing is planned then); ERROR_INVALID for a target or selector that matches nothing. */
MUST_CHECK int plan_build(const struct pass *pass, const struct plan_options *options,
			  struct arena *arena, struct plan *ret_plan, struct error *err);

struct plan_summary {
	size_t keep, create, update, replace, remove, refuse, leftover;
	size_t unfinished; /* interrupted changes */
};
void plan_summarize(const struct plan *plan, struct plan_summary *summary); /* adds to it */
/* Anything but keep and leftover, or an interrupted change? */
bool plan_has_differences(const struct plan *plan);
