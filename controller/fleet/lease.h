/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease of an engine: whoever changes something on it holds it, so that two dreys, from
 * wherever they come, never interleave.
 *
 * It is a container by the name of LEASE_NAME that is never started: the engine gives a name to
 * one container only. Its labels tell the holder, who writes a file into it every ten seconds. A
 * lease whose holder is a process of this machine that is dead is taken over at once, any other
 * when no write has come for a minute. Only the engine's own clock is asked for that (the time of
 * its /info and the one its file system gave the last write): clocks of two machines are never
 * compared.
 *
 * The holder's side of the bargain: without a write for LEASE_LOST_MS the engine's guard lets no
 * change through any more. CLOCK_BOOTTIME measures that, for a holder may have slept.
 *
 * Names that don't do: creating a volume succeeds where one is, and networks of API 1.41 may share
 * a name.
 */
#pragma once

#include "controller/host/engine.h"

enum {
	LEASE_BEAT_MS = 10 * 1000,
	LEASE_LOST_MS = 40 * 1000,
	LEASE_STALE_S = 60,
	LEASE_TIMEOUT_DEFAULT_MS = 90 * 1000, /* longer than it takes to become stale */
};

struct lease;

struct lease_options {
	const char *purpose; /* "apply": for whoever waits */
	int timeout_ms;	     /* how long another's is waited for; 0: not at all */
	void *ctx;
	bool (*cancelled)(void *ctx);		   /* may be NULL */
	void (*waits)(void *ctx, const char *why); /* told once; may be NULL */
};

/* ERROR_CONFLICT when another holds it, and the text says who, since when; ERROR_REFUSED when a
 * container that is not drey's has the name. Sets the engine's guard. */
MUST_CHECK int lease_take(struct engine *engine, const struct lease_options *options,
			  struct lease **ret_lease, struct error *err);
/* Takes NULL. Frees the lease even when the engine can't be told: it is stale soon enough. */
void lease_release(struct lease *lease);
/* The same, but leaves it on the engine, for whoever finds it void to know what this holder knew
 * of the one before (lease_was_void()), and could not see to. */
void lease_abandon(struct lease *lease);
/* The one before was taken away from somebody who is gone, who had it since then (seconds, by the
 * engine's clock), or since whom it had been taken away from, and so on. */
bool lease_was_void(const struct lease *lease, int64_t *ret_since_s);
/* The holder may go on; else -1, ERROR_CANCELLED, and the text says why not. */
MUST_CHECK int lease_check(const struct lease *lease, struct error *err);
