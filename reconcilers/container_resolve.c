/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what a manifest says to what an engine would show: names become the engine's, each value
 * gets the one spelling that the decoders use too, and what the engine makes of it is worked out.
 */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/container_deploy.h"
#include "reconcilers/network.h"
#include "reconcilers/volume.h"

const char *container_engine_name(const struct resource *want)
{
	return resource_engine_name(want);
}

const char *container_wanted_state(const struct resource *want)
{
	return resource_string(want, "state");
}

const char *container_partner(const struct resource *want, const char *key)
{
	return namespace_ref_name(resource_get(want, key));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

enum { MAC_OF_ENDPOINT = 44 }; /* API version that gives hardware addresses to endpoints */

/* --- names --- */

static void resolve_mount(const struct pass *pass, json_t *mount)
{
	const char *source = text(mount, "source"), *type = text(mount, "type");
	json_t *tmpfs = json_object_get(mount, "tmpfs");
	const char *mode = text(tmpfs, "mode");
	char *target = path_clean(text(mount, "target") ?: "");

	json_object_set_new(mount, "target", json_string(target));
	free(target);
	if (!type)
		json_object_set_new(mount, "type", json_string("volume"));
	if (source && (!type || strcmp(type, "volume") == 0))
		json_object_set_new(mount, "source", json_string(volume_engine_name(pass, source)));
	if (mode && mode[0] == '0' && mode[1])
		json_object_set_new(tmpfs, "mode", json_string(mode + 1));
}

static void map_row(json_t *spec, const char *key, json_t *(*normalize)(const char *text))
{
	json_t *list = json_object_get(spec, key), *item;
	size_t i;

	json_array_foreach (list, i, item)
		json_array_set_new(list, i, normalize(json_string_value(item)));
}

static void resolve_endpoint(json_t *endpoint)
{
	static const char *const addresses[] = { "ipv4_address", "ipv6_address" };
	const char *mac = text(endpoint, "mac_address");

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		const char *address = text(endpoint, addresses[i]);

		if (address)
			json_object_set_new(endpoint, addresses[i], address_normalize(address));
	}
	map_row(endpoint, "link_local_ips", address_normalize);
	if (mac)
		json_object_set_new(endpoint, "mac_address", mac_normalize(mac));
	/* As the docker command hands it over. */
	if (text(endpoint, "interface_name")) {
		if (!json_object_get(endpoint, "driver_opts"))
			json_object_set_new(endpoint, "driver_opts", json_object());
		json_object_set(json_object_get(endpoint, "driver_opts"),
				"com.docker.network.endpoint.ifname",
				json_object_get(endpoint, "interface_name"));
		json_object_del(endpoint, "interface_name");
	}
}

static void resolve_networks(const struct pass *pass, json_t *spec)
{
	json_t *networks = json_object_get(spec, "networks"), *resolved, *endpoint;
	const char *name, *hostname = text(spec, "hostname");

	if (!networks)
		return;
	resolved = json_object();
	json_object_foreach (networks, name, endpoint) {
		json_t *aliases = json_object_get(endpoint, "aliases");

		resolve_endpoint(endpoint);
		/* The host name resolves anyway, and older engines list it among the aliases:
		 * what inspect shows does not tell who asked for it. */
		for (size_t i = json_array_size(aliases); hostname && i-- > 0;) {
			if (str_eq(json_string_value(json_array_get(aliases, i)), hostname))
				json_array_remove(aliases, i);
		}
		json_object_set(resolved, network_engine_name(pass, name), endpoint);
	}
	json_object_set_new(spec, "networks", resolved);
}

static const char *partner_name(const struct pass *pass, const char *name)
{
	const struct resource *partner = desired_find(pass->desired, "Container", name);

	return partner ? container_engine_name(partner) : name;
}

/* "service:db" -> "container:<engine name of db>". */
static void resolve_partner(const struct pass *pass, json_t *spec, const char *key)
{
	const char *name = namespace_ref_name(json_object_get(spec, key));

	if (name)
		json_object_set_new(spec, key,
				    json_sprintf("container:%s", partner_name(pass, name)));
}

/* The first network has the address; engines before API 1.44 have one for the container. */
static void resolve_mac(const struct pass *pass, json_t *spec)
{
	json_t *networks = json_object_get(spec, "networks"), *mac;

	if (!text(spec, "mac_address"))
		return;
	mac = mac_normalize(text(spec, "mac_address"));
	json_object_set_new(spec, "mac_address", mac);
	if (pass->observed.engine_api < MAC_OF_ENDPOINT)
		return;
	if (!json_object_size(networks)) {
		networks = json_pack("{s:{}}", "bridge");
		json_object_set_new(spec, "networks", networks);
	}
	json_t *first = json_object_iter_value(json_object_iter(networks));
	if (!json_object_get(first, "mac_address"))
		json_object_set(first, "mac_address", mac);
	json_object_del(spec, "mac_address");
}

static void resolve_link(const struct pass *pass, json_t *link, bool external, json_t *links)
{
	const char *container = text(link, "container"), *alias = text(link, "alias");

	if (container)
		json_array_append_new(
			links, json_pack("{s:s, s:s}", "container",
					 external ? container : partner_name(pass, container),
					 "alias", alias ? alias : container));
}

/* On the engine's bridge they belong to the container, on other networks to the endpoint. */
static void resolve_links(const struct pass *pass, json_t *spec)
{
	json_t *networks = json_object_get(spec, "networks"), *links = json_array(), *item;
	json_t *texts;
	const char *name;
	size_t i;

	json_array_foreach (json_object_get(spec, "links"), i, item)
		resolve_link(pass, item, false, links);
	json_array_foreach (json_object_get(spec, "external_links"), i, item)
		resolve_link(pass, item, true, links);
	json_object_del(spec, "external_links");
	json_object_del(spec, "links");
	if (!json_array_size(links) || !json_object_size(networks)) {
		if (json_array_size(links))
			json_object_set(spec, "links", links);
		json_decref(links);
		return;
	}
	texts = codec_links.encode(NULL, links);
	json_object_foreach (networks, name, item) {
		json_t *own = json_object_get(item, "links");

		if (own)
			json_array_extend(own, texts);
		else
			json_object_set(item, "links", texts);
	}
	json_decref(texts);
	json_decref(links);
}

static void resolve_volumes_from(const struct pass *pass, json_t *spec)
{
	json_t *from;
	size_t i;

	json_array_foreach (json_object_get(spec, "volumes_from"), i, from) {
		const char *source = text(from, "source");

		if (source && str_has_prefix(source, "container:"))
			source += strlen("container:");
		else if (source)
			source = partner_name(pass, source);
		if (source)
			json_object_set_new(from, "source", json_string(source));
	}
}

/* --- spellings --- */

static void normalize_expose(json_t *spec)
{
	json_t *list = json_object_get(spec, "expose"), *expanded, *item;
	size_t i;

	if (!list)
		return;
	expanded = json_array();
	json_array_foreach (list, i, item)
		expose_expand(json_string_value(item), expanded);
	json_object_set_new(spec, "expose", expanded);
}

static void normalize_ports(json_t *spec)
{
	json_t *port;
	size_t i;

	json_array_foreach (json_object_get(spec, "ports"), i, port) {
		const char *ip = text(port, "host_ip");

		if (ip)
			json_object_set_new(port, "host_ip", address_normalize(ip));
		if (str_eq(text(port, "published"), "0"))
			json_object_del(port, "published");
	}
}

static void normalize_devices(json_t *spec)
{
	json_t *device;
	size_t i;

	json_array_foreach (json_object_get(spec, "devices"), i, device) {
		if (!text(device, "target"))
			json_object_set(device, "target", json_object_get(device, "source"));
		if (!text(device, "permissions"))
			json_object_set_new(device, "permissions", json_string("rwm"));
	}
}

/* The docker command turns this option into two lists (docker/cli, opts). */
static void spell_out_system_paths(json_t *spec)
{
	json_t *list = json_object_get(spec, "security_opt");

	for (size_t i = json_array_size(list); i-- > 0;) {
		if (!str_eq(json_string_value(json_array_get(list, i)), "systempaths=unconfined"))
			continue;
		json_array_remove(list, i);
		json_object_set_new(spec, "masked_paths", json_array());
		json_object_set_new(spec, "readonly_paths", json_array());
	}
}

/* See decode_security(). */
static void drop_implied_security(json_t *spec)
{
	json_t *list = json_object_get(spec, "security_opt");
	bool implied = json_is_true(json_object_get(spec, "privileged")) ||
		       str_eq(text(spec, "ipc"), "host") || str_eq(text(spec, "pid"), "host");

	for (size_t i = json_array_size(list); implied && i-- > 0;) {
		if (str_eq(json_string_value(json_array_get(list, i)), "label=disable"))
			json_array_remove(list, i);
	}
}

static void normalize(json_t *spec)
{
	const char *directory = text(spec, "working_dir"), *signal = text(spec, "stop_signal");

	map_row(spec, "dns", address_normalize);
	map_row(spec, "cap_add", capability_normalize);
	map_row(spec, "cap_drop", capability_normalize);
	map_row(spec, "security_opt", security_normalize);
	map_row(spec, "tmpfs", tmpfs_normalize);
	drop_implied_security(spec);
	spell_out_system_paths(spec);
	gpus_normalize(json_object_get(spec, "gpus"));
	normalize_expose(spec);
	normalize_ports(spec);
	normalize_devices(spec);
	if (json_integer_value(json_object_get(spec, "pids_limit")) <= 0)
		json_object_del(spec, "pids_limit");
	if (str_eq(text(spec, "restart"), "on-failure:0"))
		json_object_set_new(spec, "restart", json_string("on-failure"));
	if (directory) {
		CLEANUP(cleanup_free) char *clean = path_clean(directory);

		json_object_set_new(spec, "working_dir", json_string(clean));
	}
	if (signal)
		json_object_set_new(spec, "stop_signal", signal_normalize(signal));
}

json_t *container_resolve(const struct pass *pass, const struct resource *want)
{
	json_t *spec = json_deep_copy(want->spec), *mount;
	size_t i;

	deploy_spell_out(spec);
	json_array_foreach (json_object_get(spec, "volumes"), i, mount)
		resolve_mount(pass, mount);
	resolve_volumes_from(pass, spec);
	resolve_networks(pass, spec);
	resolve_mac(pass, spec);
	resolve_links(pass, spec);
	resolve_partner(pass, spec, "network_mode");
	resolve_partner(pass, spec, "ipc");
	resolve_partner(pass, spec, "pid");
	normalize(spec);
	return spec;
}

/* --- what the engine makes of it --- */

static int64_t number(const json_t *spec, const char *key)
{
	return json_integer_value(json_object_get(spec, key));
}

/* Limits that the host's kernel can't keep are dropped by the engine with a warning (moby
 * daemon/daemon_unix.go, verifyPlatformContainerResources), so they can't be expected. */
static void drop_unsupported(json_t *expected, const json_t *resolved, const json_t *info,
			     struct arena *arena, const char **ret_warning)
{
	static const struct {
		const char *row, *info;
	} limits[] = {
		{ "mem_limit", "MemoryLimit" },
		{ "mem_reservation", "MemoryLimit" },
		{ "memswap_limit", "MemoryLimit" },
		{ "kernel_memory", "KernelMemory" },
		{ "cpu_shares", "CPUShares" },
		{ "cpuset", "CPUSet" },
		{ "cpuset_mems", "CPUSet" },
		{ "pids_limit", "PidsLimit" },
		{ "cpu_period", "CpuCfsPeriod" },
		{ "cpu_quota", "CpuCfsQuota" },
		{ "oom_kill_disable", "OomKillDisable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (!json_is_false(json_object_get(info, limits[i].info)) ||
		    !json_object_get(resolved, limits[i].row))
			continue;
		json_object_del(expected, limits[i].row);
		*ret_warning =
			arena_printf(arena, "the host's kernel can't do %s: it has no effect there",
				     limits[i].row);
	}
	/* Control groups v2 have no swappiness of their own. */
	if (str_eq(text(info, "CgroupVersion"), "2") &&
	    json_object_get(resolved, "mem_swappiness")) {
		json_object_del(expected, "mem_swappiness");
		*ret_warning = "the host's kernel can't do mem_swappiness: it has no effect there";
	}
}

/* Twice the memory where nobody says (adaptContainerSettings), no limit where swap is not counted
 * (both moby daemon/daemon_unix.go). */
static void expect_swap(json_t *expected, const json_t *info)
{
	int64_t memory = number(expected, "mem_limit"), swap = number(expected, "memswap_limit");

	if (memory <= 0)
		return;
	if (json_is_false(json_object_get(info, "SwapLimit")))
		swap = -1;
	else if (swap == 0)
		swap = 2 * memory;
	json_object_set_new(expected, "memswap_limit", json_integer(swap));
}

bool container_defaults_to_bridge(const json_t *resolved)
{
	const char *mode = text(resolved, "network_mode");

	return (!mode || strcmp(mode, "bridge") == 0) &&
	       json_object_size(json_object_get(resolved, "networks")) == 0 &&
	       !json_is_true(json_object_get(resolved, "network_disabled"));
}

json_t *container_expected(const struct pass *pass, const json_t *resolved, const json_t *image,
			   struct arena *arena, const char **ret_warning)
{
	const json_t *config = json_object_get(image, "Config"), *info = pass->observed.info;
	json_t *none = image && !json_is_object(config) ? json_object() : NULL;
	json_t *expected = schema_expect(&container_schema, resolved, none ? none : config);

	json_decref(none);
	drop_unsupported(expected, resolved, info, arena, ret_warning);
	expect_swap(expected, info);
	if (container_defaults_to_bridge(resolved))
		json_object_set_new(expected, "networks", json_pack("{s:{}}", "bridge"));
	return expected;
}

/* --- what the engine shows --- */

static const struct object *find_id(const struct pass *pass, const char *id)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind == &reconciler_container.kind && str_eq(object->id, id))
			return object;
	}
	return NULL;
}

/* The name that the manifest gives it: one that is only called otherwise for now is the same. */
static const char *name_of_partner(const struct pass *pass, const struct object *partner)
{
	const struct resource *want =
		partner->ours ? desired_find(pass->desired, "Container", partner->own.name) : NULL;

	if (!want || container_is_leftover(partner->engine_name) ||
	    pass_find_ours(pass, partner->kind, want->name) != partner)
		return partner->engine_name;
	return container_engine_name(want);
}

/* Engines keep the ID whatever they were told (adaptSharedNamespaceContainer). */
static void refine_partner(const struct pass *pass, json_t *observed, const char *key)
{
	const char *value = text(observed, key);
	const struct object *partner;

	if (!value || !str_has_prefix(value, "container:"))
		return;
	partner = find_id(pass, value + strlen("container:"));
	if (partner)
		json_object_set_new(observed, key,
				    json_sprintf("container:%s", name_of_partner(pass, partner)));
}

/* An endpoint remembers its network's ID. One that was made anew under the same name has another:
 * such a container is not on it, and when stopped won't start again. The bridge alone is made anew
 * by every start of the engine and looked up by its name (moby daemon/daemon_unix.go,
 * initBridgeDriver). */
static void refine_networks(const struct pass *pass, const struct object *object, json_t *observed)
{
	const json_t *endpoints =
		json_object_get(json_object_get(object->inspect, "NetworkSettings"), "Networks");
	json_t *networks = json_object_get(observed, "networks"), *endpoint;
	const char *name;
	void *next;

	json_object_foreach_safe (networks, next, name, endpoint) {
		const char *id = text(json_object_get(endpoints, name), "NetworkID");

		if (id && *id && strcmp(name, "bridge") != 0 && !network_has_id(pass, name, id))
			json_object_del(networks, name);
	}
}

static bool writes_mac(const struct resource *want)
{
	json_t *endpoint;
	const char *name;

	if (!want)
		return false;
	if (resource_get(want, "mac_address"))
		return true;
	json_object_foreach ((json_t *)resource_get(want, "networks"), name, endpoint) {
		if (json_object_get(endpoint, "mac_address"))
			return true;
	}
	return false;
}

/* A running container has addresses whoever asked for them: of no interest unless somebody did. */
static void drop_macs(const struct pass *pass, const struct object *object, json_t *networks)
{
	json_t *endpoint;
	const char *name;

	if (pass->whole)
		return;
	if (writes_mac(desired_find(pass->desired, "Container",
				    object->ours ? object->own.name : object->engine_name)))
		return;
	json_object_foreach (networks, name, endpoint)
		json_object_del(endpoint, "mac_address");
}

/* Engines from 25.0 on forget the addresses of an endpoint whose container is stopped; that of the
 * first network still stands in Config.MacAddress. What an engine does not tell is no difference.
 */
static void fill_macs(const struct pass *pass, const struct object *object, json_t *observed)
{
	const struct resource *want = desired_find(
		pass->desired, "Container", object->ours ? object->own.name : object->engine_name);
	const char *first =
		text(json_object_get(object->inspect, "HostConfig"), "NetworkMode") ?: "";
	json_t *networks = json_object_get(observed, "networks");
	json_t *endpoint = json_object_get(networks, first), *wanted;
	json_t *mac = json_object_get(observed, "mac_address");
	const char *name;

	if (!writes_mac(want) || inspect_is_live(object->inspect))
		return;
	if (endpoint && mac && !json_object_get(endpoint, "mac_address"))
		json_object_set(endpoint, "mac_address", mac);
	json_object_foreach ((json_t *)resource_get(want, "networks"), name, wanted) {
		endpoint = json_object_get(networks, network_engine_name(pass, name));
		if (endpoint && text(wanted, "mac_address") &&
		    !json_object_get(endpoint, "mac_address"))
			json_object_set_new(endpoint, "mac_address",
					    mac_normalize(text(wanted, "mac_address")));
	}
}

/* On the host's network the name is the host's where none is asked for. */
static void refine_hostname(const struct pass *pass, json_t *observed)
{
	if (str_eq(text(observed, "network_mode"), "host") &&
	    str_eq(text(observed, "hostname"), text(pass->observed.info, "Name")))
		json_object_del(observed, "hostname");
}

void container_refine(const struct pass *pass, struct object *object)
{
	json_t *observed = (json_t *)object->observed;

	refine_partner(pass, observed, "network_mode");
	refine_partner(pass, observed, "ipc");
	refine_partner(pass, observed, "pid");
	if (json_is_object(json_object_get(observed, "networks"))) {
		refine_networks(pass, object, observed);
		drop_macs(pass, object, json_object_get(observed, "networks"));
		fill_macs(pass, object, observed);
	}
	refine_hostname(pass, observed);
	/* See resolve_mac(). */
	if (pass->observed.engine_api >= MAC_OF_ENDPOINT)
		json_object_del(observed, "mac_address");
}
