/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single files as tar streams: written as POSIX ustar, with pax headers where a field is too small,
 * and read in whatever form of tar.
 *
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
#pragma once

#include "controller/base/str.h"

#include <stdint.h>

struct tar_file {
	const char *path; /* relative, at least one byte */
	unsigned mode;	  /* permissions alone */
	int64_t uid, gid, mtime;
	const char *data; /* NULL after reading: the stream held no whole content */
	int64_t size;
};

void tar_append(struct str *out, const struct tar_file *file);
void tar_end(struct str *out);

enum tar_entry {
	TAR_FILE,
	TAR_OTHER,   /* a directory, a link, a device */
	TAR_INVALID, /* no tar at all, or one that ends within its first header */
};

/* The first entry of a stream, which may be cut. *ret_file (for TAR_FILE; without its path): data
 * is at most max bytes, free(3) it; of what is larger there is the size alone. */
enum tar_entry tar_read(const char *data, size_t len, size_t max, struct tar_file *ret_file);
