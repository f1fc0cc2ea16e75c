/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An arena: everything that lives as long as one manifest set, one pass or one command is
 * allocated from it and freed at once. Not for use by two threads at a time.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
/* Frees the arena and all that was allocated from it. NULL is allowed. */
void arena_free(struct arena *arena);
void cleanup_arena(struct arena **arena);

/* Zeroed memory, aligned for any object. Never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const char *s, size_t n);
char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Calls fn(ptr) when the arena is freed, last registered first: for what an arena can't hold
 * itself, such as references to JSON values. */
void arena_defer(struct arena *arena, void (*fn)(void *ptr), void *ptr);

#define arena_new_of(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
