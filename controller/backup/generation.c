/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/generation.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_calls.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- reading it back while the engine sends it --- */

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
			return error_errno(err, errno, "list the volume's files");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int generation_list(struct helper *helper, struct listing *ret_listing, struct error *err)
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

/* --- what a run that was killed has left --- */

static int delete_at(struct pass *pass, const char *path, struct error *err)
{
	if (engine_delete(pass->engine, path, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 0;
}

static void remove_volume(struct pass *pass, const char *name)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);
	struct error kept = ERROR_INIT;

	if (delete_at(pass, path, &kept) < 0)
		log_debug(pass->log, "%s", kept.text);
}

static const char *marker_of(const struct pass *pass, const char *name)
{
	return arena_printf(pass->arena, "%s" VOLUME_VERIFIED, name);
}

static int find_volume(struct pass *pass, const char *name, json_t **ret_volume, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);

	*ret_volume = NULL;
	if (engine_get(pass->engine, path, ret_volume, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return error_wrap(err, "inspect volume %s", name);
	error_clear(err);
	return 0;
}

/* Asked of the engine now: a drey may have marked it, and died, since it was looked at. */
static int is_half_filled(struct pass *pass, const char *name, const char *volume, bool *ret_half,
			  struct error *err)
{
	json_t *there, *marker = NULL;

	if (find_volume(pass, name, &there, err) < 0)
		return -1;
	int rc = find_volume(pass, marker_of(pass, name), &marker, err);
	const json_t *labels = json_object_get(there, "Labels");
	const json_t *marks = json_object_get(json_object_get(marker, "Labels"), LABEL_VERIFIED);
	const char *uid = json_string_value(json_object_get(labels, LABEL_UID));
	const char *number = json_string_value(json_object_get(labels, LABEL_GENERATION));
	/* The first one has no marker, and is never filled so. */
	*ret_half =
		rc == 0 && uid && volume && number && !str_eq(number, "1") &&
		str_eq(json_string_value(json_object_get(labels, LABEL_PROJECT)), pass->project) &&
		str_eq(json_string_value(json_object_get(labels, LABEL_NAME)), volume) &&
		!str_eq(json_string_value(marks), uid);
	json_decref(there);
	json_decref(marker);
	return rc;
}

/* The helper first: a volume that is mounted the engine keeps. It was never started, and by no
 * force: what runs is none, whatever its labels say. */
static int remove_helper(struct pass *pass, const json_t *helper, struct error *err)
{
	const char *id = json_string_value(json_object_get(helper, "Id"));
	const json_t *labels = json_object_get(helper, "Labels");
	const char *volume = json_string_value(json_object_get(labels, LABEL_NAME));
	const char *name = json_string_value(json_object_get(labels, LABEL_REPLACES));
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s", id ? id : "");
	bool half = false;

	if (!id || !str_eq(json_string_value(json_object_get(helper, "State")), "created"))
		return 0;
	if (name && is_half_filled(pass, name, volume, &half, err) < 0)
		return -1;
	if (delete_at(pass, path, err) < 0)
		return -1;
	if (half) {
		remove_volume(pass, marker_of(pass, name));
		remove_volume(pass, name);
	}
	return 0;
}

/* A generation that was being filled is known by the helper that stands on it. One that has none
 * and is not marked may have served, and lost its marker to `docker volume prune`: it stays, and
 * the plan lists it. */
int generation_clear(struct pass *pass, const char *volume, struct error *err)
{
	json_t *labels = json_pack(
		"[s, o]", LABEL_HELPER,
		json_string(arena_printf(pass->arena, LABEL_PROJECT "=%s", pass->project)));
	json_t *list = NULL, *helper;
	size_t i;
	int rc = 0;

	if (volume)
		json_array_append_new(
			labels, json_string(arena_printf(pass->arena, LABEL_NAME "=%s", volume)));
	json_t *filter = json_pack("{s:o}", "label", labels);
	CLEANUP(cleanup_free) char *text = json_dumps(filter, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?all=1&filters=%s", text);

	json_decref(filter);
	if (engine_get(pass->engine, path, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, helper)
		if (rc == 0)
			rc = remove_helper(pass, helper, err);
	json_decref(list);
	return rc;
}

/* --- a name of its own --- */

/* Nor may there be a marker of that name, left of a generation that is gone: an engine relabels
 * none, so that it would never speak for the new one. */
static int is_taken(struct pass *pass, const char *name, bool *ret_taken, struct error *err)
{
	json_t *volume, *marker = NULL;

	if (find_volume(pass, name, &volume, err) < 0)
		return -1;
	int rc = volume ? 0 : find_volume(pass, marker_of(pass, name), &marker, err);
	*ret_taken = volume || marker;
	json_decref(volume);
	json_decref(marker);
	return rc;
}

/* The first generation above all that there are whose name nobody has. */
static int choose_name(struct generation *generation, struct error *err)
{
	struct pass *pass = generation->pass;
	const struct observed *observed = &pass->observed;
	bool taken = true;

	generation->number = 1;
	for (size_t i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (object->kind == generation->volume->kind && object->ours &&
		    str_eq(object->own.name, generation->volume->name) &&
		    object->own.generation > generation->number)
			generation->number = object->own.generation;
	}
	while (taken) {
		generation->number++;
		generation->name =
			volume_generation_name(generation->volume, generation->number, pass->arena);
		if (is_taken(pass, generation->name, &taken, err) < 0)
			return -1;
	}
	return 0;
}

int generation_prepare(struct generation *generation, struct pass *pass,
		       const struct resource *volume, struct error *err)
{
	*generation = (struct generation){ .pass = pass, .volume = volume };
	if (generation_clear(pass, volume->name, err) < 0 || choose_name(generation, err) < 0)
		return -1;
	return volume_create_body(pass, volume, generation->number, generation->uid,
				  &generation->create, err);
}

int generation_open(const struct generation *generation, struct engine *engine,
		    struct helper **ret_helper, struct error *err)
{
	struct pass *pass = generation->pass;
	json_t *labels = json_pack("{s:s, s:s, s:s, s:s}", LABEL_PROJECT, pass->project, LABEL_KIND,
				   "Volume", LABEL_NAME, generation->volume->name, LABEL_REPLACES,
				   generation->name);
	struct helper_options options = {
		.name = arena_printf(pass->arena, "drey-restore-%s", generation->name),
		.volume = generation->name,
		.labels = labels,
		.volume_create = generation->create,
	};
	int rc = helper_open(engine, &options, ret_helper, err);

	json_decref(labels);
	return rc;
}

/* --- the marker --- */

/* Engines answer a create for a name that is taken with what is there, and success: only the
 * label tells whether it is this generation that is marked. */
static int check_marker(const struct generation *generation, const char *name, struct error *err)
{
	json_t *marker;
	int rc = 0;

	if (find_volume(generation->pass, name, &marker, err) < 0)
		return -1;
	const char *uid = json_string_value(
		json_object_get(json_object_get(marker, "Labels"), LABEL_VERIFIED));
	if (!marker)
		rc = error_set(err, ERROR_NOT_FOUND, "volume %s is gone after its creation", name);
	else if (!str_eq(uid, generation->uid))
		rc = error_set(err, ERROR_CONFLICT,
			       "volume %s is there and was not made for this generation; remove "
			       "it, then try again",
			       name);
	json_decref(marker);
	return rc;
}

int generation_mark(const struct generation *generation, const json_t *labels, struct error *err)
{
	enum { ATTEMPTS = 2 };
	struct pass *pass = generation->pass;
	const char *name = marker_of(pass, generation->name);
	json_t *body = json_pack("{s:s, s:{s:s, s:s}}", "Name", name, "Labels", LABEL_PROJECT,
				 pass->project, LABEL_VERIFIED, generation->uid);
	int rc = -1;

	if (labels)
		json_object_update(json_object_get(body, "Labels"), (json_t *)labels);
	for (int attempt = 0; rc < 0 && attempt < ATTEMPTS; attempt++) {
		rc = engine_post(pass->engine, "/volumes/create", body, NULL, err);
		if (rc < 0 && !call_is_lost(err))
			break;
		error_clear(err);
		rc = check_marker(generation, name, err);
		if (rc < 0 && err->code != ERROR_NOT_FOUND)
			break;
	}
	json_decref(body);
	return rc;
}

void generation_drop(const struct generation *generation)
{
	/* The answer alone may have been lost. Without its marker it counts for nothing. */
	remove_volume(generation->pass, marker_of(generation->pass, generation->name));
	remove_volume(generation->pass, generation->name);
}

void generation_announce(const struct generation *generation)
{
	struct pass *pass = generation->pass;

	pass_add_object(pass, generation->volume->kind, generation->name, generation->name,
			json_object_get(generation->create, "Labels"));
}

void generation_done(struct generation *generation)
{
	json_decref(generation->create);
	generation->create = NULL;
}
