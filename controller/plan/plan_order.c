/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In which order a plan is carried out, and what waits for what. */
#include <string.h>

#include "controller/plan/plan_internal.h"
#include "reconcilers/container.h"

static bool is_removal(const struct candidate *candidate)
{
	return candidate->action.verdict == VERDICT_REMOVE ||
	       candidate->action.verdict == VERDICT_LEFTOVER;
}

static bool acts(const struct candidate *candidate)
{
	enum verdict verdict = candidate->action.verdict;

	return verdict == VERDICT_CREATE || verdict == VERDICT_UPDATE ||
	       verdict == VERDICT_REPLACE || verdict == VERDICT_REMOVE;
}

/* The candidate whose object has the name that this one shall have, and gives it up. */
static struct candidate *find_namesake(const struct draft *draft, const struct action *action)
{
	const struct object *holder;
	struct candidate *other;

	if (!action->want)
		return NULL;
	holder = pass_find_engine_name(draft->pass, action->kind,
				       resource_engine_name(action->want));
	if (!holder || holder == action->have ||
	    !plan_is_anothers(draft->pass, holder, action->want))
		return NULL;
	other = draft_find(draft, action->kind->name, holder->own.name);
	return other && other->selected && other->action.have == holder ? other : NULL;
}

/* What is to be made waits until the name is free. What there is can't: names may be swapped. */
static void settle_name(struct draft *draft, struct candidate *candidate)
{
	enum verdict verdict = candidate->action.verdict;
	const struct candidate *other = find_namesake(draft, &candidate->action);

	if (!other)
		return;
	if (verdict == VERDICT_CREATE)
		vec_push(&candidate->after, (size_t)(other - draft->items));
	else if ((verdict == VERDICT_UPDATE || verdict == VERDICT_REPLACE) && acts(other))
		candidate->action.namesake = other->action.have;
}

static void add_edges(struct draft *draft, size_t index)
{
	struct candidate *candidate = &draft->items[index];

	if (candidate->action.verdict == VERDICT_REMOVE) {
		/* Its users let go of it first: those that are removed, and those that change. */
		for (size_t i = 0; i < draft->count; i++) {
			const struct candidate *user = &draft->items[i];

			if (i != index && user->selected && acts(user) && user->action.have &&
			    strcmp(user->action.kind->name, "Container") == 0 &&
			    strcmp(candidate->action.kind->name, "Container") != 0 &&
			    (plan_object_uses(user->action.have, candidate->action.have) ||
			     plan_object_needs(draft, user->action.have, candidate->action.have)))
				vec_push(&candidate->after, i);
		}
		return;
	}
	settle_name(draft, candidate);
	VEC_FOREACH (const struct need *, need, &candidate->needs) {
		const struct candidate *provider = &draft->items[need->index];
		bool seen = false;

		if (!provider->selected || is_removal(provider))
			continue;
		/* Refused, but there and ours: out of step, yet of use. */
		if (provider->action.verdict == VERDICT_REFUSE && plan_is_usable(&provider->action))
			continue;
		VEC_FOREACH (const size_t *, at, &candidate->after)
			seen |= *at == need->index;
		if (need->optional)
			vec_push(&candidate->after_optional, need->index);
		else if (!seen)
			vec_push(&candidate->after, need->index);
	}
}

static bool leads_to(const struct draft *draft, size_t from, size_t to, bool *seen)
{
	const struct candidate *candidate = &draft->items[from];

	if (from == to)
		return true;
	if (seen[from])
		return false;
	seen[from] = true;
	VEC_FOREACH (const size_t *, at, &candidate->after)
		if (leads_to(draft, *at, to, seen))
			return true;
	VEC_FOREACH (const size_t *, at, &candidate->after_optional)
		if (leads_to(draft, *at, to, seen))
			return true;
	return false;
}

/* Who is made anew takes those along that share its namespaces: what these need comes first, or
 * they would wait for it in vain, unless it needs that one itself. */
static void precede_sharers(struct draft *draft, size_t index)
{
	struct candidate *provider = &draft->items[index];
	const struct object *have = provider->action.have;

	if (provider->action.verdict != VERDICT_REPLACE || !have ||
	    strcmp(provider->action.kind->name, "Container") != 0)
		return;
	for (size_t i = 0; i < draft->declared; i++) {
		const struct candidate *sharer = &draft->items[i];

		if (!sharer->action.have || sharer->action.kind != provider->action.kind ||
		    !container_shares(sharer->action.have, have->id, have->engine_name))
			continue;
		VEC_FOREACH (const struct need *, need, &sharer->needs) {
			const struct candidate *other = &draft->items[need->index];

			if (!other->selected || !acts(other) || is_removal(other))
				continue;
			bool *seen = arena_alloc(draft->arena, draft->count * sizeof(*seen));
			if (leads_to(draft, need->index, index, seen))
				continue;
			if (need->optional)
				vec_push(&provider->after_optional, need->index);
			else
				vec_push(&provider->after, need->index);
		}
	}
}

/* Depth first over the edges, so that no reference points forward whatever order they came in.
 * Manifests with a cycle are never loaded. */
static void place(struct draft *draft, size_t index, bool *seen, size_t *order, size_t *count)
{
	struct candidate *candidate = &draft->items[index];

	if (seen[index])
		return;
	seen[index] = true;
	VEC_FOREACH (const size_t *, at, &candidate->after)
		place(draft, *at, seen, order, count);
	VEC_FOREACH (const size_t *, at, &candidate->after_optional)
		place(draft, *at, seen, order, count);
	candidate->position = *count;
	order[(*count)++] = index;
}

static size_t order_candidates(struct draft *draft, size_t *order)
{
	bool *seen = arena_alloc(draft->arena, (draft->count + 1) * sizeof(*seen));
	size_t count = 0;
	int phase_max = 0;

	for (size_t i = 0; i < draft->count; i++) {
		const struct candidate *candidate = &draft->items[i];

		if (candidate->selected && !is_removal(candidate))
			place(draft, i, seen, order, &count);
		if (candidate->action.kind->phase > phase_max)
			phase_max = candidate->action.kind->phase;
	}
	for (int phase = phase_max; phase >= 0; phase--) {
		for (size_t i = draft->count; i-- > 0;) {
			const struct candidate *candidate = &draft->items[i];

			if (candidate->selected && is_removal(candidate) &&
			    candidate->action.kind->phase == phase)
				place(draft, i, seen, order, &count);
		}
	}
	return count;
}

static void copy_action(struct draft *draft, const struct candidate *candidate,
			struct action *ret_action)
{
	size_t required = candidate->after.count;
	size_t count = required + candidate->after_optional.count;
	size_t *after = arena_alloc(draft->arena, (count + 1) * sizeof(*after));

	*ret_action = candidate->action;
	for (size_t i = 0; i < count; i++)
		after[i] =
			draft->items[i < required ? candidate->after.items[i]
						  : candidate->after_optional.items[i - required]]
				.position;
	ret_action->after = after;
	ret_action->after_count = count;
	ret_action->after_required = required;
}

void draft_finish(struct draft *draft, struct plan *ret_plan)
{
	size_t *order = arena_alloc(draft->arena, (draft->count + 1) * sizeof(*order));
	size_t count;

	for (size_t i = 0; i < draft->count; i++) {
		if (draft->items[i].selected)
			add_edges(draft, i);
	}
	for (size_t i = 0; i < draft->declared; i++) {
		if (draft->items[i].selected)
			precede_sharers(draft, i);
	}
	count = order_candidates(draft, order);
	*ret_plan = (struct plan){
		.host = draft->pass->desired->host->name,
		.project = draft->pass->project,
		.actions = arena_alloc(draft->arena, (count + 1) * sizeof(struct action)),
		.count = count,
		.warnings = arena_alloc(draft->arena,
					(draft->warnings.count + 1) * sizeof(const char *)),
		.warning_count = draft->warnings.count,
		.target_hits = draft->target_hits,
	};
	for (size_t i = 0; i < count; i++)
		copy_action(draft, &draft->items[order[i]], &ret_plan->actions[i]);
	for (size_t i = 0; i < draft->warnings.count; i++)
		ret_plan->warnings[i] = draft->warnings.items[i];
}
