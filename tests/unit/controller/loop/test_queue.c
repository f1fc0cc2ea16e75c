/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "controller/loop/backoff.h"
#include "controller/loop/queue.h"

static struct queue *make(void)
{
	return queue_new(1000, 60000, 7);
}

Test(queue, asking_twice_is_asking_once)
{
	struct queue *queue = make();
	size_t taken;

	queue_add(queue, "h1", 100);
	queue_add(queue, "h1", 50);
	queue_add(queue, "h1", 200);
	cr_assert_eq(queue_count(queue, &taken), 1);
	cr_assert_eq(queue_wait(queue, 10), 40);
	cr_assert_null(queue_take(queue, 49));
	cr_assert_str_eq(queue_take(queue, 50), "h1");
	cr_assert_null(queue_take(queue, 1000));
	queue_free(queue);
}

Test(queue, nothing_is_lost_that_is_asked_while_it_is_taken)
{
	struct queue *queue = make();

	queue_add(queue, "h1", 0);
	queue_take(queue, 0);
	queue_add(queue, "h1", 5);
	cr_assert_eq(queue_wait(queue, 5), -1, "one look at a time");
	queue_done(queue, "h1", true, 10, 300000, 0);
	cr_assert_eq(queue_wait(queue, 10), 0);
	cr_assert_str_eq(queue_take(queue, 10), "h1");
	queue_done(queue, "h1", true, 20, 300000, 0);
	cr_assert_eq(queue_wait(queue, 20), 299980, "asked for once more, done once more");
	queue_free(queue);
}

Test(queue, slow_ones_do_not_take_every_place)
{
	struct queue *queue = make();

	queue_limit_slow(queue, 1);
	queue_add(queue, "dead1", 0);
	queue_add(queue, "dead2", 0);
	queue_set_slow(queue, "dead1", true);
	queue_set_slow(queue, "dead2", true);
	cr_assert_str_eq(queue_take(queue, 0), "dead1");
	cr_assert_null(queue_take(queue, 0));
	cr_assert_eq(queue_wait(queue, 0), -1, "not before the first is done");
	queue_add(queue, "live", 5);
	cr_assert_eq(queue_wait(queue, 0), 5);
	cr_assert_str_eq(queue_take(queue, 5), "live");
	queue_done(queue, "live", true, 6, 300000, 0);
	/* It answers after all, and is quick from now on. */
	queue_set_slow(queue, "dead1", false);
	cr_assert_null(queue_take(queue, 10));
	queue_done(queue, "dead1", false, 10, 300000, 0);
	cr_assert_eq(queue_wait(queue, 10), 0);
	cr_assert_str_eq(queue_take(queue, 10), "dead2");
	queue_set_slow(queue, "dead2", false);
	queue_done(queue, "dead2", true, 11, 11, 0);
	queue_add(queue, "dead3", 11);
	queue_set_slow(queue, "dead3", true);
	cr_assert_str_eq(queue_take(queue, 11), "dead2");
	cr_assert_str_eq(queue_take(queue, 11), "dead3");
	queue_free(queue);
}

Test(queue, a_gap_holds_looks_apart)
{
	struct queue *queue = make();

	queue_add(queue, "h1", 0);
	queue_take(queue, 0);
	queue_add(queue, "h1", 1);
	queue_done(queue, "h1", true, 10, 300000, 50);
	cr_assert_eq(queue_wait(queue, 10), 50);
	cr_assert_not_null(queue_take(queue, 60));
	queue_done(queue, "h1", true, 70, 300000, 50);
	queue_add(queue, "h1", 71);
	cr_assert_eq(queue_wait(queue, 71), 49);
	queue_add(queue, "h1", 500);
	cr_assert_eq(queue_wait(queue, 200), 0, "after the gap at once");
	queue_free(queue);
}

Test(queue, failures_wait_longer_each_time_and_events_do_not_shorten_it)
{
	struct queue *queue = make();
	int64_t now = 0, ceiling = 1000;

	queue_add(queue, "h1", 0);
	for (int i = 0; i < 12; i++) {
		int64_t wait;

		cr_assert_str_eq(queue_take(queue, now), "h1");
		wait = queue_done(queue, "h1", false, now, now + 300000, 50);
		cr_assert_geq(wait, ceiling / 2);
		cr_assert_leq(wait, ceiling);
		queue_add(queue, "h1", now);
		cr_assert_eq(queue_wait(queue, now), wait);
		now += wait;
		ceiling = ceiling * 2 > 60000 ? 60000 : ceiling * 2;
	}
	queue_take(queue, now);
	cr_assert_eq(queue_done(queue, "h1", true, now, now + 300000, 50), 0);
	queue_add(queue, "h1", now + 50);
	queue_take(queue, now + 50);
	cr_assert_leq(queue_done(queue, "h1", false, now, 0, 0), 1000, "success forgets");
	queue_free(queue);
}

Test(queue, a_change_ends_the_back_off)
{
	struct queue *queue = make();

	queue_add(queue, "h1", 0);
	queue_take(queue, 0);
	queue_done(queue, "h1", false, 0, 300000, 0);
	queue_hurry(queue, "h1", 10);
	cr_assert_str_eq(queue_take(queue, 10), "h1");
	queue_hurry(queue, "h1", 11);
	cr_assert_eq(queue_done(queue, "h1", false, 20, 300000, 0), 0);
	cr_assert_eq(queue_wait(queue, 20), 0, "failed with what held before the change");
	queue_free(queue);
}

Test(queue, a_host_that_never_rests_does_not_starve_the_others)
{
	struct queue *queue = make();
	unsigned quiet = 0, busy = 0;

	for (int64_t now = 0; now < 1000; now++) {
		const char *key;

		queue_add(queue, "busy", now);
		if (now % 10 == 0) {
			queue_add(queue, "quiet-1", now);
			queue_add(queue, "quiet-2", now);
		}
		key = queue_take(queue, now);
		if (!key)
			continue;
		if (key[0] == 'q')
			quiet++;
		else
			busy++;
		queue_done(queue, key, true, now, INT64_MAX, 0);
	}
	cr_assert_eq(quiet, 200);
	cr_assert_eq(busy, 800);
	queue_free(queue);
}

Test(queue, removed_entries_are_gone_even_those_taken)
{
	struct queue *queue = make();
	const char *key;
	size_t taken;

	queue_add(queue, "h1", 0);
	queue_add(queue, "h2", 0);
	key = queue_take(queue, 0);
	queue_remove(queue, "h1");
	queue_remove(queue, "h2");
	cr_assert_eq(queue_count(queue, &taken), 1);
	cr_assert_eq(taken, 1);
	queue_done(queue, key, true, 1, 1, 0);
	cr_assert_eq(queue_count(queue, &taken), 0);
	cr_assert_eq(queue_wait(queue, 1), -1);
	queue_free(queue);
}

Test(backoff, chance_stays_within_its_bounds_and_moves)
{
	struct backoff backoff;
	int64_t least = INT64_MAX, most = 0;

	backoff_init(&backoff, 1000, 60000, 0);
	for (int i = 0; i < 2000; i++) {
		int64_t span = backoff_jitter(&backoff, 300000);

		least = span < least ? span : least;
		most = span > most ? span : most;
	}
	cr_assert_geq(least, 270000);
	cr_assert_leq(most, 330000);
	cr_assert_gt(most - least, 50000);
	cr_assert_eq(backoff_spread(&backoff, 0), 0);
}
