/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failure_action: pause. Half of a replacement that failed stands aside as NAME.drey-held until
 * somebody decides: the old one beside a new one that has the name, or a new one beside the old
 * one that serves on. Which of the two it is says the label drey.replaces.
 */
#include <string.h>

#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/container_steps.h"

static bool replaces(const struct pass *pass, const struct object *object,
		     const struct object *other)
{
	const char *id, *policy;

	return object && other && object->ours && object->own.replaces &&
	       replacement_read_label(pass->arena, object->own.replaces, &id, &policy) &&
	       strcmp(id, other->id) == 0;
}

bool container_find_held(const struct pass *pass, const struct object *current,
			 struct held *ret_held)
{
	const char *name = arena_printf(pass->arena, "%s%s", current->engine_name, CONTAINER_HELD);
	const struct object *held = pass_find_engine_name(pass, current->kind, name);

	if (replaces(pass, current, held))
		*ret_held = (struct held){ .failed = current, .old = held };
	else if (replaces(pass, held, current))
		*ret_held = (struct held){ .failed = held, .old = current };
	else
		return false;
	return true;
}

bool container_is_held(const struct pass *pass, const struct object *object)
{
	size_t len = strlen(object->engine_name), suffix = strlen(CONTAINER_HELD);
	const struct object *current;
	struct held held;

	if (!str_has_suffix(object->engine_name, CONTAINER_HELD))
		return false;
	current = pass_find_engine_name(
		pass, object->kind, arena_strndup(pass->arena, object->engine_name, len - suffix));
	return current && container_find_held(pass, current, &held);
}

/* Whether it runs, what it is called just now, and the restart policy that was taken from it are
 * no reasons to try again. */
static bool differs(const struct pass *pass, const struct resource *want,
		    const struct object *failed, struct arena *arena)
{
	static const char *const passing[] = { "state", "container_name", "restart" };
	struct action action = {
		.kind = failed->kind, .name = want->name, .want = want, .have = failed
	};
	bool found = false;

	/* Hooks, say, which show in no field. */
	if (failed->own.spec && !str_eq(failed->own.spec, want->digest))
		return true;
	container_compare_fields(pass, &action, arena);
	VEC_FOREACH (const struct change *, change, &action.changes.list) {
		bool counts = true;

		for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
			counts = counts && strcmp(change->field->key, passing[i]) != 0;
		found = found || counts;
	}
	vec_done(&action.changes.list);
	return found;
}

bool container_stays_held(const struct pass *pass, const struct resource *want,
			  const struct held *held, struct arena *arena)
{
	return want && strcmp(container_wanted_state(want), "absent") != 0 &&
	       container_failure_action(want) == FAILURE_PAUSE && held->failed->observed &&
	       !differs(pass, want, held->failed, arena);
}

void container_refuse_held(const struct pass *pass, struct action *action, struct arena *arena)
{
	struct held held;

	if (!action->have || !container_find_held(pass, action->have, &held) ||
	    !container_stays_held(pass, action->want, &held, arena))
		return;
	action->verdict = VERDICT_REFUSE;
	action->reason =
		held.old == action->have
			? arena_printf(arena,
				       "its replacement did not prove itself and is kept, stopped, "
				       "as %s (failure_action: pause); a change of its manifest or "
				       "image tries again, and so does removing that one",
				       held.failed->engine_name)
			: arena_printf(
				  arena,
				  "it did not prove itself and is left as it is "
				  "(failure_action: pause), the one before it is kept as %s; a "
				  "change of its manifest or image goes on from that one, "
				  "removing that one accepts this",
				  held.old->engine_name);
}
