/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which revision of the manifests a directory holds: what status, history and the label
 * drey.revision show. Information only; nothing is decided by it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct revision {
	/* The commit that HEAD names, in hex, with "+" behind it when files below the directory
	 * differ from that commit (changed, added, removed; ignored ones do not count). Outside a
	 * checkout, or where git can't read it: "sha256:" and the content digest. */
	char *id;
	char *subject; /* first line of the commit's message; NULL without a commit */
	bool dirty;
	/* Between revision_begin() and revision_wait(): who reads, and what. */
	bool reading;
	pthread_t thread;
	const char *dir, *digest;
};

/* digest: set_digest(). Never fails: a checkout that can't be read gives the digest. A few
 * milliseconds: only what lies below dir is compared. */
void revision_read(const char *dir, const char *digest, struct revision *ret_revision);
/* The same on a thread of its own: libgit2 takes longer to wake up than manifests take to load, and
 * hosts can be asked meanwhile. Both texts are borrowed, and nothing is known, until
 * revision_wait(), which does nothing where nothing was begun. */
void revision_begin(const char *dir, const char *digest, struct revision *ret_revision);
void revision_wait(struct revision *revision);
/* Waits, too. */
void revision_done(struct revision *revision);
