#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A sample of the crash test, by a seed that is the same each time: DREY_CRASH_SEED=NUMBER takes others, "random" always
# others, and `make check-crash` all of them.
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

"$(dirname "$FLEET_TOOL")/../crash/run" --sample 12
