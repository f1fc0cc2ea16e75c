/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller: keeps the hosts as the manifests say, for ever.
 *
 * Level-triggered. Events of an engine, a change of the manifests, a timer only say "look
 * again"; what is done follows from what the look shows. One thread turns the loop (manifests,
 * signals, queue, state), a bounded pool carries out looks, one at a time for a host, and each
 * host's event stream sleeps in a thread of its own.
 *
 * SIGTERM and SIGINT end it: what runs ends at its next safe point; a second one cuts requests
 * off. SIGHUP loads the manifests again and looks at every host.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controller/base/error.h"
#include "controller/base/log.h"

enum {
	LOOP_PARALLEL_DEFAULT = 32,
	LOOP_INTERVAL_DEFAULT_MS = 5 * 60 * 1000,
	LOOP_BACKOFF_MS = 1000, /* of a host that can't be looked at */
	LOOP_BACKOFF_MAX_MS = 60 * 1000,
	LOOP_GAP_MS = 50, /* at least between two looks; as long as the last one took */
	LOOP_GAP_MAX_MS = 2000,
	LOOP_REMOVING_MS = 1000,	   /* until what the engine is removing is gone */
	LOOP_REGISTRY_MS = 60 * 60 * 1000, /* between questions where a tag points */
	LOOP_HELD_MS = 2000,		   /* until a backup lets go of the host */
	LOOP_REST_MS = 5000,		   /* after the last look */
	LOOP_LOCK_REMARK_MS = 10 * 1000,   /* what holds a load up is told of after this time */
};

struct loop_options {
	const char *dir, *state_dir;
	const struct logger *log;
	int parallel;	     /* looks at a time; 0: LOOP_PARALLEL_DEFAULT */
	int64_t interval_ms; /* every host is looked at after this time, 10 % more or less */
	int max_removals_percent;
	bool local;	     /* manifests without a Host may mean the engine of this machine */
	const char *version; /* drey's own */
	/* Which revision of the manifests the directory holds: free(3) both; the subject may be
	 * NULL. */
	void (*read_revision)(const char *dir, const char *digest, char **ret_id,
			      char **ret_subject);
};

/*
 * Runs until a signal ends it: 0 then. Signals are blocked from here on. ERROR_NOT_FOUND when
 * there is no such directory, ERROR_REFUSED when another drey holds the state directory. Broken
 * manifests are no error: what was loaded last stays in force, if anything was.
 */
MUST_CHECK int loop_run(const struct loop_options *options, struct error *err);
