/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/store.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_MAX = 1024 * 1024, RECORDS_MAX = 100000 };

const char *store_new_id(struct arena *arena)
{
	struct timespec now;
	uint16_t random = 0;
	struct tm tm;
	char stamp[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	/* Which is the newer of two in one second matters to who restores the newest. 2 bytes are
	 * always there to be had. */
	uint32_t fraction = (uint32_t)(((uint64_t)now.tv_nsec << 16) / 1000000000);
	ssize_t ignored = getrandom(&random, sizeof(random), 0);
	(void)ignored;
	return arena_printf(arena, "%s-%04x%04x", stamp, fraction, random);
}

const char *store_time(struct arena *arena, const char *id)
{
	/* The ID is the basic form of ISO 8601. */
	return arena_printf(arena, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.000Z", id, id + 4, id + 6, id + 9,
			    id + 11, id + 13);
}

static const char *directory(struct arena *arena, const struct store_place *place)
{
	return arena_printf(arena, "%s/%s/%s/%s", place->dir, place->project, place->host,
			    place->volume);
}

const char *store_path(struct arena *arena, const struct store_place *place, const char *id,
		       const char *suffix)
{
	return arena_printf(arena, "%s/%s%s", directory(arena, place), id, suffix);
}

int store_lock(const struct store_place *place, int *ret_fd, struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	const char *dir = directory(arena, place);

	if (io_make_dirs(dir, 0700, err) < 0)
		return -1;
	CLEANUP(cleanup_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "open %s", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return error_set(err, ERROR_CONFLICT,
					 "another drey is at work on the backups in %s", dir);
		return error_errno(err, errno, "lock %s", dir);
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* "20260131T235959Z-1a2b3c4d": nothing else in the directory is drey's to remove. */
static bool has_id(const char *name)
{
	static const char shape[] = "ddddddddTddddddZ-xxxxxxxx";

	for (size_t i = 0; shape[i]; i++) {
		bool good = shape[i] == 'd'   ? isdigit((unsigned char)name[i])
			    : shape[i] == 'x' ? isxdigit((unsigned char)name[i])
					      : name[i] == shape[i];

		if (!good)
			return false;
	}
	return true;
}

/* Removes what stands in the directory under a backup's ID, and is rubbish. */
static void sweep(const struct store_place *place, const char *id,
		  bool (*is_rubbish)(const char *dir, const char *name, const char *id))
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	const char *dir = directory(arena, place);
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, NULL, NULL);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (has_id(name) && is_rubbish(dir, name, id))
			unlink(arena_printf(arena, "%s/%s", dir, name));
		free(entries[i]);
	}
	free(entries);
}

static bool is_begun(const char *dir, const char *name, const char *id)
{
	(void)dir;
	(void)id;
	return str_has_suffix(name, ".tar.zst.partial");
}

void store_sweep(const struct store_place *place)
{
	sweep(place, NULL, is_begun);
}

static bool is_orphan(const char *dir, const char *name, const char *id)
{
	CLEANUP(cleanup_free)
	char *record = xasprintf("%s/%.*s.json", dir, (int)strlen(id), name);

	return (str_has_suffix(name, ".tar.zst") || str_has_suffix(name, ".files.jsonl")) &&
	       strncmp(name, id, strlen(id)) < 0 && access(record, F_OK) < 0 && errno == ENOENT;
}

void store_sweep_older(const struct store_place *place, const char *id)
{
	sweep(place, id, is_orphan);
}

int store_put(const struct store_place *place, const char *id, const json_t *record,
	      struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *text = json_dumps(record, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	if (!text)
		return error_set(err, ERROR_SYSTEM, "the backup's record can't be written as JSON");
	return io_write_file(store_path(arena, place, id, ".json"), 0600, text, strlen(text), err);
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*b)->d_name, (*a)->d_name);
}

static int is_record(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_has_suffix(entry->d_name, ".json");
}

json_t *store_list(const struct store_place *place, size_t *ret_damaged)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	const char *dir = directory(arena, place);
	json_t *records = json_array();
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, is_record, newest_first);

	*ret_damaged = 0;
	for (int i = 0; i < count; i++) {
		CLEANUP(cleanup_free) char *text = NULL;
		struct error ignored = ERROR_INIT;
		size_t len;
		json_t *record = NULL;

		if (i < RECORDS_MAX &&
		    io_read_file(arena_printf(arena, "%s/%s", dir, entries[i]->d_name), RECORD_MAX,
				 &text, &len, &ignored) == 0)
			record = json_loadb(text, len, 0, NULL);
		if (json_is_string(json_object_get(record, "id")))
			json_array_append(records, record);
		else
			(*ret_damaged)++;
		json_decref(record);
		free(entries[i]);
	}
	free(entries);
	return records;
}
