/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an adopted container has written into its own file system. drey makes none that keep
 * anything there, so of ours it is nothing to keep; who made another may have meant it to stay, and
 * no replacement takes it along.
 */
#include "reconcilers/container_compare.h"
#include "reconcilers/container_steps.h"

/* https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerChanges
 */
bool container_layer_changed(const struct object *object, const json_t *changes)
{
	json_t *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		const char *path = json_string_value(json_object_get(change, "Path"));

		if (path && !container_is_mount_point(object, path))
			return true;
	}
	return false;
}

bool container_guards_layer(const struct resource *want, const struct object *object)
{
	return object && !object->ours && !(want && resource_bool(want, "discard_changes"));
}

const char *container_why_layer_stays(const struct resource *want, const struct object *object)
{
	if (!container_guards_layer(want, object) || !object->layer_changed)
		return NULL;
	return "it was not made by drey and has written into its own file system, which a "
	       "replacement would lose; discard_changes: true in its spec agrees to that";
}

void container_check_layer(struct action *action)
{
	const char *why = container_why_layer_stays(action->want, action->have);

	if (why) {
		action->verdict = VERDICT_REFUSE;
		action->reason = why;
		action->disruptive = false;
		return;
	}
	action->loses_data = action->have && !action->have->ours && action->have->layer_changed;
}

int container_layer_is_kept(struct pass *pass, const struct action *action, const char *id,
			    struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/changes", id);
	json_t *changes = NULL;

	if (!container_guards_layer(action->want, action->have))
		return 0;
	if (engine_get(pass->engine, path, &changes, err) < 0)
		return error_wrap(err, "read what the old one has changed");
	bool changed = container_layer_changed(action->have, changes);
	json_decref(changes);
	if (!changed)
		return 0;
	error_set(err, ERROR_REFUSED,
		  "it was not made by drey and has written into its own file system since it was "
		  "looked at, at its stop perhaps, which the replacement would lose");
	return error_hint(err, "discard_changes: true in its spec agrees to that");
}
