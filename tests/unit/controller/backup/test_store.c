/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/backup/store.h"
#include "controller/base/io.h"

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

/* A run that is killed between archive and record leaves what is no backup. It goes once there is a
 * newer one, and not before; what drey did not put there stays. */
Test(store, archives_without_a_record_go_when_there_is_a_newer_backup)
{
	static const struct {
		const char *name;
		bool stays;
	} files[] = {
		{ "20260101T000000Z-00000001.tar.zst", false },
		{ "20260101T000000Z-00000001.files.jsonl", false },
		{ "20260101T000000Z-00000002.tar.zst", true },
		{ "20260101T000000Z-00000002.files.jsonl", true },
		{ "20260101T000000Z-00000002.json", true },
		{ "20260103T000000Z-00000001.tar.zst", true },
		{ "notes.tar.zst", true },
	};
	struct arena *arena = arena_new();
	char dir[] = "/tmp/drey-store-XXXXXX";
	struct store_place place = { mkdtemp(dir), "p", "h", "v" };
	const char *volume = arena_printf(arena, "%s/p/h/v", dir);
	struct error err = ERROR_INIT;

	cr_assert_eq(io_make_dirs(volume, 0700, &err), 0, "%s", err.text);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		cr_assert_eq(io_write_file(arena_printf(arena, "%s/%s", volume, files[i].name),
					   0600, "x", 1, &err),
			     0, "%s", err.text);
	store_sweep_older(&place, "20260102T000000Z-00000001");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const char *path = arena_printf(arena, "%s/%s", volume, files[i].name);

		cr_expect_eq(access(path, F_OK) == 0, files[i].stays, "%s", files[i].name);
		unlink(path);
	}
	cr_expect_eq(rmdir(volume), 0);
	cr_expect_eq(rmdir(arena_printf(arena, "%s/p/h", dir)), 0);
	cr_expect_eq(rmdir(arena_printf(arena, "%s/p", dir)), 0);
	cr_expect_eq(rmdir(dir), 0);
	arena_free(arena);
}
