/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the plan that was made anew the one that was saved, and if not, what has moved? */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/plan/mask.h"
#include "controller/plan/saved.h"

static const char not_planned[] = "not planned", not_there[] = "not there";

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

struct spot {
	json_t *rows;
	const char *host, *resource;
};

static void moved(const struct spot *at, const char *field, const json_t *planned,
		  const json_t *found)
{
	json_array_append_new(at->rows,
			      json_pack("{s:o, s:o, s:o, s:O, s:O}", "host", text_or_null(at->host),
					"resource", text_or_null(at->resource), "field",
					text_or_null(field), "planned", planned, "found", found));
}

static void moved_text(const struct spot *at, const char *field, const char *planned,
		       const char *found)
{
	json_t *before = json_string(planned), *after = json_string(found);

	moved(at, field, before, after);
	json_decref(before);
	json_decref(after);
}

/* The element of an array whose member has this text. */
static const json_t *find(const json_t *array, const char *key, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (str_eq(text_of(item, key), text))
			return item;
	}
	return NULL;
}

static void compare_members(const struct spot *at, const char *const *keys, const json_t *planned,
			    const json_t *found)
{
	for (; *keys; keys++) {
		const json_t *before = json_object_get(planned, *keys);
		const json_t *after = json_object_get(found, *keys);

		if (!json_equal(before, after))
			moved(at, *keys, before, after);
	}
}

/* --- changes of one action */

static json_t *change_text(const json_t *change)
{
	if (!change)
		return json_string("no change");
	CLEANUP(cleanup_free)
	char *before =
		json_dumps(json_object_get(change, "before"), JSON_ENCODE_ANY | JSON_SORT_KEYS);
	CLEANUP(cleanup_free)
	char *after =
		json_dumps(json_object_get(change, "after"), JSON_ENCODE_ANY | JSON_SORT_KEYS);

	return json_sprintf("%s -> %s", before, after);
}

static void change_moved(const struct spot *at, const char *path, const json_t *planned,
			 const json_t *found)
{
	json_t *before = change_text(planned), *after = change_text(found);

	moved(at, path, before, after);
	json_decref(before);
	json_decref(after);
}

static void compare_changes(const struct spot *at, const json_t *planned, const json_t *found)
{
	const json_t *change;
	size_t i;

	json_array_foreach (planned, i, change) {
		const json_t *other = find(found, "path", text_of(change, "path"));

		if (!json_equal(change, other))
			change_moved(at, text_of(change, "path"), change, other);
	}
	json_array_foreach (found, i, change) {
		if (!find(planned, "path", text_of(change, "path")))
			change_moved(at, text_of(change, "path"), NULL, change);
	}
}

/* --- one action */

/* The reason and the warnings are prose. What the others say of the spec and its secrets is told
 * only where no field tells it better. */
static void compare_action(const struct spot *at, const json_t *planned, const json_t *found)
{
	static const char *const facts[] = {
		"verdict",	    "id",	   "created",	 "image_id",	 "registry_digest",
		"wanted_image_id",  "engine_name", "loses_data", "backup_first", "disruptive",
		"known_after_pull", "after",	   NULL
	};
	size_t before = json_array_size(at->rows);

	compare_members(at, facts, planned, found);
	compare_changes(at, json_object_get(planned, "changes"), json_object_get(found, "changes"));
	if (!json_equal(json_object_get(planned, "secrets"), json_object_get(found, "secrets")))
		moved_text(at, "secrets", "a secret", "another value, or none");
	if (json_array_size(at->rows) == before &&
	    !json_equal(json_object_get(planned, "digest"), json_object_get(found, "digest")))
		moved_text(at, "spec", "what the manifests said", "something else");
}

/* Two objects may be one resource: a leftover that claims to be it, a network that another one
 * takes the place of. */
static const json_t *find_action(const json_t *actions, const json_t *like)
{
	const json_t *action;
	size_t i;

	json_array_foreach (actions, i, action) {
		if (str_eq(text_of(action, "resource"), text_of(like, "resource")) &&
		    json_equal(json_object_get(action, "id"), json_object_get(like, "id")))
			return action;
	}
	return find(actions, "resource", text_of(like, "resource"));
}

static void compare_actions(struct spot *at, const json_t *planned, const json_t *found)
{
	const json_t *action;
	size_t i;

	json_array_foreach (planned, i, action) {
		const json_t *other = find_action(found, action);
		CLEANUP(cleanup_free)
		char *name = xasprintf("%s/%s", text_of(action, "kind"), text_of(action, "name"));

		at->resource = name;
		if (other)
			compare_action(at, action, other);
		else
			moved_text(at, NULL, text_of(action, "verdict"), not_there);
	}
	json_array_foreach (found, i, action) {
		CLEANUP(cleanup_free)
		char *name = xasprintf("%s/%s", text_of(action, "kind"), text_of(action, "name"));

		at->resource = name;
		/* Of two objects that are one resource the second may be new. */
		const json_t *before = find_action(planned, action);
		if (!before || find_action(found, before) != action)
			moved_text(at, NULL, not_planned, text_of(action, "verdict"));
	}
	at->resource = NULL;
}

/* --- the whole */

static void compare_host(struct spot *at, const json_t *planned, const json_t *found)
{
	static const char *const facts[] = { "engine", NULL };

	at->host = text_of(planned, "host");
	if (json_object_get(planned, "error") || json_object_get(found, "error"))
		return;
	compare_members(at, facts, planned, found);
	/* On another engine every object is another. */
	if (json_equal(json_object_get(planned, "engine"), json_object_get(found, "engine")))
		compare_actions(at, json_object_get(planned, "actions"),
				json_object_get(found, "actions"));
}

static void compare_resources(struct spot *at, const json_t *planned, const json_t *found)
{
	const json_t *resource;
	size_t i;

	json_array_foreach (planned, i, resource) {
		const json_t *other = find(found, "resource", text_of(resource, "resource"));

		at->resource = text_of(resource, "resource");
		if (!other)
			moved_text(at, NULL, "in the manifests", not_there);
		else if (!json_equal(json_object_get(resource, "digest"),
				     json_object_get(other, "digest")))
			moved_text(at, "spec", "what the manifests said", "something else");
		else if (!json_equal(json_object_get(resource, "secrets"),
				     json_object_get(other, "secrets")))
			moved_text(at, "secrets", "a secret", "another value, or none");
	}
	json_array_foreach (found, i, resource) {
		at->resource = text_of(resource, "resource");
		if (!find(planned, "resource", at->resource))
			moved_text(at, NULL, not_there, "in the manifests");
	}
	at->resource = NULL;
}

json_t *saved_compare(const json_t *saved, const json_t *fresh)
{
	const json_t *planned = json_object_get(saved, "hosts");
	const json_t *found = json_object_get(fresh, "hosts"), *host;
	struct spot at = { .rows = json_array() };
	size_t i;

	compare_resources(&at, json_object_get(saved, "resources"),
			  json_object_get(fresh, "resources"));
	json_array_foreach (planned, i, host) {
		const json_t *other = find(found, "host", text_of(host, "host"));

		at.host = text_of(host, "host");
		if (other)
			compare_host(&at, host, other);
		else
			moved_text(&at, NULL, "planned", "no host of the manifests");
	}
	json_array_foreach (found, i, host) {
		at.host = text_of(host, "host");
		if (!find(planned, "host", at.host))
			moved_text(&at, NULL, not_planned, "a host of the manifests");
	}
	return at.rows;
}

static void append_value(struct str *out, const json_t *value)
{
	char *text = json_is_string(value) ? xstrdup(json_string_value(value))
					   : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);

	text_escape(text ? text : "null", out);
	free(text);
}

void saved_print_moved(const json_t *rows, struct str *out)
{
	static const char *const where[] = { "host", "resource", "field" };
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		for (size_t j = 0; j < ARRAY_SIZE(where); j++) {
			if (!text_of(row, where[j]))
				continue;
			text_escape(text_of(row, where[j]), out);
			str_append(out, ": ");
		}
		append_value(out, json_object_get(row, "planned"));
		str_append(out, " when it was planned, now ");
		append_value(out, json_object_get(row, "found"));
		str_append_char(out, '\n');
	}
}
