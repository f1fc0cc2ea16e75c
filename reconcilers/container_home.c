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

enum { NEEDED_SINCE = 44, SHORT_ID = 12 };

static const char *mode_of(const struct pass *pass, const struct object *object)
{
	static const char *const given[] = { "", "default", "bridge", "host", "none" };
	const json_t *host_config = json_object_get(object->inspect, "HostConfig");
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
	return strlen(mode) >= SHORT_ID && str_has_prefix(network->id, mode);
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

const char *container_bound_to(const struct pass *pass, const struct object *network,
			       const char *new_name)
{
	bool renamed = strcmp(network->engine_name, new_name) != 0;

	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];
		const char *mode =
			strcmp(object->kind->name, "Container") == 0 ? mode_of(pass, object) : NULL;

		if (mode &&
		    (strcmp(mode, network->engine_name) == 0 ? renamed : is_id_of(mode, network)))
			return object->engine_name;
	}
	return NULL;
}
