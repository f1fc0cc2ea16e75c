/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event stream of one host's engine (GET /events), in a thread that sleeps in it. Events say
 * no more than "look again"; what they tell is used to know what has just been stirred up.
 *
 * No event is lost: the engine's own clock is read before events_callbacks.up is called, and the
 * stream is asked for from that moment on (the engine keeps the last 256). A stream that breaks
 * is opened again, after 1 s at first and at most 60 s; another host's is not affected.
 */
#pragma once

#include "controller/host/engine.h"

enum {
	EVENTS_BACKOFF_MS = 1000,
	EVENTS_BACKOFF_MAX_MS = 60 * 1000,
	EVENTS_STEADY_MS = 10 * 1000, /* a stream that lived so long has mended what was wrong */
	/* jansson goes 2048 levels deep, which takes 190 KiB at most. */
	EVENTS_STACK = 512 * 1024,
};

struct event {
	const char *type, *action; /* "container", "die" */
	const char *id;		   /* container: its ID */
	const char *name;	   /* container: on the engine, without slash; NULL: not told */
	const char *old_name;	   /* of a rename, without slash; NULL: none */
	const char *label_name;	   /* what drey.name says; NULL: not labelled */
};

/* All are called in the stream's thread. */
struct events_callbacks {
	void *ctx;
	void (*up)(void *ctx); /* listening from here on */
	void (*down)(void *ctx, const struct error *err, int64_t retry_ms);
	void (*seen)(void *ctx, const struct event *event);
	void (*ended)(void *ctx); /* the last call of all */
};

struct events;

/* Starts the thread. `options` and its strings, and the tunnel in it, must outlive the stream. */
MUST_CHECK int events_start(const struct engine_options *options,
			    const struct events_callbacks *callbacks, struct events **ret_events,
			    struct error *err);
/* The engine has just answered somebody: a stream that waits because it could not connect tries
 * again at once. One that connects and breaks goes on waiting. */
void events_hurry(struct events *events);
/* Asks it to end; it says so by `ended`, at the latest when a connect in progress times out. */
void events_stop(struct events *events);
/* Waits for the thread. After `ended` that is at once. NULL is allowed. */
void events_free(struct events *events);

/* Takes one document of the stream apart; false when it is none of those that matter. Borrows
 * from it. */
bool events_parse(const json_t *document, struct event *ret_event);
