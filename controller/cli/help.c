/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey help [COMMAND]: the same as drey [COMMAND] --help. */
#include "controller/cli/cli_help.h"

#include <stdio.h>
#include <string.h>

static const struct command *find(const struct command *const *level, const char *word)
{
	for (; level && *level; level++) {
		const char *last = strrchr((*level)->name, ' ');
		if (strcmp(last ? last + 1 : (*level)->name, word) == 0)
			return *level;
	}
	return NULL;
}

static int run(struct context *context)
{
	const struct command *const *level = commands;
	const struct command *command = NULL;
	struct error err = ERROR_INIT;
	struct str text;

	for (int i = 0; i < context->options.arg_count; i++) {
		command = find(level, context->options.args[i]);
		if (!command) {
			error_set(&err, ERROR_INVALID,
				  "there is no command '%s'; see 'drey --help'",
				  context->options.args[i]);
			return command_fail(context, EXIT_USAGE, &err);
		}
		level = command->sub;
	}
	str_init(&text, 0);
	if (command)
		help_command(command, context->columns, &text);
	else
		help_program(commands, context->columns, &text);
	fputs(text.data, stdout);
	str_done(&text);
	return EXIT_IN_STEP;
}

const struct command command_help = {
	.name = "help",
	.group = GROUP_OTHER,
	.usage = "[COMMAND]...",
	.summary = "Show what a command does and takes",
	.max_args = -1,
	.complete = "command",
	.run = run,
};
