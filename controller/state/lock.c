/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"

/* Who wrote itself into the file: for people only, flock(2) decides. */
static void read_owner(int fd, char *text, size_t size)
{
	ssize_t len = pread(fd, text, size - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	text[strspn(text, "0123456789")] = '\0';
}

/* The directory of a user without a home, one that belongs to root, a disk that is read-only. */
static int open_lock(const char *dir, const char *path, struct error *err)
{
	int fd = -1;

	if (io_make_dirs(dir, 0700, err) == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			error_errno(err, errno, "open %s", path);
	}
	return fd < 0 ? error_hint(err, "see to whom the directory belongs, or name another place "
					"with --state")
		      : fd;
}

int lock_take(const char *dir, int *ret_fd, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/controller.lock", dir);
	CLEANUP(cleanup_close) int fd = open_lock(dir, path, err);
	char owner[24];

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, errno, "lock %s", path);
		read_owner(fd, owner, sizeof(owner));
		error_set(err, ERROR_REFUSED, "another drey is at work: %s is held by pid %s", path,
			  *owner ? owner : "(unknown)");
		return error_hint(
			err, "wait for it, or stop it; only for other hosts another --state DIR "
			     "is right");
	}
	/* A disk that is full leaves the file empty, and the lock as good as ever. */
	int len = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, owner, (size_t)len, 0);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int lock_take_host(const char *dir, const char *host, bool exclusive, int wait_ms, int *ret_fd,
		   struct error *err)
{
	enum { AGAIN_MS = 50 };
	CLEANUP(cleanup_free) char *path = xasprintf("%s/host-%s.lock", dir, host);
	CLEANUP(cleanup_close) int fd = open_lock(dir, path, err);
	int64_t until_ms = io_now_ms() + wait_ms;

	if (fd < 0)
		return -1;
	while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, errno, "lock %s", path);
		if (io_now_ms() >= until_ms)
			return error_set(err, ERROR_CONFLICT,
					 exclusive
						 ? "drey is changing containers on this host just "
						   "now; try again when it has ended"
						 : "a backup holds containers of this host still; "
						   "nothing is changed until it has ended");
		poll(NULL, 0, AGAIN_MS);
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}
