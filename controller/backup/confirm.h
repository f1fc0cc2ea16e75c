/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes that a restore or a migration has left behind, and that somebody no longer needs. */
#pragma once

#include "reconcilers/reconciler.h"

/* The generations of a Volume but the one that serves it: earlier ones, and such as were never
 * filled to their end. An array in the pass's arena. None where nothing serves it. */
const struct object **volume_past(struct pass *pass, const struct resource *volume,
				  size_t *ret_count);
/* ERROR_REFUSED names a container that still mounts it; nothing is removed then. A helper of a run
 * that died is none. */
MUST_CHECK int volume_remove_past(struct pass *pass, const struct object *volume,
				  struct error *err);
