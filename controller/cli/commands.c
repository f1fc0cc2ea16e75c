/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/command.h"

/* commands.inc is made by the Makefile from the files that define a command. */
#define COMMAND(symbol) extern const struct command symbol;
#include "commands.inc"
#undef COMMAND

#define COMMAND(symbol) &symbol,
const struct command *const commands[] = {
#include "commands.inc"
	NULL,
};
#undef COMMAND
