/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/plan/execute.h"

/* No action of these gets as far as an engine. */
static const struct kind kind = { .name = "Container" };

static bool say_yes(void *ctx)
{
	(void)ctx;
	return true;
}

static void count_calls(void *ctx, const struct result *result)
{
	(void)result;
	++*(int *)ctx;
}

Test(execute, keeps_what_is_in_step_and_blocks_what_needs_the_refused)
{
	const size_t first[] = { 1 }, second[] = { 2 }, kept[] = { 0 };
	struct arena *arena = arena_new();
	struct action actions[] = {
		{ .verdict = VERDICT_KEEP, .kind = &kind, .name = "kept" },
		{ .verdict = VERDICT_REFUSE, .kind = &kind, .name = "refused", .reason = "why" },
		{ .verdict = VERDICT_CREATE,
		  .kind = &kind,
		  .name = "blocked",
		  .after = first,
		  .after_count = 1,
		  .after_required = 1 },
		{ .verdict = VERDICT_CREATE,
		  .kind = &kind,
		  .name = "blocked-too",
		  .after = second,
		  .after_count = 1,
		  .after_required = 1 },
		{ .verdict = VERDICT_LEFTOVER,
		  .kind = &kind,
		  .name = "leftover",
		  .after = kept,
		  .after_count = 1,
		  .after_required = 1 },
	};
	struct plan plan = { .actions = actions, .count = 5 };
	struct pass pass = { .arena = arena };
	struct results results;
	int calls = 0;

	plan_execute(&pass, &plan, arena, count_calls, &calls, &results);
	cr_expect_eq(calls, 5);
	cr_expect_eq(results.items[0].outcome, OUTCOME_KEPT);
	cr_expect_eq(results.items[1].outcome, OUTCOME_REFUSED);
	cr_expect_str_eq(results.items[1].err.text, "why");
	cr_expect_eq(results.items[2].outcome, OUTCOME_BLOCKED);
	cr_expect_str_eq(results.items[2].err.text,
			 "waits for Container/refused, which is refused");
	cr_expect_eq(results.items[3].outcome, OUTCOME_BLOCKED);
	cr_expect_str_eq(results.items[3].err.text,
			 "waits for Container/blocked, which is blocked itself");
	cr_expect_eq(results.items[4].outcome, OUTCOME_KEPT);
	cr_expect_eq(results.refused, 1);
	cr_expect_eq(results.blocked, 2);
	cr_expect_eq(results.failed, 0);
	arena_free(arena);
}

Test(execute, begins_nothing_after_an_interruption)
{
	struct arena *arena = arena_new();
	struct action action = { .verdict = VERDICT_CREATE, .kind = &kind, .name = "web" };
	struct plan plan = { .actions = &action, .count = 1 };
	struct pass pass = { .arena = arena, .hooks = { .cancelled = say_yes } };
	struct results results;

	plan_execute(&pass, &plan, arena, NULL, NULL, &results);
	cr_expect_eq(results.items[0].outcome, OUTCOME_CANCELLED);
	cr_expect_eq(results.done, 0);
	arena_free(arena);
}

Test(execute, skips_the_changes_and_nothing_else)
{
	struct arena *arena = arena_new();
	struct action actions[] = {
		{ .verdict = VERDICT_KEEP, .kind = &kind, .name = "kept" },
		{ .verdict = VERDICT_REFUSE, .kind = &kind, .name = "refused", .reason = "no" },
		{ .verdict = VERDICT_REMOVE, .kind = &kind, .name = "gone" },
	};
	struct plan plan = { .actions = actions, .count = 3 };
	struct error why = { .code = ERROR_CONFLICT, .text = "another drey" };
	struct results results;

	cr_expect(plan_changes_anything(&plan));
	plan_skip(&plan, arena, &why, &results);
	cr_expect_eq(results.items[0].outcome, OUTCOME_KEPT);
	cr_expect_eq(results.items[1].outcome, OUTCOME_REFUSED);
	cr_expect_str_eq(results.items[1].err.text, "no");
	cr_expect_eq(results.items[2].outcome, OUTCOME_SKIPPED);
	cr_expect_str_eq(results.items[2].err.text, "another drey");
	cr_expect_eq(results.skipped, 1);
	cr_expect_eq(results.refused, 1);
	plan.count = 2;
	cr_expect_not(plan_changes_anything(&plan));
	arena_free(arena);
}
