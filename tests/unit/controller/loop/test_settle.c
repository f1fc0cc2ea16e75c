/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "controller/loop/settle.h"

static const struct kind container = { .name = "Container" }, network = { .name = "Network" };

Test(settle, a_second_for_what_was_stopped_and_for_nothing_else)
{
	struct settle *settle = settle_new();
	struct object have = { .id = "abc", .engine_name = "web" };
	struct object other = { .id = "def", .engine_name = "db" };
	struct action web = { .kind = &container, .name = "web", .have = &have };
	struct action db = { .kind = &container, .name = "db", .have = &other };
	struct action net = { .kind = &network, .name = "web" };

	cr_assert_eq(settle_left(settle, 5000, &web), 0);
	settle_note(settle, 5000, "abc", "web", "web");
	cr_assert_eq(settle_left(settle, 5000, &web), SETTLE_MS);
	cr_assert_eq(settle_left(settle, 5400, &web), SETTLE_MS - 400);
	cr_assert_eq(settle_left(settle, 5400, &db), 0);
	cr_assert_eq(settle_left(settle, 5400, &net), 0);
	cr_assert_eq(settle_left_any(settle, 5400), SETTLE_MS - 400);
	settle_note(settle, 5500, "abc", "web", "web");
	cr_assert_eq(settle_left(settle, 5500, &web), SETTLE_MS, "the last event counts");
	cr_assert_eq(settle_left(settle, 5500 + SETTLE_MS, &web), 0);
	settle_free(settle);
}

Test(settle, known_by_id_by_old_name_or_by_label)
{
	struct settle *settle = settle_new();
	struct object renamed = { .id = "abc", .engine_name = "stolen" };
	struct action by_id = { .kind = &container, .name = "w", .have = &renamed };
	struct action removed = { .kind = &container, .name = "web" };

	settle_note(settle, 0, "abc", "web", NULL);
	cr_assert_gt(settle_left(settle, 1, &by_id), 0);
	cr_assert_eq(settle_left(settle, 1, &removed), 0, "another's name proves nothing");
	settle_note(settle, 0, "xyz", "whatever", "web");
	cr_assert_gt(settle_left(settle, 1, &removed), 0);
	settle_free(settle);
}

Test(settle, more_than_can_be_remembered_is_no_reason_for_haste)
{
	struct settle *settle = settle_new();
	struct object have = { .id = "id-0", .engine_name = "c0" };
	struct action first = { .kind = &container, .name = "c0", .have = &have };

	for (int i = 0; i < 1000; i++) {
		char id[16];

		snprintf(id, sizeof(id), "id-%d", i);
		settle_note(settle, 0, id, NULL, NULL);
	}
	cr_assert_eq(settle_left(settle, 1, &first), SETTLE_MS - 1);
	cr_assert_eq(settle_left(settle, SETTLE_MS, &first), 0);
	settle_free(settle);
}

Test(settle, what_never_rests_is_not_left_alone_for_ever)
{
	struct settle *settle = settle_new();
	struct object have = { .id = "abc", .engine_name = "web" };
	struct action web = { .kind = &container, .name = "web", .have = &have };
	int64_t now = 0;

	for (; now < SETTLE_MAX_MS; now += 500) {
		settle_note(settle, now, "abc", "web", "web");
		cr_assert_gt(settle_left(settle, now, &web), 0);
	}
	settle_note(settle, now, "abc", "web", "web");
	cr_assert_eq(settle_left(settle, now, &web), 0);
	cr_assert_eq(settle_left_any(settle, now), 0);
	now += 5000;
	settle_note(settle, now, "abc", "web", "web");
	cr_assert_eq(settle_left(settle, now, &web), SETTLE_MS, "a rest begins it anew");
	settle_free(settle);
}
