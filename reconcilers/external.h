/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks and volumes that somebody else makes: `external: true`. */
#pragma once

#include "manifests/kind.h"

/* A field that only making the object could use, and the wish to remove it, are faults there. For
 * kinds with the rows `external` and `state`; a `name` says which one is meant. */
void external_verify(const struct resource *resource, struct diagnostics *diagnostics);
