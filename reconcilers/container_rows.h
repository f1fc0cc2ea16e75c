/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a container, in groups: a file each, container_rows_GROUP.c, and container_table.c
 * for their order, which is the order of printed specs and of the reference.
 */
#pragma once

#include "manifests/schema.h"

extern const struct rows container_rows_process;
extern const struct rows container_rows_network;
extern const struct rows container_rows_storage;
extern const struct rows container_rows_limits;
extern const struct rows container_rows_rights;
extern const struct rows container_rows_treatment;

/* container_refused.c: keys without a row, and why; ends with a NULL key. */
extern const struct refused container_refused[];
