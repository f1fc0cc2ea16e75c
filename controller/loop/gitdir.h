/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where git keeps the index of a checkout. While it rewrites a work tree, `index.lock` lies
 * there (gitrepository-layout(5)); worktrees and submodules have a file `.git` that points to it.
 */
#pragma once

/* The directory that `dir`/.git is or points to; NULL where there is none. free(3) it. */
char *gitdir_at(const char *dir);
/* The same of the checkout that `dir` (absolute) lies in, looking upwards. */
char *gitdir_around(const char *dir);
