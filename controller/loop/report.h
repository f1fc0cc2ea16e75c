/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a look at a host has shown and what was done: texts only, so that it outlives the pass
 * and may go to another thread. Secrets are masked in it.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/vec.h"
#include "controller/plan/execute.h"

enum row_state {
	ROW_IN_STEP,
	ROW_DONE,    /* in step now, by what was done */
	ROW_PENDING, /* out of step: being done, or soon */
	ROW_FAILED,  /* out of step: tried, and tried again later */
	ROW_STALLED, /* out of step: waits for a person */
	ROW_UNKNOWN, /* the host can't be asked, or what it said no longer holds */
	ROW_GONE,    /* removed, and no manifest names it */
};

struct report_row {
	enum row_state state;
	const char *resource; /* "Container/web" */
	const char *digest;   /* of what is desired; "" where nothing is */
	const char *reason;   /* CamelCase */
	const char *message;  /* "" for none */
	/* Something was tried: a line of history and of the log. NULL: nothing was. */
	const char *action; /* verdict_name() */
	enum outcome outcome;
	int64_t duration_ms;
};

struct report {
	struct arena *arena; /* all of it lives here, this struct too */
	const char *host, *project, *revision;
	bool begun;	  /* sent before acting; the one with the results follows */
	struct error err; /* why the host could not be looked at */
	VEC(struct report_row) rows;
	int64_t retry_ms; /* look again after this time; -1: no need */
	bool acted;
};

struct report *report_new(const char *host, const char *project, const char *revision);
void report_free(struct report *report);

/* A row for an action; its state is ROW_IN_STEP until the caller says otherwise. */
struct report_row *report_add(struct report *report, const struct action *action);
/* The reason of a row whose action was not begun. */
const char *report_pending(enum outcome outcome);
/* Every resource of the host as unknown. */
void report_add_unknown(struct report *report, const struct desired *desired);
/* What was planned as unknown, since it did not hold for this reason. */
void report_add_not_known(struct report *report, const struct results *results,
			  const struct error *why);
/* Brings the time of the next look forward. */
void report_retry(struct report *report, int64_t after_ms);
/* True when all rows are in step. */
bool report_in_step(const struct report *report);

/* "image: web:1 -> web:2; environment.KEY: *** (before) -> *** (after)", cut where it is long. */
const char *report_changes(struct report *report, const struct action *action);
