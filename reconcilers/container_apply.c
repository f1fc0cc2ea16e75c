/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating, changing in place and removing a container. Replacing: container_replace.c. */
#include <string.h>

#include "controller/base/str.h"
#include "reconcilers/container_hooks.h"
#include "reconcilers/container_steps.h"
#include "reconcilers/pull.h"

static int start(struct pass *pass, const struct action *action, const char *id, struct error *err)
{
	if (container_wait_dependencies(pass, action, NULL, err) < 0)
		return -1;
	container_step(pass, action, "start");
	if (container_bring_up(pass, action, action->want, id, err) < 0)
		return -1;
	return action->have ? sharers_restart(pass, action, err) : 0;
}

/* One that is gone a moment after its start is reported at once, not by the next diff. */
static int check_up(struct pass *pass, const struct action *action, const char *id,
		    struct error *err)
{
	json_t *inspect = NULL;
	const char *lines;

	if (call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	bool up = inspect_is_live(inspect);
	long long status =
		json_integer_value(json_object_get(json_object_get(inspect, "State"), "ExitCode"));
	json_decref(inspect);
	if (up)
		return 0;
	error_set(err, ERROR_REMOTE, "it ended right after its start with exit status %lld",
		  status);
	lines = call_last_lines(pass, id, action->want);
	return *lines ? error_hint(err, "its last lines: %s", lines) : -1;
}

static int sync_running(struct pass *pass, const struct action *action, const json_t *inspect,
			struct error *err)
{
	const char *id = inspect_id(inspect);

	if (inspect_is(inspect, "paused")) {
		container_step(pass, action, "unpause");
		return call_set_paused(pass, id, false, err);
	}
	if (inspect_is_live(inspect)) {
		if (!action->restart)
			return 0;
		/* It serves on until all is there that it needs. */
		if (container_wait_dependencies(pass, action, NULL, err) < 0)
			return -1;
		container_step(pass, action, "stop, to start it again");
		if (container_stop(pass, action, action->want, id, err) < 0)
			return error_wrap(err, "stop");
	}
	if (start(pass, action, id, err) < 0)
		return -1;
	return check_up(pass, action, id, err);
}

static int sync_paused(struct pass *pass, const struct action *action, const json_t *inspect,
		       struct error *err)
{
	const char *id = inspect_id(inspect);

	if (inspect_is(inspect, "paused"))
		return 0;
	if (!inspect_is_live(inspect) && start(pass, action, id, err) < 0)
		return -1;
	container_step(pass, action, "pause");
	return call_set_paused(pass, id, true, err);
}

/* Once per container: what has run is not run again. */
static int sync_completed(struct pass *pass, const struct action *action, const json_t *inspect,
			  struct error *err)
{
	const char *id = inspect_id(inspect);

	if (inspect_is(inspect, "created") && start(pass, action, id, err) < 0)
		return -1;
	if (inspect_is(inspect, "paused") && call_set_paused(pass, id, false, err) < 0)
		return -1;
	container_step(pass, action, "wait until it has completed");
	return container_wait_completed(pass, action->want, id, err);
}

static int sync_stopped(struct pass *pass, const struct action *action, const json_t *inspect,
			struct error *err)
{
	if (!inspect_is_live(inspect))
		return 0;
	container_step(pass, action, "stop");
	return container_stop(pass, action, action->want, inspect_id(inspect), err);
}

static int sync_state(struct pass *pass, const struct action *action, const char *id,
		      struct error *err)
{
	const char *wanted = container_wanted_state(action->want);
	json_t *inspect = NULL;
	int ret;

	if (call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	if (strcmp(wanted, "running") == 0)
		ret = sync_running(pass, action, inspect, err);
	else if (strcmp(wanted, "paused") == 0)
		ret = sync_paused(pass, action, inspect, err);
	else if (strcmp(wanted, "completed") == 0)
		ret = sync_completed(pass, action, inspect, err);
	else
		ret = sync_stopped(pass, action, inspect, err);
	json_decref(inspect);
	return ret;
}

/* --- verdicts --- */

/* What the engine would not even start (a port that is taken, a device that is missing) leaves
 * nothing worth keeping. One that ran and ended stays: its log says why. */
static void undo_create(struct pass *pass, const char *id)
{
	struct error ignored = ERROR_INIT;
	json_t *inspect = NULL;

	if (call_inspect(pass, id, &inspect, &ignored) == 0 && inspect &&
	    inspect_is(inspect, "created") && call_delete_new(pass, id, &ignored) < 0)
		log_debug(pass->log, "undo of a create failed id=%s error=\"%s\"", id,
			  ignored.text);
	json_decref(inspect);
}

static int apply_create(struct pass *pass, const struct action *action, struct error *err)
{
	const char *id = NULL;
	int ret;

	if (pull_ensure(pass, action, err) < 0 || call_check_cancelled(pass, err) < 0)
		return -1;
	ret = container_create(pass, action, container_engine_name(action->want), NULL, &id, err);
	if (ret == 0)
		ret = sync_state(pass, action, id, err);
	if (ret < 0 && id)
		undo_create(pass, id);
	return ret;
}

static int apply_update(struct pass *pass, const struct action *action, struct error *err)
{
	const char *id = action->have->id, *name = container_engine_name(action->want);
	json_t *body = container_update_body(pass, action);
	int rc = 0;

	if (body) {
		container_step(pass, action, "update");
		rc = call_update(pass, id, body, err);
		json_decref(body);
	}
	if (rc < 0)
		return error_wrap(err, "update");
	if (strcmp(action->have->engine_name, name) != 0) {
		if (container_make_room(pass, action, err) < 0)
			return -1;
		container_step(pass, action, arena_printf(pass->arena, "rename to %s", name));
		if (call_rename(pass, id, name, err) < 0)
			return -1;
	}
	if (container_sync_networks(pass, action, id, err) < 0)
		return -1;
	return sync_state(pass, action, id, err);
}

static int apply_remove(struct pass *pass, const struct action *action, struct error *err)
{
	const struct object *have = action->have;

	if (action->backup_first && !pass->hooks.backup)
		return error_set(err, ERROR_REFUSED,
				 "a backup comes first, and there is nowhere to put it");
	container_step(pass, action, "stop");
	if (container_stop(pass, action, action->want, have->id, err) < 0) {
		/* Gone while this was planned: as wanted. */
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "stop");
		error_clear(err);
		return 0;
	}
	if (action->backup_first) {
		container_step(pass, action, "back up");
		if (pass->hooks.backup(pass->hooks.ctx, pass, action->want, have, err) < 0)
			return error_wrap(err, "back up before the removal");
	}
	container_step(pass, action, "remove");
	return call_delete(pass, have->id, err) < 0 ? error_wrap(err, "remove") : 0;
}

/* What the registry has under another digest may be the image that runs, once it is there: one that
 * was loaded and not pulled has no digest. */
static int apply_replace(struct pass *pass, const struct action *action, struct error *err)
{
	const char *running = action->have->image_id;
	bool moved = action->changes.list.count == 1 &&
		     strcmp(action->changes.list.items[0].path, "image") == 0 &&
		     pull_digest(pass, action->want, NULL) && action->known_after_pull;

	if (moved && pull_ensure(pass, action, err) < 0)
		return -1;
	const json_t *image = pass_image(pass, resource_string(action->want, "image"));

	if (moved && str_eq(json_string_value(json_object_get(image, "Id")), running))
		return 0;
	return container_replace(pass, action, err);
}

int container_apply(struct pass *pass, const struct action *action, struct error *err)
{
	switch (action->verdict) {
	case VERDICT_CREATE:
		return apply_create(pass, action, err);
	case VERDICT_UPDATE:
		return apply_update(pass, action, err);
	case VERDICT_REPLACE:
		return apply_replace(pass, action, err);
	case VERDICT_REMOVE:
		return apply_remove(pass, action, err);
	default:
		return 0;
	}
}
