/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The containers that share the namespaces of one that is replaced. They can't live on in the old
 * ones, nor go back to them once the old container is gone, so all are replaced as one: stopped
 * first, made anew last, and the old ones removed only when each new one has proved itself.
 */
#include <string.h>

#include "reconcilers/backup.h"
#include "reconcilers/container_hooks.h"
#include "reconcilers/container_steps.h"
#include "reconcilers/pull.h"

static const char *name_of(const struct replacement *sharer)
{
	return sharer->action->have->engine_name;
}

/* The container that its manifest means, and no other that claims to be it. */
static const struct object *find_sharer(const struct replacement *r, const struct resource *want)
{
	const struct object *provider = r->action->have;
	const struct object *object = pass_find_ours(r->pass, provider->kind, want->name);

	if (!object && resource_adopts(want)) {
		object =
			pass_find_engine_name(r->pass, provider->kind, container_engine_name(want));
		object = object && object->ours ? NULL : object;
	}
	return object && container_shares(object, provider->id, provider->engine_name) ? object
										       : NULL;
}

static void add_sharer(struct replacement *r, const struct resource *want,
		       const struct object *object)
{
	struct action *action = arena_new_of(r->pass->arena, struct action);

	*action = (struct action){
		.verdict = VERDICT_REPLACE,
		.kind = object->kind,
		.name = want ? want->name : object->own.name,
		.want = want,
		.have = object,
		.backup_first = want && resource_bool(want, "backup_first"),
	};
	r->sharers[r->sharer_count++] = (struct replacement){
		.pass = r->pass,
		.action = action,
		.name = want ? container_engine_name(want) : object->engine_name,
		.old_id = object->id,
	};
}

static bool is_sharer(const struct replacement *r, const struct object *object)
{
	for (size_t i = 0; i < r->sharer_count; i++)
		if (r->sharers[i].action->have == object)
			return true;
	return false;
}

void sharers_find(struct replacement *r)
{
	const struct pass *pass = r->pass;
	const struct object *provider = r->action->have;

	r->sharers = arena_alloc(pass->arena, (pass->observed.count + 1) * sizeof(*r->sharers));
	r->sharer_count = 0;
	/* In the order of the manifests, which is that of their starting. */
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];
		const struct object *object =
			want->kind == provider->kind ? find_sharer(r, want) : NULL;

		if (object && strcmp(container_wanted_state(want), "absent") != 0)
			add_sharer(r, want, object);
	}
	/* Those that no manifest wants are stopped as well. */
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->ours && !is_sharer(r, object) &&
		    container_shares(object, provider->id, provider->engine_name))
			add_sharer(r, NULL, object);
	}
}

static bool was_stopped_along(const struct replacement *r, const struct object *object,
			      const char *since)
{
	const json_t *state = json_object_get(object->inspect, "State");

	return !container_is_leftover(object->engine_name) &&
	       container_joins(object, r->old_id, r->action->have->engine_name) &&
	       inspect_is(object->inspect, "exited") &&
	       inspect_is_later(json_string_value(json_object_get(state, "FinishedAt")), since);
}

void sharers_find_stopped(struct replacement *r, const char *since)
{
	const struct pass *pass = r->pass;

	r->sharers = arena_alloc(pass->arena, (pass->observed.count + 1) * sizeof(*r->sharers));
	r->sharer_count = 0;
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];
		const struct object *object = want->kind == r->action->kind
						      ? pass_find_ours(pass, want->kind, want->name)
						      : NULL;

		if (object && was_stopped_along(r, object, since) &&
		    (strcmp(container_wanted_state(want), "running") == 0 ||
		     strcmp(container_wanted_state(want), "paused") == 0))
			add_sharer(r, want, object);
	}
}

static int prepare(struct replacement *sharer, struct error *err)
{
	const struct action *action = sharer->action;

	if (action->backup_first &&
	    backup_require(sharer->pass, action->want, action->have, err) < 0)
		return -1;
	return replacement_prepare(sharer, err);
}

int sharers_prepare(struct replacement *r, struct error *err)
{
	for (size_t i = 0; i < r->sharer_count; i++) {
		struct replacement *sharer = &r->sharers[i];

		if (sharer->action->want && prepare(sharer, err) < 0)
			return error_wrap(err, "%s, which shares its namespaces", name_of(sharer));
	}
	return 0;
}

int sharers_stop(const struct replacement *r, struct error *err)
{
	for (size_t i = r->sharer_count; i-- > 0;) {
		const struct replacement *sharer = &r->sharers[i];

		container_step(r->pass, r->action,
			       arena_printf(r->pass->arena, "stop %s, which shares its namespaces",
					    name_of(sharer)));
		if (container_stop(r->pass, sharer->action, sharer->action->want, sharer->old_id,
				   err) < 0) {
			if (err->code != ERROR_NOT_FOUND)
				return error_wrap(err, "stop %s", name_of(sharer));
			error_clear(err);
		}
	}
	return 0;
}

int sharers_back_up(const struct replacement *r, struct error *err)
{
	for (size_t i = 0; i < r->sharer_count; i++)
		if (replacement_back_up(&r->sharers[i], err) < 0)
			return -1;
	return 0;
}

bool sharers_precede(const struct replacement *r, const struct resource *want)
{
	for (size_t i = 0; i < r->sharer_count; i++)
		if (r->sharers[i].action->want == want)
			return false;
	return desired_leads_to(r->pass->desired, want, r->action->want);
}

static int switch_one(const struct replacement *r, struct replacement *sharer, struct error *err)
{
	const struct action *action = sharer->action;

	if (strcmp(container_wanted_state(action->want), "stopped") != 0 &&
	    container_wait_dependencies(sharer->pass, action, r, err) < 0)
		return -1;
	if (replacement_create(sharer, err) < 0)
		return -1;
	return replacement_switch(sharer, err);
}

int sharers_switch(struct replacement *r, struct error *err)
{
	for (size_t i = 0; i < r->sharer_count; i++) {
		struct replacement *sharer = &r->sharers[i];

		if (sharer->action->want && switch_one(r, sharer, err) < 0)
			return error_wrap(err, "%s, which shares its namespaces", name_of(sharer));
	}
	return 0;
}

int sharers_finish(struct replacement *r, struct error *err)
{
	for (size_t i = 0; i < r->sharer_count; i++)
		if (r->sharers[i].action->want && replacement_finish(&r->sharers[i], err) < 0)
			return -1;
	return 0;
}

/* Names and policies; started they are when what they share runs again. All are tried. */
int sharers_undo(struct replacement *r, struct error *err)
{
	int ret = 0;

	for (size_t i = r->sharer_count; i-- > 0;) {
		struct replacement *sharer = &r->sharers[i];
		struct error failed = ERROR_INIT;

		if (!sharer->new_id || replacement_put_back(sharer, &failed) == 0 || ret < 0)
			continue;
		*err = failed;
		ret = error_wrap(err, "put %s back", name_of(sharer));
	}
	return ret;
}

int sharers_start(const struct replacement *r, struct error *err)
{
	for (size_t i = 0; i < r->sharer_count; i++) {
		if (!r->sharers[i].old_id || replacement_start_old(&r->sharers[i], err) == 0)
			continue;
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "start %s", name_of(&r->sharers[i]));
		error_clear(err);
	}
	return 0;
}

static int bring_up(const struct replacement *r, struct error *err)
{
	for (size_t i = 0; i < r->sharer_count; i++) {
		const struct action *action = r->sharers[i].action;

		if (container_bring_up(r->pass, action, action->want, r->sharers[i].old_id, err) ==
		    0)
			continue;
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "start %s", name_of(&r->sharers[i]));
		error_clear(err);
	}
	return 0;
}

int sharers_restart(struct pass *pass, const struct action *action, struct error *err)
{
	struct replacement r = { .pass = pass, .action = action };
	size_t kept = 0;

	sharers_find(&r);
	/* A job runs once: what it has done so far must not be done again. */
	for (size_t i = 0; i < r.sharer_count; i++) {
		const struct resource *want = r.sharers[i].action->want;

		if (!want || strcmp(container_wanted_state(want), "completed") != 0)
			r.sharers[kept++] = r.sharers[i];
	}
	r.sharer_count = kept;
	return sharers_stop(&r, err) < 0 ? -1 : bring_up(&r, err);
}

int sharer_was_replaced(struct pass *pass, const struct action *action, const char **ret_id,
			struct error *err)
{
	const char *label, *old_id, *policy;
	json_t *inspect = NULL;

	*ret_id = NULL;
	if (call_inspect(pass, action->have->id, &inspect, err) < 0)
		return -1;
	if (inspect) {
		json_decref(inspect);
		return 0;
	}
	if (call_inspect(pass, container_engine_name(action->want), &inspect, err) < 0)
		return -1;
	label = inspect_label(inspect, LABEL_REPLACES);
	if (label && str_eq(inspect_label(inspect, LABEL_PROJECT), pass->project) &&
	    replacement_read_label(pass->arena, label, &old_id, &policy) &&
	    strcmp(old_id, action->have->id) == 0)
		*ret_id = arena_strdup(pass->arena, inspect_id(inspect));
	json_decref(inspect);
	return 0;
}
