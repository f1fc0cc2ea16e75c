/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened, in SQLite: revisions, conditions, history, the journal of multi-step actions,
 * backups. Never who owns what: losing this file loses no service and no ownership.
 *
 * One `struct state` belongs to one thread. Several processes may open the same file (WAL, busy
 * time-out). A file that is damaged or of a newer format is an error that says what to do;
 * nothing is deleted. No secret ever goes in here: callers hand masked texts over.
 *
 * Times are RFC 3339 in UTC with milliseconds; callers pass CLOCK_REALTIME milliseconds.
 */
#pragma once

#include "controller/base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* dir: --state DIR, $DREY_STATE_DIR, else $XDG_STATE_HOME/drey, ~/.local/state/drey, or
 * /var/lib/drey for root. free(3) the result. */
char *state_default_dir(const char *option);

/* Opens DIR/state.db, making directory (0700) and schema where needed. read_only: a missing
 * file is an empty state. */
MUST_CHECK int state_open(const char *dir, bool read_only, struct state **ret_state,
			  struct error *err);
void state_close(struct state *state);
/* False once the file has been moved or removed: what is written is seen by nobody then. */
bool state_is_there(const struct state *state);

/* A set of manifests came into force (or was refused). The project's newest revision put again
 * (same revision and digest) keeps its row and time and takes the new status: a loop that comes
 * round leaves one row. Readers also give "updated", when that was. */
struct state_revision {
	const char *project;
	const char *revision; /* git commit, or digest */
	const char *digest;   /* set_digest() */
	const char *subject;  /* first line of the commit's message, or NULL */
	const char *status;   /* "applied", "failed", "partial", "invalid", "pending" */
	const char *message;  /* NULL: none */
	int64_t time_ms;
};
MUST_CHECK int state_put_revision(struct state *state, const struct state_revision *revision,
				  struct error *err);

/* Conditions as in Kubernetes: a row per resource and type; `since` moves only when status
 * changes. */
struct state_condition {
	const char *project;
	const char *resource; /* "Container/web@h1", "Host/h1" */
	const char *type;     /* Ready, Reconciling, Stalled, Suspended */
	const char *status;   /* True, False, Unknown */
	const char *reason;   /* CamelCase: InStep, OutOfStep, Unreachable, ReplaceFailed */
	const char *message;
	const char *revision; /* that was observed */
	const char *digest;   /* of the desired spec */
	int64_t time_ms;
};
MUST_CHECK int state_put_condition(struct state *state, const struct state_condition *condition,
				   struct error *err);
/* Drops conditions of resources of this host that `keep` (JSON array of names) lacks. */
MUST_CHECK int state_prune_conditions(struct state *state, const char *project, const char *host,
				      const json_t *keep, struct error *err);

/* One line of history: something was done, or failed. */
struct state_event {
	const char *project, *resource, *revision;
	const char *action;  /* verdict_name(), "backup", "restore", "heal" */
	const char *outcome; /* outcome_name() */
	const char *message; /* fields that changed, or why it failed; masked */
	int64_t time_ms, duration_ms;
};
MUST_CHECK int state_put_event(struct state *state, const struct state_event *event,
			       struct error *err);
/* Steps of a replacement or restore, to explain later what was going on. */
MUST_CHECK int state_put_journal(struct state *state, const char *project, const char *resource,
				 const char *step, int64_t time_ms, struct error *err);

/* Several puts as one transaction; nests. Whoever meets an error in between calls
 * state_rollback(), which ends all levels: a state_commit() after it fails. */
MUST_CHECK int state_begin(struct state *state, struct error *err);
MUST_CHECK int state_commit(struct state *state, struct error *err);
void state_rollback(struct state *state);

/* Readers: JSON arrays of objects with the members above ("time" and "since" as RFC 3339),
 * newest first where there is a time. NULL filters match all; limit 0: 1000. */
MUST_CHECK int state_conditions(struct state *state, const char *project, const char *host,
				json_t **ret_rows, struct error *err);
MUST_CHECK int state_revisions(struct state *state, const char *project, size_t limit,
			       json_t **ret_rows, struct error *err);
MUST_CHECK int state_events(struct state *state, const char *project, const char *resource,
			    const char *host, size_t limit, json_t **ret_rows, struct error *err);
MUST_CHECK int state_journal(struct state *state, const char *project, const char *resource,
			     size_t limit, json_t **ret_rows, struct error *err);

/* Backups that were made. `record` is the JSON document that also lies beside the archive; it has
 * the strings "id" (unique), "project", "volume", "host" and "time" (RFC 3339). */
MUST_CHECK int state_put_backup(struct state *state, const json_t *record, struct error *err);
/* volume and host may be NULL. */
MUST_CHECK int state_backups(struct state *state, const char *project, const char *volume,
			     const char *host, json_t **ret_rows, struct error *err);

/* Keeps the newest `keep` events and journal rows. */
MUST_CHECK int state_trim(struct state *state, size_t keep, struct error *err);
