/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds the lease of an engine, as the labels of its container say, and whether he still does.
 */
#pragma once

#include "controller/host/engine.h"

struct lease_holder {
	char id[80]; /* of the container; "": there is none */
	char uid[33];
	char host[65], purpose[65], boot[40], pid_namespace[40];
	long long pid, start_ticks; /* start: field 22 of proc(5)'s stat */
	char since[40];		    /* RFC 3339, the engine's clock */
	/* Whom it was taken away from had it since then, by the same clock; none: 0 or less. */
	long long void_since_s;
};

/* Random: a lease of its own for each time. */
void lease_holder_uid(char ret_uid[33]);
/* Body of POST /containers/create that makes this process the holder; void_since_s as above. New
 * reference. */
json_t *lease_holder_body(const char *purpose, const char *uid, int64_t void_since_s);
/* Of what inspect says; -1: the container is not drey's. Texts are fit to be printed. */
MUST_CHECK int lease_holder_read(const json_t *inspect, struct lease_holder *ret_holder);
/* "another drey (apply, process 12 on ci-1) has been changing this engine since ..." */
void lease_holder_describe(const struct lease_holder *holder, char *text, size_t size);

/* This very process. */
bool lease_holder_is_self(const struct lease_holder *holder);
/* A process of this machine, of this boot, that is no more. False where that can't be known. */
bool lease_holder_is_dead(const struct lease_holder *holder);
/* No sign of life for LEASE_STALE_S, by the engine's clock. */
MUST_CHECK int lease_holder_is_silent(struct engine *engine, const struct lease_holder *holder,
				      bool *ret_silent, struct error *err);
/* The time of the directory that the first header of a tar archive names; false: it is none. */
bool lease_holder_tar_time(const char header[512], int64_t *ret_seconds);
