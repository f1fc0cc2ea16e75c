/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring. A volume can't be renamed and must not be written over, so a backup goes into a new
 * generation (NAME.2), which counts only once a marker volume says that every file was compared. A
 * crash at any point leaves the old generation in use and things that the next restore removes.
 */
#include "controller/backup/archive.h"
#include "controller/backup/backup.h"
#include "controller/backup/helper.h"
#include "controller/backup/listing.h"
#include "controller/backup/store.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/volume.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct restore {
	struct pass *pass;
	const struct resource *volume;
	struct store_place place;
	const char *id;
	struct arena *arena;
	struct listing listing; /* of the backup */
	const char *target;	/* engine's name of the new generation */
	json_t *create;		/* body that makes it */
	char uid[33];
};

/* --- reading the new volume back while the engine sends it --- */

struct readback {
	int fds[2]; /* a socket pair: the sink writes to [1], the thread lists from [0] */
	struct listing listing;
	struct error err;
	int rc;
};

static ssize_t receive(void *ctx, void *buf, size_t room, struct error *err)
{
	ssize_t n;

	do {
		n = read(*(int *)ctx, buf, room);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(err, errno, "read the volume back") : n;
}

static void *list_thread(void *arg)
{
	struct readback *readback = arg;

	readback->rc = listing_read(receive, &readback->fds[0], &readback->listing, &readback->err);
	/* What is still sent must find a closed door, not a full buffer. */
	shutdown(readback->fds[0], SHUT_RDWR);
	return NULL;
}

static int send_on(void *ctx, const char *data, size_t len, struct error *err)
{
	struct readback *readback = ctx;

	while (len > 0) {
		ssize_t n = send(readback->fds[1], data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "list the restored files");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_back(struct helper *helper, struct listing *ret_listing, struct error *err)
{
	struct readback readback = { .err = ERROR_INIT };
	pthread_t thread;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, readback.fds) < 0)
		return error_errno(err, errno, "socketpair");
	int failed = pthread_create(&thread, NULL, list_thread, &readback);
	if (failed) {
		close(readback.fds[0]);
		close(readback.fds[1]);
		return error_errno(err, failed, "start a thread");
	}
	int rc = helper_read(helper, send_on, &readback, err);
	shutdown(readback.fds[1], SHUT_WR);
	pthread_join(thread, NULL);
	close(readback.fds[0]);
	close(readback.fds[1]);
	/* The lister's own complaint explains a broken pipe better than the pipe does. */
	if (readback.rc < 0) {
		*err = readback.err;
		return -1;
	}
	if (rc < 0) {
		listing_done(&readback.listing);
		return -1;
	}
	*ret_listing = readback.listing;
	return 0;
}

/* --- generations --- */

static int remove_helpers(struct restore *restore, struct error *err)
{
	json_t *filter = json_pack(
		"{s:[s, o, o]}", "label", LABEL_HELPER,
		json_string(
			arena_printf(restore->arena, LABEL_PROJECT "=%s", restore->pass->project)),
		json_string(arena_printf(restore->arena, LABEL_NAME "=%s", restore->volume->name)));
	CLEANUP(cleanup_free) char *text = json_dumps(filter, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?all=1&filters=%s", text);
	json_t *list = NULL, *container;
	size_t i;
	int rc = 0;

	json_decref(filter);
	if (engine_get(restore->pass->engine, path, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, container) {
		const char *id = json_string_value(json_object_get(container, "Id"));
		CLEANUP(cleanup_free)
		char *one = engine_path("/containers/%s?force=1", id ? id : "");

		if (id && engine_delete(restore->pass->engine, one, err) < 0 &&
		    err->code != ERROR_NOT_FOUND)
			rc = -1;
	}
	json_decref(list);
	return rc;
}

/* What a restore that died has left: its helper, and the generation it was filling. A whole
 * generation is never touched, and one that is mounted the engine itself keeps. */
static int remove_unfinished(struct restore *restore, struct error *err)
{
	const struct observed *observed = &restore->pass->observed;

	if (remove_helpers(restore, err) < 0)
		return -1;
	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];
		struct error kept = ERROR_INIT;

		if (object->kind != restore->volume->kind || !object->ours || !object->unfinished ||
		    !str_eq(object->own.name, restore->volume->name))
			continue;
		CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", object->engine_name);
		if (engine_delete(restore->pass->engine, path, &kept) < 0)
			log_debug(restore->pass->log, "%s", kept.text);
	}
	return 0;
}

static int find_volume(struct restore *restore, const char *name, json_t **ret_volume,
		       struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);

	*ret_volume = NULL;
	if (engine_get(restore->pass->engine, path, ret_volume, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return error_wrap(err, "inspect volume %s", name);
	error_clear(err);
	return 0;
}

static const char *marker_of(const struct restore *restore)
{
	return arena_printf(restore->pass->arena, "%s" VOLUME_VERIFIED, restore->target);
}

/* Nor may there be a marker of that name, left of a generation that is gone: an engine relabels
 * none, so that it would never speak for the new one. */
static int is_taken(struct restore *restore, bool *ret_taken, struct error *err)
{
	json_t *volume, *marker = NULL;

	if (find_volume(restore, restore->target, &volume, err) < 0)
		return -1;
	int rc = volume ? 0 : find_volume(restore, marker_of(restore), &marker, err);
	*ret_taken = volume || marker;
	json_decref(volume);
	json_decref(marker);
	return rc;
}

/* The first generation above all that there are whose name nobody has. */
static int choose_generation(struct restore *restore, int *ret_generation, struct error *err)
{
	const struct observed *observed = &restore->pass->observed;
	bool taken = true;
	int generation = 1;

	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (object->kind == restore->volume->kind && object->ours &&
		    str_eq(object->own.name, restore->volume->name) &&
		    object->own.generation > generation)
			generation = object->own.generation;
	}
	while (taken) {
		generation++;
		restore->target =
			volume_generation_name(restore->volume, generation, restore->pass->arena);
		if (is_taken(restore, &taken, err) < 0)
			return -1;
	}
	*ret_generation = generation;
	return 0;
}

static json_t *helper_labels(const struct restore *restore)
{
	return json_pack("{s:s, s:s, s:s, s:s}", LABEL_PROJECT, restore->pass->project, LABEL_KIND,
			 "Volume", LABEL_NAME, restore->volume->name, LABEL_REPLACES,
			 restore->target);
}

struct unpacking {
	const struct pass_hooks *hooks;
	struct archive_reader *reader;
};

static ssize_t unpack(void *ctx, char *buf, size_t room, struct error *err)
{
	const struct unpacking *unpacking = ctx;
	const struct pass_hooks *hooks = unpacking->hooks;

	if (hooks->cancelled && hooks->cancelled(hooks->ctx))
		return error_set(err, ERROR_CANCELLED, "interrupted");
	return archive_read(unpacking->reader, buf, room, err);
}

static int fill(struct restore *restore, struct helper *helper, struct error *err)
{
	const char *path = store_path(restore->arena, &restore->place, restore->id, ".tar.zst");
	struct unpacking unpacking = { .hooks = &restore->pass->hooks };
	struct listing found;

	if (archive_open(path, &unpacking.reader, err) < 0)
		return -1;
	int rc = helper_write(helper, unpack, &unpacking, err);
	archive_close(unpacking.reader);
	if (rc < 0)
		return error_wrap(err, "unpack %s into %s", path, restore->target);
	if (read_back(helper, &found, err) < 0)
		return -1;
	rc = listing_compare(&restore->listing, &found, err);
	listing_done(&found);
	return rc < 0 ? error_wrap(err, "the restored volume %s", restore->target) : 0;
}

/* Engines answer a create for a name that is taken with what is there, and success: only the
 * label tells whether it is this generation that is marked. */
static int check_marker(struct restore *restore, struct error *err)
{
	json_t *marker;
	int rc = 0;

	if (find_volume(restore, marker_of(restore), &marker, err) < 0)
		return -1;
	const char *uid = json_string_value(
		json_object_get(json_object_get(marker, "Labels"), LABEL_VERIFIED));
	if (!marker)
		rc = error_set(err, ERROR_NOT_FOUND, "volume %s is gone after its creation",
			       marker_of(restore));
	else if (!str_eq(uid, restore->uid))
		rc = error_set(err, ERROR_CONFLICT,
			       "volume %s is there and was not made for this restore; remove it, "
			       "then restore anew",
			       marker_of(restore));
	json_decref(marker);
	return rc;
}

/* Says for good that the generation is whole: see volume_current(). */
static int mark_verified(struct restore *restore, struct error *err)
{
	enum { ATTEMPTS = 2 };
	json_t *body =
		json_pack("{s:s, s:{s:s, s:s}}", "Name", marker_of(restore), "Labels",
			  LABEL_PROJECT, restore->pass->project, LABEL_VERIFIED, restore->uid);
	int rc = -1;

	for (int attempt = 0; rc < 0 && attempt < ATTEMPTS; attempt++) {
		rc = engine_post(restore->pass->engine, "/volumes/create", body, NULL, err);
		if (rc < 0 && !call_is_lost(err))
			break;
		error_clear(err);
		rc = check_marker(restore, err);
		if (rc < 0 && err->code != ERROR_NOT_FOUND)
			break;
	}
	json_decref(body);
	return rc;
}

static void remove_volume(struct restore *restore, const char *name)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);
	struct error ignored = ERROR_INIT;

	if (engine_delete(restore->pass->engine, path, &ignored) < 0)
		log_debug(restore->pass->log, "%s", ignored.text);
}

static int into_generation(struct restore *restore, struct error *err)
{
	json_t *labels = helper_labels(restore);
	struct helper_options options = {
		.name = arena_printf(restore->arena, "drey-restore-%s", restore->target),
		.volume = restore->target,
		.labels = labels,
		.volume_create = restore->create,
	};
	struct error closing = ERROR_INIT;
	struct helper *helper;
	int rc = helper_open(restore->pass->engine, &options, &helper, err);

	json_decref(labels);
	if (rc < 0)
		return -1;
	rc = fill(restore, helper, err);
	if (rc == 0)
		rc = mark_verified(restore, err);
	/* A helper that stays takes nothing from a whole generation: the next restore removes it.
	 */
	if (helper_close(helper, &closing) < 0)
		log_debug(restore->pass->log, "%s", closing.text);
	if (rc < 0) {
		/* The answer alone may have been lost. Without its marker it counts for nothing. */
		remove_volume(restore, marker_of(restore));
		remove_volume(restore, restore->target);
	}
	return rc;
}

static int prepare(struct restore *restore, const json_t *record, struct error *err)
{
	const char *expected = json_string_value(json_object_get(record, "sha256"));
	char digest[SHA256_HEX];
	int generation;

	if (archive_digest(store_path(restore->arena, &restore->place, restore->id, ".tar.zst"),
			   digest, err) < 0)
		return -1;
	if (!str_eq(expected, digest))
		return error_set(err, ERROR_INVALID,
				 "backup %s is damaged: its archive no longer has the SHA-256 of "
				 "its record; restore another",
				 restore->id);
	if (listing_load(store_path(restore->arena, &restore->place, restore->id, ".files.jsonl"),
			 &restore->listing, err) < 0 ||
	    remove_unfinished(restore, err) < 0 || choose_generation(restore, &generation, err) < 0)
		return -1;
	return volume_create_body(restore->pass, restore->volume, generation, restore->uid,
				  &restore->create, err);
}

int backup_restore(struct pass *pass, const struct resource *backup, const struct resource *volume,
		   const json_t *record, const char **ret_generation, struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct restore restore = {
		.pass = pass,
		.volume = volume,
		.place = { .dir = resource_string(backup, "directory"),
			   .project = pass->project,
			   .host = json_string_value(json_object_get(record, "host")),
			   .volume = json_string_value(json_object_get(record, "volume")) },
		.id = json_string_value(json_object_get(record, "id")),
		.arena = arena,
	};
	int rc;

	if (!restore.place.host || !restore.place.volume || !restore.id ||
	    strchr(restore.id, '/') || strchr(restore.place.host, '/') ||
	    strchr(restore.place.volume, '/'))
		return error_set(err, ERROR_INVALID, "the backup's record is damaged");
	rc = prepare(&restore, record, err);
	if (rc == 0)
		rc = into_generation(&restore, err);
	if (rc == 0)
		*ret_generation = restore.target;
	else
		error_wrap(err, "restore Volume/%s@%s from %s", volume->name,
			   pass->desired->host->name, restore.id);
	json_decref(restore.create);
	listing_done(&restore.listing);
	return rc;
}
