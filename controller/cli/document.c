/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/document.h"

enum { INDENT = 2 };

/* What reads like the beginning of a reference, or an escaped dollar, is neither: what is printed
 * can be read again. */
static json_t *escape_text(const char *text)
{
	struct str escaped;

	str_init(&escaped, 0);
	for (const char *p = text; *p; p++) {
		str_append_char(&escaped, *p);
		if (p[0] == '$' && (p[1] == '$' || p[1] == '{'))
			str_append_char(&escaped, '$');
	}
	json_t *result = json_string(escaped.data);
	str_done(&escaped);
	return result;
}

static json_t *escape(const json_t *value)
{
	json_t *result, *member;
	const char *key;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return escape_text(json_string_value(value));
	case JSON_ARRAY:
		result = json_array();
		json_array_foreach (value, i, member) {
			json_array_append_new(result, escape(member));
		}
		return result;
	case JSON_OBJECT:
		result = json_object();
		json_object_foreach ((json_t *)value, key, member) {
			json_object_set_new(result, key, escape(member));
		}
		return result;
	default:
		return json_incref((json_t *)value);
	}
}

static void print_part(const char *name, const struct schema *schema, const json_t *value,
		       const json_t *secrets, struct str *out)
{
	if (json_object_size(value) == 0)
		return;
	json_t *escaped = escape(value);
	str_printf(out, "%s:\n", name);
	schema_print(schema, escaped, secrets, INDENT, out);
	json_decref(escaped);
}

void document_print(const struct kind *kind, const json_t *metadata, const json_t *spec,
		    const json_t *secrets, struct str *out)
{
	str_printf(out, "apiVersion: drey/v1\nkind: %s\n", kind->name);
	print_part("metadata", &metadata_schema, metadata, NULL, out);
	print_part("spec", kind->spec, spec, secrets, out);
}
