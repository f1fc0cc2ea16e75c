/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/helper.h"

#include "controller/base/mem.h"
#include "controller/host/empty_image.h"
#include "reconcilers/ownership.h"

#include <string.h>

#define MOUNT_POINT "/" HELPER_ROOT

struct helper {
	struct engine *engine;
	struct empty_image image;
	char *id;
};

static int drop_body(void *ctx, const char *data, size_t len, struct error *err)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)err;
	return 0;
}

/* Read-only for reading: then even a helper that somebody starts can do no harm. */
static json_t *create_body(const struct helper_options *options)
{
	json_t *labels = options->labels ? json_deep_copy(options->labels) : json_object();
	json_t *mount =
		json_pack("{s:s, s:s, s:s, s:b}", "Type", "volume", "Source", options->volume,
			  "Target", MOUNT_POINT, "ReadOnly", options->read_only);
	const json_t *volume = options->volume_create;

	json_object_set_new(labels, LABEL_HELPER, json_string("1"));
	if (volume)
		json_object_set_new(mount, "VolumeOptions",
				    json_pack("{s:b, s:O?, s:{s:O?, s:O?}}", "NoCopy", 1, "Labels",
					      json_object_get(volume, "Labels"), "DriverConfig",
					      "Name", json_object_get(volume, "Driver"), "Options",
					      json_object_get(volume, "DriverOpts")));
	return json_pack("{s:[s], s:b, s:o, s:{s:s, s:[o]}}", "Cmd", "never-started",
			 "NetworkDisabled", 1, "Labels", labels, "HostConfig", "NetworkMode",
			 "none", "Mounts", mount);
}

/* A helper of that name is what a run that died has left; anything else is not ours to touch. */
static int remove_stale(struct engine *engine, const char *name, struct error *err)
{
	CLEANUP(cleanup_free) char *inspect = engine_path("/containers/%s/json", name);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s?v=1", name);
	json_t *reply = NULL;

	if (engine_get(engine, inspect, &reply, err) < 0) {
		if (err->code != ERROR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	const json_t *labels = json_object_get(json_object_get(reply, "Config"), "Labels");
	const json_t *state = json_object_get(json_object_get(reply, "State"), "Status");
	bool ours =
		json_object_get(labels, LABEL_HELPER) &&
		strcmp(json_string_value(state) ? json_string_value(state) : "", "created") == 0;
	json_decref(reply);
	if (!ours)
		return error_set(err, ERROR_CONFLICT,
				 "container %s stands in the way and is not drey's helper; remove "
				 "or rename it",
				 name);
	if (engine_delete(engine, path, err) < 0 && err->code != ERROR_NOT_FOUND)
		return -1;
	return 0;
}

static int create(struct helper *helper, const struct helper_options *options, struct error *err)
{
	json_t *body = create_body(options);
	json_t *reply = NULL;
	int rc = empty_image_create_container(&helper->image, helper->engine, options->name, body,
					      &reply, err);

	json_decref(body);
	if (rc < 0)
		return error_wrap(err, "create the helper container %s", options->name);
	const char *id = json_string_value(json_object_get(reply, "Id"));
	if (id)
		helper->id = xstrdup(id);
	json_decref(reply);
	return id ? 0
		  : error_set(err, ERROR_REMOTE, "the engine named no ID for the helper container");
}

static int make(struct helper *helper, const struct helper_options *options, struct error *err)
{
	if (remove_stale(helper->engine, options->name, err) < 0)
		return -1;
	if (create(helper, options, err) == 0)
		return 0;
	empty_image_settle(&helper->image, helper->engine);
	return -1;
}

int helper_open(struct engine *engine, const struct helper_options *options,
		struct helper **ret_helper, struct error *err)
{
	CLEANUP(cleanup_free) char *volume_path = engine_path("/volumes/%s", options->volume);
	struct helper *helper = xcalloc(1, sizeof(*helper));
	json_t *volume = NULL;
	int rc = 0;

	helper->engine = engine;
	if (!options->volume_create) {
		rc = engine_get(engine, volume_path, &volume, err);
		json_decref(volume);
	}
	if (rc < 0 || make(helper, options, err) < 0) {
		free(helper->id);
		free(helper);
		return -1;
	}
	*ret_helper = helper;
	return 0;
}

int helper_close(struct helper *helper, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s?v=1&force=1", helper->id);
	int rc = engine_delete(helper->engine, path, err);

	if (rc < 0 && err->code == ERROR_NOT_FOUND)
		rc = 0;
	empty_image_settle(&helper->image, helper->engine);
	free(helper->id);
	free(helper);
	return rc < 0 ? error_wrap(err, "remove the helper container") : 0;
}

int helper_read(struct helper *helper,
		int (*sink)(void *ctx, const char *data, size_t len, struct error *err), void *ctx,
		struct error *err)
{
	CLEANUP(cleanup_free)
	char *path = engine_path("/containers/%s/archive?path=%s", helper->id, MOUNT_POINT);
	struct engine_stream stream = {
		.request = { .method = "GET", .path = path },
		.sink = sink,
		.ctx = ctx,
		.idle_timeout_ms = HELPER_BODY_TIMEOUT_MS,
	};

	return engine_stream(helper->engine, &stream, err);
}

int helper_write(struct helper *helper, struct engine *engine,
		 ssize_t (*source)(void *ctx, char *buf, size_t room, struct error *err), void *ctx,
		 struct error *err)
{
	/* Not into the volume itself: an engine takes no symbolic link that leads out of where it
	 * unpacks (moby pkg/archive, createTarFile), and a volume may well hold some. */
	CLEANUP(cleanup_free)
	char *path = engine_path("/containers/%s/archive?path=%s&noOverwriteDirNonDir=1",
				 helper->id, "/");
	struct engine_stream stream = {
		.request = { .method = "PUT", .path = path },
		.source = source,
		.sink = drop_body,
		/* Another type, a form's for one, and the engine reads the body as something else
		 * and answers 200 (net/http's ParseForm). */
		.content_type = "application/x-tar",
		.ctx = ctx,
		.idle_timeout_ms = HELPER_BODY_TIMEOUT_MS,
	};

	return engine_stream(engine ? engine : helper->engine, &stream, err);
}
