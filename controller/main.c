/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(commands, argc, argv);
}
