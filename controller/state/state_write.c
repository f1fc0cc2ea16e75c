/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/state/state_internal.h"

#include "controller/base/mem.h"

#include <string.h>

const char *state_host_of(const char *resource)
{
	const char *at = strchr(resource, '@');

	if (at)
		return at + 1;
	return str_has_prefix(resource, "Host/") ? resource + strlen("Host/") : NULL;
}

static void bind_revision(sqlite3_stmt *stmt, const struct state_revision *revision)
{
	state_bind_text(stmt, 1, revision->project);
	state_bind_text(stmt, 2, revision->revision);
	state_bind_text(stmt, 3, revision->digest);
	state_bind_text(stmt, 4, revision->subject);
	state_bind_text(stmt, 5, revision->status);
	state_bind_text(stmt, 6, revision->message);
	state_bind_int(stmt, 7, revision->time_ms);
}

int state_put_revision(struct state *state, const struct state_revision *revision,
		       struct error *err)
{
	static const enum statement attempts[] = { STATEMENT_UPDATE_REVISION,
						   STATEMENT_PUT_REVISION };

	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		sqlite3_stmt *stmt = state_prepare(state, attempts[i], err);
		if (!stmt)
			return -1;
		bind_revision(stmt, revision);
		if (state_step(state, stmt, "record a revision", err) < 0)
			return -1;
		if (sqlite3_changes(state->db) > 0)
			break;
	}
	return 0;
}

int state_put_condition(struct state *state, const struct state_condition *condition,
			struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_PUT_CONDITION, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, condition->project);
	state_bind_text(stmt, 2, condition->resource);
	state_bind_text(stmt, 3, condition->type);
	state_bind_text(stmt, 4, state_host_of(condition->resource));
	state_bind_text(stmt, 5, condition->status);
	state_bind_text(stmt, 6, condition->reason);
	state_bind_text(stmt, 7, condition->message);
	state_bind_text(stmt, 8, condition->revision);
	state_bind_text(stmt, 9, condition->digest);
	state_bind_int(stmt, 10, condition->time_ms);
	return state_step(state, stmt, "record a condition", err);
}

static bool is_kept(const json_t *keep, const char *resource)
{
	size_t i;
	json_t *name;

	json_array_foreach (keep, i, name) {
		if (str_eq(json_string_value(name), resource))
			return true;
	}
	return false;
}

/* Names of resources whose conditions are to go. New reference; NULL with *err set. */
static json_t *stale_conditions(struct state *state, const char *project, const char *host,
				const json_t *keep, struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_HOST_CONDITIONS, err);
	json_t *stale = json_array();
	int code;

	if (!stmt) {
		json_decref(stale);
		return NULL;
	}
	state_bind_text(stmt, 1, project);
	state_bind_text(stmt, 2, host);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *resource = (const char *)sqlite3_column_text(stmt, 0);
		if (!is_kept(keep, resource))
			json_array_append_new(stale, json_string(resource));
	}
	if (code != SQLITE_DONE) {
		state_error(state, err, "read the conditions");
		json_decref(stale);
		stale = NULL;
	}
	sqlite3_reset(stmt);
	return stale;
}

int state_prune_conditions(struct state *state, const char *project, const char *host,
			   const json_t *keep, struct error *err)
{
	json_t *stale = stale_conditions(state, project, host, keep, err), *name;
	int result = stale ? 0 : -1;
	size_t i;

	json_array_foreach (stale, i, name) {
		sqlite3_stmt *stmt = state_prepare(state, STATEMENT_DROP_CONDITION, err);
		if (!stmt) {
			result = -1;
			break;
		}
		state_bind_text(stmt, 1, project);
		state_bind_text(stmt, 2, json_string_value(name));
		result = state_step(state, stmt, "drop a condition", err);
		if (result < 0)
			break;
	}
	json_decref(stale);
	return result;
}

int state_put_event(struct state *state, const struct state_event *event, struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_PUT_EVENT, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, event->project);
	state_bind_text(stmt, 2, event->resource);
	state_bind_text(stmt, 3, state_host_of(event->resource));
	state_bind_text(stmt, 4, event->revision);
	state_bind_text(stmt, 5, event->action);
	state_bind_text(stmt, 6, event->outcome);
	state_bind_text(stmt, 7, event->message);
	state_bind_int(stmt, 8, event->time_ms);
	state_bind_int(stmt, 9, event->duration_ms);
	return state_step(state, stmt, "record an event", err);
}

int state_put_journal(struct state *state, const char *project, const char *resource,
		      const char *step, int64_t time_ms, struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_PUT_JOURNAL, err);

	if (!stmt)
		return -1;
	state_bind_text(stmt, 1, project);
	state_bind_text(stmt, 2, resource);
	state_bind_text(stmt, 3, step);
	state_bind_int(stmt, 4, time_ms);
	return state_step(state, stmt, "record a step", err);
}

int state_put_backup(struct state *state, const json_t *record, struct error *err)
{
	static const char *const members[] = { "id", "project", "volume", "host", "time" };
	sqlite3_stmt *stmt = state_prepare(state, STATEMENT_PUT_BACKUP, err);

	if (!stmt)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *text = json_string_value(json_object_get(record, members[i]));
		if (!text)
			return error_set(err, ERROR_INVALID, "the record of a backup has no \"%s\"",
					 members[i]);
		state_bind_text(stmt, (int)i + 1, text);
	}
	CLEANUP(cleanup_free) char *text = json_dumps(record, JSON_COMPACT);
	state_bind_text(stmt, ARRAY_SIZE(members) + 1, text);
	return state_step(state, stmt, "record a backup", err);
}

int state_trim(struct state *state, size_t keep, struct error *err)
{
	static const enum statement trims[] = { STATEMENT_TRIM_EVENTS, STATEMENT_TRIM_JOURNAL };

	for (size_t i = 0; i < ARRAY_SIZE(trims); i++) {
		sqlite3_stmt *stmt = state_prepare(state, trims[i], err);
		if (!stmt)
			return -1;
		state_bind_int(stmt, 1, (int64_t)keep);
		if (state_step(state, stmt, "trim the history", err) < 0)
			return -1;
	}
	return 0;
}
