/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between the files that a container should have been given and what is there. Pure.
 */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_files.h"

/* How a value of a change is shown: a secret's never, though the rows that name it are. */
static const struct field secret_value = {
	.key = "content",
	.type = &type_string,
	.flags = FIELD_SECRET,
	.doc = "What a secret holds.",
};
static const struct field plain_value = {
	.key = "content",
	.type = &type_string,
	.doc = "What is told of a file.",
};

struct comparison {
	struct action *action;
	struct arena *arena;
	const struct container_file *file;
};

static void release(void *json)
{
	json_decref(json);
}

static json_t *shown(const struct comparison *c, const char *value)
{
	json_t *string = value ? json_string(value) : NULL;

	if (string)
		arena_defer(c->arena, release, string);
	return string;
}

static bool is_ignored(const struct action *action, const char *path)
{
	const json_t *ignored;
	size_t i;

	json_array_foreach (resource_ignore(action->want), i, ignored) {
		const char *text = json_string_value(ignored);
		size_t len = text ? strlen(text) : 0;

		if (len && strncmp(path, text, len) == 0 && strchr(".[", path[len]))
			return true;
	}
	return false;
}

static void add(const struct comparison *c, const char *row, const char *path, bool secret,
		const char *before, const char *after)
{
	if (is_ignored(c->action, path))
		return;
	struct change change = {
		.field = schema_field(&container_schema, row),
		.leaf = secret ? &secret_value : &plain_value,
		.path = path,
		.before = shown(c, before),
		.after = shown(c, after),
		.effect = EFFECT_REPLACE,
	};
	vec_push(&c->action->changes.list, change);
}

/* Neither text nor digest: what stood there once may have been a secret. */
static void add_content(const struct comparison *c, const struct container_seen *seen)
{
	const struct container_file *file = c->file;
	const char *path = arena_printf(c->arena, "%s[%s]", file->row, file->target);
	const char *after = arena_printf(c->arena, "%zu bytes", file->content->len);
	const char *before = NULL;

	if (seen && seen->what == SEEN_OTHER)
		before = "no regular file";
	else if (seen && seen->what == SEEN_FILE)
		before = arena_printf(c->arena, "%lld bytes", (long long)seen->size);
	if (seen && seen->differs)
		after = arena_printf(c->arena, "%s, other from line %zu on", after, seen->differs);
	add(c, file->row, path, file->content->secret, before, after);
}

static void compare_part(const struct comparison *c, const char *member, const char *there,
			 const char *wanted)
{
	const struct container_file *file = c->file;

	if (strcmp(there, wanted) != 0)
		add(c, file->row,
		    arena_printf(c->arena, "%s[%s].%s", file->row, file->target, member), false,
		    there, wanted);
}

static const char *number(const struct comparison *c, int64_t value)
{
	return arena_printf(c->arena, "%lld", (long long)value);
}

static const char *octal(const struct comparison *c, unsigned mode)
{
	return arena_printf(c->arena, "0%03o", mode);
}

static const struct container_seen *find_seen(const struct object *have, const char *target)
{
	for (size_t i = 0; i < have->seen_count; i++) {
		if (strcmp(have->seen[i].target, target) == 0)
			return &have->seen[i];
	}
	return NULL;
}

static void compare_file(const struct comparison *c)
{
	const struct container_file *file = c->file;
	const struct container_seen *seen = find_seen(c->action->have, file->target);

	if (!seen || seen->what != SEEN_FILE || !seen->same)
		add_content(c, seen);
	if (!seen || seen->what != SEEN_FILE)
		return;
	compare_part(c, "uid", number(c, seen->uid), number(c, file->uid));
	compare_part(c, "gid", number(c, seen->gid), number(c, file->gid));
	compare_part(c, "mode", octal(c, seen->mode), octal(c, file->mode));
}

static bool is_wanted(const struct container_file *files, size_t count, const char *row,
		      const char *target)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i].row, row) == 0 && strcmp(files[i].target, target) == 0)
			return true;
	}
	return false;
}

/* What drey has put there once, and the manifest no longer names. */
static void compare_label(const struct comparison *c, const struct container_file *files,
			  size_t count)
{
	static const char *const rows[] = { "configs", "secrets" };
	const char *label =
		json_string_value(json_object_get(c->action->have->labels, LABEL_FILES));
	json_t *places = label ? json_loads(label, 0, NULL) : NULL;
	const json_t *item;
	size_t i;

	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		json_array_foreach (json_object_get(places, rows[r]), i, item) {
			const char *target = json_string_value(item);

			if (!target || is_wanted(files, count, rows[r], target))
				continue;
			add(c, rows[r], arena_printf(c->arena, "%s[%s]", rows[r], target),
			    strcmp(rows[r], "secrets") == 0, "put there by drey", NULL);
		}
	}
	json_decref(places);
}

void container_files_compare(struct action *action, struct arena *arena)
{
	size_t count;
	const struct container_file *files = container_files(action->want, arena, &count);
	struct comparison c = { .action = action, .arena = arena };

	for (size_t i = 0; i < count; i++) {
		c.file = &files[i];
		compare_file(&c);
	}
	if (action->have->ours)
		compare_label(&c, files, count);
}
