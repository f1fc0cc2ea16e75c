/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --selector and --target, and what moves over to another generation of a volume. */
#include <string.h>

#include "controller/plan/plan_internal.h"

struct target {
	const char *kind, *name, *host; /* host NULL: any */
};

static int parse_target(const char *text, struct arena *arena, struct target *ret_target,
			struct error *err)
{
	const char *slash = strchr(text, '/');
	const char *at = strrchr(text, '@');

	if (!slash || slash == text || !slash[1] ||
	    (at && (at < slash || at == slash + 1 || !at[1])))
		return error_set(err, ERROR_INVALID,
				 "'%s' names no resource; expected KIND/NAME or KIND/NAME@HOST",
				 text);
	ret_target->kind = arena_strndup(arena, text, (size_t)(slash - text));
	ret_target->name = at ? arena_strndup(arena, slash + 1, (size_t)(at - slash - 1))
			      : arena_strdup(arena, slash + 1);
	ret_target->host = at ? at + 1 : NULL;
	if (!reconciler_find(ret_target->kind))
		return error_set(err, ERROR_INVALID, "'%s' names no kind that drey knows", text);
	return 0;
}

static bool target_matches(const struct target *target, const struct action *action)
{
	return strcmp(target->kind, action->kind->name) == 0 &&
	       strcmp(target->name, action->name) == 0;
}

/* Is there such a resource on any host of the set? */
static bool target_is_declared(const struct manifest_set *set, const struct target *target)
{
	for (size_t i = 0; set && i < set_host_count(set); i++) {
		const struct desired *desired = set_desired(set, set_host(set, i)->name);

		if (desired && desired_find(desired, target->kind, target->name))
			return true;
	}
	return false;
}

static int mark_target(struct draft *draft, const char *text, bool *marked, bool *ret_hit,
		       struct error *err)
{
	const char *here = draft->pass->desired->host->name;
	const struct manifest_set *set = draft->pass->set;
	struct target target = { 0 };
	bool found = false;

	if (parse_target(text, draft->arena, &target, err) < 0)
		return -1;
	if (target.host && strcmp(target.host, here) != 0)
		return 0;
	for (size_t i = 0; i < draft->count; i++) {
		if (target_matches(&target, &draft->items[i].action))
			found = marked[i] = true;
	}
	*ret_hit = found || (!target.host && target_is_declared(set, &target));
	/* It may be a leftover of another host: whoever asks them all can tell. */
	if (*ret_hit || (!target.host && set && set_host_count(set) > 1))
		return 0;
	return error_set(err, ERROR_INVALID, "target '%s' matches nothing on %s", text, here);
}

static int selector_matches_any(const struct draft *draft, bool *ret_any, struct error *err)
{
	const struct manifest_set *set = draft->pass->set;

	for (size_t i = 0; set && i < set_host_count(set); i++) {
		const struct desired *desired = set_desired(set, set_host(set, i)->name);

		for (size_t j = 0; desired && j < desired->count; j++) {
			if (set_match_selector(desired->resources[j], draft->options->selector,
					       ret_any, err) < 0)
				return -1;
			if (*ret_any)
				return 0;
		}
	}
	return 0;
}

/* Leftovers have no manifest and so no labels of the manifests: a selector leaves them out. */
static int mark_selector(struct draft *draft, bool *marked, struct error *err)
{
	bool any = false;

	for (size_t i = 0; i < draft->declared; i++) {
		bool match = false;

		if (set_match_selector(draft->items[i].action.want, draft->options->selector,
				       &match, err) < 0)
			return -1;
		marked[i] = match;
		any |= match;
	}
	if (!any && selector_matches_any(draft, &any, err) < 0)
		return -1;
	if (!any)
		return error_set(err, ERROR_INVALID, "selector '%s' matches no resource",
				 draft->options->selector);
	return 0;
}

/* What the chosen ones can't do without comes along where it isn't there yet, and so does what
 * follows from them: a replaced network's containers are cut off, chosen or not. */
static void close_selection(struct draft *draft)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < draft->declared; i++) {
			struct candidate *user = &draft->items[i];

			VEC_FOREACH (const struct need *, need, &user->needs) {
				struct candidate *provider = &draft->items[need->index];
				bool follows = provider->selected && !user->selected &&
					       user->action.have && need->field &&
					       provider->action.verdict == VERDICT_REPLACE &&
					       (need->field->effect == EFFECT_REPLACE ||
						need->field->effect == EFFECT_CONNECT);
				bool missing = user->selected && !provider->selected &&
					       user->action.verdict != VERDICT_REMOVE &&
					       provider->action.verdict == VERDICT_CREATE;

				user->selected |= follows;
				provider->selected |= missing;
				changed |= follows || missing;
			}
		}
	}
}

int draft_select(struct draft *draft, struct error *err)
{
	const struct plan_options *options = draft->options;
	bool *targeted = arena_alloc(draft->arena, (draft->count + 1) * sizeof(*targeted));
	bool *matched = arena_alloc(draft->arena, (draft->count + 1) * sizeof(*matched));

	if (options->target_count == 0 && !options->selector)
		return 0;
	draft->target_hits = arena_alloc(draft->arena,
					 (options->target_count + 1) * sizeof(*draft->target_hits));
	for (size_t i = 0; i < options->target_count; i++) {
		if (mark_target(draft, options->targets[i], targeted, &draft->target_hits[i], err) <
		    0)
			return -1;
	}
	if (options->selector && mark_selector(draft, matched, err) < 0)
		return -1;
	for (size_t i = 0; i < draft->count; i++)
		draft->items[i].selected = (targeted[i] || options->target_count == 0) &&
					   (matched[i] || !options->selector);
	close_selection(draft);
	return 0;
}

static bool mounts_volume(const struct resource *container, const char *volume)
{
	const json_t *mount;
	size_t i;

	json_array_foreach (resource_get(container, "volumes"), i, mount)
		if (str_eq(json_string_value(json_object_get(mount, "type")), "volume") &&
		    str_eq(json_string_value(json_object_get(mount, "source")), volume))
			return true;
	return false;
}

/* Those that take their volumes from one that mounts it mount it as well. */
static void mark_users(const struct draft *draft, bool *marked)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < draft->declared; i++) {
			const struct candidate *user = &draft->items[i];
			bool mounts = strcmp(user->action.kind->name, "Container") == 0 &&
				      mounts_volume(user->action.want, draft->options->users_of);

			VEC_FOREACH (const struct need *, need, &user->needs)
				mounts |= need->field && marked[need->index] &&
					  strcmp(need->field->key, "volumes_from") == 0;
			changed |= mounts && !marked[i];
			marked[i] |= mounts;
		}
	}
}

/* Part of the plan, not of who carries it out: one that is made anew under way is as narrow. */
void draft_keep_others(struct draft *draft)
{
	bool *marked = arena_alloc(draft->arena, (draft->count + 1) * sizeof(*marked));

	if (!draft->options->users_of)
		return;
	mark_users(draft, marked);
	for (size_t i = 0; i < draft->count; i++) {
		struct action *action = &draft->items[i].action;

		if (!marked[i] && action->verdict != VERDICT_LEFTOVER)
			action->verdict = VERDICT_KEEP;
	}
}
