/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text, numbers, truth, and one of a few words. Scalars come as text: `no` and `22:22` are
 * strings where a string stands, and only a row for numbers makes 0x10 sixteen. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"

static void print_scalar(const struct field *field, const json_t *value, struct str *out)
{
	(void)field;
	if (json_is_string(value))
		print_text(json_string_value(value), out);
	else
		print_flow(value, out);
}

/* An editor reads `1.0` as a number before the schema sees it; drey takes it as text. */
static json_t *schema_of_string(const struct field *field)
{
	json_t *schema = json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");

	if (field->pattern)
		json_object_set_new(schema, "pattern",
				    json_schema_pattern_or_reference(field->pattern));
	if (field->max)
		json_object_set_new(schema, "maxLength", json_integer(field->max));
	return schema;
}

const struct value_type type_string = {
	.name = "string",
	.shape = SHAPE_SCALAR,
	.parse = decode_string,
	.print = print_scalar,
	.json_schema = schema_of_string,
};

/* YAML 1.2 core schema: [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+. */
static bool parse_int(const char *text, int64_t *ret)
{
	static const char decimal[] = "0123456789", octal[] = "01234567";
	static const char hex[] = "0123456789abcdefABCDEF";
	const char *digits = text, *allowed = decimal;
	int base = 10;
	char *end;

	if (str_has_prefix(text, "0x")) {
		base = 16, digits += 2, allowed = hex;
	} else if (str_has_prefix(text, "0o")) {
		base = 8, digits += 2, allowed = octal;
	} else if (*text == '-' || *text == '+') {
		digits++;
	}
	if (!*digits || digits[strspn(digits, allowed)])
		return false;
	errno = 0;
	*ret = strtoll(base == 10 ? text : digits, &end, base);
	return errno == 0;
}

static json_t *parse_type_int(struct decode *decode, const struct field *field,
			      const struct node *node)
{
	const char *text = decode_scalar(decode, node, "a whole number");
	int64_t number;

	if (!text)
		return NULL;
	if (!parse_int(text, &number)) {
		decode_fault(decode, node, "%s is no whole number", decode_found(decode, node));
		return NULL;
	}
	if ((field->min || field->max) && (number < field->min || number > field->max)) {
		decode_fault(decode, node, "%s is outside %" PRId64 " to %" PRId64,
			     decode_found(decode, node), field->min, field->max);
		return NULL;
	}
	return json_integer(number);
}

static json_t *schema_of_int(const struct field *field)
{
	json_t *schema = json_pack("{s:s}", "type", "integer");

	if (field->min || field->max) {
		json_object_set_new(schema, "minimum", json_integer(field->min));
		json_object_set_new(schema, "maximum", json_integer(field->max));
	}
	return json_schema_or_reference(schema);
}

const struct value_type type_int = {
	.name = "integer",
	.shape = SHAPE_SCALAR,
	.parse = parse_type_int,
	.print = print_scalar,
	.json_schema = schema_of_int,
};

static bool is_yes(const char *text)
{
	return strcasecmp(text, "yes") == 0 || strcasecmp(text, "on") == 0 ||
	       strcasecmp(text, "y") == 0 || strcasecmp(text, "true") == 0;
}

static bool is_no(const char *text)
{
	return strcasecmp(text, "no") == 0 || strcasecmp(text, "off") == 0 ||
	       strcasecmp(text, "n") == 0 || strcasecmp(text, "false") == 0;
}

static json_t *parse_type_bool(struct decode *decode, const struct field *field,
			       const struct node *node)
{
	const char *text = decode_scalar(decode, node, "true or false");
	bool truth;

	(void)field;
	if (!text)
		return NULL;
	truth = strcmp(text, "true") == 0;
	if (!node->quoted && (truth || strcmp(text, "false") == 0))
		return json_boolean(truth);
	if (node->quoted && (truth || strcmp(text, "false") == 0))
		decode_fault(decode, node, "%s in quotes is text; write %s without quotes",
			     decode_found(decode, node), text);
	else if (is_yes(text) || is_no(text))
		decode_fault(decode, node, "expected true or false, found %s; write %s",
			     decode_found(decode, node), is_yes(text) ? "true" : "false");
	else
		decode_fault(decode, node, "expected true or false, found %s",
			     decode_found(decode, node));
	return NULL;
}

static json_t *schema_of_bool(const struct field *field)
{
	(void)field;
	return json_schema_or_reference(json_pack("{s:s}", "type", "boolean"));
}

const struct value_type type_bool = {
	.name = "boolean",
	.shape = SHAPE_SCALAR,
	.parse = parse_type_bool,
	.print = print_scalar,
	.json_schema = schema_of_bool,
};

static json_t *parse_type_enum(struct decode *decode, const struct field *field,
			       const struct node *node)
{
	const char *text = decode_scalar(decode, node, "one of a few words");

	if (!text)
		return NULL;
	for (size_t i = 0; field->choices[i]; i++) {
		if (strcmp(field->choices[i], text) == 0)
			return json_string(text);
	}
	decode_choice_fault(decode, field, node);
	return NULL;
}

static json_t *schema_of_enum(const struct field *field)
{
	json_t *words = json_array();

	for (size_t i = 0; field->choices[i]; i++)
		json_array_append_new(words, json_string(field->choices[i]));
	return json_schema_or_reference(json_pack("{s:o}", "enum", words));
}

const struct value_type type_enum = {
	.name = "choice",
	.shape = SHAPE_SCALAR,
	.parse = parse_type_enum,
	.print = print_scalar,
	.json_schema = schema_of_enum,
};
