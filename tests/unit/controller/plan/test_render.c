/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "controller/plan/mask.h"
#include "controller/plan/render.h"
#include "reconcilers/container.h"
#include "tests/unit/manifests/schema_fixture.h"

static const struct kind container_kind = { .name = "Container", .spec = &container_schema };

struct fixture {
	struct arena *arena;
	struct resource want;
	struct object have;
	struct action actions[8];
	struct plan plan;
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

static void setup(void)
{
	f = (struct fixture){ .arena = arena_new() };
	f.want = (struct resource){
		.kind = &container_kind,
		.name = "web",
		.host = "h1",
		.metadata = keep(json_object()),
		.spec = keep(json_object()),
		.secrets = keep(json_object()),
	};
	f.have = (struct object){ .engine_name = "web", .ours = true };
	f.plan = (struct plan){ .host = "h1", .project = "shop", .actions = f.actions };
}

static void teardown(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(f.actions); i++)
		vec_done(&f.actions[i].changes.list);
	arena_free(f.arena);
}

TestSuite(render, .init = setup, .fini = teardown);

static struct action *add(enum verdict verdict, const char *name)
{
	struct action *action = &f.actions[f.plan.count++];

	*action = (struct action){
		.verdict = verdict, .kind = &container_kind, .name = name, .want = &f.want
	};
	action->changes.arena = f.arena;
	return action;
}

/* Changes as comparing would find them; the manifest states `stated`. */
static struct action *add_changed(const char *stated, const char *secrets, const char *observed)
{
	struct action *action = add(VERDICT_REPLACE, "web");
	const json_t *before = keep(fixture_json(observed));

	f.want.spec = keep(fixture_json(stated));
	f.want.secrets = keep(fixture_json(secrets));
	action->have = &f.have;
	schema_diff(&container_schema, before, f.want.spec, NULL, &action->changes);
	return action;
}

static void expect_text(const struct render_options *options, const char *expected)
{
	struct str out;

	str_init(&out, 0);
	render_plan(&f.plan, options, &out);
	cr_assert_str_eq(out.data, expected, "got:\n%s\nexpected:\n%s", out.data, expected);
	str_done(&out);
}

static bool text_has(const char *needle)
{
	struct render_options options = { .all = true };
	struct str out;
	bool found;

	str_init(&out, 0);
	render_plan(&f.plan, &options, &out);
	found = strstr(out.data, needle) != NULL;
	if (!found)
		cr_log_info("%s", out.data);
	str_done(&out);
	return found;
}

Test(render, shows_fields_aligned_with_before_and_after)
{
	struct action *action = add_changed("{'image': 'web:1.1', 'restart': 'always'}", "{}",
					    "{'image': 'web:1.0', 'restart': 'no'}");
	struct render_options options = { 0 };

	action->disruptive = action->backup_first = true;
	add(VERDICT_CREATE, "database");
	add(VERDICT_KEEP, "in-step");
	expect_text(&options,
		    "h1\n"
		    "  ~ Container/web       replace   (stops the service, after a backup)\n"
		    "      image                  web:1.0 -> web:1.1\n"
		    "      restart                no -> always\n"
		    "  + Container/database  create\n");
}

Test(render, a_host_in_step_is_one_line_unless_all_is_asked_for)
{
	struct render_options options = { 0 };

	add(VERDICT_KEEP, "web");
	expect_text(&options, "h1   in step\n");
	options.all = true;
	expect_text(&options, "h1   in step\n"
			      "    Container/web  keep\n");
}

Test(render, says_why_and_warns)
{
	struct action *action = add(VERDICT_REFUSE, "web");
	struct render_options options = { 0 };

	action->reason = "'web' is there and was not made by drey";
	action->warning = "something else";
	expect_text(&options, "h1\n"
			      "  ! Container/web  refuse\n"
			      "      'web' is there and was not made by drey\n"
			      "      warning: something else\n");
}

Test(render, cuts_long_values_to_the_width)
{
	struct render_options options = { .width = 76 };
	struct str out;

	add_changed("{'image': 'registry.example.com/a/very/long/path/to/an/image:1.1'}", "{}",
		    "{'image': 'web:1.0'}");
	str_init(&out, 0);
	render_plan(&f.plan, &options, &out);
	for (char *save = NULL, *line = strtok_r(out.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		size_t columns = 0;

		for (const char *c = line; *c; c++)
			columns += ((unsigned char)*c & 0xc0) != 0x80;
		cr_expect_leq(columns, 76, "%s", line);
	}
	str_done(&out);
	cr_expect(text_has("web:1.0 -> registry.example.com/a/very"));
}

Test(render, masks_secrets_on_both_sides)
{
	add_changed("{'image': 'a', 'environment': {'PASSWORD': 'new', 'PLAIN': 'b'}}",
		    "{'environment': {'PASSWORD': true}}",
		    "{'image': 'a', 'environment': {'PASSWORD': 'old', 'PLAIN': 'x'}}");
	cr_expect(text_has("environment.PASSWORD   *** (before) -> *** (after)"));
	cr_expect(text_has("environment.PLAIN      *** (before) -> b"));
	cr_expect_not(text_has("old"));
	cr_expect_not(text_has("new"));
}

Test(render, shows_an_observed_value_that_the_manifest_states_in_plain)
{
	add_changed("{'image': 'a', 'environment': {'A': 'seen', 'B': 'b'}}", "{}",
		    "{'image': 'a', 'environment': {'A': 'seen', 'B': 'seen'}}");
	cr_expect(text_has("environment.B          seen -> b"));
}

Test(render, a_secret_of_the_same_value_is_not_stated_in_plain)
{
	add_changed("{'image': 'a', 'environment': {'A': 'hush', 'B': 'b'}}",
		    "{'environment': {'A': true}}",
		    "{'image': 'a', 'environment': {'A': 'hush', 'B': 'hush'}}");
	cr_expect_not(text_has("hush"));
}

Test(render, masks_labels_whose_keys_hold_dots)
{
	add_changed("{'image': 'a', 'labels': {'com.example.token': 'after'}}",
		    "{'labels': {'com.example.token': true}}",
		    "{'image': 'a', 'labels': {'com.example.token': 'before', 'x': 'y'}}");
	cr_expect(text_has("labels.com.example.token *** (before) -> *** (after)"));
	cr_expect(text_has("labels.x"));
	cr_expect_not(text_has("labels.x y"));
}

Test(render, masks_log_options)
{
	add_changed("{'image': 'a', 'logging': {'driver': 'json-file', 'options': {'tag': 't'}}}",
		    "{}",
		    "{'image': 'a', 'logging': {'driver': 'json-file', 'options': {'tag': "
		    "'foreign'}}}");
	cr_expect(text_has("*** (before) -> t"));
	cr_expect_not(text_has("foreign"));
}

Test(render, a_secret_anywhere_in_a_list_masks_the_list)
{
	add_changed("{'image': 'a', 'command': ['run', '--token=hush']}", "{'command': true}",
		    "{'image': 'a', 'command': ['run', '--token=old']}");
	cr_expect(text_has("*** (before) -> *** (after)"));
	cr_expect_not(text_has("hush"));
}

/* The token has left the command; the container that runs still has it. */
Test(render, a_secret_that_a_row_has_lost_is_masked)
{
	static const struct {
		const char *labels;
		bool ours, masked;
	} cases[] = {
		{ "{'drey.secrets': 'user,command'}", true, true },
		{ "{'drey.secrets': 'commands,user'}", true, false },
		{ "{}", true, false },
		{ "{}", false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		f.have.labels = keep(fixture_json(cases[i].labels));
		f.have.ours = cases[i].ours;
		vec_done(&f.actions[0].changes.list);
		f.plan.count = 0;
		add_changed("{'image': 'a', 'command': ['run', '--token-file']}", "{}",
			    "{'image': 'a', 'command': ['run', '--token=old']}");
		cr_expect_eq(text_has("--token=old"), !cases[i].masked, "%zu", i);
		cr_expect(text_has("--token-file"), "%zu", i);
	}
}

Test(render, the_path_of_an_element_shows_no_secret)
{
	struct action *action = add_changed(
		"{'image': 'a', 'security_opt': ['label=user:hush']}", "{'security_opt': true}",
		"{'image': 'a', 'security_opt': ['label=user:old', 'label=user:x']}");

	cr_expect(text_has("security_opt[1]"));
	cr_expect(text_has("security_opt[3]"));
	cr_expect_not(text_has("hush"));
	cr_expect_not(text_has("old"));
	json_t *document = render_plan_json(&f.plan);
	CLEANUP(cleanup_free) char *json = json_dumps(document, 0);

	json_decref(document);
	cr_expect_not(strstr(json, "hush"));
	cr_expect_eq(action->changes.list.count, 3);
}

Test(render, json_masks_and_is_versioned)
{
	struct action *action = add_changed("{'image': 'b', 'environment': {'P': 'hush'}}",
					    "{'environment': {'P': true}}",
					    "{'image': 'a', 'environment': {'P': 'old'}}");
	json_t *document, *expected;

	action->reason = "why";
	document = render_plan_json(&f.plan);
	expected = fixture_json(
		"{'format': 1, 'host': 'h1', 'project': 'shop', 'in_step': false,"
		" 'unfinished': 0, 'summary': {'keep': 0, 'create': 0, 'update': 0, 'replace': 1, "
		"'remove': 0,"
		"  'refuse': 0, 'leftover': 0}, 'warnings': [], 'actions': [{"
		" 'resource': 'Container/web@h1', 'kind': 'Container', 'name': 'web',"
		" 'verdict': 'replace', 'engine_name': 'web', 'reason': 'why', 'warning': null,"
		" 'changes': [{'path': 'image', 'before': 'a', 'after': 'b', 'masked': false,"
		"  'effect': 'replace'}, {'path': 'environment.P', 'before': '***',"
		"  'after': '***', 'masked': true, 'effect': 'replace'}],"
		" 'known_after_pull': false, 'disruptive': false, 'loses_data': false,"
		" 'backup_first': false, 'order': 'stop-first', 'order_reason': null,"
		" 'restart': false, 'after': []}]}");
	expect_json(document, expected);
}

Test(render, foreign_names_do_not_drive_the_terminal)
{
	struct action *action = add(VERDICT_LEFTOVER, "a\033]0;owned\007b");

	action->reason = "name \xe2\x80\xae gpj \xc2\x9b \xff";
	cr_expect(text_has("Container/a\\x1b]0;owned\\x07b"));
	cr_expect(text_has("name \\u{202e} gpj \\u{9b} \\xff"));
}

Test(render, foreign_names_do_not_drive_a_ci_runner)
{
	struct str out;

	str_init(&out, 0);
	text_escape("a ##[add-mask]b ###[c] ## [d] ##", &out);
	cr_expect_str_eq(out.data, "a #\\x23[add-mask]b ##\\x23[c] ## [d] ##");
	str_done(&out);
}

Test(render, leaves_ordinary_text_alone)
{
	struct str out;

	str_init(&out, 0);
	text_escape("Größe — 数 \xf0\x9f\x90\xbf", &out);
	cr_expect_str_eq(out.data, "Größe — 数 \xf0\x9f\x90\xbf");
	str_clear(&out);
	/* Overlong, surrogate, beyond Unicode: not UTF-8. */
	text_escape("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", &out);
	cr_expect_str_eq(out.data, "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
	str_done(&out);
}

Test(render, summary_counts_hosts)
{
	struct plan_summary summary = { .create = 2, .update = 1, .refuse = 1 };
	struct str out;

	str_init(&out, 0);
	render_summary(&summary, 3, &out);
	cr_expect_str_eq(out.data, "2 to create, 1 to update, 0 to replace, 0 to remove, 1 refused "
				   "on 3 hosts");
	str_done(&out);
}
