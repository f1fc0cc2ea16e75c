/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form of a saved plan, once: these tables check what is read, and are the JSON Schema that
 * `drey schema plan` prints. A plan with a member that stands in none of them is not taken: it
 * would be something that this drey can't compare.
 */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/plan/mask.h"
#include "controller/plan/saved.h"

enum member_shape {
	MEMBER_STRING,
	MEMBER_STRING_OR_NULL,
	MEMBER_BOOLEAN,
	MEMBER_COUNT, /* an integer from 0 */
	MEMBER_VALUE, /* anything */
	MEMBER_STRINGS,
	MEMBER_FORM, /* of */
	MEMBER_FORM_OR_NULL,
	MEMBER_FORMS, /* an array of such */
};

struct form;

struct member {
	const char *key;
	enum member_shape shape;
	const char *doc;
	const struct form *of;
	unsigned len; /* strings: exactly so many bytes; 0: any */
	bool plain;   /* strings: shown in messages as they are, so without control characters */
};

struct form {
	const struct member *members;
	size_t count;
	const char *instead; /* where this member is, none but the first and it are */
};

#define FORM(name, rows, ...)                                                                      \
	static const struct form name = { .members = rows,                                         \
					  .count = ARRAY_SIZE(rows),                               \
					  ##__VA_ARGS__ }

static const struct member change_members[] = {
	{ "path", MEMBER_STRING, "The field." },
	{ "before", MEMBER_VALUE, "What the engine has; null: not there." },
	{ "after", MEMBER_VALUE, "What it shall have." },
	{ "masked", MEMBER_BOOLEAN, "A value is hidden." },
	{ "effect", MEMBER_STRING, "none, live, connect, state, replace, forbidden." },
};
FORM(change_form, change_members);

static const struct member action_members[] = {
	{ "resource", MEMBER_STRING, "KIND/NAME@HOST." },
	{ "kind", MEMBER_STRING, "The resource's kind." },
	{ "name", MEMBER_STRING, "The resource's name." },
	{ "verdict", MEMBER_STRING, "keep, create, update, replace, remove, refuse, leftover." },
	{ "engine_name", MEMBER_STRING_OR_NULL, "What the object is called on the engine." },
	{ "reason", MEMBER_STRING_OR_NULL, "Why." },
	{ "warning", MEMBER_STRING_OR_NULL, "What the reader should know." },
	{ "changes", MEMBER_FORMS, "The fields that differ.", &change_form },
	{ "known_after_pull", MEMBER_BOOLEAN, "The image is not on the host." },
	{ "disruptive", MEMBER_BOOLEAN, "A running service stops for it." },
	{ "loses_data", MEMBER_BOOLEAN, "It removes data, which the manifests agree to." },
	{ "backup_first", MEMBER_BOOLEAN, "A backup is made before." },
	{ "order", MEMBER_STRING_OR_NULL, "A container's replacement: start-first or stop-first." },
	{ "order_reason", MEMBER_STRING_OR_NULL, "Why not start-first, where it is asked for." },
	{ "restart", MEMBER_BOOLEAN, "It is stopped and started." },
	{ "after", MEMBER_STRINGS, "Resources whose actions come first." },
	{ "id", MEMBER_STRING_OR_NULL, "The object's ID on the engine; a volume's name." },
	{ "created", MEMBER_STRING_OR_NULL, "When the object was made, in the engine's words." },
	{ "image_id", MEMBER_STRING_OR_NULL, "The image that the container runs." },
	{ "wanted_image_id", MEMBER_STRING_OR_NULL,
	  "The image that it shall run, if it is there." },
	{ "registry_digest", MEMBER_STRING_OR_NULL, "What its tag means in the registry." },
	{ "digest", MEMBER_STRING_OR_NULL, "SHA-256 of the masked spec of the manifests." },
	{ "secrets", MEMBER_STRING_OR_NULL, "HMAC over what is masked; null: nothing is." },
};
FORM(action_form, action_members);

static const struct member summary_members[] = {
	{ "keep", MEMBER_COUNT, "In step." },	    { "create", MEMBER_COUNT, "To create." },
	{ "update", MEMBER_COUNT, "To update." },   { "replace", MEMBER_COUNT, "To replace." },
	{ "remove", MEMBER_COUNT, "To remove." },   { "refuse", MEMBER_COUNT, "Refused." },
	{ "leftover", MEMBER_COUNT, "Left over." },
};
FORM(summary_form, summary_members);

static const struct member error_members[] = {
	{ "code", MEMBER_STRING, "For programs." },
	{ "message", MEMBER_STRING, "For people." },
};
FORM(error_form, error_members);

static const struct member host_members[] = {
	{ "host", MEMBER_STRING, "The Host's name." },
	{ "error", MEMBER_FORM, "Why it could not be planned; nothing else is there then.",
	  &error_form },
	{ "format", MEMBER_COUNT, "1." },
	{ "project", MEMBER_STRING, "The project." },
	{ "in_step", MEMBER_BOOLEAN, "Nothing is to be done." },
	{ "unfinished", MEMBER_COUNT, "Interrupted changes that come before all else." },
	{ "summary", MEMBER_FORM, "How many actions of each verdict.", &summary_form },
	{ "warnings", MEMBER_STRINGS, "About the host as a whole." },
	{ "actions", MEMBER_FORMS, "In the order in which they are carried out.", &action_form },
	{ "engine", MEMBER_STRING_OR_NULL, "The engine's ID." },
};
FORM(host_form, host_members, .instead = "error");

static const struct member resource_members[] = {
	{ "resource", MEMBER_STRING, "KIND/NAME." },
	{ "digest", MEMBER_STRING, "SHA-256 of the masked spec." },
	{ "secrets", MEMBER_STRING_OR_NULL, "HMAC over what is masked; null: nothing is." },
};
FORM(resource_form, resource_members);

static const struct member key_members[] = {
	{ "method", MEMBER_STRING, "hmac-sha256." },
	{ "salt", MEMBER_STRING, "Random, of this plan.", .len = SAVED_SALT_HEX - 1 },
	{ "check", MEMBER_STRING, "Tells another key from an altered plan.", .len = 64 },
};
FORM(key_form, key_members);

static const struct member option_members[] = {
	{ "hosts", MEMBER_STRINGS, "--host.", .plain = true },
	{ "host_selector", MEMBER_STRING_OR_NULL, "--host-selector.", .plain = true },
	{ "selector", MEMBER_STRING_OR_NULL, "--selector.", .plain = true },
	{ "targets", MEMBER_STRINGS, "--target.", .plain = true },
	{ "prune", MEMBER_BOOLEAN, "--prune." },
	{ "max_removals", MEMBER_COUNT, "--max-removals; 0: not given." },
	{ "local", MEMBER_BOOLEAN, "--local." },
};
FORM(option_form, option_members);

static const struct member document_members[] = {
	{ "format", MEMBER_COUNT, "1. It grows with every member that comes or goes." },
	{ "type", MEMBER_STRING, "plan." },
	{ "version", MEMBER_STRING, "Of the drey that made it." },
	{ "project", MEMBER_STRING, "The project.", .plain = true },
	{ "revision", MEMBER_STRING, "Of the manifests: a commit, or sha256: and a digest." },
	{ "options", MEMBER_FORM, "What diff was told; apply plans with the same.", &option_form },
	{ "resources", MEMBER_FORMS, "Registries and backups that it is carried out with.",
	  &resource_form },
	{ "hosts", MEMBER_FORMS, "A plan for each.", &host_form },
	{ "key", MEMBER_FORM_OR_NULL, "What secrets were digested with; null: there are none.",
	  &key_form },
	{ "mac", MEMBER_STRING_OR_NULL, "HMAC over all other members." },
};
FORM(document_form, document_members);

/* --- checking */

enum { PATH_MAX_SHOWN = 200 };

static int check_form(const struct form *form, const json_t *value, const char *path,
		      struct error *err);

static int wrong(struct error *err, const char *path, const char *expected)
{
	return error_set(err, ERROR_INVALID, "%s: expected %s", *path ? path : "the document",
			 expected);
}

static bool is_plain(const json_t *text)
{
	struct str escaped;

	str_init(&escaped, 0);
	text_escape(json_string_value(text), &escaped);
	bool plain = strcmp(escaped.data, json_string_value(text)) == 0;
	str_done(&escaped);
	return plain;
}

static int check_string(const struct member *member, const json_t *value, const char *path,
			struct error *err)
{
	if (!json_is_string(value))
		return wrong(err, path, "a string");
	if (member->len && json_string_length(value) != member->len)
		return wrong(err, path, "a string of another length");
	if (member->plain && !is_plain(value))
		return wrong(err, path, "text without control characters");
	return 0;
}

static int check_strings(const struct member *member, const json_t *value, const char *path,
			 struct error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return wrong(err, path, "an array of strings");
	json_array_foreach (value, i, item) {
		if (check_string(member, item, path, err) < 0)
			return -1;
	}
	return 0;
}

static int check_forms(const struct form *form, const json_t *value, const char *path,
		       struct error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return wrong(err, path, "an array of objects");
	json_array_foreach (value, i, item) {
		CLEANUP(cleanup_free) char *at = xasprintf("%s[%zu]", path, i);

		if (check_form(form, item, at, err) < 0)
			return -1;
	}
	return 0;
}

static int check_member(const struct member *member, const json_t *value, const char *path,
			struct error *err)
{
	switch (member->shape) {
	case MEMBER_STRING_OR_NULL:
		if (json_is_null(value))
			return 0;
		/* fallthrough */
	case MEMBER_STRING:
		return check_string(member, value, path, err);
	case MEMBER_BOOLEAN:
		return json_is_boolean(value) ? 0 : wrong(err, path, "true or false");
	case MEMBER_COUNT:
		return json_is_integer(value) && json_integer_value(value) >= 0
			       ? 0
			       : wrong(err, path, "an integer from 0");
	case MEMBER_VALUE:
		return 0;
	case MEMBER_STRINGS:
		return check_strings(member, value, path, err);
	case MEMBER_FORM_OR_NULL:
		if (json_is_null(value))
			return 0;
		/* fallthrough */
	case MEMBER_FORM:
		return check_form(member->of, value, path, err);
	case MEMBER_FORMS:
		return check_forms(member->of, value, path, err);
	}
	return wrong(err, path, "something else");
}

static const struct member *find_member(const struct form *form, const char *key)
{
	for (size_t i = 0; i < form->count; i++) {
		if (strcmp(form->members[i].key, key) == 0)
			return &form->members[i];
	}
	return NULL;
}

/* Does the member have to be there? */
static bool is_needed(const struct form *form, const struct member *member, bool instead)
{
	bool is_it = form->instead && strcmp(member->key, form->instead) == 0;

	if (instead)
		return is_it || member == form->members;
	return !is_it;
}

static int check_form(const struct form *form, const json_t *value, const char *path,
		      struct error *err)
{
	const json_t *below;
	const char *key;

	if (!json_is_object(value))
		return wrong(err, path, "an object");
	bool instead = form->instead && json_object_get(value, form->instead);
	json_object_foreach ((json_t *)value, key, below) {
		CLEANUP(cleanup_free)
		char *at = xasprintf("%s%s%.*s", path, *path ? "." : "", PATH_MAX_SHOWN, key);
		const struct member *member = find_member(form, key);

		if (!member || !is_needed(form, member, instead))
			return error_set(err, ERROR_INVALID, "%s: unknown member", at);
		if (check_member(member, below, at, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < form->count; i++) {
		const struct member *member = &form->members[i];

		if (is_needed(form, member, instead) && !json_object_get(value, member->key))
			return error_set(err, ERROR_INVALID, "%s%s%s is missing", path,
					 *path ? "." : "", member->key);
	}
	return 0;
}

/* Keys of the document may stand in it. */
static void make_printable(struct error *err)
{
	struct str escaped;

	str_init(&escaped, sizeof(err->text) - 1);
	text_escape(err->text, &escaped);
	error_set(err, err->code, "%s", escaped.data);
	str_done(&escaped);
}

int saved_parse(const char *text, size_t len, json_t **ret_document, struct error *err)
{
	json_error_t fault;
	json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);

	if (!document) {
		error_set(err, ERROR_INVALID, "no plan: line %d, column %d: %s", fault.line,
			  fault.column, fault.text);
		make_printable(err);
		return -1;
	}
	const json_t *format = json_object_get(document, "format");
	const char *type = json_string_value(json_object_get(document, "type"));

	/* Of what has another format nothing else can be said. */
	if (!str_eq(type, "plan") || !json_is_integer(format)) {
		error_set(err, ERROR_INVALID, "no plan; `drey diff --out FILE` makes one");
	} else if (json_integer_value(format) != SAVED_FORMAT) {
		error_set(err, ERROR_INVALID,
			  "a plan of format %lld, and this drey knows format %d; make it with the "
			  "drey that carries it out",
			  (long long)json_integer_value(format), SAVED_FORMAT);
	} else if (check_form(&document_form, document, "", err) == 0) {
		*ret_document = document;
		return 0;
	} else {
		error_wrap(err, "no plan as drey writes it");
	}
	make_printable(err);
	json_decref(document);
	return -1;
}

/* --- JSON Schema */

static json_t *form_schema(const struct form *form);

static json_t *or_null(json_t *schema)
{
	return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
}

static json_t *shape_schema(const struct member *member)
{
	switch (member->shape) {
	case MEMBER_STRING:
		return json_pack("{s:s}", "type", "string");
	case MEMBER_STRING_OR_NULL:
		return json_pack("{s:[s, s]}", "type", "string", "null");
	case MEMBER_BOOLEAN:
		return json_pack("{s:s}", "type", "boolean");
	case MEMBER_COUNT:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case MEMBER_VALUE:
		return json_object();
	case MEMBER_STRINGS:
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
	case MEMBER_FORM:
		return form_schema(member->of);
	case MEMBER_FORM_OR_NULL:
		return or_null(form_schema(member->of));
	case MEMBER_FORMS:
		return json_pack("{s:s, s:o}", "type", "array", "items", form_schema(member->of));
	}
	return json_object();
}

static json_t *required(const struct form *form, bool instead)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < form->count; i++) {
		if (is_needed(form, &form->members[i], instead))
			json_array_append_new(keys, json_string(form->members[i].key));
	}
	return keys;
}

static json_t *form_schema(const struct form *form)
{
	json_t *properties = json_object();

	for (size_t i = 0; i < form->count; i++) {
		const struct member *member = &form->members[i];
		json_t *schema = shape_schema(member);

		if (member->len) {
			json_object_set_new(schema, "minLength", json_integer((int)member->len));
			json_object_set_new(schema, "maxLength", json_integer((int)member->len));
		}
		json_object_set_new(schema, "description", json_string(member->doc));
		json_object_set_new(properties, member->key, schema);
	}
	json_t *schema = json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0,
				   "properties", properties);
	if (form->instead)
		json_object_set_new(schema, "oneOf",
				    json_pack("[{s:o, s:i}, {s:o}]", "required",
					      required(form, true), "maxProperties", 2, "required",
					      required(form, false)));
	else
		json_object_set_new(schema, "required", required(form, false));
	return schema;
}

json_t *saved_json_schema(void)
{
	json_t *schema = form_schema(&document_form);
	json_t *properties = json_object_get(schema, "properties");

	json_object_set_new(json_object_get(properties, "format"), "const",
			    json_integer(SAVED_FORMAT));
	json_object_set_new(json_object_get(properties, "type"), "const", json_string("plan"));
	json_object_set_new(schema, "$schema",
			    json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("A saved plan of drey"));
	return schema;
}
