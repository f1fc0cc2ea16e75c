/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/arena.h"

#include "controller/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_SIZE = 16 * 1024, ALIGN = _Alignof(max_align_t) };

struct block {
	struct block *next;
	size_t used, size;
	max_align_t data[];
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *ptr);
	void *ptr;
};

struct arena {
	struct block *blocks; /* the one in use first */
	struct deferred *deferred;
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	/* The list itself lies in the blocks: call first, free afterwards. */
	for (struct deferred *d = arena->deferred; d; d = d->next)
		d->fn(d->ptr);
	for (struct block *b = arena->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(arena);
}

void cleanup_arena(struct arena **arena)
{
	arena_free(*arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	assert(size <= SIZE_MAX / 2);
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct block *b = arena->blocks;
	if (!b || b->size - b->used < size) {
		size_t room = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;
		struct block *fresh = xmalloc(sizeof(*fresh) + room);
		fresh->used = 0;
		fresh->size = room;
		/* A block made for one large object must not hide the room left in the current. */
		if (b && room != BLOCK_SIZE) {
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			arena->blocks = fresh;
		}
		b = fresh;
	}
	void *p = (char *)b->data + b->used;
	b->used += size;
	memset(p, 0, size);
	return p;
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	n = strnlen(s, n);
	char *p = arena_alloc(arena, n + 1);
	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, strlen(s));
}

char *arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	assert(n >= 0);
	char *p = arena_alloc(arena, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *p = arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return p;
}

void arena_defer(struct arena *arena, void (*fn)(void *ptr), void *ptr)
{
	struct deferred *d = arena_new_of(arena, struct deferred);

	*d = (struct deferred){ .next = arena->deferred, .fn = fn, .ptr = ptr };
	arena->deferred = d;
}
