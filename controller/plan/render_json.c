/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON form of a plan, format 1. Keys are added, never renamed or retyped within a format.
 * docs/reference/output.md describes it.
 */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/plan/mask.h"
#include "controller/plan/render.h"

enum { PLAN_FORMAT = 1 };

static const char *effect_name(enum effect effect)
{
	static const char *const names[] = {
		[EFFECT_NONE] = "none",	      [EFFECT_LIVE] = "live",
		[EFFECT_CONNECT] = "connect", [EFFECT_STATE] = "state",
		[EFFECT_REPLACE] = "replace", [EFFECT_FORBIDDEN] = "forbidden",
	};

	return names[effect];
}

/* A copy: a plan's values belong to its pass, the JSON form may outlive it. */
static json_t *value_or_mask(const json_t *value, bool masked)
{
	if (!value)
		return json_null();
	return masked ? json_string("***") : json_deep_copy(value);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *render_json_change(const struct action *action, const struct change *change)
{
	bool before = mask_before(action, change), after = mask_after(action, change);

	CLEANUP(cleanup_free) char *path = mask_path(action, change);

	return json_pack("{s:s, s:o, s:o, s:b, s:s}", "path", path, "before",
			 value_or_mask(change->before, before), "after",
			 value_or_mask(change->after, after), "masked", before || after, "effect",
			 effect_name(change->effect));
}

static json_t *resource_name(const struct plan *plan, const struct action *action)
{
	return json_sprintf("%s/%s@%s", action->kind->name, action->name, plan->host);
}

static json_t *order_of(const struct action *action)
{
	if (action->verdict != VERDICT_REPLACE || strcmp(action->kind->name, "Container") != 0)
		return json_null();
	return json_string(action->start_first ? "start-first" : "stop-first");
}

static json_t *render_json_action(const struct plan *plan, const struct action *action)
{
	json_t *changes = json_array();
	json_t *after = json_array();

	VEC_FOREACH (const struct change *, change, &action->changes.list)
		json_array_append_new(changes, render_json_change(action, change));
	for (size_t i = 0; i < action->after_count; i++)
		json_array_append_new(after, resource_name(plan, &plan->actions[action->after[i]]));
	return json_pack(
		"{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:o, s:o, "
		"s:b, s:o}",
		"resource", resource_name(plan, action), "kind", action->kind->name, "name",
		action->name, "verdict", verdict_name(action->verdict), "engine_name",
		text_or_null(action->have ? action->have->engine_name : NULL), "reason",
		text_or_null(action->reason), "warning", text_or_null(action->warning), "changes",
		changes, "known_after_pull", action->known_after_pull, "disruptive",
		action->disruptive, "loses_data", action->loses_data, "backup_first",
		action->backup_first, "order", order_of(action), "order_reason",
		text_or_null(action->order_reason), "restart", action->restart, "after", after);
}

static json_t *render_json_summary(const struct plan *plan)
{
	struct plan_summary summary = { 0 };

	plan_summarize(plan, &summary);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "keep", (json_int_t)summary.keep,
			 "create", (json_int_t)summary.create, "update", (json_int_t)summary.update,
			 "replace", (json_int_t)summary.replace, "remove",
			 (json_int_t)summary.remove, "refuse", (json_int_t)summary.refuse,
			 "leftover", (json_int_t)summary.leftover);
}

json_t *render_plan_json(const struct plan *plan)
{
	json_t *actions = json_array();
	json_t *warnings = json_array();

	for (size_t i = 0; i < plan->count; i++)
		json_array_append_new(actions, render_json_action(plan, &plan->actions[i]));
	for (size_t i = 0; i < plan->warning_count; i++)
		json_array_append_new(warnings, json_string(plan->warnings[i]));
	return json_pack("{s:i, s:s, s:s, s:b, s:I, s:o, s:o, s:o}", "format", PLAN_FORMAT, "host",
			 plan->host, "project", plan->project, "in_step",
			 !plan_has_differences(plan), "unfinished", (json_int_t)plan->unfinished,
			 "summary", render_json_summary(plan), "warnings", warnings, "actions",
			 actions);
}
