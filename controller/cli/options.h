/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the command line by the commands' option rows.
 *
 * `-f DIR`, `-fDIR`, `--file DIR`, `--file=DIR`, clustered flags (`-qv`); options may stand before,
 * between and after command and arguments; `--` ends them. Of an option given twice the last
 * counts, lists add up.
 */
#pragma once

#include "controller/cli/command.h"

/*
 * Fills context->command (NULL when none is named) and context->options; lists and arguments live
 * in context->arena. ERROR_INVALID for whatever is not understood, with the nearest spelling; what
 * was read until then is in *context, so that the error can be told in the form asked for.
 * With --help the number of arguments is not checked.
 */
MUST_CHECK int options_parse(const struct command *const *all, int argc, char **argv,
			     struct context *context, struct error *err);

/* Does the command take this option, by itself or because every command does? */
bool command_takes(const struct command *command, const struct option_row *row);

/* Words of the command's path as a shell sees them: "drey backup run". */
const char *command_name(const struct command *command); /* "" for NULL */
