/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a manifest directory: *.yaml and *.yml below it, in the order of their paths. No
 * dot files, no dot directories, nothing that .dreyignore names, and no symlink that leads out
 * of the directory. A file reachable by several names is read once, by its own name.
 */
#pragma once

#include "controller/base/error.h"
#include "controller/base/vec.h"
#include "manifests/diagnostics.h"

struct manifest_files {
	struct arena *arena;
	struct diagnostics *diagnostics;
	const char *dir;	 /* absolute, without symlinks */
	VEC(const char *) paths; /* relative to it, sorted */
	size_t total;		 /* bytes read so far */
};

/* Finds them; paths live in the arena. What can't be read or leads out of the directory is
 * diagnosed. -1 and *err when the directory itself can't be read. files_done() in any case. */
MUST_CHECK int files_find(const char *dir, struct arena *arena, struct diagnostics *diagnostics,
			  struct manifest_files *files, struct error *err);
/* Reads one of them; free(3) *ret_text, which has an extra NUL. -1 after a diagnosis: too large
 * (told by its size, without reading it), unreadable, or all together are too large. */
MUST_CHECK int files_read(struct manifest_files *files, const char *path, char **ret_text,
			  size_t *ret_len);
void files_done(struct manifest_files *files);

/* Absolute path, without symlinks, of a file that a manifest names: `~/` is $HOME (`home`), a
 * relative path is relative to the file of the manifest (`from`) and must stay inside of DIR,
 * whatever symlinks lie on it. An absolute one may be anywhere, or with `inside` must lie in
 * DIR too. dir NULL: there is no directory, all relative paths are refused. The file need not
 * exist. */
MUST_CHECK int files_resolve(const char *dir, const char *from, const char *path, bool inside,
			     const char *home, struct arena *arena, const char **ret_path,
			     struct error *err);
