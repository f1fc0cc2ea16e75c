/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey history: which revisions came into force; of a resource, what was done to it. */
#include "controller/base/mem.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "controller/cli/records.h"

#include <stdio.h>
#include <string.h>

enum { ROWS_DEFAULT = 50 };

static size_t limit_of(const struct context *context)
{
	return context->options.limit ? (size_t)context->options.limit : ROWS_DEFAULT;
}

static void finish_table(struct table *table, const struct context *context)
{
	struct str text;

	str_init(&text, 0);
	table_print(table, context, &text);
	fputs(text.data, stdout);
	str_done(&text);
	table_done(table);
}

/* "2026-01-01T10:00:00.123Z" -> "2026-01-01 10:00:00" */
static const char *plain_time(const struct context *context, const char *rfc3339)
{
	char *text = arena_strdup(context->arena, rfc3339);

	text[strcspn(text, ".")] = '\0';
	if (strchr(text, 'T'))
		*strchr(text, 'T') = ' ';
	return text;
}

static void print_revisions(const struct context *context, const json_t *rows)
{
	static const char *const heading[] = { "TIME (UTC)", "PROJECT", "REVISION", "STATUS",
					       "SUBJECT" };
	struct table table;
	size_t i;
	json_t *row;

	table_init(&table, ARRAY_SIZE(heading));
	table_add(&table, heading);
	json_array_foreach (rows, i, row) {
		const char *message = records_text(row, "message");
		const char *cells[] = {
			plain_time(context, records_text(row, "time")),
			records_text(row, "project"),
			records_revision(context, records_text(row, "revision")),
			records_text(row, "status"),
			*message ? message : records_text(row, "subject"),
		};
		table_add(&table, cells);
	}
	finish_table(&table, context);
}

static const char *duration(const struct context *context, const json_t *row)
{
	json_int_t ms = json_integer_value(json_object_get(row, "duration_ms"));

	return arena_printf(context->arena, "%.1fs", (double)ms / 1000);
}

static void print_events(const struct context *context, const json_t *rows)
{
	static const char *const heading[] = { "TIME (UTC)", "RESOURCE", "REVISION", "ACTION",
					       "OUTCOME",    "TOOK",	 "MESSAGE" };
	struct table table;
	size_t i;
	json_t *row;

	table_init(&table, ARRAY_SIZE(heading));
	table_add(&table, heading);
	json_array_foreach (rows, i, row) {
		const char *cells[] = {
			plain_time(context, records_text(row, "time")),
			records_text(row, "resource"),
			records_revision(context, records_text(row, "revision")),
			records_text(row, "action"),
			records_text(row, "outcome"),
			duration(context, row),
			records_text(row, "message"),
		};
		table_add(&table, cells);
	}
	finish_table(&table, context);
}

static void print_steps(const struct context *context, const json_t *rows)
{
	static const char *const heading[] = { "TIME (UTC)", "RESOURCE", "STEP" };
	struct table table;
	size_t i;
	json_t *row;

	if (json_array_size(rows) == 0)
		return;
	putchar('\n');
	table_init(&table, ARRAY_SIZE(heading));
	table_add(&table, heading);
	json_array_foreach (rows, i, row) {
		const char *cells[] = { plain_time(context, records_text(row, "time")),
					records_text(row, "resource"), records_text(row, "step") };
		table_add(&table, cells);
	}
	finish_table(&table, context);
}

/* Says so on stderr when there are none. */
static void report(const struct context *context, const char *dir, const char *name,
		   const json_t *rows, void (*print)(const struct context *, const json_t *))
{
	if (context->options.output == OUTPUT_JSON)
		return;
	if (json_array_size(rows) > 0)
		print(context, rows);
	else
		fprintf(stderr, "drey: no %s are recorded in %s\n", name, dir);
}

static int show_revisions(const struct context *context, struct state *state, const char *dir,
			  const char *project, json_t *document, struct error *err)
{
	json_t *rows;

	if (state_revisions(state, project, limit_of(context), &rows, err) < 0)
		return -1;
	report(context, dir, "revisions", rows, print_revisions);
	json_object_set_new(document, "revisions", rows);
	return 0;
}

static int show_events(const struct context *context, struct state *state, const char *dir,
		       const char *project, json_t *document, struct error *err)
{
	const struct options *options = &context->options;
	const char *resource = options->arg_count ? options->args[0] : NULL;
	const char *host = options->host_count ? options->hosts[0] : NULL;
	json_t *rows;

	if (state_events(state, project, resource, host, limit_of(context), &rows, err) < 0)
		return -1;
	report(context, dir, "events", rows, print_events);
	json_object_set_new(document, "events", rows);
	if (!options->all)
		return 0;
	if (state_journal(state, project, resource, limit_of(context), &rows, err) < 0)
		return -1;
	if (options->output != OUTPUT_JSON)
		print_steps(context, rows);
	json_object_set_new(document, "steps", rows);
	return 0;
}

static int check_arguments(const struct context *context, struct error *err)
{
	const struct options *options = &context->options;

	if (options->arg_count > 0 && !strchr(options->args[0], '/'))
		return error_set(err, ERROR_INVALID,
				 "'%s' names no resource: say KIND/NAME or KIND/NAME@HOST, such as "
				 "Container/web",
				 options->args[0]);
	if (options->host_count > 1)
		return error_set(err, ERROR_INVALID, "--host: history takes one host");
	return 0;
}

static int run(struct context *context)
{
	const struct options *given = &context->options;
	bool events = given->arg_count > 0 || given->host_count > 0 || given->all;
	struct error err = ERROR_INIT;
	struct state *state = NULL;
	const char *dir, *project;

	if (check_arguments(context, &err) < 0)
		return command_fail(context, EXIT_USAGE, &err);
	int code = records_project(context, &project);
	if (code == EXIT_IN_STEP)
		code = records_open(context, &state, &dir);
	if (code != EXIT_IN_STEP)
		return code;
	json_t *document = output_document(context);
	if ((events ? show_events : show_revisions)(context, state, dir, project, document, &err) <
	    0) {
		code = command_fail(context, EXIT_PARTIAL, &err);
		json_decref(document);
	} else if (given->output == OUTPUT_JSON) {
		output_json(document);
	} else {
		json_decref(document);
	}
	state_close(state);
	return code;
}

static const struct option_row opt_steps = {
	.letter = 'a',
	.name = "all",
	.type = OPTION_FLAG,
	.offset = offsetof(struct options, all),
	.doc = "Events of everything, and the single steps of replacements and restores.",
};

static const struct option_row *const options[] = {
	&opt_file, &opt_project, &opt_host, &opt_steps, &opt_limit, &opt_state, &opt_output, NULL,
};

const struct command command_history = {
	.name = "history",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... [KIND/NAME[@HOST]]",
	.summary = "Show which revisions came into force, or what was done to a resource",
	.description = "Without an argument the revisions of the manifests, the newest first. With "
		       "a resource (on one host, or on all), or with --host or --all, what was "
		       "done: action, outcome, how long it took and why. No host is contacted.",
	.options = options,
	.example = "drey history -n 5\ndrey history Container/web@edge-1",
	.max_args = 1,
	.complete = "resource",
	.run = run,
};
