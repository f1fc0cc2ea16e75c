/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One resource against what is there, and what follows for those that need it. */
#include <string.h>

#include "controller/plan/plan_internal.h"
#include "reconcilers/backup.h"
#include "reconcilers/container.h"
#include "reconcilers/volume.h"

bool plan_is_transient(const struct object *object)
{
	/* A container that fills a volume's next generation is labelled as that volume's. */
	if (object->unfinished ||
	    (object->own.kind && strcmp(object->own.kind, object->kind->name) != 0))
		return true;
	return container_is_leftover(object->engine_name);
}

/* Who uses a network names it, by the name that it is to have. */
static bool goes_by_its_name(const struct action *action)
{
	return strcmp(action->kind->name, "Network") != 0 || !action->want ||
	       str_eq(action->have->engine_name, resource_engine_name(action->want));
}

bool plan_is_usable(const struct action *action)
{
	return action->have &&
	       (action->have->ours || (action->want && resource_adopts(action->want))) &&
	       goes_by_its_name(action);
}

bool plan_is_running(const struct object *object)
{
	return object && object->state &&
	       (strcmp(object->state, "running") == 0 || strcmp(object->state, "paused") == 0 ||
		strcmp(object->state, "restarting") == 0);
}

bool plan_object_uses(const struct object *container, const struct object *other)
{
	const json_t *inspect = container->inspect ? container->inspect : container->listed;
	const json_t *networks, *mount;
	size_t i;

	if (!inspect)
		return false;
	networks = json_object_get(json_object_get(inspect, "NetworkSettings"), "Networks");
	if (strcmp(other->kind->name, "Network") == 0)
		return json_object_get(networks, other->engine_name) != NULL;
	json_array_foreach (json_object_get(inspect, "Mounts"), i, mount) {
		if (str_eq(json_string_value(json_object_get(mount, "Name")), other->engine_name))
			return true;
	}
	return false;
}

bool plan_object_needs(const struct draft *draft, const struct object *container,
		       const struct object *network)
{
	return strcmp(network->kind->name, "Network") == 0 &&
	       str_eq(container_home(draft->pass, container), network->engine_name);
}

bool plan_is_anothers(const struct pass *pass, const struct object *object,
		      const struct resource *want)
{
	return object->ours && strcmp(object->own.name, want->name) != 0 &&
	       desired_find(pass->desired, want->kind->name, object->own.name);
}

static bool row_is(const struct resource *resource, const char *key, const char *value)
{
	return schema_field(resource->kind->spec, key) &&
	       str_eq(json_string_value(resource_get(resource, key)), value);
}

static bool row_true(const struct resource *resource, const char *key)
{
	return schema_field(resource->kind->spec, key) && resource_bool(resource, key);
}

void plan_refuse(struct action *action, const char *reason)
{
	action->verdict = VERDICT_REFUSE;
	action->reason = reason;
	action->disruptive = false;
	if (!action->have)
		action->have = action->beside;
	action->beside = NULL;
}

/* Told by the plan already, not once the service has been stopped for it. */
static void check_backup(struct draft *draft, struct action *action)
{
	struct error err = ERROR_INIT;

	if (!action->backup_first ||
	    backup_require(draft->pass, action->want, action->have, &err) == 0)
		return;
	plan_refuse(action, arena_strdup(draft->arena, err.text));
}

/* `state: absent` in a manifest: removed whatever prune says. */
static void compare_absent(struct draft *draft, struct action *action)
{
	const struct resource *want = action->want;
	const struct object *have = action->have;

	action->verdict = VERDICT_KEEP;
	if (!have)
		return;
	if (!have->ours && !resource_adopts(want)) {
		plan_refuse(action,
			    arena_printf(draft->arena,
					 "'%s' is there and was not made by drey; 'adopt: true' "
					 "in its metadata agrees to its removal",
					 have->engine_name));
		return;
	}
	action->backup_first = row_true(want, "backup_first");
	if (strcmp(want->kind->name, "Volume") == 0) {
		action->loses_data = true;
		if (!row_is(want, "on_remove", "delete")) {
			plan_refuse(
				action,
				"its data would be lost; 'on_remove: delete' in its spec agrees to "
				"that");
			return;
		}
	}
	action->verdict = VERDICT_REMOVE;
	action->reason = "its manifest says 'state: absent'";
	if (strcmp(want->kind->name, "Volume") == 0 &&
	    volume_next_generation(draft->pass, have, NULL))
		action->reason = "its manifest says 'state: absent'; its earlier generations go "
				 "with it";
	action->disruptive = plan_is_running(have);
	check_backup(draft, action);
}

/* Ours under another name, and somebody else's object sits on the right one. */
static void check_name_taken(struct draft *draft, struct action *action)
{
	const char *name = resource_engine_name(action->want);
	const struct object *other;

	if (strcmp(action->kind->name, "Container") != 0 || !action->have || !action->have->ours ||
	    action->verdict == VERDICT_REFUSE || strcmp(action->have->engine_name, name) == 0)
		return;
	other = pass_find_engine_name(draft->pass, action->kind, name);
	if (!other || other->ours)
		return;
	plan_refuse(
		action,
		arena_printf(draft->arena,
			     "it is there as '%s', and the name '%s' is taken by a container that "
			     "was not made by drey; rename or remove one of them",
			     action->have->engine_name, name));
}

/* What the engine can't do is told before anything is touched, and not left out. */
static void check_engine(struct draft *draft, struct action *action)
{
	int engine_api = draft->pass->observed.engine_api;
	struct error err = ERROR_INIT;

	if (engine_api == 0 ||
	    (action->verdict != VERDICT_CREATE && action->verdict != VERDICT_UPDATE &&
	     action->verdict != VERDICT_REPLACE) ||
	    schema_check_engine(action->kind->spec, action->want->spec, engine_api, &err) == 0)
		return;
	plan_refuse(action, arena_strdup(draft->arena, err.text));
}

static void note_replacement(struct draft *draft, struct action *action)
{
	action->backup_first |= row_true(action->want, "backup_first");
	if (strcmp(action->kind->name, "Container") == 0) {
		container_check_layer(action);
		if (action->verdict != VERDICT_REPLACE)
			return;
		container_decide_order(draft->pass, action, draft->arena);
	}
	action->disruptive |= !action->start_first && plan_is_running(action->have);
	check_backup(draft, action);
}

/* A volume's current generation carries its name on a label only; all else is ours by label, or
 * stands on the name. */
static const struct object *find_object(const struct pass *pass, const struct resource *want)
{
	const struct object *object;

	if (strcmp(want->kind->name, "Volume") == 0)
		return volume_current(pass, want->name);
	object = pass_find_ours(pass, want->kind, want->name);
	if (object)
		return object;
	object = pass_find_engine_name(pass, want->kind, resource_engine_name(want));
	return object && plan_is_anothers(pass, object, want) ? NULL : object;
}

void draft_compare(struct draft *draft, struct candidate *candidate)
{
	struct action *action = &candidate->action;
	const struct pass *pass = draft->pass;

	action->have = find_object(pass, action->want);
	if (row_is(action->want, "state", "absent") && !row_true(action->want, "external")) {
		compare_absent(draft, action);
		return;
	}
	reconciler_find(action->kind->name)->compare(pass, action, draft->arena);
	check_name_taken(draft, action);
	check_engine(draft, action);
	if (action->verdict == VERDICT_REPLACE)
		note_replacement(draft, action);
}

/* depends_on NAME: { restart: true } */
static bool follow_restart(struct draft *draft, struct action *action,
			   const struct action *provider, const char *what)
{
	if (action->restart || !plan_is_running(action->have) ||
	    !str_eq(resource_string(action->want, "state"), "running") ||
	    !container_restarts_after(action->want, provider->name))
		return false;
	action->verdict = VERDICT_UPDATE;
	action->restart = action->disruptive = true;
	action->reason = arena_printf(draft->arena, "%s/%s, on which it depends, is %s",
				      provider->kind->name, provider->name, what);
	return true;
}

/* How a provider's fate meets those that name it in a row: what a difference in that row takes
 * is what a new provider takes, for it is a new value of that row (a new network's ID, a new
 * container's namespaces). */
static bool follow(struct draft *draft, struct candidate *user, const struct need *need)
{
	const struct action *provider = &draft->items[need->index].action;
	struct action *action = &user->action;
	enum verdict verdict;
	const char *what;

	if (provider->verdict == VERDICT_REPLACE)
		what = "replaced";
	else if (provider->verdict == VERDICT_CREATE)
		what = "made anew";
	else
		return false;
	if (!need->field || !action->have ||
	    (action->verdict != VERDICT_KEEP && action->verdict != VERDICT_UPDATE))
		return false;
	if (strcmp(need->field->key, "depends_on") == 0)
		return follow_restart(draft, action, provider, what);
	if (need->field->effect == EFFECT_REPLACE ||
	    (need->field->effect == EFFECT_CONNECT &&
	     container_connect_loses_mac(draft->pass, action->want, provider->name)))
		verdict = VERDICT_REPLACE;
	else if (need->field->effect == EFFECT_CONNECT)
		verdict = VERDICT_UPDATE;
	else
		return false;
	if (action->verdict == verdict)
		return false;
	action->verdict = verdict;
	action->restart = action->restart && verdict == VERDICT_UPDATE;
	action->reason = arena_printf(draft->arena, "%s/%s, which its %s names, is %s",
				      provider->kind->name, provider->name, need->field->key, what);
	if (verdict == VERDICT_REPLACE)
		note_replacement(draft, action);
	return true;
}

/* Users of what is refused because it isn't there, or is foreign, can't be brought into step. */
static void note_refused(struct draft *draft, struct candidate *user)
{
	struct action *action = &user->action;

	if (action->verdict == VERDICT_KEEP || action->verdict == VERDICT_REFUSE ||
	    action->verdict == VERDICT_REMOVE || action->warning)
		return;
	VEC_FOREACH (const struct need *, need, &user->needs) {
		const struct action *provider = &draft->items[need->index].action;

		if (need->optional || provider->verdict != VERDICT_REFUSE ||
		    plan_is_usable(provider))
			continue;
		action->warning = arena_printf(draft->arena, "waits for %s/%s, which is refused",
					       provider->kind->name, provider->name);
		return;
	}
}

const struct action *plan_action_on(const struct draft *draft, const struct object *object)
{
	for (size_t i = 0; i < draft->declared; i++) {
		if (draft->items[i].action.have == object)
			return &draft->items[i].action;
	}
	return NULL;
}

const char *plan_why_not_along(struct draft *draft, const struct object *sharer)
{
	const struct action *action = plan_action_on(draft, sharer);
	struct error err = ERROR_INIT;
	const char *why = NULL;

	if (action && action->verdict == VERDICT_REFUSE)
		why = action->reason;
	else if (action && action->verdict != VERDICT_REMOVE)
		why = container_why_layer_stays(action->want, sharer);
	if (!why && action && row_true(action->want, "backup_first") &&
	    backup_require(draft->pass, action->want, sharer, &err) < 0)
		why = err.text;
	if (why)
		return arena_printf(draft->arena,
				    "%s/%s shares its namespaces and can't be replaced with it: %s",
				    action->kind->name, action->name, why);
	if (action || plan_is_transient(sharer))
		return NULL;
	if (!sharer->ours)
		return arena_printf(draft->arena,
				    "container '%s', which was not made by drey, shares its "
				    "namespaces and would lose them; stop it first",
				    sharer->engine_name);
	if (!draft->options->prune)
		return arena_printf(draft->arena,
				    "container '%s', which no manifest declares any more, shares "
				    "its namespaces and could not go with it; remove it first, or "
				    "say --prune",
				    sharer->engine_name);
	return NULL;
}

static bool refuse_for_sharers(struct draft *draft, struct action *action)
{
	const struct observed *observed = &draft->pass->observed;
	const struct object *have = action->have;
	const char *why = NULL;

	if (action->verdict != VERDICT_REPLACE || strcmp(action->kind->name, "Container") != 0)
		return false;
	for (size_t i = 0; i < observed->count && !why; i++) {
		if (container_shares(observed->objects[i], have->id, have->engine_name))
			why = plan_why_not_along(draft, observed->objects[i]);
	}
	if (why)
		plan_refuse(action, why);
	return why;
}

void draft_cascade(struct draft *draft)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < draft->declared; i++) {
			/* First, so that none follows what stays. */
			changed |= refuse_for_sharers(draft, &draft->items[i].action);
			changed |= plan_refuse_for_writers(draft, &draft->items[i].action);
			changed |= draft_refuse_for_users(draft, &draft->items[i].action);
		}
		for (size_t i = 0; i < draft->declared; i++) {
			VEC_FOREACH (const struct need *, need, &draft->items[i].needs)
				changed |= follow(draft, &draft->items[i], need);
		}
	}
	for (size_t i = 0; i < draft->declared; i++) {
		draft_note_users(draft, &draft->items[i].action);
		note_refused(draft, &draft->items[i]);
	}
}
