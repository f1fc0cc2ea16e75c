/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/io.h"

#include "controller/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int io_read_file(const char *path, size_t ceiling, char **ret_data, size_t *ret_len,
		 struct error *err)
{
	/* NONBLOCK: opening a fifo somebody left there must not hang. */
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, "%s: not a regular file", path);
	if ((uint64_t)st.st_size > ceiling)
		return error_set(err, ERROR_INVALID, "%s: %lld bytes, at most %zu are allowed",
				 path, (long long)st.st_size, ceiling);
	size_t room = (size_t)st.st_size + 1, len = 0;
	CLEANUP(cleanup_free) char *data = xmalloc(room + 1);
	for (;;) {
		ssize_t n = read(fd, data + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "%s", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > ceiling)
			return error_set(err, ERROR_INVALID, "%s: more than the %zu bytes allowed",
					 path, ceiling);
		if (len == room) {
			room *= 2;
			data = xrealloc(data, room + 1);
		}
	}
	data[len] = '\0';
	*ret_data = TAKE(data);
	*ret_len = len;
	return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_directory_of(const char *path)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(path);
	CLEANUP(cleanup_close) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

int io_write_file(const char *path, mode_t mode, const void *data, size_t len, struct error *err)
{
	CLEANUP(cleanup_free) char *temporary = xasprintf("%s.XXXXXX", path);
	CLEANUP(cleanup_close) int fd = mkostemp(temporary, O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, errno, "create %s", temporary);
	if (fchmod(fd, mode) < 0 || io_write_all(fd, data, len) < 0 || fsync(fd) < 0 ||
	    rename(temporary, path) < 0) {
		int saved = errno;
		unlink(temporary);
		return error_errno(err, saved, "write %s", path);
	}
	if (sync_directory_of(path) < 0)
		return error_errno(err, errno, "sync the directory of %s", path);
	return 0;
}

int io_make_dirs(const char *path, mode_t mode, struct error *err)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return error_errno(err, errno, "make directory %s", copy);
		*p = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST)
		return error_errno(err, errno, "make directory %s", copy);
	return 0;
}

int64_t io_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
