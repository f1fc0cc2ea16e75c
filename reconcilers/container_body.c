/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies of requests that make or change a container. Pure. */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/container_files.h"

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* --- networks --- */

static json_t *network_names(const json_t *resolved)
{
	const json_t *networks = json_object_get(resolved, "networks");
	json_t *names = json_array(), *endpoint;
	const char *name;

	json_object_foreach ((json_t *)networks, name, endpoint)
		json_array_append_new(names, json_string(name));
	if (container_defaults_to_bridge(resolved))
		json_array_append_new(names, json_string("bridge"));
	return names;
}

json_t *container_networks(const struct pass *pass, const struct resource *want)
{
	json_t *resolved = container_resolve(pass, want);
	json_t *names = network_names(resolved);

	json_decref(resolved);
	return names;
}

json_t *container_endpoint(const struct pass *pass, const struct resource *want,
			   const char *engine_network)
{
	json_t *resolved = container_resolve(pass, want), *settings = json_object();
	const json_t *endpoint =
		json_object_get(json_object_get(resolved, "networks"), engine_network);
	struct error err = ERROR_INIT;

	/* Versions are checked when the container is created, which comes first. */
	if (endpoint && schema_encode(&container_endpoint_schema, endpoint,
				      engine_api(pass->engine), settings, &err) < 0)
		json_object_clear(settings);
	json_decref(resolved);
	return settings;
}

/* Endpoints that connect would make without their MAC address go along, from the API on that takes
 * more than one. */
static void add_fixed_macs(json_t *endpoints, const json_t *from)
{
	json_t *endpoint;
	const char *network;

	json_object_foreach ((json_t *)from, network, endpoint) {
		if (json_object_get(endpoint, "MacAddress"))
			json_object_set(endpoints, network, endpoint);
	}
}

/* The first network is the mode; its endpoint alone goes along, the others are connected later. */
static void set_primary_network(json_t *body, const json_t *resolved, int api)
{
	enum { SEVERAL_ENDPOINTS = 44 };
	json_t *names = network_names(resolved), *networking, *endpoints, *endpoint;
	const char *primary = json_string_value(json_array_get(names, 0));

	networking = json_object_get(body, "NetworkingConfig");
	endpoints = json_object_get(networking, "EndpointsConfig");
	endpoint = primary ? json_incref(json_object_get(endpoints, primary)) : NULL;
	json_incref(endpoints);
	json_object_del(body, "NetworkingConfig");
	if (endpoint) {
		json_t *kept = json_pack("{s:o}", primary, endpoint);

		if (api >= SEVERAL_ENDPOINTS)
			add_fixed_macs(kept, endpoints);
		json_object_set_new(json_object_get(body, "HostConfig"), "NetworkMode",
				    json_string(primary));
		json_object_set_new(body, "NetworkingConfig",
				    json_pack("{s:o}", "EndpointsConfig", kept));
	}
	json_decref(endpoints);
	json_decref(names);
}

/* --- volumes of the container that is replaced --- */

static const char *mounted_name(const json_t *mounts, const char *target)
{
	json_t *mount;
	size_t i;

	json_array_foreach (mounts, i, mount) {
		if (str_eq(text(mount, "Type"), "volume") &&
		    str_eq(text(mount, "Destination"), target))
			return text(mount, "Name");
	}
	return NULL;
}

static bool mounts_volume(const json_t *mounts, const char *name)
{
	json_t *mount;
	size_t i;

	json_array_foreach (mounts, i, mount) {
		if (name && str_eq(text(mount, "Name"), name))
			return true;
	}
	return false;
}

static json_t *volume_mount(const char *name, const char *target)
{
	return json_pack("{s:s, s:s, s:s, s:{s:b}}", "Type", "volume", "Source", name, "Target",
			 target, "VolumeOptions", "NoCopy", 1);
}

/* Create copies the image's files into an empty volume, also into one that is in use: never into
 * one that the old container has. */
static void set_nocopy(json_t *mount)
{
	json_t *options = json_object_get(mount, "VolumeOptions");

	if (!options) {
		options = json_object();
		json_object_set_new(mount, "VolumeOptions", options);
	}
	json_object_set_new(options, "NoCopy", json_true());
}

static bool is_target(const json_t *mounts, const char *target)
{
	json_t *mount;
	size_t i;

	json_array_foreach (mounts, i, mount) {
		if (str_eq(text(mount, "Target"), target))
			return true;
	}
	return false;
}

static bool binds_target(const json_t *binds, const char *target)
{
	size_t i, len = strlen(target);
	json_t *bind;

	json_array_foreach (binds, i, bind) {
		const char *colon = strchr(json_string_value(bind), ':');

		if (colon && strncmp(colon + 1, target, len) == 0 && colon[1 + len] == ':')
			return true;
	}
	return false;
}

/* taken: what comes with volumes_from, and goes before what the image alone has. */
static void carry_volumes(json_t *body, const json_t *image, const json_t *taken,
			  const struct object *replaces)
{
	const json_t *old = json_object_get(replaces->inspect, "Mounts");
	const json_t *volumes = json_object_get(json_object_get(image, "Config"), "Volumes");
	json_t *host = json_object_get(body, "HostConfig"), *mounts, *mount, *unused;
	const char *path;
	size_t i;

	if (!json_object_get(host, "Mounts"))
		json_object_set_new(host, "Mounts", json_array());
	mounts = json_object_get(host, "Mounts");
	json_array_foreach (mounts, i, mount) {
		const char *source = text(mount, "Source");
		const char *kept = mounted_name(old, text(mount, "Target"));

		if (!str_eq(text(mount, "Type"), "volume"))
			continue;
		if (!source && kept && volume_name_is_anonymous(kept))
			json_object_set_new(mount, "Source", json_string(kept));
		if (mounts_volume(old, text(mount, "Source")))
			set_nocopy(mount);
	}
	json_object_foreach ((json_t *)volumes, path, unused) {
		CLEANUP(cleanup_free) char *target = path_clean(path);
		const char *kept = mounted_name(old, target);

		if (kept && volume_name_is_anonymous(kept) && !json_object_get(taken, target) &&
		    !is_target(mounts, target) &&
		    !binds_target(json_object_get(host, "Binds"), target))
			json_array_append_new(mounts, volume_mount(kept, target));
	}
}

/* --- create --- */

/* What the engine can't be told, though a row has it. */
static int check_engine(const struct pass *pass, const json_t *resolved, struct error *err)
{
	static const struct {
		const char *key;
		int gone;
	} rows[] = { { "kernel_memory", 42 }, { "kernel_memory_tcp", 52 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (json_object_get(resolved, rows[i].key) &&
		    engine_api(pass->engine) >= rows[i].gone)
			return error_set(err, ERROR_UNSUPPORTED,
					 "spec.%s is gone from Engine API 1.%d on, the host has "
					 "1.%d; mem_limit counts kernel memory too",
					 rows[i].key, rows[i].gone, engine_api(pass->engine));
	}
	return 0;
}

/* Written empty over one that the image brings along, which docker commit has copied there. */
static void set_files_label(const struct pass *pass, const struct resource *want, json_t *labels)
{
	const json_t *image = pass_image(pass, resource_string(want, "image"));
	const json_t *config = json_object_get(image, "Config");
	json_t *files = container_files_label(want);

	if (files)
		json_object_set_new(labels, LABEL_FILES, files);
	else if (json_object_get(json_object_get(config, "Labels"), LABEL_FILES))
		json_object_set_new(labels, LABEL_FILES, json_string(""));
}

/* Which rows hold a secret, so that its value is known for one when the manifest holds it no
 * longer. An image that was committed may bring the label. */
static void set_secrets_label(const struct pass *pass, const struct resource *want, json_t *labels)
{
	const json_t *image = pass_image(pass, resource_string(want, "image"));
	const json_t *config = json_object_get(image, "Config"), *secrets;
	struct str rows;
	const char *key;

	str_init(&rows, 0);
	json_object_foreach ((json_t *)want->secrets, key, secrets)
		if (json_is_true(secrets) || json_object_size(secrets) > 0 ||
		    json_array_size(secrets) > 0)
			str_printf(&rows, "%s%s", rows.len ? "," : "", key);
	if (rows.len || json_object_get(json_object_get(config, "Labels"), LABEL_SECRETS))
		json_object_set_new(labels, LABEL_SECRETS, json_string(rows.data));
	str_done(&rows);
}

static void set_labels(const struct pass *pass, const struct resource *want,
		       const struct object *replaces, json_t *body, char ret_uid[33])
{
	json_t *labels = json_object_get(body, "Labels");

	if (!labels) {
		labels = json_object();
		json_object_set_new(body, "Labels", labels);
	}
	ownership_write(labels, pass->project, want, pass->revision, ret_uid);
	set_files_label(pass, want, labels);
	set_secrets_label(pass, want, labels);
	if (replaces)
		json_object_set_new(labels, LABEL_REPLACES,
				    json_sprintf("%s,%s", replaces->id,
						 text(replaces->observed, "restart") ?: "no"));
}

int container_create_body(const struct pass *pass, const struct resource *want,
			  const struct object *replaces, char ret_uid[33], json_t **ret_body,
			  struct error *err)
{
	json_t *resolved = container_resolve(pass, want);
	json_t *body = json_pack("{s:{}}", "HostConfig");
	int ret = -1;

	if (check_engine(pass, resolved, err) < 0 ||
	    schema_encode(&container_schema, resolved, engine_api(pass->engine), body, err) < 0)
		goto out;
	if (text(resolved, "platform"))
		json_object_set(body, CONTAINER_PLATFORM, json_object_get(resolved, "platform"));
	mounts_lower(body, engine_api(pass->engine));
	set_primary_network(body, resolved, engine_api(pass->engine));
	if (replaces) {
		json_t *taken = container_mounts_of_sources(
			pass, json_object_get(resolved, "volumes_from"));

		carry_volumes(body, pass_image(pass, resource_string(want, "image")), taken,
			      replaces);
		json_decref(taken);
	}
	set_labels(pass, want, replaces, body, ret_uid);
	*ret_body = TAKE(body);
	ret = 0;
out:
	json_decref(resolved);
	json_decref(body);
	return ret;
}

/* --- update --- */

static void take_row(json_t *to, const json_t *expected, const char *key)
{
	json_t *value = json_object_get(expected, key);

	if (value)
		json_object_set(to, key, value);
}

json_t *container_update_body(const struct pass *pass, const struct action *action)
{
	const json_t *image = pass_image(pass, resource_string(action->want, "image"));
	json_t *resolved = container_resolve(pass, action->want), *rows = json_object();
	json_t *body = json_object(), *update = NULL;
	const char *unused = NULL;
	json_t *expected = container_expected(pass, resolved, image, pass->arena, &unused);
	struct error err = ERROR_INIT;

	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (change->effect == EFFECT_LIVE && change->field->api)
			take_row(rows, expected, change->field->key);
	}
	/* Memory above what MemorySwap holds is an error unless both are sent (moby issue 39541);
	 * update does not double it itself. */
	if (json_object_get(rows, "mem_limit"))
		take_row(rows, expected, "memswap_limit");
	if (json_object_get(rows, "memswap_limit"))
		take_row(rows, expected, "mem_limit");
	if (json_object_size(rows) &&
	    schema_encode(&container_schema, rows, engine_api(pass->engine), body, &err) == 0)
		update = json_incref(json_object_get(body, "HostConfig"));
	json_decref(rows);
	json_decref(body);
	json_decref(expected);
	json_decref(resolved);
	return update;
}
