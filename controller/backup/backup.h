/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backing up a volume to the machine that runs drey, and restoring it into a new generation. */
#pragma once

#include "reconcilers/backup.h"

/*
 * Backs one Volume of the pass's host up as its Backup says: users held still, files streamed,
 * users set going, archive read back and compared. *ret_record (new reference) is the document
 * that lies beside the archive: what was verified, and what can't be. engine_volume: the
 * generation that is meant; NULL: the one that serves the Volume now.
 */
MUST_CHECK int backup_volume(struct pass *pass, const struct resource *backup, const char *volume,
			     const char *engine_volume, json_t **ret_record, struct error *err);

/*
 * struct pass_hooks.backup: backs up the volumes of a container, or one volume, before a change
 * that could cost data. ERROR_REFUSED where no Backup covers one of them. `ctx` is a
 * `struct backup_sink`, or NULL.
 */
struct backup_sink {
	void *ctx;
	/* Told of each record, on the host's thread. */
	void (*recorded)(void *ctx, const json_t *record);
};
int backup_before_change(void *ctx, struct pass *pass, const struct resource *resource,
			 const struct object *object, struct error *err);

/* Records of a Volume on a host, newest first. New reference. */
json_t *backup_records(const struct manifest_set *set, const struct resource *backup,
		       const char *host, const char *volume, size_t *ret_damaged);

/*
 * Fills a new generation of the Volume from a backup and compares every file with the backup's
 * listing. The old generation and its users are untouched; the next pass moves them over.
 * *ret_generation: the engine's name of the new one, in the pass's arena.
 */
MUST_CHECK int backup_restore(struct pass *pass, const struct resource *backup,
			      const struct resource *volume, const json_t *record,
			      const char **ret_generation, struct error *err);
