/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply --wait: until everything that was declared and chosen does its work. */
#pragma once

#include "controller/cli/session.h"

enum {
	WAIT_DEFAULT_MS = 5 * 60 * 1000,
	WAIT_MIN_MS = 1000,
	WAIT_MAX_MS = 24 * 3600 * 1000,
};

/*
 * After session_execute(). What failed has been told and is not waited for. What is not ready in
 * time is in session->not_ready: EXIT_PARTIAL; else EXIT_IN_STEP, or EXIT_INTERRUPTED.
 */
int session_wait(struct session *session, int64_t timeout_ms);
/* On stderr. */
void session_print_not_ready(const struct session *session);
