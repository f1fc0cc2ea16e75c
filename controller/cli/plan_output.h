/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What diff and apply say of their plans, in each form of the output. */
#pragma once

#include "controller/cli/session.h"

/* `code` is what the command ends with; after session_execute() the results are in it too. With
 * the human form the plans alone: apply shows them before it asks. */
void plan_output(const struct session *session, int code, bool executed);
