/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers that are created and never started: they hold a volume for a backup, or a lock. Their
 * image is one of nothing, imported for the purpose, so that none need be pulled and none of the
 * user's is in use by them.
 *
 * An import moves the tag, and the image that had it stays nameless for as long as a container
 * uses it, and after. So there is an import only where the engine has none, and who imported one
 * removes it by its ID too: two that import at the same moment leave nothing behind.
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
/* Another container may still use it: the last one takes it away. */
void empty_image_remove(const struct empty_image *image, struct engine *engine);
