/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observing a host: the list of containers first, since it leads to the inspects, then the other
 * lists, /info and the wanted images, all in parallel. An answer is turned into what later steps
 * need as soon as it is there and then dropped, so that memory follows the number of requests in
 * flight and not the number of objects.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container.h"

struct pass_request {
	struct pass_request *next;
	const char *path;
	int (*done)(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		    struct error *err);
	size_t bytes_max; /* not 0: with this instead of `done` */
	int (*done_bytes)(struct pass *pass, void *ctx, const char *bytes, size_t len,
			  const struct error *failed, struct error *err);
	void *ctx;
	char *auth; /* for the registry, or NULL */
};

static struct pass_request *enqueue(struct pass *pass, const struct pass_request *wanted)
{
	struct pass_request *request = arena_new_of(pass->arena, struct pass_request);

	*request = *wanted;
	request->path = arena_strdup(pass->arena, wanted->path);
	if (pass->queue)
		pass->queue_end->next = request;
	else
		pass->queue = request;
	pass->queue_end = request;
	return request;
}

void pass_queue(struct pass *pass, const char *path,
		int (*done)(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
			    struct error *err),
		void *ctx)
{
	enqueue(pass, &(struct pass_request){ .path = path, .done = done, .ctx = ctx });
}

void pass_queue_bytes(struct pass *pass, const char *path, size_t bytes_max,
		      int (*done)(struct pass *pass, void *ctx, const char *bytes, size_t len,
				  const struct error *failed, struct error *err),
		      void *ctx)
{
	enqueue(pass,
		&(struct pass_request){
			.path = path, .bytes_max = bytes_max, .done_bytes = done, .ctx = ctx });
}

void pass_queue_registry(struct pass *pass, const char *path, const char *auth,
			 int (*done)(struct pass *pass, void *ctx, json_t *reply,
				     const struct error *failed, struct error *err),
			 void *ctx)
{
	struct pass_request *request =
		enqueue(pass, &(struct pass_request){ .path = path, .done = done, .ctx = ctx });

	request->auth = auth ? arena_strdup(pass->arena, auth) : NULL;
}

static int image_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		      struct error *err);

/* The queue as a feed of requests. */
struct reads {
	struct pass *pass;
	struct read {
		struct engine_request request; /* first: what ends is found by it */
		struct pass_request *queued;
		struct read *next_free;
	} * free;
};

static struct engine_request *next_read(void *ctx)
{
	struct reads *reads = ctx;
	struct pass *pass = reads->pass;
	struct read *read = reads->free;

	/* What the answer for its name has told needs no asking by its ID. */
	while (pass->queue && pass->queue->done == image_read && pass_image(pass, pass->queue->ctx))
		pass->queue = pass->queue->next;
	if (!pass->queue)
		return NULL;
	/* As many as are in flight at once, used again and again. */
	if (read)
		reads->free = read->next_free;
	else
		read = arena_new_of(pass->arena, struct read);
	read->queued = pass->queue;
	pass->queue = pass->queue->next;
	read->request = (struct engine_request){
		.method = "GET",
		.path = read->queued->path,
		.registry_auth = read->queued->auth,
		.bytes_max = read->queued->bytes_max,
	};
	return &read->request;
}

static int end_read(void *ctx, struct engine_request *request, struct error *err)
{
	struct reads *reads = ctx;
	struct pass *pass = reads->pass;
	struct read *read = (struct read *)request;
	const struct pass_request *queued = read->queued;
	const struct error *failed = request->err.code != ERROR_NONE ? &request->err : NULL;
	int ret;

	if (pass->hooks.cancelled && pass->hooks.cancelled(pass->hooks.ctx))
		ret = error_set(err, ERROR_CANCELLED, "interrupted");
	else if (queued->bytes_max)
		ret = queued->done_bytes(pass, queued->ctx, failed ? NULL : request->bytes,
					 request->bytes_len, failed, err);
	else
		ret = queued->done(pass, queued->ctx, failed ? NULL : request->reply, failed, err);
	json_decref(request->reply);
	free(request->bytes);
	if (queued->auth)
		explicit_bzero(queued->auth, strlen(queued->auth));
	read->next_free = reads->free;
	reads->free = read;
	return ret;
}

static int drain(struct pass *pass, struct error *err)
{
	struct reads reads = { .pass = pass };
	struct engine_feed feed = { .ctx = &reads, .next = next_read, .done = end_read };

	return engine_perform_feed(pass->engine, &feed, err);
}

static void release(void *json)
{
	json_decref(json);
}

static int fail(struct error *err, const struct error *failed, const char *what)
{
	*err = *failed;
	return error_wrap(err, "%s", what);
}

/* --- what every pass reads --- */

static int info_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		     struct error *err)
{
	(void)ctx;
	if (failed)
		return fail(err, failed, "read the engine's info");
	if (!json_is_object(reply))
		return error_set(err, ERROR_REMOTE, "the engine's info is no object");
	pass->observed.info = json_incref(reply);
	arena_defer(pass->arena, release, reply);
	return 0;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	/* FNV-1a; the end of a text counts too. */
	do {
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	} while (*text++);
	return hash;
}

static uint64_t hash_names(uint64_t hash, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		hash = hash_text(hash, json_string_value(value));
	json_array_foreach (value, i, item)
		hash = hash_names(hash, item);
	return hash;
}

/* Of what names the objects of an engine's list, in whatever order they come: containers and
 * networks by ID and name, volumes by name and the time they were made. */
static uint64_t hash_list(const json_t *list)
{
	static const char *const keys[] = { "Id", "Names", "Name", "CreatedAt" };
	const json_t *items = json_is_array(list) ? list : json_object_get(list, "Volumes");
	const json_t *item;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach (items, i, item) {
		uint64_t hash = 0xcbf29ce484222325;

		if (json_object_get(json_object_get(item, "Labels"), LABEL_LEASE))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(keys); j++)
			hash = hash_names(hash, json_object_get(item, keys[j]));
		sum += hash;
	}
	return sum;
}

static int list_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		     struct error *err)
{
	const struct reconciler *reconciler = ctx;

	if (failed)
		return fail(err, failed,
			    arena_printf(pass->arena, "list objects of kind %s",
					 reconciler->kind.name));
	pass->observed.names += hash_list(reply);
	return reconciler->listed(pass, reply, err);
}

int pass_observe(struct pass *pass, struct error *err)
{
	size_t count;
	const struct reconciler *const *all = reconcilers_all(&count);

	pass->observed = (struct observed){ .images = json_object(),
					    .engine_api = engine_api(pass->engine) };
	arena_defer(pass->arena, release, pass->observed.images);
	if (!pass->digests) {
		pass->digests = json_object();
		arena_defer(pass->arena, release, pass->digests);
	}
	pass->queue = NULL;
	/* Containers, the last kind, lead to the most: their list goes out on the connection that
	 * is open already. Which images are wanted is known before the first answer comes. */
	for (size_t i = count; i-- > 0;) {
		if (all[i]->list_path)
			pass_queue(pass, all[i]->list_path, list_read, (void *)all[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (all[i]->prepare)
			all[i]->prepare(pass);
	}
	pass_queue(pass, "/info", info_read, NULL);
	if (drain(pass, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (all[i]->observed && all[i]->observed(pass, err) < 0)
			return -1;
	}
	return 0;
}

struct recount {
	uint64_t names;
};

static int count_names(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		       struct error *err)
{
	struct recount *recount = ctx;

	(void)pass;
	if (failed)
		return fail(err, failed, "list what the host has");
	recount->names += hash_list(reply);
	return 0;
}

int pass_has_moved(struct pass *pass, bool *ret_moved, struct error *err)
{
	size_t count;
	const struct reconciler *const *all = reconcilers_all(&count);
	struct recount recount = { 0 };

	pass->queue = NULL;
	for (size_t i = 0; i < count; i++) {
		if (all[i]->list_path)
			pass_queue(pass, all[i]->list_path, count_names, &recount);
	}
	if (drain(pass, err) < 0)
		return -1;
	*ret_moved = recount.names != pass->observed.names;
	return 0;
}

/* --- images --- */

static json_t *trim_image(const json_t *inspect)
{
	static const char *const kept[] = { "Id", "RepoTags",	  "RepoDigests", "Config",
					    "Os", "Architecture", "Variant",	 "Created" };
	json_t *image = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		json_t *value = json_object_get(inspect, kept[i]);

		if (value)
			json_object_set(image, kept[i], value);
	}
	return image;
}

static int image_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		      struct error *err)
{
	const char *reference = ctx, *id;
	json_t *image;

	/* What is no reference at all can't be on the host either; pulling it says why. */
	if (failed && (failed->code == ERROR_NOT_FOUND || failed->code == ERROR_INVALID))
		return 0;
	if (failed)
		return fail(err, failed, arena_printf(pass->arena, "inspect image %s", reference));
	id = json_string_value(json_object_get(reply, "Id"));
	if (!id)
		return error_set(err, ERROR_REMOTE, "inspect image %s: the answer has no Id",
				 reference);
	image = trim_image(reply);
	json_object_set(pass->observed.images, reference, image);
	json_object_set_new(pass->observed.images, id, image);
	return 0;
}

void pass_queue_image(struct pass *pass, const char *reference)
{
	CLEANUP(cleanup_free) char *path = NULL;

	if (json_object_get(pass->observed.images, reference))
		return;
	json_object_set_new(pass->observed.images, reference, json_null());
	path = engine_path("/images/%s/json", reference);
	pass_queue(pass, path, image_read, arena_strdup(pass->arena, reference));
}

const json_t *pass_image(const struct pass *pass, const char *reference)
{
	const json_t *image = reference ? json_object_get(pass->observed.images, reference) : NULL;

	return json_is_object(image) ? image : NULL;
}

/* --- objects --- */

bool pass_read_ownership(const struct pass *pass, struct object *object, const json_t *image_labels)
{
	object->ours = ownership_read(object->labels, image_labels, &object->own) &&
		       str_eq(object->own.project, pass->project) &&
		       str_eq(object->own.kind, object->kind->name);
	for (size_t i = 0; object->ours && pass->desired && i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		if (want->kind == object->kind && resource_was(want, object->own.name)) {
			object->own.name = want->name;
			break;
		}
	}
	return object->ours;
}

struct object *pass_add_object(struct pass *pass, const struct kind *kind, const char *id,
			       const char *engine_name, const json_t *labels)
{
	struct observed *observed = &pass->observed;
	struct object *object = arena_new_of(pass->arena, struct object);
	json_t *kept = json_is_object(labels) ? json_incref((json_t *)labels) : json_object();

	arena_defer(pass->arena, release, kept);
	object->kind = kind;
	object->id = arena_strdup(pass->arena, id);
	object->engine_name = arena_strdup(pass->arena, engine_name);
	object->labels = kept;
	pass_read_ownership(pass, object, NULL);
	if (observed->count == observed->room) {
		size_t room = observed->room ? 2 * observed->room : 64;
		struct object **objects =
			arena_alloc(pass->arena, room * sizeof(*observed->objects));

		if (observed->count)
			memcpy(objects, observed->objects, observed->count * sizeof(*objects));
		observed->objects = objects;
		observed->room = room;
	}
	observed->objects[observed->count++] = object;
	return object;
}

struct object *pass_find_engine_name(const struct pass *pass, const struct kind *kind,
				     const char *engine_name)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		struct object *object = pass->observed.objects[i];

		if (object->kind == kind && str_eq(object->engine_name, engine_name))
			return object;
	}
	return NULL;
}

/* How good a claim an object has to a name that its label says: a later generation of a volume
 * before an earlier one, the rightly named one before others, what is half way through a
 * replacement last. */
static int claim_rank(const struct object *object, const char *engine_name)
{
	int rank = object->own.generation * 4;

	if (str_eq(object->engine_name, engine_name))
		return rank + 3;
	if (str_has_suffix(object->engine_name, CONTAINER_OLD))
		return rank + 1;
	return container_is_leftover(object->engine_name) ? rank : rank + 2;
}

struct object *pass_find_ours(const struct pass *pass, const struct kind *kind, const char *name)
{
	const struct resource *want = desired_find(pass->desired, kind->name, name);
	const char *engine_name = want ? resource_engine_name(want) : name;
	struct object *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < pass->observed.count; i++) {
		struct object *object = pass->observed.objects[i];

		if (object->kind != kind || !object->ours || object->unfinished ||
		    !str_eq(object->own.name, name))
			continue;
		int rank = claim_rank(object, engine_name);
		if (rank > best_rank) {
			best = object;
			best_rank = rank;
		}
	}
	return best;
}

const char *resource_engine_name(const struct resource *resource)
{
	static const char *const rows[] = { "container_name", "name" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name = schema_field(resource->kind->spec, rows[i])
					   ? json_string_value(resource_get(resource, rows[i]))
					   : NULL;

		if (name)
			return name;
	}
	return resource->name;
}

bool resource_adopts(const struct resource *resource)
{
	return json_is_true(json_object_get(resource->metadata, "adopt"));
}

void pass_progress(struct pass *pass, const struct action *action, const char *text)
{
	struct progress progress = {
		.kind = PROGRESS_STEP,
		.host = engine_name(pass->engine),
		.resource = arena_printf(pass->arena, "%s/%s", action->kind->name, action->name),
		.text = text,
	};

	if (pass->hooks.progress)
		pass->hooks.progress(pass->hooks.ctx, &progress);
}
