/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/execute.h"

#include "controller/base/io.h"

const char *outcome_name(enum outcome outcome)
{
	static const char *const names[] = {
		[OUTCOME_DONE] = "done",       [OUTCOME_KEPT] = "kept",
		[OUTCOME_FAILED] = "failed",   [OUTCOME_REFUSED] = "refused",
		[OUTCOME_BLOCKED] = "blocked", [OUTCOME_CANCELLED] = "cancelled",
		[OUTCOME_SKIPPED] = "skipped",
	};

	return names[outcome];
}

static bool is_cancelled(const struct pass *pass)
{
	return pass->hooks.cancelled && pass->hooks.cancelled(pass->hooks.ctx);
}

/* The first of an action's dependencies that did not succeed, or NULL. */
static const struct result *find_obstacle(const struct action *action,
					  const struct results *results)
{
	for (size_t i = 0; i < action->after_count; i++) {
		const struct result *result = &results->items[action->after[i]];

		if (result->outcome != OUTCOME_DONE && result->outcome != OUTCOME_KEPT)
			return result;
	}
	return NULL;
}

static void block(struct result *result, const struct result *obstacle)
{
	const struct action *needed = obstacle->action;

	result->outcome = OUTCOME_BLOCKED;
	error_set(&result->err, ERROR_CONFLICT, "waits for %s/%s, which %s", needed->kind->name,
		  needed->name,
		  obstacle->outcome == OUTCOME_REFUSED	   ? "is refused"
		  : obstacle->outcome == OUTCOME_BLOCKED   ? "is blocked itself"
		  : obstacle->outcome == OUTCOME_CANCELLED ? "was not reached"
							   : "failed");
}

static void run(struct pass *pass, const struct action *action, struct result *result)
{
	const struct reconciler *reconciler = reconciler_find(action->kind->name);
	int64_t start_ms = io_now_ms();
	int failed;

	log_debug(pass->log, "%s kind=%s name=%s", verdict_name(action->verdict),
		  action->kind->name, action->name);
	failed = reconciler->apply(pass, action, &result->err);
	result->duration_ms = io_now_ms() - start_ms;
	/* Engines quote what they were sent. */
	if (failed)
		set_hide_secrets(pass->set, result->err.text);
	if (failed == 0)
		result->outcome = OUTCOME_DONE;
	else if (result->err.code == ERROR_CANCELLED)
		result->outcome = OUTCOME_CANCELLED;
	else if (result->err.code == ERROR_REFUSED)
		result->outcome = OUTCOME_REFUSED;
	else
		result->outcome = OUTCOME_FAILED;
}

static void execute(struct pass *pass, const struct action *action, const struct results *results,
		    struct result *result)
{
	const struct result *obstacle;

	switch (action->verdict) {
	case VERDICT_KEEP:
	case VERDICT_LEFTOVER:
		result->outcome = OUTCOME_KEPT;
		return;
	case VERDICT_REFUSE:
		result->outcome = OUTCOME_REFUSED;
		error_set(&result->err, ERROR_REFUSED, "%s",
			  action->reason ? action->reason : "refused");
		return;
	default:
		break;
	}
	obstacle = find_obstacle(action, results);
	if (is_cancelled(pass)) {
		result->outcome = OUTCOME_CANCELLED;
		error_set(&result->err, ERROR_CANCELLED, "not reached before the interruption");
	} else if (obstacle) {
		block(result, obstacle);
	} else {
		run(pass, action, result);
	}
}

static bool is_change(const struct action *action)
{
	return action->verdict != VERDICT_KEEP && action->verdict != VERDICT_LEFTOVER &&
	       action->verdict != VERDICT_REFUSE;
}

bool plan_changes_anything(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (is_change(&plan->actions[i]))
			return true;
	return false;
}

void plan_skip(const struct plan *plan, struct arena *arena, const struct error *why,
	       struct results *ret_results)
{
	struct results results = {
		.items = arena_alloc(arena, (plan->count + 1) * sizeof(struct result)),
		.count = plan->count,
	};

	for (size_t i = 0; i < plan->count; i++) {
		struct result *result = &results.items[i];

		result->action = &plan->actions[i];
		if (is_change(result->action)) {
			result->outcome = OUTCOME_SKIPPED;
			result->err = *why;
			results.skipped++;
		} else {
			execute(NULL, result->action, &results, result);
			results.refused += result->outcome == OUTCOME_REFUSED;
		}
	}
	*ret_results = results;
}

void plan_execute(struct pass *pass, const struct plan *plan, struct arena *arena,
		  void (*done)(void *ctx, const struct result *result), void *ctx,
		  struct results *ret_results)
{
	struct results results = {
		.items = arena_alloc(arena, (plan->count + 1) * sizeof(struct result)),
		.count = plan->count,
	};

	for (size_t i = 0; i < plan->count; i++) {
		struct result *result = &results.items[i];

		result->action = &plan->actions[i];
		execute(pass, result->action, &results, result);
		results.done += result->outcome == OUTCOME_DONE;
		results.failed += result->outcome == OUTCOME_FAILED;
		results.refused += result->outcome == OUTCOME_REFUSED;
		results.blocked += result->outcome == OUTCOME_BLOCKED;
		if (done)
			done(ctx, result);
	}
	*ret_results = results;
}
