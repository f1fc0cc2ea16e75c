/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in a tar stream: a line of JSON for each entry, with the SHA-256 of each file. It lies
 * beside the archive, and a restored volume is compared with it entry by entry.
 *
 * Paths are relative to the volume, without the "volume/" of the stream; bytes that are not
 * printable UTF-8, and '%', stand as %XX. Modification times are whole seconds (the engine's
 * archives carry no more), and are left out for directories, which a restore touches. Of extended
 * attributes an engine's stream carries security.capability alone.
 */
#pragma once

#include "controller/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct listing {
	char **lines; /* sorted */
	size_t count, room;
	size_t files;  /* regular files among them */
	int64_t bytes; /* in regular files */
};

/* A source of plain tar bytes: fills buf, 0 at the end, -1 with *err. */
typedef ssize_t (*listing_source)(void *ctx, void *buf, size_t room, struct error *err);

/* Whether a stream came to its end: tar closes with two blocks of zeros (POSIX pax, ustar). */
struct tar_tail {
	size_t zeros; /* length of the run of zeros that it ends with so far */
};
void tar_tail_add(struct tar_tail *tail, const char *data, size_t len);
bool tar_tail_ended(const struct tar_tail *tail);

void listing_done(struct listing *listing);

/* Reads the stream to its end. ERROR_INVALID when it is no whole tar. */
MUST_CHECK int listing_read(listing_source source, void *ctx, struct listing *ret_listing,
			    struct error *err);
MUST_CHECK int listing_save(const struct listing *listing, const char *path, struct error *err);
MUST_CHECK int listing_load(const char *path, struct listing *ret_listing, struct error *err);
/* ERROR_REMOTE naming the first entry that is missing, extra or different. what: that it is
 * compared with, "the backup". */
MUST_CHECK int listing_compare(const struct listing *expected, const struct listing *found,
			       const char *what, struct error *err);
