/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved plans: diff writes one, apply reads it and holds it against what it finds. */
#pragma once

#include "controller/cli/session.h"

/* Writes what the session has planned, mode 0600, old or new but never half. Returns an exit code;
 * all has been said. Nothing is written where no host was planned. */
int plan_file_save(const struct session *session, const char *path);

/* Reads a plan and takes its options for those of the call. Returns an exit code; on
 * EXIT_IN_STEP *ret_saved is a new reference. Options that the plan has must not be given too. */
int plan_file_load(struct context *context, const char *path, json_t **ret_saved);

/*
 * After session_plan(): is what was planned anew what was saved? EXIT_IN_STEP, or EXIT_REFUSED
 * (EXIT_USAGE: a plan of another project) and all has been said. Hosts that could not be planned
 * when the plan was made are left out.
 */
int plan_file_check(struct session *session, const json_t *saved);
