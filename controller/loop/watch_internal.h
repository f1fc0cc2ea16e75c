/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What watch.c (when to load) and watch_tree.c (what is watched) share. */
#pragma once

#include <stdint.h>
#include <sys/inotify.h>
#include <sys/types.h>

#include "controller/base/vec.h"
#include "controller/loop/watch.h"

struct writer {
	char *path;
	int64_t last_ms; /* of its last write */
};

struct git_dir {
	char *path;
	int wd;
};

/* A directory on the way to the manifests, and the name there that the way goes by. */
struct waypoint {
	char *name;
	int wd;
};

enum { WATCH_BUFFER = 64 * 1024 };

struct watch {
	const struct logger *log;
	char *dir;	/* absolute */
	int epoll_fd;	/* holds the descriptor of libinotifytools, which changes */
	int inotify_fd; /* -1: none */
	/* What was read and not yet taken: [at, len) of it. */
	char *buffer;
	size_t at, len;
	VEC(struct waypoint) way;
	VEC(struct git_dir) git_dirs;
	VEC(struct writer) writers;

	dev_t dev; /* of the directory that is watched */
	ino_t ino;
	char *said; /* what could not be watched, as last told; NULL: all is */

	bool absent;	  /* the directory is not there */
	bool stale;	  /* directories went or moved: watch all anew */
	bool changed;	  /* something to load */
	int64_t first_ms; /* first and last event of this change */
	int64_t last_ms;
	int64_t rebuilt_ms;
	char *obstacle; /* why it is not loaded */
	int64_t obstacle_ms;
};

/* Watches all of the tree anew. ERROR_SYSTEM when watches or descriptors ran out; what could be
 * watched is watched then. watch->absent tells whether the directory is there. */
MUST_CHECK int watch_tree_build(struct watch *watch, struct error *err);
/* Watches a directory that came, and all below it. `path` begins with watch->dir, ends in '/'. */
MUST_CHECK int watch_tree_grow(struct watch *watch, const char *path, struct error *err);
void watch_tree_done(struct watch *watch);

/* The next event, NULL when there is none. *ret_dir: the watched directory, ending in '/'. */
const struct inotify_event *watch_tree_next(struct watch *watch, const char **ret_dir);
