/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One drey at a time writes to the hosts of a state directory: whoever changes engines holds the
 * lock file there (flock(2)) for as long as it runs. A drey that dies lets go of it.
 */
#pragma once

#include "controller/base/error.h"

/* Makes DIR (0700) and takes DIR/controller.lock. *ret_fd holds it: close(2) lets go.
 * ERROR_REFUSED when another process has it; the text names its pid. */
MUST_CHECK int lock_take(const char *dir, int *ret_fd, struct error *err);
