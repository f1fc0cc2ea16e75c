/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HEAP_AHEAD = 4 * 1024 * 1024,
	HEAP_GROWTH = 512 * 1024,
};

void heap_set_up(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP_GROWTH);
	mallopt(M_TRIM_THRESHOLD, 2 * HEAP_AHEAD);
	mallopt(M_MMAP_THRESHOLD, HEAP_AHEAD + HEAP_GROWTH);
}

/* Kernels before 5.14 refuse it, and hand the pages out when they are used. */
void heap_populate(void)
{
#ifdef MADV_POPULATE_WRITE
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	char *start = malloc(HEAP_AHEAD);

	if (!start)
		return;
	const uintptr_t from = ((uintptr_t)start + page - 1) / page * page;
	const uintptr_t to = ((uintptr_t)start + HEAP_AHEAD) / page * page;
	(void)!madvise((void *)from, to - from, MADV_POPULATE_WRITE);
	free(start);
#endif
}
