/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the server who it says? Strictly by known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
#pragma once

#include "controller/host/ssh_login.h"

/* Sets the files to look into. NULL: ~/.ssh/known_hosts and the system's file. 0, or -1 with
 * ssh_get_error() set. */
MUST_CHECK int ssh_hostkey_set_options(ssh_session session, const char *known_hosts);

/* After the key exchange: fills login->fingerprint and ->known_hosts_line in any case.
 * ERROR_DENIED in login->err unless the key is the known one. */
MUST_CHECK int ssh_hostkey_check(struct ssh_login *login);
