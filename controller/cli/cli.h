/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program behind main(): reads the command line, runs the command, returns the exit code. */
#pragma once

#include "controller/cli/command.h"

int cli_main(const struct command *const *all, int argc, char **argv);
