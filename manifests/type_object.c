/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values with rows of their own: one object, a list of them, and objects by name. */
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"

static void sort_key(const struct field *field, const json_t *object, struct str *out)
{
	const json_t *written = json_object_get(object, field->key);
	json_t *fallback = written ? NULL : field_fallback(field);
	const json_t *value = written ? written : fallback;

	if (json_is_string(value)) {
		str_append(out, json_string_value(value));
	} else if (value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

		str_append(out, text ? text : "");
		free(text);
	}
	json_decref(fallback);
}

static bool has_keys(const struct schema *schema)
{
	schema_foreach (schema, field) {
		if (field->flags & FIELD_KEY)
			return true;
	}
	return false;
}

static void join_members(const struct schema *schema, const json_t *object, char separator,
			 struct str *out)
{
	unsigned wanted = has_keys(schema) ? FIELD_KEY : 0;
	size_t start = out->len;

	schema_foreach (schema, field) {
		if ((field->flags & wanted) != wanted || (field->flags & FIELD_OURS))
			continue;
		if (out->len > start || separator < ' ')
			str_append_char(out, separator);
		sort_key(field, object, out);
	}
}

void object_identity(const struct schema *schema, const json_t *object, struct str *out)
{
	join_members(schema, object, '\x1f', out);
}

void object_label(const struct schema *schema, const json_t *object, struct str *out)
{
	struct str text;

	str_init(&text, 0);
	if (!schema->short_form || !schema->short_form->print(object, &text)) {
		str_clear(&text);
		join_members(schema, object, ',', &text);
	}
	print_text(text.data, out);
	str_done(&text);
}

/* Text in short form -> its objects; NULL after a diagnosis. */
static json_t *expand(struct decode *decode, const struct field *field, const struct node *node)
{
	const struct short_form *form = field->of->short_form;
	struct error err = ERROR_INIT;

	if (!form) {
		decode_fault(decode, node, "expected a mapping, found %s",
			     decode_found(decode, node));
		return NULL;
	}
	const char *text = decode_scalar(decode, node, form->syntax);
	json_t *objects = text ? form->expand(text, &err) : NULL;
	if (text && !objects && node->secret)
		decode_fault(decode, node, "%s is not of the form %s", decode_found(decode, node),
			     form->syntax);
	else if (text && !objects)
		decode_fault(decode, node, "%s", err.text);
	return objects;
}

/* NULL unless all of it could be decoded. */
static json_t *decode_whole(struct decode *decode, const struct schema *schema,
			    const struct node *node)
{
	size_t faults = decode->faults;
	json_t *object = schema_decode(schema, decode, node);

	if (decode->faults == faults)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *parse_object(struct decode *decode, const struct field *field,
			    const struct node *node)
{
	if (node->type != NODE_SCALAR || node_is_null(node) || !field->of->short_form)
		return decode_whole(decode, field->of, node);
	json_t *objects = expand(decode, field, node);
	if (!objects)
		return NULL;
	json_t *object = NULL;
	if (json_array_size(objects) == 1)
		object = json_incref(json_array_get(objects, 0));
	else
		decode_fault(decode, node, "%s stands for %zu, expected one",
			     decode_found(decode, node), json_array_size(objects));
	json_decref(objects);
	return object;
}

static void print_object(const struct field *field, const json_t *value, struct str *out)
{
	const struct schema *of = field->of;
	size_t printed = 0;
	struct str text;

	if (!of || !json_is_object(value)) {
		if (json_is_string(value))
			print_text(json_string_value(value), out);
		else
			print_flow(value, out);
		return;
	}
	str_init(&text, 0);
	if (of->short_form && of->short_form->print(value, &text)) {
		print_text(text.data, out);
		str_done(&text);
		return;
	}
	str_done(&text);
	str_append_char(out, '{');
	schema_foreach (of, member_row) {
		const json_t *member = json_object_get(value, member_row->key);

		if (!member)
			continue;
		str_printf(out, "%s%s: ", printed++ ? ", " : "", member_row->key);
		schema_print_value(member_row, member, out);
	}
	str_append_char(out, '}');
}

static json_t *schema_of_short(const struct short_form *form)
{
	json_t *schema = json_pack("{s:[s,s],s:s}", "type", "string", "integer", "description",
				   form->syntax);

	if (form->pattern)
		json_object_set_new(schema, "pattern", json_sprintf("(%s)|\\$\\{", form->pattern));
	return schema;
}

/* One object as it may be written. */
static json_t *schema_of_object(const struct field *field)
{
	json_t *object = json_schema_object(field->of);

	if (!field->of->short_form)
		return object;
	return json_pack("{s:[o,o]}", "anyOf", schema_of_short(field->of->short_form), object);
}

const struct value_type type_object = {
	.name = "object",
	.shape = SHAPE_OBJECT,
	.parse = parse_object,
	.print = print_object,
	.json_schema = schema_of_object,
};

/* Appends what is new; false when one is there already. `seen` has identities. */
static bool add_objects(struct decode *decode, const struct field *field, const struct node *node,
			json_t *objects, json_t *seen, json_t *list)
{
	bool added = true;
	json_t *object;
	size_t index;

	json_array_foreach (objects, index, object) {
		struct str identity;

		str_init(&identity, 0);
		object_identity(field->of, object, &identity);
		if (!(field->flags & FIELD_REPEATS) && json_object_get(seen, identity.data)) {
			str_clear(&identity);
			object_label(field->of, object, &identity);
			decode_fault(decode, node, "%s is there twice",
				     node_has_secret(node) ? "'***'" : identity.data);
			added = false;
		} else {
			json_object_set_new(seen, identity.data, json_true());
			json_array_append(list, object);
		}
		str_done(&identity);
	}
	return added;
}

static json_t *parse_element(struct decode *decode, const struct field *field,
			     const struct node *node)
{
	if (node->type == NODE_SCALAR && !node_is_null(node) && field->of->short_form)
		return expand(decode, field, node);
	json_t *object = decode_whole(decode, field->of, node);
	return object ? json_pack("[o]", object) : NULL;
}

static json_t *parse_objects(struct decode *decode, const struct field *field,
			     const struct node *node)
{
	bool failed = false;

	if (node->type != NODE_SEQUENCE) {
		decode_fault(decode, node, "expected a list, found %s", decode_found(decode, node));
		return NULL;
	}
	json_t *list = json_array(), *seen = json_object();
	for (size_t i = 0; i < node->count; i++) {
		struct decode_step step = { .up = decode->at, .index = i };

		decode->at = &step;
		json_t *objects = parse_element(decode, field, node->values[i]);
		if (!objects || !add_objects(decode, field, node->values[i], objects, seen, list))
			failed = true;
		decode->at = step.up;
		json_decref(objects);
	}
	json_decref(seen);
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

static void print_objects(const struct field *field, const json_t *value, struct str *out)
{
	json_t *object;
	size_t index;

	if (!json_is_array(value)) {
		print_object(field, value, out);
		return;
	}
	str_append_char(out, '[');
	json_array_foreach (value, index, object) {
		str_append(out, index ? ", " : "");
		print_object(field, object, out);
	}
	str_append_char(out, ']');
}

static json_t *schema_of_objects(const struct field *field)
{
	return json_schema_or_reference(
		json_pack("{s:s,s:o}", "type", "array", "items", schema_of_object(field)));
}

const struct value_type type_objects = {
	.name = "list of objects",
	.shape = SHAPE_OBJECTS,
	.parse = parse_objects,
	.print = print_objects,
	.json_schema = schema_of_objects,
};

/* A name alone leaves everything that belongs to it to the defaults. */
static json_t *parse_nothing(struct decode *decode, const struct field *field,
			     const struct node *key)
{
	size_t faults = decode->faults;

	decode_required(decode, field->of, key);
	return decode->faults == faults ? json_object() : NULL;
}

static bool add_named(struct decode *decode, const struct field *field, const struct node *key,
		      const struct node *value, size_t index, json_t *map)
{
	const char *name = decode_scalar(decode, key, "a name");
	struct decode_step step = { .up = decode->at, .key = value ? name : NULL, .index = index };
	json_t *object = NULL;

	if (!name)
		return false;
	decode->at = &step;
	if (!decode_pattern(decode, field, key, name))
		object = NULL;
	else if (json_object_get(map, name))
		decode_fault(decode, key, "%s is there twice", decode_found(decode, key));
	else if (!value || node_is_null(value))
		object = parse_nothing(decode, field, key);
	else
		object = parse_object(decode, field, value);
	decode->at = step.up;
	return object && json_object_set_new(map, name, object) == 0;
}

static json_t *parse_object_map(struct decode *decode, const struct field *field,
				const struct node *node)
{
	bool failed = false;

	if (node->type == NODE_SCALAR) {
		decode_fault(decode, node, "expected a mapping or a list of names, found %s",
			     decode_found(decode, node));
		return NULL;
	}
	json_t *map = json_object();
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == NODE_MAPPING)
			failed |= !add_named(decode, field, node->keys[i], node->values[i], i, map);
		else
			failed |= !add_named(decode, field, node->values[i], NULL, i, map);
	}
	if (!failed)
		return map;
	json_decref(map);
	return NULL;
}

static void print_object_map(const struct field *field, const json_t *value, struct str *out)
{
	const char *name;
	json_t *object;
	size_t printed = 0;

	/* The object of one name prints as itself: the diff shows those. */
	if (!json_is_object(value)) {
		print_object(field, value, out);
		return;
	}
	str_append_char(out, '{');
	json_object_foreach ((json_t *)value, name, object) {
		str_append(out, printed++ ? ", " : "");
		print_text(name, out);
		str_append(out, ": ");
		print_object(field, object, out);
	}
	str_append_char(out, '}');
}

static json_t *schema_of_object_map(const struct field *field)
{
	json_t *map = json_pack("{s:s,s:{s:[o,{s:s}]}}", "type", "object", "additionalProperties",
				"anyOf", schema_of_object(field), "type", "null");
	json_t *names = json_pack("{s:s,s:{s:s},s:b}", "type", "array", "items", "type", "string",
				  "uniqueItems", 1);

	if (field->pattern)
		json_object_set_new(
			map, "propertyNames",
			json_pack("{s:o}", "pattern", json_schema_pattern(field->pattern)));
	return json_pack("{s:[o,o]}", "anyOf", map, names);
}

const struct value_type type_object_map = {
	.name = "objects by name",
	.shape = SHAPE_OBJECT_MAP,
	.parse = parse_object_map,
	.print = print_object_map,
	.json_schema = schema_of_object_map,
};
