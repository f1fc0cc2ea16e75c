/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people write and what engines answer, through the tables of every kind.
 *
 * A first byte of 'j': the rest is JSON, an engine's answer; it is observed, compared with silence
 * and with itself, printed and masked. Otherwise the input is YAML, a spec: what is taken without
 * a fault must print as YAML that reads back as the same value.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/base/mem.h"
#include "manifests/yaml.h"
#include "reconcilers/reconciler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const char *kind, const char *text)
{
	fprintf(stderr, "%s: %s:\n%s\n", kind, what, text);
	abort();
}

static void observe(const struct schema *schema, const json_t *answer)
{
	json_t *observed = schema_observe(schema, answer), *nothing = json_object();
	json_t *expected = schema_expect(schema, nothing, nothing);
	struct arena *arena = arena_new();
	struct changes changes = { .arena = arena };
	struct str text;

	str_init(&text, 0);
	schema_diff(schema, observed, observed, NULL, &changes);
	if (changes.list.count)
		fail("differs from itself", schema->name, changes.list.items[0].path);
	schema_diff(schema, observed, expected, NULL, &changes);
	for (size_t i = 0; i < changes.list.count; i++) {
		schema_print_value(changes.list.items[i].leaf, changes.list.items[i].before, &text);
		schema_print_value(changes.list.items[i].leaf, changes.list.items[i].after, &text);
	}
	schema_print(schema, observed, NULL, 0, &text);
	str_done(&text);
	vec_done(&changes.list);
	arena_free(arena);
	json_decref(expected);
	json_decref(nothing);
	json_decref(observed);
}

struct reading {
	const struct schema *schema;
	struct diagnostics *diagnostics;
	json_t *spec;
};

static void decode_document(void *ctx, const struct node *root)
{
	struct reading *reading = ctx;
	struct decode decode = { .diagnostics = reading->diagnostics, .prefix = "spec" };

	json_decref(reading->spec);
	reading->spec = schema_decode(reading->schema, &decode, root);
}

/* The last document as a spec; NULL when there was any fault. */
static json_t *read_spec(const struct schema *schema, const char *text, size_t len)
{
	struct arena *arena = arena_new();
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics, arena);
	struct reading reading = { .schema = schema, .diagnostics = &diagnostics };
	struct yaml_reader reader = { .arena = arena, .diagnostics = &diagnostics };

	if (yaml_read(&reader, "spec.yaml", text, len, decode_document, &reading) < 0 ||
	    diagnostics.errors) {
		json_decref(reading.spec);
		reading.spec = NULL;
	}
	diagnostics_done(&diagnostics);
	arena_free(arena);
	return reading.spec;
}

static void ignore_reference(void *ctx, const char *kind, const char *name, const char *path)
{
	(void)ctx, (void)kind, (void)name, (void)path;
}

static bool has_secrets(const struct schema *schema)
{
	schema_foreach (schema, field) {
		if ((field->flags & FIELD_SECRET) || (field->of && has_secrets(field->of)))
			return true;
	}
	return false;
}

static void decode(const struct schema *schema, const char *data, size_t size)
{
	json_t *spec = read_spec(schema, data, size), *body = json_object(), *again;
	struct error err = ERROR_INIT;
	struct str text;

	if (!spec) {
		json_decref(body);
		return;
	}
	str_init(&text, 0);
	schema_references(schema, spec, ignore_reference, NULL);
	if (schema_encode(schema, spec, ENGINE_API_NEWEST, body, &err) == 0)
		observe(schema, body);
	schema_print(schema, spec, NULL, 0, &text);
	if (text.len && !has_secrets(schema)) {
		again = read_spec(schema, text.data, text.len);
		if (!again || !json_equal(again, spec))
			fail("does not read back", schema->name, text.data);
		json_decref(again);
	}
	str_done(&text);
	json_decref(body);
	json_decref(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);

	if (size && data[0] == 'j') {
		json_t *answer = json_loadb((const char *)data + 1, size - 1, 0, NULL);

		for (size_t i = 0; i < count && answer; i++)
			observe(kinds[i]->spec, answer);
		json_decref(answer);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		decode(kinds[i]->spec, (const char *)data, size);
	return 0;
}
