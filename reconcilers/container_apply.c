/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating, changing in place and removing a container. Replacing: container_replace.c. */
#include <stdio.h>
#include <string.h>

#include "reconcilers/container_steps.h"
#include "reconcilers/pull.h"

void container_step(struct pass *pass, const struct action *action, const char *text)
{
	pass_progress(pass, action, text);
	if (pass->hooks.journal)
		pass->hooks.journal(
			pass->hooks.ctx, engine_name(pass->engine),
			arena_printf(pass->arena, "%s/%s", action->kind->name, action->name), text);
}

/* --- networks --- */

static bool is_host_wide(const char *network)
{
	return strcmp(network, "host") == 0 || strcmp(network, "none") == 0;
}

/* Does a change of the plan concern this network's endpoint? Paths read "networks.NAME.member",
 * and names hold dots themselves. */
static bool endpoint_differs(const struct action *action, const char *network)
{
	size_t len = strlen(network);

	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		const char *rest = change->path + strlen("networks");

		if (change->effect != EFFECT_CONNECT || !str_has_prefix(change->path, "networks"))
			continue;
		if (*rest == '.' || *rest == '[')
			rest++;
		if (strncmp(rest, network, len) == 0 && strchr(".]", rest[len]))
			return true;
	}
	return false;
}

/* A network that was made anew has another ID under the same name: an endpoint that remembers
 * the old one keeps a stopped container from ever starting again. The bridge is found by its name.
 */
static int is_stale(struct pass *pass, const char *network, const json_t *endpoint, bool *ret_stale,
		    struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s", network);
	const char *known = json_string_value(json_object_get(endpoint, "NetworkID"));
	json_t *reply = NULL;

	*ret_stale = false;
	if (!known || !*known || strcmp(network, "bridge") == 0)
		return 0;
	if (engine_get(pass->engine, path, &reply, err) < 0)
		return error_wrap(err, "inspect network %s", network);
	*ret_stale = !str_eq(json_string_value(json_object_get(reply, "Id")), known);
	json_decref(reply);
	return 0;
}

static bool array_has(const json_t *array, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (str_eq(json_string_value(item), text))
			return true;
	}
	return false;
}

static int connect_one(struct pass *pass, const struct action *action, const char *id,
		       const char *network, const json_t *endpoint, struct error *err)
{
	bool stale = false;

	if (endpoint) {
		if (is_stale(pass, network, endpoint, &stale, err) < 0)
			return -1;
		if (!stale && !endpoint_differs(action, network))
			return 0;
		container_step(pass, action,
			       arena_printf(pass->arena, "disconnect from %s", network));
		if (call_disconnect(pass, network, id, stale, err) < 0)
			return -1;
	}
	container_step(pass, action, arena_printf(pass->arena, "connect to %s", network));
	return call_connect(pass, network, id, container_endpoint(pass, action->want, network),
			    err);
}

/* Is it to be taken off a network that its manifest does not name? Not where the plan says nothing
 * of it: `ignore` leaves such a one to others. */
static int is_unwanted(struct pass *pass, const struct action *action, const char *network,
		       const json_t *endpoint, bool *ret_unwanted, struct error *err)
{
	*ret_unwanted = true;
	if (action->verdict != VERDICT_UPDATE || endpoint_differs(action, network))
		return 0;
	if (is_stale(pass, network, endpoint, ret_unwanted, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return -1;
	error_clear(err);
	*ret_unwanted = true;
	return 0;
}

static int sync_networks(struct pass *pass, const struct action *action, const json_t *wanted,
			 const json_t *inspect, struct error *err)
{
	const json_t *have =
		json_object_get(json_object_get(inspect, "NetworkSettings"), "Networks");
	const char *id = inspect_id(inspect), *network;
	const json_t *item;
	size_t i;

	json_object_foreach ((json_t *)have, network, item) {
		bool unwanted;

		if (array_has(wanted, network) || is_host_wide(network))
			continue;
		if (is_unwanted(pass, action, network, item, &unwanted, err) < 0)
			return -1;
		if (!unwanted)
			continue;
		container_step(pass, action,
			       arena_printf(pass->arena, "disconnect from %s", network));
		if (call_disconnect(pass, network, id, true, err) < 0)
			return -1;
	}
	json_array_foreach (wanted, i, item) {
		network = json_string_value(item);
		if (!is_host_wide(network) &&
		    connect_one(pass, action, id, network, json_object_get(have, network), err) < 0)
			return -1;
	}
	return 0;
}

int container_sync_networks(struct pass *pass, const struct action *action, const char *id,
			    struct error *err)
{
	json_t *wanted = container_networks(pass, action->want);
	json_t *inspect = NULL;
	int ret = 0;

	/* On another container's or the host's network there is nothing to connect. */
	if (json_array_size(wanted) > 0) {
		ret = call_inspect_present(pass, id, &inspect, err);
		if (ret == 0)
			ret = sync_networks(pass, action, wanted, inspect, err);
	}
	json_decref(inspect);
	json_decref(wanted);
	return ret;
}

/* --- create --- */

int container_create(struct pass *pass, const struct action *action, const char *name,
		     const struct object *replaces, const char **ret_id, struct error *err)
{
	json_t *body = NULL;
	char uid[33];
	int ret = -1;

	if (container_create_body(pass, action->want, replaces, uid, &body, err) < 0)
		return -1;
	container_step(pass, action, arena_printf(pass->arena, "create %s", name));
	if (call_create(pass, name, body, uid, ret_id, err) < 0)
		error_wrap(err, "create %s", name);
	else
		ret = container_sync_networks(pass, action, *ret_id, err);
	json_decref(body);
	return ret;
}

/* --- state --- */

/* ":8080" followed by what no number goes on with. */
static bool names_port(const char *message, json_int_t port)
{
	char text[24];
	const char *at = message;
	size_t len = (size_t)snprintf(text, sizeof(text), ":%lld", (long long)port);

	while ((at = strstr(at, text))) {
		at += len;
		if (*at < '0' || *at > '9')
			return true;
	}
	return false;
}

static const char *find_publisher(const json_t *containers, const char *id, const char *message)
{
	const json_t *item, *port;
	size_t i, j;

	json_array_foreach (containers, i, item) {
		const char *name =
			json_string_value(json_array_get(json_object_get(item, "Names"), 0));

		if (!name || str_eq(json_string_value(json_object_get(item, "Id")), id))
			continue;
		json_array_foreach (json_object_get(item, "Ports"), j, port) {
			json_int_t number = json_integer_value(json_object_get(port, "PublicPort"));

			if (number > 0 && names_port(message, number))
				return name + (*name == '/');
		}
	}
	return NULL;
}

/* The engine says which port, and not whose it is. */
static void hint_port(struct pass *pass, const char *id, struct error *err)
{
	struct error ignored = ERROR_INIT;
	json_t *containers = NULL;
	const char *name;

	if (!strstr(err->text, "port is already allocated") &&
	    !strstr(err->text, "address already in use"))
		return;
	if (engine_get(pass->engine, "/containers/json", &containers, &ignored) < 0)
		return;
	name = find_publisher(containers, id, err->text);
	if (name)
		error_hint(err, "container '%s' publishes it", name);
	else
		error_hint(err, "no container publishes it: a process of the host itself listens");
	json_decref(containers);
}

int container_start(struct pass *pass, const char *id, struct error *err)
{
	if (call_start(pass, id, err) == 0)
		return 0;
	error_wrap(err, "start");
	hint_port(pass, id, err);
	return -1;
}

static int start(struct pass *pass, const struct action *action, const char *id, struct error *err)
{
	if (container_wait_dependencies(pass, action, err) < 0)
		return -1;
	container_step(pass, action, "start");
	if (container_start(pass, id, err) < 0)
		return -1;
	return action->have ? sharers_restart(pass, action, err) : 0;
}

/* One that is gone a moment after its start is reported at once, not by the next diff. */
static int check_up(struct pass *pass, const struct action *action, const char *id,
		    struct error *err)
{
	json_t *inspect = NULL;
	const char *lines;

	if (call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	bool up = inspect_is_live(inspect);
	long long status =
		json_integer_value(json_object_get(json_object_get(inspect, "State"), "ExitCode"));
	json_decref(inspect);
	if (up)
		return 0;
	error_set(err, ERROR_REMOTE, "it ended right after its start with exit status %lld",
		  status);
	lines = call_last_lines(pass, id, action->want);
	return *lines ? error_hint(err, "its last lines: %s", lines) : -1;
}

static int sync_running(struct pass *pass, const struct action *action, const json_t *inspect,
			struct error *err)
{
	const char *id = inspect_id(inspect);

	if (inspect_is(inspect, "paused")) {
		container_step(pass, action, "unpause");
		return call_set_paused(pass, id, false, err);
	}
	if (inspect_is_live(inspect))
		return 0;
	if (start(pass, action, id, err) < 0)
		return -1;
	return check_up(pass, action, id, err);
}

static int sync_paused(struct pass *pass, const struct action *action, const json_t *inspect,
		       struct error *err)
{
	const char *id = inspect_id(inspect);

	if (inspect_is(inspect, "paused"))
		return 0;
	if (!inspect_is_live(inspect) && start(pass, action, id, err) < 0)
		return -1;
	container_step(pass, action, "pause");
	return call_set_paused(pass, id, true, err);
}

/* Once per container: what has run is not run again. */
static int sync_completed(struct pass *pass, const struct action *action, const json_t *inspect,
			  struct error *err)
{
	const char *id = inspect_id(inspect);

	if (inspect_is(inspect, "created") && start(pass, action, id, err) < 0)
		return -1;
	if (inspect_is(inspect, "paused") && call_set_paused(pass, id, false, err) < 0)
		return -1;
	container_step(pass, action, "wait until it has completed");
	return container_wait_completed(pass, action->want, id, err);
}

static int sync_stopped(struct pass *pass, const struct action *action, const json_t *inspect,
			struct error *err)
{
	if (!inspect_is_live(inspect))
		return 0;
	container_step(pass, action, "stop");
	return call_stop(pass, inspect_id(inspect), err);
}

int container_sync_state(struct pass *pass, const struct action *action, const char *id,
			 struct error *err)
{
	const char *wanted = container_wanted_state(action->want);
	json_t *inspect = NULL;
	int ret;

	if (call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	if (strcmp(wanted, "running") == 0)
		ret = sync_running(pass, action, inspect, err);
	else if (strcmp(wanted, "paused") == 0)
		ret = sync_paused(pass, action, inspect, err);
	else if (strcmp(wanted, "completed") == 0)
		ret = sync_completed(pass, action, inspect, err);
	else
		ret = sync_stopped(pass, action, inspect, err);
	json_decref(inspect);
	return ret;
}

/* --- verdicts --- */

/* What the engine would not even start (a port that is taken, a device that is missing) leaves
 * nothing worth keeping. One that ran and ended stays: its log says why. */
static void undo_create(struct pass *pass, const char *id)
{
	struct error ignored = ERROR_INIT;
	json_t *inspect = NULL;

	if (call_inspect(pass, id, &inspect, &ignored) == 0 && inspect &&
	    inspect_is(inspect, "created") && call_delete(pass, id, &ignored) < 0)
		log_debug(pass->log, "undo of a create failed id=%s error=\"%s\"", id,
			  ignored.text);
	json_decref(inspect);
}

static int apply_create(struct pass *pass, const struct action *action, struct error *err)
{
	const char *id = NULL;
	int ret;

	if (pull_ensure(pass, action, err) < 0 || call_check_cancelled(pass, err) < 0)
		return -1;
	ret = container_create(pass, action, container_engine_name(action->want), NULL, &id, err);
	if (ret == 0)
		ret = container_sync_state(pass, action, id, err);
	if (ret < 0 && id)
		undo_create(pass, id);
	return ret;
}

static int apply_update(struct pass *pass, const struct action *action, struct error *err)
{
	const char *id = action->have->id, *name = container_engine_name(action->want);
	json_t *body = container_update_body(pass, action);
	int rc = 0;

	if (body) {
		CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/update", id);

		container_step(pass, action, "update");
		rc = engine_post(pass->engine, path, body, NULL, err);
		/* Sending it again sets the same values. */
		if (rc < 0 && call_is_lost(err))
			rc = engine_post(pass->engine, path, body, NULL, err);
		json_decref(body);
	}
	if (rc < 0)
		return error_wrap(err, "update");
	if (strcmp(action->have->engine_name, name) != 0) {
		container_step(pass, action, arena_printf(pass->arena, "rename to %s", name));
		if (call_rename(pass, id, name, err) < 0)
			return -1;
	}
	if (container_sync_networks(pass, action, id, err) < 0)
		return -1;
	return container_sync_state(pass, action, id, err);
}

static int apply_remove(struct pass *pass, const struct action *action, struct error *err)
{
	const struct object *have = action->have;

	if (action->backup_first && !pass->hooks.backup)
		return error_set(err, ERROR_REFUSED,
				 "a backup comes first, and there is nowhere to put it");
	container_step(pass, action, "stop");
	if (call_stop(pass, have->id, err) < 0) {
		/* Gone while this was planned: as wanted. */
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "stop");
		error_clear(err);
		return 0;
	}
	if (action->backup_first) {
		container_step(pass, action, "back up");
		if (pass->hooks.backup(pass->hooks.ctx, pass, action->want, have, err) < 0)
			return error_wrap(err, "back up before the removal");
	}
	container_step(pass, action, "remove");
	return call_delete(pass, have->id, err) < 0 ? error_wrap(err, "remove") : 0;
}

int container_apply(struct pass *pass, const struct action *action, struct error *err)
{
	switch (action->verdict) {
	case VERDICT_CREATE:
		return apply_create(pass, action, err);
	case VERDICT_UPDATE:
		return apply_update(pass, action, err);
	case VERDICT_REPLACE:
		return container_replace(pass, action, err);
	case VERDICT_REMOVE:
		return apply_remove(pass, action, err);
	default:
		return 0;
	}
}
