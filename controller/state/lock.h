/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One drey at a time writes to the hosts of a state directory: whoever changes engines holds the
 * lock file there (flock(2)) for as long as it runs. A drey that dies lets go of it.
 */
#pragma once

#include <stdbool.h>

#include "controller/base/error.h"

/* Makes DIR (0700) and takes DIR/controller.lock. *ret_fd holds it: close(2) lets go.
 * ERROR_REFUSED when another process has it; the text names its pid. */
MUST_CHECK int lock_take(const char *dir, int *ret_fd, struct error *err);

/*
 * Who works on one host: many may change containers one after the other (shared), but whoever
 * holds containers still for a backup wants nobody to start them (exclusive). Tries for wait_ms.
 * ERROR_CONFLICT when it is held otherwise; close(2) lets go.
 */
MUST_CHECK int lock_take_host(const char *dir, const char *host, bool exclusive, int wait_ms,
			      int *ret_fd, struct error *err);
