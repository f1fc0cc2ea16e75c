/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is ours and nobody declares any more. */
#include <string.h>

#include "controller/plan/plan_internal.h"
#include "reconcilers/container.h"
#include "reconcilers/volume.h"

static bool is_matched(const struct draft *draft, const struct object *object)
{
	for (size_t i = 0; i < draft->declared; i++) {
		if (draft->items[i].action.have == object)
			return true;
	}
	return false;
}

/* Another one takes its place, it bears a name that metadata.was gives up, or it was to take the
 * place of the one that is right again: what a change of names has left half way. */
static bool is_retired(const struct candidate *declared, const struct object *object)
{
	const char *name = json_string_value(json_object_get(object->labels, LABEL_NAME));
	const struct object *have = declared ? declared->action.have : NULL;

	return strcmp(object->kind->name, "Network") == 0 && declared &&
	       declared->action.verdict != VERDICT_REFUSE &&
	       (declared->action.beside == object || !str_eq(name, object->own.name) ||
		(have && str_eq(object->own.replaces, have->id)));
}

static void add_leftover(struct draft *draft, const struct object *object)
{
	const struct candidate *declared = draft_find(draft, object->own.kind, object->own.name);
	struct candidate *candidate = &draft->items[draft->count++];
	struct action *action = &candidate->action;

	candidate->host = draft->pass->desired->host->name;
	candidate->selected = true;
	candidate->duplicate = declared != NULL;
	candidate->retired = is_retired(declared, object);
	action->verdict = VERDICT_LEFTOVER;
	action->kind = object->kind;
	/* Not to be taken for the one that stays. */
	action->name = candidate->retired ? object->engine_name : object->own.name;
	action->have = object;
	action->changes.arena = draft->arena;
	if (!declared || candidate->retired)
		return;
	if (strcmp(object->kind->name, "Volume") == 0 && declared->action.have &&
	    declared->action.have->own.generation == object->own.generation)
		action->reason = arena_printf(
			draft->arena,
			"'%s' claims to be it as well, and so does '%s', which serves; drey "
			"removes neither: see which of them has the files",
			object->engine_name, declared->action.have->engine_name);
	else if (strcmp(object->kind->name, "Volume") == 0)
		action->reason =
			arena_printf(draft->arena,
				     "'%s' is generation %d of it, kept until `drey "
				     "volume confirm %s`",
				     object->engine_name, object->own.generation, object->own.name);
	else
		action->reason = arena_printf(draft->arena,
					      "'%s' claims to be it as well; remove it by hand if "
					      "nobody needs it",
					      object->engine_name);
}

/* A declared container that is not made anew now. */
static bool stays_and_needs(const struct draft *draft, const struct object *container,
			    const struct object *network)
{
	const struct action *action = plan_action_on(draft, container);

	return action && action->verdict != VERDICT_REPLACE && action->verdict != VERDICT_REMOVE &&
	       plan_object_needs(draft, container, network);
}

/* Whose, that drey has not made, would be cut off: engines remove a network under stopped
 * containers, which then can't start, and namespaces under those that share them. NULL: nobody's.
 */
static const struct object *other_user(const struct draft *draft, const struct object *object)
{
	const struct observed *observed = &draft->pass->observed;
	bool is_container = strcmp(object->kind->name, "Container") == 0;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *other = observed->objects[i];

		if (strcmp(other->kind->name, "Container") != 0)
			continue;
		if (other->ours && !stays_and_needs(draft, other, object))
			continue;
		if (other->ours)
			return other;
		if (is_container ? container_shares(other, object->id, object->engine_name)
				 : plan_object_uses(other, object) ||
					   plan_object_needs(draft, other, object))
			return other;
	}
	return NULL;
}

/* An image that was committed from a container of ours gives its labels to what others run from it.
 * Without the image nobody can tell, unless it has our name for it. */
static bool may_be_foreign(const struct draft *draft, const struct object *object)
{
	return object->image_id && *object->image_id &&
	       !pass_image(draft->pass, object->image_id) &&
	       strcmp(object->engine_name, object->own.name) != 0;
}

static bool is_prunable(const struct candidate *candidate)
{
	return !candidate->declared && !candidate->duplicate && candidate->selected &&
	       strcmp(candidate->action.kind->name, "Volume") != 0;
}

/* Something that drey is to have there, and could prune: a set of which volumes and other people's
 * objects alone are left is one that has lost the rest. */
static bool is_wanted(const struct action *action)
{
	const struct schema *spec = action->kind->spec;

	if (action->verdict == VERDICT_REMOVE || strcmp(action->kind->name, "Volume") == 0 ||
	    (schema_field(spec, "external") && resource_bool(action->want, "external")))
		return false;
	return action->verdict != VERDICT_KEEP || action->have;
}

/* Ours on the host, as far as prune may touch it. */
static size_t count_prunable_objects(const struct observed *observed)
{
	size_t count = 0;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (object->ours && strcmp(object->kind->name, "Volume") != 0 &&
		    !plan_is_transient(object))
			count++;
	}
	return count;
}

static int check_cap(const struct draft *draft, size_t removals, struct error *err)
{
	const struct plan_options *options = draft->options;
	size_t ours = count_prunable_objects(&draft->pass->observed);
	size_t cap = ours * (size_t)options->max_removals_percent / 100;
	size_t wanted = 0;

	if (cap < (size_t)options->max_removals)
		cap = (size_t)options->max_removals;
	for (size_t i = 0; i < draft->declared; i++) {
		if (is_wanted(&draft->items[i].action))
			wanted++;
	}
	if (wanted == 0) {
		error_set(err, ERROR_REFUSED,
			  "prune would remove all that drey has there (%zu), for the manifests "
			  "declare nothing for it that it ever prunes",
			  removals);
		return error_hint(err, "to empty a host say 'state: absent' in the manifests");
	}
	if (removals > cap) {
		error_set(err, ERROR_REFUSED,
			  "prune would remove %zu of %zu objects, more than the cap of %zu",
			  removals, ours, cap);
		return error_hint(err, "if that is meant, raise it with --max-removals");
	}
	return 0;
}

int draft_prune(struct draft *draft, struct error *err)
{
	size_t removals = 0;

	for (size_t i = draft->declared; i < draft->count; i++) {
		struct candidate *candidate = &draft->items[i];
		struct action *action = &candidate->action;
		const struct object *user =
			is_prunable(candidate) ? other_user(draft, action->have) : NULL;

		if (user) {
			action->reason = arena_printf(
				draft->arena,
				"no manifest declares it any more; it is kept for container "
				"'%s', which %s",
				user->engine_name,
				user->ours ? "the engine would not start without it"
					   : "drey has not made and which uses it");
		} else if (is_prunable(candidate) && may_be_foreign(draft, action->have)) {
			action->reason = "no manifest declares it any more; it is kept, for its "
					 "image is gone and may have been where its labels "
					 "came from: remove it by hand";
		} else if (is_prunable(candidate)) {
			action->verdict = VERDICT_REMOVE;
			action->reason = "no manifest declares it any more";
			action->disruptive = plan_is_running(action->have);
			removals++;
		} else if (!action->reason) {
			action->reason = "no manifest declares it any more; volumes are never "
					 "pruned";
		}
	}
	return removals > 0 ? check_cap(draft, removals, err) : 0;
}

/* An earlier generation of a volume that is removed, which goes with it. */
static bool goes_along(const struct draft *draft, const struct object *object)
{
	const struct candidate *declared = draft_find(draft, object->own.kind, object->own.name);
	const struct object *older = NULL;

	if (!declared || declared->action.verdict != VERDICT_REMOVE ||
	    strcmp(object->kind->name, "Volume") != 0)
		return false;
	while ((older = volume_next_generation(draft->pass, declared->action.have, older))) {
		if (older == object)
			return true;
	}
	return false;
}

void draft_leftovers(struct draft *draft)
{
	const struct observed *observed = &draft->pass->observed;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (object->ours && !plan_is_transient(object) && !is_matched(draft, object) &&
		    !goes_along(draft, object))
			add_leftover(draft, object);
	}
}

/* --- what another has taken the place of --- */

static bool is_network_row(const char *path)
{
	return str_has_prefix(path, "network");
}

/* Will the container, which is on the network or needs it, be neither after this plan? */
static bool moves_over(const struct draft *draft, const struct object *container)
{
	const struct candidate *user = NULL;
	const json_t *path;
	size_t i;

	for (i = 0; i < draft->count && !user; i++)
		if (draft->items[i].action.have == container)
			user = &draft->items[i];
	if (!user || !user->selected)
		return false;
	if (user->action.verdict == VERDICT_REMOVE)
		return true;
	if (user->action.verdict != VERDICT_UPDATE && user->action.verdict != VERDICT_REPLACE)
		return false;
	json_array_foreach (resource_ignore(user->action.want), i, path)
		if (is_network_row(json_string_value(path)))
			return false;
	VEC_FOREACH (const struct change *, change, &user->action.changes.list)
		if (is_network_row(change->path))
			return true;
	return false;
}

static const struct object *find_who_stays(const struct draft *draft, const struct object *network)
{
	const struct observed *observed = &draft->pass->observed;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (strcmp(object->kind->name, "Container") == 0 &&
		    (plan_object_uses(object, network) ||
		     plan_object_needs(draft, object, network)) &&
		    !moves_over(draft, object))
			return object;
	}
	return NULL;
}

void draft_retire(struct draft *draft)
{
	for (size_t i = draft->declared; i < draft->count; i++) {
		struct action *action = &draft->items[i].action;
		const struct object *user;

		if (!draft->items[i].retired)
			continue;
		user = find_who_stays(draft, action->have);
		action->verdict = user ? VERDICT_LEFTOVER : VERDICT_REMOVE;
		action->reason =
			user ? arena_printf(draft->arena,
					    "'%s' has another name now; it is kept for container "
					    "'%s', which needs it",
					    action->have->engine_name, user->engine_name)
			     : arena_printf(draft->arena, "'%s' has another name now",
					    action->have->engine_name);
	}
}
