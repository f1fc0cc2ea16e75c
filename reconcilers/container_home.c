/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network that a container was made on: HostConfig.NetworkMode names it, and nothing but making
 * the container anew changes that. Before API 1.44 it says which endpoint comes first, and no more.
 * Since Engine 25.0 an engine neither starts a container nor connects it to anything while no
 * network of that name or ID is there ("could not find a network matching network mode":
 * normalizeNetMode() in moby's daemon/container_operations.go, since its pull request 46406).
 */
#include <string.h>

#include "controller/base/str.h"
#include "reconcilers/container.h"
#include "reconcilers/network.h"

enum { NEEDED_SINCE = 44 };

static const char *mode_of(const struct pass *pass, const struct object *object)
{
	static const char *const given[] = { "", "default", "bridge", "host", "none" };
	const json_t *host_config =
		json_object_get(object->inspect ? object->inspect : object->listed, "HostConfig");
	const char *mode = json_string_value(json_object_get(host_config, "NetworkMode"));

	if (pass->observed.engine_api < NEEDED_SINCE || !mode || str_has_prefix(mode, "container:"))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		if (strcmp(mode, given[i]) == 0)
			return NULL;
	}
	return mode;
}

static bool is_id_of(const char *mode, const struct object *network)
{
	return str_has_prefix(network->id, mode);
}

const char *container_home(const struct pass *pass, const struct object *object)
{
	const char *mode = mode_of(pass, object);

	if (!mode || network_find(pass, mode))
		return mode;
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *network = pass->observed.objects[i];

		if (strcmp(network->kind->name, "Network") == 0 && is_id_of(mode, network))
			return network->engine_name;
	}
	return mode;
}

/* On the network, and made on one that is gone: taken off it can't be put back. */
static bool is_stranded(const struct pass *pass, const struct object *object, const char *mode,
			const struct object *network)
{
	const json_t *networks =
		json_object_get(json_object_get(object->inspect, "NetworkSettings"), "Networks");

	return json_object_get(networks, network->engine_name) &&
	       !network_find(pass, container_home(pass, object)) && !is_id_of(mode, network);
}

const char *container_bound_to(const struct pass *pass, const struct object *network,
			       const char *new_name)
{
	bool renamed = strcmp(network->engine_name, new_name) != 0;

	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];
		const char *mode =
			strcmp(object->kind->name, "Container") == 0 ? mode_of(pass, object) : NULL;

		if (!mode)
			continue;
		if (strcmp(mode, network->engine_name) == 0
			    ? renamed
			    : is_id_of(mode, network) || is_stranded(pass, object, mode, network))
			return object->engine_name;
	}
	return NULL;
}

/* --- going back --- */

int container_home_stand_in(struct pass *pass, const struct object *object,
			    const char **ret_network, struct error *err)
{
	const char *mode = object ? mode_of(pass, object) : NULL;
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s", mode ? mode : "");
	json_t *there = NULL, *body;

	*ret_network = NULL;
	if (!mode)
		return 0;
	int rc = engine_get(pass->engine, path, &there, err);
	json_decref(there);
	if (rc == 0 || err->code != ERROR_NOT_FOUND)
		return rc;
	error_clear(err);
	body = json_pack("{s:s, s:b, s:b}", "Name", mode, "CheckDuplicate", 1, "Internal", 1);
	rc = engine_post(pass->engine, "/networks/create", body, NULL, err);
	json_decref(body);
	if (rc == 0)
		*ret_network = arena_strdup(pass->arena, mode);
	return rc;
}

void container_home_let_go(struct pass *pass, const char *network)
{
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s", network ? network : "");
	struct error ignored = ERROR_INIT;

	if (network && engine_delete(pass->engine, path, &ignored) < 0)
		log_debug(pass->log, "network %s, which stood in, stays: %s", network,
			  ignored.text);
}
