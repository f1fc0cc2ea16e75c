/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configs and Secrets as files: what they hold for one host. A Config's `content` has its
 * references resolved for the host of the container that names it; its `file` is taken as it is,
 * and so is a Secret's.
 */
#pragma once

#include "manifests/sources.h"

/* Appends what the rows of FIELD_CONTENT in a spec name, each document once. What can't be read is
 * diagnosed; what is not declared is left to link.c. */
void content_read(struct resolver *resolver, const struct schema *schema, const json_t *spec,
		  struct contents *contents);
