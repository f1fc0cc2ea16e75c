/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which revision of the manifests a directory holds: what status, history and the label
 * drey.revision show. Information only; nothing is decided by it.
 */
#pragma once

#include <stdbool.h>

struct revision {
	/* The commit that HEAD names, in hex, with "+" behind it when files below the directory
	 * differ from that commit (changed, added, removed; ignored ones do not count). Outside a
	 * checkout, or where git can't read it: "sha256:" and the content digest. */
	char *id;
	char *subject; /* first line of the commit's message; NULL without a commit */
	bool dirty;
};

/* digest: set_digest(). Never fails: a checkout that can't be read gives the digest. A few
 * milliseconds: only what lies below dir is compared. */
void revision_read(const char *dir, const char *digest, struct revision *ret_revision);
void revision_done(struct revision *revision);
