/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of strings: in order, as sets, and as a command line. */
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/vec.h"
#include "manifests/schema_types.h"

static void print_list(const struct field *field, const json_t *value, struct str *out)
{
	(void)field;
	if (json_is_string(value))
		print_text(json_string_value(value), out);
	else
		print_flow(value, out);
}

static json_t *schema_of_items(const struct field *field, bool unique)
{
	json_t *item = type_string.json_schema(field);
	json_t *list = json_pack("{s:s,s:O}", "type", "array", "items", item);

	if (unique)
		json_object_set_new(list, "uniqueItems", json_true());
	return json_pack("{s:[o,o]}", "anyOf", list, item);
}

static json_t *decode_items(struct decode *decode, const struct field *field,
			    const struct node *node)
{
	json_t *list = json_array();
	bool failed = false;

	for (size_t i = 0; i < node->count; i++) {
		struct decode_step step = { .up = decode->at, .index = i };

		decode->at = &step;
		json_t *item = decode_string(decode, field, node->values[i]);
		decode->at = step.up;
		if (item)
			json_array_append_new(list, item);
		else
			failed = true;
	}
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

/* A single string stands for a list of one, as Compose has it for dns, tmpfs and env_file. */
static json_t *parse_type_strings(struct decode *decode, const struct field *field,
				  const struct node *node)
{
	if (node->type == NODE_SEQUENCE)
		return decode_items(decode, field, node);
	if (node->type == NODE_MAPPING || node_is_null(node)) {
		decode_fault(decode, node, "expected a list of strings, found %s",
			     decode_found(decode, node));
		return NULL;
	}
	json_t *item = decode_string(decode, field, node);
	return item ? json_pack("[o]", item) : NULL;
}

static json_t *schema_of_strings(const struct field *field)
{
	return schema_of_items(field, false);
}

const struct value_type type_strings = {
	.name = "list of strings",
	.shape = SHAPE_LIST,
	.parse = parse_type_strings,
	.print = print_list,
	.json_schema = schema_of_strings,
};

struct item {
	json_t *value;
	size_t index;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(json_string_value(x->value), json_string_value(y->value));

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Sorted, so that the order in which a set is written changes no digest. */
static json_t *parse_type_string_set(struct decode *decode, const struct field *field,
				     const struct node *node)
{
	json_t *list = parse_type_strings(decode, field, node);
	size_t count = json_array_size(list);
	bool failed = false;

	if (count < 2)
		return list;
	struct item *items = xreallocarray(NULL, count, sizeof(*items));
	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){ json_array_get(list, i), i };
	qsort(items, count, sizeof(*items), compare_items);
	json_t *set = json_array();
	for (size_t i = 0; i < count; i++) {
		json_array_append(set, items[i].value);
		if (!i || !json_equal(items[i - 1].value, items[i].value))
			continue;
		const struct node *twice = node->values[items[i].index];
		decode_fault(decode, twice, "%s is there twice", decode_found(decode, twice));
		failed = true;
	}
	free(items);
	json_decref(list);
	if (!failed)
		return set;
	json_decref(set);
	return NULL;
}

static json_t *schema_of_string_set(const struct field *field)
{
	return schema_of_items(field, true);
}

const struct value_type type_string_set = {
	.name = "set of strings",
	.shape = SHAPE_SET,
	.parse = parse_type_string_set,
	.print = print_list,
	.json_schema = schema_of_string_set,
};

/*
 * Splits a line into words as POSIX.1-2017, XCU 2.2 (quoting) and 2.3 (tokens) say, without the
 * expansions of a shell: $x, globs and operators are plain characters. Returns what is missing
 * at the end, NULL when all is well.
 */
static const char *split_words(const char *line, json_t *words)
{
	const char *missing = NULL;
	bool open = false;
	struct str word;

	str_init(&word, 0);
	for (const char *p = line; *p && !missing; p++) {
		char c = *p;

		if (c == ' ' || c == '\t' || c == '\n') {
			if (open)
				json_array_append_new(words, json_stringn(word.data, word.len));
			str_clear(&word);
			open = false;
			continue;
		}
		if (c == '\\' && p[1] == '\n') {
			p++;
			continue;
		}
		open = true;
		if (c == '\\') {
			if (*++p)
				str_append_char(&word, *p);
			else
				missing = "a character after the backslash", p--;
		} else if (c == '\'') {
			size_t len = strcspn(p + 1, "'");

			str_append_n(&word, p + 1, len);
			p += len + 1;
			if (!*p)
				missing = "a closing '", p--;
		} else if (c == '"') {
			for (p++; *p && *p != '"'; p++) {
				if (*p == '\\' && p[1] == '\n') {
					p++;
					continue;
				}
				if (*p == '\\' && p[1] && strchr("$`\"\\", p[1]))
					p++;
				str_append_char(&word, *p);
			}
			if (!*p)
				missing = "a closing \"", p--;
		} else {
			str_append_char(&word, c);
		}
	}
	if (open && !missing)
		json_array_append_new(words, json_stringn(word.data, word.len));
	str_done(&word);
	return missing;
}

static json_t *parse_type_command(struct decode *decode, const struct field *field,
				  const struct node *node)
{
	if (node->type == NODE_SEQUENCE)
		return decode_items(decode, field, node);
	const char *line = decode_scalar(decode, node, "a command: a list of strings or a string");
	if (!line)
		return NULL;
	json_t *words = json_array();
	const char *missing = split_words(line, words);
	if (!missing)
		return words;
	decode_fault(decode, node, "%s is no command line: %s is missing",
		     decode_found(decode, node), missing);
	json_decref(words);
	return NULL;
}

static json_t *schema_of_command(const struct field *field)
{
	return schema_of_items(field, false);
}

const struct value_type type_command = {
	.name = "command",
	.shape = SHAPE_LIST,
	.parse = parse_type_command,
	.print = print_list,
	.json_schema = schema_of_command,
};
