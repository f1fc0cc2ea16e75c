/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring. A volume can't be renamed and must not be written over, so a backup goes into a new
 * generation (NAME.2). A crash at any point leaves the old generation in use and things that the
 * next restore removes.
 */
#include "controller/backup/archive.h"
#include "controller/backup/backup.h"
#include "controller/backup/generation.h"
#include "controller/backup/store.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"

#include <string.h>

struct restore {
	struct pass *pass;
	const struct resource *volume;
	struct store_place place;
	const char *id;
	struct arena *arena;
	struct listing listing; /* of the backup */
	struct generation generation;
};

struct unpacking {
	const struct pass_hooks *hooks;
	struct archive_reader *reader;
};

static ssize_t unpack(void *ctx, char *buf, size_t room, struct error *err)
{
	const struct unpacking *unpacking = ctx;
	const struct pass_hooks *hooks = unpacking->hooks;

	if (hooks->cancelled && hooks->cancelled(hooks->ctx))
		return error_set(err, ERROR_CANCELLED, "interrupted");
	return archive_read(unpacking->reader, buf, room, err);
}

static int fill(struct restore *restore, struct helper *helper, struct error *err)
{
	const char *path = store_path(restore->arena, &restore->place, restore->id, ".tar.zst");
	struct unpacking unpacking = { .hooks = &restore->pass->hooks };
	struct listing found;

	if (archive_open(path, &unpacking.reader, err) < 0)
		return -1;
	int rc = helper_write(helper, NULL, unpack, &unpacking, err);
	archive_close(unpacking.reader);
	if (rc < 0)
		return error_wrap(err, "unpack %s into %s", path, restore->generation.name);
	if (generation_list(helper, &found, err) < 0)
		return -1;
	rc = listing_compare(&restore->listing, &found, "the backup", err);
	listing_done(&found);
	return rc < 0 ? error_wrap(err, "the restored volume %s", restore->generation.name) : 0;
}

static int into_generation(struct restore *restore, struct error *err)
{
	const struct generation *generation = &restore->generation;
	struct error closing = ERROR_INIT;
	struct helper *helper;

	if (generation_open(generation, restore->pass->engine, &helper, err) < 0)
		return -1;
	int rc = fill(restore, helper, err);
	if (rc == 0)
		rc = generation_mark(generation, NULL, err);
	/* A helper that stays takes nothing from a whole generation: the next restore removes it.
	 */
	if (helper_close(helper, &closing) < 0)
		log_debug(restore->pass->log, "%s", closing.text);
	if (rc < 0)
		generation_drop(generation);
	return rc;
}

static int prepare(struct restore *restore, const json_t *record, struct error *err)
{
	const char *expected = json_string_value(json_object_get(record, "sha256"));
	char digest[SHA256_HEX];

	if (archive_digest(store_path(restore->arena, &restore->place, restore->id, ".tar.zst"),
			   digest, err) < 0)
		return -1;
	if (!str_eq(expected, digest))
		return error_set(err, ERROR_INVALID,
				 "backup %s is damaged: its archive no longer has the SHA-256 of "
				 "its record; restore another",
				 restore->id);
	if (listing_load(store_path(restore->arena, &restore->place, restore->id, ".files.jsonl"),
			 &restore->listing, err) < 0)
		return -1;
	return generation_prepare(&restore->generation, restore->pass, restore->volume, err);
}

int backup_restore(struct pass *pass, const struct resource *backup, const struct resource *volume,
		   const json_t *record, const char **ret_generation, struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct restore restore = {
		.pass = pass,
		.volume = volume,
		.place = { .dir = resource_string(backup, "directory"),
			   .project = pass->project,
			   .host = json_string_value(json_object_get(record, "host")),
			   .volume = json_string_value(json_object_get(record, "volume")) },
		.id = json_string_value(json_object_get(record, "id")),
		.arena = arena,
	};
	int rc;

	if (!restore.place.host || !restore.place.volume || !restore.id ||
	    strchr(restore.id, '/') || strchr(restore.place.host, '/') ||
	    strchr(restore.place.volume, '/'))
		return error_set(err, ERROR_INVALID, "the backup's record is damaged");
	rc = prepare(&restore, record, err);
	if (rc == 0)
		rc = into_generation(&restore, err);
	if (rc == 0)
		*ret_generation = restore.generation.name;
	else
		error_wrap(err, "restore Volume/%s@%s from %s", volume->name,
			   pass->desired->host->name, restore.id);
	generation_done(&restore.generation);
	listing_done(&restore.listing);
	return rc;
}
