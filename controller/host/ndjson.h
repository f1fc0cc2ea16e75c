/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of JSON documents, one a line, cut into documents as it comes: events, and the
 * progress of pull, push and build. Empty lines and CR LF are tolerated (pull sends CR LF).
 */
#pragma once

#include "controller/base/error.h"
#include "controller/base/str.h"

#include <jansson.h>

enum { NDJSON_LINE_CEILING = 64 * 1024 };

struct ndjson {
	struct str line; /* the document that has begun */
	/* 0: go on; 1: enough; -1: *err is set. */
	int (*item)(void *ctx, const json_t *item, struct error *err);
	void *ctx;
};

void ndjson_init(struct ndjson *nd, int (*item)(void *ctx, const json_t *item, struct error *err),
		 void *ctx);
void ndjson_done(struct ndjson *nd);

/* Takes the next bytes, in pieces of any size. Returns what item() returned when that was not 0;
 * ERROR_REMOTE for a line that is no JSON or longer than the ceiling. */
MUST_CHECK int ndjson_feed(struct ndjson *nd, const char *data, size_t len, struct error *err);

/* After the last byte: a document without its line end still counts. */
MUST_CHECK int ndjson_finish(struct ndjson *nd, struct error *err);
