/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from the other side, made fit for a message to a person. */
#pragma once

#include <stddef.h>

/* Copies at most `len` bytes of `data` into `out` (of `room` bytes, NUL-terminated): control
 * characters, what is not UTF-8 and the '[' of "##[" become '?', line ends a space; a cut ends with
 * "…" and splits no character. Leading and trailing white space is dropped. Returns `out`. */
char *printable_copy(char *out, size_t room, const char *data, size_t len);
