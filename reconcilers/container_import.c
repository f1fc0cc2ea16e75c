/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A manifest for a container that drey did not make. Pure. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "manifests/pointer.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/import.h"

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const json_t *config_of(const struct object *object)
{
	return json_object_get(object->inspect, "Config");
}

static const json_t *host_config_of(const struct object *object)
{
	return json_object_get(object->inspect, "HostConfig");
}

static bool is_nothing(const json_t *value)
{
	return !value || json_is_null(value) || json_is_false(value) ||
	       (json_is_integer(value) && json_integer_value(value) == 0) ||
	       (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

/* --- which --- */

static const char *leave_out(const struct import *import, const struct object *object)
{
	(void)import;
	if (!object->inspect)
		return "it could not be inspected";
	if (container_is_leftover(object->engine_name))
		return "its name is that of a replacement under way";
	if (text(object->labels, "com.docker.swarm.task.id") ||
	    text(object->labels, "com.docker.swarm.service.id"))
		return "it is a task of a Swarm service, which makes its containers itself";
	if (json_is_true(json_object_get(host_config_of(object), "AutoRemove")))
		return "the engine removes it when it ends (--rm): it was meant to run once";
	if (str_eq(object->state, "dead") || str_eq(object->state, "removing"))
		return "it is half removed";
	return NULL;
}

/* --- image and state --- */

/* "3f2a9c...", the ID or its first digits. */
static bool names_id(const char *reference, const char *id)
{
	enum { SHORTEST = 4 };
	const char *digits = strchr(id, ':') ? strchr(id, ':') + 1 : id;
	size_t len = strlen(reference);

	return str_eq(reference, id) ||
	       (len >= SHORTEST && strspn(reference, "0123456789abcdef") == len &&
		str_has_prefix(digits, reference));
}

static void write_image(struct import *import, struct import_item *item)
{
	const struct object *object = item->object;
	const char *reference = text(object->observed, "image") ?: "";
	const json_t *named = pass_image(import->pass, reference);
	const char *id = object->image_id;

	if (named && !str_eq(text(named, "Id"), id)) {
		import_note(import, item,
			    "%s means another image by now: its image is written by its ID, which "
			    "can't be pulled",
			    reference);
		reference = id;
	} else if (named && names_id(reference, id)) {
		reference = id;
	} else if (!named) {
		const json_t *runs = pass_image(import->pass, id);

		import_note(import, item,
			    "%s is not on the host any more: it would be pulled for a replacement",
			    reference);
		/* What the one that it runs brings along need not be said. */
		if (runs)
			json_object_set(import->pass->observed.images, reference, (json_t *)runs);
	}
	json_object_set_new(item->spec, "image", json_string(reference));
}

/* Whatever does not run is not started by taking it over. */
static void write_state(struct import *import, struct import_item *item)
{
	const char *state = item->object->state;

	if (str_eq(state, "paused")) {
		json_object_set_new(item->spec, "state", json_string("paused"));
	} else if (!str_eq(state, "running") && !str_eq(state, "restarting")) {
		json_object_set_new(item->spec, "state", json_string("stopped"));
		if (str_eq(text(item->object->observed, "restart"), "always"))
			import_note(import, item,
				    "it is stopped, but its restart policy has the engine start it "
				    "whenever the engine itself is started");
	}
}

/* --- what the daemon fills in --- */

/* What a daemon fills in that nobody configured; NULL: nothing, or nobody knows. */
static json_t *usual_value(const struct import *import, const struct import_item *item,
			   const char *key)
{
	enum { SHM_SIZE = 64 * 1024 * 1024 };
	const json_t *info = import->pass->observed.info;
	bool v2 = str_eq(text(info, "CgroupVersion"), "2");

	if (strcmp(key, "shm_size") == 0)
		return json_integer(SHM_SIZE);
	if (strcmp(key, "ipc") == 0)
		return json_string("private");
	if (strcmp(key, "runtime") == 0)
		return json_string(text(info, "DefaultRuntime") ?: "runc");
	if (strcmp(key, "cgroup") == 0)
		return json_string(
			v2 && !json_is_true(json_object_get(item->object->observed, "privileged"))
				? "private"
				: "host");
	if (strcmp(key, "logging") == 0)
		return json_pack("{s:s, s:{}}", "driver",
				 text(info, "LoggingDriver") ?: "json-file", "options");
	return NULL;
}

/* The list that engines have of their own, which grows with their age (moby oci/defaults.go). */
static bool is_engines_list(const json_t *paths, const char *const *always)
{
	const json_t *path;
	size_t i;

	for (; *always; always++) {
		bool found = false;

		json_array_foreach (paths, i, path)
			found |= str_eq(json_string_value(path), *always);
		if (!found)
			return false;
	}
	json_array_foreach (paths, i, path) {
		const char *s = json_string_value(path) ?: "";

		if (!str_has_prefix(s, "/proc/") && strcmp(s, "/sys/firmware") != 0 &&
		    !str_has_prefix(s, "/sys/devices/"))
			return false;
	}
	return true;
}

/* Paths of /proc and /sys that the container can't see or write: none at all is a choice too, but
 * for a privileged container, which never has any. */
static bool has_own_paths(const struct import_item *item, const char *key)
{
	static const char *const masked[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list",
					      "/sys/firmware", NULL };
	static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						 NULL };
	const json_t *paths = json_object_get(item->object->observed, key);

	return !json_is_true(json_object_get(item->object->observed, "privileged")) &&
	       json_is_array(paths) &&
	       !is_engines_list(paths, strcmp(key, "masked_paths") == 0 ? masked : read_only);
}

/* Silence compares with anything there, so the comparison asks for none of them; a replacement
 * without them would be another container nevertheless. */
static void take_daemon_rows(struct import *import, struct import_item *item)
{
	schema_foreach (&container_schema, field) {
		const json_t *value = json_object_get(item->object->observed, field->key);

		if (strcmp(field->key, "masked_paths") == 0 ||
		    strcmp(field->key, "readonly_paths") == 0) {
			if (has_own_paths(item, field->key))
				import_take_row(import, item, field->key);
			continue;
		}
		if (field->origin != ORIGIN_DAEMON || json_is_null(value) || !value ||
		    (field->type->shape != SHAPE_SCALAR && is_nothing(value)))
			continue;
		json_t *usual = usual_value(import, item, field->key);
		if (!usual || !json_equal(value, usual))
			import_take_row(import, item, field->key);
		json_decref(usual);
	}
}

/* Of an image that is gone nobody knows what it brought along. */
static void take_image_rows(struct import *import, struct import_item *item)
{
	if (pass_image(import->pass, resource_string(&item->resource, "image")))
		return;
	schema_foreach (&container_schema, field) {
		if (field->origin == ORIGIN_IMAGE &&
		    !is_nothing(json_object_get(item->object->observed, field->key)))
			import_take_row(import, item, field->key);
	}
}

/* --- what can't be said --- */

static bool has_row(const char *pointer)
{
	schema_foreach (&container_schema, field) {
		if (str_eq(field->api, pointer) || str_eq(field->inspect, pointer))
			return true;
	}
	return false;
}

/* Places of the create body that no row writes; a row that comes to do so ends the note. */
static void note_unsaid(struct import *import, struct import_item *item)
{
	static const struct {
		const char *pointer, *what;
	} unsaid[] = {
		{ "/HostConfig/VolumesFrom", "volumes of other containers (--volumes-from)" },
		{ "/HostConfig/Links", "links to other containers (--link)" },
		{ "/HostConfig/PublishAllPorts", "all its ports published (-P)" },
		{ "/HostConfig/VolumeDriver", "a volume driver for its volumes" },
		{ "/HostConfig/DeviceRequests", "requests for GPUs or other devices" },
		{ "/HostConfig/Cgroup", "another container's control group" },
		{ "/HostConfig/KernelMemoryTCP", "a limit of TCP buffer memory" },
		{ "/Config/NetworkDisabled", "its network disabled" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(unsaid); i++) {
		if (!has_row(unsaid[i].pointer) &&
		    !is_nothing(pointer_get(item->object->inspect, unsaid[i].pointer)))
			import_note(import, item,
				    "it has %s, which no manifest can say: a replacement would "
				    "lose that",
				    unsaid[i].what);
	}
}

static bool looks_secret(const char *name)
{
	static const char *const words[] = { "PASSWORD", "PASSWD",    "PASSPHRASE",  "SECRET",
					     "TOKEN",	 "CREDENT",   "PRIVATE_KEY", "API_KEY",
					     "APIKEY",	 "ACCESS_KEY" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasestr(name, words[i]))
			return true;
	}
	return false;
}

/* --- rows --- */

/* MAC addresses are shown whoever chose them. Config has it only where somebody asked for one; it
 * is that of the first network. */
static const char *asked_mac(const struct import *import, const struct object *object)
{
	enum { API_ENDPOINT_MAC = 44 };
	const char *mac = text(config_of(object), "MacAddress");

	return mac && *mac && import->pass->observed.engine_api >= API_ENDPOINT_MAC ? mac : NULL;
}

static void note_mac(struct import *import, struct import_item *item)
{
	const char *mac = text(config_of(item->object), "MacAddress");

	if (mac && *mac && !asked_mac(import, item->object) && !has_row("/MacAddress"))
		import_note(import, item,
			    "it has the fixed hardware address %s, which this engine takes from no "
			    "manifest: a replacement would get another",
			    mac);
}

/* The engine's name of the network that is named, or given by its ID, as the mode. */
static const char *primary_network(const struct import *import, const struct object *object)
{
	const char *mode = text(host_config_of(object), "NetworkMode") ?: "";
	const json_t *networks = json_object_get(object->observed, "networks"), *endpoint;
	const char *name;

	(void)import;
	if (strcmp(mode, "default") == 0)
		return "bridge";
	json_object_foreach (
		json_object_get(json_object_get(object->inspect, "NetworkSettings"), "Networks"),
		name, endpoint) {
		if (*mode && str_has_prefix(text(endpoint, "NetworkID") ?: "", mode) &&
		    json_object_get(networks, name))
			return name;
	}
	return mode;
}

static void add_network(struct import *import, const struct object *object, const char *name,
			const json_t *endpoint, bool primary, json_t *networks)
{
	const char *reference = import_refer(import, "Network", name), *key;
	json_t *said = json_object(), *value;

	json_object_foreach ((json_t *)endpoint, key, value) {
		if (!is_nothing(value) && strcmp(key, "mac_address") != 0)
			json_object_set(said, key, value);
	}
	if (primary && asked_mac(import, object))
		json_object_set_new(said, "mac_address", mac_normalize(asked_mac(import, object)));
	json_object_set_new(networks, reference ?: name, said);
}

static json_t *written_networks(struct import *import, const struct object *object)
{
	const json_t *observed = json_object_get(object->observed, "networks");
	const char *first = primary_network(import, object), *name;
	json_t *networks = json_object(), *endpoint = json_object_get(observed, first);

	if (endpoint)
		add_network(import, object, first, endpoint, true, networks);
	json_object_foreach ((json_t *)observed, name, endpoint) {
		if (strcmp(name, first) != 0)
			add_network(import, object, name, endpoint, false, networks);
	}
	if (json_object_size(networks))
		return networks;
	json_decref(networks);
	return NULL;
}

static json_t *written_partner(struct import *import, struct import_item *item, const json_t *value)
{
	const char *mode = json_string_value(value);
	const struct import_item *partner;

	if (!mode || !str_has_prefix(mode, "container:"))
		return json_incref((json_t *)value);
	mode += strlen("container:");
	partner = import_find(import, "Container", mode);
	if (partner && partner->resource.name)
		return json_sprintf("service:%s", partner->resource.name);
	item->left_out = arena_printf(import->pass->arena,
				      "it shares namespaces of container %s, which is %s", mode,
				      partner ? "left out" : "gone");
	return NULL;
}

static bool is_sayable(const json_t *mount)
{
	const char *type = text(mount, "type") ?: "";

	if (strcmp(type, "bind") == 0)
		return text(mount, "source") != NULL;
	return strcmp(type, "volume") == 0 || strcmp(type, "tmpfs") == 0;
}

static json_t *written_volumes(struct import *import, const struct object *object)
{
	json_t *list = json_array(), *mount;
	size_t i;

	json_array_foreach (json_object_get(object->observed, "volumes"), i, mount) {
		const char *source = text(mount, "source");
		json_t *said = json_deep_copy(mount);

		if (source && str_eq(text(mount, "type"), "volume")) {
			const char *reference = import_refer(import, "Volume", source);

			json_object_set_new(said, "source", json_string(reference ?: source));
		}
		if (is_sayable(mount))
			json_array_append(list, said);
		json_decref(said);
	}
	return list;
}

static json_t *written_health(const struct object *object)
{
	const json_t *test =
		json_object_get(json_object_get(config_of(object), "Healthcheck"), "Test");

	if (str_eq(json_string_value(json_array_get(test, 0)), "NONE"))
		return json_pack("{s:b}", "disable", 1);
	return json_incref(json_object_get(object->observed, "healthcheck"));
}

static json_t *written_logging(const json_t *observed)
{
	json_t *logging = json_copy((json_t *)observed);

	if (is_nothing(json_object_get(logging, "options")))
		json_object_del(logging, "options");
	return logging;
}

static json_t *container_row(struct import *import, struct import_item *item,
			     const struct field *field)
{
	const struct object *object = item->object;
	json_t *value = json_object_get(object->observed, field->key);

	if (strcmp(field->key, "networks") == 0)
		return written_networks(import, object);
	if (strcmp(field->key, "network_mode") == 0 || strcmp(field->key, "ipc") == 0 ||
	    strcmp(field->key, "pid") == 0)
		return written_partner(import, item, value);
	if (strcmp(field->key, "volumes") == 0)
		return written_volumes(import, object);
	if (strcmp(field->key, "healthcheck") == 0)
		return written_health(object);
	if (strcmp(field->key, "logging") == 0)
		return written_logging(value);
	/* None, though the image has one. */
	if (strcmp(field->key, "entrypoint") == 0 && is_nothing(value))
		return json_array();
	return json_incref(value);
}

static void container_begin(struct import *import, struct import_item *item)
{
	write_image(import, item);
	write_state(import, item);
	take_daemon_rows(import, item);
	take_image_rows(import, item);
	if (asked_mac(import, item->object))
		import_take_row(import, item, "networks");
	note_mac(import, item);
	note_unsaid(import, item);
}

static void container_end(struct import *import, struct import_item *item)
{
	json_t *value;
	const char *name;
	struct str names;

	str_init(&names, 0);
	json_object_foreach (json_object_get(item->spec, "environment"), name, value) {
		if (looks_secret(name))
			str_printf(&names, "%s%s", names.len ? ", " : "", name);
	}
	if (names.len)
		import_note(import, item,
			    "in plain text, as the engine shows it: %s; move it into a Secret and "
			    "write ${secret.NAME}",
			    names.data);
	str_done(&names);
}

const struct importer container_importer = {
	.leave_out = leave_out,
	.begin = container_begin,
	.row = container_row,
	.end = container_end,
};
