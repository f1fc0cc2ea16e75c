/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A helper container: created, never started, with one volume mounted. Through it the Engine API
 * reads and writes the volume's files as a tar stream (GET and PUT /containers/{id}/archive),
 * with nothing running on the host and no image needed: its image is an empty one, imported for
 * the purpose and removed with it.
 *
 * The engine logs files that it could not read and ends the stream as if nothing had happened
 * (moby daemon/archive_unix.go with go-archive): whoever reads through a helper must not call
 * the result complete on the strength of the answer alone.
 */
#pragma once

#include "controller/host/engine.h"

struct helper;

enum { HELPER_BODY_TIMEOUT_MS = 120 * 1000 }; /* between two pieces of a stream */

struct helper_options {
	const char *name;   /* of the container; one that stands there with our label goes */
	const char *volume; /* the engine's name */
	bool read_only;
	const json_t *labels;	     /* of the container, besides LABEL_HELPER; NULL: none */
	const json_t *volume_create; /* body of POST /volumes/create: the volume is made with the
				      * helper, in one step; NULL: it exists */
};

/* ERROR_CONFLICT when a container of that name is not ours; ERROR_NOT_FOUND without the volume. */
MUST_CHECK int helper_open(struct engine *engine, const struct helper_options *options,
			   struct helper **ret_helper, struct error *err);
/* Removes the container and its image. Frees the helper even when that fails. */
MUST_CHECK int helper_close(struct helper *helper, struct error *err);

/* The first part of every path in the streams: "volume/a". */
#define HELPER_ROOT "volume"

/* The volume's files as a plain tar stream. */
MUST_CHECK int helper_read(struct helper *helper,
			   int (*sink)(void *ctx, const char *data, size_t len, struct error *err),
			   void *ctx, struct error *err);
/* Unpacks such a stream into the volume, numeric owners kept. engine: where another than the
 * helper's shall carry it (engine_open_beside()); NULL: the helper's. */
MUST_CHECK int helper_write(struct helper *helper, struct engine *engine,
			    ssize_t (*source)(void *ctx, char *buf, size_t room, struct error *err),
			    void *ctx, struct error *err);
