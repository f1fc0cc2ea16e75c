/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files changed inside a container, where its manifest asks for them (fs_drift). Pure. */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/container_files.h"

enum { SHOWN_MAX = 5 };

/* Kinds of GET /containers/{id}/changes: https://docs.docker.com/reference/api/engine/ */
enum { CHANGE_MODIFIED, CHANGE_ADDED, CHANGE_DELETED };

static const char *const modes[] = { "ignore", "report", "replace", NULL };

static const struct field fields[] = {
	{ .key = "mode",
	  .type = &type_enum,
	  .choices = modes,
	  .fallback = "\"ignore\"",
	  .flags = FIELD_REQUIRED,
	  .doc = "ignore; report: a warning in the plan, and no difference; replace: a "
		 "difference, which makes the container anew." },
	{ .key = "ignore",
	  .type = &type_string_set,
	  .pattern = "^/",
	  .doc = "Paths in the container that may change, with all that is below them." },
};

static json_t *expand_mode(const char *text, struct error *err)
{
	for (const char *const *mode = modes; *mode; mode++) {
		if (strcmp(*mode, text) == 0)
			return json_pack("[{s:s}]", "mode", text);
	}
	error_set(err, ERROR_INVALID, "'%s' is none of ignore, report, replace", text);
	return NULL;
}

static bool print_mode(const json_t *object, struct str *out)
{
	if (json_array_size(json_object_get(object, "ignore")))
		return false;
	str_append(out, json_string_value(json_object_get(object, "mode")) ?: "ignore");
	return true;
}

static const struct short_form mode_form = {
	.syntax = "ignore|report|replace",
	.pattern = "^(ignore|report|replace)$",
	.expand = expand_mode,
	.print = print_mode,
};

const struct schema container_drift_schema = {
	.name = "fs_drift",
	.doc = "What is made of files that were changed inside.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
	.short_form = &mode_form,
};

static const char *mode_of(const struct resource *want)
{
	const json_t *mode = json_object_get(resource_get(want, "fs_drift"), "mode");

	return json_string_value(mode) ?: "ignore";
}

bool container_drift_asked(const struct resource *want)
{
	return strcmp(mode_of(want), "ignore") != 0;
}

static const char *path_of(const json_t *change)
{
	return json_string_value(json_object_get(change, "Path"));
}

/* Is it `above` itself, or below it? */
static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return len == 1 || (strncmp(path, above, len) == 0 && strchr("/", path[len]));
}

static bool is_left_out(const struct resource *want, const char *path)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(resource_get(want, "fs_drift"), "ignore"), i, entry) {
		CLEANUP(cleanup_free) char *clean = path_clean(json_string_value(entry));

		if (is_below(path, clean))
			return true;
	}
	return false;
}

/* A directory is changed whenever something in it is: that alone counts. New reference: the
 * directories above what has changed, as keys. */
static json_t *directories(const json_t *changes)
{
	json_t *above = json_object(), *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		const char *path = path_of(change);
		CLEANUP(cleanup_free) char *up = xstrdup(path ? path : "");

		for (char *slash = strrchr(up, '/'); slash > up; slash = strrchr(up, '/')) {
			*slash = '\0';
			if (json_object_get(above, up))
				break;
			json_object_set_new(above, up, json_true());
		}
	}
	return above;
}

/* Where an engine with the containerd image store has put a file into the container: a directory
 * that it pivots from, and takes away again (moby pkg/chrootarchive, os.MkdirTemp()). */
static bool is_pivot(const char *path)
{
	static const char head[] = "/.pivot_root";

	return str_has_prefix(path, head) && path[sizeof(head) - 1] &&
	       path[sizeof(head) - 1 + strspn(path + sizeof(head) - 1, "0123456789")] == '\0';
}

json_t *container_drift(const struct object *object, const struct resource *want,
			const json_t *changes)
{
	json_t *drift = json_array(), *above = directories(changes), *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		const char *path = path_of(change);

		if (path && *path == '/' && !json_object_get(above, path) &&
		    !container_is_mount_point(object, path) && !container_files_lead(want, path) &&
		    !is_left_out(want, path) && !is_pivot(path))
			json_array_append(drift, change);
	}
	json_decref(above);
	return drift;
}

static const char *what_happened(const json_t *change)
{
	switch (json_integer_value(json_object_get(change, "Kind"))) {
	case CHANGE_ADDED:
		return "added";
	case CHANGE_DELETED:
		return "deleted";
	default:
		return "changed";
	}
}

static const char *summary(const json_t *drift, struct arena *arena)
{
	const char *text = "";
	const json_t *change;
	size_t i;

	json_array_foreach (drift, i, change) {
		if (i == SHOWN_MAX)
			return arena_printf(arena, "%s and %zu more", text,
					    json_array_size(drift) - SHOWN_MAX);
		text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", path_of(change));
	}
	return text;
}

static void release(void *json)
{
	json_decref(json);
}

void container_drift_compare(struct action *action, struct arena *arena)
{
	const json_t *drift = action->have->drift, *change;
	const char *paths;
	size_t i;

	if (json_array_size(drift) == 0)
		return;
	paths = summary(drift, arena);
	if (strcmp(mode_of(action->want), "report") == 0) {
		action->warning = arena_printf(arena, "files changed inside: %s", paths);
		return;
	}
	if (!action->reason)
		action->reason = arena_printf(arena, "files changed inside: %s", paths);
	json_array_foreach (drift, i, change) {
		json_t *before = json_string(what_happened(change));

		if (i == SHOWN_MAX) {
			json_decref(before);
			break;
		}
		arena_defer(arena, release, before);
		struct change line = {
			.field = schema_field(&container_schema, "fs_drift"),
			.path = arena_printf(arena, "fs_drift[%s]", path_of(change)),
			.before = before,
			.effect = EFFECT_REPLACE,
		};
		vec_push(&action->changes.list, line);
	}
}
