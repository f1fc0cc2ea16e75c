/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `drey explain`: what the table says of a kind or a field, for a terminal. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "controller/base/mem.h"
#include "manifests/schema_docs.h"
#include "manifests/schema_types.h"

static void print_summary(const struct schema *schema, struct str *out)
{
	schema_foreach (schema, field) {
		str_printf(out, "\n  %s  %s%s\n      %s\n", field->key, field->type->name,
			   field->flags & FIELD_REQUIRED ? ", required" : "", field->doc);
	}
}

static void print_choices(const struct field *field, struct str *out)
{
	str_append(out, "  one of     ");
	for (size_t i = 0; field->choices[i]; i++)
		str_printf(out, "%s%s", i ? ", " : "", field->choices[i]);
	str_append_char(out, '\n');
}

/* How silence compares is what surprises people most, so it is said in words. */
static const char *silence(const struct field *field)
{
	switch (field->origin) {
	case ORIGIN_DAEMON:
		return "compared only when written: the daemon's configuration or version "
		       "decides it, and the API does not tell";
	case ORIGIN_IMAGE:
		return "left out, the image's value is expected; another is a difference";
	case ORIGIN_ENGINE:
		return "left out, the engine's default is expected; another is a difference";
	case ORIGIN_NONE:
		break;
	}
	/* A row that starts and stops has no place in inspect, and is compared all the same. */
	if (field->effect == EFFECT_STATE)
		return "compared with the state that the object is in";
	return field_is_compared(field) ? "left out, nothing is expected; a value is a difference"
					: "not compared: no object of the engine holds it";
}

static void print_example(const struct field *field, struct str *out)
{
	if (!strchr(field->example, '\n')) {
		str_printf(out, "  example    %s: %s\n", field->key, field->example);
		return;
	}
	str_printf(out, "  example    %s:\n", field->key);
	for (const char *line = field->example; *line;) {
		size_t len = strcspn(line, "\n");

		str_printf(out, "               %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void print_field(const char *path, const struct field *field, bool member, struct str *out)
{
	str_printf(out, "%s  %s\n\n  %s\n\n", path, field->type->name, field->doc);
	if (!member || field->fallback || (field->flags & FIELD_REQUIRED)) {
		str_append(out, "  default    ");
		print_default(field, "", out);
		str_append_char(out, '\n');
	}
	if (field->choices)
		print_choices(field, out);
	for (const struct refused *r = field->refused; r && r->key; r++)
		str_printf(out, "  not        %s: %s\n", r->key, r->why);
	if (field->of && field->of->short_form)
		str_printf(out, "  short      %s\n", field->of->short_form->syntax);
	if (!member || field->effect != EFFECT_NONE)
		str_printf(out, "  a change   %s\n", effect_text(field));
	if (!member || field->origin == ORIGIN_DAEMON)
		str_printf(out, "  diff       %s\n", silence(field));
	if (field->since)
		str_printf(out, "  needs      Engine API 1.%u\n", field->since);
	for (size_t i = 0; field->choices && field->choices_since && field->choices[i]; i++) {
		if (field->choices_since[i])
			str_printf(out, "  %s needs Engine API 1.%u\n", field->choices[i],
				   field->choices_since[i]);
	}
	if (field->live_since)
		str_printf(out, "  in place   since Engine API 1.%u; before, a change replaces\n",
			   field->live_since);
	if (field->flags & FIELD_SECRET)
		str_append(out, "  secret     never shown\n");
	if (field->example)
		print_example(field, out);
	if (field->of)
		print_summary(field->of, out);
}

static const struct kind *find_kind(const struct kind *const *kinds, size_t count, const char *name,
				    struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	const char **names = xreallocarray(NULL, count + 1, sizeof(*names));
	struct str list;
	str_init(&list, 0);
	for (size_t i = 0; i < count; i++) {
		names[i] = kinds[i]->name;
		str_printf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	const char *nearest = str_nearest(name, names, count);
	if (nearest)
		error_set(err, ERROR_NOT_FOUND, "no kind is called '%s'; did you mean '%s'?", name,
			  nearest);
	else
		error_set(err, ERROR_NOT_FOUND, "no kind is called '%s'; there are %s", name,
			  list.data);
	str_done(&list);
	free(names);
	return NULL;
}

static int no_such_field(const struct schema *schema, const char *where, const char *key,
			 struct error *err)
{
	for (const struct refused *r = schema->refused; r && r->key; r++) {
		if (strcmp(r->key, key) == 0)
			return error_set(err, ERROR_NOT_FOUND, "%s has no field '%s': %s", where,
					 key, r->why);
	}
	const char *nearest = schema_nearest_key(schema, key);
	if (nearest)
		return error_set(err, ERROR_NOT_FOUND, "%s has no field '%s'; did you mean '%s'?",
				 where, key, nearest);
	return error_set(err, ERROR_NOT_FOUND, "%s has no field '%s'", where, key);
}

static int explain_below(const struct schema *schema, char *rest, const char *whole,
			 struct str *out, struct error *err)
{
	const struct field *field = NULL;
	bool member = false;

	for (char *key = strsep(&rest, "."); key; key = strsep(&rest, ".")) {
		if (!schema)
			return error_set(err, ERROR_NOT_FOUND,
					 "'%s' is a %s: it has no fields of its own", field->key,
					 field->type->name);
		member = field != NULL;
		field = schema_field(schema, key);
		if (!field)
			return no_such_field(schema, schema->name, key, err);
		schema = field->of;
	}
	assert(field);
	print_field(whole, field, member, out);
	return 0;
}

int schema_explain(const struct kind *const *kinds, size_t count, const char *path, struct str *out,
		   struct error *err)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(path);
	char *rest = copy, *name = strsep(&rest, ".");
	const struct kind *kind = find_kind(kinds, count, name, err);

	if (!kind)
		return -1;
	const struct schema *schema = kind->spec;
	if (rest && str_has_prefix(rest, "metadata") && (!rest[8] || rest[8] == '.')) {
		schema = &metadata_schema;
		rest = rest[8] ? rest + 9 : NULL;
	} else if (rest && str_has_prefix(rest, "spec") && (!rest[4] || rest[4] == '.')) {
		rest = rest[4] ? rest + 5 : NULL;
	}
	if (rest)
		return explain_below(schema, rest, path, out, err);
	str_printf(out, "%s\n\n  %s\n", path, schema == kind->spec ? kind->doc : schema->doc);
	print_summary(schema, out);
	return 0;
}
