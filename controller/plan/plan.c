/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/plan.h"

#include <string.h>

#include "controller/plan/plan_internal.h"
#include "reconcilers/container.h"

struct candidate *draft_find(const struct draft *draft, const char *kind, const char *name)
{
	char *key = arena_printf(draft->arena, "%s/%s", kind, name);
	const json_t *number = json_object_get(draft->index, key);

	return number ? &draft->items[json_integer_value(number)] : NULL;
}

static void free_needs(void *ptr)
{
	struct draft *draft = ptr;

	for (size_t i = 0; i < draft->count; i++) {
		vec_done(&draft->items[i].needs);
		vec_done(&draft->items[i].after);
		vec_done(&draft->items[i].after_optional);
	}
	vec_done(&draft->warnings);
	json_decref(draft->index);
}

struct reference_walk {
	struct draft *draft;
	struct candidate *candidate;
};

static void note_reference(void *ctx, const char *kind, const char *name, const char *path)
{
	struct reference_walk *walk = ctx;
	struct candidate *needed = draft_find(walk->draft, kind, name);
	char key[64];

	/* Kinds of the project (Registry, Secret) are no part of a host's plan. */
	if (!needed || needed == walk->candidate)
		return;
	if (str_has_prefix(path, "spec."))
		path += strlen("spec.");
	size_t len = strcspn(path, ".[");
	if (len >= sizeof(key))
		return;
	memcpy(key, path, len);
	key[len] = '\0';
	struct need need = {
		.index = (size_t)(needed - walk->draft->items),
		.field = schema_field(walk->candidate->action.kind->spec, key),
		.optional = strcmp(key, "depends_on") == 0 &&
			    !container_requires(walk->candidate->action.want, name),
	};
	vec_push(&walk->candidate->needs, need);
}

static void free_changes(void *ptr)
{
	struct changes *changes = ptr;

	vec_done(&changes->list);
}

/* Room for every object that might turn out to be a leftover, so that candidates stay put. */
static void draft_init(struct draft *draft, const struct pass *pass,
		       const struct plan_options *options, struct arena *arena)
{
	const struct desired *desired = pass->desired;

	*draft = (struct draft){ .pass = pass, .options = options, .arena = arena };
	draft->index = json_object();
	draft->items = arena_alloc(arena, (desired->count + pass->observed.count + 1) *
						  sizeof(*draft->items));
	for (size_t i = 0; i < desired->count; i++) {
		const struct resource *resource = desired->resources[i];
		const struct reconciler *reconciler = reconciler_find(resource->kind->name);

		if (!reconciler || !reconciler->compare)
			continue;
		struct candidate *candidate = &draft->items[draft->count];
		candidate->declared = true;
		candidate->selected = true;
		candidate->host = desired->host->name;
		candidate->action.kind = resource->kind;
		candidate->action.name = resource->name;
		candidate->action.want = resource;
		candidate->action.changes.arena = arena;
		/* The finished plan's actions are copies that share the list. */
		arena_defer(arena, free_changes, &candidate->action.changes);
		json_object_set_new(
			draft->index,
			arena_printf(arena, "%s/%s", resource->kind->name, resource->name),
			json_integer((json_int_t)draft->count));
		draft->count++;
	}
	draft->declared = draft->count;
	for (size_t i = 0; i < draft->declared; i++) {
		struct candidate *candidate = &draft->items[i];
		struct reference_walk walk = { draft, candidate };

		schema_references(candidate->action.kind->spec, candidate->action.want->spec,
				  note_reference, &walk);
	}
}

/* What apply will finish or undo is a difference; what nobody will is told. */
static void note_unfinished(struct draft *draft)
{
	const struct observed *observed = &draft->pass->observed;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (!plan_is_transient(object))
			continue;
		if (container_is_unfinished(draft->pass, object)) {
			draft->unfinished++;
			vec_push(&draft->warnings,
				 arena_printf(draft->arena,
					      "'%s' is left of a change that was interrupted or "
					      "still runs; apply finishes or undoes it",
					      object->engine_name));
		} else if (object->ours && strcmp(object->kind->name, "Volume") == 0) {
			vec_push(&draft->warnings,
				 arena_printf(draft->arena,
					      "'%s' is a generation of Volume/%s that was not "
					      "filled to its end, or left behind by its users; "
					      "`drey volume confirm %s` removes it",
					      object->engine_name, object->own.name,
					      object->own.name));
		} else if (object->ours && strcmp(object->kind->name, "Container") != 0) {
			vec_push(&draft->warnings,
				 arena_printf(draft->arena,
					      "'%s' is left of a change of %s/%s that was "
					      "interrupted or still runs",
					      object->engine_name, object->own.kind,
					      object->own.name));
		} else if (object->ours && !(container_is_held(draft->pass, object) &&
					     draft_find(draft, "Container", object->own.name))) {
			vec_push(&draft->warnings,
				 arena_printf(draft->arena,
					      "'%s' is left of a change of %s/%s, and there is "
					      "nothing to finish; remove it by hand if nobody "
					      "needs it",
					      object->engine_name, object->own.kind,
					      object->own.name));
		}
	}
}

int plan_build(const struct pass *pass, const struct plan_options *options, struct arena *arena,
	       struct plan *ret_plan, struct error *err)
{
	struct draft *draft = arena_new_of(arena, struct draft);
	int ret = -1;

	draft_init(draft, pass, options, arena);
	for (size_t i = 0; i < draft->declared; i++)
		draft_compare(draft, &draft->items[i]);
	draft_cascade(draft);
	draft_leftovers(draft);
	*ret_plan = (struct plan){ 0 };
	if (draft_select(draft, err) == 0) {
		ret_plan->over_cap = options->prune && draft_prune(draft, err) < 0;
		ret = ret_plan->over_cap ? -1 : 0;
	}
	if (ret == 0) {
		draft_retire(draft);
		draft_keep_others(draft);
		note_unfinished(draft);
		draft_finish(draft, ret_plan);
		ret_plan->unfinished = draft->unfinished;
	}
	free_needs(draft);
	return ret;
}

void plan_summarize(const struct plan *plan, struct plan_summary *summary)
{
	summary->unfinished += plan->unfinished;
	for (size_t i = 0; i < plan->count; i++) {
		switch (plan->actions[i].verdict) {
		case VERDICT_KEEP:
			summary->keep++;
			break;
		case VERDICT_CREATE:
			summary->create++;
			break;
		case VERDICT_UPDATE:
			summary->update++;
			break;
		case VERDICT_REPLACE:
			summary->replace++;
			break;
		case VERDICT_REMOVE:
			summary->remove++;
			break;
		case VERDICT_REFUSE:
			summary->refuse++;
			break;
		case VERDICT_LEFTOVER:
			summary->leftover++;
			break;
		}
	}
}

bool plan_has_differences(const struct plan *plan)
{
	if (plan->unfinished > 0)
		return true;
	for (size_t i = 0; i < plan->count; i++) {
		enum verdict verdict = plan->actions[i].verdict;

		if (verdict != VERDICT_KEEP && verdict != VERDICT_LEFTOVER)
			return true;
	}
	return false;
}
