/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/state/state.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/drey-test-state-XXXXXX";
static char path[256];

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/inner/state", dir);
}

static void remove_dir(void)
{
	CLEANUP(cleanup_free) char *command = xasprintf("rm -rf '%s'", dir);

	cr_assert_eq(system(command), 0);
}

TestSuite(state, .init = make_dir, .fini = remove_dir);

static struct state *must_open(bool read_only)
{
	struct error err = ERROR_INIT;
	struct state *state = NULL;

	cr_assert_eq(state_open(path, read_only, &state, &err), 0, "%s", err.text);
	return state;
}

static void expect_open_error(bool read_only, enum error_code code, const char *text)
{
	struct error err = ERROR_INIT;
	struct state *state = NULL;

	cr_assert_eq(state_open(path, read_only, &state, &err), -1);
	cr_assert_eq(err.code, code, "%s", err.text);
	cr_assert_not_null(strstr(err.text, text), "%s", err.text);
}

static void run_sql(const char *sql)
{
	CLEANUP(cleanup_free) char *file = xasprintf("%s/state.db", path);
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static const char *text_of(const json_t *rows, size_t index, const char *key)
{
	return json_string_value(json_object_get(json_array_get(rows, index), key));
}

static void put_revision(struct state *state, const char *revision, const char *status,
			 int64_t time_ms)
{
	struct error err = ERROR_INIT;
	struct state_revision row = { .project = "shop",
				      .revision = revision,
				      .digest = "d",
				      .subject = "a \"subject\"",
				      .status = status,
				      .time_ms = time_ms };

	cr_assert_eq(state_put_revision(state, &row, &err), 0, "%s", err.text);
}

static void put_condition(struct state *state, const char *resource, const char *status,
			  int64_t time_ms)
{
	struct error err = ERROR_INIT;
	struct state_condition row = { .project = "shop",
				       .resource = resource,
				       .type = "Ready",
				       .status = status,
				       .reason = "InStep",
				       .time_ms = time_ms };

	cr_assert_eq(state_put_condition(state, &row, &err), 0, "%s", err.text);
}

static int put_event(struct state *state, const char *resource, const char *message,
		     struct error *err)
{
	struct state_event row = { .project = "shop",
				   .resource = resource,
				   .revision = "r1",
				   .action = "create",
				   .outcome = "done",
				   .message = message,
				   .time_ms = 1500,
				   .duration_ms = 7 };

	return state_put_event(state, &row, err);
}

static json_t *conditions(struct state *state, const char *host)
{
	struct error err = ERROR_INIT;
	json_t *rows = NULL;

	cr_assert_eq(state_conditions(state, NULL, host, &rows, &err), 0, "%s", err.text);
	return rows;
}

static json_t *events(struct state *state, const char *resource, const char *host, size_t limit)
{
	struct error err = ERROR_INIT;
	json_t *rows = NULL;

	cr_assert_eq(state_events(state, "shop", resource, host, limit, &rows, &err), 0, "%s",
		     err.text);
	return rows;
}

Test(state, is_private_to_its_user)
{
	struct stat st;

	umask(0);
	struct state *state = must_open(false);
	put_condition(state, "Host/h1", "True", 1);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0700);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm" };
		CLEANUP(cleanup_free) char *file = xasprintf("%s/%s", path, names[i]);
		cr_assert_eq(stat(file, &st), 0, "%s", file);
		cr_expect_eq(st.st_mode & 0777, 0600, "%s: %o", file, st.st_mode);
	}
	state_close(state);
}

Test(state, a_loop_that_comes_round_leaves_one_revision)
{
	struct error err = ERROR_INIT;
	struct state *state = must_open(false);
	json_t *rows;

	put_revision(state, "r1", "pending", 1000);
	put_revision(state, "r1", "applied", 2000);
	put_revision(state, "r2", "failed", 3000);
	put_revision(state, "r1", "applied", 4000);
	cr_assert_eq(state_revisions(state, "shop", 0, &rows, &err), 0, "%s", err.text);
	cr_assert_eq(json_array_size(rows), 3);
	cr_expect_str_eq(text_of(rows, 0, "revision"), "r1");
	cr_expect_str_eq(text_of(rows, 1, "revision"), "r2");
	cr_expect_str_eq(text_of(rows, 2, "status"), "applied");
	cr_expect_str_eq(text_of(rows, 2, "time"), "1970-01-01T00:00:01.000Z");
	cr_expect_str_eq(text_of(rows, 2, "updated"), "1970-01-01T00:00:02.000Z");
	cr_expect_str_eq(text_of(rows, 0, "subject"), "a \"subject\"");
	cr_expect(json_is_null(json_object_get(json_array_get(rows, 0), "message")));
	json_decref(rows);
	cr_assert_eq(state_revisions(state, "shop", 1, &rows, &err), 0, "%s", err.text);
	cr_expect_eq(json_array_size(rows), 1);
	json_decref(rows);
	state_close(state);
}

Test(state, since_moves_only_when_the_status_changes)
{
	struct state *state = must_open(false);

	put_condition(state, "Container/web@h1", "True", 1000);
	put_condition(state, "Container/web@h1", "True", 2000);
	json_t *rows = conditions(state, NULL);
	cr_assert_eq(json_array_size(rows), 1);
	cr_expect_str_eq(text_of(rows, 0, "since"), "1970-01-01T00:00:01.000Z");
	cr_expect_str_eq(text_of(rows, 0, "time"), "1970-01-01T00:00:02.000Z");
	json_decref(rows);
	put_condition(state, "Container/web@h1", "False", 3456);
	rows = conditions(state, NULL);
	cr_expect_str_eq(text_of(rows, 0, "since"), "1970-01-01T00:00:03.456Z");
	json_decref(rows);
	state_close(state);
}

Test(state, prunes_only_the_host_it_is_told)
{
	struct error err = ERROR_INIT;
	struct state *state = must_open(false);

	put_condition(state, "Host/h1", "True", 1);
	put_condition(state, "Container/web@h1", "True", 1);
	put_condition(state, "Container/gone@h1", "True", 1);
	put_condition(state, "Container/gone@h10", "True", 1);
	json_t *keep = json_pack("[s, s]", "Host/h1", "Container/web@h1");
	cr_assert_eq(state_prune_conditions(state, "shop", "h1", keep, &err), 0, "%s", err.text);
	json_decref(keep);
	json_t *rows = conditions(state, "h1");
	cr_assert_eq(json_array_size(rows), 2);
	cr_expect_str_eq(text_of(rows, 0, "resource"), "Container/web@h1");
	cr_expect_str_eq(text_of(rows, 1, "resource"), "Host/h1");
	json_decref(rows);
	rows = conditions(state, "h10");
	cr_expect_eq(json_array_size(rows), 1);
	json_decref(rows);
	state_close(state);
}

Test(state, events_are_found_by_resource_on_any_host)
{
	struct error err = ERROR_INIT;
	struct state *state = must_open(false);
	static const char *const resources[] = { "Container/web@h1", "Container/web@h2",
						 "Container/web2@h1", "Container/w_b@h1" };

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		cr_assert_eq(put_event(state, resources[i], NULL, &err), 0, "%s", err.text);
	json_t *rows = events(state, "Container/web", NULL, 0);
	cr_assert_eq(json_array_size(rows), 2);
	cr_expect_str_eq(text_of(rows, 0, "resource"), "Container/web@h2", "newest first");
	cr_expect_str_eq(text_of(rows, 0, "time"), "1970-01-01T00:00:01.500Z");
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "duration_ms")),
		     7);
	json_decref(rows);
	rows = events(state, "Container/web@h1", NULL, 0);
	cr_expect_eq(json_array_size(rows), 1);
	json_decref(rows);
	rows = events(state, NULL, "h1", 2);
	cr_expect_eq(json_array_size(rows), 2);
	cr_expect_str_eq(text_of(rows, 0, "resource"), "Container/w_b@h1");
	json_decref(rows);
	cr_assert_eq(state_trim(state, 1, &err), 0, "%s", err.text);
	rows = events(state, NULL, NULL, 0);
	cr_expect_eq(json_array_size(rows), 1);
	cr_expect_str_eq(text_of(rows, 0, "resource"), "Container/w_b@h1");
	json_decref(rows);
	state_close(state);
}

Test(state, a_transaction_is_whole_or_not_at_all)
{
	struct error err = ERROR_INIT;
	struct state *state = must_open(false);

	cr_assert_eq(state_begin(state, &err), 0);
	cr_assert_eq(state_begin(state, &err), 0);
	put_condition(state, "Host/h1", "True", 1);
	cr_assert_eq(state_commit(state, &err), 0);
	state_rollback(state);
	cr_assert_eq(state_commit(state, &err), -1);
	json_t *rows = conditions(state, NULL);
	cr_expect_eq(json_array_size(rows), 0);
	json_decref(rows);
	error_clear(&err);
	cr_assert_eq(state_begin(state, &err), 0);
	put_condition(state, "Host/h1", "True", 1);
	cr_assert_eq(state_commit(state, &err), 0, "%s", err.text);
	rows = conditions(state, NULL);
	cr_expect_eq(json_array_size(rows), 1);
	json_decref(rows);
	state_close(state);
}

Test(state, readers_and_writers_share_the_file)
{
	struct state *writer = must_open(false), *other = must_open(false);

	put_condition(writer, "Host/h1", "True", 1);
	put_condition(other, "Host/h2", "True", 1);
	struct state *reader = must_open(true);
	put_condition(writer, "Host/h3", "True", 1);
	json_t *rows = conditions(reader, NULL);
	cr_expect_eq(json_array_size(rows), 3);
	json_decref(rows);
	state_close(reader);
	state_close(other);
	state_close(writer);
}

Test(state, reading_what_is_not_there_makes_nothing)
{
	struct state *state = must_open(true);
	json_t *rows = conditions(state, NULL);

	cr_expect_eq(json_array_size(rows), 0);
	json_decref(rows);
	state_close(state);
	cr_expect_eq(access(path, F_OK), -1);
}

Test(state, backups_come_back_as_they_were)
{
	struct error err = ERROR_INIT;
	struct state *state = must_open(false);
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:i}}", "id", "b1", "project",
				   "shop", "volume", "data", "host", "h1", "time",
				   "2026-01-01T00:00:00Z", "files", "count", 3);
	json_t *rows;

	cr_assert_eq(state_put_backup(state, record, &err), 0, "%s", err.text);
	cr_assert_eq(state_backups(state, "shop", "data", NULL, &rows, &err), 0);
	cr_assert_eq(json_array_size(rows), 1);
	cr_expect(json_equal(json_array_get(rows, 0), record));
	json_decref(rows);
	cr_assert_eq(state_backups(state, "shop", "other", NULL, &rows, &err), 0);
	cr_expect_eq(json_array_size(rows), 0);
	json_decref(rows);
	json_object_del(record, "host");
	cr_expect_eq(state_put_backup(state, record, &err), -1);
	cr_expect_not_null(strstr(err.text, "\"host\""), "%s", err.text);
	json_decref(record);
	state_close(state);
}

Test(state, a_newer_format_is_refused_and_left_alone)
{
	state_close(must_open(false));
	run_sql("PRAGMA user_version = 99");
	expect_open_error(false, ERROR_UNSUPPORTED, "format 99");
	expect_open_error(true, ERROR_UNSUPPORTED, "--state");
}

Test(state, another_programs_database_is_left_alone)
{
	struct error err = ERROR_INIT;

	cr_assert_eq(io_make_dirs(path, 0700, &err), 0);
	run_sql("CREATE TABLE t (x); PRAGMA user_version = 1; PRAGMA application_id = 7");
	expect_open_error(false, ERROR_INVALID, "another program");
}

static void damage(off_t from, size_t len)
{
	CLEANUP(cleanup_free) char *file = xasprintf("%s/state.db", path);
	CLEANUP(cleanup_free) char *junk = xmalloc(len);
	CLEANUP(cleanup_close) int fd = open(file, O_WRONLY | O_CLOEXEC);

	memset(junk, 0xa5, len);
	cr_assert_eq(pwrite(fd, junk, len, from), (ssize_t)len);
}

Test(state, a_damaged_file_says_what_to_do)
{
	state_close(must_open(false));
	damage(0, 4096);
	expect_open_error(false, ERROR_INVALID, "move it");
	expect_open_error(true, ERROR_INVALID, "damaged");
}

Test(state, damage_further_in_is_an_error_too)
{
	struct error err = ERROR_INIT;
	struct state *state = must_open(false);
	struct stat st;

	for (int i = 0; i < 500; i++)
		cr_assert_eq(put_event(state, "Container/web@h1", "because of that", &err), 0);
	state_close(state);
	CLEANUP(cleanup_free) char *file = xasprintf("%s/state.db", path);
	cr_assert_eq(stat(file, &st), 0);
	damage(4096, (size_t)st.st_size - 4096);
	state = must_open(false);
	json_t *rows = NULL;
	cr_expect_eq(state_events(state, NULL, NULL, NULL, 0, &rows, &err), -1);
	cr_expect_not_null(strstr(err.text, "damaged"), "%s", err.text);
	state_close(state);
}

/* In a child with a mount of its own: 1 when it went as it should. */
static int fill_disk(void)
{
	struct error err = ERROR_INIT;
	struct state *state;
	char message[1024];

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) < 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    io_make_dirs(path, 0700, &err) < 0 || mount("tmpfs", path, "tmpfs", 0, "size=512k") < 0)
		return 2;
	if (state_open(path, false, &state, &err) < 0)
		return 3;
	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	int written = 0;
	while (put_event(state, "Container/web@h1", message, &err) == 0)
		written++;
	json_t *rows = NULL;
	struct error reading = ERROR_INIT;
	bool ok = strstr(err.text, "full") && written > 0 &&
		  state_events(state, NULL, NULL, NULL, 10, &rows, &reading) == 0 &&
		  json_array_size(rows) == 10;
	if (!ok)
		fprintf(stderr, "%d written, then: %s; %s\n", written, err.text, reading.text);
	json_decref(rows);
	state_close(state);
	return ok ? 1 : 4;
}

Test(state, a_full_disk_is_reported_and_what_was_written_stays)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fill_disk());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 1, "step %d", WEXITSTATUS(status));
}

Test(state, default_directory)
{
	char *found;

	setenv("DREY_STATE_DIR", "/from/environment", 1);
	setenv("XDG_STATE_HOME", "/xdg", 1);
	cr_expect_str_eq(found = state_default_dir("/given"), "/given");
	free(found);
	cr_expect_str_eq(found = state_default_dir(NULL), "/from/environment");
	free(found);
	unsetenv("DREY_STATE_DIR");
	cr_expect_str_eq(found = state_default_dir(NULL), "/xdg/drey");
	free(found);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/u", 1);
	found = state_default_dir(NULL);
	cr_expect_str_eq(found, geteuid() ? "/home/u/.local/state/drey" : "/var/lib/drey");
	free(found);
}
