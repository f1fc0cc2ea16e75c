/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status and history over a state as apply and the controller leave it. */
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/cli.h"
#include "controller/cli/records.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/drey-test-records-XXXXXX";

static int64_t minutes_ago(int minutes)
{
	return ((int64_t)time(NULL) - minutes * 60LL - 5) * 1000;
}

static void put_condition(struct state *state, const char *project, const char *resource,
			  const char *type, const char *status, const char *reason)
{
	struct error err = ERROR_INIT;
	struct state_condition row = {
		.project = project,
		.resource = resource,
		.type = type,
		.status = status,
		.reason = reason,
		.message = strcmp(reason, "InStep") ? "because\nof that" : NULL,
		.revision = "0123456789abcdef0123456789abcdef01234567+",
		.time_ms = minutes_ago(3),
	};

	cr_assert_eq(state_put_condition(state, &row, &err), 0, "%s", err.text);
}

static void put_revision(struct state *state, const char *revision, const char *status)
{
	struct error err = ERROR_INIT;
	struct state_revision row = { .project = "shop",
				      .revision = revision,
				      .digest = "d",
				      .subject = "Subject",
				      .status = status,
				      .time_ms = 1760000000000 };

	cr_assert_eq(state_put_revision(state, &row, &err), 0, "%s", err.text);
}

static void put_event(struct state *state, const char *resource, const char *action)
{
	struct error err = ERROR_INIT;
	struct state_event row = { .project = "shop",
				   .resource = resource,
				   .revision = "r1",
				   .action = action,
				   .outcome = "done",
				   .message = "image",
				   .time_ms = 1760000000000,
				   .duration_ms = 1250 };

	cr_assert_eq(state_put_event(state, &row, &err), 0, "%s", err.text);
}

static void make_state(void)
{
	struct error err = ERROR_INIT;
	struct state *state;

	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(state_open(dir, false, &state, &err), 0, "%s", err.text);
	put_revision(state, "r1", "applied");
	put_revision(state, "r2", "partial");
	put_condition(state, "shop", "Container/db@h1", "Ready", "False", "OutOfStep");
	put_condition(state, "shop", "Container/db@h1", "Stalled", "False", "Trying");
	put_condition(state, "shop", "Container/web@h1", "Ready", "True", "InStep");
	put_condition(state, "shop", "Container/api@h2", "Ready", "False", "ReplaceFailed");
	put_condition(state, "shop", "Container/api@h2", "Stalled", "True", "TriedOften");
	put_condition(state, "shop", "Host/h2", "Ready", "Unknown", "Unreachable");
	put_event(state, "Container/web@h1", "create");
	put_event(state, "Container/web@h2", "update");
	put_event(state, "Container/db@h1", "replace");
	cr_assert_eq(state_put_journal(state, "shop", "Container/db@h1", "stop old", 1760000000000,
				       &err),
		     0);
	state_close(state);
}

static void remove_state(void)
{
	CLEANUP(cleanup_free) char *command = xasprintf("rm -rf '%s'", dir);

	cr_assert_eq(system(command), 0);
}

TestSuite(records, .init = make_state, .fini = remove_state);

/* Runs drey with --state; its standard output ("-" before: its standard error) in the caller's
 * buffer. */
static int drey(char *output, size_t size, FILE *stream, const char *line)
{
	char words[256], *argv[16] = { (char *)"drey" }, *save = NULL;
	int argc = 1;
	FILE *file = tmpfile();
	int saved = dup(fileno(stream));

	snprintf(words, sizeof(words), "%s --state %s", line, dir);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	fflush(stream);
	dup2(fileno(file), fileno(stream));
	int code = cli_main(commands, argc, argv);
	fflush(stream);
	dup2(saved, fileno(stream));
	close(saved);
	rewind(file);
	output[fread(output, 1, size - 1, file)] = '\0';
	fclose(file);
	return code;
}

Test(records, status_says_the_most_telling_condition)
{
	char text[4096];

	cr_expect_eq(drey(text, sizeof(text), stdout, "status"), 0);
	const char *newest = "shop: revision r2, partial ", *table = strstr(text, "RESOURCE");
	cr_expect(str_has_prefix(text, newest), "%s", text);
	cr_assert_not_null(table, "%s", text);
	cr_expect_str_eq(table,
			 "RESOURCE          STATUS       SINCE  REVISION     MESSAGE\n"
			 "Container/db@h1   OutOfStep    3m     0123456789+  because of that\n"
			 "Container/web@h1  Ready        3m     0123456789+\n"
			 "Container/api@h2  Stalled      3m     0123456789+  because of that\n"
			 "Host/h2           Unreachable  3m     0123456789+  because of that\n");
}

Test(records, only_digests_are_cut)
{
	struct context context = { .arena = arena_new() };

	cr_expect_str_eq(records_revision(&context, "0123456789abcdef+"), "0123456789+");
	cr_expect_str_eq(records_revision(&context, "sha256:0123456789abcdef"),
			 "sha256:0123456789");
	cr_expect_str_eq(records_revision(&context, "(unreadable)"), "(unreadable)");
	arena_free(context.arena);
}

Test(records, status_of_some_hosts_and_projects)
{
	struct error err = ERROR_INIT;
	struct state *state;
	char text[4096];

	cr_assert_eq(state_open(dir, false, &state, &err), 0, "%s", err.text);
	put_condition(state, "other", "Container/x@h9", "Ready", "True", "InStep");
	state_close(state);
	cr_expect_eq(drey(text, sizeof(text), stdout, "status --host h2,h9"), 0);
	cr_expect_not_null(strstr(text, "PROJECT  RESOURCE"), "%s", text);
	cr_expect_not_null(strstr(text, "other    Container/x@h9"), "%s", text);
	cr_expect_null(strstr(text, "h1"), "%s", text);
	cr_expect_eq(drey(text, sizeof(text), stdout, "status --project other"), 0);
	cr_expect_null(strstr(text, "shop"), "%s", text);
}

Test(records, status_has_a_json_form)
{
	char text[8192];

	cr_expect_eq(drey(text, sizeof(text), stdout, "status -o json --host h2"), 0);
	json_t *document = json_loads(text, 0, NULL);
	cr_assert_not_null(document, "%s", text);
	cr_expect_eq(json_integer_value(json_object_get(document, "format")), 1);
	const json_t *rows = json_object_get(document, "conditions");
	cr_assert_eq(json_array_size(rows), 3);
	cr_expect_str_eq(records_text(json_array_get(rows, 1), "type"), "Stalled");
	cr_expect_eq(json_array_size(json_object_get(document, "revisions")), 1);
	json_decref(document);
}

Test(records, an_empty_state_says_so)
{
	char text[4096];

	remove_state();
	cr_expect_eq(drey(text, sizeof(text), stderr, "status"), 0);
	cr_expect_not_null(strstr(text, "nothing is recorded in /tmp/"), "%s", text);
	cr_expect_eq(drey(text, sizeof(text), stderr, "history"), 0);
	cr_expect_not_null(strstr(text, "no revisions are recorded"), "%s", text);
	cr_expect_eq(access(dir, F_OK), -1, "reading makes nothing");
}

Test(records, a_damaged_state_is_a_failure)
{
	char text[4096];

	CLEANUP(cleanup_free)
	char *command =
		xasprintf("rm -f %s/state.db-*; echo nonsense nonsense >%s/state.db", dir, dir);
	cr_assert_eq(system(command), 0);
	cr_expect_eq(drey(text, sizeof(text), stderr, "status"), EXIT_PARTIAL);
	cr_expect_not_null(strstr(text, "damaged"), "%s", text);
}

Test(records, history_of_revisions)
{
	char text[4096];

	cr_expect_eq(drey(text, sizeof(text), stdout, "history"), 0);
	cr_expect_str_eq(text, "TIME (UTC)           PROJECT  REVISION  STATUS   SUBJECT\n"
			       "2025-10-09 08:53:20  shop     r2        partial  Subject\n"
			       "2025-10-09 08:53:20  shop     r1        applied  Subject\n");
	cr_expect_eq(drey(text, sizeof(text), stdout, "history -n 1"), 0);
	cr_expect_null(strstr(text, "r1"), "%s", text);
}

Test(records, history_of_a_resource)
{
	char text[4096];

	cr_expect_eq(drey(text, sizeof(text), stdout, "history Container/web"), 0);
	cr_expect_not_null(strstr(text, "Container/web@h1  r1        create  done     1.2s  image"),
			   "%s", text);
	cr_expect_not_null(strstr(text, "Container/web@h2"), "%s", text);
	cr_expect_null(strstr(text, "Container/db"), "%s", text);
	cr_expect_eq(drey(text, sizeof(text), stdout, "history --all"), 0);
	cr_expect_not_null(strstr(text, "Container/db@h1  stop old"), "%s", text);
	cr_expect_eq(drey(text, sizeof(text), stderr, "history web"), EXIT_USAGE);
}
