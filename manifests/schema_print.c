/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values as text: one line for people, YAML for whole specs, and with secrets masked.
 *
 * Text comes from manifests, from engines and from images, so everything that a terminal would
 * take for a command is escaped. YAML that is printed reads back as the value it was.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"

static const char mask_text[] = "***";

/* One character (the text is UTF-8); returns its length. */
static size_t decode_utf8(const char *text, unsigned *ret)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	unsigned code = more == 0 ? *p : more == 1 ? *p & 0x1fU : more == 2 ? *p & 0xfU : *p & 7U;

	for (size_t i = 1; i <= more; i++)
		code = code << 6 | (p[i] & 0x3fU);
	*ret = code;
	return more + 1;
}

/* Controls (C0, DEL, C1), line separators, and marks that reorder what a reader sees. */
static bool is_unsafe(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0xfeff ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfffe || code == 0xffff;
}

static bool has_unsafe(const char *text)
{
	unsigned code;

	for (; *text; text += decode_utf8(text, &code)) {
		decode_utf8(text, &code);
		if (is_unsafe(code))
			return true;
	}
	return false;
}

/* In double quotes with the escapes of YAML 1.2 section 5.7 (JSON's are among them). */
static void print_quoted(const char *text, struct str *out)
{
	unsigned code;

	str_append_char(out, '"');
	while (*text) {
		size_t len = decode_utf8(text, &code);

		if (code == '"' || code == '\\')
			str_printf(out, "\\%c", (char)code);
		else if (code == '\n')
			str_append(out, "\\n");
		else if (code == '\t')
			str_append(out, "\\t");
		else if (code == '\r')
			str_append(out, "\\r");
		else if (is_unsafe(code))
			str_printf(out, "\\u%04x", code);
		else
			str_append_n(out, text, len);
		text += len;
	}
	str_append_char(out, '"');
}

void print_text(const char *text, struct str *out)
{
	size_t len = strlen(text);

	if (!len || text[0] == ' ' || text[len - 1] == ' ' || has_unsafe(text))
		print_quoted(text, out);
	else
		str_append_n(out, text, len);
}

/* Words that YAML 1.1 or 1.2 take for something other than text. */
static bool is_reserved(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on",   "off",
					     "y",    "n",    "~",     "=",   "<<", ".nan", ".inf" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/* Numbers, dates and times in any version of YAML consist of these. */
static bool looks_like_number(const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');

	digits += *digits == '.';
	if (!isdigit((unsigned char)*digits))
		return strncasecmp(digits, "inf", 4) == 0;
	return !text[strspn(text, "0123456789abcdefABCDEFxXoO_.:+-TtZz ")];
}

static bool needs_quotes(const char *text, bool flow)
{
	size_t len = strlen(text);

	if (!len || strchr("-?:,[]{}#&*!|>'\"%@` =", text[0]) || strchr(" :", text[len - 1]))
		return true;
	if (strstr(text, ": ") || strstr(text, " #") || has_unsafe(text))
		return true;
	if (flow && strpbrk(text, ",[]{}:#"))
		return true;
	return is_reserved(text) || looks_like_number(text) || strcmp(text, "...") == 0;
}

void print_yaml_string(const char *text, bool flow, struct str *out)
{
	if (needs_quotes(text, flow))
		print_quoted(text, out);
	else
		str_append(out, text);
}

/* A key that YAML would not take as a simple one (more than 1024 characters) is an explicit one. */
enum { KEY_SIMPLE_MAX = 128 };

static void print_flow_key(const char *key, struct str *out)
{
	bool explicit_key = strlen(key) > KEY_SIMPLE_MAX;

	str_append(out, explicit_key ? "? " : "");
	print_yaml_string(key, true, out);
	str_append(out, explicit_key ? " : " : ": ");
}

void print_flow(const json_t *value, struct str *out)
{
	const char *key;
	json_t *member;
	size_t index, printed = 0;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		str_append_char(out, '{');
		json_object_foreach ((json_t *)value, key, member) {
			str_append(out, printed++ ? ", " : "");
			print_flow_key(key, out);
			if (json_is_string(member))
				print_yaml_string(json_string_value(member), true, out);
			else
				print_flow(member, out);
		}
		str_append_char(out, '}');
		break;
	case JSON_ARRAY:
		str_append_char(out, '[');
		json_array_foreach (value, index, member) {
			str_append(out, index ? ", " : "");
			print_flow(member, out);
		}
		str_append_char(out, ']');
		break;
	case JSON_STRING:
		print_quoted(json_string_value(value), out);
		break;
	default: {
		char *text = json_dumps(value, JSON_ENCODE_ANY);

		str_append(out, text ? text : "");
		free(text);
	}
	}
}

void schema_print_value(const struct field *field, const json_t *value, struct str *out)
{
	if (!value)
		str_append(out, "(none)");
	else if (field)
		field->type->print(field, value, out);
	else if (json_is_string(value))
		print_text(json_string_value(value), out);
	else
		print_flow(value, out);
}

static void print_indent(unsigned indent, struct str *out)
{
	str_printf(out, "%*s", (int)indent, "");
}

static void print_key(const char *key, unsigned indent, struct str *out)
{
	print_indent(indent, out);
	if (strlen(key) <= KEY_SIMPLE_MAX) {
		print_yaml_string(key, false, out);
		str_append_char(out, ':');
		return;
	}
	str_append(out, "? ");
	print_yaml_string(key, false, out);
	str_append_char(out, '\n');
	print_indent(indent, out);
	str_append_char(out, ':');
}

static void print_rows(const struct schema *schema, const json_t *object, unsigned indent,
		       struct str *out);

/* True when the short form of an object says all of it. */
static bool print_short(const struct schema *schema, const json_t *object, struct str *out)
{
	struct error err = ERROR_INIT;
	struct str text;
	bool same = false;

	if (!schema->short_form)
		return false;
	str_init(&text, 0);
	if (schema->short_form->print(object, &text)) {
		json_t *again = schema->short_form->expand(text.data, &err);

		same = json_array_size(again) == 1 && json_equal(json_array_get(again, 0), object);
		json_decref(again);
	}
	if (same)
		print_yaml_string(text.data, false, out);
	str_done(&text);
	return same;
}

/* Rows behind "- ": the first one stands on the line of the dash. */
static void print_element(const struct schema *schema, const json_t *object, unsigned indent,
			  struct str *out)
{
	print_indent(indent, out);
	str_append(out, "- ");
	if (!json_is_object(object) || !json_object_size(object)) {
		print_flow(object, out);
		str_append_char(out, '\n');
	} else if (print_short(schema, object, out)) {
		str_append_char(out, '\n');
	} else {
		struct str rows;

		str_init(&rows, 0);
		print_rows(schema, object, indent + 2, &rows);
		str_append(out, rows.len > indent + 2 ? rows.data + indent + 2 : "{}\n");
		str_done(&rows);
	}
}

/* What follows "key:", with the end of the line. */
static void print_block(const struct field *field, const json_t *value, unsigned indent,
			struct str *out)
{
	enum shape shape = field->type->shape;
	const char *key;
	json_t *member;
	size_t index;

	if (json_is_string(value) && field->type != &type_any) {
		str_append_char(out, ' ');
		print_yaml_string(json_string_value(value), false, out);
		str_append_char(out, '\n');
	} else if ((shape == SHAPE_OBJECT || shape == SHAPE_MAP || shape == SHAPE_OBJECT_MAP) &&
		   json_object_size(value)) {
		str_append_char(out, '\n');
		if (shape == SHAPE_OBJECT) {
			print_rows(field->of, value, indent + 2, out);
			return;
		}
		json_object_foreach ((json_t *)value, key, member) {
			print_key(key, indent + 2, out);
			if (shape == SHAPE_OBJECT_MAP && json_object_size(member)) {
				str_append_char(out, '\n');
				print_rows(field->of, member, indent + 4, out);
				continue;
			}
			str_append_char(out, ' ');
			if (json_is_string(member))
				print_yaml_string(json_string_value(member), false, out);
			else
				print_flow(member, out);
			str_append_char(out, '\n');
		}
	} else if (shape == SHAPE_OBJECTS && json_array_size(value)) {
		str_append_char(out, '\n');
		json_array_foreach (value, index, member) {
			print_element(field->of, member, indent + 2, out);
		}
	} else {
		str_append_char(out, ' ');
		if (shape == SHAPE_SCALAR)
			field->type->print(field, value, out);
		else
			print_flow(value, out);
		str_append_char(out, '\n');
	}
}

static void print_rows(const struct schema *schema, const json_t *object, unsigned indent,
		       struct str *out)
{
	schema_foreach (schema, field) {
		const json_t *value = json_object_get(object, field->key);

		if (!value)
			continue;
		print_key(field->key, indent, out);
		print_block(field, value, indent, out);
	}
}

void schema_print(const struct schema *schema, const json_t *spec, const json_t *secrets,
		  unsigned indent, struct str *out)
{
	json_t *masked = schema_mask(schema, spec, secrets);

	print_rows(schema, masked, indent, out);
	json_decref(masked);
}

static bool holds_secret(const struct field *field)
{
	if (field->flags & FIELD_SECRET)
		return true;
	if (!field->of)
		return false;
	schema_foreach (field->of, member) {
		if (holds_secret(member))
			return true;
	}
	return false;
}

static json_t *mask_members(const json_t *map, const json_t *secret)
{
	json_t *masked = json_copy((json_t *)map);

	for (void *at = json_object_iter(masked); at; at = json_object_iter_next(masked, at)) {
		if (json_object_get(secret, json_object_iter_key(at)))
			json_object_iter_set_new(masked, at, json_string(mask_text));
	}
	return masked;
}

json_t *schema_mask(const struct schema *schema, const json_t *spec, const json_t *secrets)
{
	/* Shares with the spec what holds no secret. */
	json_t *masked = json_copy((json_t *)spec);

	for (void *at = json_object_iter(masked); at; at = json_object_iter_next(masked, at)) {
		const char *key = json_object_iter_key(at);
		const json_t *value = json_object_iter_value(at);
		const json_t *secret = json_object_get(secrets, key);
		const struct field *field = schema_field(schema, key);

		if (!secret && !(field && holds_secret(field)))
			continue;
		if (json_is_object(secret) && json_is_object(value))
			json_object_iter_set_new(masked, at, mask_members(value, secret));
		else
			json_object_iter_set_new(masked, at, json_string(mask_text));
	}
	return masked;
}
