/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POSIX extended regular expressions, compiled once: a set of a thousand names is checked against
 * the same few, and compiling one costs as much as matching a thousand.
 */
#pragma once

#include <stdbool.h>

/* Compiled expressions by their text. One thread's at a time. */
struct patterns;

struct patterns *patterns_new(void);
void patterns_free(struct patterns *patterns); /* NULL is allowed */

/* Is it an expression at all? */
bool pattern_is_valid(struct patterns *patterns, const char *pattern);
/* Does the text match? True for what is no expression: that is diagnosed where it stands. */
bool pattern_match(struct patterns *patterns, const char *pattern, const char *text);
