/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts into drey's state what looks at hosts have shown: conditions of each resource and host,
 * history of what was done, revisions. Writes only what is new, so that a fleet in step costs
 * the disk nothing.
 *
 * Nothing here holds reconciling up: what can't be written (disk full) is said once and written
 * with the next report, history of that time excepted.
 */
#pragma once

#include <jansson.h>

#include "controller/base/log.h"
#include "controller/loop/report.h"
#include "controller/state/state.h"

struct conditions;

/* Opens the state in DIR, or tries again later when it can't. */
struct conditions *conditions_new(const char *dir, const struct logger *log);
/* The same, or NULL, without a word of it, where it can't be opened now. */
struct conditions *conditions_try(const char *dir, const struct logger *log);
void conditions_free(struct conditions *conditions);

/* The rows of state_conditions() for a project, NULL where they can't be read: what an earlier
 * life knew. New reference. */
json_t *conditions_read(struct conditions *conditions, const char *project);

/* Times: CLOCK_REALTIME in milliseconds. */
void conditions_record(struct conditions *conditions, const struct report *report, int64_t time_ms);
/* Drops resources of a host that are not in `keep` (names as in `struct state_condition`). */
void conditions_prune(struct conditions *conditions, const char *project, const char *host,
		      const json_t *keep);
void conditions_put_revision(struct conditions *conditions, const struct state_revision *revision);
void conditions_put_journal(struct conditions *conditions, const char *project,
			    const char *resource, const char *step, int64_t time_ms);
void conditions_put_backup(struct conditions *conditions, const json_t *record);
