/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The next generation of a Volume, on its way: an engine volume NAME.2, NAME.3 ... that a restore
 * or a migration fills through a helper container, and that counts only once its marker says that
 * it is whole (reconcilers/volume.h). A crash at any point leaves the old generation in use.
 */
#pragma once

#include "controller/backup/helper.h"
#include "controller/backup/listing.h"
#include "reconcilers/volume.h"

struct generation {
	struct pass *pass;
	const struct resource *volume;
	const char *name; /* the engine's */
	int number;
	json_t *create; /* body that makes it */
	char uid[33];
};

/* Removes the helpers of the project that a run which died has left, and what was half filled
 * through them: of that Volume, or (NULL) of all. Only the holder of the engine's lease may: to
 * everyone else they may be at work. */
MUST_CHECK int generation_clear(struct pass *pass, const char *volume, struct error *err);

/* Removes what an earlier run that was killed has left half filled, chooses a free name above all
 * generations there are. */
MUST_CHECK int generation_prepare(struct generation *generation, struct pass *pass,
				  const struct resource *volume, struct error *err);
/* Makes the volume, and a helper on it. */
MUST_CHECK int generation_open(const struct generation *generation, struct engine *engine,
			       struct helper **ret_helper, struct error *err);
/* What is in it, read back through its helper. */
MUST_CHECK int generation_list(struct helper *helper, struct listing *ret_listing,
			       struct error *err);
/* Says for good that it is whole. labels: of the marker, besides drey's own; NULL: none. */
MUST_CHECK int generation_mark(const struct generation *generation, const json_t *labels,
			       struct error *err);
/* Removes it again, marker first; its helper must be gone. */
void generation_drop(const struct generation *generation);
/* From now on the pass sees it, as the one that serves the Volume. */
void generation_announce(const struct generation *generation);
void generation_done(struct generation *generation);
