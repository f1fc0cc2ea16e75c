/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A string that grows, up to a ceiling.
 *
 * Invariants: `data` is never NULL after str_init and always ends with a NUL that `len` does not
 * count. What would pass the ceiling is not appended and `overflow` stays set: check it once at
 * the end instead of after every append.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
	char *data;
	size_t len, size, ceiling;
	bool overflow;
};

enum { STR_CEILING_DEFAULT = 64 * 1024 * 1024 };

/* ceiling: bytes at most; 0 means STR_CEILING_DEFAULT. */
void str_init(struct str *s, size_t ceiling);
void str_done(struct str *s);
/* Empties, keeps the memory. */
void str_clear(struct str *s);
/* Hands the text over (free(3) it) and leaves *s as after str_done. */
char *str_take(struct str *s);

void str_append(struct str *s, const char *text);
void str_append_n(struct str *s, const void *data, size_t len);
void str_append_char(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vprintf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Plain helpers on C strings. */
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */

/* Levenshtein distance, for "did you mean". */
size_t str_distance(const char *a, const char *b);
/* The candidate that a misspelt word most likely meant, or NULL when none is near. */
const char *str_nearest(const char *word, const char *const *candidates, size_t count);

/* True when the len bytes are well-formed UTF-8 (RFC 3629) without NUL. */
bool str_is_utf8(const char *data, size_t len);
