/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "controller/plan/saved.h"
#include "reconcilers/container.h"
#include "tests/unit/manifests/schema_fixture.h"

static const struct kind container_kind = { .name = "Container", .spec = &container_schema };

static const char salt[] = "0123456789abcdef0123456789abcdef";
static const char key_text[] = "a key that is long enough for this test";

/* A host with one container, whose environment holds a secret. */
struct fixture {
	struct arena *arena;
	struct resource want;
	struct object have;
	struct action action;
	struct plan plan;
	struct pass pass;
	struct saved_key key;
};

static struct fixture f;

static void release(void *json)
{
	json_decref(json);
}

static const json_t *keep(json_t *json)
{
	arena_defer(f.arena, release, json);
	return json;
}

static void set_secret(const char *secret)
{
	f.want.spec =
		keep(json_pack("{s:s, s:{s:s}}", "image", "web:1", "environment", "WORD", secret));
}

static void setup(void)
{
	f = (struct fixture){ .arena = arena_new() };
	f.want = (struct resource){
		.kind = &container_kind,
		.name = "web",
		.host = "h1",
		.digest = "digest-of-the-masked-spec",
		.metadata = keep(json_object()),
		.defaults = keep(fixture_json("{'pull_policy': 'missing', 'state': 'running'}")),
		.secrets = keep(fixture_json("{'environment': {'WORD': true}}")),
	};
	set_secret("hunter2");
	f.have = (struct object){
		.id = "id-1", .engine_name = "web", .ours = true, .image_id = "sha256:1"
	};
	f.action = (struct action){
		.verdict = VERDICT_KEEP,
		.kind = &container_kind,
		.name = "web",
		.want = &f.want,
		.have = &f.have,
	};
	f.plan = (struct plan){ .host = "h1", .project = "shop", .actions = &f.action, .count = 1 };
	f.pass.observed.info = keep(fixture_json("{'ID': 'engine-1'}"));
	f.key = (struct saved_key){ .data = key_text, .len = strlen(key_text) };
	memcpy(f.key.salt, salt, sizeof(salt));
}

static void teardown(void)
{
	vec_done(&f.action.changes.list);
	arena_free(f.arena);
}

TestSuite(saved, .init = setup, .fini = teardown);

static json_t *make(const struct saved_key *key)
{
	json_t *document = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:o, s:[], s:[o], s:o}", "format", SAVED_FORMAT, "type",
		"plan", "version", "0", "project", "shop", "revision", "r", "options",
		fixture_json("{'hosts': [], 'host_selector': null, 'selector': null, 'targets': "
			     "[], 'prune': false, 'max_removals': 0, 'local': false}"),
		"resources", "hosts", saved_host(&f.pass, &f.plan, key), "key",
		saved_key_json(key));

	saved_seal(document, key);
	return document;
}

/* The one row in which two plans differ, "field: planned -> found"; "" for none. */
static const char *difference(json_t *saved, json_t *fresh)
{
	json_t *rows = saved_compare(saved, fresh);
	const char *text = "";

	if (json_array_size(rows) > 1)
		text = "several";
	else if (json_array_size(rows) == 1)
		text = arena_printf(
			f.arena, "%s: %s",
			json_string_value(json_object_get(json_array_get(rows, 0), "field")),
			json_string_value(json_object_get(json_array_get(rows, 0), "found")));
	json_decref(rows);
	json_decref(saved);
	json_decref(fresh);
	return text;
}

static void expect_fault(json_t *document, const char *fault)
{
	char *text = json_dumps(document, 0);
	struct error err = ERROR_INIT;
	json_t *parsed = NULL;

	cr_assert_eq(saved_parse(text, strlen(text), &parsed, &err), -1, "taken: %s", text);
	cr_assert_eq(err.code, ERROR_INVALID);
	cr_assert(strstr(err.text, fault), "%s", err.text);
	free(text);
	json_decref(document);
}

/* Whoever adds a member to the JSON form of a plan adds a row in saved_form.c. */
Test(saved, what_is_written_is_taken)
{
	json_t *document, *parsed = NULL;
	struct error err = ERROR_INIT;
	const json_t *before = keep(fixture_json("{'mem_limit': 1, 'environment': {'A': '1'}}"));

	f.action.changes.arena = f.arena;
	schema_diff(&container_schema, before, f.want.spec, NULL, &f.action.changes);
	document = make(&f.key);
	char *text = json_dumps(document, 0);
	cr_assert_eq(saved_parse(text, strlen(text), &parsed, &err), 0, "%s", err.text);
	cr_assert_eq(saved_check_seal(parsed, &f.key, &err), 0, "%s", err.text);
	cr_assert(json_equal(parsed, document));
	free(text);
	cr_assert_str_eq(difference(parsed, document), "");
}

Test(saved, holds_no_secret_and_no_digest_without_a_key)
{
	json_t *with = make(&f.key), *without = make(NULL);
	char *text = json_dumps(with, 0), *bare = json_dumps(without, 0);

	cr_assert_not(strstr(text, "hunter2"));
	cr_assert_not(strstr(bare, "hunter2"));
	cr_assert(saved_needs_key(&f.plan));
	const json_t *action = json_array_get(
		json_object_get(json_array_get(json_object_get(without, "hosts"), 0), "actions"),
		0);
	cr_assert(json_is_null(json_object_get(action, "secrets")));
	cr_assert(json_is_null(json_object_get(without, "mac")));
	free(text);
	free(bare);
	json_decref(with);
	json_decref(without);
}

Test(saved, a_changed_secret_is_noticed_and_nothing_of_it_told)
{
	json_t *saved = make(&f.key);

	set_secret("hunter3");
	cr_assert_str_eq(difference(saved, make(&f.key)), "secrets: another value, or none");
}

/* A secret that is put into the container as a file stands in no spec. */
Test(saved, a_changed_file_that_is_secret_is_noticed)
{
	struct content file = {
		.kind = "Secret", .name = "word", .data = "swordfish", .len = 9, .secret = true
	};

	f.want.contents = &file;
	f.want.content_count = 1;
	json_t *saved = make(&f.key);
	char *text = json_dumps(saved, 0);
	cr_expect_not(strstr(text, "swordfish"));
	free(text);
	file.data = "swordfist";
	cr_expect_neq(difference(saved, make(&f.key))[0], '\0');
	f.want.content_count = 0;
}

Test(saved, two_plans_tell_nothing_of_each_other)
{
	json_t *saved = make(&f.key);

	f.key.salt[0] = 'f';
	cr_assert_str_eq(difference(saved, make(&f.key)), "secrets: another value, or none");
}

Test(saved, an_object_made_anew_and_another_image_are_noticed)
{
	json_t *saved = make(&f.key), *again = json_deep_copy(saved);

	f.have.id = "id-2";
	cr_assert_str_eq(difference(saved, make(&f.key)), "id: id-2");
	f.have.id = "id-1";
	f.have.image_id = "sha256:2";
	cr_assert_str_eq(difference(again, make(&f.key)), "image_id: sha256:2");
}

Test(saved, another_spec_is_noticed_where_nothing_is_there_to_compare)
{
	f.action.verdict = VERDICT_CREATE;
	f.action.have = NULL;
	json_t *saved = make(&f.key);
	f.want.digest = "another";
	cr_assert_str_eq(difference(saved, make(&f.key)), "spec: something else");
}

Test(saved, another_engine_is_told_as_that)
{
	json_t *saved = make(&f.key);

	f.pass.observed.info = keep(fixture_json("{'ID': 'engine-2'}"));
	f.have.id = "id-2";
	cr_assert_str_eq(difference(saved, make(&f.key)), "engine: engine-2");
}

Test(saved, a_host_that_was_not_planned_is_no_difference)
{
	json_t *saved = make(&f.key);
	struct error err = ERROR_INIT;

	error_set(&err, ERROR_UNREACHABLE, "down");
	json_object_set_new(saved, "hosts", json_pack("[o]", saved_host_failed("h1", &err)));
	cr_assert_str_eq(difference(saved, make(&f.key)), "");
}

Test(saved, an_altered_plan_and_another_key_are_told_apart)
{
	struct saved_key other = f.key;
	json_t *document = make(&f.key);
	struct error err = ERROR_INIT;

	other.data = "another key that is long enough for it";
	other.len = strlen(other.data);
	cr_assert_eq(saved_check_seal(document, &other, &err), -1);
	cr_assert(strstr(err.text, "another key"), "%s", err.text);
	json_object_set_new(document, "revision", json_string("forged"));
	cr_assert_eq(saved_check_seal(document, &f.key, &err), -1);
	cr_assert(strstr(err.text, "altered"), "%s", err.text);
	cr_assert_eq(err.code, ERROR_REFUSED);
	json_decref(document);
}

Test(saved, what_is_no_plan_is_told_with_its_place)
{
	json_t *document = make(&f.key), *copy;
	json_t *action = json_array_get(
		json_object_get(json_array_get(json_object_get(document, "hosts"), 0), "actions"),
		0);

	copy = json_deep_copy(document);
	json_object_set_new(copy, "format", json_integer(2));
	expect_fault(copy, "a plan of format 2");
	copy = json_deep_copy(document);
	json_object_set_new(copy, "type", json_string("diff"));
	expect_fault(copy, "drey diff --out");
	copy = json_deep_copy(document);
	json_object_del(copy, "hosts");
	expect_fault(copy, "hosts is missing");
	copy = json_deep_copy(document);
	json_object_set_new(copy, "\033[2J", json_true());
	expect_fault(copy, "\\x1b[2J: unknown member");
	copy = json_deep_copy(document);
	json_object_set_new(json_object_get(copy, "key"), "salt", json_string("short"));
	expect_fault(copy, "key.salt: expected a string of another length");
	copy = json_deep_copy(document);
	json_object_set_new(json_object_get(copy, "options"), "targets",
			    json_pack("[s]", "Container/a\nb"));
	expect_fault(copy, "options.targets: expected text without control characters");
	json_object_set_new(action, "verdict", json_integer(1));
	expect_fault(json_deep_copy(document), "hosts[0].actions[0].verdict: expected a string");
	expect_fault(json_pack("[]"), "no plan");
	json_decref(document);
}
