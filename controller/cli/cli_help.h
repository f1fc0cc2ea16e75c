/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --help, written from the tables. */
#pragma once

#include "controller/base/str.h"
#include "controller/cli/command.h"

/* Heading of a group of commands. */
const char *help_group(enum command_group group);
/* How an option is written: "-f, --file DIR". */
void help_option(const struct option_row *row, struct str *out);

/* Of the whole program. */
void help_program(const struct command *const *all, int columns, struct str *out);
/* Of one command. */
void help_command(const struct command *command, int columns, struct str *out);
