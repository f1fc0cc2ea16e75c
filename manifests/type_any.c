/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any YAML as JSON, by the core schema of YAML 1.2 (section 10.3.2). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "manifests/schema_types.h"

static json_t *convert(struct decode *decode, const struct node *node);

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(*words, text) == 0)
			return true;
	}
	return false;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_number(const char *text)
{
	static const char digits[] = "0123456789";
	const char *p = text + (*text == '-' || *text == '+');
	size_t whole = strspn(p, digits), fraction = 0;

	p += whole;
	if (*p == '.') {
		fraction = strspn(++p, digits);
		p += fraction;
	}
	if (!whole && !fraction)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		size_t exponent = strspn(p, digits);
		if (!exponent)
			return false;
		p += exponent;
	}
	return !*p;
}

static json_t *convert_number(struct decode *decode, const struct node *node)
{
	const char *text = node->text;
	json_t *value;

	errno = 0;
	if (!strpbrk(text, ".eE"))
		value = json_integer(strtoll(text, NULL, 10));
	else
		value = json_real(strtod(text, NULL));
	if (!errno && value)
		return value;
	json_decref(value);
	decode_fault(decode, node, "%s is too large a number; quote it to make it text",
		     decode_found(decode, node));
	return NULL;
}

static json_t *convert_radix(struct decode *decode, const struct node *node, int base)
{
	errno = 0;
	long long number = strtoll(node->text + 2, NULL, base);
	if (!errno)
		return json_integer(number);
	decode_fault(decode, node, "%s is too large a number; quote it to make it text",
		     decode_found(decode, node));
	return NULL;
}

static json_t *convert_scalar(struct decode *decode, const struct node *node)
{
	static const char *const truths[] = { "true", "True", "TRUE", NULL };
	static const char *const falsehoods[] = { "false", "False", "FALSE", NULL };
	static const char *const unreal[] = { ".inf",  ".Inf",	".INF",	 "+.inf", "+.Inf",
					      "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
					      ".NaN",  ".NAN",	NULL };
	const char *text = node->text;

	if (node_is_null(node))
		return json_null();
	if (!node->quoted) {
		if (is_one_of(text, truths))
			return json_true();
		if (is_one_of(text, falsehoods))
			return json_false();
		if (is_number(text))
			return convert_number(decode, node);
		if (str_has_prefix(text, "0x") && text[2] &&
		    !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
			return convert_radix(decode, node, 16);
		if (str_has_prefix(text, "0o") && text[2] &&
		    !text[2 + strspn(text + 2, "01234567")])
			return convert_radix(decode, node, 8);
		if (is_one_of(text, unreal)) {
			decode_fault(decode, node, "%s is no number that JSON knows",
				     decode_found(decode, node));
			return NULL;
		}
	}
	json_t *value = json_string(text);
	if (!value)
		decode_fault(decode, node, "the text is not UTF-8");
	return value;
}

static json_t *convert_members(struct decode *decode, const struct node *node, json_t *into)
{
	bool failed = false;

	for (size_t i = 0; i < node->count; i++) {
		struct decode_step step = { .up = decode->at, .index = i };

		if (node->type == NODE_MAPPING)
			step.key = node->keys[i]->text;
		decode->at = &step;
		json_t *value = convert(decode, node->values[i]);
		decode->at = step.up;
		if (!value)
			failed = true;
		else if (node->type == NODE_SEQUENCE)
			json_array_append_new(into, value);
		else if (json_object_set_new(into, node->keys[i]->text, value) < 0)
			failed = true;
	}
	if (!failed)
		return into;
	json_decref(into);
	return NULL;
}

/* As deep as the loader lets nodes nest. */
static json_t *convert(struct decode *decode, const struct node *node)
{
	switch (node->type) {
	case NODE_MAPPING:
		return convert_members(decode, node, json_object());
	case NODE_SEQUENCE:
		return convert_members(decode, node, json_array());
	case NODE_SCALAR:
		break;
	}
	return convert_scalar(decode, node);
}

static json_t *parse_any(struct decode *decode, const struct field *field, const struct node *node)
{
	(void)field;
	return convert(decode, node);
}

static void print_any(const struct field *field, const json_t *value, struct str *out)
{
	(void)field;
	print_flow(value, out);
}

static json_t *schema_of_any(const struct field *field)
{
	(void)field;
	return json_object();
}

const struct value_type type_any = {
	.name = "anything",
	.shape = SHAPE_SCALAR,
	.parse = parse_any,
	.print = print_any,
	.json_schema = schema_of_any,
};
