/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which Backup document stands for a volume. Pure. */
#pragma once

#include "reconcilers/reconciler.h"

/* The Backup document that lists a Volume; NULL: none does. */
const struct resource *backup_of_volume(const struct manifest_set *set, const char *volume);

/* The Volume document behind an engine's volume on the pass's host; NULL: none is. */
const char *backup_volume_name(const struct pass *pass, const char *engine_volume);

/* Is it an earlier generation of a Volume? Then it stays on the host whatever happens to its users,
 * and holds no data that could be lost. */
bool backup_is_kept(const struct pass *pass, const char *engine_volume);

/*
 * What a backup before a change of `object` would want: a Backup document for the volume, or for
 * each volume that the container mounts and that is not kept. ERROR_REFUSED names the one that
 * has none. `resource` is the object's document.
 */
MUST_CHECK int backup_require(const struct pass *pass, const struct resource *resource,
			      const struct object *object, struct error *err);
