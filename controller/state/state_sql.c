/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every statement in one place, beside each other as the tables in state.c are. */
#include "controller/state/state_internal.h"

static const char *const sql[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",

	[STATEMENT_UPDATE_REVISION] =
		"UPDATE revisions SET status = ?5, message = ?6, subject = ?4, updated = ?7"
		" WHERE id = (SELECT max(id) FROM revisions WHERE project = ?1)"
		" AND revision = ?2 AND digest = ?3",
	[STATEMENT_PUT_REVISION] =
		"INSERT INTO revisions (project, revision, digest, subject, status, message,"
		" time, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",

	[STATEMENT_PUT_CONDITION] =
		"INSERT INTO conditions (project, resource, type, host, status, reason, message,"
		" revision, digest, since, time)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)"
		" ON CONFLICT (project, resource, type) DO UPDATE SET"
		" since = iif(status IS excluded.status, since, excluded.since),"
		" status = excluded.status, reason = excluded.reason, message = excluded.message,"
		" revision = excluded.revision, digest = excluded.digest, time = excluded.time",
	[STATEMENT_HOST_CONDITIONS] =
		"SELECT DISTINCT resource FROM conditions WHERE project = ?1 AND host = ?2",
	[STATEMENT_DROP_CONDITION] = "DELETE FROM conditions WHERE project = ?1 AND resource = ?2",

	[STATEMENT_PUT_EVENT] =
		"INSERT INTO events (project, resource, host, revision, action, outcome, message,"
		" time, duration) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[STATEMENT_PUT_JOURNAL] = "INSERT INTO journal (project, resource, step, time)"
				  " VALUES (?1, ?2, ?3, ?4)",
	[STATEMENT_PUT_BACKUP] =
		"INSERT OR REPLACE INTO backups (id, project, volume, host, time, record)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6)",

	[STATEMENT_TRIM_EVENTS] =
		"DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?1",
	[STATEMENT_TRIM_JOURNAL] =
		"DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?1",

	[STATEMENT_CONDITIONS] =
		"SELECT project, resource, type, status, reason, message, revision, digest,"
		" since, time FROM conditions"
		" WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR host = ?2)"
		" ORDER BY project, host, resource, type",
	[STATEMENT_REVISIONS] =
		"SELECT project, revision, digest, subject, status, message, time, updated"
		" FROM revisions WHERE (?1 IS NULL OR project = ?1) ORDER BY id DESC LIMIT ?2",
	[STATEMENT_EVENTS] = "SELECT project, resource, revision, action, outcome, message, time,"
			     " duration AS duration_ms FROM events"
			     " WHERE (?1 IS NULL OR project = ?1)"
			     " AND (?2 IS NULL OR resource = ?2 OR substr(resource, 1, length(?2) "
			     "+ 1) = ?2 || '@')"
			     " AND (?3 IS NULL OR host = ?3) ORDER BY id DESC LIMIT ?4",
	[STATEMENT_JOURNAL] = "SELECT project, resource, step, time FROM journal"
			      " WHERE (?1 IS NULL OR project = ?1)"
			      " AND (?2 IS NULL OR resource = ?2 OR substr(resource, 1, length(?2) "
			      "+ 1) = ?2 || '@')"
			      " ORDER BY id DESC LIMIT ?3",
	[STATEMENT_BACKUPS] = "SELECT record FROM backups"
			      " WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR volume = ?2)"
			      " AND (?3 IS NULL OR host = ?3) ORDER BY time DESC, id DESC",
};

const char *state_sql(enum statement statement)
{
	return sql[statement];
}
