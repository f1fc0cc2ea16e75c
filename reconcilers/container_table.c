/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a container: names and short forms are the Compose specification's. */
#include "reconcilers/container.h"
#include "reconcilers/container_rows.h"

static const struct rows *const groups[] = {
	&container_rows_process,
	&container_rows_network,
	&container_rows_storage,
	&container_rows_limits,
	&container_rows_rights,
	&container_rows_treatment,
	NULL,
};

const struct schema container_schema = {
	.name = "Container",
	.doc = "A container on each host that it is placed on.",
	.groups = groups,
	.refused = container_refused,
};
