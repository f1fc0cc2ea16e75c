/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A manifest for a network that drey did not make. Pure. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/import.h"
#include "reconcilers/network.h"

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const char *leave_out(const struct import *import, const struct object *object)
{
	static const char *const given[] = { "bridge", "host", "none" };

	(void)import;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		if (strcmp(object->engine_name, given[i]) == 0)
			return "";
	}
	if (str_eq(text(object->inspect, "Scope"), "swarm") ||
	    str_eq(object->engine_name, "docker_gwbridge"))
		return "it is a network of the Swarm, which makes it itself";
	if (json_is_true(json_object_get(object->inspect, "ConfigOnly")))
		return "it is a configuration for other networks, which drey does not do";
	return NULL;
}

/* --- addresses that the engine chose --- */

static bool parse_subnet(const char *subnet, uint32_t *ret_base, unsigned *ret_bits)
{
	char address[INET_ADDRSTRLEN];
	struct in_addr binary;

	if (!subnet || sscanf(subnet, "%15[0-9.]/%2u", address, ret_bits) != 2 ||
	    inet_pton(AF_INET, address, &binary) != 1)
		return false;
	*ret_base = ntohl(binary.s_addr);
	return *ret_bits > 0 && *ret_bits <= 32;
}

/* The engine's own pools (moby libnetwork ipamutils): 172.17.0.0/16 to 172.31.0.0/16, and
 * 192.168.0.0/16 in pieces of 20 bits. */
static bool is_of_usual_pools(uint32_t base, unsigned bits)
{
	if (bits == 16)
		return base >= 0xac110000U && base <= 0xac1f0000U;
	return bits == 20 && (base & 0xffff0000U) == 0xc0a80000U;
}

static bool is_of_configured_pools(const json_t *info, uint32_t base, unsigned bits)
{
	json_t *pool;
	size_t i;

	json_array_foreach (json_object_get(info, "DefaultAddressPools"), i, pool) {
		uint32_t pool_base;
		unsigned pool_bits;

		if (parse_subnet(text(pool, "Base"), &pool_base, &pool_bits) &&
		    bits == json_integer_value(json_object_get(pool, "Size")) &&
		    (base & (UINT32_MAX << (32 - pool_bits))) == pool_base)
			return true;
	}
	return false;
}

/* Newer engines make up local IPv6 subnets, fdxx:.../64. */
static bool is_chosen(const json_t *info, const json_t *pool)
{
	const char *subnet = text(pool, "subnet"), *gateway = text(pool, "gateway");
	struct in_addr binary;
	uint32_t base;
	unsigned bits;

	/* Only of its own choice it shows the gateway as well. */
	if (!gateway || json_object_get(pool, "ip_range") ||
	    json_object_size(json_object_get(pool, "aux_addresses")))
		return false;
	if (subnet && strchr(subnet, ':'))
		return str_has_prefix(subnet, "fd") && str_has_suffix(subnet, "::/64");
	return parse_subnet(subnet, &base, &bits) &&
	       (is_of_usual_pools(base, bits) || is_of_configured_pools(info, base, bits)) &&
	       inet_pton(AF_INET, gateway, &binary) == 1 && ntohl(binary.s_addr) == base + 1;
}

/* Engines give fixed addresses only where somebody chose the subnet. */
static bool has_fixed_addresses(const struct import *import, const struct object *network)
{
	const struct observed *observed = &import->pass->observed;

	for (size_t i = 0; i < observed->count; i++) {
		const json_t *networks =
			json_object_get(observed->objects[i]->observed, "networks");
		const json_t *endpoint = json_object_get(networks, network->engine_name);

		if (text(endpoint, "ipv4_address") || text(endpoint, "ipv6_address"))
			return true;
	}
	return false;
}

static bool is_given(const struct import *import, const struct object *network)
{
	const json_t *ipam = json_object_get(network->observed, "ipam");
	const json_t *config = json_object_get(ipam, "config");
	json_t *pool;
	size_t i;

	if (!str_eq(text(ipam, "driver") ?: "default", "default") ||
	    json_object_size(json_object_get(ipam, "options")))
		return false;
	json_array_foreach (config, i, pool) {
		if (!is_chosen(import->pass->observed.info, pool))
			return false;
	}
	return json_array_size(config) == 0 || !has_fixed_addresses(import, network);
}

/* --- rows --- */

static void set_if_any(json_t *object, const char *key, const json_t *value)
{
	if (json_object_size(value) || json_array_size(value) || json_string_length(value))
		json_object_set(object, key, (json_t *)value);
}

static json_t *written_ipam(const json_t *observed)
{
	static const char *const members[] = { "subnet", "ip_range", "gateway", "aux_addresses" };
	const char *driver = text(observed, "driver");
	json_t *ipam = json_object(), *config = json_array(), *pool;
	size_t i;

	if (driver && strcmp(driver, "default") != 0)
		json_object_set_new(ipam, "driver", json_string(driver));
	json_array_foreach (json_object_get(observed, "config"), i, pool) {
		json_t *said = json_object();

		for (size_t k = 0; k < ARRAY_SIZE(members); k++)
			set_if_any(said, members[k], json_object_get(pool, members[k]));
		json_array_append_new(config, said);
	}
	set_if_any(ipam, "config", config);
	json_decref(config);
	set_if_any(ipam, "options", json_object_get(observed, "options"));
	return ipam;
}

static json_t *network_row(struct import *import, struct import_item *item,
			   const struct field *field)
{
	json_t *value = json_object_get(item->object->observed, field->key);

	(void)import;
	if (strcmp(field->key, "ipam") == 0)
		return written_ipam(value);
	return strcmp(field->key, "name") == 0 ? NULL : json_incref(value);
}

static void network_begin(struct import *import, struct import_item *item)
{
	const json_t *options = json_object_get(item->object->observed, "driver_opts");

	if (json_object_size(options))
		import_take_row(import, item, "driver_opts");
	if (!is_given(import, item->object))
		import_take_row(import, item, "ipam");
}

const struct importer network_importer = {
	.leave_out = leave_out,
	.begin = network_begin,
	.row = network_row,
};
