/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No container is created or started while one that is not drey's writes to a volume that it would
 * write: the two know nothing of each other. Of a volume that is external, or says shared: true,
 * that is what was meant; the plan tells it all the same.
 */
#include <string.h>

#include "controller/plan/plan_internal.h"
#include "reconcilers/container.h"
#include "reconcilers/volume.h"

static bool is_declared(const struct draft *draft, const struct object *object)
{
	for (size_t i = 0; i < draft->declared; i++) {
		const struct action *action = &draft->items[i].action;

		if (action->have == object && resource_adopts(action->want))
			return true;
	}
	return false;
}

static const struct object *foreign_writer(const struct draft *draft, const char *engine_volume)
{
	const struct observed *observed = &draft->pass->observed;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (strcmp(object->kind->name, "Container") == 0 && !object->ours &&
		    plan_is_running(object) && container_writes_volume(object, engine_volume) &&
		    !is_declared(draft, object) && !container_is_unfinished(draft->pass, object))
			return object;
	}
	return NULL;
}

/* What of ours runs with it already is not started, only looked at. */
static bool is_started(const struct action *action)
{
	if (strcmp(action->kind->name, "Container") != 0 ||
	    strcmp(container_wanted_state(action->want), "absent") == 0)
		return false;
	return action->verdict == VERDICT_CREATE || action->verdict == VERDICT_REPLACE ||
	       (action->verdict == VERDICT_UPDATE &&
		(action->restart || !plan_is_running(action->have)));
}

static bool is_agreed(const struct draft *draft, const char *volume)
{
	const struct resource *want = desired_find(draft->pass->desired, "Volume", volume);

	return !want || resource_bool(want, "external") || resource_bool(want, "shared");
}

static void meet(struct draft *draft, struct action *action, const char *volume)
{
	const struct object *writer =
		foreign_writer(draft, volume_engine_name(draft->pass, volume));

	if (!writer)
		return;
	if (is_agreed(draft, volume)) {
		if (!action->warning)
			action->warning = arena_printf(draft->arena,
						       "container '%s', which was not made by "
						       "drey, writes to Volume/%s as well",
						       writer->engine_name, volume);
		return;
	}
	action->verdict = VERDICT_REFUSE;
	action->disruptive = action->start_first = false;
	action->reason = arena_printf(draft->arena,
				      "container '%s', which was not made by drey, writes to "
				      "Volume/%s, and two would write to it; stop that one, or say "
				      "shared: true in the volume's manifest",
				      writer->engine_name, volume);
}

bool plan_refuse_for_writers(struct draft *draft, struct action *action)
{
	const json_t *mount;
	size_t i;

	if (!is_started(action))
		return false;
	json_array_foreach (resource_get(action->want, "volumes"), i, mount) {
		const char *type = json_string_value(json_object_get(mount, "type"));
		const char *source = json_string_value(json_object_get(mount, "source"));

		if ((!type || strcmp(type, "volume") == 0) && source &&
		    !json_is_true(json_object_get(mount, "read_only")))
			meet(draft, action, source);
		if (action->verdict == VERDICT_REFUSE)
			return true;
	}
	return false;
}
