/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/users.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"

#include <string.h>

/* The engine kills after the container's own grace period; this is only for a dead engine. */
enum { STOP_TIMEOUT_MS = 15 * 60 * 1000 };

static size_t rank_of(const struct pass *pass, const json_t *labels)
{
	const char *name = json_string_value(json_object_get(labels, LABEL_NAME));

	for (size_t i = 0; name && i < pass->desired->count; i++) {
		const struct resource *resource = pass->desired->resources[i];

		if (strcmp(resource->kind->name, "Container") == 0 &&
		    strcmp(resource->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
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

int users_find(struct pass *pass, const char *engine_volume, struct users *ret_users,
	       struct error *err)
{
	json_t *filter = json_pack("{s:[s], s:[s,s,s]}", "volume", engine_volume, "status",
				   "running", "paused", "restarting");
	CLEANUP(cleanup_free) char *text = json_dumps(filter, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?filters=%s", text);
	struct users users = { 0 };
	json_t *list = NULL, *container;
	size_t i;

	json_decref(filter);
	if (engine_get(pass->engine, path, &list, err) < 0)
		return error_wrap(err, "ask who uses volume %s", engine_volume);
	users.items = xcalloc(json_array_size(list), sizeof(*users.items));
	json_array_foreach (list, i, container) {
		const json_t *labels = json_object_get(container, "Labels");
		const char *id = json_string_value(json_object_get(container, "Id"));
		const char *name =
			json_string_value(json_array_get(json_object_get(container, "Names"), 0));
		struct ownership own;
		bool writes = false;

		/* The engine's filter also matches a mount point of that name. */
		if (!id || !name || !mounts(container, engine_volume, &writes))
			continue;
		users.items[users.count++] = (struct user){
			.id = xstrdup(id),
			.name = xstrdup(name + (name[0] == '/')),
			.rank = rank_of(pass, labels),
			.ours = ownership_read(labels, NULL, &own) &&
				str_eq(own.project, pass->project),
			.writes = writes,
		};
	}
	json_decref(list);
	if (users.count)
		qsort(users.items, users.count, sizeof(*users.items), by_rank);
	*ret_users = users;
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

static int refuse_foreign(const struct users *users, struct error *err)
{
	for (size_t i = 0; i < users->count; i++)
		if (!users->items[i].ours && users->items[i].writes)
			return error_set(err, ERROR_REFUSED,
					 "container %s writes to the volume and is not drey's to "
					 "stop; stop it yourself, or say `while: running` and take "
					 "a copy that may be torn",
					 users->items[i].name);
	return 0;
}

int users_hold(struct pass *pass, struct users *users, enum quiesce quiesce, struct error *err)
{
	struct error ignored = ERROR_INIT;

	users->quiesce = quiesce;
	if (quiesce == QUIESCE_NONE)
		return 0;
	if (refuse_foreign(users, err) < 0)
		return -1;
	for (size_t i = users->count; i-- > 0;) {
		struct user *user = &users->items[i];

		if (!user->ours)
			continue;
		/* Held even if the answer was lost: starting what runs is harmless. */
		user->held = true;
		if (post(pass, user, quiesce == QUIESCE_PAUSE ? "pause" : "stop", err) == 0)
			continue;
		if (users_release(pass, users, &ignored) < 0)
			error_hint(err, "and then: %s", ignored.text);
		return -1;
	}
	return 0;
}

int users_release(struct pass *pass, struct users *users, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < users->count; i++) {
		struct user *user = &users->items[i];
		struct error failed = ERROR_INIT;

		if (!user->held)
			continue;
		user->held = false;
		if (post(pass, user, users->quiesce == QUIESCE_PAUSE ? "unpause" : "start",
			 &failed) < 0 &&
		    rc == 0) {
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
