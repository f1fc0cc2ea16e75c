/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logging in (RFC 4252, RFC 4256): key file, agent, password, in this order. */
#pragma once

#include "controller/host/ssh_login.h"

/* ERROR_DENIED in login->err says what was tried and what the server offers. */
MUST_CHECK int ssh_auth_run(struct ssh_login *login);

/* Waits until the session's descriptor is ready; -1 with login->err set (time-out with `doing` in
 * the text, or cancelled). */
MUST_CHECK int ssh_login_wait(struct ssh_login *login, const char *doing);
