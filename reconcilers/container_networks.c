/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks and the other namespaces of a container, names and addresses. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"
#include "reconcilers/container_codec.h"

json_t *address_normalize(const char *text)
{
	unsigned char binary[sizeof(struct in6_addr)];
	char printed[INET6_ADDRSTRLEN];

	for (int i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET;

		if (inet_pton(family, text, binary) == 1)
			return json_string(inet_ntop(family, binary, printed, sizeof(printed)));
	}
	return json_string(text);
}

bool address_is_valid(const char *text)
{
	unsigned char binary[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

static json_t *decode_address(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (!json_is_string(at))
		return json_incref((json_t *)at);
	return json_string_length(at) ? address_normalize(json_string_value(at)) : NULL;
}

/* Engines write 02:42:.., people write 02-42-.. as well. */
json_t *mac_normalize(const char *text)
{
	char mac[18];
	size_t len = strlen(text);

	if (len != sizeof(mac) - 1)
		return json_string(text);
	for (size_t i = 0; i <= len; i++)
		mac[i] = text[i] == '-' ? ':' : (char)tolower((unsigned char)text[i]);
	return json_string(mac);
}

static json_t *decode_mac(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (!json_is_string(at))
		return json_incref((json_t *)at);
	return json_string_length(at) ? mac_normalize(json_string_value(at)) : NULL;
}

/* Engine 29 keeps addresses in their short form (netip.Addr), older ones as they were written. */
static json_t *decode_addresses(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return map_texts(at, address_normalize);
}

static const struct codec codec_address = { .decode = decode_address };
const struct codec codec_addresses = { .decode = decode_addresses };
const struct codec codec_mac = { .decode = decode_mac };

#define IPV4 "^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$"
#define IPV6 "^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$"

/* Pointers into EndpointSettings. IPAMConfig is what was asked for, IPAddress beside it what was
 * given. */
static const struct field endpoint_fields[] = {
	{ .key = "aliases",
	  .type = &type_string_set,
	  .api = "/Aliases",
	  .origin = ORIGIN_ENGINE,
	  .doc = "Further names of the container on this network." },
	{ .key = "links",
	  .type = &type_string_set,
	  .pattern = "^[^:]+:[^:]+$",
	  .api = "/Links",
	  .origin = ORIGIN_ENGINE,
	  .doc = "Other containers by names that only this one knows, CONTAINER:ALIAS as the "
		 "engine has them; the container's links say it for all its networks." },
	{ .key = "ipv4_address",
	  .type = &type_string,
	  .pattern = IPV4,
	  .api = "/IPAMConfig/IPv4Address",
	  .codec = &codec_address,
	  .origin = ORIGIN_ENGINE,
	  .doc = "A fixed address of the network's subnet." },
	{ .key = "ipv6_address",
	  .type = &type_string,
	  .pattern = IPV6,
	  .api = "/IPAMConfig/IPv6Address",
	  .codec = &codec_address,
	  .origin = ORIGIN_ENGINE,
	  .doc = "A fixed IPv6 address of the network's subnet." },
	{ .key = "link_local_ips",
	  .type = &type_string_set,
	  .api = "/IPAMConfig/LinkLocalIPs",
	  .codec = &codec_addresses,
	  .origin = ORIGIN_ENGINE,
	  .doc = "Link-local addresses." },
	{ .key = "mac_address",
	  .type = &type_string,
	  .pattern = "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$",
	  .api = "/MacAddress",
	  .codec = &codec_mac,
	  .origin = ORIGIN_DAEMON,
	  .since = 44,
	  .effect = EFFECT_REPLACE,
	  .doc = "A fixed hardware address." },
	{ .key = "driver_opts",
	  .type = &type_map,
	  .api = "/DriverOpts",
	  .origin = ORIGIN_ENGINE,
	  .doc = "Options of the network's driver for this container." },
	{ .key = "interface_name",
	  .type = &type_string,
	  .pattern = "^[^/[:space:]]{1,15}$",
	  .since = 49,
	  .doc = "Name of the interface inside." },
	{ .key = "gw_priority",
	  .type = &type_int,
	  .min = INT32_MIN,
	  .max = INT32_MAX,
	  .api = "/GwPriority",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "0",
	  .since = 48,
	  .doc = "The network with the highest one is the default gateway." },
};

static const struct refused endpoint_refused[] = {
	{ "priority", "the networks are joined in the order they are written; gw_priority chooses "
		      "the gateway" },
	{ NULL, NULL },
};

const struct schema container_endpoint_schema = {
	.name = "network of a container",
	.doc = "How the container is on a network.",
	.fields = endpoint_fields,
	.count = ARRAY_SIZE(endpoint_fields),
	.refused = endpoint_refused,
};

static const char *const conditions[] = { "service_started", "service_healthy",
					  "service_completed_successfully", NULL };

static const struct field dependency_fields[] = {
	{ .key = "condition",
	  .type = &type_enum,
	  .choices = conditions,
	  .fallback = "\"service_started\"",
	  .doc = "What it must have reached: started, healthy, or completed with exit 0." },
	{ .key = "restart",
	  .type = &type_bool,
	  .fallback = "false",
	  .doc = "Restart this container when that one was made anew after it was started." },
	{ .key = "required",
	  .type = &type_bool,
	  .fallback = "true",
	  .doc = "false: that one comes first, but where it fails this one goes on; it must be "
		 "declared all the same." },
};

const struct schema container_dependency_schema = {
	.name = "dependency",
	.doc = "A container that comes first.",
	.fields = dependency_fields,
	.count = ARRAY_SIZE(dependency_fields),
};

/* --- networks --- */

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Before API 1.45 Aliases hold the ID's first digits and the host name besides what was asked for
 * (moby daemon/server/router/container/inspect.go). */
static void strip_aliases(json_t *endpoint, const json_t *whole)
{
	json_t *aliases = json_object_get(endpoint, "aliases");
	const char *hostname = member(json_object_get(whole, "Config"), "Hostname");
	const char *id = member(whole, "Id");

	for (size_t i = json_array_size(aliases); i-- > 0;) {
		const char *alias = json_string_value(json_array_get(aliases, i));

		if (!alias || strcmp(alias, hostname) == 0 ||
		    (strlen(alias) == 12 && str_has_prefix(id, alias)))
			json_array_remove(aliases, i);
	}
}

static bool has_own_networks(const json_t *whole)
{
	const char *mode = member(json_object_get(whole, "HostConfig"), "NetworkMode");

	return strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0 &&
	       !str_has_prefix(mode, "container:");
}

static json_t *decode_networks(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *networks, *settings;
	const char *name;

	if (!json_is_object(at))
		return json_incref((json_t *)at);
	if (!has_own_networks(whole))
		return NULL;
	networks = json_object();
	json_object_foreach ((json_t *)at, name, settings) {
		json_t *endpoint = schema_observe(field->of, settings);

		/* Lists are shared with the engine's answer. */
		json_t *aliases = json_object_get(endpoint, "aliases");
		if (aliases)
			json_object_set_new(endpoint, "aliases", json_copy(aliases));
		strip_aliases(endpoint, whole);
		/* "default" is the bridge's name until the first start on older engines. */
		json_object_set_new(networks, strcmp(name, "default") == 0 ? "bridge" : name,
				    endpoint);
	}
	return networks;
}

static json_t *encode_networks(const struct field *field, const json_t *value)
{
	struct error err = ERROR_INIT;
	json_t *networks = json_object(), *endpoint;
	const char *name;

	json_object_foreach ((json_t *)value, name, endpoint) {
		json_t *body = json_object();

		/* Versions have been checked with the whole spec. */
		if (schema_encode(field->of, endpoint, INT32_MAX, body, &err) == 0)
			json_object_set(networks, name, body);
		json_decref(body);
	}
	return networks;
}

const struct codec codec_networks = { .encode = encode_networks, .decode = decode_networks };

/* --- modes --- */

/* A container on networks has the first one's name, or ID, here: which ones it is on is the row
 * `networks`. "" and "default" are the bridge before Engine 26.1. */
static json_t *decode_network_mode(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	if (!json_is_string(at))
		return json_incref((json_t *)at);
	return has_own_networks(whole) ? NULL : json_incref((json_t *)at);
}

static json_t *decode_namespace(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (json_is_string(at) && json_string_length(at) == 0)
		return NULL;
	return json_incref((json_t *)at);
}

const struct codec codec_network_mode = { .decode = decode_network_mode };
const struct codec codec_namespace = { .decode = decode_namespace };

const char *namespace_ref_of(const json_t *object)
{
	(void)object;
	return "Container";
}

const char *namespace_ref_name(const json_t *value)
{
	const char *text = json_string_value(value);

	if (text && str_has_prefix(text, "service:"))
		return text + strlen("service:");
	if (text && str_has_prefix(text, "container:"))
		return text + strlen("container:");
	return NULL;
}

/* --- extra hosts --- */

/* "name=address" -> "name:address", without the brackets of an IPv6 address. */
static json_t *host_line(const char *text)
{
	size_t name = strcspn(text, ":=");
	const char *address = text[name] ? text + name + 1 : "";
	size_t len = strlen(address);

	if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	return json_sprintf("%.*s:%.*s", (int)name, text, (int)len, address);
}

static json_t *parse_line(struct decode *decode, const struct node *node)
{
	const char *text = decode_scalar(decode, node, "NAME:ADDRESS");
	size_t name;

	if (!text)
		return NULL;
	name = strcspn(text, ":=");
	if (name && text[name] && text[name + 1])
		return host_line(text);
	decode_fault(decode, node, "%s is not of the form NAME:ADDRESS",
		     decode_found(decode, node));
	return NULL;
}

static json_t *parse_pair(struct decode *decode, const struct node *key, const struct node *value)
{
	const char *address = decode_scalar(decode, value, "an address");

	if (!address)
		return NULL;
	json_t *text = json_sprintf("%s:%s", key->text, address);
	json_t *line = host_line(json_string_value(text));
	json_decref(text);
	return line;
}

static void append_line(struct decode *decode, const struct node *node, json_t *list, json_t *line)
{
	json_t *other;
	size_t i;

	json_array_foreach (list, i, other) {
		if (json_equal(other, line)) {
			decode_fault(decode, node, "%s is there twice", json_string_value(line));
			json_decref(line);
			return;
		}
	}
	/* Kept in order, so that the order in which a set is written changes no digest. */
	for (i = 0; i < json_array_size(list); i++) {
		if (strcmp(json_string_value(json_array_get(list, i)), json_string_value(line)) > 0)
			break;
	}
	json_array_insert_new(list, i, line);
}

static json_t *parse_extra_hosts(struct decode *decode, const struct field *field,
				 const struct node *node)
{
	size_t errors = decode->diagnostics->errors;
	json_t *list;

	(void)field;
	if (node->type == NODE_SCALAR) {
		decode_fault(decode, node, "expected a list of NAME:ADDRESS, found %s",
			     decode_found(decode, node));
		return NULL;
	}
	list = json_array();
	for (size_t i = 0; i < node->count; i++) {
		const struct node *item = node->values[i];
		bool addresses = node->type == NODE_MAPPING && item->type == NODE_SEQUENCE;

		for (size_t k = 0; k < (addresses ? item->count : 1); k++) {
			const struct node *one = addresses ? item->values[k] : item;
			json_t *line = node->type == NODE_MAPPING
					       ? parse_pair(decode, node->keys[i], one)
					       : parse_line(decode, one);

			if (line)
				append_line(decode, one, list, line);
		}
	}
	if (decode->diagnostics->errors == errors)
		return list;
	json_decref(list);
	return NULL;
}

static void print_extra_hosts(const struct field *field, const json_t *value, struct str *out)
{
	type_string_set.print(field, value, out);
}

static json_t *schema_of_extra_hosts(const struct field *field)
{
	(void)field;
	return json_pack("{s:[{s:s, s:{s:s}}, {s:s, s:{s:[s,s]}}]}", "anyOf", "type", "array",
			 "items", "type", "string", "type", "object", "additionalProperties",
			 "type", "string", "array");
}

const struct value_type type_extra_hosts = {
	.name = "set of NAME:ADDRESS",
	.shape = SHAPE_SET,
	.parse = parse_extra_hosts,
	.print = print_extra_hosts,
	.json_schema = schema_of_extra_hosts,
};

static json_t *decode_extra_hosts(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return map_texts(at, host_line);
}

const struct codec codec_extra_hosts = { .decode = decode_extra_hosts };
