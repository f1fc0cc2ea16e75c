/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/container_files.h"

#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/base/tar.h"
#include "reconcilers/container_codec.h"

enum {
	TAR_ROOM = 64 * 1024, /* headers before the content, blocks behind it */
	MODE_DEFAULT = 0444,
};

/* --- the rows --- */

static json_t *expand_name(const char *text, struct error *err)
{
	(void)err;
	return json_pack("[{s:s}]", "source", text);
}

static bool print_name(const json_t *object, struct str *out)
{
	const char *source = json_string_value(json_object_get(object, "source"));

	if (!source || json_object_size(object) != 1)
		return false;
	str_append(out, source);
	return true;
}

static const struct short_form name_form = {
	.syntax = "NAME",
	.expand = expand_name,
	.print = print_name,
};

#define OWNER_PATTERN "^[0-9]{1,9}$"

#define FILE_ROWS(kind, where)                                                                     \
	{                                                                                          \
		.key = "source",                                                                   \
		.type = &type_string,                                                              \
		.flags = FIELD_REQUIRED | FIELD_KEY,                                               \
		.ref = kind,                                                                       \
		.doc = "Name of the " kind ".",                                                    \
	},                                                                                         \
		{                                                                                  \
			.key = "target",                                                           \
			.type = &type_string,                                                      \
			.flags = FIELD_KEY,                                                        \
			.pattern = "^[^[:cntrl:]]+$",                                              \
			.doc = "Where it stands in the container; silence means " where            \
			       "NAME, and a relative path is relative to that directory.",         \
		},                                                                                 \
		{                                                                                  \
			.key = "uid",                                                              \
			.type = &type_string,                                                      \
			.pattern = OWNER_PATTERN,                                                  \
			.fallback = "\"0\"",                                                       \
			.doc = "Number of the user who owns the file.",                            \
		},                                                                                 \
		{                                                                                  \
			.key = "gid",                                                              \
			.type = &type_string,                                                      \
			.pattern = OWNER_PATTERN,                                                  \
			.fallback = "\"0\"",                                                       \
			.doc = "Number of the group that owns it.",                                \
		},                                                                                 \
		{                                                                                  \
			.key = "mode",                                                             \
			.type = &type_string,                                                      \
			.pattern = "^0o?[0-7]{3,4}$",                                              \
			.fallback = "\"0444\"",                                                    \
			.doc = "Its permissions in octal, with a leading 0.",                      \
		},

static const struct field config_fields[] = { FILE_ROWS("Config", "/") };
static const struct field secret_fields[] = { FILE_ROWS("Secret", "/run/secrets/") };

const struct schema container_config_schema = {
	.name = "config",
	.doc = "A Config as a file in the container.",
	.fields = config_fields,
	.count = ARRAY_SIZE(config_fields),
	.short_form = &name_form,
};

const struct schema container_secret_schema = {
	.name = "secret",
	.doc = "A Secret as a file in the container.",
	.fields = secret_fields,
	.count = ARRAY_SIZE(secret_fields),
	.short_form = &name_form,
};

static const struct {
	const char *row, *kind, *directory;
} rows[] = {
	{ "configs", "Config", "/" },
	{ "secrets", "Secret", "/run/secrets/" },
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const char *target_of(const json_t *item, const char *directory, struct arena *arena)
{
	const char *target = text(item, "target") ?: text(item, "source") ?: "";
	CLEANUP(cleanup_free)
	char *path = xasprintf("%s%s", *target == '/' ? "" : directory, target);
	CLEANUP(cleanup_free) char *clean = path_clean(path);

	return arena_strdup(arena, clean);
}

/* "0440", "0o440" */
static unsigned mode_of(const char *mode)
{
	if (!mode)
		return MODE_DEFAULT;
	return (unsigned)strtoul(mode + (mode[1] == 'o' ? 2 : 0), NULL, 8);
}

static int64_t id_of(const char *id)
{
	return id ? strtoll(id, NULL, 10) : 0;
}

const struct container_file *container_files(const struct resource *want, struct arena *arena,
					     size_t *ret_count)
{
	size_t room = json_array_size(resource_get(want, "configs")) +
		      json_array_size(resource_get(want, "secrets"));
	struct container_file *files;

	*ret_count = 0;
	if (room == 0)
		return NULL;
	files = arena_alloc(arena, room * sizeof(*files));
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		const json_t *item;
		size_t i;

		json_array_foreach (resource_get(want, rows[r].row), i, item) {
			files[(*ret_count)++] = (struct container_file){
				.row = rows[r].row,
				.target = target_of(item, rows[r].directory, arena),
				.uid = id_of(text(item, "uid")),
				.gid = id_of(text(item, "gid")),
				.mode = mode_of(text(item, "mode")),
				.content =
					resource_content(want, rows[r].kind, text(item, "source")),
			};
		}
	}
	return files;
}

/* --- rules --- */

/* Is the one path the other, or above it? */
static bool leads_to(const char *path, const char *target)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);

	return strncmp(target, path, len) == 0 && (target[len] == '\0' || target[len] == '/');
}

static bool meet(const char *a, const char *b)
{
	return leads_to(a, b) || leads_to(b, a);
}

struct check {
	const struct container_file *file;
	void (*fault)(void *ctx, const char *path, const char *message);
	void *ctx;
};

static void say(const struct check *check, const char *message)
{
	CLEANUP(cleanup_free)
	char *whole = xasprintf("%s: %s", check->file->target, message);

	check->fault(check->ctx, check->file->row, whole);
}

/* What is mounted when a container starts hides the files below it, and what is put below a volume
 * goes into the volume. */
static void check_mounts(const struct check *check, const struct resource *want)
{
	static const char *const engines[] = {
		"/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
	};
	const json_t *item;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(engines); i++) {
		if (meet(engines[i], check->file->target))
			say(check, "the engine itself mounts something there");
	}
	json_array_foreach (resource_get(want, "volumes"), i, item) {
		CLEANUP(cleanup_free) char *target = path_clean(text(item, "target") ?: "");

		if (meet(target, check->file->target))
			say(check,
			    "a mount in volumes is in the way; a file can't be put into what "
			    "is mounted");
	}
	json_array_foreach (resource_get(want, "tmpfs"), i, item) {
		const char *tmpfs = json_string_value(item);
		CLEANUP(cleanup_free) char *written = xstrndup(tmpfs, strcspn(tmpfs, ":"));
		CLEANUP(cleanup_free) char *target = path_clean(written);

		if (meet(target, check->file->target))
			say(check, "a mount in tmpfs is in the way: it is empty at each start");
	}
}

void container_files_verify(const struct resource *resource,
			    void (*fault)(void *ctx, const char *path, const char *message),
			    void *ctx)
{
	struct arena *arena = arena_new();
	size_t count;
	const struct container_file *files = container_files(resource, arena, &count);

	for (size_t i = 0; i < count; i++) {
		struct check check = { .file = &files[i], .fault = fault, .ctx = ctx };

		for (size_t j = 0; j < i; j++) {
			if (meet(files[j].target, files[i].target))
				say(&check, "another file of this container is in the way");
		}
		check_mounts(&check, resource);
	}
	if (count && resource_bool(resource, "read_only"))
		fault(ctx, "read_only",
		      "an engine puts no files into a read-only root file system; leave one of "
		      "the two: bring the files by a volume or a bind, or a secret's value by "
		      "environment");
	arena_free(arena);
}

bool container_files_lead(const struct resource *want, const char *path)
{
	struct arena *arena = arena_new();
	bool leads = false;
	size_t count;
	const struct container_file *files = container_files(want, arena, &count);

	for (size_t i = 0; i < count && !leads; i++)
		leads = leads_to(path, files[i].target);
	arena_free(arena);
	return leads;
}

const char *container_files_hidden(const struct resource *want, const json_t *image,
				   struct arena *arena)
{
	const json_t *volumes = json_object_get(json_object_get(image, "Config"), "Volumes");
	size_t count;
	const struct container_file *files = container_files(want, arena, &count);
	const char *path;
	json_t *unused;

	json_object_foreach ((json_t *)volumes, path, unused) {
		CLEANUP(cleanup_free) char *target = path_clean(path);

		for (size_t i = 0; i < count; i++) {
			if (meet(target, files[i].target))
				return arena_printf(arena,
						    "%s[%s] can't be put there: the image declares "
						    "a volume at %s",
						    files[i].row, files[i].target, target);
		}
	}
	return NULL;
}

/* --- seeing --- */

json_t *container_files_label(const struct resource *want)
{
	struct arena *arena = arena_new();
	json_t *places = json_object(), *label = NULL;
	size_t count;
	const struct container_file *files = container_files(want, arena, &count);

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_object_get(places, files[i].row);

		if (!row) {
			row = json_array();
			json_object_set_new(places, files[i].row, row);
		}
		json_array_append_new(row, json_string(files[i].target));
	}
	if (count) {
		CLEANUP(cleanup_free) char *value = json_dumps(places, JSON_COMPACT);

		label = json_string(value);
	}
	json_decref(places);
	arena_free(arena);
	return label;
}

static size_t first_difference(const struct content *content, const char *data, size_t len)
{
	size_t line = 1;

	for (size_t i = 0; i < len && i < content->len && data[i] == content->data[i]; i++)
		line += data[i] == '\n';
	return line;
}

struct container_seen container_files_seen(const struct container_file *file, const char *bytes,
					   size_t len)
{
	struct container_seen seen = { .target = file->target, .what = SEEN_OTHER };
	const struct content *content = file->content;
	struct tar_file there;

	if (tar_read(bytes, len, CONTENT_MAX, &there) != TAR_FILE)
		return seen;
	seen.what = SEEN_FILE;
	seen.uid = there.uid;
	seen.gid = there.gid;
	seen.mode = there.mode;
	seen.size = there.size;
	if (there.data) {
		size_t size = (size_t)there.size;

		seen.same = size == content->len && memcmp(there.data, content->data, size) == 0;
		if (!seen.same)
			seen.differs = first_difference(content, there.data, size);
	}
	free((char *)there.data);
	return seen;
}

struct look {
	const struct container_file *file;
	struct container_seen *seen;
	const char *engine_name;
};

static int look_done(struct pass *pass, void *ctx, const char *bytes, size_t len,
		     const struct error *failed, struct error *err)
{
	const struct look *look = ctx;

	(void)pass;
	if (!failed) {
		*look->seen = container_files_seen(look->file, bytes, len);
		return 0;
	}
	/* The file, or by now the container itself. */
	if (failed->code == ERROR_NOT_FOUND)
		return 0;
	*err = *failed;
	return error_wrap(err, "read %s of container %s", look->file->target, look->engine_name);
}

void container_files_look(struct pass *pass, struct object *object, const struct resource *want)
{
	size_t count;
	const struct container_file *files = container_files(want, pass->arena, &count);
	struct container_seen *seen = arena_alloc(pass->arena, (count + 1) * sizeof(*seen));

	if (strcmp(container_wanted_state(want), "absent") == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct look *look = arena_new_of(pass->arena, struct look);
		CLEANUP(cleanup_free)
		char *path =
			engine_path("/containers/%s/archive?path=%s", object->id, files[i].target);

		seen[i].target = files[i].target;
		*look = (struct look){ &files[i], &seen[i], object->engine_name };
		pass_queue_bytes(pass, path, files[i].content->len + TAR_ROOM, look_done, look);
	}
	object->seen = seen;
	object->seen_count = count;
}
