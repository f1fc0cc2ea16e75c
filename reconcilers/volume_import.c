/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A manifest for a volume that drey did not make. Pure. */
#include "controller/base/str.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/import.h"
#include "reconcilers/volume.h"

/* Anonymous ones are their container's, and move along with it. */
static const char *leave_out(const struct import *import, const struct object *object)
{
	(void)import;
	return volume_name_is_anonymous(object->engine_name) ? "" : NULL;
}

const struct importer volume_importer = { .leave_out = leave_out };
