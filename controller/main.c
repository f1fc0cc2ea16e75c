/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli.h"

#include <sys/resource.h>

#include "controller/base/heap.h"

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

int main(int argc, char **argv)
{
	heap_set_up();
	raise_descriptor_limit();
	return cli_main(commands, argc, argv);
}
