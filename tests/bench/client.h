/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bare clients have in common: one login through drey's own tunnel, and libcurl over it.
 */
#pragma once

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/tunnel.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 8 };

static inline int fail(const char *what)
{
	fprintf(stderr, "bare client: %s\n", what);
	return 1;
}

/* "ADDRESS" or "ADDRESS:PORT", as root. Returns the path of the socket; ends the program if the
 * host can't be reached. */
static inline const char *log_in(const char *address, const char *identity, const char *known_hosts,
				 struct tunnel **ret_tunnel)
{
	struct error err = ERROR_INIT;
	struct tunnel_host *host;
	const char *port = strchr(address, ':');
	CLEANUP(cleanup_free) char *name = xstrndup(address, strcspn(address, ":"));
	struct tunnel_options options = {
		.name = "bare",
		.user = "root",
		.host = name,
		.port = port ? atoi(port + 1) : 22,
		.identity_file = identity,
		.known_hosts = known_hosts,
		.docker_socket = "/var/run/docker.sock",
		.connect_timeout_ms = 10000,
	};

	if (tunnel_new(NULL, ret_tunnel, &err) == 0 &&
	    tunnel_add_host(*ret_tunnel, &options, &host, &err) == 0 &&
	    tunnel_host_connect(host, &err) == 0)
		return tunnel_host_socket(host);
	exit(fail(err.text));
}

static inline size_t keep(char *data, size_t size, size_t count, void *ctx)
{
	str_append_n(ctx, data, size * count);
	return size * count;
}

static inline void aim(CURL *easy, const char *socket, const char *path)
{
	CLEANUP(cleanup_free) char *url = xasprintf("http://engine%s", path);

	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_URL, url);
}
