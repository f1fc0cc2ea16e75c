/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "controller/loop/hash.h"
#include "controller/loop/stall.h"

static const char web[] = "Container/web";

/* Asks as often as it takes to be allowed, and tells how it went; returns the time of it. */
static int64_t try_once(struct stall *stall, const char *digest, uint64_t difference,
			enum stall_outcome outcome, int64_t now)
{
	int64_t wait = 0;
	enum stall_answer answer = stall_ask(stall, web, digest, difference, now, &wait);

	if (answer == STALL_WAIT) {
		now += wait;
		answer = stall_ask(stall, web, digest, difference, now, &wait);
	}
	cr_assert_eq(answer, STALL_GO);
	stall_tell(stall, web, outcome, "CreateFailed", "port taken", now);
	return now;
}

static enum stall_answer answer_at(struct stall *stall, const char *digest, uint64_t difference,
				   int64_t now)
{
	int64_t wait;

	return stall_ask(stall, web, digest, difference, now, &wait);
}

Test(stall, three_failures_of_one_difference_are_enough)
{
	struct stall *stall = stall_new(7);
	struct stall_entry entry;
	int64_t now = 0, before = 0;

	for (int i = 0; i < STALL_TRIES; i++) {
		before = now;
		now = try_once(stall, "d1", 1, STALL_FAILED, now);
	}
	cr_assert_geq(now - before, STALL_BASE_MS, "ever more rarely");
	cr_assert(stall_get(stall, web, &entry));
	cr_assert(entry.stalled);
	cr_assert_str_eq(entry.reason, "CreateFailed");
	cr_assert_str_eq(entry.message, "port taken");
	cr_assert_eq(answer_at(stall, "d1", 1, now + 1000000000), STALL_STOP);
	stall_free(stall);
}

Test(stall, a_new_manifest_or_a_changed_host_is_tried)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0;

	for (int i = 0; i < STALL_TRIES; i++)
		now = try_once(stall, "d1", 1, STALL_FAILED, now);
	cr_assert_eq(answer_at(stall, "d2", 1, now), STALL_GO);
	stall_keep(stall, web, now);
	for (int i = 0; i < STALL_TRIES; i++)
		now = try_once(stall, "d2", 1, STALL_FAILED, now);
	cr_assert_eq(answer_at(stall, "d2", 1, now), STALL_STOP);
	cr_assert_eq(answer_at(stall, "d2", 2, now), STALL_GO, "somebody has changed it");
	stall_free(stall);
}

Test(stall, what_passes_by_itself_is_tried_for_ever)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0, before = 0;

	for (int i = 0; i < 50; i++) {
		before = now;
		now = try_once(stall, "d1", 1, STALL_PASSES, now);
	}
	cr_assert_leq(now - before, STALL_MAX_MS);
	cr_assert_geq(now - before, STALL_MAX_MS / 2);
	stall_free(stall);
}

Test(stall, a_replacement_that_was_begun_is_tried_once)
{
	struct stall *stall = stall_new(7);

	try_once(stall, "d1", 1, STALL_FINAL, 0);
	cr_assert_eq(answer_at(stall, "d1", 1, 1000000000), STALL_STOP);
	stall_free(stall);
}

Test(stall, what_seems_done_and_comes_back_is_no_endless_loop)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0;

	for (int i = 0; i < STALL_TRIES; i++)
		now = try_once(stall, "d1", 1, STALL_DONE, now);
	cr_assert_eq(answer_at(stall, "d1", 1, now + 1000000000), STALL_STOP);
	stall_free(stall);
}

Test(stall, two_differences_that_take_turns_are_no_endless_loop_either)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0, wait;
	int tries = 0;

	/* Created, but it does not start; started, it fails and is removed; created ... */
	while (tries < 100) {
		uint64_t difference = 1 + (uint64_t)tries % 2;
		enum stall_answer answer = stall_ask(stall, web, "d1", difference, now, &wait);

		if (answer == STALL_STOP)
			break;
		if (answer == STALL_WAIT) {
			now += wait;
			continue;
		}
		stall_tell(stall, web, STALL_FAILED, "r", "m", now);
		tries++;
	}
	cr_assert_leq(tries, 2 * STALL_TRIES);
	stall_free(stall);
}

Test(stall, in_step_forgets)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0;

	for (int i = 0; i < 20; i++) {
		now = try_once(stall, "d1", 1, STALL_DONE, now);
		stall_keep(stall, web, now);
		/* No look of the time between. */
		now += STALL_LASTED_MS + (i % 2);
	}
	cr_assert_eq(answer_at(stall, "d1", 1, now), STALL_GO, "stopped twenty times by a person");
	stall_free(stall);
}

/* A container that ends by itself after a moment; a second drey that wants something else. */
Test(stall, what_is_in_step_for_a_moment_only_is_no_endless_loop)
{
	struct stall *stall = stall_new(7);
	struct stall_entry entry;
	int64_t now = 0, before, longest = 0, wait;
	int tries = 0;

	for (; tries < 100; tries++) {
		enum stall_answer answer = stall_ask(stall, web, "d1", 5, now, &wait);

		before = now;
		now += wait;
		longest = now - before > longest ? now - before : longest;
		if (answer == STALL_WAIT)
			answer = answer_at(stall, "d1", 5, now);
		if (answer == STALL_STOP)
			break;
		cr_assert_eq(answer, STALL_GO);
		stall_tell(stall, web, STALL_DONE, "ComesBack", "it came back", now);
		stall_keep(stall, web, now + 100);
		stall_sweep(stall);
		stall_keep(stall, web, now + 4000);
		now += 5000;
	}
	cr_assert_eq(tries, STALL_RELAPSES);
	cr_assert_geq(longest, 8 * STALL_BASE_MS, "ever more rarely");
	cr_assert_eq(answer_at(stall, "d1", 5, now + 1000000000), STALL_STOP);
	cr_assert(stall_get(stall, web, &entry));
	cr_assert_str_eq(entry.message, "it came back");
	/* Somebody has seen to it. */
	stall_keep(stall, web, now);
	cr_assert_eq(answer_at(stall, "d1", 1, now + 1), STALL_GO);
	stall_free(stall);
}

/* Renamed by somebody, to another name each time. */
Test(stall, what_is_another_difference_each_time_is_put_right_each_time)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0, wait;

	for (uint64_t i = 1; i <= 30; i++) {
		cr_assert_eq(stall_ask(stall, web, "d1", i, now, &wait), STALL_GO);
		stall_tell(stall, web, STALL_DONE, "ComesBack", "it came back", now);
		stall_keep(stall, web, now + 100);
		stall_sweep(stall);
		now += 2500;
	}
	stall_free(stall);
}

Test(stall, what_the_engine_puts_right_itself_counts_for_nothing)
{
	struct stall *stall = stall_new(7);
	int64_t now = 0, wait;

	for (int i = 0; i < 100; i++) {
		cr_assert_eq(stall_ask(stall, web, "d1", 1, now, &wait), STALL_GO);
		stall_keep(stall, web, now + 100);
		now += 1000;
	}
	stall_free(stall);
}

Test(stall, outlives_the_controller)
{
	struct stall *stall = stall_new(7);
	struct stall_entry entry;

	stall_restore(stall, web, "d1", "ReplaceFailed", "unhealthy");
	stall_sweep(stall);
	cr_assert_eq(answer_at(stall, "d1", 5, 0), STALL_STOP, "whatever the difference is");
	cr_assert(stall_get(stall, web, &entry));
	cr_assert_str_eq(entry.message, "unhealthy");
	cr_assert_eq(answer_at(stall, "d1", 6, 0), STALL_GO, "somebody has changed it");
	stall_restore(stall, web, "d1", "ReplaceFailed", "unhealthy");
	cr_assert_eq(answer_at(stall, "d2", 5, 0), STALL_GO, "another manifest");
	stall_free(stall);
}

Test(stall, a_sweep_forgets_what_nobody_asks_for)
{
	struct stall *stall = stall_new(7);
	struct stall_entry entry;
	int64_t wait;

	try_once(stall, "d1", 1, STALL_FINAL, 0);
	stall_ask(stall, "Container/db", "d", 1, 0, &wait);
	stall_sweep(stall);
	stall_ask(stall, web, "d1", 1, 0, &wait);
	stall_sweep(stall);
	cr_assert(stall_get(stall, web, &entry));
	cr_assert(entry.stalled);
	cr_assert_not(stall_get(stall, "Container/db", &entry));
	stall_free(stall);
}

Test(hash, texts_do_not_run_into_each_other)
{
	cr_assert_neq(hash_text(hash_text(HASH_INIT, "ab"), "c"),
		      hash_text(hash_text(HASH_INIT, "a"), "bc"));
	cr_assert_neq(hash_text(HASH_INIT, NULL), hash_text(HASH_INIT, ""));
}
