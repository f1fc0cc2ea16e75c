/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of controller/state share. */
#pragma once

#include "controller/base/str.h"
#include "controller/state/state.h"

#include <sqlite3.h>
#include <sys/types.h>

/* Every statement there is, prepared when first used and kept. */
enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_PUT_REVISION,
	STATEMENT_UPDATE_REVISION,
	STATEMENT_PUT_CONDITION,
	STATEMENT_HOST_CONDITIONS,
	STATEMENT_DROP_CONDITION,
	STATEMENT_PUT_EVENT,
	STATEMENT_PUT_JOURNAL,
	STATEMENT_PUT_BACKUP,
	STATEMENT_TRIM_EVENTS,
	STATEMENT_TRIM_JOURNAL,
	STATEMENT_CONDITIONS,
	STATEMENT_REVISIONS,
	STATEMENT_EVENTS,
	STATEMENT_JOURNAL,
	STATEMENT_BACKUPS,
	STATEMENT_COUNT,
};

struct state {
	sqlite3 *db;
	char *path; /* of the file, for errors */
	dev_t dev;
	ino_t ino; /* that was opened for writing; 0: not that */
	int depth; /* of state_begin() */
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* What the database says went wrong, in words that help. Always -1. */
int state_error(const struct state *state, struct error *err, const char *what);

/* The SQL of a statement. */
const char *state_sql(enum statement statement);
/* The statement, reset and without bindings; NULL with *err set. */
sqlite3_stmt *state_prepare(struct state *state, enum statement statement, struct error *err);

/* Binds parameter `index` (from 1); NULL binds NULL. The text must live until the step. */
void state_bind_text(sqlite3_stmt *stmt, int index, const char *text);
void state_bind_int(sqlite3_stmt *stmt, int index, int64_t value);
/* Runs a statement that returns no rows. */
MUST_CHECK int state_step(struct state *state, sqlite3_stmt *stmt, const char *what,
			  struct error *err);

/* The host in "Container/web@h1" or "Host/h1"; NULL when there is none. Points into it. */
const char *state_host_of(const char *resource);
