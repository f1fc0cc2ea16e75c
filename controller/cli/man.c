/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey man: the man page, as make install puts it in its place. */
#include "controller/cli/cli_reference.h"

#include <stdio.h>

static int run(struct context *context)
{
	struct str text;

	(void)context;
	str_init(&text, 0);
	reference_man(commands, &text);
	fputs(text.data, stdout);
	str_done(&text);
	return EXIT_IN_STEP;
}

const struct command command_man = {
	.name = "man",
	.group = GROUP_OTHER,
	.hidden = true,
	.usage = "",
	.summary = "Print the man page",
	.run = run,
};
