/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watches themselves, by libinotifytools: it adds them and knows which directory a watch
 * descriptor stands for. Left to it are only single directories:
 *  - its recursive walk gives up at the first file that vanishes under it, which is what a
 *    checkout does, so the walk is here;
 *  - it keeps what it knows of directories that were removed or moved, and can't drop it once
 *    the kernel has, so after such a change it is started afresh;
 *  - it has no call for its descriptor, and makes it without IN_CLOEXEC: the descriptor that is
 *    new in /proc/self/fd after inotifytools_initialize() is it;
 *  - it waits for events by select(2), which a descriptor of 1024 and above overruns (glibc
 *    aborts then), and a controller of many hosts has as many. So they are read here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotifytools.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/str.h"
#include "controller/loop/gitdir.h"
#include "controller/loop/watch_internal.h"

enum {
	TREE_EVENTS = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
		      IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK,
	WAY_EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	NAME_EVENTS = WAY_EVENTS | IN_CLOSE_WRITE,
};

enum { LINKS_MAX = 40 }; /* as the kernel's MAXSYMLINKS */

struct descriptors {
	int *items;
	size_t count, room;
};

struct walk {
	struct watch *watch;
	size_t dirs;
	struct error *err; /* the first that counts */
};

/* The inotify descriptors of this process. */
static void list_descriptors(struct descriptors *found)
{
	static const char wanted[] = "anon_inode:inotify";
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char target[64];
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (len == (ssize_t)strlen(wanted) && memcmp(target, wanted, (size_t)len) == 0)
			vec_push(found, (int)strtol(entry->d_name, NULL, 10));
	}
	if (dir)
		closedir(dir);
}

static bool has_descriptor(const struct descriptors *list, int fd)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == fd)
			return true;
	return false;
}

static int start_library(struct watch *watch, struct error *err)
{
	struct descriptors before = { 0 }, after = { 0 };
	struct epoll_event event = { .events = EPOLLIN };
	bool started;

	list_descriptors(&before);
	started = inotifytools_initialize();
	list_descriptors(&after);
	for (size_t i = 0; i < after.count; i++)
		if (!has_descriptor(&before, after.items[i]))
			watch->inotify_fd = after.items[i];
	vec_done(&before);
	vec_done(&after);
	if (!started)
		return error_errno(err, inotifytools_error(),
				   "watch %s: inotify (fs.inotify.max_user_instances is %d)",
				   watch->dir, inotifytools_get_max_user_instances());
	if (watch->inotify_fd < 0)
		return error_set(err, ERROR_SYSTEM,
				 "watch %s: no inotify descriptor in "
				 "/proc/self/fd; is /proc mounted?",
				 watch->dir);
	if (fcntl(watch->inotify_fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(watch->inotify_fd, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->inotify_fd, &event) < 0)
		return error_errno(err, errno, "watch %s", watch->dir);
	return 0;
}

static void stop_library(struct watch *watch)
{
	/* Watch descriptors begin at 1 again: what is left would be taken for something else. */
	watch->at = watch->len = 0;
	/* Closes the descriptor, by which it leaves the epoll set. */
	if (watch->inotify_fd >= 0)
		inotifytools_cleanup();
	watch->inotify_fd = -1;
	for (size_t i = 0; i < watch->git_dirs.count; i++)
		free(watch->git_dirs.items[i].path);
	watch->git_dirs.count = 0;
	for (size_t i = 0; i < watch->way.count; i++)
		free(watch->way.items[i].name);
	watch->way.count = 0;
}

/* The watch descriptor; -1: it is not there, or not for us, or the watches ran out. */
static int add(struct walk *walk, const char *path, int events)
{
	int errnum;

	if (walk->watch->inotify_fd < 0)
		return -1;
	if (inotifytools_watch_file(path, events | IN_ONLYDIR))
		return inotifytools_wd_from_filename(path);
	errnum = inotifytools_error();
	if (errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP ||
	    walk->err->code != ERROR_NONE)
		return -1;
	/* A directory that may be passed through, but not read. */
	if (errnum == EACCES && events == WAY_EVENTS)
		return -1;
	if (errnum == ENOSPC)
		return error_set(walk->err, ERROR_SYSTEM,
				 "watch %s: all watches are in use; raise "
				 "fs.inotify.max_user_watches (%d now) with sysctl(8)",
				 path, inotifytools_get_max_user_watches());
	return error_errno(walk->err, errnum, "watch %s", path);
}

static int add_once(struct walk *walk, const char *path, int events)
{
	int wd = walk->watch->inotify_fd < 0 ? -1 : inotifytools_wd_from_filename(path);

	return wd < 0 ? add(walk, path, events) : wd;
}

static void add_waypoint(struct walk *walk, const char *above, const char *name)
{
	CLEANUP(cleanup_free) char *real = realpath(above, NULL);
	CLEANUP(cleanup_free) char *dir = NULL;
	struct waypoint waypoint;

	/* One name for a directory: libinotifytools knows watches by theirs. */
	dir = real ? xasprintf("%s%s", real, str_eq(real, "/") ? "" : "/") : NULL;
	waypoint.wd = dir ? add_once(walk, dir, WAY_EVENTS) : -1;
	if (waypoint.wd < 0)
		return;
	waypoint.name = xstrdup(name);
	vec_push(&walk->watch->way, waypoint);
}

/* Every name on the way to the directory may be put in the place of another: it itself, a link
 * ("current" of a deployment), a directory above it. */
static void add_way(struct walk *walk, const char *path, int hops)
{
	for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		size_t len = strcspn(slash + 1, "/");
		CLEANUP(cleanup_free)
		char *above = xstrndup(path, (size_t)(slash - path) + 1);
		CLEANUP(cleanup_free) char *name = xstrndup(slash + 1, len);
		CLEANUP(cleanup_free) char *here = xasprintf("%s%s", above, name);
		char target[PATH_MAX];

		add_waypoint(walk, above, name);
		ssize_t target_len = readlink(here, target, sizeof(target));
		if (target_len <= 0 || target_len == sizeof(target) || hops == 0)
			continue;
		/* The rest of the way goes by where the link points. */
		CLEANUP(cleanup_free)
		char *rest = xasprintf("%s%.*s%s", target[0] == '/' ? "" : above, (int)target_len,
				       target, slash + 1 + len);
		add_way(walk, rest, hops - 1);
		return;
	}
}

static void add_git_dir(struct walk *walk, const char *dir, bool upwards)
{
	struct watch *watch = walk->watch;
	CLEANUP(cleanup_free) char *found = upwards ? gitdir_around(dir) : gitdir_at(dir);
	CLEANUP(cleanup_free) char *real = found ? realpath(found, NULL) : NULL;
	struct git_dir git_dir;

	if (!real || watch->git_dirs.count >= WATCH_GITDIRS_MAX)
		return;
	git_dir.path = xasprintf("%s/", real);
	for (size_t i = 0; i < watch->git_dirs.count; i++) {
		if (str_eq(watch->git_dirs.items[i].path, git_dir.path)) {
			free(git_dir.path);
			return;
		}
	}
	git_dir.wd = add(walk, git_dir.path, NAME_EVENTS);
	vec_push(&watch->git_dirs, git_dir);
}

static bool is_directory(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* `path` ends in '/', as libinotifytools names directories. Watched first, read second: what comes
 * in between is in the events or in the reading. */
static void add_tree(struct walk *walk, const char *path, int depth)
{
	const struct dirent *entry;
	DIR *dir;

	if (walk->dirs++ >= WATCH_DIRS_MAX || depth > WATCH_DEPTH_MAX) {
		if (walk->err->code == ERROR_NONE)
			error_set(walk->err, ERROR_INVALID,
				  "watch %s: more than %d directories, or more than %d deep", path,
				  WATCH_DIRS_MAX, WATCH_DEPTH_MAX);
		return;
	}
	if (add_once(walk, path, TREE_EVENTS) < 0)
		return;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		CLEANUP(cleanup_free) char *below = NULL;

		if (str_eq(entry->d_name, ".git"))
			add_git_dir(walk, path, false);
		if (entry->d_name[0] == '.' || !is_directory(dirfd(dir), entry))
			continue;
		below = xasprintf("%s%s/", path, entry->d_name);
		add_tree(walk, below, depth + 1);
	}
	if (dir)
		closedir(dir);
}

int watch_tree_build(struct watch *watch, struct error *err)
{
	CLEANUP(cleanup_free) char *top = xasprintf("%s/", watch->dir);
	struct walk walk = { .watch = watch, .err = err };
	struct stat st = { 0 };

	error_clear(err);
	stop_library(watch);
	/* Aligned for anything, as events in it are (inotify(7)). */
	if (!watch->buffer)
		watch->buffer = xmalloc(WATCH_BUFFER);
	/* Without it a git at work is told all the same. */
	if (start_library(watch, err) < 0 && watch->inotify_fd >= 0)
		stop_library(watch);
	add_way(&walk, watch->dir, LINKS_MAX);
	watch->absent = stat(top, &st) < 0 || !S_ISDIR(st.st_mode);
	watch->dev = st.st_dev;
	watch->ino = st.st_ino;
	if (!watch->absent) {
		CLEANUP(cleanup_free) char *real = realpath(watch->dir, NULL);

		if (real)
			add_git_dir(&walk, real, true);
		add_tree(&walk, top, 0);
	}
	return err->code == ERROR_NONE ? 0 : -1;
}

int watch_tree_grow(struct watch *watch, const char *path, struct error *err)
{
	struct walk walk = { .watch = watch, .err = err };
	int depth = 0;

	for (const char *p = path + strlen(watch->dir) + 1; *p; p++)
		depth += *p == '/';
	walk.dirs = watch->inotify_fd < 0 ? 0 : (size_t)inotifytools_get_num_watches();
	error_clear(err);
	add_tree(&walk, path, depth);
	return err->code == ERROR_NONE ? 0 : -1;
}

void watch_tree_done(struct watch *watch)
{
	stop_library(watch);
	vec_done(&watch->git_dirs);
	vec_done(&watch->way);
	free(TAKE(watch->buffer));
}

/* The next whole event in the buffer; the kernel gives no half ones. */
static const struct inotify_event *next_in_buffer(struct watch *watch)
{
	const struct inotify_event *event = (const void *)(watch->buffer + watch->at);
	size_t left = watch->len - watch->at;

	if (left < sizeof(*event) || left < sizeof(*event) + event->len)
		return NULL;
	watch->at += sizeof(*event) + event->len;
	return event;
}

const struct inotify_event *watch_tree_next(struct watch *watch, const char **ret_dir)
{
	const struct inotify_event *event = next_in_buffer(watch);

	if (!event && watch->inotify_fd >= 0) {
		ssize_t len = read(watch->inotify_fd, watch->buffer, WATCH_BUFFER);

		watch->at = 0;
		watch->len = len > 0 ? (size_t)len : 0;
		event = next_in_buffer(watch);
	}
	*ret_dir = event && event->wd >= 0 ? inotifytools_filename_from_wd(event->wd) : NULL;
	return event;
}
