/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold for every row of every kind, so that a new row or kind is tested by being there.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/pointer.h"
#include "manifests/schema_docs.h"
#include "manifests/schema_types.h"
#include "reconcilers/reconciler.h"
#include "tests/unit/manifests/schema_fixture.h"

TestSuite(rows, .init = fixture_setup, .fini = fixture_teardown);

static void walk(const struct schema *top, const struct schema *schema,
		 void (*check)(const struct schema *top, const struct schema *schema,
			       const struct field *field))
{
	schema_foreach (schema, field) {
		check(top, schema, field);
		if (field->of)
			walk(top, field->of, check);
	}
}

static void walk_all(void (*check)(const struct schema *top, const struct schema *schema,
				   const struct field *field))
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);

	cr_assert_gt(count, 0);
	walk(&test_schema, &test_schema, check);
	walk(&metadata_schema, &metadata_schema, check);
	for (size_t i = 0; i < count; i++)
		walk(kinds[i]->spec, kinds[i]->spec, check);
}

/* The rows of the kinds themselves, without the members of their objects. */
static void walk_top(void (*check)(const struct schema *top, const struct schema *schema,
				   const struct field *field))
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);

	for (size_t i = 0; i < count; i++) {
		schema_foreach (kinds[i]->spec, field)
			check(kinds[i]->spec, kinds[i]->spec, field);
	}
}

static void check_facts(const struct schema *top, const struct schema *schema,
			const struct field *field)
{
	enum shape shape = field->type->shape;

	cr_expect(schema_field(schema, field->key) == field, "%s.%s: a second row", schema->name,
		  field->key);
	cr_expect_eq(field->key[strspn(field->key, "abcdefghijklmnopqrstuvwxyz0123456789_")], '\0',
		     "%s.%s: key", schema->name, field->key);
	size_t len = field->doc ? strlen(field->doc) : 0;
	cr_expect(len && field->doc[len - 1] == '.' && !strchr(field->doc, '\n'),
		  "%s.%s: the documentation is no sentence", schema->name, field->key);
	if (field->type == &type_enum || field->choices)
		cr_expect(field->choices && (field->type == &type_enum || field->pattern),
			  "%s.%s: choices", schema->name, field->key);
	if (shape == SHAPE_OBJECT || shape == SHAPE_OBJECTS || shape == SHAPE_OBJECT_MAP)
		cr_expect(field->of, "%s.%s: objects of what?", schema->name, field->key);
	cr_expect(field->min <= field->max, "%s.%s: bounds", schema->name, field->key);
	if (schema == top && field->origin == ORIGIN_IMAGE)
		cr_expect(field->codec && field->codec->inherit, "%s.%s: inherits how?",
			  schema->name, field->key);
	if (schema == top && field->origin != ORIGIN_NONE)
		cr_expect(field->api || field->inspect, "%s.%s: an origin and no place",
			  schema->name, field->key);
	for (const struct refused *r = schema->refused; r && r->key; r++)
		cr_expect(!schema_field(schema, r->key), "%s.%s is refused and there", schema->name,
			  r->key);
}

Test(rows, facts)
{
	walk_all(check_facts);
}

static void check_pattern(const struct schema *top, const struct schema *schema,
			  const struct field *field)
{
	regex_t expression;

	(void)top;
	if (!field->pattern)
		return;
	cr_assert_eq(regcomp(&expression, field->pattern, REG_EXTENDED | REG_NOSUB), 0, "%s.%s",
		     schema->name, field->key);
	regfree(&expression);
}

Test(rows, patterns_compile)
{
	walk_all(check_pattern);
}

/* {key: value} printed as YAML and read again; what else is required is not missed. */
static void expect_identity(const struct schema *schema, const struct field *field,
			    const json_t *value)
{
	json_t *spec = json_pack("{s:O}", field->key, value);
	struct str text;

	str_init(&text, 0);
	schema_print(schema, spec, NULL, 0, &text);
	if (field->flags & FIELD_SECRET) {
		cr_expect(strstr(text.data, "***"), "%s.%s is shown", schema->name, field->key);
	} else {
		json_t *again = fixture_decode(schema, text.data);

		cr_expect(json_equal(again, spec), "%s.%s: %s reads back differently: %s",
			  schema->name, field->key, text.data, fixture_faults());
		json_decref(again);
	}
	str_done(&text);
	json_decref(spec);
}

static void check_fallback(const struct schema *top, const struct schema *schema,
			   const struct field *field)
{
	(void)top;
	if (!field->fallback)
		return;
	json_t *slow = json_loads(field->fallback, JSON_DECODE_ANY, NULL);
	json_t *value = field_fallback(field);
	cr_assert(slow && json_equal(slow, value), "%s.%s: %s", schema->name, field->key,
		  field->fallback);
	expect_identity(schema, field, value);
	json_decref(slow);
	json_decref(value);
}

Test(rows, fallbacks_are_canonical)
{
	walk_all(check_fallback);
}

/* The example as a value; NULL where the row has none. New reference. */
static json_t *example(const struct schema *schema, const struct field *field)
{
	struct str text;

	if (!field->example)
		return NULL;
	str_init(&text, 0);
	if (strchr(field->example, '\n'))
		str_append(&text, "\n  ");
	for (const char *p = field->example; *p; p++) {
		str_append_char(&text, *p);
		str_append(&text, *p == '\n' ? "  " : "");
	}
	json_t *value = fixture_value(field, text.data);
	cr_expect(value, "%s.%s: %s: %s", schema->name, field->key, field->example,
		  fixture_faults());
	str_done(&text);
	return value;
}

static void check_example(const struct schema *top, const struct schema *schema,
			  const struct field *field)
{
	json_t *value = example(schema, field);

	(void)top;
	if (value)
		expect_identity(schema, field, value);
	json_decref(value);
}

Test(rows, examples_are_taken_and_read_back)
{
	walk_all(check_example);
}

/* Compares and returns how many differences the row has. No other row may differ, but one whose
 * expectation follows from this one's (published ports are exposed ones). */
static size_t count_changes(const struct schema *schema, const struct field *field,
			    const json_t *observed, const json_t *expected)
{
	struct arena *arena = arena_new();
	struct changes changes = { .arena = arena };
	size_t count = 0;

	schema_diff(schema, observed, expected, NULL, &changes);
	for (size_t i = 0; i < changes.list.count; i++) {
		const struct field *differs = changes.list.items[i].field;

		cr_expect(differs == field || (field && differs->origin == ORIGIN_IMAGE),
			  "%s.%s: differs in %s", schema->name, field ? field->key : "",
			  changes.list.items[i].path);
		count += differs == field || !field;
	}
	vec_done(&changes.list);
	arena_free(arena);
	return count;
}

static void check_difference(const struct schema *top, const struct schema *schema,
			     const struct field *field)
{
	json_t *value = example(schema, field), *image = json_object(), *nothing = json_object();
	json_t *fallback = field_fallback(field);

	(void)top;
	if (value && !json_equal(value, fallback) && (field->api || field->inspect)) {
		json_t *spec = json_pack("{s:O}", field->key, value);
		json_t *with = schema_expect(schema, spec, image);
		json_t *without = schema_expect(schema, nothing, image);

		cr_expect_eq(count_changes(schema, NULL, with, with), 0);
		cr_expect_eq(count_changes(schema, NULL, without, without), 0);
		cr_expect_gt(count_changes(schema, field, without, with), 0,
			     "%s.%s: written is no difference", schema->name, field->key);
		if (field->origin != ORIGIN_DAEMON)
			cr_expect_gt(count_changes(schema, field, with, without), 0,
				     "%s.%s: taken back is no difference", schema->name,
				     field->key);
		json_decref(with);
		json_decref(without);
		json_decref(spec);
	}
	json_decref(value);
	json_decref(image);
	json_decref(nothing);
	json_decref(fallback);
}

Test(rows, one_row_changed_is_that_row_in_the_diff)
{
	walk_top(check_difference);
}

static void check_reference(const struct schema *top, const struct schema *schema,
			    const struct field *field)
{
	(void)top;
	size_t count, i;
	const struct kind *const *kinds = kinds_all(&count);

	if (!field->ref || schema == &test_schema)
		return;
	for (i = 0; i < count && strcmp(kinds[i]->name, field->ref) != 0; i++)
		;
	cr_expect_lt(i, count, "%s.%s: there is no kind %s", schema->name, field->key, field->ref);
}

Test(rows, references_name_kinds)
{
	walk_all(check_reference);
}

/*
 * What the create body holds is where inspect shows it, moved by the row's two pointers, reads
 * back as what was written. Rows whose codec writes elsewhere than it reads are the kinds' own
 * tests' affair.
 */
static void check_round_trip(const struct schema *top, const struct schema *schema,
			     const struct field *field)
{
	bool symmetric = !field->codec || (!field->codec->encode && !field->codec->decode);
	json_t *value = field->api && symmetric ? example(schema, field) : NULL;
	struct error err = ERROR_INIT;

	(void)top;
	if (!value)
		return;
	json_t *spec = json_pack("{s:o}", field->key, value), *body = json_object();
	cr_assert_eq(schema_encode(schema, spec, 999, body, &err), 0, "%s", err.text);
	json_t *inspect = json_object();
	pointer_merge(inspect, field->inspect ? field->inspect : field->api,
		      json_deep_copy(pointer_get(body, field->api)));
	json_t *observed = schema_observe(schema, inspect);
	cr_expect(json_equal(json_object_get(observed, field->key), value), "%s.%s", schema->name,
		  field->key);
	json_decref(observed);
	json_decref(inspect);
	json_decref(body);
	json_decref(spec);
}

Test(rows, what_is_written_is_read)
{
	walk_top(check_round_trip);
}

static void check_pages(const struct kind *kind, const struct kind *const *kinds, size_t count)
{
	struct error err = ERROR_INIT;
	struct str text;

	str_init(&text, 0);
	schema_markdown(kind, &text);
	schema_foreach (kind->spec, field) {
		CLEANUP(cleanup_free) char *path = xasprintf("%s.%s", kind->name, field->key);
		CLEANUP(cleanup_free) char *cell = xasprintf("| `%s` |", field->key);

		cr_expect(strstr(text.data, cell), "%s is not in the page", path);
		struct str told;
		str_init(&told, 0);
		cr_expect_eq(schema_explain(kinds, count, path, &told, &err), 0, "%s", err.text);
		cr_expect(strstr(told.data, field->doc), "%s", told.data);
		str_done(&told);
	}
	str_done(&text);
}

Test(rows, every_row_is_in_the_pages)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);

	for (size_t i = 0; i < count; i++)
		check_pages(kinds[i], kinds, count);
}

/* Every {"$ref": "#/..."} of the schema leads somewhere. */
static void check_references(const json_t *document, const json_t *at)
{
	const char *target = json_string_value(json_object_get(at, "$ref"));
	const char *key;
	json_t *member;
	size_t index;

	if (target)
		cr_expect(target[0] == '#' && pointer_get(document, target + 1), "%s", target);
	json_object_foreach ((json_t *)at, key, member)
		check_references(document, member);
	json_array_foreach (at, index, member)
		check_references(document, member);
}

Test(rows, json_schema_is_whole)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	json_t *all = schema_json_schema(kinds, count);

	cr_assert(all);
	check_references(all, all);
	cr_expect_eq(json_array_size(json_object_get(all, "oneOf")), count);
	for (size_t i = 0; i < count; i++) {
		json_t *one = schema_json_schema(&kinds[i], 1);
		CLEANUP(cleanup_free)
		char *pointer = xasprintf("/$defs/%s/properties/spec/properties", kinds[i]->name);

		check_references(one, one);
		size_t rows = 0;
		schema_foreach (kinds[i]->spec, field)
			rows += field->key != NULL;
		cr_expect_eq(json_object_size(pointer_get(one, pointer)), rows);
		json_decref(one);
	}
	json_decref(all);
}
