/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One container takes another's place, and nothing is lost if it can't.
 *
 *   create NAME.drey-new -> stop the old -> (back up) -> NAME becomes NAME.drey-old ->
 *   NAME.drey-new becomes NAME -> the old one's restart policy becomes "no" -> start -> gate ->
 *   remove the old
 *
 * Where it is to start first (update_config.order, and nothing stands against it):
 *
 *   create NAME.drey-new -> start -> gate -> NAME becomes NAME.drey-old -> NAME.drey-new becomes
 *   NAME -> the old one's restart policy becomes "no" -> stop and remove the old
 *
 * Hooks: post_start belongs to the gate, pre_stop to the stop of the old one; but where the new one
 * starts first it comes before the renames, for it may fail, and then nothing has happened yet. One
 * that did not prove itself goes without.
 *
 * At each point names, labels and states alone tell how far it came (container_recover.c).
 * That is also why undoing restores the restart policy before it removes the new container: the
 * new one's label is the only place where the policy is written.
 */
#include <string.h>

#include "reconcilers/container_hooks.h"
#include "reconcilers/container_steps.h"
#include "reconcilers/pull.h"

enum { UNDO_ATTEMPTS = 3 };

bool replacement_read_label(struct arena *arena, const char *label, const char **ret_id,
			    const char **ret_policy)
{
	size_t len = strspn(label, "0123456789abcdef");

	if (len == 0 || len > 64 || label[len] != ',')
		return false;
	*ret_id = arena_strndup(arena, label, len);
	*ret_policy = label[len + 1] ? arena_strdup(arena, label + len + 1) : NULL;
	return true;
}

static void step(const struct replacement *r, const char *text)
{
	container_step(r->pass, r->action, text);
}

static const char *old_place(const struct replacement *r)
{
	return arena_printf(r->pass->arena, "%s%s", r->name, CONTAINER_OLD);
}

static const char *new_place(const struct replacement *r)
{
	return arena_printf(r->pass->arena, "%s%s", r->name, CONTAINER_NEW);
}

/* --- forward --- */

/* The name is free once the engine is done with the removal, which it does not wait with its
 * answer to a stop for. */
static int await_removal(struct replacement *r, struct error *err)
{
	/* Whether or not the end of it is seen: there is no way back from here. */
	r->old_is_gone = true;
	if (call_await_gone(r->pass, r->old_id, err) < 0)
		return error_wrap(err, "wait until the old one, which removes itself, is gone");
	r->old_id = NULL;
	return 0;
}

static bool removes_itself(const json_t *inspect)
{
	return !inspect || inspect_is(inspect, "removing") ||
	       json_is_true(json_object_get(json_object_get(inspect, "HostConfig"), "AutoRemove"));
}

static int move_old_away(struct replacement *r, struct error *err)
{
	json_t *inspect = NULL;

	if (!r->old_id)
		return 0;
	if (call_inspect(r->pass, r->old_id, &inspect, err) < 0)
		return -1;
	bool live = inspect && inspect_is_live(inspect), gone = removes_itself(inspect);
	json_decref(inspect);
	/* An engine that was restarted since it was stopped may have started it again, and the two
	 * must not write to the same volumes. */
	if (live && container_stop(r->pass, r->action, r->action->want, r->old_id, err) < 0)
		return error_wrap(err, "stop the old one");
	if (gone)
		return await_removal(r, err);
	if (container_layer_is_kept(r->pass, r->action, r->old_id, err) < 0)
		return -1;
	step(r, "rename");
	return call_rename(r->pass, r->old_id, old_place(r), err);
}

int replacement_prove(struct replacement *r, struct error *err)
{
	const struct resource *want = r->action->want;

	if (container_post_start(r->pass, r->action, want, r->new_id, &r->found_wanting, err) ==
		    0 &&
	    container_gate(r->pass, want, r->new_id, &r->found_wanting, err) == 0)
		return 0;
	if (!r->found_wanting || container_failure_action(want) != FAILURE_CONTINUE)
		return -1;
	step(r,
	     arena_printf(r->pass->arena, "go on, as failure_action says, though %s", err->text));
	error_clear(err);
	return 0;
}

static int start_new(struct replacement *r, struct error *err)
{
	const char *wanted = container_wanted_state(r->action->want);

	if (strcmp(wanted, "stopped") == 0)
		return 0;
	step(r, "start");
	if (container_start(r->pass, r->new_id, err) < 0)
		return -1;
	/* A job is not undone: there is no service to bring back, and how it ended is its result.
	 */
	if (strcmp(wanted, "completed") == 0)
		return 0;
	step(r, "wait until it has proved itself");
	if (replacement_prove(r, err) < 0)
		return -1;
	if (strcmp(wanted, "paused") == 0)
		return call_set_paused(r->pass, r->new_id, true, err);
	return 0;
}

/* `always` and `on-failure` come back after a restart of the engine. */
static int disarm_old(const struct replacement *r, struct error *err)
{
	return r->old_id ? call_set_policy(r->pass, r->old_id, "no", err) : 0;
}

int replacement_switch(struct replacement *r, struct error *err)
{
	if (move_old_away(r, err) < 0 || call_rename(r->pass, r->new_id, r->name, err) < 0 ||
	    disarm_old(r, err) < 0)
		return -1;
	return start_new(r, err);
}

/* One that crashes just now an engine fails to rename ("sandbox not found"), and it serves nobody:
 * the new one has proved itself. */
static int rename_running(const struct replacement *r, struct error *err)
{
	if (call_rename(r->pass, r->old_id, old_place(r), err) == 0)
		return 0;
	if (call_is_lost(err) || err->code == ERROR_CANCELLED)
		return -1;
	error_clear(err);
	step(r, "stop the old one");
	return call_stop(r->pass, r->old_id, err) < 0
		       ? error_wrap(err, "stop the old one")
		       : call_rename(r->pass, r->old_id, old_place(r), err);
}

/* It counts though it did not prove itself, and goes on not to. */
static int start_wanting(const struct replacement *r, struct error *err)
{
	struct error hooks = ERROR_INIT;

	if (container_bring_back(r->pass, r->action, r->action->want, r->new_id, &hooks, err) < 0)
		return error_wrap(err, "start");
	return 0;
}

int replacement_swap_names(struct replacement *r, struct error *err)
{
	json_t *inspect = NULL;

	if (call_inspect(r->pass, r->old_id, &inspect, err) < 0)
		return -1;
	/* It may have ended and gone meanwhile. */
	bool gone = !inspect || inspect_is(inspect, "removing");
	json_decref(inspect);
	if (gone && await_removal(r, err) < 0)
		return -1;
	/* One that counts though it does not stay up can't be renamed either. */
	if (r->found_wanting && call_stop(r->pass, r->new_id, err) < 0)
		return error_wrap(err, "stop the new one, to rename it");
	step(r, "rename");
	/* Until the second one is done the name resolves to neither: nothing comes in between. */
	if (r->old_id && rename_running(r, err) < 0)
		return -1;
	if (call_rename(r->pass, r->new_id, r->name, err) < 0)
		return -1;
	if (r->found_wanting && start_wanting(r, err) < 0)
		return -1;
	return disarm_old(r, err);
}

int replacement_finish(struct replacement *r, struct error *err)
{
	if (!r->old_id)
		return 0;
	step(r, "remove the old one");
	if (call_delete(r->pass, r->old_id, err) < 0)
		return error_wrap(err, "remove %s", old_place(r));
	return 0;
}

/* --- back --- */

static int remove_new(const struct replacement *r, struct error *err)
{
	if (!r->new_id)
		return 0;
	return call_delete_new(r->pass, r->new_id, err) < 0 ? error_wrap(err, "remove the new one")
							    : 0;
}

/* Keeps the new one from coming back by itself while it is being removed. */
static int disarm_new(const struct replacement *r, struct error *err)
{
	if (!r->new_id)
		return 0;
	/* Stopped first: an engine can't update one that ends while it does. */
	if (call_stop(r->pass, r->new_id, err) < 0) {
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "stop the new one");
		error_clear(err);
		return 0;
	}
	if (call_set_policy(r->pass, r->new_id, "no", err) < 0) {
		if (call_is_lost(err) || err->code == ERROR_CANCELLED)
			return -1;
		/* One that is dead or just going, which an engine does not update. */
		error_clear(err);
	}
	return 0;
}

/* What the engine can't remove ("device or resource busy") must not keep the old one from serving:
 * it makes room, and the next run tries again. */
static int clear_way(const struct replacement *r, struct error *err)
{
	if (remove_new(r, err) == 0)
		return 0;
	if (!r->old_id || call_is_lost(err) || err->code == ERROR_CANCELLED)
		return -1;
	log_debug(r->pass->log, "%s", err->text);
	error_clear(err);
	return call_rename(r->pass, r->new_id, new_place(r), err);
}

int replacement_start_old(const struct replacement *r, struct error *err)
{
	struct error hooks = ERROR_INIT;
	const char *stand_in;

	/* An engine goes on with a stop that nobody waits for any more: one that is started before
	 * that is over would be stopped by it. */
	if (r->stop_is_doubtful && call_stop(r->pass, r->old_id, err) < 0)
		return error_wrap(err, "stop the old one");
	step(r, "start the old one");
	if (container_home_stand_in(r->pass, r->action->have, &stand_in, err) < 0)
		return error_wrap(err, "start the old one");
	int rc = container_bring_back(r->pass, r->action, r->action->want, r->old_id, &hooks, err);
	container_home_let_go(r->pass, stand_in);
	if (rc < 0)
		return error_wrap(err, "start the old one");
	if (hooks.code != ERROR_NONE)
		step(r, arena_printf(r->pass->arena, "go on, though %s", hooks.text));
	return r->pause_old ? call_set_paused(r->pass, r->old_id, true, err) : 0;
}

int replacement_put_back(struct replacement *r, struct error *err)
{
	if (disarm_new(r, err) < 0)
		return -1;
	if (r->old_id && r->old_policy &&
	    call_set_policy(r->pass, r->old_id, r->old_policy, err) < 0)
		return -1;
	if (clear_way(r, err) < 0)
		return -1;
	return r->old_id ? call_rename(r->pass, r->old_id, r->old_name, err) : 0;
}

int replacement_undo(struct replacement *r, struct error *err)
{
	struct error of_sharers = ERROR_INIT;

	if (r->old_is_gone)
		return 0;
	step(r, "undo");
	int rc = sharers_undo(r, &of_sharers);
	if (replacement_put_back(r, err) < 0)
		return -1;
	if (r->old_id && r->start_old && (!r->start_first || r->told_to_stop) &&
	    replacement_start_old(r, err) < 0)
		return -1;
	if (rc == 0)
		return sharers_start(r, err);
	*err = of_sharers;
	return -1;
}

/* --- the whole --- */

static const char *policy_of(struct arena *arena, const json_t *inspect)
{
	const json_t *policy =
		json_object_get(json_object_get(inspect, "HostConfig"), "RestartPolicy");
	const char *name = json_string_value(json_object_get(policy, "Name"));
	json_int_t retries = json_integer_value(json_object_get(policy, "MaximumRetryCount"));

	if (!name || !*name)
		return "no";
	return retries > 0 ? arena_printf(arena, "%s:%lld", name, (long long)retries)
			   : arena_strdup(arena, name);
}

/* One that is down though its manifest wants it up was so before: stopped for a replacement, say,
 * of which a run that died had undone all but that. */
static bool is_to_run_again(const struct replacement *r, const json_t *inspect)
{
	const char *wanted = container_wanted_state(r->action->want);

	return inspect_is_live(inspect) ||
	       (inspect_is(inspect, "exited") &&
		(strcmp(wanted, "running") == 0 || strcmp(wanted, "paused") == 0));
}

static int look_at_old(struct replacement *r, struct error *err)
{
	json_t *inspect = NULL;

	if (call_inspect_present(r->pass, r->old_id, &inspect, err) < 0)
		return -1;
	r->old_name = arena_strdup(r->pass->arena, inspect_name(inspect));
	r->old_policy = policy_of(r->pass->arena, inspect);
	r->start_old = is_to_run_again(r, inspect);
	r->pause_old = inspect_is(inspect, "paused");
	json_decref(inspect);
	return 0;
}

static int pre_stop_old(const struct replacement *r, struct error *err)
{
	return container_pre_stop(r->pass, r->action, r->action->want, r->old_id, err) < 0
		       ? error_wrap(err, "stop the old one")
		       : 0;
}

static int stop_old(struct replacement *r, struct error *err)
{
	if (sharers_stop(r, err) < 0)
		return -1;
	step(r, "stop the old one");
	if (pre_stop_old(r, err) < 0)
		return -1;
	if (call_stop(r->pass, r->old_id, err) < 0) {
		r->stop_is_doubtful = call_is_lost(err);
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "stop the old one");
		error_clear(err);
	}
	return 0;
}

int replacement_back_up(const struct replacement *r, struct error *err)
{
	const struct action *action = r->action;

	if (!action->backup_first)
		return 0;
	step(r, "back up");
	if (r->pass->hooks.backup(r->pass->hooks.ctx, r->pass, action->want, action->have, err) < 0)
		return error_wrap(err, "back up before the replacement");
	return 0;
}

int replacement_hold(struct replacement *r, struct error *err)
{
	const char *id = r->old_id,
		   *held = arena_printf(r->pass->arena, "%s%s", r->name, CONTAINER_HELD);

	if (r->start_first) {
		/* What does not work shall not be found by the aliases of what does. */
		if (disarm_new(r, err) < 0)
			return -1;
		id = r->new_id;
	}
	return id ? call_rename(r->pass, id, held, err) : 0;
}

/* failure_action: pause. Where others share its namespaces all go back as one. */
static bool may_hold(const struct replacement *r)
{
	return r->found_wanting && r->sharer_count == 0 &&
	       container_failure_action(r->action->want) == FAILURE_PAUSE;
}

static int hint_held(const struct replacement *r, struct error *err)
{
	return error_hint(
		err,
		r->start_first
			? "failure_action is pause: it is stopped and kept as %s%s for a look, the "
			  "old one serves on; a change of its manifest or image goes on"
			: "failure_action is pause: it is left as it is for a look, and the old "
			  "one is kept as %s%s; a change of its manifest or image goes on from "
			  "that one, removing that one accepts the new",
		r->name, CONTAINER_HELD);
}

/* A service is down meanwhile, and nobody comes by before the next run: an engine that says no once
 * is asked once more. */
static int undo_at_last(struct replacement *r, struct error *err)
{
	for (int attempt = 0; attempt < UNDO_ATTEMPTS; attempt++) {
		error_clear(err);
		if (replacement_undo(r, err) == 0)
			return 0;
		if (call_is_lost(err) || err->code == ERROR_CANCELLED)
			break;
		log_debug(r->pass->log, "undo failed: %s", err->text);
	}
	return -1;
}

/* The way back, with the reason for it kept as the first thing that is read. */
static int fail(struct replacement *r, struct error *err)
{
	struct error undo = ERROR_INIT;

	if (r->old_is_gone)
		return error_hint(err,
				  "the old container removes itself when it stops, so there is "
				  "nothing to go back to: the new one stays as it is");
	if (may_hold(r)) {
		step(r, "hold, as failure_action says");
		if (replacement_hold(r, &undo) == 0)
			return hint_held(r, err);
		log_debug(r->pass->log, "%s", undo.text);
		error_clear(&undo);
	}

	if (undo_at_last(r, &undo) == 0)
		return error_hint(err, r->start_first ? "the old container serves on"
						      : "the old container is back in place");
	if (call_is_lost(&undo) || undo.code == ERROR_CANCELLED)
		return error_hint(err, "the next run finishes or undoes the replacement");
	return error_hint(err, "undoing it failed as well (%s); the next run takes it up",
			  undo.text);
}

/* What a run that created and then lost sight of it has left under the temporary name. */
static int clear_place(struct pass *pass, const char *place, const char *name, struct error *err)
{
	json_t *inspect = NULL;
	int ret = 0;

	if (call_inspect(pass, place, &inspect, err) < 0)
		return -1;
	if (inspect && str_eq(inspect_label(inspect, LABEL_PROJECT), pass->project) &&
	    str_eq(inspect_label(inspect, LABEL_NAME), name) &&
	    inspect_label(inspect, LABEL_REPLACES) && !inspect_is_live(inspect))
		ret = call_delete_new(pass, inspect_id(inspect), err);
	else if (inspect)
		ret = error_set(err, ERROR_CONFLICT,
				"the name %s, which the replacement needs, is taken by container "
				"%.12s",
				place, inspect_id(inspect));
	json_decref(inspect);
	return ret;
}

int replacement_prepare(struct replacement *r, struct error *err)
{
	if (r->action->backup_first && !r->pass->hooks.backup)
		return error_set(err, ERROR_REFUSED,
				 "a backup comes first, and there is nowhere to put it");
	if (pull_ensure(r->pass, r->action, err) < 0)
		return -1;
	if (clear_place(r->pass, new_place(r), r->action->name, err) < 0 ||
	    container_make_room(r->pass, r->action, err) < 0)
		return -1;
	return look_at_old(r, err);
}

int replacement_create(struct replacement *r, struct error *err)
{
	return container_create(r->pass, r->action, new_place(r), r->action->have, &r->new_id, err);
}

/* Everything that may fail by itself, of the sharers too, before anything is stopped. */
static int prepare(struct replacement *r, struct error *err)
{
	const struct action *action = r->action;

	if (replacement_prepare(r, err) < 0)
		return -1;
	sharers_find(r);
	if (sharers_prepare(r, err) < 0)
		return -1;
	if (strcmp(container_wanted_state(action->want), "stopped") != 0 &&
	    container_wait_dependencies(r->pass, action, NULL, err) < 0)
		return -1;
	/* Again: the wait may have been a long one. */
	if (look_at_old(r, err) < 0)
		return -1;
	return replacement_create(r, err);
}

static int finish(struct replacement *r, struct error *err)
{
	return sharers_finish(r, err) < 0 ? -1 : replacement_finish(r, err);
}

static int wait_completed(const struct replacement *r, struct error *err)
{
	if (strcmp(container_wanted_state(r->action->want), "completed") != 0)
		return 0;
	step(r, "wait until it has completed");
	return container_wait_completed(r->pass, r->action->want, r->new_id, err);
}

/* The old one serves on until the new one has proved itself, and has not been touched if that
 * one does not. */
static int start_first(struct replacement *r, struct error *err)
{
	if (start_new(r, err) < 0)
		return fail(r, err);
	r->told_to_stop = true;
	if (pre_stop_old(r, err) < 0 || replacement_swap_names(r, err) < 0)
		return fail(r, err);
	return replacement_finish(r, err);
}

int container_replace(struct pass *pass, const struct action *action, struct error *err)
{
	struct replacement r = {
		.pass = pass,
		.action = action,
		.name = container_engine_name(action->want),
		.old_id = action->have->id,
	};
	struct error undo = ERROR_INIT;

	if (sharer_was_replaced(pass, action, &r.new_id, err) < 0)
		return -1;
	if (r.new_id)
		return wait_completed(&r, err);
	if (prepare(&r, err) < 0) {
		/* The old one has not been touched. */
		if (r.new_id && remove_new(&r, &undo) < 0)
			log_debug(pass->log, "%s", undo.text);
		return -1;
	}
	/* The last point at which stopping costs nothing. */
	if (call_check_cancelled(pass, err) < 0)
		return fail(&r, err);
	/* Unless somebody has come to share its namespaces since the plan was made. */
	r.start_first = action->start_first && r.sharer_count == 0;
	if (r.start_first)
		return start_first(&r, err);
	if (stop_old(&r, err) < 0 || replacement_back_up(&r, err) < 0 ||
	    sharers_back_up(&r, err) < 0 || replacement_switch(&r, err) < 0 ||
	    sharers_switch(&r, err) < 0)
		return fail(&r, err);
	return finish(&r, err) < 0 ? -1 : wait_completed(&r, err);
}
