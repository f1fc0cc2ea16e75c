/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What explain, the reference page and the dictionary say of the fixture's table. */
#include <criterion/criterion.h>
#include <string.h>

#include "manifests/schema_docs.h"
#include "tests/unit/manifests/schema_fixture.h"

static const struct kind kind = {
	.name = "Test",
	.doc = "For tests.",
	.scope = SCOPE_HOST,
	.spec = &test_schema,
	.example = "apiVersion: drey/v1",
};
static const struct kind *const kinds[] = { &kind };

static struct str text;

static void setup(void)
{
	str_init(&text, 0);
}

static void teardown(void)
{
	str_done(&text);
}

TestSuite(schema_docs, .init = setup, .fini = teardown);

static void expect_explained(const char *path, const char *part)
{
	struct error err = ERROR_INIT;

	str_clear(&text);
	cr_expect_eq(schema_explain(kinds, 1, path, &text, &err), 0, "%s: %s", path, err.text);
	cr_expect(strstr(text.data, part), "%s: '%s' lacks '%s'", path, text.data, part);
}

static void expect_unknown(const char *path, const char *message)
{
	struct error err = ERROR_INIT;

	str_clear(&text);
	cr_expect_eq(schema_explain(kinds, 1, path, &text, &err), -1, "%s", path);
	cr_expect_eq(err.code, ERROR_NOT_FOUND);
	cr_expect_str_eq(err.text, message);
}

Test(schema_docs, explain_says_whose_default_it_is)
{
	expect_explained("Test", "For tests.");
	expect_explained("test.spec", "\n  image  string, required\n");
	expect_explained("Test.count", "default    0\n");
	expect_explained("Test.count", "the engine's default is expected");
	expect_explained("Test.spec.init", "compared only when written");
	expect_explained("Test.environment", "default    the image's\n");
	expect_explained("Test.source", "a change   drey's own\n");
	expect_explained("Test.health.interval", "default    30s\n");
	expect_explained("Test.health.retries", "needs      Engine API 1.44\n");
	expect_explained("Test.ports", "short      [OUTSIDE:]INSIDE\n");
	expect_explained("Test.colour", "one of     red, green, blue\n");
	expect_explained("Test.metadata.name", "required");
}

Test(schema_docs, explain_knows_what_was_meant)
{
	expect_unknown("Tset", "no kind is called 'Tset'; did you mean 'Test'?");
	expect_unknown("Zebra", "no kind is called 'Zebra'; there are Test");
	expect_unknown("Test.enviroment",
		       "Test has no field 'enviroment'; did you mean 'environment'?");
	expect_unknown("Test.health.intervall",
		       "Inner has no field 'intervall'; did you mean 'interval'?");
	expect_unknown("Test.build", "Test has no field 'build': images are built elsewhere");
	expect_unknown("Test.image.x", "'image' is a string: it has no fields of its own");
	expect_unknown("Test.", "Test has no field ''");
	expect_unknown("", "no kind is called ''; there are Test");
}

Test(schema_docs, page_has_tables_for_objects_and_what_compose_has)
{
	schema_markdown(&kind, &text);
	cr_expect(strstr(text.data, "\n# Test\n\nFor tests.\n"));
	cr_expect(strstr(text.data, "| `health` | object ([fields](#spechealth)) |"));
	cr_expect(strstr(text.data, "\n### spec.health\n"));
	cr_expect(strstr(text.data, "Short form: `[OUTSIDE:]INSIDE`"));
	cr_expect(strstr(text.data, "| `build` | images are built elsewhere |"));
	cr_expect(strstr(text.data, "| `init` | boolean | the daemon's |"));
}

Test(schema_docs, dictionary_has_each_word_once)
{
	schema_dictionary(kinds, 1, &text);
	const char *first = strstr(text.data, "\"interval\"\n");
	cr_assert(first);
	cr_expect(!strstr(first + 1, "\"interval\"\n"));
	cr_expect(strstr(text.data, "\"green\"\n"));
	cr_expect(strstr(text.data, "\"metadata\"\n"));
}
