/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli.h"

#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* A host takes three descriptors and two for each request in flight; the soft limit of 1024 is
 * for programs that use select(2). */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* What was granted is what there is: too few show as an error where they run out. */
	(void)!setrlimit(RLIMIT_NOFILE, &limit);
}

#define HEAP_START (4 * 1024 * 1024)
#define HEAP_GROWTH (512 * 1024)

/* Kernels before 5.14 refuse it, and hand the pages out when they are used. */
static void populate(char *start, size_t len)
{
#ifdef MADV_POPULATE_WRITE
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t from = ((uintptr_t)start + page - 1) / page * page;
	const uintptr_t to = ((uintptr_t)start + len) / page * page;

	(void)!madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
	(void)start;
	(void)len;
#endif
}

/* One heap for all threads: each thread's own would keep what its host's answers took. It begins
 * with the pages that a host of a hundred containers needs: asked for in one call they cost a
 * millisecond, and one by one, by faults, 20 times that on a virtual machine. What is freed stays
 * for the next answer; the controller gives it back when it has nothing to do. */
static void set_up_heap(void)
{
	void *start;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP_GROWTH);
	mallopt(M_TRIM_THRESHOLD, 2 * HEAP_START);
	mallopt(M_MMAP_THRESHOLD, HEAP_START + HEAP_GROWTH);
	start = malloc(HEAP_START);
	if (start)
		populate(start, HEAP_START);
	free(start);
}

int main(int argc, char **argv)
{
	set_up_heap();
	raise_descriptor_limit();
	return cli_main(commands, argc, argv);
}
