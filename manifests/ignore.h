/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .dreyignore: which files of the manifest directory are not read. A subset of gitignore(5):
 * comments, blank lines, globs by fnmatch(3), a trailing slash for directories only, a slash
 * elsewhere ties the pattern to DIR, a leading two-star component unties it, `!` takes back. The
 * last pattern that matches decides. What is in an ignored directory can't be taken back. Only
 * the file at the top of DIR counts.
 */
#pragma once

#include "controller/base/arena.h"

#include <stdbool.h>

struct ignore;

/* Text of the file; NULL: nothing is ignored. Never fails: a line that matches nothing is no
 * fault. */
struct ignore *ignore_parse(struct arena *arena, const char *text);

/* path: relative to DIR, without a leading slash. */
bool ignore_matches(const struct ignore *ignore, const char *path, bool is_directory);
