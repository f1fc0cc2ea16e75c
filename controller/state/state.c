/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, closing, transactions. The pages of the file are SQLite's; how it is opened:
 *
 * - WAL, so that `drey status` reads while the controller writes.
 * - synchronous=NORMAL: a power cut may cost the last transactions but never the file's integrity
 *   (https://www.sqlite.org/pragma.html#pragma_synchronous). What is lost is a few lines of
 *   history; what to do next is decided from the engines alone. FULL would buy those lines with
 *   an fsync for each of them.
 * - user_version is the format of the tables; a newer one is refused, since writing to tables
 *   whose meaning is unknown would damage them.
 */
#include "controller/state/state_internal.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STATE_FORMAT = 1,
	STATE_APPLICATION = 0x64726579, /* "drey" */
	STATE_BUSY_MS = 5000,
};

/* migrations[n] leads from format n to n + 1. */
static const char *const migrations[STATE_FORMAT] = {
	"CREATE TABLE revisions ("
	" id INTEGER PRIMARY KEY, project TEXT NOT NULL, revision TEXT NOT NULL,"
	" digest TEXT NOT NULL, subject TEXT, status TEXT NOT NULL, message TEXT,"
	" time INTEGER NOT NULL, updated INTEGER NOT NULL);"
	"CREATE INDEX revisions_project ON revisions (project, id);"

	"CREATE TABLE conditions ("
	" project TEXT NOT NULL, resource TEXT NOT NULL, type TEXT NOT NULL, host TEXT,"
	" status TEXT NOT NULL, reason TEXT, message TEXT, revision TEXT, digest TEXT,"
	" since INTEGER NOT NULL, time INTEGER NOT NULL,"
	" PRIMARY KEY (project, resource, type)) WITHOUT ROWID;"

	"CREATE TABLE events ("
	" id INTEGER PRIMARY KEY, project TEXT NOT NULL, resource TEXT NOT NULL, host TEXT,"
	" revision TEXT, action TEXT NOT NULL, outcome TEXT NOT NULL, message TEXT,"
	" time INTEGER NOT NULL, duration INTEGER NOT NULL);"
	"CREATE INDEX events_resource ON events (resource, id);"

	"CREATE TABLE journal ("
	" id INTEGER PRIMARY KEY, project TEXT NOT NULL, resource TEXT NOT NULL,"
	" step TEXT NOT NULL, time INTEGER NOT NULL);"

	"CREATE TABLE backups ("
	" id TEXT PRIMARY KEY, project TEXT NOT NULL, volume TEXT NOT NULL, host TEXT NOT NULL,"
	" time TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;"
};

char *state_default_dir(const char *option)
{
	const char *dir = option, *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (!dir || !*dir)
		dir = getenv("DREY_STATE_DIR");
	if (dir && *dir)
		return xstrdup(dir);
	/* XDG Base Directory Specification: a relative value is to be ignored. */
	if (xdg && *xdg == '/')
		return xasprintf("%s/drey", xdg);
	if (geteuid() != 0 && home && *home)
		return xasprintf("%s/.local/state/drey", home);
	return xstrdup("/var/lib/drey");
}

int state_error(const struct state *state, struct error *err, const char *what)
{
	int code = state->db ? sqlite3_extended_errcode(state->db) : SQLITE_NOMEM;
	const char *path = state->path;

	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_set(err, ERROR_INVALID, "%s is damaged (%s)", path,
			  sqlite3_errmsg(state->db));
		return error_hint(
			err, "move it and its -wal and -shm away: conditions and history begin "
			     "anew, no service and no ownership depends on them");
	case SQLITE_FULL:
		error_set(err, ERROR_SYSTEM, "%s: %s: the disk is full", path, what);
		return error_hint(err, "free some space there, or name another place with --state");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, ERROR_CONFLICT,
				 "%s: %s: another drey has been writing to it for %d s", path, what,
				 STATE_BUSY_MS / 1000);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		error_set(err, ERROR_DENIED, "%s: %s: %s", path, what, sqlite3_errmsg(state->db));
		return error_hint(err, "see to whom the directory belongs, or name another place "
				       "with --state");
	default:
		return error_set(err, ERROR_SYSTEM, "%s: %s: %s", path, what,
				 state->db ? sqlite3_errmsg(state->db) : "out of memory");
	}
}

static int run_sql(const struct state *state, const char *sql, const char *what, struct error *err)
{
	return sqlite3_exec(state->db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : state_error(state, err, what);
}

static int read_pragma(const struct state *state, const char *sql, int64_t *ret_value,
		       struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(state->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		sqlite3_finalize(stmt);
		return state_error(state, err, "read");
	}
	*ret_value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return 0;
}

static int check_format(const struct state *state, int64_t *ret_format, struct error *err)
{
	int64_t application;

	if (read_pragma(state, "PRAGMA application_id", &application, err) < 0 ||
	    read_pragma(state, "PRAGMA user_version", ret_format, err) < 0)
		return -1;
	if (application != STATE_APPLICATION && (application != 0 || *ret_format != 0))
		return error_set(err, ERROR_INVALID,
				 "%s is a database of another program; name another place with "
				 "--state",
				 state->path);
	if (*ret_format > STATE_FORMAT)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s has format %lld, this drey (%s) knows up to %d; use the newer "
				 "drey that wrote it, or name another place with --state",
				 state->path, (long long)*ret_format, DREY_VERSION, STATE_FORMAT);
	return 0;
}

static int make_tables(const struct state *state, struct error *err)
{
	char finish[128];
	int64_t format;

	/* Two processes may find the same old format: the second looks again under its lock. */
	if (check_format(state, &format, err) < 0)
		return -1;
	for (; format < STATE_FORMAT; format++) {
		if (run_sql(state, migrations[format], "make the tables", err) < 0)
			return -1;
	}
	snprintf(finish, sizeof(finish), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		 STATE_APPLICATION, STATE_FORMAT);
	return run_sql(state, finish, "make the tables", err);
}

static int migrate(struct state *state, struct error *err)
{
	if (run_sql(state, "BEGIN IMMEDIATE", "lock", err) < 0)
		return -1;
	if (make_tables(state, err) == 0)
		return 0;
	if (!sqlite3_get_autocommit(state->db))
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

/* SQLite would make the file readable for all that the umask lets in; its -wal and -shm take
 * the mode from it. */
static int make_private_file(struct state *state, struct error *err)
{
	const char *path = state->path;

	CLEANUP(cleanup_close)
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, "%s: not a regular file", path);
	if ((st.st_mode & 077) && fchmod(fd, 0600) < 0)
		return error_errno(err, errno, "%s: chmod", path);
	state->dev = st.st_dev;
	state->ino = st.st_ino;
	return 0;
}

static int open_for_writing(struct state *state, struct error *err)
{
	int64_t format;

	if (make_private_file(state, err) < 0)
		return -1;
	if (sqlite3_open_v2(state->path, &state->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return state_error(state, err, "open");
	sqlite3_busy_timeout(state->db, STATE_BUSY_MS);
	/* The format first: what is not ours or too new is not touched, not even by a change of
	 * its journal mode. */
	if (check_format(state, &format, err) < 0)
		return -1;
	if (run_sql(state,
		    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
		    "open", err) < 0)
		return -1;
	return format < STATE_FORMAT ? migrate(state, err) : 0;
}

static int open_empty(struct state *state, struct error *err)
{
	if (sqlite3_open_v2(":memory:", &state->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return state_error(state, err, "open");
	return migrate(state, err);
}

/* Readers need the -shm file; where it is missing and can't be made (a read-only medium), nobody
 * writes either, and SQLite may be told so. */
static int open_immutable(struct state *state)
{
	CLEANUP(cleanup_free) char *uri = NULL;
	struct str escaped;

	str_init(&escaped, 0);
	for (const char *p = state->path; *p; p++)
		str_printf(&escaped, strchr("?#%", *p) ? "%%%02x" : "%c", (unsigned char)*p);
	uri = xasprintf("file:%s?immutable=1", escaped.data);
	str_done(&escaped);
	sqlite3_close(state->db);
	state->db = NULL;
	return sqlite3_open_v2(uri, &state->db,
			       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
}

static int open_for_reading(struct state *state, struct error *err)
{
	struct stat st;
	int64_t format;

	if (stat(state->path, &st) < 0 && errno == ENOENT)
		return open_empty(state, err);
	int code = sqlite3_open_v2(state->path, &state->db,
				   SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(state->db, STATE_BUSY_MS);
		code = sqlite3_exec(state->db, "PRAGMA user_version", NULL, NULL, NULL);
	}
	if ((code & 0xff) == SQLITE_CANTOPEN && access(state->path, R_OK) == 0)
		code = open_immutable(state);
	if (code != SQLITE_OK)
		return state_error(state, err, "open");
	if (check_format(state, &format, err) < 0)
		return -1;
	if (format == STATE_FORMAT)
		return 0;
	/* The first writer has not come as far as the tables yet. */
	sqlite3_close(state->db);
	state->db = NULL;
	return open_empty(state, err);
}

int state_open(const char *dir, bool read_only, struct state **ret_state, struct error *err)
{
	struct state *state = xcalloc(1, sizeof(*state));

	state->path = xasprintf("%s/state.db", dir);
	int result = read_only ? 0 : io_make_dirs(dir, 0700, err);
	if (result == 0)
		result = read_only ? open_for_reading(state, err) : open_for_writing(state, err);
	if (result < 0) {
		state_close(state);
		return error_wrap(err, "state");
	}
	*ret_state = state;
	return 0;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(state->statements[i]);
	sqlite3_close(state->db);
	free(state->path);
	free(state);
}

bool state_is_there(const struct state *state)
{
	struct stat st;

	return stat(state->path, &st) == 0 && st.st_dev == state->dev && st.st_ino == state->ino;
}

sqlite3_stmt *state_prepare(struct state *state, enum statement statement, struct error *err)
{
	sqlite3_stmt **stmt = &state->statements[statement];

	if (!*stmt && sqlite3_prepare_v3(state->db, state_sql(statement), -1,
					 SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK) {
		state_error(state, err, "prepare");
		return NULL;
	}
	sqlite3_reset(*stmt);
	sqlite3_clear_bindings(*stmt);
	return *stmt;
}

void state_bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
	sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC);
}

void state_bind_int(sqlite3_stmt *stmt, int index, int64_t value)
{
	sqlite3_bind_int64(stmt, index, value);
}

int state_step(struct state *state, sqlite3_stmt *stmt, const char *what, struct error *err)
{
	int code = sqlite3_step(stmt);
	int result = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : state_error(state, err, what);

	sqlite3_reset(stmt);
	return result;
}

static int run_statement(struct state *state, enum statement statement, const char *what,
			 struct error *err)
{
	sqlite3_stmt *stmt = state_prepare(state, statement, err);

	return stmt ? state_step(state, stmt, what, err) : -1;
}

int state_begin(struct state *state, struct error *err)
{
	if (state->depth == 0 && run_statement(state, STATEMENT_BEGIN, "begin", err) < 0)
		return -1;
	state->depth++;
	return 0;
}

int state_commit(struct state *state, struct error *err)
{
	if (state->depth > 0 && --state->depth > 0)
		return 0;
	/* A full disk makes SQLite roll back by itself; the put that met it has said so. */
	if (sqlite3_get_autocommit(state->db))
		return error_set(err, ERROR_SYSTEM,
				 "%s: what was to be written together was not written",
				 state->path);
	if (run_statement(state, STATEMENT_COMMIT, "commit", err) == 0)
		return 0;
	if (!sqlite3_get_autocommit(state->db))
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

void state_rollback(struct state *state)
{
	if (state->depth > 0 && !sqlite3_get_autocommit(state->db))
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	state->depth = 0;
}
