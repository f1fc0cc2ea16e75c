/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli.h"

#include <malloc.h>

int main(int argc, char **argv)
{
	/* One heap for all threads: each thread's own would keep what its host's answers took, and
	 * grow by a system call a page. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 512 * 1024);
	return cli_main(commands, argc, argv);
}
