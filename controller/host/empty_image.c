/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/empty_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"

enum {
	TAR_END = 1024, /* a tar archive of nothing: two blocks of zeros */
	IDLE_TIMEOUT_MS = 120 * 1000,
	ATTEMPTS = 3, /* another drey may take it away again before it is used */
};

struct import {
	size_t left;
	char reply[512]; /* {"status":"sha256:..."} */
	size_t reply_len;
};

static ssize_t zeros(void *ctx, char *buf, size_t room, struct error *err)
{
	struct import *import = ctx;
	size_t n = import->left < room ? import->left : room;

	(void)err;
	memset(buf, 0, n);
	import->left -= n;
	return (ssize_t)n;
}

static int keep_reply(void *ctx, const char *data, size_t len, struct error *err)
{
	struct import *import = ctx;
	size_t room = sizeof(import->reply) - 1 - import->reply_len;
	size_t n = len < room ? len : room;

	(void)err;
	memcpy(import->reply + import->reply_len, data, n);
	import->reply_len += n;
	return 0;
}

static int import_image(struct empty_image *image, struct engine *engine, struct error *err)
{
	struct import import = { .left = TAR_END };
	struct engine_stream stream = {
		.request = { .method = "POST",
			     .path = "/images/create?fromSrc=-&repo=drey-helper&tag=empty" },
		.sink = keep_reply,
		.source = zeros,
		.content_type = "application/x-tar",
		.ctx = &import,
		.idle_timeout_ms = IDLE_TIMEOUT_MS,
	};

	if (engine_stream(engine, &stream, err) < 0)
		return error_wrap(err, "import the empty image " EMPTY_IMAGE);
	json_t *reply = json_loads(import.reply, JSON_DISABLE_EOF_CHECK, NULL);
	const char *id = json_string_value(json_object_get(reply, "status"));
	if (id)
		snprintf(image->imported, sizeof(image->imported), "%s", id);
	json_decref(reply);
	return 0;
}

static bool is_lost(const struct error *err)
{
	return err->code == ERROR_UNREACHABLE || err->code == ERROR_TIMEOUT;
}

/* Is there no image? Only then was a creation whose answer got lost in vain for certain. */
static bool is_missing(struct engine *engine)
{
	struct error err = ERROR_INIT;
	json_t *image = NULL;

	if (engine_get(engine, "/images/" EMPTY_IMAGE "/json", &image, &err) == 0)
		json_decref(image);
	return err.code == ERROR_NOT_FOUND;
}

int empty_image_create_container(struct empty_image *image, struct engine *engine, const char *name,
				 json_t *body, json_t **ret_reply, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/create?name=%s", name);
	int rc = -1;

	json_object_set_new(body, "Image", json_string(EMPTY_IMAGE));
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		error_clear(err);
		rc = engine_post(engine, path, body, ret_reply, err);
		if (rc == 0 || (err->code != ERROR_NOT_FOUND && !is_lost(err)) ||
		    (is_lost(err) && !is_missing(engine)))
			return rc;
		if (import_image(image, engine, err) < 0 && !is_lost(err))
			return -1;
	}
	return rc;
}

void empty_image_settle(const struct empty_image *image, struct engine *engine)
{
	struct error ignored = ERROR_INIT;
	json_t *kept = NULL;

	if (!*image->imported)
		return;
	if (engine_get(engine, "/images/" EMPTY_IMAGE "/json", &kept, &ignored) == 0 &&
	    strcmp(json_string_value(json_object_get(kept, "Id")) ?: "", image->imported) != 0) {
		CLEANUP(cleanup_free) char *path = engine_path("/images/%s", image->imported);

		(void)!engine_delete(engine, path, &ignored);
	}
	json_decref(kept);
}
