/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/address.h"

#include <string.h>

#include "controller/base/str.h"

static const char expected[] = "expected ssh://[user@]host[:port] or unix:///path";

/* What goes into messages, known_hosts lines and getaddrinfo(3): no more than names and
 * addresses need. `:` and `%` (a zone) only inside the brackets of IPv6. */
static bool is_host(const char *s, size_t len, bool ipv6)
{
	if (len == 0 || len > 253 || *s == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

		if (!plain && !(ipv6 && (c == ':' || c == '%')))
			return false;
	}
	return true;
}

static bool is_user(const char *s, size_t len)
{
	if (len == 0 || len > 255 || *s == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f || strchr("@:/'\"\\", s[i]))
			return false;
	return true;
}

static int parse_port(const char *s)
{
	int port = 0;

	if (!*s || strlen(s) > 5)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		port = port * 10 + (*s - '0');
	}
	return port >= 1 && port <= 65535 ? port : -1;
}

static int parse_ssh(struct arena *arena, const char *text, const char *rest,
		     struct host_address *address, struct error *err)
{
	size_t len = strlen(rest);
	bool ipv6 = false;

	if (len > 0 && rest[len - 1] == '/')
		len--;
	rest = arena_strndup(arena, rest, len);
	if (strchr(rest, '/'))
		return error_set(err, ERROR_INVALID,
				 "address \"%s\" has a path; the engine's socket is set by "
				 "docker_socket",
				 text);
	const char *at = strrchr(rest, '@');
	if (at) {
		if (memchr(rest, ':', (size_t)(at - rest)))
			return error_set(err, ERROR_INVALID,
					 "an address holds no password; set it by the host's "
					 "password");
		if (!is_user(rest, (size_t)(at - rest)))
			return error_set(err, ERROR_INVALID, "address \"%s\" has no valid user; %s",
					 text, expected);
		address->user = arena_strndup(arena, rest, (size_t)(at - rest));
		rest = at + 1;
	}
	const char *end = rest + strcspn(rest, ":");
	const char *host = rest;
	if (*rest == '[') {
		ipv6 = true;
		host = rest + 1;
		end = host + strcspn(host, "]");
	}
	if (!is_host(host, (size_t)(end - host), ipv6) || (ipv6 && *end != ']'))
		return error_set(
			err, ERROR_INVALID,
			"address \"%s\" has no valid host name (IPv6 goes in brackets); %s", text,
			expected);
	address->host = arena_strndup(arena, host, (size_t)(end - host));
	end += ipv6;
	address->port = *end ? -1 : 22;
	if (*end == ':')
		address->port = parse_port(end + 1);
	if (address->port < 0)
		return error_set(err, ERROR_INVALID,
				 "address \"%s\": the port must be a number from 1 to 65535; %s",
				 text, expected);
	return 0;
}

int host_address_parse(struct arena *arena, const char *text, struct host_address *ret_address,
		       struct error *err)
{
	struct host_address address = { 0 };

	if (str_has_prefix(text, "unix://")) {
		const char *path = text + strlen("unix://");

		if (*path != '/')
			return error_set(err, ERROR_INVALID,
					 "address \"%s\": the path must be absolute "
					 "(unix:///var/run/docker.sock)",
					 text);
		address.scheme = HOST_SCHEME_UNIX;
		address.path = arena_strdup(arena, path);
	} else if (str_has_prefix(text, "ssh://")) {
		address.scheme = HOST_SCHEME_SSH;
		if (parse_ssh(arena, text, text + strlen("ssh://"), &address, err))
			return -1;
	} else {
		return error_set(err, ERROR_INVALID, "address \"%s\" is of no known kind; %s", text,
				 expected);
	}
	*ret_address = address;
	return 0;
}
