/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Visits to many hosts at once: a thread per host, `parallel` of them at a time. Hosts are
 * independent: one that is down, slow or wrong delays no other.
 *
 * Callbacks run on the thread that called fleet_plan() or fleet_execute(), one at a time: they
 * may print and write state without locks.
 */
#pragma once

#include "controller/fleet/visit.h"

enum { FLEET_PARALLEL_DEFAULT = 32 };

/* After so many hosts on which something failed no further one is begun. A host that can't be
 * reached says nothing about the change, and is none of them. */
struct max_failures {
	int number; /* 0: 1, or percent where that is given */
	int percent;
};

bool max_failures_reached(const struct max_failures *max, size_t failed, size_t hosts);

struct fleet_options {
	const struct logger *log;
	int parallel; /* hosts at a time; 0: FLEET_PARALLEL_DEFAULT */
	struct max_failures max_failures;
	struct plan_options plan;
	const struct resource *const *hosts; /* which to visit; borrowed from the set */
	size_t host_count;
	/* Which may have been begun; the fleet's from here on. NULL: it makes its own. */
	struct connections *connections;
	bool write;
	/* See struct visit_options. */
	const char *state_dir, *purpose;
	int lock_timeout_ms;
	bool replan;
	bool begin;    /* log in while the manifests are still being read */
	bool no_prune; /* whatever the Project says: leftovers are not this command's matter */
	/* Backs up before changes that could cost data; see struct pass_hooks. Runs on the host's
	 * thread. */
	int (*backup)(void *ctx, struct pass *pass, const struct resource *resource,
		      const struct object *object, struct error *err);
	void *backup_ctx;
};

struct fleet_callbacks {
	void *ctx;
	/* All workers are under way: what else there is to do while hosts are waited for. */
	void (*begun)(void *ctx);
	void (*planned)(void *ctx, const struct visit *visit);
	void (*progress)(void *ctx, const struct progress *progress);
	void (*result)(void *ctx, const struct visit *visit, const struct result *result);
	void (*executed)(void *ctx, const struct visit *visit);
};

struct fleet;

/* Sets the tunnel up; contacts nobody. A host that can't be set up fails alone, in its visit. */
MUST_CHECK int fleet_new(struct manifest_set *set, const struct fleet_options *options,
			 struct fleet **ret_fleet, struct error *err);
void fleet_free(struct fleet *fleet);

size_t fleet_count(const struct fleet *fleet);
struct visit *fleet_visit(struct fleet *fleet, size_t index);

/* Observes and plans every host; each visit tells how it went. Two Hosts that turn out to be one
 * engine both fail. */
void fleet_plan(struct fleet *fleet, const struct fleet_callbacks *callbacks);
/* Of the manifests, for the labels of what is made from here on; borrowed. */
void fleet_set_revision(struct fleet *fleet, const char *revision);
/* Executes the plans of the visits that were planned. Hosts that were not begun, since too many had
 * failed by then, have results of OUTCOME_SKIPPED, and ERROR_REFUSED. */
void fleet_execute(struct fleet *fleet, const struct fleet_callbacks *callbacks);
/* Runs something else for each visit that was planned, on its host's thread. */
void fleet_run(struct fleet *fleet, void (*task)(void *ctx, struct visit *visit), void *ctx,
	       const struct fleet_callbacks *callbacks);
/*
 * SIGINT, SIGTERM and SIGHUP are blocked while a fleet exists and come through a descriptor that
 * fleet_plan(), fleet_execute() and fleet_run() watch: the first ends everything at its next safe
 * point, the second cuts running requests off. Whoever waits for something else meanwhile (a
 * prompt) polls the descriptor too, and calls fleet_take_signals() when it is readable.
 */
int fleet_signal_fd(const struct fleet *fleet);
void fleet_take_signals(struct fleet *fleet);
void fleet_cancel(struct fleet *fleet);
bool fleet_is_cancelled(const struct fleet *fleet);
