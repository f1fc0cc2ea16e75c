/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/ownership.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controller/base/str.h"

static const char *label(const json_t *labels, const char *name)
{
	const char *text = json_string_value(json_object_get(labels, name));

	return text && *text ? text : NULL;
}

static int read_generation(const char *text)
{
	char *end;
	long number = text ? strtol(text, &end, 10) : 1;

	return text && (*end || number < 1 || number > 1000000) ? 0 : (int)number;
}

bool ownership_read(const json_t *labels, const json_t *image_labels, struct ownership *ret_own)
{
	struct ownership own = {
		.project = label(labels, LABEL_PROJECT),
		.kind = label(labels, LABEL_KIND),
		.name = label(labels, LABEL_NAME),
		.uid = label(labels, LABEL_UID),
		.spec = label(labels, LABEL_SPEC),
		.revision = label(labels, LABEL_REVISION),
		.replaces = label(labels, LABEL_REPLACES),
		.generation = read_generation(label(labels, LABEL_GENERATION)),
	};

	if (!own.project || !own.kind || !own.name || !own.uid || !own.generation ||
	    !str_eq(label(labels, LABEL_FORMAT), "1") ||
	    str_eq(label(image_labels, LABEL_UID), own.uid))
		return false;
	*ret_own = own;
	return true;
}

static void make_uid(char uid[33])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];
	ssize_t got;

	/* 16 bytes come whole once the pool is ready; a signal may come while it is not. */
	do {
		got = getrandom(bytes, sizeof(bytes), 0);
	} while (got < 0 && errno == EINTR);
	assert(got == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		uid[2 * i] = digits[bytes[i] >> 4];
		uid[2 * i + 1] = digits[bytes[i] & 15];
	}
	uid[32] = '\0';
}

void ownership_write(json_t *labels, const char *project, const struct resource *resource,
		     const char *revision, char ret_uid[33])
{
	make_uid(ret_uid);
	json_object_set_new(labels, LABEL_PROJECT, json_string(project));
	json_object_set_new(labels, LABEL_KIND, json_string(resource->kind->name));
	json_object_set_new(labels, LABEL_NAME, json_string(resource->name));
	json_object_set_new(labels, LABEL_UID, json_string(ret_uid));
	json_object_set_new(labels, LABEL_FORMAT, json_string("1"));
	if (resource->digest)
		json_object_set_new(labels, LABEL_SPEC, json_string(resource->digest));
	if (revision && *revision)
		json_object_set_new(labels, LABEL_REVISION, json_string(revision));
}

json_t *ownership_strip(const json_t *labels)
{
	json_t *rest = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)labels, name, value) {
		if (!str_has_prefix(name, LABEL_PREFIX))
			json_object_set(rest, name, value);
	}
	return rest;
}

static void release(void *json)
{
	json_decref(json);
}

/* Compose finds its own by them, so a manifest that repeats them would give the object back to it
 * with the next replacement. */
const json_t *adopted_observed(const json_t *observed, const json_t *expected, struct arena *arena)
{
	const json_t *labels = json_object_get(observed, "labels");
	const json_t *wanted = json_object_get(expected, "labels");
	json_t *result = json_copy((json_t *)observed), *rest = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)labels, name, value) {
		if (!str_has_prefix(name, "com.docker.compose.") || json_object_get(wanted, name))
			json_object_set(rest, name, value);
	}
	if (json_is_object(labels))
		json_object_set(result, "labels", rest);
	json_decref(rest);
	arena_defer(arena, release, result);
	return result;
}
