/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/fleet/visit.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/fleet/lease.h"
#include "controller/state/lock.h"
#include "reconcilers/container_calls.h"

#include <string.h>
#include <unistd.h>

enum { MONITOR_DEFAULT_MS = 5000 };

/* --- the lease of the engine --- */

static bool is_cancelled(void *ctx)
{
	const struct pass_hooks *hooks = &((struct visit *)ctx)->options.hooks;

	return hooks->cancelled && hooks->cancelled(hooks->ctx);
}

static void on_waits(void *ctx, const char *why)
{
	struct visit *visit = ctx;
	const struct pass_hooks *hooks = &visit->options.hooks;
	CLEANUP(cleanup_free) char *text = xasprintf("wait: %s", why);
	struct progress progress = { .host = visit->host->name, .text = text };

	if (hooks->progress)
		hooks->progress(hooks->ctx, &progress);
}

/* Of a drey that died. Who could not wait for them leaves it to the next. */
static int await_stops(struct visit *visit, struct error *err)
{
	int64_t since_s;

	if (!lease_was_void(visit->lease, &since_s) ||
	    container_await_stops(&visit->pass, since_s, &visit->outdated, err) == 0)
		return 0;
	lease_abandon(visit->lease);
	visit->lease = NULL;
	if (err->code == ERROR_CANCELLED)
		return -1;
	return error_hint(err, "run drey again; where that never helps, 'docker rm -f " LEASE_NAME
			       "' there has it go on without");
}

static int take_lease(struct visit *visit, int timeout_ms, struct error *err)
{
	struct lease_options options = {
		.purpose = visit->options.purpose ? visit->options.purpose : "drey",
		.timeout_ms = timeout_ms,
		.ctx = visit,
		.cancelled = is_cancelled,
		.waits = on_waits,
	};

	return lease_take(visit->pass.engine, &options, &visit->lease, err);
}

int visit_begin_change(struct visit *visit, struct error *err)
{
	if (take_lease(visit, visit->options.lock_timeout_ms, err) < 0)
		return -1;
	return await_stops(visit, err);
}

void visit_end_change(struct visit *visit)
{
	lease_release(visit->lease);
	visit->lease = NULL;
}

/* --- planning --- */

static int recover_all(struct visit *visit, bool *ret_changed, struct error *err)
{
	size_t count;
	const struct reconciler *const *all = reconcilers_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (all[i]->recover && all[i]->recover(&visit->pass, ret_changed, err) < 0)
			return error_wrap(err, "recover an interrupted change");
	}
	return 0;
}

static int recover_alone(struct visit *visit, struct error *err)
{
	/* What was seen before may have been another drey's work, half way through. */
	visit->outdated = false;
	if (pass_observe(&visit->pass, err) < 0)
		return -1;
	visit->pass.exclusive = true;
	int rc = recover_all(visit, &visit->recovered, err);
	visit->pass.exclusive = false;
	return rc == 0 && visit->recovered ? pass_observe(&visit->pass, err) : rc;
}

/* Puts right what an earlier run left half done, then looks again if anything was changed. */
static int recover(struct visit *visit, struct error *err)
{
	bool needed = false;

	if (recover_all(visit, &needed, err) < 0)
		return -1;
	if (!needed)
		return 0;
	if (visit_begin_change(visit, err) < 0)
		return -1;
	int rc = recover_alone(visit, err);
	visit_end_change(visit);
	return rc;
}

static int plan(struct visit *visit, const struct visit_options *options)
{
	struct error *err = &visit->err;

	if (options->state_dir && lock_take_host(options->state_dir, visit->host->name, false, 0,
						 &visit->host_lock, err) < 0)
		return -1;
	if (connection_open(visit->connection, visit->host, options->log, err) < 0)
		return -1;
	visit->pass.engine = visit->connection->engine;
	if (pass_observe(&visit->pass, err) < 0)
		return -1;
	visit->observed = true;
	if (options->write && recover(visit, err) < 0)
		return -1;
	if (plan_build(&visit->pass, &options->plan, visit->arena, &visit->plan, err) < 0)
		return -1;
	visit->planned = true;
	return 0;
}

int visit_plan(struct visit *visit, struct connection *connection, struct manifest_set *set,
	       const struct resource *host, const struct visit_options *options)
{
	*visit = (struct visit){
		.host = host,
		.connection = connection,
		.set = set_ref(set),
		.arena = arena_new(),
		.options = *options,
		.host_lock = -1,
	};
	visit->pass = (struct pass){
		.arena = visit->arena,
		.set = set,
		.desired = set_desired(set, host->name),
		.project = set_project(set),
		.revision = options->revision,
		.hooks = options->hooks,
		.log = options->log,
		.writes = options->write,
		.monitor_ms = MONITOR_DEFAULT_MS,
		.digests = options->digests,
	};
	return plan(visit, options);
}

/* Another drey may have had the lease since the plan was made. */
static int follow_moves(struct visit *visit, struct error *err)
{
	bool moved = visit->outdated;

	if (!moved && pass_has_moved(&visit->pass, &moved, err) < 0)
		return -1;
	if (!moved)
		return 0;
	if (!visit->options.replan)
		return error_set(err, ERROR_CONFLICT,
				 "the host has changed since the plan was made, so nothing was "
				 "done to it; run drey again");
	log_debug(visit->options.log, "planning anew host=%s", visit->host->name);
	visit->outdated = false;
	if (pass_observe(&visit->pass, err) < 0)
		return -1;
	return plan_build(&visit->pass, &visit->options.plan, visit->arena, &visit->plan, err);
}

static int begin(struct visit *visit, struct error *err)
{
	if (!plan_changes_anything(&visit->plan))
		return 0;
	if (visit->options.admit && visit->options.admit(visit->options.hooks.ctx, err) < 0)
		return -1;
	if (visit_begin_change(visit, err) < 0)
		return -1;
	return follow_moves(visit, err);
}

/* What a drey that died left of its lease, its helpers and its stops is seen to even where there is
 * nothing to change: who knows, there is then. */
static int clear_leavings(struct visit *visit, struct error *err)
{
	const struct pass_hooks *hooks = &visit->pass.hooks;
	const struct observed *observed = &visit->pass.observed;

	if (!visit->pass.writes || !(observed->leased || observed->helped))
		return 0;
	if (take_lease(visit, 0, err) < 0) {
		/* Another is at work, and sees to them. */
		if (err->code != ERROR_CONFLICT && err->code != ERROR_CANCELLED)
			return -1;
		log_debug(visit->options.log, "%s host=%s", err->text, visit->host->name);
		error_clear(err);
		return 0;
	}
	if (await_stops(visit, err) < 0)
		return -1;
	if (hooks->settle)
		hooks->settle(hooks->ctx, &visit->pass);
	int rc = visit->outdated ? follow_moves(visit, err) : 0;
	visit_end_change(visit);
	return rc;
}

static void carry_out(struct visit *visit, void (*done)(void *ctx, const struct result *result),
		      void *ctx)
{
	const struct pass_hooks *hooks = &visit->pass.hooks;

	plan_execute(&visit->pass, &visit->plan, visit->arena, done, ctx, &visit->results);
	/* Only while nobody else may change the engine. */
	if (visit->lease && hooks->settle)
		hooks->settle(hooks->ctx, &visit->pass);
}

void visit_execute(struct visit *visit, void (*done)(void *ctx, const struct result *result),
		   void *ctx)
{
	bool idle = !plan_changes_anything(&visit->plan);

	if ((idle && clear_leavings(visit, &visit->err) < 0) || begin(visit, &visit->err) < 0)
		plan_skip(&visit->plan, visit->arena, &visit->err, &visit->results);
	else
		carry_out(visit, done, ctx);
	/* What was not reached for that is cancelled, which does not say why. */
	if (visit->lease && visit->err.code == ERROR_NONE)
		(void)!lease_check(visit->lease, &visit->err);
	visit_end_change(visit);
}

bool visit_is_known(const struct visit *visit)
{
	return visit->planned &&
	       (visit->err.code == ERROR_NONE || plan_changes_anything(&visit->plan));
}

void visit_done(struct visit *visit)
{
	/* The pass's JSON goes with its arena, which may point into the set. */
	if (visit->arena && visit->host_lock >= 0)
		close(visit->host_lock);
	arena_free(visit->arena);
	set_unref(visit->set);
	*visit = (struct visit){ 0 };
}
