/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/execute.h"

#include <string.h>

#include "controller/base/io.h"
#include "controller/plan/crew.h"

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
	for (size_t i = 0; i < action->after_required; i++) {
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

/* --- what may run beside what --- */

enum { CREW_SIZE = 4 }; /* an engine's own work for a container keeps a processor or two busy */

/*
 * Containers that come or go, or are started or limited, have nothing to do with each other.
 * Everything else is alone: a replacement (from the stop to the gate nothing else may start on its
 * network), what waits for a backup, what gives a name to somebody else, networks and volumes.
 */
static bool may_overlap(const struct action *action)
{
	if (strcmp(action->kind->name, "Container") != 0 || action->backup_first ||
	    action->namesake)
		return false;
	switch (action->verdict) {
	case VERDICT_CREATE:
	case VERDICT_REMOVE:
		return true;
	case VERDICT_UPDATE:
		VEC_FOREACH (const struct change *, change, &action->changes.list) {
			if (change->effect != EFFECT_STATE &&
			    (change->effect != EFFECT_LIVE ||
			     strcmp(change->field->key, "container_name") == 0))
				return false;
		}
		return true;
	default:
		return false;
	}
}

static bool share_volume(const struct action *a, const struct action *b)
{
	const json_t *mount, *other;
	size_t i, j;

	json_array_foreach (resource_get(a->want, "volumes"), i, mount) {
		const char *source = json_string_value(json_object_get(mount, "source"));

		json_array_foreach (resource_get(b->want, "volumes"), j, other) {
			if (source &&
			    str_eq(source, json_string_value(json_object_get(other, "source"))))
				return true;
		}
	}
	return false;
}

/* Both would pull one image, or fill one new volume with what their images have there. */
static bool collide(const struct action *a, const struct action *b)
{
	if (!a->want || !b->want)
		return false;
	if (a->known_after_pull && b->known_after_pull &&
	    str_eq(resource_string(a->want, "image"), resource_string(b->want, "image")))
		return true;
	return a->verdict == VERDICT_CREATE && b->verdict == VERDICT_CREATE && share_volume(a, b);
}

/* --- the whole --- */

struct execution {
	struct pass *pass;
	struct results *results;
	void (*done)(void *ctx, const struct result *result);
	void *ctx;
	struct crew *crew;     /* NULL: not needed so far */
	VEC(size_t) under_way; /* with the crew */
};

static void tell(const struct execution *execution, const struct result *result)
{
	struct results *results = execution->results;

	results->done += result->outcome == OUTCOME_DONE;
	results->failed += result->outcome == OUTCOME_FAILED;
	results->refused += result->outcome == OUTCOME_REFUSED;
	results->blocked += result->outcome == OUTCOME_BLOCKED;
	if (execution->done)
		execution->done(execution->ctx, result);
}

static void take_back(struct execution *execution)
{
	const struct result *result = crew_wait(execution->crew);
	size_t index = (size_t)(result - execution->results->items), at = 0;

	while (execution->under_way.items[at] != index)
		at++;
	execution->under_way.items[at] = execution->under_way.items[--execution->under_way.count];
	tell(execution, result);
}

/* Is something under way that this action must wait for? */
static bool must_wait(const struct execution *execution, const struct action *action)
{
	bool overlaps = may_overlap(action);

	VEC_FOREACH (const size_t *, at, &execution->under_way) {
		if (!overlaps || collide(action, execution->results->items[*at].action))
			return true;
		for (size_t i = 0; i < action->after_count; i++) {
			if (action->after[i] == *at)
				return true;
		}
	}
	return false;
}

/* What needs no engine. False: it is to be run. */
static bool settle(const struct execution *execution, struct result *result)
{
	const struct action *action = result->action;
	const struct result *obstacle = find_obstacle(action, execution->results);

	if (action->verdict == VERDICT_KEEP || action->verdict == VERDICT_LEFTOVER) {
		result->outcome = OUTCOME_KEPT;
	} else if (action->verdict == VERDICT_REFUSE) {
		result->outcome = OUTCOME_REFUSED;
		error_set(&result->err, ERROR_REFUSED, "%s",
			  action->reason ? action->reason : "refused");
	} else if (is_cancelled(execution->pass)) {
		result->outcome = OUTCOME_CANCELLED;
		error_set(&result->err, ERROR_CANCELLED, "not reached before the interruption");
	} else if (obstacle) {
		block(result, obstacle);
	} else {
		return false;
	}
	return true;
}

static bool hand_over(struct execution *execution, struct result *result)
{
	if (!may_overlap(result->action))
		return false;
	if (!execution->crew)
		execution->crew = crew_new(execution->pass, CREW_SIZE, run);
	if (!crew_hand_over(execution->crew, result))
		return false;
	vec_push(&execution->under_way, (size_t)(result - execution->results->items));
	return true;
}

static void execute(struct execution *execution, struct result *result)
{
	while (must_wait(execution, result->action))
		take_back(execution);
	if (settle(execution, result)) {
		tell(execution, result);
	} else if (!hand_over(execution, result)) {
		run(execution->pass, result->action, result);
		tell(execution, result);
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

	const struct execution execution = { .results = &results };
	for (size_t i = 0; i < plan->count; i++) {
		struct result *result = &results.items[i];

		result->action = &plan->actions[i];
		if (is_change(result->action)) {
			result->outcome = OUTCOME_SKIPPED;
			result->err = *why;
			results.skipped++;
		} else {
			settle(&execution, result);
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
	struct execution execution = {
		.pass = pass,
		.results = &results,
		.done = done,
		.ctx = ctx,
	};

	for (size_t i = 0; i < plan->count; i++) {
		results.items[i].action = &plan->actions[i];
		execute(&execution, &results.items[i]);
	}
	while (execution.under_way.count > 0)
		take_back(&execution);
	if (execution.crew)
		crew_free(execution.crew);
	vec_done(&execution.under_way);
	*ret_results = results;
}
