/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/users.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/container_hooks.h"

#include <poll.h>
#include <string.h>

enum {
	/* The engine kills after the container's own grace period; this is for a dead engine. */
	STOP_TIMEOUT_MS = 15 * 60 * 1000,
	/* A host that is cut off for a moment must not cost it its services. */
	RELEASE_MS = 2 * 60 * 1000,
	RELEASE_AGAIN_MS = 1000,
};

static size_t rank_of(const struct pass *pass, const char *name)
{
	for (size_t i = 0; name && i < pass->desired->count; i++) {
		const struct resource *resource = pass->desired->resources[i];

		if (strcmp(resource->kind->name, "Container") == 0 &&
		    strcmp(resource->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* One that runs once: stopping it would cut it short, and starting it run it again. */
static bool is_job(const struct pass *pass, size_t rank)
{
	return rank != SIZE_MAX &&
	       str_eq(container_wanted_state(pass->desired->resources[rank]), "completed");
}

/* Its manifest; NULL: none of ours. */
static const struct resource *want_of(const struct pass *pass, const struct user *user)
{
	return user->ours && user->rank != SIZE_MAX ? pass->desired->resources[user->rank] : NULL;
}

static bool mounts(const json_t *container, const char *volume, bool *ret_writes)
{
	const json_t *mount;
	size_t i;

	json_array_foreach (json_object_get(container, "Mounts"), i, mount) {
		if (!str_eq(json_string_value(json_object_get(mount, "Type")), "volume") ||
		    !str_eq(json_string_value(json_object_get(mount, "Name")), volume))
			continue;
		*ret_writes = json_is_true(json_object_get(mount, "RW"));
		return true;
	}
	return false;
}

static int by_rank(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static struct user *add(const struct pass *pass, struct users *users, const char *id,
			const char *name, const struct ownership *own)
{
	size_t rank = rank_of(pass, own->name);

	users->items = xreallocarray(users->items, users->count + 1, sizeof(*users->items));
	users->items[users->count] = (struct user){
		.id = xstrdup(id),
		.name = xstrdup(name),
		.rank = rank,
		.ours = str_eq(own->project, pass->project),
		.job = str_eq(own->project, pass->project) && is_job(pass, rank),
	};
	return &users->items[users->count++];
}

/* An element of GET /containers/json; NULL when it is none. */
static struct user *add_listed(const struct pass *pass, struct users *users,
			       const json_t *container)
{
	const char *id = json_string_value(json_object_get(container, "Id"));
	const char *name =
		json_string_value(json_array_get(json_object_get(container, "Names"), 0));
	const char *state = json_string_value(json_object_get(container, "State"));
	struct ownership own = { 0 };

	if (!id || !name)
		return NULL;
	if (!ownership_read(json_object_get(container, "Labels"), NULL, &own))
		own = (struct ownership){ 0 };
	struct user *user = add(pass, users, id, name + (name[0] == '/'), &own);
	user->paused = str_eq(state, "paused");
	return user;
}

static void add_mounting(const struct pass *pass, struct users *users, const json_t *list,
			 const char *engine_volume)
{
	const json_t *container;
	size_t i;

	json_array_foreach (list, i, container) {
		bool writes = false;

		/* The engine's filter also matches a mount point of that name. */
		if (!mounts(container, engine_volume, &writes))
			continue;
		struct user *user = add_listed(pass, users, container);
		if (user)
			user->writes = writes;
	}
}

int users_find(struct pass *pass, const char *engine_volume, struct users *ret_users,
	       struct error *err)
{
	json_t *filter = json_pack("{s:[s], s:[s,s,s]}", "volume", engine_volume, "status",
				   "running", "paused", "restarting");
	CLEANUP(cleanup_free) char *text = json_dumps(filter, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?filters=%s", text);
	json_t *list = NULL;

	json_decref(filter);
	if (engine_get(pass->engine, path, &list, err) < 0)
		return error_wrap(err, "ask who uses volume %s", engine_volume);
	*ret_users = (struct users){ 0 };
	add_mounting(pass, ret_users, list, engine_volume);
	json_decref(list);
	return 0;
}

static bool has_user(const struct users *users, const char *id)
{
	for (size_t i = 0; i < users->count; i++)
		if (strcmp(users->items[i].id, id) == 0)
			return true;
	return false;
}

static bool shares_network(const json_t *container, const char *id)
{
	const char *mode = json_string_value(
		json_object_get(json_object_get(container, "HostConfig"), "NetworkMode"));

	return mode && str_has_prefix(mode, "container:") &&
	       strcmp(mode + strlen("container:"), id) == 0;
}

static void add_sharers_of(const struct pass *pass, struct users *users, size_t index,
			   const json_t *list)
{
	const struct observed *observed = &pass->observed;
	const json_t *container;
	size_t i;

	json_array_foreach (list, i, container) {
		const char *id = json_string_value(json_object_get(container, "Id"));

		if (!id || has_user(users, id) ||
		    !shares_network(container, users->items[index].id))
			continue;
		struct user *user = add_listed(pass, users, container);
		if (user)
			user->shares = true;
	}
	/* Whose processes and memory it shares the list does not tell. */
	for (i = 0; i < observed->count; i++) {
		const struct object *object = observed->objects[i];

		if (!object->ours || has_user(users, object->id) ||
		    !container_shares(object, users->items[index].id, users->items[index].name))
			continue;
		struct user *user = add(pass, users, object->id, object->engine_name, &object->own);
		user->shares = true;
		user->paused = str_eq(object->state, "paused");
	}
}

/* A container that is stopped and started gets new namespaces: those that share the old ones would
 * be left in them, without a network. */
static int add_sharers(struct pass *pass, struct users *users, struct error *err)
{
	json_t *list = NULL;

	if (users->count == 0)
		return 0;
	if (engine_get(pass->engine, "/containers/json", &list, err) < 0)
		return error_wrap(err, "ask who shares namespaces");
	for (size_t i = 0; i < users->count; i++)
		if (users->items[i].ours)
			add_sharers_of(pass, users, i, list);
	json_decref(list);
	return 0;
}

static int post(struct pass *pass, const struct user *user, const char *verb, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/%s", user->id, verb);
	struct engine_request request = {
		.method = "POST",
		.path = path,
		.timeout_ms = STOP_TIMEOUT_MS,
	};
	int rc = engine_perform(pass->engine, &request, err);

	json_decref(request.reply);
	return rc < 0 ? error_wrap(err, "%s container %s", verb, user->name) : 0;
}

static int refuse_one(const struct users *users, const struct user *user, struct error *err)
{
	const char *otherwise = NULL;

	if (!user->ours && user->writes) {
		error_set(err, ERROR_REFUSED,
			  "container %s writes to the volume and is not drey's to stop; stop it "
			  "yourself",
			  user->name);
		otherwise = "or say `while: running` and take a copy that may be torn";
	} else if (!user->ours && user->shares) {
		error_set(err, ERROR_REFUSED,
			  "container %s shares the namespaces of one that would be stopped, would "
			  "lose them, and is not drey's to stop; stop it yourself",
			  user->name);
		otherwise = "or say `while: paused`";
	} else if (user->job && users->quiesce == QUIESCE_STOP) {
		error_set(err, ERROR_REFUSED,
			  "container %s is a job that is just running (state: completed), and a "
			  "stop would cut it short; try again when it has completed",
			  user->name);
		otherwise = "or say `while: paused`";
	}
	if (!otherwise)
		return 0;
	return users->no_choice ? -1 : error_hint(err, "%s", otherwise);
}

static int refuse(const struct users *users, struct error *err)
{
	for (size_t i = 0; i < users->count; i++) {
		if (refuse_one(users, &users->items[i], err) < 0)
			return -1;
	}
	return 0;
}

static int hold(struct pass *pass, struct user *user, enum quiesce quiesce, struct error *err)
{
	if (quiesce == QUIESCE_STOP &&
	    container_pre_stop(pass, NULL, want_of(pass, user), user->id, err) < 0)
		return error_wrap(err, "stop container %s", user->name);
	/* Held even if the answer was lost: starting what runs is harmless. */
	user->held = true;
	int rc = post(pass, user, quiesce == QUIESCE_PAUSE ? "pause" : "stop", err);
	user->doubtful = rc < 0 && call_is_lost(err);
	return rc;
}

int users_hold(struct pass *pass, struct users *users, enum quiesce quiesce, struct error *err)
{
	struct error ignored = ERROR_INIT;

	users->quiesce = quiesce;
	if (quiesce == QUIESCE_NONE)
		return 0;
	if (quiesce == QUIESCE_STOP && add_sharers(pass, users, err) < 0)
		return -1;
	if (users->count)
		qsort(users->items, users->count, sizeof(*users->items), by_rank);
	if (refuse(users, err) < 0)
		return -1;
	for (size_t i = users->count; i-- > 0;) {
		struct user *user = &users->items[i];

		if (!user->ours || (quiesce == QUIESCE_PAUSE && user->paused))
			continue;
		if (hold(pass, user, quiesce, err) == 0)
			continue;
		if (err->code == ERROR_NOT_FOUND) {
			/* Gone, or replaced since the host was looked at. */
			user->held = false;
			error_clear(err);
			continue;
		}
		if (users_release(pass, users, &ignored) < 0)
			error_hint(err, "and then: %s", ignored.text);
		return -1;
	}
	return 0;
}

int users_check_still(struct pass *pass, const char *engine_volume, const struct users *users,
		      struct error *err)
{
	struct users awake;
	int rc = 0;

	if (users->quiesce == QUIESCE_NONE)
		return 0;
	if (users_find(pass, engine_volume, &awake, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < awake.count; i++)
		if (awake.items[i].writes && !awake.items[i].paused)
			rc = error_set(
				err, ERROR_CONFLICT,
				"somebody set container %s going while the volume was copied, "
				"so the copy may be torn; nothing was kept",
				awake.items[i].name);
	users_done(&awake);
	return rc;
}

static int let_go(struct pass *pass, const struct user *user, enum quiesce quiesce,
		  struct error *err)
{
	struct error hooks = ERROR_INIT;

	if (quiesce == QUIESCE_PAUSE)
		return call_set_paused(pass, user->id, false, err);
	/* An engine goes on with a stop that nobody waits for any more: one that is started before
	 * that is over would be stopped by it. */
	if (user->doubtful && call_stop(pass, user->id, err) < 0)
		return -1;
	if (container_bring_back(pass, NULL, want_of(pass, user), user->id, &hooks, err) < 0)
		return -1;
	if (user->paused && call_set_paused(pass, user->id, true, err) < 0)
		return -1;
	if (hooks.code == ERROR_NONE)
		return 0;
	*err = hooks;
	return -1;
}

static int release_one(struct pass *pass, const struct user *user, enum quiesce quiesce,
		       int64_t until_ms, struct error *err)
{
	for (;;) {
		error_clear(err);
		if (let_go(pass, user, quiesce, err) == 0)
			return 0;
		if (!call_is_lost(err) || io_now_ms() >= until_ms)
			return error_wrap(err, "%s container %s",
					  quiesce == QUIESCE_PAUSE ? "unpause" : "start",
					  user->name);
		log_debug(pass->log, "%s", err->text);
		poll(NULL, 0, RELEASE_AGAIN_MS);
	}
}

int users_release(struct pass *pass, struct users *users, struct error *err)
{
	int64_t until_ms = io_now_ms() + RELEASE_MS;
	int rc = 0;

	for (size_t i = 0; i < users->count; i++) {
		struct user *user = &users->items[i];
		struct error failed = ERROR_INIT;

		if (!user->held)
			continue;
		user->held = false;
		if (release_one(pass, user, users->quiesce, until_ms, &failed) < 0 && rc == 0) {
			*err = failed;
			rc = -1;
		}
	}
	return rc;
}

json_t *users_names(const struct users *users)
{
	json_t *names = json_array();

	for (size_t i = 0; i < users->count; i++)
		json_array_append_new(names, json_string(users->items[i].name));
	return names;
}

void users_done(struct users *users)
{
	for (size_t i = 0; i < users->count; i++) {
		free(users->items[i].id);
		free(users->items[i].name);
	}
	free(users->items);
	*users = (struct users){ 0 };
}
