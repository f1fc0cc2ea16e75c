/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What creating, changing and replacing a container have in common: making it, putting it on its
 * networks, starting it. */
#include "reconcilers/container_steps.h"

#include <stdio.h>
#include <string.h>

#include "controller/base/str.h"
#include "reconcilers/container_files.h"

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

/* Does a change of the plan concern this network's endpoint? */
static bool endpoint_differs(const struct action *action, const char *network)
{
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (container_change_names(change, network))
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
	if (ret == 0)
		ret = container_files_put(pass, action, *ret_id, err);
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

/* --- names --- */

int container_make_room(struct pass *pass, const struct action *action, struct error *err)
{
	const struct object *holder = action->namesake;
	const char *name = container_engine_name(action->want);
	json_t *inspect = NULL;

	/* It may have got its new name already. */
	if (!holder)
		return 0;
	if (call_inspect(pass, name, &inspect, err) < 0)
		return -1;
	bool there = inspect && str_eq(inspect_id(inspect), holder->id);
	json_decref(inspect);
	if (!there)
		return 0;
	container_step(pass, action, arena_printf(pass->arena, "take the name %s off", name));
	return call_rename(pass, holder->id,
			   arena_printf(pass->arena, "%s.drey-aside", holder->own.name), err);
}
