/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating a volume, and removing one whose manifest agrees to that in words. Nothing else is
 * ever done to a volume.
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

static bool is_gone(struct pass *pass, const char *path)
{
	struct error failed = ERROR_INIT;
	json_t *left = NULL;

	if (engine_get(pass->engine, path, &left, &failed) < 0)
		return failed.code == ERROR_NOT_FOUND;
	json_decref(left);
	return false;
}

static int remove_volume(struct pass *pass, const struct action *action, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", action->have->engine_name);

	/* The plan does not come so far without it; data is worth a second look. */
	if (!action->want ||
	    !str_eq(json_string_value(resource_get(action->want, "on_remove")), "delete"))
		return error_set(err, ERROR_REFUSED,
				 "its data would be lost, and no manifest agrees to that with "
				 "'on_remove: delete'");
	if (action->backup_first) {
		if (!pass->hooks.backup)
			return error_set(err, ERROR_REFUSED,
					 "a backup comes first, and there is nowhere to put it");
		pass_progress(pass, action, "back up");
		if (pass->hooks.backup(pass->hooks.ctx, pass, action->want, action->have, err) < 0)
			return error_wrap(err, "back up before the removal");
	}
	pass_progress(pass, action, "remove");
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (engine_delete(pass->engine, path, err) == 0)
			return 0;
		if (err->code != ERROR_NOT_FOUND && !call_is_lost(err))
			break;
		if (is_gone(pass, path)) {
			error_clear(err);
			return 0;
		}
	}
	return error_wrap(err, "remove %s", action->have->engine_name);
}

int volume_apply(struct pass *pass, const struct action *action, struct error *err)
{
	switch (action->verdict) {
	case VERDICT_CREATE:
		return create(pass, action, err);
	case VERDICT_REMOVE:
		return remove_volume(pass, action, err);
	default:
		return error_set(
			err, ERROR_REFUSED,
			"a volume is not changed where it stands: back it up and restore it");
	}
}
