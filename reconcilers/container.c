/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Containers: seeing what a host has, and rules across fields. */
#include "reconcilers/container.h"

#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/container_deploy.h"
#include "reconcilers/container_files.h"
#include "reconcilers/container_hooks.h"
#include "reconcilers/network.h"
#include "reconcilers/pull.h"

static void release(void *json)
{
	json_decref(json);
}

static const json_t *member(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* --- seeing --- */

static json_t *pick(const json_t *from, const char *const *keys)
{
	json_t *to = json_object();

	for (; *keys; keys++) {
		json_t *value = json_object_get(from, *keys);

		if (value)
			json_object_set(to, *keys, value);
	}
	return to;
}

/* Each element of an array, or each value of an object, cut down to the keys. */
static json_t *pick_each(const json_t *from, const char *const *keys)
{
	json_t *to, *value;
	const char *name;
	size_t i;

	if (json_is_object(from)) {
		to = json_object();
		json_object_foreach ((json_t *)from, name, value)
			json_object_set_new(to, name, pick(value, keys));
		return to;
	}
	to = json_array();
	json_array_foreach (from, i, value)
		json_array_append_new(to, pick(value, keys));
	return to;
}

json_t *container_trim(const json_t *inspect)
{
	static const char *const top[] = { "Id",    "Name",	    "Created",
					   "Image", "RestartCount", "ImageManifestDescriptor",
					   NULL };
	static const char *const state[] = { "Status", "ExitCode",  "StartedAt", "FinishedAt",
					     "Error",  "OOMKilled", NULL };
	static const char *const health[] = { "Status", NULL };
	static const char *const config[] = { "Image", "Hostname", "Healthcheck", "StopTimeout",
					      NULL };
	static const char *const host[] = { "RestartPolicy", "AutoRemove", "NetworkMode",
					    "IpcMode",	     "PidMode",	   "PortBindings",
					    "Binds",	     "Mounts",	   NULL };
	static const char *const mount[] = { "Type", "Name", "Source", "Destination", "RW", NULL };
	static const char *const network[] = { "NetworkID",  "IPAMConfig", "Aliases",
					       "MacAddress", "DriverOpts", "Links",
					       "GwPriority", NULL };
	json_t *trimmed = pick(inspect, top), *value;

	value = pick(member(inspect, "State"), state);
	if (json_is_object(member(member(inspect, "State"), "Health")))
		json_object_set_new(value, "Health",
				    pick(member(member(inspect, "State"), "Health"), health));
	json_object_set_new(trimmed, "State", value);
	json_object_set_new(trimmed, "Config", pick(member(inspect, "Config"), config));
	json_object_set_new(trimmed, "HostConfig", pick(member(inspect, "HostConfig"), host));
	json_object_set_new(trimmed, "Mounts", pick_each(member(inspect, "Mounts"), mount));
	value = json_object();
	json_object_set_new(
		value, "Networks",
		pick_each(member(member(inspect, "NetworkSettings"), "Networks"), network));
	json_object_set_new(trimmed, "NetworkSettings", value);
	return trimmed;
}

static void forget(struct pass *pass, const struct object *object)
{
	struct observed *observed = &pass->observed;

	for (size_t i = 0; i < observed->count; i++) {
		if (observed->objects[i] != object)
			continue;
		memmove(&observed->objects[i], &observed->objects[i + 1],
			(observed->count - i - 1) * sizeof(*observed->objects));
		observed->count--;
		return;
	}
}

static const struct resource *wanted_as(const struct pass *pass, const char *engine_name)
{
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		if (want->kind == &reconciler_container.kind &&
		    str_eq(container_engine_name(want), engine_name))
			return want;
	}
	return NULL;
}

/* The manifest that it is to be as; NULL: none, or one that leaves foreign ones alone. */
static const struct resource *wanted_of(const struct pass *pass, const struct object *object)
{
	const struct resource *want;

	if (object->ours)
		return desired_find(pass->desired, "Container", object->own.name);
	want = wanted_as(pass, object->engine_name);
	return want && resource_adopts(want) ? want : NULL;
}

/* Is the path where something is mounted, or a directory on the way there? */
static bool leads_to(const char *path, const char *target)
{
	size_t len = strlen(path);

	return strncmp(target, path, len) == 0 && (target[len] == '\0' || target[len] == '/');
}

bool container_is_mount_point(const struct object *object, const char *path)
{
	const json_t *mounts = member(object->inspect, "Mounts"), *item;
	size_t i;

	json_array_foreach (mounts, i, item) {
		if (text(item, "Destination") && leads_to(path, text(item, "Destination")))
			return true;
	}
	json_array_foreach (member(object->observed, "tmpfs"), i, item) {
		const char *tmpfs = json_string_value(item);
		CLEANUP(cleanup_free) char *target = xstrndup(tmpfs, strcspn(tmpfs, ":"));

		if (leads_to(path, target))
			return true;
	}
	return leads_to(path, "/sbin/docker-init");
}

static int changes_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
			struct error *err)
{
	struct object *object = ctx;
	const struct resource *want = wanted_of(pass, object);

	if (failed && failed->code != ERROR_NOT_FOUND) {
		*err = *failed;
		return error_wrap(err, "read what container %s has changed", object->engine_name);
	}
	object->layer_changed = container_layer_changed(object, reply);
	if (want && container_drift_asked(want)) {
		json_t *drift = container_drift(object, want, reply);

		arena_defer(pass->arena, release, drift);
		object->drift = drift;
	}
	return 0;
}

int container_inspected(struct pass *pass, struct object *object, const json_t *reply,
			struct error *err)
{
	json_t *observed, *inspect;

	if (!json_is_object(member(reply, "Config")) ||
	    !json_is_object(member(reply, "HostConfig")) || !json_is_object(member(reply, "State")))
		return error_set(err, ERROR_REMOTE,
				 "inspect container %s: the answer is none of an engine's",
				 object->engine_name);
	inspect = pass->whole ? json_incref((json_t *)reply) : container_trim(reply);
	arena_defer(pass->arena, release, inspect);
	observed = schema_observe(&container_schema, reply);
	arena_defer(pass->arena, release, observed);
	object->inspect = inspect;
	object->observed = observed;
	if (text(member(inspect, "State"), "Status"))
		object->state = text(member(inspect, "State"), "Status");
	if (text(inspect, "Image"))
		object->image_id = text(inspect, "Image");
	return 0;
}

static int inspect_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
			struct error *err)
{
	struct object *object = ctx;
	const struct resource *want;

	if (failed && failed->code == ERROR_NOT_FOUND) {
		forget(pass, object);
		return 0;
	}
	if (failed) {
		*err = *failed;
		return error_wrap(err, "inspect container %s", object->engine_name);
	}
	if (container_inspected(pass, object, reply, err) < 0)
		return -1;
	if (*object->image_id)
		pass_queue_image(pass, object->image_id);
	if (pass->whole && text(object->observed, "image"))
		pass_queue_image(pass, text(object->observed, "image"));
	want = wanted_of(pass, object);
	if (!want)
		return 0;
	container_files_look(pass, object, want);
	if (!object->ours || container_drift_asked(want)) {
		CLEANUP(cleanup_free)
		char *path = engine_path("/containers/%s/changes", object->id);

		pass_queue(pass, path, changes_read, object);
	}
	return 0;
}

/* Names hold "/web", and "/other/web" for links to it. */
static const char *list_name(const json_t *item)
{
	json_t *name;
	size_t i;

	json_array_foreach (member(item, "Names"), i, name) {
		const char *s = json_string_value(name);

		if (s && s[0] == '/' && !strchr(s + 1, '/'))
			return s + 1;
	}
	return NULL;
}

/* Whom it would concern if a volume or a network were replaced. */
static void keep_uses(struct pass *pass, struct object *object, const json_t *item)
{
	json_t *listed = json_pack("{s:O?, s:O?, s:O?}", "Mounts", member(item, "Mounts"),
				   "NetworkSettings", member(item, "NetworkSettings"), "HostConfig",
				   member(item, "HostConfig"));

	arena_defer(pass->arena, release, listed);
	object->listed = listed;
}

static bool is_helper(const struct pass *pass, const json_t *labels)
{
	return json_object_get(labels, LABEL_HELPER) &&
	       str_eq(text(labels, LABEL_PROJECT), pass->project);
}

static int container_listed(struct pass *pass, const json_t *list, struct error *err)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return error_set(err, ERROR_REMOTE, "the engine's list of containers is no list");
	json_array_foreach (list, i, item) {
		const char *id = text(item, "Id"), *name = list_name(item);
		struct object *object;

		/* One that is just being removed may have lost its name already. */
		if (!id || !name)
			continue;
		if (json_object_get(member(item, "Labels"), LABEL_LEASE)) {
			pass->observed.leased = true;
			continue;
		}
		if (is_helper(pass, member(item, "Labels")))
			pass->observed.helped = true;
		object = pass_add_object(pass, &reconciler_container.kind, id, name,
					 member(item, "Labels"));
		object->state = arena_strdup(pass->arena, text(item, "State") ?: "");
		object->image_id = arena_strdup(pass->arena, text(item, "ImageID") ?: "");
		const char *mode = text(member(item, "HostConfig"), "NetworkMode");
		bool sharing = mode && str_has_prefix(mode, "container:");
		if (!object->ours && !wanted_as(pass, name) && !container_is_leftover(name) &&
		    !sharing && !pass->whole) {
			keep_uses(pass, object, item);
			continue;
		}
		CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/json", id);
		pass_queue(pass, path, inspect_read, object);
	}
	for (i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind == &reconciler_container.kind && object->ours && *object->image_id)
			pass_queue_image(pass, object->image_id);
	}
	return 0;
}

static void container_prepare(struct pass *pass)
{
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		if (want->kind != &reconciler_container.kind)
			continue;
		pass_queue_image(pass, resource_string(want, "image"));
		pull_queue_digest(pass, want);
	}
}

/* What only the whole shows: whether an image brought the labels, who "container:<id>" is,
 * whether an endpoint's network is still the one of its name. */
static int container_observed(struct pass *pass, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < pass->observed.count; i++) {
		struct object *object = pass->observed.objects[i];
		const json_t *image = pass_image(pass, object->image_id);

		if (object->kind != &reconciler_container.kind)
			continue;
		if (object->ours &&
		    !pass_read_ownership(pass, object, member(member(image, "Config"), "Labels")))
			object->own = (struct ownership){ 0 };
	}
	for (size_t i = 0; i < pass->observed.count; i++) {
		if (pass->observed.objects[i]->kind == &reconciler_container.kind &&
		    pass->observed.objects[i]->observed)
			container_refine(pass, pass->observed.objects[i]);
	}
	return 0;
}

bool container_is_leftover(const char *engine_name)
{
	return str_has_suffix(engine_name, CONTAINER_NEW) ||
	       str_has_suffix(engine_name, CONTAINER_OLD) ||
	       str_has_suffix(engine_name, CONTAINER_HELD);
}

/* Whose namespace it shares: an ID or a name; NULL: nobody's. */
static const char *joined_by(const struct object *object, const char *mode_key)
{
	const char *mode = text(member(object->inspect, "HostConfig"), mode_key);

	return mode && str_has_prefix(mode, "container:") ? mode + strlen("container:") : NULL;
}

static const char *const namespace_modes[] = { "NetworkMode", "IpcMode", "PidMode" };

bool container_joins_any(const struct object *object)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespace_modes); i++)
		if (joined_by(object, namespace_modes[i]))
			return true;
	return false;
}

bool container_joins(const struct object *object, const char *id, const char *engine_name)
{
	if (object->kind != &reconciler_container.kind)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(namespace_modes); i++) {
		const char *other = joined_by(object, namespace_modes[i]);

		if (other && (str_eq(other, id) || str_eq(other, engine_name)))
			return true;
	}
	return false;
}

bool container_writes_volume(const struct object *object, const char *engine_volume)
{
	const json_t *mounts = member(object->inspect ? object->inspect : object->listed, "Mounts");
	const json_t *mount;
	size_t i;

	json_array_foreach (mounts, i, mount) {
		if (str_eq(text(mount, "Type"), "volume") &&
		    str_eq(text(mount, "Name"), engine_volume) &&
		    !json_is_false(member(mount, "RW")))
			return true;
	}
	return false;
}

bool container_shares(const struct object *object, const char *id, const char *engine_name)
{
	return container_joins(object, id, engine_name) && inspect_is_live(object->inspect);
}

/* --- rules across fields --- */

struct verify {
	const struct resource *resource;
	const json_t *spec;
	struct diagnostics *diagnostics;
};

static void fault(const struct verify *v, const char *path, const char *message)
{
	CLEANUP(cleanup_free) char *at = xasprintf("spec.%s", path);

	diagnose(v->diagnostics, SEVERITY_ERROR, node_find(v->resource->node, at), "%s: %s", at,
		 message);
}

/* As it is spelt out: what deploy says is in the rows that say the same. */
static const json_t *written(const struct verify *v, const char *key)
{
	return member(v->spec, key);
}

static int64_t number(const struct verify *v, const char *key)
{
	return json_integer_value(written(v, key));
}

static void verify_networks(const struct verify *v)
{
	const char *mode = json_string_value(written(v, "network_mode"));
	bool bridge = !mode || strcmp(mode, "bridge") == 0;

	if (mode && json_object_size(written(v, "networks")))
		fault(v, "network_mode", "stands in place of networks; write one of the two");
	if (!bridge && json_array_size(written(v, "ports")))
		fault(v, "ports",
		      strcmp(mode, "host") == 0
			      ? "on the host's network every port is the host's; "
				"nothing is published"
			      : "nothing is published without a network of its own; "
				"publish on the container whose network it is");
	if (!bridge && written(v, "mac_address"))
		fault(v, "mac_address",
		      "a container without a network of its own has no address; write it on the "
		      "container whose network it is, or under networks");
	if (mode && strchr(mode, ':') &&
	    (written(v, "hostname") || written(v, "dns") || written(v, "extra_hosts")))
		fault(v, "network_mode",
		      "names and name servers are the other container's: hostname, dns and "
		      "extra_hosts can't be written");
}

static void verify_address(const struct verify *v, const char *path, const char *address)
{
	if (!address || address_is_valid(address))
		return;
	CLEANUP(cleanup_free) char *message = xasprintf("'%s' is no IP address", address);
	fault(v, path, message);
}

/* Engines take what is none without a word in some places, and for every address in others. */
static void verify_addresses(const struct verify *v)
{
	json_t *item;
	const char *name;
	size_t i;

	json_array_foreach (written(v, "ports"), i, item)
		verify_address(v, "ports", text(item, "host_ip"));
	json_array_foreach (written(v, "dns"), i, item)
		verify_address(v, "dns", json_string_value(item));
	json_array_foreach (written(v, "extra_hosts"), i, item) {
		const char *address = strchr(json_string_value(item), ':') + 1;

		if (strcmp(address, "host-gateway") != 0)
			verify_address(v, "extra_hosts", address);
	}
	json_object_foreach ((json_t *)written(v, "networks"), name, item) {
		verify_address(v, "networks", text(item, "ipv4_address"));
		verify_address(v, "networks", text(item, "ipv6_address"));
	}
}

static void verify_expose(const struct verify *v)
{
	json_t *ports = json_array(), *item;
	size_t i;

	json_array_foreach (written(v, "expose"), i, item) {
		CLEANUP(cleanup_free)
		char *message = xasprintf("'%s' is neither a port from 1 to 65535 nor a range",
					  json_string_value(item));

		if (!expose_expand(json_string_value(item), ports))
			fault(v, "expose", message);
	}
	json_decref(ports);
}

static void verify_limits(const struct verify *v)
{
	int64_t memory = number(v, "mem_limit"), swap = number(v, "memswap_limit");

	if (swap > 0 && !memory)
		fault(v, "memswap_limit", "needs mem_limit");
	else if (swap > 0 && swap < memory)
		fault(v, "memswap_limit",
		      "counts memory and swap together: it can't be below mem_limit");
	if (memory && number(v, "mem_reservation") > memory)
		fault(v, "mem_reservation", "can't be above mem_limit");
	if (number(v, "cpus") && (number(v, "cpu_quota") || number(v, "cpu_period")))
		fault(v, "cpus", "says the same as cpu_quota and cpu_period; write one of the two");
	if (json_is_true(written(v, "oom_kill_disable")) && !memory)
		fault(v, "oom_kill_disable",
		      "without mem_limit it would let the host itself run out of memory");
}

static void verify_security(const struct verify *v)
{
	json_t *option;
	size_t i;

	json_array_foreach (written(v, "security_opt"), i, option) {
		const char *s = json_string_value(option);

		if (str_has_prefix(s, "systempaths") && strcmp(s, "systempaths=unconfined") != 0)
			fault(v, "security_opt", "systempaths takes unconfined only");
		if (strcmp(s, "systempaths=unconfined") == 0 &&
		    (written(v, "masked_paths") || written(v, "readonly_paths")))
			fault(v, "security_opt",
			      "systempaths stands for masked_paths and readonly_paths; write "
			      "one of the two");
	}
}

static void verify_health(const struct verify *v)
{
	const json_t *health = written(v, "healthcheck");

	if (json_is_true(member(health, "disable")) && json_object_size(health) > 1)
		fault(v, "healthcheck", "disable stands alone: nothing else has a meaning then");
}

static void verify_mount_options(const struct verify *v, const char *path, const json_t *mount)
{
	const json_t *volume = member(mount, "volume");
	const char *recursive = text(member(mount, "bind"), "recursive") ?: "";
	bool named = text(mount, "source");

	if (named && (member(volume, "labels") || member(volume, "driver_config")))
		fault(v, path, "labels and driver of a volume with a name stand in its Volume");
	if ((strcmp(recursive, "writable") == 0 || strcmp(recursive, "readonly") == 0) &&
	    !json_is_true(member(mount, "read_only")))
		fault(v, path, "writable and readonly are for what is read_only: true");
	if (strcmp(recursive, "readonly") == 0 &&
	    !str_eq(text(member(mount, "bind"), "propagation"), "rprivate"))
		fault(v, path, "recursive: readonly takes propagation: rprivate");
	if (text(member(mount, "bind"), "selinux") &&
	    ((*recursive && strcmp(recursive, "enabled") != 0) ||
	     json_is_false(member(member(mount, "bind"), "create_host_path"))))
		fault(v, path,
		      "engines take selinux in their old form of a bind alone, which has no word "
		      "for recursive and always makes the directory; label it on the host instead");
}

static void verify_mounts(const struct verify *v)
{
	json_t *mount;
	size_t i;

	json_array_foreach (written(v, "volumes"), i, mount) {
		CLEANUP(cleanup_free) char *path = xasprintf("volumes.%zu", i);
		const char *type = text(mount, "type") ?: "volume", *source = text(mount, "source");

		if (strcmp(type, "bind") == 0 && (!source || source[0] != '/'))
			fault(v, path, "a bind names a directory of the host by its absolute path");
		else if (strcmp(type, "tmpfs") == 0 && source)
			fault(v, path, "a tmpfs has no source");
		else if (strcmp(type, "volume") == 0 && source && strchr(source, '/'))
			fault(v, path, "a volume has a name; a path takes type: bind");
		else if (strcmp(type, "image") == 0 && !source)
			fault(v, path, "the source is missing: which image is it?");
		verify_mount_options(v, path, mount);
		for (const char *const *group =
			     (const char *const[]){ "bind", "volume", "tmpfs", "image", NULL };
		     *group; group++) {
			if (member(mount, *group) && strcmp(*group, type) != 0)
				fault(v, path, "options of another type of mount");
		}
	}
}

static void verify_target(const struct verify *v, const char *path, const char *target, size_t len,
			  json_t *seen)
{
	CLEANUP(cleanup_free) char *written_as = xstrndup(target, len);
	CLEANUP(cleanup_free) char *clean = path_clean(written_as);

	if (json_object_get(seen, clean)) {
		CLEANUP(cleanup_free)
		char *message = xasprintf("something is mounted at %s already", clean);
		fault(v, path, message);
	}
	json_object_set_new(seen, clean, json_true());
}

/* Engines refuse two mounts at one place, and of two memory file systems keep the last. */
static void verify_targets(const struct verify *v)
{
	json_t *seen = json_object(), *item;
	size_t i;

	json_array_foreach (written(v, "volumes"), i, item) {
		CLEANUP(cleanup_free) char *path = xasprintf("volumes.%zu", i);
		const char *target = text(item, "target");

		if (target)
			verify_target(v, path, target, strlen(target), seen);
	}
	json_array_foreach (written(v, "tmpfs"), i, item) {
		const char *target = json_string_value(item);

		verify_target(v, "tmpfs", target, strcspn(target, ":"), seen);
	}
	json_decref(seen);
}

static void file_fault(void *ctx, const char *path, const char *message)
{
	fault(ctx, path, message);
}

static void verify_drift(const struct verify *v)
{
	json_t *path;
	size_t i;

	json_array_foreach (member(written(v, "fs_drift"), "ignore"), i, path) {
		if (json_string_value(path)[0] != '/')
			fault(v, "fs_drift",
			      "ignore holds absolute paths, which leave out all below");
	}
}

static void verify_rest(const struct verify *v)
{
	const char *state = resource_string(v->resource, "state");
	const char *restart = json_string_value(written(v, "restart")) ?: "no";
	const json_t *depends_on = written(v, "depends_on");

	if (strcmp(state, "completed") == 0 && !str_has_prefix(restart, "on-failure") &&
	    strcmp(restart, "no") != 0)
		fault(v, "restart",
		      "a container that completes is not started again: no or "
		      "on-failure");
	if (json_integer_value(written(v, "stop_grace_period")) % 1000000000)
		fault(v, "stop_grace_period", "an engine counts in whole seconds");
	if (member(depends_on, v->resource->name))
		fault(v, "depends_on", "a container can't depend on itself");
	if (container_is_leftover(container_engine_name(v->resource)))
		fault(v, "container_name",
		      "names that end in " CONTAINER_NEW ", " CONTAINER_OLD " or " CONTAINER_HELD
		      " are those of a replacement under way");
	for (const char *const *key = (const char *const[]){ "network_mode", "ipc", "pid", NULL };
	     *key; key++) {
		if (str_eq(container_partner(v->resource, *key), v->resource->name))
			fault(v, *key, "a container can't share with itself");
	}
}

/* What Compose says of several containers has no place in one. */
static void verify_deploy(const struct verify *v)
{
	const json_t *deploy = resource_get(v->resource, "deploy"), *scale = written(v, "scale");
	const json_t *replicas = member(deploy, "replicas");
	const json_t *policy = member(deploy, "restart_policy");
	const char *contradiction = deploy_contradicts(v->resource->spec);
	static const char one[] =
		"a container is one object on each of its hosts: name more hosts, "
		"write a Template and several Releases, or state: absent for none";

	if (scale && json_integer_value(scale) != 1)
		fault(v, "scale", one);
	if (replicas && json_integer_value(replicas) != 1)
		fault(v, "deploy.replicas", one);
	if (member(policy, "max_attempts") && !str_eq(text(policy, "condition"), "on-failure"))
		fault(v, "deploy.restart_policy", "max_attempts counts with on-failure only");
	if (contradiction) {
		CLEANUP(cleanup_free)
		char *message = xasprintf("says something else than %s does; write one of the two",
					  contradiction);
		fault(v, "deploy", message);
	}
}

static void verify_requests(const struct verify *v)
{
	json_t *request;
	size_t i;

	json_array_foreach (written(v, "gpus"), i, request) {
		if (member(request, "count") && json_array_size(member(request, "device_ids")))
			fault(v, "gpus",
			      "count and device_ids say two things; write one of the two");
	}
}

static void container_verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	json_t *spec = json_copy((json_t *)resource->spec); /* rows are set in it, none changed */
	const struct verify v = { .resource = resource, .spec = spec, .diagnostics = diagnostics };

	deploy_spell_out(spec);
	verify_deploy(&v);
	verify_requests(&v);
	verify_networks(&v);
	verify_addresses(&v);
	verify_expose(&v);
	verify_limits(&v);
	verify_security(&v);
	verify_health(&v);
	verify_mounts(&v);
	verify_targets(&v);
	container_files_verify(resource, file_fault, (void *)&v);
	verify_drift(&v);
	verify_rest(&v);
	json_decref(spec);
	container_update_verify(resource, diagnostics);
	container_hooks_verify(resource, diagnostics);
}

const struct reconciler reconciler_container = {
	.kind = {
		.name = "Container",
		.doc = "A container on each host that it is placed on.",
		.scope = SCOPE_HOST,
		.phase = 30,
		.spec = &container_schema,
		.verify = container_verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Container\n"
			   "metadata: { name: web, labels: { tier: front } }\n"
			   "spec:\n"
			   "  image: registry.example.com/web:1.4.2\n"
			   "  ports: [\"8080:80\"]\n"
			   "  restart: unless-stopped\n"
			   "  healthcheck: { test: [\"CMD\", \"wget\", \"-qO-\", "
			   "\"localhost/health\"], interval: 5s }\n",
	},
	.list_path = "/containers/json?all=1",
	.prepare = container_prepare,
	.listed = container_listed,
	.observed = container_observed,
	.compare = container_compare,
	.apply = container_apply,
	.ready = container_ready,
	.recover = container_recover,
	.importer = &container_importer,
};
