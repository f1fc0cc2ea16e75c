/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that does not fail and ownership that shows.
 *
 * The x-functions abort when memory is out: a caller could do nothing sensible with such an
 * error. That is why every buffer that is filled from outside has a ceiling of its own.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
/* reallocarray(3) that aborts: count * size is checked for overflow. */
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Frees what the variable points at when it goes out of scope: CLEANUP(cleanup_free) char *p = … */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

void cleanup_free(void *pp);
/* For `int fd`: closes when >= 0. */
void cleanup_close(int *fd);

/* Hands the value of a cleaned-up variable over: the variable is NULL afterwards. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__auto_type take_ = (p);                                                           \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
