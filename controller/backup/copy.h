/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one volume of a host into another: an engine's tar stream out of one helper into the other,
 * in bounded memory. */
#pragma once

#include "controller/backup/helper.h"
#include "controller/backup/listing.h"
#include "reconcilers/reconciler.h"

/*
 * Both are at work at once: `to` through a connection of its own. *ret_listing: what came out of
 * `from`. ERROR_CANCELLED when the pass is to end.
 */
MUST_CHECK int copy_volume(struct pass *pass, const char *resource, struct helper *from,
			   struct helper *to, struct listing *ret_listing, struct error *err);
