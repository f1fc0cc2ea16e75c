/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/watch.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/str.h"
#include "controller/loop/watch_internal.h"

static char *absolute(const char *dir)
{
	CLEANUP(cleanup_free) char *cwd = NULL;
	const char *base = strrchr(dir, '/');
	size_t len = strlen(dir);
	char *path;

	while (len > 1 && dir[len - 1] == '/')
		len--;
	base = base ? base + 1 : dir;
	/* "." and ".." have no name that could come back, so the real one is watched. */
	if (str_eq(base, "") || str_eq(base, ".") || str_eq(base, "..")) {
		path = realpath(dir, NULL);
		if (path)
			return path;
	}
	if (dir[0] == '/')
		return xstrndup(dir, len);
	cwd = getcwd(NULL, 0);
	return xasprintf("%s/%.*s", cwd ? cwd : "", (int)len, dir);
}

/* Once for each trouble: a walk meets the same one over and over. */
static void complain(struct watch *watch, const struct error *err)
{
	if (watch->said)
		return;
	watch->said = xstrdup(err->text);
	log_error(watch->log,
		  "%s; until then changes are seen when the manifests are read again after "
		  "--interval",
		  err->text);
}

int watch_new(const char *dir, const struct logger *log, int64_t now_ms, struct watch **ret_watch,
	      struct error *err)
{
	struct watch *watch = xcalloc(1, sizeof(*watch));
	struct error lack = ERROR_INIT;

	watch->log = log;
	watch->dir = absolute(dir);
	watch->inotify_fd = -1;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll_fd < 0) {
		error_errno(err, errno, "watch %s", dir);
		goto fail;
	}
	if (watch_tree_build(watch, &lack) < 0)
		complain(watch, &lack);
	if (watch->absent) {
		error_set(err, ERROR_NOT_FOUND, "%s is no directory", dir);
		goto fail;
	}
	watch->changed = true;
	watch->rebuilt_ms = now_ms;
	watch->first_ms = watch->last_ms = now_ms - WATCH_QUIET_MS;
	*ret_watch = watch;
	return 0;
fail:
	watch_free(watch);
	return -1;
}

static void forget_writer(struct watch *watch, size_t index)
{
	free(watch->writers.items[index].path);
	watch->writers.items[index] = watch->writers.items[--watch->writers.count];
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	watch_tree_done(watch);
	while (watch->writers.count)
		forget_writer(watch, 0);
	vec_done(&watch->writers);
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	free(watch->obstacle);
	free(watch->said);
	free(watch->dir);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->epoll_fd;
}

static void touch(struct watch *watch, int64_t now_ms)
{
	if (!watch->changed)
		watch->first_ms = now_ms;
	watch->changed = true;
	watch->last_ms = now_ms;
}

static struct writer *find_writer(struct watch *watch, const char *path)
{
	VEC_FOREACH (struct writer *, writer, &watch->writers)
		if (str_eq(writer->path, path))
			return writer;
	return NULL;
}

static void see_writer(struct watch *watch, const char *path, int64_t now_ms)
{
	struct writer *writer = find_writer(watch, path);

	if (writer)
		writer->last_ms = now_ms;
	else
		vec_push(&watch->writers, ((struct writer){ xstrdup(path), now_ms }));
}

static void end_writer(struct watch *watch, const char *path)
{
	struct writer *writer = find_writer(watch, path);

	if (writer)
		forget_writer(watch, (size_t)(writer - watch->writers.items));
}

/* Made and still empty: somebody is about to write it. A link to a finished file is not. */
static bool is_empty_file(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static void take_file(struct watch *watch, const struct inotify_event *event, const char *path,
		      int64_t now_ms)
{
	bool hidden = event->name[0] == '.' && !str_eq(event->name, ".dreyignore");

	/* Of hidden files only their coming and going counts: editors write their swap files all
	 * the time, but a link may be put in the place of another (..data of a ConfigMap). */
	if (hidden && event->mask & (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB))
		return;
	if (!hidden &&
	    (event->mask & IN_MODIFY || (event->mask & IN_CREATE && is_empty_file(path))))
		see_writer(watch, path, now_ms);
	if (event->mask & (IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
		end_writer(watch, path);
	touch(watch, now_ms);
}

static void grow(struct watch *watch, const char *dir, const char *name)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s%s/", dir, name);
	struct error err = ERROR_INIT;

	if (watch_tree_grow(watch, path, &err) < 0)
		complain(watch, &err);
}

static void take_tree(struct watch *watch, const struct inotify_event *event, const char *dir,
		      int64_t now_ms)
{
	CLEANUP(cleanup_free) char *path = NULL;

	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
		watch->stale = true;
		touch(watch, now_ms);
		return;
	}
	if (!event->len) /* the attributes of the directory itself */
		return;
	if (str_eq(event->name, ".git")) {
		watch->stale = true;
		return;
	}
	if (event->mask & IN_ISDIR) {
		if (event->name[0] == '.')
			return;
		if (event->mask & IN_CREATE)
			grow(watch, dir, event->name);
		else if (event->mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
			watch->stale = true;
		touch(watch, now_ms);
		return;
	}
	path = xasprintf("%s%s", dir, event->name);
	take_file(watch, event, path, now_ms);
}

/* In git's directory: the end of index.lock, and what a commit leaves (it changes no manifest,
 * but their revision). Watched and told from the rest by the descriptor; true when it is one. */
static bool take_git(struct watch *watch, const struct inotify_event *event, int64_t now_ms)
{
	VEC_FOREACH (const struct git_dir *, git_dir, &watch->git_dirs) {
		if (git_dir->wd != event->wd)
			continue;
		if (event->mask & (IN_DELETE_SELF | IN_IGNORED))
			watch->stale = true;
		if (!event->len || event->mask & IN_CREATE)
			return true;
		if (str_eq(event->name, "index.lock") || str_eq(event->name, "index") ||
		    str_eq(event->name, "HEAD"))
			touch(watch, now_ms);
		return true;
	}
	return false;
}

/* On the way to the directory; true when it is one. */
static bool take_way(struct watch *watch, const struct inotify_event *event, int64_t now_ms)
{
	bool known = false;

	VEC_FOREACH (const struct waypoint *, waypoint, &watch->way) {
		if (waypoint->wd != event->wd)
			continue;
		known = true;
		if (!event->len || !str_eq(event->name, waypoint->name))
			continue;
		watch->stale = true;
		touch(watch, now_ms);
	}
	return known;
}

static void take(struct watch *watch, const struct inotify_event *event, const char *dir,
		 int64_t now_ms)
{
	if (event->mask & IN_Q_OVERFLOW) {
		log_warning(watch->log,
			    "more changes than inotify could tell, reading all anew "
			    "dir=%s",
			    watch->dir);
		while (watch->writers.count)
			forget_writer(watch, 0);
		watch->stale = true;
		touch(watch, now_ms);
		return;
	}
	if (take_way(watch, event, now_ms) && !(event->mask & IN_IGNORED))
		return;
	if (!take_git(watch, event, now_ms) && dir)
		take_tree(watch, event, dir, now_ms);
}

static void rebuild(struct watch *watch, int64_t now_ms)
{
	struct error err = ERROR_INIT;
	bool was_absent = watch->absent;

	watch->stale = false;
	watch->rebuilt_ms = now_ms;
	if (watch_tree_build(watch, &err) < 0) {
		complain(watch, &err);
	} else if (watch->said) {
		free(TAKE(watch->said));
		log_info(watch->log, "the manifests are watched again dir=%s", watch->dir);
	}
	if (watch->absent && !was_absent)
		log_warning(watch->log,
			    "the manifest directory is gone, what was loaded last "
			    "stays in force dir=%s",
			    watch->dir);
	if (!watch->absent && was_absent)
		log_info(watch->log, "the manifest directory is back dir=%s", watch->dir);
	/* Whatever was done between the old watches and the new ones, the closing of files too. */
	VEC_FOREACH (struct writer *, writer, &watch->writers)
		if (writer->last_ms > now_ms - WATCH_WRITER_MS + WATCH_DOUBT_MS)
			writer->last_ms = now_ms - WATCH_WRITER_MS + WATCH_DOUBT_MS;
	touch(watch, now_ms);
}

static void set_obstacle(struct watch *watch, int64_t now_ms, char *text)
{
	if (text && watch->obstacle && str_eq(text, watch->obstacle)) {
		free(text);
		return;
	}
	free(watch->obstacle);
	watch->obstacle = text;
	watch->obstacle_ms = now_ms;
}

static char *find_lock(const struct watch *watch)
{
	VEC_FOREACH (const struct git_dir *, git_dir, &watch->git_dirs) {
		char *path = xasprintf("%sindex.lock", git_dir->path);

		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* Is anything in the way? Then *ret_wait_ms says when to ask again. */
static bool is_held_up(struct watch *watch, int64_t now_ms, int64_t *ret_wait_ms)
{
	CLEANUP(cleanup_free) char *lock = NULL;

	if (watch->absent) {
		*ret_wait_ms = WATCH_ABSENT_MS;
		set_obstacle(watch, now_ms, xasprintf("%s is not there", watch->dir));
		return true;
	}
	lock = find_lock(watch);
	if (lock) {
		*ret_wait_ms = WATCH_LOCK_MS;
		set_obstacle(
			watch, now_ms,
			xasprintf("%s exists: git is at work, or died there; remove the file if "
				  "no git runs",
				  lock));
		return true;
	}
	for (size_t i = watch->writers.count; i-- > 0;)
		if (now_ms - watch->writers.items[i].last_ms >= WATCH_WRITER_MS)
			forget_writer(watch, i);
	if (watch->writers.count) {
		const struct writer *writer = &watch->writers.items[0];

		*ret_wait_ms = writer->last_ms + WATCH_WRITER_MS - now_ms;
		set_obstacle(watch, now_ms, xasprintf("%s is being written", writer->path));
		return true;
	}
	if (watch->obstacle) {
		/* The noise before says nothing about the noise from here on. */
		watch->first_ms = watch->last_ms;
		set_obstacle(watch, now_ms, NULL);
	}
	return false;
}

static void take_all(struct watch *watch, int64_t now_ms)
{
	const struct inotify_event *event;
	const char *dir = NULL;

	while ((event = watch_tree_next(watch, &dir)))
		take(watch, event, dir, now_ms);
}

bool watch_poll(struct watch *watch, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t quiet_ms, noise_ms;
	struct stat st;

	take_all(watch, now_ms);
	if (watch->absent && stat(watch->dir, &st) == 0)
		watch->stale = true;
	if (watch->stale) {
		*ret_wait_ms = watch->rebuilt_ms + WATCH_REBUILD_MS - now_ms;
		if (*ret_wait_ms > 0)
			return false;
		rebuild(watch, now_ms);
	}
	*ret_wait_ms = -1;
	if (!watch->changed || is_held_up(watch, now_ms, ret_wait_ms))
		return false;
	quiet_ms = watch->last_ms + WATCH_QUIET_MS - now_ms;
	noise_ms = watch->first_ms + WATCH_NOISE_MS - now_ms;
	*ret_wait_ms = quiet_ms < noise_ms ? quiet_ms : noise_ms;
	if (*ret_wait_ms > 0)
		return false;
	watch->changed = false;
	*ret_wait_ms = -1;
	return true;
}

bool watch_has_moved(struct watch *watch, int64_t now_ms)
{
	take_all(watch, now_ms);
	return watch->changed || watch->stale;
}

void watch_ask(struct watch *watch, int64_t now_ms)
{
	struct stat st;

	if (watch->said)
		watch->stale = true;
	/* Should what put another in its place have gone unseen. */
	if (!watch->absent && stat(watch->dir, &st) == 0 &&
	    (st.st_dev != watch->dev || st.st_ino != watch->ino))
		watch->stale = true;
	if (watch->changed)
		return;
	touch(watch, now_ms - WATCH_QUIET_MS);
}

const char *watch_obstacle(const struct watch *watch, int64_t *ret_since_ms)
{
	*ret_since_ms = watch->obstacle_ms;
	return watch->obstacle;
}
