/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "controller/plan/render_markdown.h"
#include "reconcilers/container.h"
#include "tests/unit/manifests/schema_fixture.h"

static const struct kind container_kind = { .name = "Container", .spec = &container_schema };

enum { ACTIONS = 400 };

struct fixture {
	struct arena *arena;
	struct resource want;
	struct object have;
	struct action actions[ACTIONS];
	struct plan plan;
	struct plan_summary summary;
	struct markdown_host host;
	struct markdown_report report;
	struct str out;
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
	f.plan = (struct plan){ .host = "h1", .project = "shop", .actions = f.actions };
	f.host = (struct markdown_host){ .host = "h1", .plan = &f.plan };
	f.report = (struct markdown_report){
		.command = "diff",
		.project = "shop",
		.revision = "abc123",
		.summary = &f.summary,
		.hosts = &f.host,
		.count = 1,
		.max_bytes = MARKDOWN_BYTES_MAX,
	};
	str_init(&f.out, 0);
}

static void teardown(void)
{
	for (size_t i = 0; i < ACTIONS; i++)
		vec_done(&f.actions[i].changes.list);
	str_done(&f.out);
	arena_free(f.arena);
}

TestSuite(render_markdown, .init = setup, .fini = teardown);

static struct action *add(enum verdict verdict, const char *name)
{
	struct action *action = &f.actions[f.plan.count++];

	*action = (struct action){
		.verdict = verdict, .kind = &container_kind, .name = name, .want = &f.want
	};
	action->changes.arena = f.arena;
	return action;
}

static void change(struct action *action, const char *wanted, const char *observed)
{
	f.want.spec = keep(fixture_json(wanted));
	action->have = &f.have;
	schema_diff(&container_schema, keep(fixture_json(observed)), f.want.spec, NULL,
		    &action->changes);
}

static const char *render(void)
{
	str_clear(&f.out);
	f.summary = (struct plan_summary){ 0 };
	plan_summarize(&f.plan, &f.summary);
	render_markdown(&f.report, &f.out);
	return f.out.data;
}

Test(render_markdown, is_a_table_and_a_section_for_each_resource)
{
	struct action *action = add(VERDICT_REPLACE, "web");

	change(action, "{'image': 'web:1.1'}", "{'image': 'web:1.0', 'mem_limit': 1048576}");
	action->disruptive = true;
	add(VERDICT_CREATE, "db");
	add(VERDICT_KEEP, "quiet");
	cr_assert_str_eq(
		render(),
		"<!-- drey diff -->\n"
		"### drey diff\n\n"
		"**1 to create, 0 to update, 1 to replace, 0 to remove, 0 refused on 1 host**, "
		"project <code>shop</code>, revision <code>abc123</code>\n\n"
		"| Host | Create | Update | Replace | Remove | Refused | |\n"
		"|---|---|---|---|---|---|---|\n"
		"| <code>h1</code> | 1 | 0 | 1 | 0 | 0 |  |\n\n"
		"#### <code>h1</code>\n\n"
		"<details><summary><code>Container&#47;web</code> replace, stops the "
		"service</summary>\n\n"
		"```diff\n"
		"- image: web:1.0\n"
		"+ image: web:1.1\n"
		"- mem_limit: 1M\n"
		"+ mem_limit: 0\n"
		"```\n\n"
		"</details>\n\n"
		"- <code>Container&#47;db</code> create\n\n");
}

/* Outside of fenced blocks every sign that could mean something is a reference; within them no line
 * begins with foreign text. */
static void expect_inert(const char *text)
{
	bool fenced = false;

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, "```", 3) == 0) {
			cr_assert(len == 3 || strncmp(line, "```diff\n", 8) == 0, "%.*s", (int)len,
				  line);
			fenced = !fenced;
		} else if (fenced) {
			cr_assert(strchr("-+#!", *line) && line[1] == ' ', "%.*s", (int)len, line);
		} else {
			cr_assert_not(memchr(line, '@', len), "%.*s", (int)len, line);
			cr_assert_not(memmem(line, len, "<img", 4), "%.*s", (int)len, line);
			cr_assert_not(memmem(line, len, "](", 2), "%.*s", (int)len, line);
		}
	}
	cr_assert_not(fenced);
}

Test(render_markdown, foreign_text_means_nothing)
{
	static const char evil[] =
		"x\n```\n</code></details>@octocat <img src=x> [a](http://b) | #1";
	struct action *action = add(VERDICT_REFUSE, evil);
	const char *const warnings[] = { evil };
	struct error err = ERROR_INIT;

	f.have.engine_name = evil;
	f.want.spec = keep(json_pack("{s:{s:s, s:s}}", "environment", "A", evil, evil, "1"));
	action->have = &f.have;
	schema_diff(&container_schema, keep(json_pack("{s:s}", "image", evil)), f.want.spec, NULL,
		    &action->changes);
	cr_assert_geq(action->changes.list.count, 2);
	action->reason = action->warning = evil;
	f.plan.warnings = (const char **)warnings;
	f.plan.warning_count = 1;
	f.report.project = f.report.revision = f.report.error = evil;
	expect_inert(render());
	/* And of a host that could not be planned. */
	f.host.plan = NULL;
	f.host.err = &err;
	error_set(&err, ERROR_UNREACHABLE, "%s", evil);
	expect_inert(render());
	str_clear(&f.out);
	render_markdown_error("diff", evil, &f.out);
	cr_assert_str_eq(f.out.data, "<!-- drey diff -->\n### drey diff\n\n**Failed**\n\n```\n# x\n"
				     "# ```\n# </code></details>@octocat <img src=x> "
				     "[a](http://b) | #1\n```\n");
}

Test(render_markdown, secrets_are_masked)
{
	struct action *action = add(VERDICT_REPLACE, "web");

	f.want.secrets = keep(fixture_json("{'environment': {'WORD': true}}"));
	change(action, "{'environment': {'WORD': 'hunter2'}}",
	       "{'environment': {'WORD': 'hunter1', 'BY_HAND': 'hunter3'}}");
	cr_assert_not(strstr(render(), "hunter"), "%s", f.out.data);
	cr_assert(strstr(f.out.data, "+ environment.WORD: *** (after)\n"), "%s", f.out.data);
}

Test(render_markdown, what_does_not_fit_is_counted)
{
	char *text = arena_alloc(f.arena, 4001);

	memset(text, 'v', 4000);
	for (size_t i = 0; i < ACTIONS; i++)
		add(VERDICT_REFUSE, "web")->reason = text;
	size_t len = strlen(render());
	cr_assert_leq(len, MARKDOWN_BYTES_MAX);
	cr_assert_geq(len, MARKDOWN_BYTES_MAX - 4000);
	cr_assert(strstr(f.out.data, " more resources are left out"), "%s", f.out.data);
	cr_assert(strstr(f.out.data, "v…\n"), "long lines are cut");
}

Test(render_markdown, many_hosts_do_not_push_the_resources_out)
{
	enum { HOSTS = 2000 };
	struct markdown_host *hosts = arena_alloc(f.arena, HOSTS * sizeof(*hosts));
	struct plan quiet = { .host = "quiet" };

	add(VERDICT_REFUSE, "web")->reason = "somebody else's";
	for (size_t i = 0; i < HOSTS; i++)
		hosts[i] = (struct markdown_host){ .host = "h1", .plan = i ? &f.plan : &quiet };
	f.report.hosts = hosts;
	f.report.count = HOSTS;
	cr_assert_leq(strlen(render()), MARKDOWN_BYTES_MAX);
	cr_assert(strstr(f.out.data, "| 1 in step |"));
	cr_assert(strstr(f.out.data, " more | | |"));
	cr_assert(strstr(f.out.data, "# somebody else's\n"));
}

Test(render_markdown, tells_what_came_of_it)
{
	struct result items[2] = { 0 };
	struct results results = { .items = items, .count = 2, .failed = 1 };

	add(VERDICT_CREATE, "db");
	add(VERDICT_CREATE, "web");
	items[0] = (struct result){ .action = &f.actions[0],
				    .outcome = OUTCOME_DONE,
				    .duration_ms = 1200 };
	items[1] = (struct result){ .action = &f.actions[1], .outcome = OUTCOME_FAILED };
	error_set(&items[1].err, ERROR_REMOTE, "no space left");
	f.host.results = &results;
	render();
	cr_assert(strstr(f.out.data, "- <code>Container&#47;db</code> create: <b>done</b> in 1.2 "
				     "s\n"),
		  "%s", f.out.data);
	cr_assert(strstr(f.out.data, "create: <b>failed</b></summary>\n\n```diff\n! no space "
				     "left\n"),
		  "%s", f.out.data);
	cr_assert(strstr(f.out.data, "<b>1 failed</b>"));
}
