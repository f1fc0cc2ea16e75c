/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that change a container, each so that it can be sent again: an answer that got
 * lost says nothing of whether the engine acted, so after a broken connection the object's state
 * is what counts. What is already as asked for is success.
 *
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container
 */
#pragma once

#include "reconcilers/reconciler.h"

enum {
	CONTAINER_POLL_MS = 100,
	CONTAINER_GRACE_DEFAULT_S = 10, /* the engine's own, where the container names none */
};

/* True where the request may or may not have been carried out. */
bool call_is_lost(const struct error *err);
/* ERROR_CANCELLED when the run is to end. */
MUST_CHECK int call_check_cancelled(const struct pass *pass, struct error *err);
/* Sleeps, then as above. */
MUST_CHECK int call_pause(const struct pass *pass, int64_t ms, struct error *err);

/* By ID or name. *ret_inspect: new reference, or NULL when there is no such container. */
MUST_CHECK int call_inspect(struct pass *pass, const char *container, json_t **ret_inspect,
			    struct error *err);
/* The same, and ERROR_NOT_FOUND when there is none. */
MUST_CHECK int call_inspect_present(struct pass *pass, const char *container, json_t **ret_inspect,
				    struct error *err);

/* What an inspect answer says; borrowed, never NULL. */
const char *inspect_id(const json_t *inspect);
const char *inspect_name(const json_t *inspect); /* without the leading slash */
const char *inspect_status(const json_t *inspect);
const char *inspect_label(const json_t *inspect, const char *label); /* NULL: not there */
/* running, paused or restarting: there is, or will be in a moment, a process. NULL: no. */
bool state_is_live(const char *state);
bool inspect_is_live(const json_t *inspect);
bool inspect_is(const json_t *inspect, const char *status);
/* Of two times of an engine, RFC 3339 in UTC with as many digits as it takes: "...:05Z",
 * "...:05.1Z". False where one is not told. */
bool inspect_is_later(const char *time, const char *than);

/* POST /containers/create under `name`, then inspect by name: *ret_id (in the pass's arena) is
 * the object with this uid. */
MUST_CHECK int call_create(struct pass *pass, const char *name, const json_t *body, const char *uid,
			   const char **ret_id, struct error *err);
MUST_CHECK int call_start(struct pass *pass, const char *id, struct error *err);
/* What a stop gives the container until it is killed. */
int64_t call_grace_ms(const json_t *inspect);
/* With the container's own grace period. ERROR_NOT_FOUND when it is gone (AutoRemove). */
MUST_CHECK int call_stop(struct pass *pass, const char *id, struct error *err);
MUST_CHECK int call_set_paused(struct pass *pass, const char *id, bool paused, struct error *err);
MUST_CHECK int call_rename(struct pass *pass, const char *id, const char *name, struct error *err);
/* POST /containers/{id}/update. One whose process ends just then is asked again for a second. */
MUST_CHECK int call_update(struct pass *pass, const char *id, const json_t *body,
			   struct error *err);
/* "no", "always", "unless-stopped", "on-failure", "on-failure:3". */
MUST_CHECK int call_set_policy(struct pass *pass, const char *id, const char *policy,
			       struct error *err);
/* container_stops.c: waits for the end of stops that were asked for since then (seconds, by the
 * engine's clock) and that it is still at, though whoever asked is gone. *ret_outdated: what was
 * observed before is so, since a container of ours has stopped meanwhile. An engine
 * that refuses to tell of events has none. */
MUST_CHECK int container_await_stops(struct pass *pass, int64_t since_s, bool *ret_outdated,
				     struct error *err);
/* Until an engine that is removing it is done. ERROR_TIMEOUT after a minute. */
MUST_CHECK int call_await_gone(struct pass *pass, const char *id, struct error *err);
/* Stops it where it runs, deletes it and leaves its volumes (v=0). Gone already: success. */
MUST_CHECK int call_delete(struct pass *pass, const char *id, struct error *err);
/* The same of one that was just made: where it has never run, the anonymous volumes that were made
 * for it go as well. Those that it was given by name stay (moby daemon/mounts.go,
 * removeMountPoints(): whatever has a source). */
MUST_CHECK int call_delete_new(struct pass *pass, const char *id, struct error *err);

MUST_CHECK int call_connect(struct pass *pass, const char *network, const char *id,
			    json_t *endpoint, struct error *err); /* takes endpoint */
MUST_CHECK int call_disconnect(struct pass *pass, const char *network, const char *id, bool force,
			       struct error *err);

/* The last lines of its log on one line, fit for a message, without the secrets of `want` (may
 * be NULL); "" where there are none or they can't be read. In the pass's arena. */
const char *call_last_lines(struct pass *pass, const char *id, const struct resource *want);
