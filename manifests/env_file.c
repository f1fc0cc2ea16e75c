/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/env_file.h"

#include <string.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/sha256.h"
#include "manifests/files.h"
#include "manifests/schema_types.h"
#include "manifests/yaml_error.h"

/* --- the type --- */

static const char *const formats[] = { "raw", NULL };

static const struct field file_fields[] = {
	{ .key = "path",
	  .type = &type_string,
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .doc = "The file, relative to the manifest." },
	{ .key = "required",
	  .type = &type_bool,
	  .fallback = "true",
	  .doc = "It is a fault when the file is not there." },
	{ .key = "format",
	  .type = &type_enum,
	  .choices = formats,
	  .doc = "raw: what stands behind the = is the value as it is, quotes and all." },
};

static json_t *expand_path(const char *text, struct error *err)
{
	if (*text)
		return json_pack("[{s:s}]", "path", text);
	error_set(err, ERROR_INVALID, "expected the path of a file");
	return NULL;
}

static bool print_path(const json_t *file, struct str *out)
{
	const char *path = json_string_value(json_object_get(file, "path"));

	if (!path || json_object_size(file) != 1)
		return false;
	str_append(out, path);
	return true;
}

static const struct short_form file_short = {
	.syntax = "PATH",
	.expand = expand_path,
	.print = print_path,
};

const struct schema env_file_schema = {
	.name = "file of variables",
	.doc = "A file of NAME=VALUE lines.",
	.fields = file_fields,
	.count = ARRAY_SIZE(file_fields),
	.short_form = &file_short,
};

static json_t *parse_files(struct decode *decode, const struct field *field,
			   const struct node *node)
{
	struct node *list, **alone;

	if (node->type == NODE_SEQUENCE)
		return type_objects.parse(decode, field, node);
	list = arena_new_of(decode->diagnostics->arena, struct node);
	alone = arena_new_of(decode->diagnostics->arena, struct node *);
	*alone = (struct node *)node;
	*list = *node;
	list->type = NODE_SEQUENCE;
	list->values = alone;
	list->count = 1;
	return type_objects.parse(decode, field, list);
}

static void print_files(const struct field *field, const json_t *value, struct str *out)
{
	type_objects.print(field, value, out);
}

static json_t *schema_of_files(const struct field *field)
{
	return json_pack("{s:[o, {s:s}]}", "anyOf", type_objects.json_schema(field), "type",
			 "string");
}

const struct value_type type_env_files = {
	.name = "path, or list of objects",
	.shape = SHAPE_OBJECTS,
	.parse = parse_files,
	.print = print_files,
	.json_schema = schema_of_files,
};

/* --- the files --- */

struct cursor {
	struct diagnostics *diagnostics;
	const char *p, *end, *line;
	struct place place;
	bool raw;
};

static void next_line(struct cursor *c)
{
	const char *newline = memchr(c->p, '\n', (size_t)(c->end - c->p));

	c->p = newline ? newline + 1 : c->end;
	c->line = c->p;
	c->place.line++;
}

static void fault(struct cursor *c, const char *what)
{
	c->place.column = (unsigned)(c->p - c->line) + 1;
	diagnose_place(c->diagnostics, SEVERITY_ERROR, &c->place, "%s", what);
}

static void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
}

static bool at_line_end(const struct cursor *c)
{
	return c->p == c->end || *c->p == '\n';
}

static char unescaped(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

/* The rest of a value in quotes, maybe over several lines; false after a diagnosis. */
static bool quoted_value(struct cursor *c, struct str *value)
{
	struct cursor start = *c;
	char quote = *c->p++;

	for (; c->p < c->end && *c->p != quote; c->p++) {
		if (quote == '"' && *c->p == '\\' && c->p + 1 < c->end && c->p[1] != '\n') {
			c->p++;
			if (!strchr("nrt\"\\$", *c->p))
				str_append_char(value, '\\');
			str_append_char(value, unescaped(*c->p));
			continue;
		}
		str_append_char(value, *c->p);
		if (*c->p == '\n') {
			c->place.line++;
			c->line = c->p + 1;
		}
	}
	if (c->p == c->end) {
		fault(&start, "the quote is never closed");
		return false;
	}
	c->p++;
	skip_blanks(c);
	if (at_line_end(c) || *c->p == '#')
		return true;
	fault(c, "expected the end of the line behind the closing quote");
	return false;
}

static void plain_value(struct cursor *c, struct str *value)
{
	while (!at_line_end(c)) {
		if (*c->p == '#' && (c->p[-1] == ' ' || c->p[-1] == '\t'))
			break;
		str_append_char(value, *c->p++);
	}
	while (value->len && strchr(" \t\r", value->data[value->len - 1]))
		value->data[--value->len] = '\0';
}

static void read_line(struct cursor *c, json_t *map)
{
	struct str key, value;

	skip_blanks(c);
	if (at_line_end(c) || *c->p == '#')
		return;
	if (c->end - c->p > 7 && strncmp(c->p, "export ", 7) == 0) {
		c->p += 7;
		skip_blanks(c);
	}
	str_init(&key, 0);
	str_init(&value, 0);
	while (!at_line_end(c) && *c->p != '=' && !strchr(" \t\r'\"", *c->p))
		str_append_char(&key, *c->p++);
	skip_blanks(c);
	if (!key.len || at_line_end(c) || *c->p != '=') {
		fault(c, "expected KEY=VALUE, with nothing behind the = for an empty value");
		goto out;
	}
	c->p++;
	if (!c->raw)
		skip_blanks(c);
	bool good = true;
	if (c->raw) {
		while (!at_line_end(c))
			str_append_char(&value, *c->p++);
		if (value.len && value.data[value.len - 1] == '\r')
			value.data[--value.len] = '\0';
	} else if (!at_line_end(c) && (*c->p == '"' || *c->p == '\''))
		good = quoted_value(c, &value);
	else
		plain_value(c, &value);
	if (good)
		json_object_set_new(map, key.data, json_stringn(value.data, value.len));
out:
	str_done(&key);
	str_done(&value);
}

static void parse(struct diagnostics *diagnostics, const char *file, const char *text, size_t len,
		  bool raw, json_t *map)
{
	struct cursor c = {
		.diagnostics = diagnostics,
		.p = text,
		.end = text + len,
		.line = text,
		.place = { .file = file, .line = 1 },
		.raw = raw,
	};

	if (!yaml_check_encoding(diagnostics, file, text, len))
		return;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		c.p += 3;
	while (c.p < c.end) {
		read_line(&c, map);
		next_line(&c);
	}
}

void env_file_parse(struct diagnostics *diagnostics, const char *file, const char *text, size_t len,
		    json_t *ret_map)
{
	parse(diagnostics, file, text, len, false, ret_map);
}

/* As it stands below DIR, for messages. */
static const char *relative(const struct load *load, const char *path)
{
	size_t n = load->dir ? strlen(load->dir) : 0;

	return n > 1 && strncmp(path, load->dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

/* The text of a file that a manifest names, NULL after a diagnosis or when it may be missing. */
static char *read_file(struct load *load, const char *key, const struct node *at,
		       const char *written, bool required, const char **ret_path, size_t *ret_len)
{
	struct error err = ERROR_INIT;
	char *text = NULL;

	if (files_resolve(load->dir, node_origin(at)->file, written, true, NULL, load->arena,
			  ret_path, &err) < 0 ||
	    io_read_file(*ret_path, ENV_FILE_MAX, &text, ret_len, &err) < 0) {
		if (required || err.code != ERROR_NOT_FOUND)
			load_fault(load, at, "spec.%s: %s", key, err.text);
		return NULL;
	}
	/* What is in it belongs to what the manifests say. */
	sha256_update(load->sha, text, *ret_len);
	return text;
}

/* One entry: a path, or {path, required, format}. */
static void read_entry(struct load *load, const char *key, const struct node *at,
		       const json_t *entry, json_t *map)
{
	const json_t *required = json_object_get(entry, "required");
	const char *written =
		json_string_value(json_is_object(entry) ? json_object_get(entry, "path") : entry);
	const char *path;
	size_t len;

	if (at->type == NODE_MAPPING && node_get(at, "path"))
		at = node_get(at, "path");
	if (!written)
		return;
	CLEANUP(cleanup_free)
	char *text = read_file(load, key, at, written, !json_is_false(required), &path, &len);
	if (text)
		parse(load->diagnostics, relative(load, path), text, len,
		      json_object_get(entry, "format") != NULL, map);
}

/* The node of a list's element; a lone element stands for a list. */
static const struct node *element(const struct node *list, size_t i)
{
	return list->type == NODE_SEQUENCE && i < list->count ? list->values[i] : list;
}

static void apply_pairs(struct load *load, const char *key, const char *into,
			const struct node *node, json_t *spec)
{
	json_t *map = json_object(), *entry;
	size_t i;

	json_array_foreach (json_object_get(spec, key), i, entry)
		read_entry(load, key, element(node_get(node, key), i), entry, map);
	json_object_update(map, json_object_get(spec, into));
	json_object_set_new(spec, into, map);
	json_object_del(spec, key);
}

/* "seccomp=FILE" -> "seccomp={...}", as an engine takes it. */
static void apply_profile(struct load *load, const char *key, const struct node *at, json_t *list,
			  size_t i)
{
	enum { PREFIX = sizeof("seccomp=") - 1 };
	const char *option = json_string_value(json_array_get(list, i)), *path;
	size_t len;

	if (strncmp(option, "seccomp", PREFIX - 1) != 0 || !strchr("=:", option[PREFIX - 1]))
		return;
	option += PREFIX;
	if (strcmp(option, "unconfined") == 0 || strcmp(option, "builtin") == 0 || *option == '{')
		return;
	CLEANUP(cleanup_free) char *text = read_file(load, key, at, option, true, &path, &len);
	json_error_t where;
	json_t *profile = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &where) : NULL;
	char *compact =
		json_is_object(profile) ? json_dumps(profile, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (compact)
		json_array_set_new(list, i, json_sprintf("seccomp=%s", compact));
	else if (text && profile)
		load_fault(load, at, "spec.%s: %s is no seccomp profile: expected an object", key,
			   relative(load, path));
	else if (text)
		load_fault(load, at, "spec.%s: %s:%d: %s", key, relative(load, path), where.line,
			   where.text);
	free(compact);
	json_decref(profile);
}

bool env_file_apply(struct load *load, const char *key, const struct node *node, json_t *spec)
{
	json_t *list = json_object_get(spec, key), *words;

	if (strcmp(key, "env_file") == 0) {
		apply_pairs(load, key, "environment", node, spec);
	} else if (strcmp(key, "label_file") == 0) {
		apply_pairs(load, key, "labels", node, spec);
	} else if (strcmp(key, "security_opt") == 0) {
		/* The set is sorted, its node is not: the list is the place for all of them. */
		words = json_deep_copy(list);
		for (size_t i = 0; i < json_array_size(words); i++)
			apply_profile(load, key, node_get(node, key), words, i);
		json_object_set_new(spec, key, words);
	} else {
		return false;
	}
	return true;
}
