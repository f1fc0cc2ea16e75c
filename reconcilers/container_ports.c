/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published and exposed ports. HostConfig.PortBindings is what was asked for and is read;
 * NetworkSettings.Ports is what came of it: null when stopped, and full of ports that the kernel
 * picked.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "reconcilers/container_codec.h"

enum { PORT_MAX = 65535, RANGE_MAX = 4096 };

struct port_range {
	unsigned first, last;
};

static bool parse_number(const char *text, size_t len, unsigned *ret)
{
	unsigned value = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*ret = value;
	return value <= PORT_MAX;
}

/* "80" or "8000-8010". */
static bool parse_range(const char *text, size_t len, struct port_range *ret)
{
	const char *dash = memchr(text, '-', len);
	size_t first = dash ? (size_t)(dash - text) : len;

	if (!parse_number(text, first, &ret->first))
		return false;
	ret->last = ret->first;
	if (dash && !parse_number(dash + 1, len - first - 1, &ret->last))
		return false;
	return ret->first <= ret->last && ret->last - ret->first < RANGE_MAX;
}

static bool is_protocol(const char *text)
{
	return strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0 || strcmp(text, "sctp") == 0;
}

/* The parts of "[HOST_IP:][HOST:]CONTAINER"; false when there are too many. An IPv6 address
 * stands in brackets. */
static bool split_port(const char *text, size_t len, const char **ip, size_t *ip_len,
		       const char **host, size_t *host_len, const char **target, size_t *target_len)
{
	const char *end = text + len, *colon;

	*ip = *host = NULL;
	*ip_len = *host_len = 0;
	if (*text == '[') {
		const char *close = memchr(text, ']', len);

		if (!close || close + 1 >= end || close[1] != ':')
			return false;
		*ip = text + 1;
		*ip_len = (size_t)(close - text - 1);
		text = close + 2;
	}
	colon = memrchr(text, ':', (size_t)(end - text));
	*target = colon ? colon + 1 : text;
	*target_len = (size_t)(end - *target);
	if (!colon)
		return !*ip;
	*host = text;
	*host_len = (size_t)(colon - text);
	colon = memrchr(text, ':', *host_len);
	if (!colon)
		return true;
	if (*ip || memchr(text, ':', (size_t)(colon - text)))
		return false;
	*ip = text;
	*ip_len = (size_t)(colon - text);
	*host = colon + 1;
	*host_len -= *ip_len + 1;
	return true;
}

static json_t *port_object(unsigned target, const char *published, size_t published_len,
			   const char *protocol, const char *ip, size_t ip_len)
{
	json_t *port = json_pack("{s:i}", "target", (int)target);

	if (published_len)
		json_object_set_new(port, "published", json_stringn(published, published_len));
	if (strcmp(protocol, "tcp") != 0)
		json_object_set_new(port, "protocol", json_string(protocol));
	if (ip_len) {
		char *address = xstrndup(ip, ip_len);

		json_object_set_new(port, "host_ip", address_normalize(address));
		free(address);
	}
	return port;
}

static bool is_address(const char *text, size_t len)
{
	CLEANUP(cleanup_free) char *address = xstrndup(text, len);

	return address_is_valid(address);
}

/* Ranges of the same length pair off; a range of host ports for one container port lets the
 * engine pick (docker/go-connections nat.ParsePortSpec). */
static json_t *expand_port(const char *text, struct error *err)
{
	const char *slash = strchr(text, '/'), *protocol = slash ? slash + 1 : "tcp";
	const char *ip, *host, *target;
	size_t ip_len, host_len, target_len;
	struct port_range from, to;
	json_t *ports;

	if (!is_protocol(protocol)) {
		error_set(err, ERROR_INVALID, "the protocol is none of tcp, udp, sctp");
		return NULL;
	}
	if (!split_port(text, slash ? (size_t)(slash - text) : strlen(text), &ip, &ip_len, &host,
			&host_len, &target, &target_len) ||
	    !parse_range(target, target_len, &to) ||
	    (host_len && !parse_range(host, host_len, &from))) {
		error_set(err, ERROR_INVALID,
			  "expected [HOST_IP:][HOST:]CONTAINER[/PROTOCOL] with "
			  "ports from 0 to 65535 or ranges such as 8000-8010");
		return NULL;
	}
	if (to.first == 0) {
		error_set(err, ERROR_INVALID, "a container has no port 0");
		return NULL;
	}
	/* An engine takes what is none for all addresses of the host (moby
	 * daemon/network.go: net.ParseIP). */
	if (ip_len && !is_address(ip, ip_len)) {
		error_set(err, ERROR_INVALID, "%.*s is no IP address to publish on", (int)ip_len,
			  ip);
		return NULL;
	}
	ports = json_array();
	if (host_len && to.first == to.last) {
		json_array_append_new(ports,
				      port_object(to.first, host, host_len, protocol, ip, ip_len));
		return ports;
	}
	if (host_len && from.last - from.first != to.last - to.first) {
		json_decref(ports);
		error_set(err, ERROR_INVALID, "the two ranges differ in length");
		return NULL;
	}
	for (unsigned i = 0; i <= to.last - to.first; i++) {
		char published[8];
		int len =
			host_len ? snprintf(published, sizeof(published), "%u", from.first + i) : 0;

		json_array_append_new(ports, port_object(to.first + i, published, (size_t)len,
							 protocol, ip, ip_len));
	}
	return ports;
}

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *port_protocol(const json_t *port)
{
	const char *protocol = member(port, "protocol");

	return *protocol ? protocol : "tcp";
}

static bool print_port(const json_t *port, struct str *out)
{
	const char *ip = member(port, "host_ip"), *published = member(port, "published");

	if (!json_is_integer(json_object_get(port, "target")))
		return false;
	if (*ip)
		str_printf(out, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
	if (*ip || *published)
		str_printf(out, "%s:", published);
	str_printf(out, "%" JSON_INTEGER_FORMAT,
		   json_integer_value(json_object_get(port, "target")));
	if (strcmp(port_protocol(port), "tcp") != 0)
		str_printf(out, "/%s", port_protocol(port));
	return true;
}

static const char *const protocols[] = { "tcp", "udp", "sctp", NULL };

static const struct field port_fields[] = {
	{ .key = "target",
	  .type = &type_int,
	  .min = 1,
	  .max = PORT_MAX,
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .doc = "Port inside the container." },
	{ .key = "published",
	  .type = &type_string,
	  .pattern = "^[0-9]+(-[0-9]+)?$",
	  .flags = FIELD_KEY,
	  .doc = "Port of the host, or a range to pick from; silence lets the engine pick any." },
	{ .key = "protocol",
	  .type = &type_enum,
	  .choices = protocols,
	  .fallback = "\"tcp\"",
	  .flags = FIELD_KEY,
	  .doc = "tcp, udp or sctp." },
	{ .key = "host_ip",
	  .type = &type_string,
	  .flags = FIELD_KEY,
	  .doc = "Address of the host to publish on; silence means all, IPv4 and IPv6." },
};

static const struct short_form port_short = {
	.syntax = "[HOST_IP:][HOST:]CONTAINER[/PROTOCOL]",
	.pattern = "^((\\[[0-9a-fA-F:.]+\\]|[0-9.]+):)?([0-9]*(-[0-9]+)?:)?[0-9]+(-[0-9]+)?"
		   "(/(tcp|udp|sctp))?$",
	.expand = expand_port,
	.print = print_port,
};

static const struct refused port_refused[] = {
	{ "mode", "a port is always published on its container's host" },
	{ "name", "it has no effect; write a comment" },
	{ "app_protocol", "it has no effect; write a comment" },
	{ NULL, NULL },
};

const struct schema container_port_schema = {
	.name = "port",
	.doc = "A port of the container that the host publishes.",
	.fields = port_fields,
	.count = ARRAY_SIZE(port_fields),
	.short_form = &port_short,
	.refused = port_refused,
};

/* An engine publishes only what is exposed as well (moby daemon/network.go), so both are written.
 */
static json_t *encode_ports(const struct field *field, const json_t *value)
{
	json_t *bindings = json_object(), *exposed = json_object(), *port;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, port) {
		char key[32];

		snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT "/%s",
			 json_integer_value(json_object_get(port, "target")), port_protocol(port));
		if (!json_object_get(bindings, key))
			json_object_set_new(bindings, key, json_array());
		json_array_append_new(json_object_get(bindings, key),
				      json_pack("{s:s, s:s}", "HostIp", member(port, "host_ip"),
						"HostPort", member(port, "published")));
		json_object_set_new(exposed, key, json_object());
	}
	return json_pack("{s:{s:o}, s:o}", "HostConfig", "PortBindings", bindings, "ExposedPorts",
			 exposed);
}

static void decode_bindings(const char *key, const json_t *bindings, json_t *ports)
{
	const char *slash = strchr(key, '/'), *protocol = slash ? slash + 1 : "tcp";
	size_t count = json_array_size(bindings);
	unsigned target;

	if (!parse_number(key, slash ? (size_t)(slash - key) : strlen(key), &target))
		return;
	/* An empty list of bindings is one binding to any port (container_routes.go,
	 * handlePortBindingsBC). */
	for (size_t i = 0; i < (count ? count : 1); i++) {
		const json_t *binding = json_array_get(bindings, i);
		const char *published = member(binding, "HostPort"),
			   *ip = member(binding, "HostIp");

		if (strcmp(published, "0") == 0)
			published = "";
		json_array_append_new(ports, port_object(target, published, strlen(published),
							 protocol, ip, strlen(ip)));
	}
}

static json_t *decode_ports(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *ports, *bindings;
	const char *key;

	(void)field;
	(void)whole;
	if (!json_is_object(at))
		return json_incref((json_t *)at);
	ports = json_array();
	json_object_foreach ((json_t *)at, key, bindings)
		decode_bindings(key, bindings, ports);
	return ports;
}

const struct codec codec_ports = { .encode = encode_ports, .decode = decode_ports };

/* --- expose --- */

static void append_once(json_t *array, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (str_eq(json_string_value(item), text))
			return;
	}
	json_array_append_new(array, json_string(text));
}

/* Engines take single ports: whoever writes a range takes it apart. */
bool expose_expand(const char *text, json_t *array)
{
	const char *slash = strchr(text, '/'), *protocol = slash ? slash + 1 : "tcp";
	struct port_range range;

	if (!parse_range(text, slash ? (size_t)(slash - text) : strlen(text), &range) ||
	    range.first == 0)
		return false;
	for (unsigned port = range.first; port <= range.last; port++) {
		char single[32];

		snprintf(single, sizeof(single), "%u/%s", port, protocol);
		append_once(array, single);
	}
	return true;
}

static json_t *encode_expose(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *map = json_object(), *item;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, item)
		expose_expand(json_string_value(item), list);
	json_array_foreach (list, i, item)
		json_object_set_new(map, json_string_value(item), json_object());
	json_decref(list);
	return map;
}

static json_t *decode_expose(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *list, *unused;
	const char *key;

	(void)field;
	(void)whole;
	if (!json_is_object(at))
		return json_incref((json_t *)at);
	list = json_array();
	json_object_foreach ((json_t *)at, key, unused) {
		if (!expose_expand(key, list))
			append_once(list, key);
	}
	return list;
}

static json_t *inherit_expose(const struct field *field, const json_t *written, const json_t *spec,
			      const json_t *image_config)
{
	json_t *list = decode_expose(field, json_object_get(image_config, "ExposedPorts"), NULL);
	json_t *item;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(list);
		list = json_array();
	}
	json_array_foreach ((json_t *)written, i, item)
		expose_expand(json_string_value(item), list);
	json_array_foreach (json_object_get(spec, "ports"), i, item) {
		char key[32];

		snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT "/%s",
			 json_integer_value(json_object_get(item, "target")), port_protocol(item));
		append_once(list, key);
	}
	return list;
}

const struct codec codec_expose = {
	.encode = encode_expose,
	.decode = decode_expose,
	.inherit = inherit_expose,
};
