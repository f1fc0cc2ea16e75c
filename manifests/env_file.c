/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/env_file.h"

#include <string.h>

#include "controller/base/io.h"
#include "controller/base/sha256.h"
#include "manifests/files.h"
#include "manifests/yaml_error.h"

struct cursor {
	struct diagnostics *diagnostics;
	const char *p, *end, *line;
	struct place place;
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
	skip_blanks(c);
	bool good = true;
	if (!at_line_end(c) && (*c->p == '"' || *c->p == '\''))
		good = quoted_value(c, &value);
	else
		plain_value(c, &value);
	if (good)
		json_object_set_new(map, key.data, json_stringn(value.data, value.len));
out:
	str_done(&key);
	str_done(&value);
}

void env_file_parse(struct diagnostics *diagnostics, const char *file, const char *text, size_t len,
		    json_t *ret_map)
{
	struct cursor c = {
		.diagnostics = diagnostics,
		.p = text,
		.end = text + len,
		.line = text,
		.place = { .file = file, .line = 1 },
	};

	if (!yaml_check_encoding(diagnostics, file, text, len))
		return;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		c.p += 3;
	while (c.p < c.end) {
		read_line(&c, ret_map);
		next_line(&c);
	}
}

/* As it stands below DIR, for messages. */
static const char *relative(const struct load *load, const char *path)
{
	size_t n = load->dir ? strlen(load->dir) : 0;

	return n > 1 && strncmp(path, load->dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

static void read_file(struct load *load, const struct node *at, const char *written, bool required,
		      json_t *map)
{
	CLEANUP(cleanup_free) char *text = NULL;
	struct error err = ERROR_INIT;
	const char *path;
	size_t len;

	if (files_resolve(load->dir, node_origin(at)->file, written, true, NULL, load->arena, &path,
			  &err) < 0 ||
	    io_read_file(path, ENV_FILE_MAX, &text, &len, &err) < 0) {
		if (required || err.code != ERROR_NOT_FOUND)
			load_fault(load, at, "spec.env_file: %s", err.text);
		return;
	}
	/* What is in it belongs to what the manifests say. */
	sha256_update(load->sha, text, len);
	env_file_parse(load->diagnostics, relative(load, path), text, len, map);
}

/* One entry: a path, or {path, required}. */
static void read_entry(struct load *load, const struct node *at, const json_t *entry, json_t *map)
{
	const json_t *required = json_object_get(entry, "required");
	const char *path =
		json_string_value(json_is_object(entry) ? json_object_get(entry, "path") : entry);

	if (at->type == NODE_MAPPING && node_get(at, "path"))
		at = node_get(at, "path");
	if (path)
		read_file(load, at, path, !json_is_false(required), map);
}

void env_file_apply(struct load *load, const struct node *node, json_t *spec)
{
	const json_t *files = json_object_get(spec, "env_file");
	const struct node *at = node_get(node, "env_file");
	json_t *environment = json_object_get(spec, "environment");
	json_t *map = json_object();

	for (size_t i = 0; i < json_array_size(files); i++) {
		bool has = at->type == NODE_SEQUENCE && i < at->count;
		read_entry(load, has ? at->values[i] : at, json_array_get(files, i), map);
	}
	if (!json_is_array(files))
		read_entry(load, at, files, map);
	json_object_update(map, environment);
	json_object_set_new(spec, "environment", map);
	json_object_del(spec, "env_file");
}
