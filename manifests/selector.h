/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selecting by labels: the command line's text form and the manifests' mapping. */
#pragma once

#include "controller/base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* "key=value,key==value,key!=value,key,!key" against an object of strings (or NULL): all terms
 * must hold. As in Kubernetes' equality-based form a label that is not there is not equal to
 * anything. ERROR_INVALID for a malformed selector. */
MUST_CHECK int selector_match(const json_t *labels, const char *selector, bool *ret_match,
			      struct error *err);
