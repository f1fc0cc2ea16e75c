/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON Schema for editors: one definition per kind, told apart by `kind`. */
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_docs.h"
#include "manifests/schema_types.h"

json_t *json_schema_or_reference(json_t *schema)
{
	return json_pack("{s:[o,{s:s}]}", "anyOf", schema, "$ref", "#/$defs/reference");
}

/* POSIX names of classes inside brackets, for ECMA 262, which has none. */
static size_t translate_class(const char *text, struct str *out)
{
	static const struct {
		const char *posix, *ecma;
	} classes[] = {
		{ "[:alnum:]", "A-Za-z0-9" }, { "[:alpha:]", "A-Za-z" },
		{ "[:digit:]", "0-9" },	      { "[:lower:]", "a-z" },
		{ "[:upper:]", "A-Z" },	      { "[:xdigit:]", "A-Fa-f0-9" },
		{ "[:space:]", "\\s" },	      { "[:cntrl:]", "\\u0000-\\u001f\\u007f" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (str_has_prefix(text, classes[i].posix)) {
			str_append(out, classes[i].ecma);
			return strlen(classes[i].posix);
		}
	}
	return 0;
}

/* Within brackets a POSIX expression takes `[` and `\` as themselves and `]` where it is first. */
static void translate_pattern(const char *p, struct str *out)
{
	bool brackets = false, first = false;

	while (*p) {
		if (!brackets) {
			brackets = first = *p == '[';
			if (*p == '\\' && p[1])
				str_append_char(out, *p++);
			str_append_char(out, *p++);
			if (brackets && *p == '^')
				str_append_char(out, *p++);
			continue;
		}
		size_t len = translate_class(p, out);
		if (!len) {
			bool literal = strchr("[\\", *p) || (*p == ']' && first);

			brackets = *p != ']' || first;
			str_printf(out, "%s%c", literal ? "\\" : "", *p);
			len = 1;
		}
		p += len;
		first = false;
	}
}

json_t *json_schema_pattern(const char *expression)
{
	struct str text;

	str_init(&text, 0);
	translate_pattern(expression, &text);
	json_t *pattern = json_string(text.data);
	str_done(&text);
	return pattern;
}

json_t *json_schema_pattern_or_reference(const char *expression)
{
	json_t *plain = json_schema_pattern(expression);
	json_t *pattern = json_sprintf("(%s)|\\$\\{", json_string_value(plain));

	json_decref(plain);
	return pattern;
}

/* The default as one would write it: 30s, not its nanoseconds. */
static json_t *written_fallback(const struct field *field)
{
	json_t *value = field_fallback(field);

	if (!json_is_integer(value) || field->type == &type_int)
		return value;
	struct str text;
	str_init(&text, 0);
	field->type->print(field, value, &text);
	json_decref(value);
	value = json_string(text.data);
	str_done(&text);
	return value;
}

static json_t *schema_of_field(const struct field *field)
{
	json_t *schema = field->type->json_schema(field);

	json_object_set_new(schema, "description", json_string(field->doc));
	if (field->fallback && field->origin != ORIGIN_DAEMON)
		json_object_set_new(schema, "default", written_fallback(field));
	return schema;
}

json_t *json_schema_object(const struct schema *schema)
{
	json_t *properties = json_object(), *required = json_array();

	schema_foreach (schema, field) {
		json_object_set_new(properties, field->key, schema_of_field(field));
		if (field->flags & FIELD_REQUIRED)
			json_array_append_new(required, json_string(field->key));
	}
	json_t *object = json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
				   "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set(object, "required", required);
	json_decref(required);
	return object;
}

static json_t *schema_of_kind(const struct kind *kind)
{
	json_t *spec = json_schema_object(kind->spec);
	bool spec_required = json_object_get(spec, "required") != NULL;
	json_t *required = json_pack("[s,s,s]", "apiVersion", "kind", "metadata");

	if (spec_required)
		json_array_append_new(required, json_string("spec"));
	return json_pack("{s:s,s:s,s:{s:{s:s},s:{s:s},s:{s:s},s:o},s:o,s:b}", "type", "object",
			 "description", kind->doc, "properties", "apiVersion", "const", "drey/v1",
			 "kind", "const", kind->name, "metadata", "$ref", "#/$defs/metadata",
			 "spec", spec, "required", required, "additionalProperties", 0);
}

json_t *schema_json_schema(const struct kind *const *kinds, size_t count)
{
	json_t *definitions = json_object(), *alternatives = json_array();

	json_object_set_new(definitions, "reference",
			    json_pack("{s:s,s:s,s:s}", "type", "string", "pattern", "\\$\\{",
				      "description",
				      "A reference: ${host.name}, ${host.vars.X}, ${secret.NAME}, "
				      "${env.NAME}, or a template's ${parameter}."));
	json_object_set_new(definitions, "metadata", json_schema_object(&metadata_schema));
	for (size_t i = 0; i < count; i++) {
		json_object_set_new(definitions, kinds[i]->name, schema_of_kind(kinds[i]));
		json_array_append_new(
			alternatives,
			json_pack("{s:o}", "$ref", json_sprintf("#/$defs/%s", kinds[i]->name)));
	}
	json_t *document =
		json_pack("{s:s,s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
			  "title", count == 1 ? kinds[0]->name : "drey manifest");
	if (count == 1)
		json_object_update(document, json_array_get(alternatives, 0));
	else
		json_object_set(document, "oneOf", alternatives);
	json_object_set_new(document, "$defs", definitions);
	json_decref(alternatives);
	return document;
}
