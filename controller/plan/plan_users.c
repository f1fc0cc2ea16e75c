/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses a volume or a network that is to be replaced: all must be able to come along, and what
 * they go through is told.
 */
#include <string.h>

#include "controller/plan/plan_internal.h"
#include "reconcilers/container.h"

static bool is_kind(const struct action *action, const char *kind)
{
	return strcmp(action->kind->name, kind) == 0;
}

static bool writes(const struct object *container, const struct object *volume)
{
	const json_t *mounts = json_object_get(container->inspect, "Mounts"), *mount;
	size_t i;

	json_array_foreach (mounts ? mounts : json_object_get(container->listed, "Mounts"), i,
			    mount) {
		if (str_eq(json_string_value(json_object_get(mount, "Name")),
			   volume->engine_name) &&
		    json_is_true(json_object_get(mount, "RW")))
			return true;
	}
	return false;
}

static bool is_job(const struct action *user)
{
	return user->want && strcmp(container_wanted_state(user->want), "completed") == 0;
}

/* Why a container keeps a volume from being replaced under it; NULL: it does not. */
static const char *why_volume_stays(struct draft *draft, const struct object *volume,
				    const struct object *container)
{
	const struct action *user = plan_action_on(draft, container);
	bool live = plan_is_running(container);

	if (user && user->verdict == VERDICT_REFUSE)
		return arena_printf(draft->arena,
				    "%s/%s uses it and can't be made anew on a new one: %s",
				    user->kind->name, user->name, user->reason);
	if (user && live && is_job(user))
		return arena_printf(draft->arena,
				    "%s/%s uses it, a job that is just running, and a stop would "
				    "cut it short; try again when it has completed",
				    user->kind->name, user->name);
	if (user || plan_is_transient(container) || !live || !writes(container, volume))
		return NULL;
	if (!container->ours)
		return arena_printf(draft->arena,
				    "container '%s', which was not made by drey, writes to it and "
				    "is not drey's to stop; stop it first",
				    container->engine_name);
	if (draft->options->prune)
		return NULL;
	return arena_printf(draft->arena,
			    "container '%s', which no manifest declares any more, writes to it and "
			    "can't be made anew on a new one; remove it first, or say --prune",
			    container->engine_name);
}

/* Nor may one be cut off that shares the namespaces of a user. */
static const char *why_sharers_stay(struct draft *draft, const struct object *user)
{
	const struct observed *observed = &draft->pass->observed;
	const char *why = NULL;

	for (size_t i = 0; plan_is_running(user) && i < observed->count && !why; i++) {
		if (container_shares(observed->objects[i], user->id, user->engine_name))
			why = plan_why_not_along(draft, observed->objects[i]);
	}
	return why ? arena_printf(draft->arena, "container '%s' uses it and would be stopped: %s",
				  user->engine_name, why)
		   : NULL;
}

static const char *why_network_stays(struct draft *draft, const struct object *container)
{
	if (container->ours || plan_action_on(draft, container))
		return NULL;
	return arena_printf(draft->arena,
			    "container '%s' is on it, which was not made by drey, and would be cut "
			    "off; take it off the network first",
			    container->engine_name);
}

bool draft_refuse_for_users(struct draft *draft, struct action *action)
{
	const struct observed *observed = &draft->pass->observed;
	bool volume = is_kind(action, "Volume");
	bool beside = action->verdict == VERDICT_CREATE && action->beside;
	const struct object *used = beside ? action->beside : action->have;
	const char *why = NULL;

	if (!beside &&
	    (action->verdict != VERDICT_REPLACE || (!volume && !is_kind(action, "Network"))))
		return false;
	for (size_t i = 0; i < observed->count && !why; i++) {
		const struct object *object = observed->objects[i];

		if (object->kind == action->kind || !plan_object_uses(object, used))
			continue;
		why = volume ? why_volume_stays(draft, used, object)
			     : why_network_stays(draft, object);
		if (volume && !why)
			why = why_sharers_stay(draft, object);
	}
	if (!why)
		return false;
	plan_refuse(action, why);
	return true;
}

static bool is_stopped_for(const struct object *container, const struct object *volume)
{
	return container->kind != volume->kind && container->ours && plan_is_running(container) &&
	       !plan_is_transient(container) && plan_object_uses(container, volume);
}

/* "stops a, b and c while its files are copied". */
static void note_stops(struct draft *draft, struct action *action)
{
	const struct observed *observed = &draft->pass->observed;
	const char *names = NULL;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (!is_stopped_for(object, action->have))
			continue;
		names = names ? arena_printf(draft->arena, "%s, %s", names, object->engine_name)
			      : object->engine_name;
	}
	action->disruptive = names;
	if (names)
		action->warning = arena_printf(
			draft->arena, "stops %s until they are made anew on the new one", names);
}

/* A network can't be replaced under its containers without cutting them off for a moment. */
static void note_cut_off(struct draft *draft, struct action *action)
{
	const struct observed *observed = &draft->pass->observed;

	for (size_t i = 0; i < observed->count && !action->disruptive; i++) {
		const struct object *object = observed->objects[i];

		action->disruptive =
			plan_is_running(object) && plan_object_uses(object, action->have);
	}
}

void draft_note_users(struct draft *draft, struct action *action)
{
	if (action->verdict != VERDICT_REPLACE)
		return;
	if (is_kind(action, "Volume"))
		note_stops(draft, action);
	else if (is_kind(action, "Network"))
		note_cut_off(draft, action);
}
