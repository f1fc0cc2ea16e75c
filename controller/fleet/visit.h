/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One host, one pass: open -> plan -> execute -> close. Blocking, straight-line, in whichever one
 * thread owns the visit. Both the commands and the controller do their work by visits.
 */
#pragma once

#include "controller/fleet/connection.h"
#include "controller/plan/execute.h"
#include "controller/plan/plan.h"

struct visit_options {
	const char *revision;
	const struct logger *log;
	struct pass_hooks hooks;
	struct plan_options plan;
	/* Where the host is locked while it may be changed; NULL: it is only looked at. */
	const char *state_dir;
	json_t *digests;     /* see struct pass; NULL: registries are asked anew */
	bool write;	     /* recovery of interrupted replacements is allowed */
	const char *purpose; /* what for, as others who wait are told: "apply" */
	int lock_timeout_ms; /* how long another drey's lease of the engine is waited for */
	/* May changes begin on this host, by what became of those on others? -1 and *err: no. Gets
	 * the hooks' ctx; NULL: yes. */
	int (*admit)(void *ctx, struct error *err);
	/* The plan may be made anew where another drey changed the host since: nobody was asked
	 * about this very one. Else such a host is left alone. */
	bool replan;
};

struct visit {
	const struct resource *host;
	struct connection *connection; /* borrowed */
	struct manifest_set *set;      /* a reference of its own */
	struct arena *arena;
	struct pass pass;
	struct plan plan;
	struct results results;
	struct visit_options options;
	struct lease *lease; /* NULL: the engine may not be changed now */
	int host_lock;	     /* -1, or a shared hold on the host: nobody backs it up meanwhile */
	bool outdated;	     /* what was observed was about to change by itself */
	bool observed;	     /* what the host has is known, whatever came of the plan */
	bool planned, recovered; /* recovered: an earlier run's leavings were put right */
	/* Why the host could not be planned, its plan was not begun, or was ended before its end.
	 */
	struct error err;
};

/* Observes and plans. On failure visit->err tells, and -1. */
MUST_CHECK int visit_plan(struct visit *visit, struct connection *connection,
			  struct manifest_set *set, const struct resource *host,
			  const struct visit_options *options);
/* Takes the lease of the engine (controller/fleet/lease.h), waiting for another's as the options
 * say, and gives it back. Whoever changes something does so in between. */
MUST_CHECK int visit_begin_change(struct visit *visit, struct error *err);
void visit_end_change(struct visit *visit);
/* Carries the plan out: visit->results. Without a lease, or when the host is no longer what the
 * plan saw, nothing is begun: the results are OUTCOME_SKIPPED, and visit->err says why. */
void visit_execute(struct visit *visit, void (*done)(void *ctx, const struct result *result),
		   void *ctx);
/* After that: the results tell what is there. Not where a plan of nothing to do was overtaken, or
 * could not be held against what a dead drey has left under way: then visit->err tells why. */
bool visit_is_known(const struct visit *visit);
void visit_done(struct visit *visit);
