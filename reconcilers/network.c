/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks. An engine can change nothing about one: every difference takes a new one. */
#include "reconcilers/network.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container.h"
#include "reconcilers/external.h"
#include "reconcilers/network_notes.h"

extern const struct reconciler reconciler_network;

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* --- the table --- */

static json_t *decode_text(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (json_is_string(at) && json_string_length(at) == 0)
		return NULL;
	return json_incref((json_t *)at);
}

static json_t *decode_labels(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return json_is_object(at) ? ownership_strip(at) : json_incref((json_t *)at);
}

static const struct codec codec_text = { .decode = decode_text };
static const struct codec codec_labels = { .decode = decode_labels };

/* The engine chooses gateways and whole subnets where nobody does, by its own pools. */
static const struct field pool_fields[] = {
	{ .key = "subnet",
	  .type = &type_string,
	  .pattern = "^[0-9A-Fa-f.:]+/[0-9]+$",
	  .api = "/Subnet",
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .example = "10.91.0.0/24",
	  .doc = "Addresses of the network, ADDRESS/BITS." },
	{ .key = "ip_range",
	  .type = &type_string,
	  .pattern = "^[0-9A-Fa-f.:]+/[0-9]+$",
	  .api = "/IPRange",
	  .codec = &codec_text,
	  .origin = ORIGIN_ENGINE,
	  .example = "10.91.0.128/25",
	  .doc = "Part of the subnet from which addresses are given out; fixed ones are better "
		 "outside it." },
	{ .key = "gateway",
	  .type = &type_string,
	  .pattern = "^[0-9A-Fa-f.:]+$",
	  .api = "/Gateway",
	  .codec = &codec_text,
	  .origin = ORIGIN_DAEMON,
	  .example = "10.91.0.1",
	  .doc = "Address of the host on the network." },
	{ .key = "aux_addresses",
	  .type = &type_map,
	  .api = "/AuxiliaryAddresses",
	  .origin = ORIGIN_ENGINE,
	  .doc = "Addresses by name that are never given out." },
};

static const struct schema pool_schema = {
	.name = "address pool",
	.doc = "Addresses of a network.",
	.fields = pool_fields,
	.count = ARRAY_SIZE(pool_fields),
};

static const struct field ipam_fields[] = {
	{ .key = "driver",
	  .type = &type_string,
	  .api = "/Driver",
	  .fallback = "\"default\"",
	  .doc = "Who gives out addresses." },
	{ .key = "config",
	  .type = &type_objects,
	  .of = &pool_schema,
	  .api = "/Config",
	  .doc = "Pools of addresses." },
	{ .key = "options", .type = &type_map, .api = "/Options", .doc = "Options of the driver." },
};

static const struct schema ipam_schema = {
	.name = "address management",
	.doc = "How addresses are given out.",
	.fields = ipam_fields,
	.count = ARRAY_SIZE(ipam_fields),
};

static const char *const states[] = { "present", "absent", NULL };

static const struct field fields[] = {
	{ .key = "name",
	  .type = &type_string,
	  .api = "/Name",
	  .effect = EFFECT_REPLACE,
	  .pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
	  .example = "front-1",
	  .doc = "The engine's name for it; silence means the resource's own." },
	{ .key = "driver",
	  .type = &type_string,
	  .api = "/Driver",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "\"bridge\"",
	  .effect = EFFECT_REPLACE,
	  .example = "bridge",
	  .doc = "Driver that makes it." },
	{ .key = "driver_opts",
	  .type = &type_map,
	  .api = "/Options",
	  .origin = ORIGIN_DAEMON,
	  .effect = EFFECT_REPLACE,
	  .example = "{ com.docker.network.driver.mtu: \"1400\" }",
	  .doc = "Options of the driver; the daemon's default-network-opts may add others." },
	{ .key = "ipam",
	  .type = &type_object,
	  .of = &ipam_schema,
	  .api = "/IPAM",
	  .origin = ORIGIN_DAEMON,
	  .effect = EFFECT_REPLACE,
	  .example = "{ config: [{ subnet: 10.91.0.0/24 }] }",
	  .doc = "Addresses; silence lets the engine choose a free subnet." },
	{ .key = "internal",
	  .type = &type_bool,
	  .api = "/Internal",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "false",
	  .effect = EFFECT_REPLACE,
	  .example = "true",
	  .doc = "No way out of the host." },
	{ .key = "attachable",
	  .type = &type_bool,
	  .api = "/Attachable",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "false",
	  .effect = EFFECT_REPLACE,
	  .example = "true",
	  .doc = "On a swarm network: plain containers may join." },
	{ .key = "enable_ipv4",
	  .type = &type_bool,
	  .api = "/EnableIPv4",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "true",
	  .effect = EFFECT_REPLACE,
	  .since = 48,
	  .doc = "IPv4 addresses; without them there must be IPv6 ones." },
	{ .key = "enable_ipv6",
	  .type = &type_bool,
	  .api = "/EnableIPv6",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "false",
	  .effect = EFFECT_REPLACE,
	  .doc = "IPv6 addresses as well; older engines need a subnet for it in ipam." },
	{ .key = "config_only",
	  .type = &type_bool,
	  .api = "/ConfigOnly",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "false",
	  .effect = EFFECT_REPLACE,
	  .doc = "No network, but a configuration that others take over by config_from." },
	{ .key = "config_from",
	  .type = &type_string,
	  .api = "/ConfigFrom/Network",
	  .codec = &codec_text,
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_REPLACE,
	  .ref = "Network",
	  .doc = "The configuration network that says the rest." },
	{ .key = "labels",
	  .type = &type_map,
	  .api = "/Labels",
	  .codec = &codec_labels,
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_REPLACE,
	  .example = "{ com.example.tier: front }",
	  .doc = "Labels on the network; drey.* is drey's own." },
	{ .key = "external",
	  .type = &type_bool,
	  .fallback = "false",
	  .doc = "Somebody else's: must be there, is never made, removed or compared." },
	{ .key = "state",
	  .type = &type_enum,
	  .choices = states,
	  .fallback = "\"present\"",
	  .effect = EFFECT_STATE,
	  .example = "present",
	  .doc = "present, or absent: removed whatever prune says." },
	{ .key = "hosts",
	  .type = &type_strings,
	  .flags = FIELD_PROJECT,
	  .ref = "Host",
	  .doc = "Hosts it exists on; silence means wherever its users are." },
	{ .key = "host_selector",
	  .type = &type_map,
	  .flags = FIELD_PROJECT,
	  .doc = "Instead of hosts: the labels of the hosts it exists on." },
};

static const struct refused refused[] = {
	{ "ingress", "only Swarm has a network that balances its ports" },
	{ "scope", "a plain engine makes networks of its own host only; swarm and global are "
		   "Swarm's" },
	{ NULL, NULL },
};

const struct schema network_schema = {
	.name = "Network",
	.doc = "A network of an engine.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
	.refused = refused,
};

/* --- names --- */

const char *network_own_engine_name(const struct resource *want)
{
	return resource_engine_name(want);
}

const char *network_engine_name(const struct pass *pass, const char *name)
{
	const struct resource *want = desired_find(pass->desired, "Network", name);

	return want ? network_own_engine_name(want) : name;
}

const struct object *network_find(const struct pass *pass, const char *engine_name)
{
	return pass_find_engine_name(pass, &reconciler_network.kind, engine_name);
}

bool network_has_id(const struct pass *pass, const char *engine_name, const char *id)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind == &reconciler_network.kind && str_eq(object->id, id) &&
		    str_eq(object->engine_name, engine_name))
			return true;
	}
	return false;
}

/* --- seeing --- */

static void release(void *json)
{
	json_decref(json);
}

static const char *const inspected[] = { "Name", "Id", "Created", "Driver", "IPAM", "Labels" };

/* The list has everything that inspect has, except which containers are on it. */
static int network_listed(struct pass *pass, const json_t *list, struct error *err)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return error_set(err, ERROR_REMOTE, "the engine's list of networks is no list");
	json_array_foreach (list, i, item) {
		const char *id = text(item, "Id"), *name = text(item, "Name");
		struct object *object;
		json_t *inspect, *observed;

		if (!id || !name)
			continue;
		object = pass_add_object(pass, &reconciler_network.kind, id, name,
					 json_object_get(item, "Labels"));
		inspect = pass->whole ? json_incref(item) : json_object();
		for (size_t k = 0; k < ARRAY_SIZE(inspected) && !pass->whole; k++)
			json_object_set(inspect, inspected[k], json_object_get(item, inspected[k]));
		observed = schema_observe(&network_schema, item);
		arena_defer(pass->arena, release, inspect);
		arena_defer(pass->arena, release, observed);
		object->inspect = inspect;
		object->observed = observed;
	}
	return 0;
}

/* --- comparing --- */

static bool is_ipv6_pool(const json_t *pool)
{
	return strchr(text(pool, "subnet") ?: "", ':');
}

static bool has_pool(const json_t *pools, bool ipv6)
{
	json_t *pool;
	size_t i;

	json_array_foreach (pools, i, pool) {
		if (is_ipv6_pool(pool) == ipv6)
			return true;
	}
	return false;
}

/* Where a manifest writes subnets of one family only, the engine adds one of its own of the other:
 * of IPv4 always, of IPv6 on newer engines where enable_ipv6 asks for it (libnetwork,
 * ipamAllocate() in network.go). */
static json_t *without_given_pools(const json_t *observed, const json_t *expected)
{
	const json_t *written = json_object_get(json_object_get(expected, "ipam"), "config");
	bool given_ipv4 = !has_pool(written, false);
	bool given_ipv6 =
		!has_pool(written, true) && json_is_true(json_object_get(expected, "enable_ipv6"));
	json_t *result, *pools;

	if (!written || (!given_ipv4 && !given_ipv6))
		return json_incref((json_t *)observed);
	result = json_deep_copy(observed);
	pools = json_object_get(json_object_get(result, "ipam"), "config");
	for (size_t i = json_array_size(pools); i-- > 0;) {
		if (is_ipv6_pool(json_array_get(pools, i)) ? given_ipv6 : given_ipv4)
			json_array_remove(pools, i);
	}
	return result;
}

static void refuse(struct action *action, const char *reason)
{
	action->verdict = VERDICT_REFUSE;
	action->reason = reason;
}

/* Before API 1.44 names of networks may double. Then every call that names one of them fails, and
 * the engine starts no container on either. */
static void warn_of_twin(const struct pass *pass, struct action *action, struct arena *arena)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind != action->have->kind || object == action->have ||
		    strcmp(object->engine_name, action->have->engine_name) != 0)
			continue;
		action->warning = arena_printf(
			arena,
			"the host has two networks named '%s' (%.12s and %.12s), and the engine "
			"takes the name for neither; remove the one that is not needed, by its ID",
			object->engine_name, action->have->id, object->id);
		return;
	}
}

static bool shares_subnet(const json_t *a, const json_t *b)
{
	const json_t *pool, *other;
	size_t i, k;

	json_array_foreach (json_object_get(json_object_get(a, "ipam"), "config"), i, pool) {
		json_array_foreach (json_object_get(json_object_get(b, "ipam"), "config"), k, other)
			if (str_eq(text(pool, "subnet"), text(other, "subnet")))
				return true;
	}
	return false;
}

/* Can there be both at once? Addresses, a bridge and a parent are one network's only. What
 * overlaps otherwise the engine refuses, before anything has changed. */
static bool fits_beside(const json_t *observed, const json_t *expected)
{
	static const char *const places[] = { "com.docker.network.bridge.name", "parent" };
	const json_t *have = json_object_get(observed, "driver_opts");
	const json_t *want = json_object_get(expected, "driver_opts");

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *place = text(want, places[i]);

		if (place && str_eq(place, text(have, places[i])))
			return false;
	}
	/* What a configuration network says does not show in what was expected of this one. */
	return !json_object_get(expected, "config_from") && !shares_subnet(observed, expected);
}

/* Under a name of its own a network takes none along that was made on it: they are made anew on
 * the new one, and the old one goes when the last has moved. */
static void go_beside(struct action *action, struct arena *arena)
{
	action->beside = action->have;
	action->have = NULL;
	action->changes.list.count = 0;
	action->verdict = VERDICT_CREATE;
	action->reason = arena_printf(arena,
				      "beside '%s', which goes when its containers have moved: "
				      "this engine starts none without the network that it was "
				      "made on",
				      action->beside->engine_name);
}

/* Is there another Network that is to have the name that would be free last? */
static bool is_name_wanted(const struct pass *pass, const char *name)
{
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		if (want->kind == &reconciler_network.kind &&
		    strcmp(network_own_engine_name(want), name) == 0)
			return true;
	}
	return false;
}

static void settle_bound(const struct pass *pass, struct action *action, const json_t *expected,
			 struct arena *arena)
{
	const struct object *have = action->have;
	const char *name = network_own_engine_name(action->want);
	const char *bound = container_bound_to(pass, have, name);

	if (!bound)
		return;
	if (strcmp(have->engine_name, name) != 0 && !network_find(pass, name) &&
	    !is_name_wanted(pass, have->engine_name) && fits_beside(have->observed, expected)) {
		go_beside(action, arena);
		return;
	}
	refuse(action,
	       arena_printf(arena,
			    "container '%s' could not follow: this engine starts and connects none "
			    "without the network that it was made on; make another Network beside "
			    "this one, and remove this one when its containers have moved there "
			    "(which makes them anew)",
			    bound));
}

/* The one that it was made beside, as long as it is there. */
static const struct object *find_beside(const struct pass *pass, const struct object *have)
{
	for (size_t i = 0; have->own.replaces && i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind == have->kind && object != have && object->ours &&
		    strcmp(object->id, have->own.replaces) == 0)
			return object;
	}
	return NULL;
}

static void network_compare(const struct pass *pass, struct action *action, struct arena *arena)
{
	const struct resource *want = action->want;
	const struct object *have = action->have;
	const char *name = network_own_engine_name(want);
	json_t *expected, *given;
	const json_t *observed;

	action->changes.arena = arena;
	if (resource_bool(want, "external")) {
		action->verdict = VERDICT_KEEP;
		if (!have)
			refuse(action, arena_printf(arena,
						    "it is external, and the host has no "
						    "network '%s'",
						    name));
		return;
	}
	if (!have) {
		action->verdict = VERDICT_CREATE;
		return;
	}
	if (!have->ours && !resource_adopts(want)) {
		refuse(action,
		       arena_printf(arena,
				    "a network named '%s' is there that was not made by drey for "
				    "this project; rename or remove it, or say external: true, or "
				    "take it over with metadata.adopt: true",
				    have->engine_name));
		return;
	}
	warn_of_twin(pass, action, arena);
	expected = schema_expect(&network_schema, want->spec, NULL);
	json_object_set_new(expected, "name", json_string(name));
	given = without_given_pools(have->observed, expected);
	arena_defer(arena, release, expected);
	arena_defer(arena, release, given);
	observed = have->ours ? given : adopted_observed(given, expected, arena);
	schema_diff(&network_schema, observed, expected, resource_ignore(want), &action->changes);
	action->verdict = action->changes.list.count ? VERDICT_REPLACE : VERDICT_KEEP;
	action->beside = have->ours ? find_beside(pass, have) : NULL;
	if (action->verdict == VERDICT_REPLACE)
		settle_bound(pass, action, expected, arena);
}

/* --- creating --- */

int network_create_body(const struct pass *pass, const struct resource *want,
			const struct object *beside, char ret_uid[33], json_t **ret_body,
			struct error *err)
{
	json_t *body = json_object(), *labels;

	if (schema_encode(&network_schema, want->spec, engine_api(pass->engine), body, err) < 0) {
		json_decref(body);
		return -1;
	}
	json_object_set_new(body, "Name", json_string(network_own_engine_name(want)));
	/* Else an engine before API 1.44 makes a second one of the same name. */
	json_object_set_new(body, "CheckDuplicate", json_true());
	labels = json_object_get(body, "Labels");
	if (!labels) {
		labels = json_object();
		json_object_set_new(body, "Labels", labels);
	}
	ownership_write(labels, pass->project, want, pass->revision, ret_uid);
	if (beside)
		json_object_set_new(labels, LABEL_REPLACES, json_string(beside->id));
	*ret_body = body;
	return 0;
}

/* --- rules across fields --- */

static void network_verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	static const char *const given[] = { "bridge", "host", "none", "default" };
	const char *name = network_own_engine_name(resource);
	bool external = resource_bool(resource, "external");

	for (size_t i = 0; i < ARRAY_SIZE(given) && !external; i++) {
		if (strcmp(name, given[i]) == 0)
			diagnose(diagnostics, SEVERITY_ERROR,
				 node_find(resource->node, "metadata.name"),
				 "the network '%s' is the engine's own: say external: true, or "
				 "choose another name",
				 name);
	}
	external_verify(resource, diagnostics);
}

const struct reconciler reconciler_network = {
	.kind = {
		.name = "Network",
		.doc = "A network of an engine, on each host where it is placed or used.",
		.scope = SCOPE_HOST,
		.phase = 10,
		.spec = &network_schema,
		.follows_users = true,
		.verify = network_verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Network\n"
			   "metadata: { name: front }\n"
			   "spec:\n"
			   "  ipam: { config: [{ subnet: 10.91.0.0/24 }] }\n",
	},
	.list_path = "/networks",
	.listed = network_listed,
	.compare = network_compare,
	.apply = network_apply,
	.importer = &network_importer,
	.recover = network_recover,
};
