/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backup's archive: a tar stream compressed with Zstandard (RFC 8878), written so that a crash
 * leaves nothing or a whole file, and read back.
 */
#pragma once

#include "controller/base/error.h"
#include "controller/base/sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct archive_writer;
struct archive_reader;

struct archive_info {
	int64_t plain_bytes, stored_bytes;
	char sha256[SHA256_HEX]; /* of the stored file */
	bool ended; /* the stream closed with tar's end-of-archive blocks (POSIX pax, ustar) */
};

/* Starts PATH.partial, mode 0600. An older one of that name is written over. */
MUST_CHECK int archive_create(const char *path, struct archive_writer **ret_writer,
			      struct error *err);
MUST_CHECK int archive_write(struct archive_writer *writer, const void *data, size_t len,
			     struct error *err);
/* Ends the stream, fsyncs, renames to PATH, fsyncs the directory; frees the writer either way.
 * On failure nothing is left. */
MUST_CHECK int archive_commit(struct archive_writer *writer, struct archive_info *ret_info,
			      struct error *err);
/* Removes what was written. NULL is allowed. */
void archive_abort(struct archive_writer *writer);

MUST_CHECK int archive_open(const char *path, struct archive_reader **ret_reader,
			    struct error *err);
/* Plain tar bytes; 0 at the end, -1 on error. */
ssize_t archive_read(struct archive_reader *reader, void *buf, size_t room, struct error *err);
void archive_close(struct archive_reader *reader);

/* SHA-256 of a file's bytes as they lie there. */
MUST_CHECK int archive_digest(const char *path, char ret_hex[SHA256_HEX], struct error *err);
