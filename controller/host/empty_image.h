/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers that are created and never started: they hold a volume for a backup, or a lock. Their
 * image is one of nothing, imported for the purpose, so that none need be pulled and none of the
 * user's is in use by them. It stays on the host: it has no bytes, and each change needs it.
 *
 * An import moves the tag, and the image that had it stays nameless. So there is an import only
 * where the engine has none, and who imported one looks at the end whether another did so at the
 * same moment.
 */
#pragma once

#include "controller/host/engine.h"

#define EMPTY_IMAGE "drey-helper:empty"

struct empty_image {
	char imported[80]; /* ID of what was imported; "": it was there */
};

/* POST /containers/create from the empty image; `body` lacks only its Image. The reply is the
 * engine's, a new reference. Begin with a zeroed *image. */
MUST_CHECK int empty_image_create_container(struct empty_image *image, struct engine *engine,
					    const char *name, json_t *body, json_t **ret_reply,
					    struct error *err);
/* After the container is gone: what was imported here goes where another import took the tag. */
void empty_image_settle(const struct empty_image *image, struct engine *engine);
