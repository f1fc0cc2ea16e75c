/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/migrate.h"

#include "controller/backup/copy.h"
#include "controller/backup/generation.h"
#include "controller/backup/users.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/pull.h"

#include <string.h>

/* Who stands still for a generation that is whole by now. In the pass's arena. */
struct stilled {
	struct stilled *next;
	const char *generation; /* the engine's name */
	const char *marker;
	struct users users;
};

struct migration {
	struct pass *pass;
	const struct action *action;
	const char *resource; /* "Volume/data" */
	struct generation generation;
	struct helper *from, *to;
	struct users users;
	bool copies; /* else: without its files */
};

/* --- who uses it --- */

static json_t *mounting(struct pass *pass, const char *engine_volume, struct error *err)
{
	json_t *filter = json_pack("{s:[s]}", "volume", engine_volume);
	CLEANUP(cleanup_free) char *text = json_dumps(filter, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?all=1&filters=%s", text);
	json_t *list = NULL;

	json_decref(filter);
	if (engine_get(pass->engine, path, &list, err) < 0) {
		error_wrap(err, "ask who mounts volume %s", engine_volume);
		return NULL;
	}
	return list;
}

/* Their images are there before anybody is stopped. */
static int pull_images(struct migration *migration, struct error *err)
{
	struct pass *pass = migration->pass;

	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];
		const json_t *mount;
		size_t j;

		if (strcmp(want->kind->name, "Container") != 0)
			continue;
		json_array_foreach (resource_get(want, "volumes"), j, mount) {
			struct action action = {
				.verdict = VERDICT_REPLACE,
				.kind = want->kind,
				.name = want->name,
				.want = want,
			};

			if (!str_eq(json_string_value(json_object_get(mount, "source")),
				    migration->action->name))
				continue;
			if (pull_ensure(pass, &action, err) < 0)
				return error_wrap(err, "Container/%s", want->name);
			break;
		}
	}
	return 0;
}

/* {"container ID": "StartedAt"} of those that mount it for writing: see volume.h. */
static json_t *times_of_starts(struct migration *migration, struct error *err)
{
	struct pass *pass = migration->pass;
	json_t *list = mounting(pass, migration->action->have->engine_name, err);
	json_t *still = json_object();
	const json_t *item;
	size_t i;
	int rc = list ? 0 : -1;

	json_array_foreach (list, i, item) {
		const char *id = json_string_value(json_object_get(item, "Id"));
		json_t *inspect = NULL;

		if (rc < 0 || !id)
			continue;
		rc = call_inspect(pass, id, &inspect, err);
		const json_t *started =
			json_object_get(json_object_get(inspect, "State"), "StartedAt");
		if (json_is_string(started))
			json_object_set(still, id, (json_t *)started);
		json_decref(inspect);
	}
	json_decref(list);
	if (rc == 0)
		return still;
	json_decref(still);
	return NULL;
}

/* --- copying --- */

/* Options may well lead to something that is there already: a directory of the host, a share of a
 * file server. It may even be the same as before, and then holds the files already. */
static int compare_filled(struct migration *migration, const struct listing *there,
			  struct error *err)
{
	struct error differs = ERROR_INIT;
	struct listing listing;

	if (generation_list(migration->from, &listing, err) < 0)
		return -1;
	int rc = listing_compare(&listing, there, "the old volume", &differs);
	listing_done(&listing);
	if (rc == 0)
		return 0;
	error_set(err, ERROR_REFUSED,
		  "the new volume leads to something that is not empty (%zu entries) and not the "
		  "same as '%s' (%s); files would be written over",
		  there->count, migration->action->have->engine_name, differs.text);
	return error_hint(err, "empty it, or say 'on_change: recreate' to use what is there");
}

static int copy(struct migration *migration, struct error *err)
{
	struct listing was, now;

	if (copy_volume(migration->pass, migration->resource, migration->from, migration->to, &was,
			err) < 0)
		return error_wrap(err, "copy '%s' to '%s'", migration->action->have->engine_name,
				  migration->generation.name);
	pass_progress(migration->pass, migration->action, "compare every file");
	int rc = generation_list(migration->to, &now, err);
	if (rc == 0) {
		rc = listing_compare(&was, &now, "the old volume", err);
		listing_done(&now);
	}
	listing_done(&was);
	return rc < 0 ? error_wrap(err, "the copy '%s'", migration->generation.name) : 0;
}

static int fill(struct migration *migration, struct error *err)
{
	struct listing there;

	if (!migration->copies)
		return 0;
	if (generation_list(migration->to, &there, err) < 0)
		return error_wrap(err, "look into the new volume");
	/* The root directory itself is an entry. */
	int rc = there.count > 1 ? compare_filled(migration, &there, err) : copy(migration, err);
	listing_done(&there);
	return rc;
}

static int mark(struct migration *migration, struct error *err)
{
	json_t *still = times_of_starts(migration, err);

	if (!still)
		return -1;
	CLEANUP(cleanup_free) char *text = json_dumps(still, JSON_COMPACT);
	json_t *labels = json_pack("{s:s, s:s}", LABEL_LEFT, migration->action->have->engine_name,
				   LABEL_STILL, text);
	int rc = generation_mark(&migration->generation, labels, err);

	json_decref(labels);
	json_decref(still);
	return rc;
}

/* With everybody still. */
static int work(struct migration *migration, struct error *err)
{
	struct pass *pass = migration->pass;
	const struct action *action = migration->action;

	if (action->backup_first) {
		pass_progress(pass, action, "back up");
		if (pass->hooks.backup(pass->hooks.ctx, pass, action->want, action->have, err) < 0)
			return error_wrap(err, "back up first");
	}
	pass_progress(pass, action, migration->copies ? "copy" : "make anew");
	if (fill(migration, err) < 0 ||
	    users_check_still(pass, action->have->engine_name, &migration->users, err) < 0)
		return -1;
	return mark(migration, err);
}

static int work_held(struct migration *migration, struct error *err)
{
	struct pass *pass = migration->pass;
	struct error releasing = ERROR_INIT;

	if (users_find(pass, migration->action->have->engine_name, &migration->users, err) < 0)
		return -1;
	migration->users.no_choice = true;
	pass_progress(pass, migration->action, "stop its users");
	if (users_hold(pass, &migration->users, QUIESCE_STOP, err) < 0)
		return -1;
	if (work(migration, err) == 0)
		return 0;
	if (users_release(pass, &migration->users, &releasing) < 0)
		return error_hint(err, "and then: %s", releasing.text);
	return error_hint(err, "its users serve on, on the old one");
}

/* --- the whole --- */

static void close_helper(const struct migration *migration, struct helper *helper)
{
	struct error closing = ERROR_INIT;

	/* One that stays takes nothing from a whole generation: the next run removes it. */
	if (helper && helper_close(helper, &closing) < 0)
		log_debug(migration->pass->log, "%s", closing.text);
}

static int open_helpers(struct migration *migration, struct error *err)
{
	struct pass *pass = migration->pass;
	const char *old = migration->action->have->engine_name;
	json_t *labels = json_pack("{s:s, s:s, s:s}", LABEL_PROJECT, pass->project, LABEL_KIND,
				   "Volume", LABEL_NAME, migration->action->name);
	struct helper_options options = {
		.name = arena_printf(pass->arena, "drey-migrate-%s", old),
		.volume = old,
		.read_only = true,
		.labels = labels,
	};
	int rc = helper_open(pass->engine, &options, &migration->from, err);

	json_decref(labels);
	if (rc < 0)
		return -1;
	return generation_open(&migration->generation, pass->engine, &migration->to, err);
}

/* Remembered, so that they don't stand still for ever. */
static void remember(struct migration *migration)
{
	struct pass *pass = migration->pass;
	struct stilled *stilled = arena_new_of(pass->arena, struct stilled);

	*stilled = (struct stilled){
		.next = pass->stilled,
		.generation = migration->generation.name,
		.marker =
			arena_printf(pass->arena, "%s" VOLUME_VERIFIED, migration->generation.name),
		.users = migration->users,
	};
	migration->users = (struct users){ 0 };
	pass->stilled = stilled;
	generation_announce(&migration->generation);
}

int volume_migrate(void *ctx, struct pass *pass, const struct action *action, struct error *err)
{
	struct migration migration = {
		.pass = pass,
		.action = action,
		.resource = arena_printf(pass->arena, "Volume/%s", action->name),
		.copies = str_eq(resource_string(action->want, "on_change"), "migrate"),
	};
	int rc;

	(void)ctx;
	if (action->backup_first && !pass->hooks.backup)
		return error_set(err, ERROR_REFUSED,
				 "a backup comes first, and there is nowhere to put it");
	rc = pull_images(&migration, err);
	if (rc == 0)
		rc = generation_prepare(&migration.generation, pass, action->want, err);
	bool prepared = rc == 0;
	if (rc == 0)
		rc = open_helpers(&migration, err);
	if (rc == 0)
		rc = work_held(&migration, err);
	close_helper(&migration, migration.to);
	close_helper(&migration, migration.from);
	if (rc == 0)
		remember(&migration);
	else if (prepared)
		generation_drop(&migration.generation);
	users_done(&migration.users);
	generation_done(&migration.generation);
	return rc;
}

/* --- afterwards --- */

/* Not who has been made anew, nor whose replacement waits for the next run to finish it, or is held
 * for a look: two would write, each to a generation of its own. */
static bool stands_still(struct pass *pass, const struct user *user)
{
	struct error ignored = ERROR_INIT;
	json_t *inspect = NULL;

	/* An engine that does not answer is tried again, for as long as users_release() does. */
	if (!user->held || call_inspect(pass, user->id, &inspect, &ignored) < 0)
		return user->held;
	bool still = inspect && !inspect_is_live(inspect) &&
		     !container_is_leftover(inspect_name(inspect));
	json_decref(inspect);
	return still;
}

static void drop_unused(struct pass *pass, const struct stilled *stilled)
{
	struct error ignored = ERROR_INIT;
	json_t *list = mounting(pass, stilled->generation, &ignored);
	bool unused = list && json_array_size(list) == 0;
	const char *const names[] = { stilled->marker, stilled->generation };

	json_decref(list);
	for (size_t i = 0; unused && i < ARRAY_SIZE(names); i++) {
		CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", names[i]);

		if (engine_delete(pass->engine, path, &ignored) < 0)
			log_debug(pass->log, "%s", ignored.text);
	}
}

static void settle_one(struct pass *pass, struct stilled *stilled)
{
	struct users *users = &stilled->users;
	struct error err = ERROR_INIT;
	bool any = false;

	for (size_t i = 0; i < users->count; i++) {
		users->items[i].held = stands_still(pass, &users->items[i]);
		any = any || users->items[i].held;
	}
	/* First, or it would be outdated before it is gone. */
	if (any)
		drop_unused(pass, stilled);
	if (any && users_release(pass, users, &err) < 0)
		log_error(pass->log, "%s: %s", pass->desired->host->name, err.text);
	users_done(users);
}

void volume_settle(void *ctx, struct pass *pass)
{
	struct error kept = ERROR_INIT;

	(void)ctx;
	/* First: a generation that a helper stands on counts as used. */
	if ((pass->observed.helped || pass->stilled) && generation_clear(pass, NULL, &kept) < 0)
		log_debug(pass->log, "%s", kept.text);
	for (struct stilled *stilled = pass->stilled; stilled; stilled = stilled->next)
		settle_one(pass, stilled);
	pass->stilled = NULL;
}
