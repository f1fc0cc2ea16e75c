/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options that are more than one word or number. */
#pragma once

#include <stdint.h>

#include "controller/base/error.h"
#include "controller/fleet/fleet.h"

/* "90s", "5m", "1h30m", within min..max. `option` is named in the error. */
MUST_CHECK int option_duration(const char *option, const char *text, int64_t min_ms, int64_t max_ms,
			       int64_t *ret_ms, struct error *err);
/* "3" hosts or "10%" of them, 1 and above. */
MUST_CHECK int option_max_failures(const char *text, struct max_failures *ret_max,
				   struct error *err);
