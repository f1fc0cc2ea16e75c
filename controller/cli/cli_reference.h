/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is written about the commands outside of the program, from the same tables as --help:
 * the man page, the reference page, the completion scripts.
 */
#pragma once

#include "controller/base/str.h"
#include "controller/cli/command.h"

/* A row of what is no command and no option; tables end with a NULL name. */
struct remark {
	const char *name, *doc;
};
extern const struct remark remarks_exit[];	  /* exit codes */
extern const struct remark remarks_environment[]; /* environment variables */

/* drey(1), as roff with the man macros. */
void reference_man(const struct command *const *all, struct str *out);
/* docs/reference/cli.md. */
void reference_markdown(const struct command *const *all, struct str *out);

/* Scripts for bash (sourced), zsh (a file _drey in $fpath) and fish (sourced). They ask `drey
 * completion hosts|resources|kinds` for what only the manifests know. */
void complete_bash(const struct command *const *all, struct str *out);
void complete_zsh(const struct command *const *all, struct str *out);
void complete_fish(const struct command *const *all, struct str *out);
