/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/str.h"
#include "controller/loop/conditions.h"
#include "controller/state/lock.h"

static char dir[64];

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/drey-conditions-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
	CLEANUP(cleanup_free) char *command = xasprintf("rm -rf '%s'", dir);

	cr_assert_eq(system(command), 0);
}

static struct report *report_of(enum row_state state, const char *reason, const char *message)
{
	struct report *report = report_new("h1", "shop", "rev1");
	struct report_row row = { .state = state,
				  .resource = "Container/web",
				  .digest = "d1",
				  .reason = reason,
				  .message = message };

	vec_push(&report->rows, row);
	return report;
}

static void record(struct conditions *conditions, enum row_state state, const char *reason,
		   const char *message, int64_t time_ms)
{
	struct report *report = report_of(state, reason, message);

	conditions_record(conditions, report, time_ms);
	report_free(report);
}

/* "True InStep since" of a condition, "" when it is not there. */
static const char *look_up(const char *resource, const char *type)
{
	static char text[256];
	struct error err = ERROR_INIT;
	struct state *state;
	json_t *rows, *row;
	size_t i;

	text[0] = '\0';
	cr_assert_eq(state_open(dir, true, &state, &err), 0, "%s", err.text);
	cr_assert_eq(state_conditions(state, "shop", NULL, &rows, &err), 0);
	json_array_foreach (rows, i, row) {
		if (!str_eq(json_string_value(json_object_get(row, "resource")), resource) ||
		    !str_eq(json_string_value(json_object_get(row, "type")), type))
			continue;
		snprintf(text, sizeof(text), "%s %s %s",
			 json_string_value(json_object_get(row, "status")),
			 json_string_value(json_object_get(row, "reason")),
			 json_string_value(json_object_get(row, "message")));
	}
	json_decref(rows);
	state_close(state);
	return text;
}

static size_t count_events(void)
{
	struct error err = ERROR_INIT;
	struct state *state;
	json_t *rows;

	cr_assert_eq(state_open(dir, true, &state, &err), 0);
	cr_assert_eq(state_events(state, "shop", NULL, NULL, 0, &rows, &err), 0);
	size_t count = json_array_size(rows);
	json_decref(rows);
	state_close(state);
	return count;
}

TestSuite(conditions, .init = setup, .fini = teardown);

Test(conditions, follow_a_resource_through_its_states)
{
	struct conditions *conditions = conditions_new(dir, NULL);

	record(conditions, ROW_IN_STEP, "InStep", "", 1000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "True InStep ");
	cr_assert_str_eq(look_up("Container/web@h1", "Stalled"), "", "never was");
	cr_assert_str_eq(look_up("Host/h1", "Ready"), "True Reachable ");
	record(conditions, ROW_PENDING, "Replacing", "image", 2000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "False Replacing image");
	cr_assert_str_eq(look_up("Container/web@h1", "Reconciling"), "True Replacing image");
	record(conditions, ROW_STALLED, "ReplaceFailed", "unhealthy", 3000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "False ReplaceFailed unhealthy");
	cr_assert_str_eq(look_up("Container/web@h1", "Reconciling"), "False InStep ");
	cr_assert_str_eq(look_up("Container/web@h1", "Stalled"), "True ReplaceFailed unhealthy");
	record(conditions, ROW_UNKNOWN, "HostUnreachable", "", 4000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "Unknown HostUnreachable ");
	cr_assert_str_eq(look_up("Container/web@h1", "Stalled"), "True ReplaceFailed unhealthy");
	record(conditions, ROW_DONE, "InStep", "image: a -> b", 5000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "True InStep ");
	cr_assert_str_eq(look_up("Container/web@h1", "Stalled"), "False InStep ");
	conditions_free(conditions);
}

Test(conditions, a_fleet_in_step_writes_nothing)
{
	struct conditions *conditions = conditions_new(dir, NULL);
	CLEANUP(cleanup_free) char *wal = xasprintf("%s/state.db-wal", dir);
	struct stat before, after;

	record(conditions, ROW_IN_STEP, "InStep", "", 1000);
	cr_assert_eq(stat(wal, &before), 0);
	for (int i = 0; i < 100; i++)
		record(conditions, ROW_IN_STEP, "InStep", "", 2000 + i);
	cr_assert_eq(stat(wal, &after), 0);
	cr_assert_eq(before.st_size, after.st_size);
	cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	cr_assert_eq(count_events(), 0);
	conditions_free(conditions);
}

Test(conditions, history_has_what_was_done_once)
{
	struct conditions *conditions = conditions_new(dir, NULL);
	struct report *report = report_of(ROW_DONE, "InStep", "image: a -> b");

	report->rows.items[0].action = "replace";
	report->rows.items[0].outcome = OUTCOME_DONE;
	conditions_record(conditions, report, 1000);
	report_free(report);
	record(conditions, ROW_IN_STEP, "InStep", "", 2000);
	cr_assert_eq(count_events(), 1);
	conditions_free(conditions);
}

Test(conditions, an_earlier_life_is_written_over)
{
	struct conditions *conditions = conditions_new(dir, NULL);

	record(conditions, ROW_STALLED, "ReplaceFailed", "unhealthy", 1000);
	conditions_free(conditions);
	conditions = conditions_new(dir, NULL);
	json_t *rows = conditions_read(conditions, "shop");
	cr_assert_gt(json_array_size(rows), 0);
	json_decref(rows);
	record(conditions, ROW_IN_STEP, "InStep", "", 2000);
	cr_assert_str_eq(look_up("Container/web@h1", "Stalled"), "False InStep ");
	conditions_free(conditions);
}

Test(conditions, what_was_pruned_is_written_again_when_it_returns)
{
	struct conditions *conditions = conditions_new(dir, NULL);
	json_t *keep = json_pack("[s]", "Host/h1");

	record(conditions, ROW_IN_STEP, "InStep", "", 1000);
	conditions_prune(conditions, "shop", "h1", keep);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "");
	record(conditions, ROW_IN_STEP, "InStep", "", 2000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "True InStep ");
	json_decref(keep);
	conditions_free(conditions);
}

Test(conditions, a_state_that_can_not_be_opened_is_no_obstacle)
{
	CLEANUP(cleanup_free) char *file = xasprintf("%s/file", dir);
	CLEANUP(cleanup_free) char *below = xasprintf("%s/file/state", dir);

	fclose(fopen(file, "w"));
	struct conditions *conditions = conditions_new(below, NULL);
	record(conditions, ROW_IN_STEP, "InStep", "", 1000);
	cr_assert_null(conditions_read(conditions, "shop"));
	conditions_free(conditions);
}

Test(conditions, an_unreachable_host_says_why)
{
	struct conditions *conditions = conditions_new(dir, NULL);
	struct report *report = report_new("h1", "shop", "rev1");

	error_set(&report->err, ERROR_UNREACHABLE, "no route");
	conditions_record(conditions, report, 1000);
	cr_assert_str_eq(look_up("Host/h1", "Ready"), "False Unreachable no route");
	report_free(report);
	conditions_free(conditions);
}

Test(conditions, the_lock_is_one_drey_s)
{
	struct error err = ERROR_INIT;
	CLEANUP(cleanup_free) char *pid = xasprintf("pid %d", (int)getpid());
	int first, second;

	cr_assert_eq(lock_take(dir, &first, &err), 0);
	cr_assert_eq(lock_take(dir, &second, &err), -1);
	cr_assert_eq(err.code, ERROR_REFUSED);
	cr_assert_not_null(strstr(err.text, pid), "%s", err.text);
	close(first);
	error_clear(&err);
	cr_assert_eq(lock_take(dir, &second, &err), 0);
	close(second);
}

/* As the message about a damaged file advises, with the controller running. */
Test(conditions, a_state_that_is_moved_away_begins_anew)
{
	struct conditions *conditions = conditions_new(dir, NULL);
	CLEANUP(cleanup_free) char *move = xasprintf("cd '%s' && mkdir old && mv state.* old", dir);

	record(conditions, ROW_IN_STEP, "InStep", "", 1000);
	cr_assert_eq(system(move), 0);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "");
	record(conditions, ROW_IN_STEP, "InStep", "", 2000);
	cr_assert_str_eq(look_up("Container/web@h1", "Ready"), "True InStep ");
	conditions_free(conditions);
}
