/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/confirm.h"

#include "controller/backup/helper.h"
#include "controller/base/mem.h"
#include "reconcilers/volume.h"

/* Two of one generation are rivals: a volume that another name was given to by hand, say, beside
 * the one that was made anew. Neither is what the other was filled from. */
static bool is_past(const struct object *object, const struct object *current,
		    const struct resource *volume)
{
	return object != current && volume_is_generation_of(object, volume) &&
	       object->own.generation != current->own.generation;
}

const struct object **volume_past(struct pass *pass, const struct resource *volume,
				  size_t *ret_count)
{
	const struct observed *observed = &pass->observed;
	const struct object *current = volume_current(pass, volume->name);
	const struct object **past =
		arena_alloc(pass->arena, (observed->count + 1) * sizeof(*past));
	size_t count = 0;

	for (size_t i = 0; current && i < observed->count; i++) {
		if (is_past(observed->objects[i], current, volume))
			past[count++] = observed->objects[i];
	}
	*ret_count = count;
	return past;
}

static bool is_helper(const json_t *container)
{
	return json_object_get(json_object_get(container, "Labels"), LABEL_HELPER) &&
	       str_eq(json_string_value(json_object_get(container, "State")), "created");
}

static int let_go(struct pass *pass, const struct object *volume, const json_t *container,
		  struct error *err)
{
	const char *id = json_string_value(json_object_get(container, "Id"));
	const char *name =
		json_string_value(json_array_get(json_object_get(container, "Names"), 0));
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s?v=0", id ? id : "");

	if (!is_helper(container))
		return error_set(err, ERROR_REFUSED,
				 "container %s still mounts %s; remove it first",
				 name ? name + (*name == '/') : "of no name", volume->engine_name);
	if (engine_delete(pass->engine, path, err) < 0 && err->code != ERROR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 0;
}

int volume_remove_past(struct pass *pass, const struct object *volume, struct error *err)
{
	json_t *filter = json_pack("{s:[s]}", "volume", volume->engine_name);
	CLEANUP(cleanup_free) char *text = json_dumps(filter, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?all=1&filters=%s", text);
	json_t *list = NULL;
	const json_t *container;
	size_t i;

	json_decref(filter);
	if (engine_get(pass->engine, path, &list, err) < 0)
		return error_wrap(err, "ask who mounts %s", volume->engine_name);
	int rc = 0;
	json_array_foreach (list, i, container) {
		if (rc == 0)
			rc = let_go(pass, volume, container, err);
	}
	json_decref(list);
	return rc < 0 ? -1 : volume_delete(pass, volume, err);
}
