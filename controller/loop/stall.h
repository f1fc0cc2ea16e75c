/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has been tried on a host's resources, so that the loop is not an endless one. The same
 * difference against the same desired digest is tried STALL_TRIES times, then no more until
 * manifest, image or what is observed changes. It does not matter whether the tries failed or
 * seemed to go well: a difference that comes back is not closed by closing it again.
 *
 * What is put right, is in step for a moment and comes back as the same difference is no endless
 * loop either: a container that ends by itself, another that changes what drey changes. Where it
 * comes back within STALL_LASTED_MS it is put right ever more rarely, and stalled at the
 * STALL_RELAPSES-th time.
 *
 * Failures that pass by themselves (host, registry) are tried again, ever more rarely, for ever.
 * A replacement that was begun and failed is not tried a second time: each try stops a service.
 *
 * One of these a host; for one thread at a time. The clock is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	STALL_TRIES = 3,
	STALL_BASE_MS = 2 * 1000,
	STALL_MAX_MS = 300 * 1000,
	STALL_RELAPSES = 8,
	STALL_RELAPSES_FREE = 2, /* put right at once */
	STALL_LASTED_MS = 120 * 1000,
};

struct stall;

struct stall *stall_new(uint64_t seed);
void stall_free(struct stall *stall);

enum stall_answer {
	STALL_GO,   /* try it */
	STALL_WAIT, /* not before *ret_wait_ms */
	STALL_STOP, /* it is stalled */
};

enum stall_outcome {
	STALL_DONE,   /* said to be done */
	STALL_PASSES, /* failed, and may mend itself */
	STALL_FAILED, /* failed */
	STALL_FINAL,  /* failed, and trying again does harm */
};

/* May the difference be acted upon? `resource` is KIND/NAME, `digest` of what is desired,
 * `difference` tells it from others (see hash.h). */
enum stall_answer stall_ask(struct stall *stall, const char *resource, const char *digest,
			    uint64_t difference, int64_t now_ms, int64_t *ret_wait_ms);
/* How it went. reason: CamelCase for conditions; message: for people. Returns true when it is
 * stalled now. */
bool stall_tell(struct stall *stall, const char *resource, enum stall_outcome outcome,
		const char *reason, const char *message, int64_t now_ms);
/* The resource is in step: nothing is held against it any more, unless it does not last. */
void stall_keep(struct stall *stall, const char *resource, int64_t now_ms);
/* Forgets what was not asked for since the last sweep. */
void stall_sweep(struct stall *stall);

/* Stalled in an earlier life of the controller, against this digest, whatever the difference. */
void stall_restore(struct stall *stall, const char *resource, const char *digest,
		   const char *reason, const char *message);

struct stall_entry {
	bool stalled;
	int tries; /* of the difference that was asked for last */
	const char *reason, *message;
	int64_t next_ms; /* when it is tried again, unless stalled */
};
/* What is known of a resource; false: nothing. Borrowed until the next call. */
bool stall_get(const struct stall *stall, const char *resource, struct stall_entry *ret_entry);
