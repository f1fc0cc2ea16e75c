/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference page of a kind in Markdown, and the words that a fuzzer tries. */
#include <stdlib.h>
#include <string.h>

#include "manifests/schema_docs.h"
#include "manifests/schema_types.h"

bool field_is_compared(const struct field *field)
{
	return field->api || field->inspect;
}

void print_default(const struct field *field, const char *quote, struct str *out)
{
	json_t *fallback = field_fallback(field);

	if (field->flags & FIELD_REQUIRED) {
		str_append(out, "required");
	} else if (field->origin == ORIGIN_DAEMON) {
		str_append(out, "the daemon's");
	} else if (field->origin == ORIGIN_IMAGE) {
		str_append(out, "the image's");
		if (fallback)
			str_append(out, ", else ");
	} else if (!fallback) {
		str_append(out, "none");
	}
	if (fallback && !(field->flags & FIELD_REQUIRED) && field->origin != ORIGIN_DAEMON) {
		str_append(out, quote);
		schema_print_value(field, fallback, out);
		str_append(out, quote);
	}
	json_decref(fallback);
}

const char *effect_text(const struct field *field)
{
	switch (field->effect) {
	case EFFECT_LIVE:
		return "in place";
	case EFFECT_CONNECT:
		return "connects and disconnects";
	case EFFECT_STATE:
		return "starts and stops";
	case EFFECT_REPLACE:
		return "replaces the object";
	case EFFECT_FORBIDDEN:
		return "refused, unless `on_change` says otherwise";
	case EFFECT_NONE:
		break;
	}
	return field_is_compared(field) ? "with what it belongs to" : "drey's own";
}

/* In a cell of a table a bar would end the cell, even within code. */
static void print_cell(const char *text, bool code, struct str *out)
{
	for (; *text; text++) {
		if (*text == '|' || (!code && strchr("<*", *text)))
			str_append_char(out, '\\');
		str_append_char(out, *text);
	}
}

static void print_link(const char *path, struct str *out)
{
	str_append(out, " ([fields](#");
	for (; *path; path++) {
		if (*path != '.')
			str_append_char(out, *path);
	}
	str_append(out, "))");
}

static void print_row(const struct field *field, const char *path, struct str *out)
{
	struct str text;

	str_init(&text, 0);
	str_printf(out, "| `%s` | %s", field->key, field->type->name);
	if (field->of)
		print_link(path, out);
	str_append(out, " | ");
	print_default(field, "`", &text);
	print_cell(text.data, true, out);
	str_printf(out, " | %s | ", effect_text(field));
	if (field->since)
		str_printf(out, "1.%u", field->since);
	str_append(out, " | ");
	print_cell(field->doc, false, out);
	if (field->origin == ORIGIN_DAEMON)
		str_append(out, " Compared only when written.");
	for (size_t i = 0; field->choices && field->choices[i]; i++)
		str_printf(out, "%s`%s`%s", i ? ", " : " One of ", field->choices[i],
			   field->choices[i + 1] ? "" : ".");
	for (const struct refused *r = field->refused; r && r->key; r++)
		str_printf(out, " Not `%s`: %s.", r->key, r->why);
	for (size_t i = 0; field->choices && field->choices_since && field->choices[i]; i++) {
		if (field->choices_since[i])
			str_printf(out, " `%s` since API 1.%u.", field->choices[i],
				   field->choices_since[i]);
	}
	if (field->live_since)
		str_printf(out, " Changed in place since API 1.%u only.", field->live_since);
	if (field->flags & FIELD_SECRET)
		str_append(out, " Secret: never shown.");
	if (field->flags & FIELD_KEY)
		str_append(out, " Tells one element from another.");
	if (field->example && !strchr(field->example, '\n')) {
		str_append(out, " Example: `");
		print_cell(field->example, true, out);
		str_append_char(out, '`');
	}
	str_append(out, " |\n");
	str_done(&text);
}

static void print_tables(const struct schema *schema, const char *path, unsigned depth,
			 struct str *out)
{
	struct str below;

	str_append(out, "| Field | Type | Default | A change | Since API | Description |\n"
			"|---|---|---|---|---|---|\n");
	str_init(&below, 0);
	schema_foreach (schema, field) {
		str_clear(&below);
		str_printf(&below, "%s.%s", path, field->key);
		print_row(field, below.data, out);
	}
	schema_foreach (schema, field) {
		if (field->example && strchr(field->example, '\n'))
			str_printf(out, "\n`%s`:\n\n```yaml\n%s\n```\n", field->key,
				   field->example);
	}
	schema_foreach (schema, field) {
		if (!field->of)
			continue;
		str_clear(&below);
		str_printf(&below, "%s.%s", path, field->key);
		str_printf(out, "\n%.*s %s\n\n%s\n", depth < 4 ? 3 : 4, "####", below.data,
			   field->of->doc);
		if (field->of->short_form)
			str_printf(out, "\nShort form: `%s`\n", field->of->short_form->syntax);
		str_append_char(out, '\n');
		print_tables(field->of, below.data, depth + 1, out);
	}
	str_done(&below);
}

void schema_markdown(const struct kind *kind, struct str *out)
{
	str_append(out, "<!-- Written by `make docs` from the table of the kind. -->\n\n");
	str_printf(out, "# %s\n\n%s\n", kind->name, kind->doc);
	if (kind->scope == SCOPE_HOST)
		str_append(out, "\nThere is one on each host it is placed on.\n");
	if (kind->example)
		str_printf(out, "\n```yaml\n%s%s```\n", kind->example,
			   str_has_suffix(kind->example, "\n") ? "" : "\n");
	str_append(out, "\n## spec\n\n");
	print_tables(kind->spec, "spec", 3, out);
	if (!kind->spec->refused || !kind->spec->refused->key)
		return;
	str_append(out, "\n## What Compose or the engine has and drey has not\n\n| Field | Instead "
			"|\n|---|---|\n");
	for (const struct refused *r = kind->spec->refused; r->key; r++) {
		str_printf(out, "| `%s` | ", r->key);
		print_cell(r->why, false, out);
		str_append(out, " |\n");
	}
}

static void add_word(json_t *seen, const char *word, struct str *out)
{
	if (!*word || json_object_get(seen, word))
		return;
	json_object_set_new(seen, word, json_true());
	str_append_char(out, '"');
	for (const unsigned char *p = (const unsigned char *)word; *p; p++) {
		if (*p == '"' || *p == '\\' || *p < 0x20 || *p > 0x7e)
			str_printf(out, "\\x%02x", *p);
		else
			str_append_char(out, (char)*p);
	}
	str_append(out, "\"\n");
}

static void add_words(json_t *seen, const struct schema *schema, struct str *out)
{
	schema_foreach (schema, field) {
		add_word(seen, field->key, out);
		for (size_t j = 0; field->choices && field->choices[j]; j++)
			add_word(seen, field->choices[j], out);
		if (field->example)
			add_word(seen, field->example, out);
		if (field->of)
			add_words(seen, field->of, out);
	}
}

void schema_dictionary(const struct kind *const *kinds, size_t count, struct str *out)
{
	static const char *const words[] = { "apiVersion", "drey/v1", "kind", "metadata",
					     "spec",	   "${",      "$$",   ":-",
					     "null",	   "true",    "---" };
	json_t *seen = json_object();

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		add_word(seen, words[i], out);
	add_words(seen, &metadata_schema, out);
	for (size_t i = 0; i < count; i++) {
		add_word(seen, kinds[i]->name, out);
		add_words(seen, kinds[i]->spec, out);
	}
	json_decref(seen);
}
