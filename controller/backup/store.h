/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where backups lie: DIR/PROJECT/HOST/VOLUME/ID.tar.zst, with ID.files.jsonl (see listing.h) and
 * ID.json, the record, beside it. The record is written last: what has none is no backup. What
 * backups there are is read from the directory, never from drey's state.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/error.h"

#include <jansson.h>

struct store_place {
	const char *dir; /* of the Backup resource, absolute */
	const char *project, *host, *volume;
};

/* "20260131T235959Z-1a2b3c4d": sorts by time (four digits are the fraction of the second), unique.
 * In the arena. */
const char *store_new_id(struct arena *arena);
/* When that was, as RFC 3339 in UTC. In the arena. */
const char *store_time(struct arena *arena, const char *id);
/* DIR/PROJECT/HOST/VOLUME/ID + suffix (".tar.zst", ".files.jsonl", ".json"), in the arena. */
const char *store_path(struct arena *arena, const struct store_place *place, const char *id,
		       const char *suffix);
/* Makes the directory (0700) and locks it against other runs of the same volume: *ret_fd is
 * closed to unlock. ERROR_CONFLICT when another drey has it. */
MUST_CHECK int store_lock(const struct store_place *place, int *ret_fd, struct error *err);

/* Removes archives that a run which was killed has begun; call it under the lock. */
void store_sweep(const struct store_place *place);
/* Removes archives and lists older than a backup that is complete, which have no record: a run was
 * killed before it had verified them. Call it under the lock. */
void store_sweep_older(const struct store_place *place, const char *id);

MUST_CHECK int store_put(const struct store_place *place, const char *id, const json_t *record,
			 struct error *err);
/* Records of one volume, newest first; unreadable ones are skipped and counted. New reference. */
json_t *store_list(const struct store_place *place, size_t *ret_damaged);
