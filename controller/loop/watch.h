/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches the manifest directory and says when it has changed and come to rest.
 *
 * One change is one load, however many files it touches: after the last event WATCH_QUIET_MS
 * must pass, though an endless stream of events is cut after WATCH_NOISE_MS. Nothing is loaded
 * while
 *  - git rewrites the work tree: index.lock exists in the git directory of the checkout around
 *    the directory, or of one inside it (submodules). There is no bound: a lock that a dead git
 *    left behind is reported, see watch_obstacle(), and a person removes it;
 *  - a writer has a file open. inotify(7) does not tell who opens for writing; known as open is
 *    what was written to (IN_MODIFY) or made empty (IN_CREATE) and not closed yet
 *    (IN_CLOSE_WRITE), for at most WATCH_WRITER_MS since it was last written to;
 *  - the directory is gone. What was loaded last stays in force until it is there again.
 * Whoever renames a finished file into place is seen once, with the rename; so is whoever puts
 * another directory, or a link to one, in the place of this or of one above it.
 *
 * Directories that come are watched at once; those that go or move, and a queue that overflowed
 * (IN_Q_OVERFLOW), have the whole tree watched anew. Either leads to a load. Directories whose
 * names begin with a dot are not watched, nor is what symbolic links point at outside of the
 * directory.
 *
 * libinotifytools keeps its state in globals: one watch a process, in one thread. See
 * docs/architecture.md for what is done here rather than there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controller/base/error.h"
#include "controller/base/log.h"

enum {
	WATCH_QUIET_MS = 200,
	WATCH_NOISE_MS = 5000,
	WATCH_WRITER_MS = 10000,
	WATCH_DOUBT_MS = 1000, /* the same after a new start, which may have lost the closing */
	WATCH_ABSENT_MS = 500, /* between looks for a directory that is gone */
	WATCH_LOCK_MS = 1000,  /* between looks at an index.lock, should its event be lost */
	WATCH_REBUILD_MS = 50, /* between two walks of the tree */
	WATCH_DIRS_MAX = 20000,
	WATCH_DEPTH_MAX = 64,
	WATCH_GITDIRS_MAX = 64,
};

struct watch;

/* ERROR_NOT_FOUND when DIR is no directory. Where the kernel gives no watches (ENOSPC:
 * fs.inotify.max_user_watches) the log says which limit to raise, and what is not watched is
 * found when the caller asks for it, see watch_ask(). What is there already counts as a change:
 * the first watch_poll() that is not held up says true. */
MUST_CHECK int watch_new(const char *dir, const struct logger *log, int64_t now_ms,
			 struct watch **ret_watch, struct error *err);
void watch_free(struct watch *watch);

/* Readable when watch_poll() has something to take in. The same for the watch's life. */
int watch_fd(const struct watch *watch);

/* Takes in what has happened. True: the directory has changed and rests, load it now; said once
 * a change. *ret_wait_ms: ask again after so long even if the descriptor stays silent; -1: no
 * need. */
bool watch_poll(struct watch *watch, int64_t now_ms, int64_t *ret_wait_ms);

/* To be loaded though nothing was seen to change: watch_poll() says true as soon as nothing is in
 * the way. What could not be watched is tried again. */
void watch_ask(struct watch *watch, int64_t now_ms);

/* Has anything changed since watch_poll() said true? Then what was read meanwhile may be half of
 * the one and half of the other; watch_poll() says true again once it rests. */
bool watch_has_moved(struct watch *watch, int64_t now_ms);

/* Why a change is not loaded ("…/.git/index.lock exists …"), since when; NULL when nothing is
 * in the way. Borrowed until the next watch_poll(). */
const char *watch_obstacle(const struct watch *watch, int64_t *ret_since_ms);
