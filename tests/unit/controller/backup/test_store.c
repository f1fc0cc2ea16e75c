/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "controller/backup/store.h"

TestSuite(store);

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return time;
}

/* Restoring takes the newest. */
Test(store, backups_of_one_second_sort_by_time)
{
	struct arena *arena = arena_new();
	const char *last = store_new_id(arena);

	for (int i = 0; i < 200; i++) {
		struct timespec begin = now(), later = begin;

		/* As much as the ID can tell. */
		while (later.tv_sec == begin.tv_sec && later.tv_nsec < begin.tv_nsec + 20000)
			later = now();
		const char *id = store_new_id(arena);
		cr_assert_lt(strcmp(last, id), 0, "%s, then %s", last, id);
		cr_assert_eq(strlen(id), strlen("20260131T235959Z-1a2b3c4d"));
		last = id;
	}
	arena_free(arena);
}

Test(store, the_time_is_read_from_the_id)
{
	struct arena *arena = arena_new();

	cr_expect_str_eq(store_time(arena, "20260131T235958Z-1a2b3c4d"),
			 "2026-01-31T23:59:58.000Z");
	arena_free(arena);
}
