/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/state/state_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROWS_DEFAULT = 1000 };

static json_t *rfc3339(int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	char text[48];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return json_null();
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(time_ms % 1000));
	return json_string(text);
}

static bool is_time(const char *column)
{
	return strcmp(column, "time") == 0 || strcmp(column, "since") == 0 ||
	       strcmp(column, "updated") == 0;
}

static json_t *row_object(sqlite3_stmt *stmt)
{
	json_t *row = json_object();

	for (int i = 0; i < sqlite3_column_count(stmt); i++) {
		const char *name = sqlite3_column_name(stmt, i);
		json_t *value;

		if (sqlite3_column_type(stmt, i) == SQLITE_NULL)
			value = json_null();
		else if (is_time(name))
			value = rfc3339(sqlite3_column_int64(stmt, i));
		else if (sqlite3_column_type(stmt, i) == SQLITE_INTEGER)
			value = json_integer(sqlite3_column_int64(stmt, i));
		else
			value = json_string((const char *)sqlite3_column_text(stmt, i));
		/* Not UTF-8: written by no drey, and no reason to fail. */
		json_object_set_new(row, name, value ? value : json_null());
	}
	return row;
}

static json_t *backup_record(sqlite3_stmt *stmt)
{
	json_t *record = json_loads((const char *)sqlite3_column_text(stmt, 0), 0, NULL);

	return record ? record : json_object();
}

static int collect(struct state *state, sqlite3_stmt *stmt, json_t *(*row)(sqlite3_stmt *stmt),
		   json_t **ret_rows, struct error *err)
{
	json_t *rows = json_array();
	int code;

	while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
		json_array_append_new(rows, row(stmt));
	if (code != SQLITE_DONE) {
		state_error(state, err, "read");
		sqlite3_reset(stmt);
		json_decref(rows);
		return -1;
	}
	sqlite3_reset(stmt);
	*ret_rows = rows;
	return 0;
}

static int64_t limit_of(size_t limit)
{
	return limit ? (int64_t)limit : ROWS_DEFAULT;
}

int state_conditions(struct state *state, const char *project, const char *host, json_t **ret_rows,
		     struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_CONDITIONS, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, project);
	state_bind_text(stmt, 2, host);
	return collect(state, stmt, row_object, ret_rows, err);
}

int state_revisions(struct state *state, const char *project, size_t limit, json_t **ret_rows,
		    struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_REVISIONS, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, project);
	state_bind_int(stmt, 2, limit_of(limit));
	return collect(state, stmt, row_object, ret_rows, err);
}

int state_events(struct state *state, const char *project, const char *resource, const char *host,
		 size_t limit, json_t **ret_rows, struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_EVENTS, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, project);
	state_bind_text(stmt, 2, resource);
	state_bind_text(stmt, 3, host);
	state_bind_int(stmt, 4, limit_of(limit));
	return collect(state, stmt, row_object, ret_rows, err);
}

int state_journal(struct state *state, const char *project, const char *resource, size_t limit,
		  json_t **ret_rows, struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_JOURNAL, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, project);
	state_bind_text(stmt, 2, resource);
	state_bind_int(stmt, 3, limit_of(limit));
	return collect(state, stmt, row_object, ret_rows, err);
}

int state_backups(struct state *state, const char *project, const char *volume, const char *host,
		  json_t **ret_rows, struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_BACKUPS, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, project);
	state_bind_text(stmt, 2, volume);
	state_bind_text(stmt, 3, host);
	return collect(state, stmt, backup_record, ret_rows, err);
}
