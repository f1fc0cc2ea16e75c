/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A resource as a document that can be read again. */
#pragma once

#include "controller/base/str.h"
#include "manifests/kind.h"

/* Appends apiVersion, kind, metadata and spec; what would read as a reference is escaped. secrets:
 * which values are written as ***, as in struct resource; NULL: none. */
void document_print(const struct kind *kind, const json_t *metadata, const json_t *spec,
		    const json_t *secrets, struct str *out);
