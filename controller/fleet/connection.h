/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to hosts: their logins, their engines. */
#pragma once

#include "controller/base/log.h"
#include "controller/host/engine.h"
#include "controller/host/tunnel.h"
#include "manifests/kind.h"

/* A host as the manifests describe it, reached: its tunnel and its engine. Kept between visits
 * by the controller. */
struct connection {
	char *name;
	struct tunnel_host *tunnel_host; /* NULL for unix:// */
	struct engine *engine;		 /* NULL until opened */
	int far_in_flight;		 /* see struct engine_options */
};

/* Reads the Host resource's spec, adds it to the tunnel; contacts nobody. */
MUST_CHECK int connection_init(struct connection *connection, struct tunnel *tunnel,
			       const struct resource *host, const struct logger *log,
			       struct error *err);
/* Connects and negotiates if there is no engine yet (or the last one was closed). */
MUST_CHECK int connection_open(struct connection *connection, const struct resource *host,
			       const struct logger *log, struct error *err);
/* From another thread, while the connection's owner may be opening or using it, but not resetting
 * it: what runs ends with ERROR_CANCELLED. */
void connection_interrupt(struct connection *connection);
/* Drops the engine; the next connection_open() makes a new one. */
void connection_reset(struct connection *connection);
void connection_done(struct connection *connection);

/*
 * The connections of a command, over one tunnel. A login takes about as long as reading a fleet's
 * manifests does, so it may be begun as soon as the Host is known.
 */
struct connections;

struct connections *connections_new(const struct logger *log);
/* Closes them all. NULL is allowed. */
void connections_free(struct connections *connections);
/* The one to that Host, described anew where there is none yet; it belongs to `connections`. */
MUST_CHECK int connections_get(struct connections *connections, const struct resource *host,
			       struct connection **ret_connection, struct error *err);
/* Begins to log in, without waiting; what comes of it connection_open() tells. */
void connections_begin(struct connections *connections, const struct resource *host);
