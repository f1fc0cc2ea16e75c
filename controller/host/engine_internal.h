/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What engine.c and engine_http.c share. */
#pragma once

#include "controller/host/engine.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "controller/base/vec.h"

struct engine {
	char *name;
	char *socket_path;
	struct tunnel_host *tunnel;
	int connect_timeout_ms;
	int request_timeout_ms;
	int max_in_flight;
	const struct logger *log;
	CURLM *multi;	     /* owns the connections that are kept */
	VEC(CURL *) idle;    /* easy handles at rest */
	int api;	     /* 0 until negotiated: paths then go without a prefix */
	char api_header[16]; /* Api-Version of the reply to GET /_ping; "" without one */
	json_t *version;
	atomic_bool interrupted;
	int (*guard)(void *ctx, struct error *err);
	void *guard_ctx;
	/* Handles for other threads, which are interrupted with it; under lock. */
	pthread_mutex_t lock;
	struct engine *handles, *next_handle;
	struct engine *of; /* whose handle this one is; NULL: nobody's */
};

/* Runs what the feed gives, max_in_flight at a time; each gets its own err. -1 with *err when all
 * had to be given up. With a stream, the feed gives &stream->request alone. */
MUST_CHECK int engine_http_run(struct engine *engine, const struct engine_feed *feed,
			       struct engine_stream *stream, struct error *err);
