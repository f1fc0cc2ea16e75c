/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings by name: environment, labels, options. A mapping, or a list of KEY=VALUE. */
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"

/* Puts one pair in; false after a diagnosis. `key` need not end where `len` says. */
static bool add_pair(struct decode *decode, const struct field *field, const struct node *node,
		     json_t *map, const char *key, size_t len, const char *value)
{
	char *name = arena_strndup(decode->diagnostics->arena, key, len);

	if (!len) {
		decode_fault(decode, node, "%s has no name before its value",
			     decode_found(decode, node));
		return false;
	}
	if (!decode_pattern(decode, field, node, name))
		return false;
	if (json_object_get(map, name)) {
		decode_fault(decode, node, "'%s' is there twice", name);
		return false;
	}
	json_t *text = json_string(value);
	if (!text || json_object_set_new(map, name, text) < 0) {
		decode_fault(decode, node, "the text is not UTF-8");
		return false;
	}
	return true;
}

static bool add_value(struct decode *decode, const struct field *field, const struct node *key,
		      const struct node *value, json_t *map)
{
	struct decode_step step = { .up = decode->at, .key = key->text };
	bool added = false;

	decode->at = &step;
	if (value->type != NODE_SCALAR) {
		decode_fault(decode, value, "expected a string, found %s",
			     decode_found(decode, value));
	} else if (node_is_null(value)) {
		decode_fault(decode, value,
			     "has no value; write \"\" for an empty one, or ${env.NAME} for that "
			     "of a variable which the Project lists in `env`");
	} else {
		added = add_pair(decode, field, key, map, key->text, strlen(key->text),
				 value->text);
	}
	decode->at = step.up;
	return added;
}

static bool add_text(struct decode *decode, const struct field *field, const struct node *node,
		     size_t index, json_t *map)
{
	struct decode_step step = { .up = decode->at, .index = index };
	bool added = false;

	decode->at = &step;
	const char *text = decode_scalar(decode, node, "KEY=VALUE");
	if (text) {
		const char *equals = strchr(text, '=');

		if (equals)
			added = add_pair(decode, field, node, map, text, (size_t)(equals - text),
					 equals + 1);
		else
			decode_fault(decode, node,
				     "%s has no value; write KEY=VALUE, with nothing behind the "
				     "= for an empty one",
				     decode_found(decode, node));
	}
	decode->at = step.up;
	return added;
}

static json_t *parse_type_map(struct decode *decode, const struct field *field,
			      const struct node *node)
{
	bool failed = false;

	if (node->type == NODE_SCALAR) {
		decode_fault(decode, node, "expected a mapping or a list of KEY=VALUE, found %s",
			     decode_found(decode, node));
		return NULL;
	}
	json_t *map = json_object();
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == NODE_MAPPING)
			failed |= !add_value(decode, field, node->keys[i], node->values[i], map);
		else
			failed |= !add_text(decode, field, node->values[i], i, map);
	}
	if (!failed)
		return map;
	json_decref(map);
	return NULL;
}

static void print_map(const struct field *field, const json_t *value, struct str *out)
{
	(void)field;
	if (json_is_string(value))
		print_text(json_string_value(value), out);
	else
		print_flow(value, out);
}

static json_t *schema_of_map(const struct field *field)
{
	json_t *map = json_pack("{s:s,s:{s:[s,s,s]}}", "type", "object", "additionalProperties",
				"type", "string", "number", "boolean");

	if (field->pattern)
		json_object_set_new(
			map, "propertyNames",
			json_pack("{s:o}", "pattern", json_schema_pattern(field->pattern)));
	return json_pack("{s:[o,{s:s,s:{s:s,s:s}}]}", "anyOf", map, "type", "array", "items",
			 "type", "string", "pattern", "=");
}

const struct value_type type_map = {
	.name = "map of strings",
	.shape = SHAPE_MAP,
	.parse = parse_type_map,
	.print = print_map,
	.json_schema = schema_of_map,
};
