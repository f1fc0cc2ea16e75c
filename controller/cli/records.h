/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the state for people: what status and history share. */
#pragma once

#include "controller/cli/command.h"
#include "controller/state/state.h"

/* Opens the state that --state names for reading. On failure it has been said, and the exit code is
 * returned. *ret_dir (in the context's arena) is where it lies. */
int records_open(const struct context *context, struct state **ret_state, const char **ret_dir);

/* Whose rows are wanted: --project, else the project of the manifests that -f names, else NULL for
 * all. On failure it has been said, and the exit code is returned. */
int records_project(const struct context *context, const char **ret_project);

/* Both live in the context's arena. */
const char *records_age(const struct context *context, const char *rfc3339);	   /* "5m", "3d" */
const char *records_revision(const struct context *context, const char *revision); /* short */

/* A member that is a string, else "". */
const char *records_text(const json_t *row, const char *key);
