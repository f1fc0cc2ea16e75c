/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finishing or undoing what an interrupted replacement left, from names, labels and states.
 *
 *   NAME.drey-new  NAME         the old one
 *   there          -            is there             undo: put the old one back
 *   runs           -            NAME.drey-old        it started first and has proved itself: it
 *                                                    takes the name, then as below
 *   there          the old one  is it                undo (where it started first the old one
 *                                                    serves all the while)
 *   there          -            is gone              the new one takes the name
 *   -              replaces it  NAME.drey-old        started: gate, then finish, undo or hold;
 *                                                    never started: go on; ended: undo;
 *                                                    no manifest: finish if it runs, else undo
 *   -              -            NAME.drey-old        put the old one back
 *
 * Held back on purpose (container_held.c), and left so until there is something new to try:
 *
 *   NAME           NAME.drey-held
 *   replaces it    the old one                       undo; failure_action: continue: as above
 *   the old one    replaces it                       remove it
 *   -              there                             it takes the name
 *
 * Where no manifest wants it any more both stay, as leftovers: which of the two was the good one
 * only people know.
 *
 * The old one is found by the ID in the new one's label drey.replaces, so that a foreign one that
 * was adopted is found as well. Anything else of such a name is nobody's business here.
 */
#include <string.h>

#include "reconcilers/container_compare.h"
#include "reconcilers/container_files.h"
#include "reconcilers/container_steps.h"

struct recovery {
	struct pass *pass;
	const char *name;	      /* the engine's, without suffix */
	const struct object *fresh;   /* NAME.drey-new */
	const struct object *current; /* NAME */
	const struct object *old;     /* what fresh or current replaces, else NAME.drey-old */
	const struct resource *want;  /* NULL: nobody wants it any more */
	bool put_back;		      /* it has failed before: no second gate */
	bool changed;
};

static const struct object *find_id(const struct pass *pass, const struct kind *kind,
				    const char *id)
{
	for (size_t i = 0; id && i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind == kind && strcmp(object->id, id) == 0)
			return object;
	}
	return NULL;
}

static const struct object *find_named(const struct pass *pass, const struct kind *kind,
				       const char *name, const char *suffix)
{
	return pass_find_engine_name(pass, kind, arena_printf(pass->arena, "%s%s", name, suffix));
}

/* The container's manifest, where it still has one that wants it. */
static const struct resource *find_want(const struct pass *pass, const char *engine_name)
{
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		if (strcmp(want->kind->name, "Container") == 0 &&
		    strcmp(container_engine_name(want), engine_name) == 0)
			return want;
	}
	return NULL;
}

static const char *created_at(const struct object *object)
{
	return json_string_value(json_object_get(object->inspect, "Created"));
}

/* It ended when the one in its place had been created: it was stopped for that. */
static bool was_stopped_for(const struct object *old, const struct object *fresh)
{
	const json_t *state = json_object_get(old->inspect, "State");

	return inspect_is_later(json_string_value(json_object_get(state, "FinishedAt")),
				fresh ? created_at(fresh) : NULL);
}

static bool is_wanted_live(const struct resource *want, const struct object *old,
			   const struct object *fresh, const char *policy)
{
	const char *state = want ? container_wanted_state(want) : "";

	if (want)
		return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
	/* Nobody says: one that ran before, or that the engine would have brought back, ran. */
	return was_stopped_for(old, fresh) || (old->state && strcmp(old->state, "running") == 0) ||
	       (policy && (strcmp(policy, "always") == 0 || strcmp(policy, "unless-stopped") == 0));
}

static const char *observed_policy(const struct object *object)
{
	const json_t *host_config = json_object_get(object->inspect, "HostConfig");

	return json_string_value(
		json_object_get(json_object_get(host_config, "RestartPolicy"), "Name"));
}

/* A replacement as it would stand in the process that began it. */
static void resume(struct recovery *recovery, struct action *action,
		   struct replacement *ret_replacement)
{
	const struct object *fresh = recovery->fresh ? recovery->fresh : recovery->current;
	const struct object *old = recovery->old;
	const struct resource *want = recovery->want;
	const char *id = NULL, *policy = NULL;

	if (fresh && fresh != old && fresh->own.replaces)
		replacement_read_label(recovery->pass->arena, fresh->own.replaces, &id, &policy);
	*action = (struct action){
		.verdict = VERDICT_REPLACE,
		.kind = (fresh ? fresh : old)->kind,
		.name = want			   ? want->name
			: fresh && fresh->own.name ? fresh->own.name
						   : recovery->name,
		.want = want,
		.have = old,
	};
	*ret_replacement = (struct replacement){
		.pass = recovery->pass,
		.action = action,
		.name = recovery->name,
		.old_name =
			old && old != recovery->current && !container_is_leftover(old->engine_name)
				? old->engine_name
				: recovery->name,
		.old_id = old ? old->id : NULL,
		.old_policy = policy,
		.new_id = fresh && fresh != old ? fresh->id : NULL,
		.start_old = old && is_wanted_live(want, old, fresh,
						   policy ? policy : observed_policy(old)),
		.pause_old = want && strcmp(container_wanted_state(want), "paused") == 0,
	};
}

/* With those that were stopped along with the old one, by a run that came no further. */
static int undo(struct recovery *recovery, struct error *err)
{
	struct replacement replacement;
	struct action action;

	resume(recovery, &action, &replacement);
	if (recovery->old && recovery->fresh)
		sharers_find_stopped(&replacement, created_at(recovery->fresh));
	recovery->changed = true;
	return replacement_undo(&replacement, err);
}

/* Those that go back with what they share: nothing is held then. */
static bool is_shared(const struct recovery *recovery)
{
	const struct object *old = recovery->old;

	for (size_t i = 0; i < recovery->pass->observed.count; i++) {
		if (container_joins(recovery->pass->observed.objects[i], old->id, old->engine_name))
			return true;
	}
	return false;
}

/* The new one has the name, the old one stands aside: the gate decides, as it would have. */
static int judge(struct recovery *recovery, struct error *err)
{
	struct replacement replacement;
	struct action action;
	struct error failed = ERROR_INIT;
	const char *state = recovery->current->state ? recovery->current->state : "";
	int rc;

	resume(recovery, &action, &replacement);
	recovery->changed = true;
	if (!action.want) {
		/* Nobody wants either: the newer one is the one that was wanted last, if it works.
		 */
		return inspect_is_live(recovery->current->inspect)
			       ? replacement_finish(&replacement, err)
			       : replacement_undo(&replacement, err);
	}
	const char *wanted = container_wanted_state(action.want);
	bool fresh = strcmp(state, "created") == 0;
	if (strcmp(wanted, "stopped") == 0 || strcmp(wanted, "absent") == 0 ||
	    (strcmp(wanted, "completed") == 0 && !fresh))
		return replacement_finish(&replacement, err);
	/* Its files again: whatever the engine shows, none must start without them. */
	if (fresh)
		rc = container_files_put(recovery->pass, &action, replacement.new_id, &failed) < 0
			     ? -1
			     : replacement_switch(&replacement, &failed);
	else if (strcmp(state, "paused") == 0)
		rc = 0;
	else
		rc = replacement_prove(&replacement, &failed);
	if (rc == 0)
		return replacement_finish(&replacement, err);
	if (failed.code == ERROR_UNREACHABLE || failed.code == ERROR_CANCELLED) {
		*err = failed;
		return -1;
	}
	if (replacement.found_wanting && container_failure_action(action.want) == FAILURE_PAUSE &&
	    !is_shared(recovery))
		return replacement_hold(&replacement, err);
	log_debug(recovery->pass->log, "replacement of %s is undone: %s", recovery->name,
		  failed.text);
	sharers_find_stopped(&replacement, created_at(recovery->current));
	return replacement_undo(&replacement, err);
}

static int take_name(struct recovery *recovery, struct error *err)
{
	recovery->changed = true;
	return call_rename(recovery->pass, recovery->fresh->id, recovery->name, err);
}

static int recover_one(struct recovery *recovery, struct error *err)
{
	const struct object *fresh = recovery->fresh, *current = recovery->current;

	if (recovery->put_back)
		return undo(recovery, err);
	if (fresh) {
		if (!current && recovery->old && inspect_is_live(fresh->inspect) &&
		    str_has_suffix(recovery->old->engine_name, CONTAINER_OLD)) {
			if (take_name(recovery, err) < 0)
				return -1;
			recovery->current = fresh;
			recovery->fresh = NULL;
			return judge(recovery, err);
		}
		/* Somebody else's container took the name meanwhile: the new one can't. */
		if (recovery->old || current)
			return undo(recovery, err);
		return take_name(recovery, err);
	}
	if (!current)
		return undo(recovery, err);
	return judge(recovery, err);
}

/* Who wants what was held may call it otherwise by now. */
static const struct resource *find_want_held(const struct pass *pass, const char *name,
					     const struct object *current,
					     const struct object *held)
{
	const struct resource *want = find_want(pass, name);

	if (!want && current && current->ours)
		want = desired_find(pass->desired, "Container", current->own.name);
	if (!want && held->ours)
		want = desired_find(pass->desired, "Container", held->own.name);
	return want;
}

/* What was held back, and is to be so no longer. */
static bool gather_held(const struct pass *pass, const struct object *object, const char *name,
			struct recovery *ret_recovery)
{
	const struct object *current = find_named(pass, object->kind, name, "");
	const struct resource *want = find_want_held(pass, name, current, object);
	struct held held = { 0 };

	if (!want)
		return false;
	if (current && (!container_find_held(pass, current, &held) ||
			container_stays_held(pass, want, &held, pass->arena)))
		return false;
	if (!current && !object->ours)
		return false;
	*ret_recovery = (struct recovery){
		.name = name,
		.fresh = held.old == current ? held.failed : NULL,
		.current = current,
		.old = current ? held.old : object,
		.want = want,
		.put_back = !current || held.old == current ||
			    (strcmp(container_wanted_state(want), "absent") != 0 &&
			     container_failure_action(want) != FAILURE_CONTINUE),
	};
	return true;
}

/* Fills in what belongs together; false when there is nothing to recover. */
static bool gather(const struct pass *pass, const struct object *object,
		   struct recovery *ret_recovery)
{
	const struct kind *kind = object->kind;
	const char *suffix = str_has_suffix(object->engine_name, CONTAINER_NEW)	   ? CONTAINER_NEW
			     : str_has_suffix(object->engine_name, CONTAINER_OLD)  ? CONTAINER_OLD
			     : str_has_suffix(object->engine_name, CONTAINER_HELD) ? CONTAINER_HELD
										   : NULL;
	const char *id = NULL, *policy = NULL;
	const struct object *fresh, *current, *old;

	if (strcmp(kind->name, "Container") != 0 || !suffix ||
	    strlen(object->engine_name) == strlen(suffix))
		return false;
	const char *name = arena_strndup(pass->arena, object->engine_name,
					 strlen(object->engine_name) - strlen(suffix));
	if (strcmp(suffix, CONTAINER_HELD) == 0)
		return gather_held(pass, object, name, ret_recovery);
	fresh = find_named(pass, kind, name, CONTAINER_NEW);
	current = find_named(pass, kind, name, "");
	old = find_named(pass, kind, name, CONTAINER_OLD);
	/* Only what drey labelled as a replacement is one. */
	if (fresh && (!fresh->ours || !fresh->own.replaces))
		fresh = NULL;
	const struct object *newer = fresh ? fresh : current && current->ours ? current : NULL;
	if (newer && newer->own.replaces)
		replacement_read_label(pass->arena, newer->own.replaces, &id, &policy);
	const struct object *replaced = find_id(pass, kind, id);
	if (!fresh && !(current && replaced && replaced == old) && !(!current && old && old->ours))
		return false;
	*ret_recovery = (struct recovery){
		.name = name,
		.fresh = fresh,
		.current = current,
		.old = replaced			      ? replaced
		       : !current && old && old->ours ? old
						      : NULL,
		.want = find_want(pass, name),
	};
	return true;
}

bool container_is_unfinished(const struct pass *pass, const struct object *object)
{
	struct recovery ignored;

	return gather(pass, object, &ignored);
}

int container_recover(struct pass *pass, bool *ret_changed, struct error *err)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];
		struct recovery recovery;

		if (!gather(pass, object, &recovery))
			continue;
		recovery.pass = pass;
		/* Both names of a pair lead here: once is enough. */
		if (recovery.fresh && recovery.fresh != object)
			continue;
		if (!pass->exclusive) {
			*ret_changed = true;
			return 0;
		}
		int rc = recover_one(&recovery, err);

		*ret_changed |= recovery.changed;
		if (rc == 0)
			continue;
		error_wrap(err, "recover %s", recovery.name);
		if (err->code == ERROR_UNREACHABLE || err->code == ERROR_CANCELLED)
			return -1;
		/* It stays as it is, and the plan names it; the others are not held up. */
		log_debug(pass->log, "%s", err->text);
		error_clear(err);
	}
	return 0;
}
