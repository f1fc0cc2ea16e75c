/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and directories: read whole with a ceiling, write so that a crash leaves old or new. */
#pragma once

#include "controller/base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a regular file of at most `ceiling` bytes. *ret_data (free(3) it) ends with an
 * extra NUL. ERROR_INVALID when larger or not a regular file. */
MUST_CHECK int io_read_file(const char *path, size_t ceiling, char **ret_data, size_t *ret_len,
			    struct error *err);

/* Writes a temporary file beside `path`, fsyncs, renames, fsyncs the directory. */
MUST_CHECK int io_write_file(const char *path, mode_t mode, const void *data, size_t len,
			     struct error *err);

/* Makes a directory and its missing parents. */
MUST_CHECK int io_make_dirs(const char *path, mode_t mode, struct error *err);

/* write(2) until all is written; -1 with errno set. */
MUST_CHECK int io_write_all(int fd, const void *data, size_t len);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t io_now_ms(void);
