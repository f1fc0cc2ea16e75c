/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/fleet/connection.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "controller/host/address.h"

#include <string.h>

enum { NS_PER_MS = 1000000 };

static int timeout_of(const struct resource *host, const char *key)
{
	return (int)(resource_int(host, key) / NS_PER_MS);
}

int connection_init(struct connection *connection, struct tunnel *tunnel,
		    const struct resource *host, const struct logger *log, struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct host_address address;

	(void)log;
	*connection = (struct connection){ .name = xstrdup(host->name) };
	if (host_address_parse(arena, resource_string(host, "address"), &address, err) < 0)
		return error_wrap(err, "Host/%s: spec.address", host->name);
	if (address.scheme == HOST_SCHEME_UNIX)
		return 0;

	struct tunnel_options options = {
		.name = host->name,
		.user = address.user,
		.host = address.host,
		.port = address.port,
		.identity_file = resource_string(host, "identity_file"),
		.agent = resource_bool(host, "agent"),
		.password = resource_string(host, "password"),
		.known_hosts = resource_string(host, "known_hosts"),
		.docker_socket = resource_string(host, "docker_socket"),
		.connect_timeout_ms = timeout_of(host, "connect_timeout"),
	};
	if (tunnel_add_host(tunnel, &options, &connection->tunnel_host, err) < 0)
		return error_wrap(err, "Host/%s", host->name);
	return 0;
}

int connection_open(struct connection *connection, const struct resource *host,
		    const struct logger *log, struct error *err)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new();
	struct host_address address;

	if (connection->engine)
		return 0;
	struct engine_options options = {
		.name = host->name,
		.connect_timeout_ms = timeout_of(host, "connect_timeout"),
		.request_timeout_ms = timeout_of(host, "request_timeout"),
		.far_in_flight = connection->far_in_flight,
		.log = log,
	};
	if (connection->tunnel_host) {
		if (tunnel_host_connect(connection->tunnel_host, err) < 0)
			return -1;
		options.tunnel = connection->tunnel_host;
		options.socket_path = tunnel_host_socket(connection->tunnel_host);
	} else {
		if (host_address_parse(arena, resource_string(host, "address"), &address, err) < 0)
			return -1;
		options.socket_path = address.path;
	}
	struct engine *engine;
	if (engine_open(&options, &engine, err) < 0)
		return -1;
	/* connection_interrupt() looks at it from another thread. */
	__atomic_store_n(&connection->engine, engine, __ATOMIC_RELEASE);
	return 0;
}

void connection_interrupt(struct connection *connection)
{
	struct engine *engine = __atomic_load_n(&connection->engine, __ATOMIC_ACQUIRE);

	if (engine)
		engine_interrupt(engine);
	/* Also wakes up who is still connecting. */
	if (connection->tunnel_host)
		tunnel_host_interrupt(connection->tunnel_host);
}

void connection_reset(struct connection *connection)
{
	engine_close(connection->engine);
	connection->engine = NULL;
}

void connection_done(struct connection *connection)
{
	connection_reset(connection);
	if (connection->tunnel_host)
		tunnel_remove_host(connection->tunnel_host);
	free(connection->name);
	*connection = (struct connection){ 0 };
}

/* --- those of a command --- */

struct connections {
	const struct logger *log;
	struct tunnel *tunnel; /* NULL while all hosts are near */
	VEC(struct connection *) list;
};

struct connections *connections_new(const struct logger *log)
{
	struct connections *connections = xcalloc(1, sizeof(*connections));

	connections->log = log;
	return connections;
}

void connections_free(struct connections *connections)
{
	if (!connections)
		return;
	VEC_FOREACH (struct connection **, connection, &connections->list) {
		connection_done(*connection);
		free(*connection);
	}
	vec_done(&connections->list);
	tunnel_free(connections->tunnel);
	free(connections);
}

static struct connection *find(const struct connections *connections, const char *name)
{
	VEC_FOREACH (struct connection **, connection, &connections->list)
		if (str_eq((*connection)->name, name))
			return *connection;
	return NULL;
}

int connections_get(struct connections *connections, const struct resource *host,
		    struct connection **ret_connection, struct error *err)
{
	struct connection *connection = find(connections, host->name);

	if (!connection) {
		bool near = str_has_prefix(resource_string(host, "address"), "unix://");

		if (!near && !connections->tunnel &&
		    tunnel_new(connections->log, &connections->tunnel, err) < 0)
			return -1;
		connection = xcalloc(1, sizeof(*connection));
		if (connection_init(connection, connections->tunnel, host, connections->log, err) <
		    0) {
			connection_done(connection);
			free(connection);
			return -1;
		}
		vec_push(&connections->list, connection);
	}
	*ret_connection = connection;
	return 0;
}

void connections_begin(struct connections *connections, const struct resource *host)
{
	struct error ignored = ERROR_INIT;
	struct connection *connection;

	if (connections_get(connections, host, &connection, &ignored) == 0 &&
	    connection->tunnel_host)
		tunnel_host_begin(connection->tunnel_host);
}
