/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating a volume, replacing it by a new generation, and removing one whose manifest agrees to
 * that in words. Nothing else is ever done to a volume.
 *
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Volume
 */
#include "reconcilers/container_calls.h"
#include "reconcilers/volume.h"

enum { ATTEMPTS = 2 };

/* Engines answer a create for a name that is taken with what is there, and success. */
static int check_created(struct pass *pass, const char *name, const char *uid, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);
	json_t *found = NULL;
	int ret = 0;

	if (engine_get(pass->engine, path, &found, err) < 0)
		return -1;
	if (!str_eq(json_string_value(json_object_get(json_object_get(found, "Labels"), LABEL_UID)),
		    uid))
		ret = error_set(err, ERROR_CONFLICT, "the name %s is taken by another volume",
				name);
	json_decref(found);
	return ret;
}

static int create(struct pass *pass, const struct action *action, struct error *err)
{
	const char *name = volume_generation_name(action->want, 1, pass->arena);
	struct error found = ERROR_INIT;
	json_t *body = NULL;
	char uid[33];
	int rc = -1;

	if (volume_create_body(pass, action->want, 1, uid, &body, err) < 0)
		return -1;
	pass_progress(pass, action, "create");
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		error_clear(err);
		error_clear(&found);
		rc = engine_post(pass->engine, "/volumes/create", body, NULL, err);
		if (rc < 0 && !call_is_lost(err))
			break;
		if (check_created(pass, name, uid, &found) == 0) {
			error_clear(err);
			rc = 0;
			break;
		}
		if (rc == 0 || found.code == ERROR_CONFLICT) {
			*err = found;
			rc = -1;
			break;
		}
	}
	json_decref(body);
	return rc < 0 ? error_wrap(err, "create %s", name) : 0;
}

/* *ret_gone: there is no volume of that name. ERROR_CONFLICT when somebody has made another one
 * of that name since it was looked at. */
static int look_again(struct pass *pass, const struct object *volume, bool *ret_gone,
		      struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", volume->engine_name);
	json_t *now = NULL;
	int rc = 0;

	*ret_gone = false;
	if (engine_get(pass->engine, path, &now, err) < 0) {
		if (err->code != ERROR_NOT_FOUND)
			return -1;
		error_clear(err);
		*ret_gone = true;
		return 0;
	}
	if (volume->ours &&
	    !str_eq(json_string_value(json_object_get(json_object_get(now, "Labels"), LABEL_UID)),
		    volume->own.uid))
		rc = error_set(err, ERROR_CONFLICT, "the name is taken by another volume now");
	json_decref(now);
	return rc;
}

static int delete_volume(struct pass *pass, const struct object *volume, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", volume->engine_name);

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct error failed = ERROR_INIT;
		bool gone = false;

		if (engine_delete(pass->engine, path, err) == 0)
			return 0;
		if (err->code != ERROR_NOT_FOUND && !call_is_lost(err))
			return -1;
		if (look_again(pass, volume, &gone, &failed) == 0 && gone) {
			error_clear(err);
			return 0;
		}
	}
	return -1;
}

/* What says that it is whole says nothing any more. */
static void delete_marker(struct pass *pass, const struct object *volume)
{
	const struct object *marker = pass_find_engine_name(
		pass, volume->kind,
		arena_printf(pass->arena, "%s" VOLUME_VERIFIED, volume->engine_name));
	struct error ignored = ERROR_INIT;

	if (marker && json_object_get(marker->labels, LABEL_VERIFIED) &&
	    delete_volume(pass, marker, &ignored) < 0)
		log_debug(pass->log, "%s", ignored.text);
}

int volume_delete(struct pass *pass, const struct object *volume, struct error *err)
{
	bool gone;

	if (look_again(pass, volume, &gone, err) < 0 ||
	    (!gone && delete_volume(pass, volume, err) < 0))
		return error_wrap(err, "remove %s", volume->engine_name);
	delete_marker(pass, volume);
	return 0;
}

static int remove_generation(struct pass *pass, const struct action *action,
			     const struct object *volume, struct error *err)
{
	bool gone;

	if (look_again(pass, volume, &gone, err) < 0)
		return error_wrap(err, "remove %s", volume->engine_name);
	if (action->backup_first && !gone) {
		pass_progress(pass, action, "back up");
		if (pass->hooks.backup(pass->hooks.ctx, pass, action->want, volume, err) < 0)
			return error_wrap(err, "back up before the removal");
	}
	pass_progress(pass, action, arena_printf(pass->arena, "remove %s", volume->engine_name));
	return volume_delete(pass, volume, err);
}

static int remove_volume(struct pass *pass, const struct action *action, struct error *err)
{
	/* The plan does not come so far without it; data is worth a second look. */
	if (!action->want ||
	    !str_eq(json_string_value(resource_get(action->want, "on_remove")), "delete"))
		return error_set(err, ERROR_REFUSED,
				 "its data would be lost, and no manifest agrees to that with "
				 "'on_remove: delete'");
	if (action->backup_first && !pass->hooks.backup)
		return error_set(err, ERROR_REFUSED,
				 "a backup comes first, and there is nowhere to put it");
	/* The current one last: as long as it is there none before it counts, and its backup is the
	 * newest. */
	for (const struct object *older = NULL;
	     (older = volume_next_generation(pass, action->have, older));) {
		if (remove_generation(pass, action, older, err) < 0)
			return -1;
	}
	return remove_generation(pass, action, action->have, err);
}

int volume_apply(struct pass *pass, const struct action *action, struct error *err)
{
	switch (action->verdict) {
	case VERDICT_CREATE:
		return create(pass, action, err);
	case VERDICT_REPLACE:
		if (pass->hooks.migrate)
			return pass->hooks.migrate(pass->hooks.ctx, pass, action, err);
		return error_set(err, ERROR_REFUSED, "there is nobody here to copy its files");
	case VERDICT_REMOVE:
		return remove_volume(pass, action, err);
	default:
		return error_set(
			err, ERROR_REFUSED,
			"a volume is not changed where it stands: say on_change, or restore it");
	}
}
