/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command has done goes to drey's state, in the same form as the controller's doings.
 * Whatever can't be written is a line of the log and no failure: the state explains, it does not
 * decide.
 */
#pragma once

#include "controller/cli/session.h"

/* Conditions, history and the revision of an apply that has ended. */
void record_results(struct session *session);
/* Records of backups that were made. */
void record_backups(struct session *session, const json_t *records);
