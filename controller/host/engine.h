/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Docker Engine API (docs.docker.com/reference/api/engine) over a Unix socket, near or
 * tunnelled. One `struct engine` belongs to one thread at a time; it keeps its connections.
 *
 * The API version is negotiated at open: the lower of the engine's and ENGINE_API_NEWEST, never
 * below ENGINE_API_OLDEST. Paths given here are without the /vX.YZ prefix.
 *
 * Everything an engine answers is hostile until checked: bodies have ceilings, must be UTF-8
 * JSON where JSON is expected, and headers are bounded. A status of 400 and above becomes an
 * error with the engine's own message (scrubbed of control characters, cut to 512 bytes):
 * 400 ERROR_INVALID, 401/403 ERROR_DENIED, 404 ERROR_NOT_FOUND, 409 ERROR_CONFLICT,
 * others ERROR_REMOTE; a broken or cut reply ERROR_UNREACHABLE or ERROR_REMOTE.
 */
#pragma once

#include "controller/base/error.h"
#include "controller/base/log.h"
#include "controller/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENGINE_API_OLDEST = 40, ENGINE_API_NEWEST = 51 }; /* minor numbers of 1.x */
enum { ENGINE_FAR_MS = 10 };

struct engine;
struct tunnel_host;

struct engine_options {
	const char *name;	    /* the Host's name, for messages */
	const char *socket_path;    /* unix:///path's path or tunnel_host_socket() */
	struct tunnel_host *tunnel; /* NULL for a local engine; asked why a connection failed */
	int connect_timeout_ms;
	int request_timeout_ms; /* for one answer; streams have their own idle limit */
	int max_in_flight;	/* simultaneous requests of engine_perform_all(); 0: 8 */
	/* The same over a tunnel to a host that is ENGINE_FAR_MS away or more, where it is the
	 * larger: each takes a channel, and waits for a round trip, whatever the engine does. */
	int far_in_flight;
	const struct logger *log;
};

/* Sets libcurl up, which else the first engine does: for who brings another library that has one in
 * common with it, and for who has time while a host is being connected to. From any thread. */
void engine_set_up(void);
/* Connects and negotiates. Errors say what to do; whose they are is for the caller to say. */
MUST_CHECK int engine_open(const struct engine_options *options, struct engine **ret_engine,
			   struct error *err);
/* Another one to the same place, for another thread, which nobody interrupts with this one. */
MUST_CHECK int engine_open_beside(const struct engine *engine, struct engine **ret_engine,
				  struct error *err);
/* A second handle on an open engine, for another thread: connections of its own, the same version
 * and guard (which then is asked on both threads); engine_interrupt() of the first one ends its
 * requests as well. Closed before the first is. */
struct engine *engine_handle(struct engine *engine);
void engine_close(struct engine *engine);

/* From any thread: makes the request that runs, and all later ones, end with ERROR_CANCELLED. */
void engine_interrupt(struct engine *engine);

/* Asked before each request that is no GET or HEAD, on the engine's thread: where it fails, the
 * request is not sent and ends with that error. NULL: nobody is asked. */
void engine_set_guard(struct engine *engine, int (*guard)(void *ctx, struct error *err), void *ctx);

/* Negotiated minor version (41 for 1.41). */
int engine_api(const struct engine *engine);
const char *engine_name(const struct engine *engine);
/* RFC 3339, as engines write times: "2023-11-23T15:00:00.123456789+01:00" -> seconds since the
 * epoch; false for anything else. */
bool engine_parse_time(const char *text, int64_t *ret_seconds);
/* The engine's own clock, seconds since the epoch: SystemTime of GET /info. */
MUST_CHECK int engine_read_clock(struct engine *engine, int64_t *ret_seconds, struct error *err);
/* The answer of GET /version, borrowed; asked for at the first call, since the engine runs three
 * programs to answer it (20 ms). NULL when it does not answer. */
const json_t *engine_version(struct engine *engine);

struct engine_request {
	const char *method;	   /* "GET", "POST", "DELETE", "PUT" */
	const char *path;	   /* with query; every variable part escaped by engine_path() */
	const json_t *body;	   /* NULL: none; borrowed */
	const char *registry_auth; /* value of X-Registry-Auth, or NULL */
	int timeout_ms;		   /* 0: the engine's */
	size_t bytes_max;	   /* not 0: the answer is no JSON; so much of it is taken */
	/* filled in: */
	int status;	  /* HTTP status, 0 when none came */
	json_t *reply;	  /* owned by the caller: json_decref; NULL for an empty body */
	char *bytes;	  /* with bytes_max: owned by the caller: free(3) */
	size_t bytes_len; /* bytes_max where there was more */
	struct error err; /* code ERROR_NONE when it went well */
};

/* printf for paths in which %s arguments are percent-escaped (RFC 3986): only %s and %d are
 * understood. free(3) the result. "/containers/%s/json?size=%d" */
char *engine_path(const char *fmt, ...);

/* One request; `request->reply` holds the parsed answer. On error *err is set (also copied to
 * request->err) and request->status tells the HTTP status. Where a kept connection breaks before
 * the answer begins, GET and HEAD are repeated on a new one; anything else may or may not have
 * been carried out, which ERROR_UNREACHABLE then says. */
MUST_CHECK int engine_perform(struct engine *engine, struct engine_request *request,
			      struct error *err);

/*
 * Many requests, max_in_flight at a time, made as they are sent and taken back as they end: what
 * an answer leads to is on its way while others are still coming, and no more answers are in
 * memory than are in flight.
 */
struct engine_feed {
	void *ctx;
	/* The next request, the feed's own until `done`; NULL: none for now. Asked again after
	 * each `done`. */
	struct engine_request *(*next)(void *ctx);
	/* It has ended, well or with its err; the reply is the feed's. -1 with *err gives all
	 * others up, which then end with that error. */
	int (*done)(void *ctx, struct engine_request *request, struct error *err);
};
MUST_CHECK int engine_perform_feed(struct engine *engine, const struct engine_feed *feed,
				   struct error *err);

/* Several at once, max_in_flight at a time, each with its own err. -1 with *err only when all
 * must be given up (connection gone, interrupted): those that had no answer yet get *err as well,
 * the others keep their reply. */
MUST_CHECK int engine_perform_all(struct engine *engine, struct engine_request *requests,
				  size_t count, struct error *err);

/* Short forms for the frequent cases. The path is used as it is (see engine_path). */
MUST_CHECK int engine_get(struct engine *engine, const char *path, json_t **ret_reply,
			  struct error *err);
/* ret_reply may be NULL. */
MUST_CHECK int engine_post(struct engine *engine, const char *path, const json_t *body,
			   json_t **ret_reply, struct error *err);
MUST_CHECK int engine_delete(struct engine *engine, const char *path, struct error *err);

/*
 * Streams. `sink` gets the body as it comes and returns 0, or -1 with *err set to end it.
 * idle_timeout_ms: between two chunks, 0 for none (events). An HTTP error becomes an error as
 * above; the sink is then not called.
 */
struct engine_stream {
	struct engine_request request;
	int (*sink)(void *ctx, const char *data, size_t len, struct error *err);
	/* For uploads: fills buf, returns the bytes put there, 0 at the end, -1 with *err set. */
	ssize_t (*source)(void *ctx, char *buf, size_t room, struct error *err);
	const char *content_type; /* of the upload */
	void *ctx;
	int idle_timeout_ms;
	bool trickles; /* little comes at a time: no large buffer is kept for it */
};
MUST_CHECK int engine_stream(struct engine *engine, struct engine_stream *stream,
			     struct error *err);

/* Puts a tar stream that is in memory. timeout_ms: for the whole, 0 for none. */
MUST_CHECK int engine_put_tar(struct engine *engine, const char *path, const struct str *tar,
			      int timeout_ms, int idle_timeout_ms, struct error *err);

/* As engine_stream for an answer of one JSON document a line (events, pull, build): each is
 * parsed (64 KiB at most) and handed to `item`, which returns 0, 1 to end the stream (success),
 * or -1 with *err set. */
MUST_CHECK int engine_stream_json(struct engine *engine, struct engine_request *request,
				  int (*item)(void *ctx, const json_t *item, struct error *err),
				  void *ctx, int idle_timeout_ms, struct error *err);
