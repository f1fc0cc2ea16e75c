/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey status: how things stood when drey last looked. Contacts no host. */
#include "controller/base/mem.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "controller/cli/records.h"

#include <stdio.h>
#include <string.h>

/* The conditions of one resource, as its line shows them. */
struct standing {
	const json_t *ready;   /* NULL: never told */
	const json_t *stalled; /* the others only where they are True */
	const json_t *suspended;
	const json_t *reconciling;
};

static void note_condition(struct standing *standing, const json_t *row)
{
	const char *type = records_text(row, "type");
	bool is = strcmp(records_text(row, "status"), "True") == 0;

	if (strcmp(type, "Ready") == 0)
		standing->ready = row;
	else if (is && strcmp(type, "Stalled") == 0)
		standing->stalled = row;
	else if (is && strcmp(type, "Suspended") == 0)
		standing->suspended = row;
	else if (is && strcmp(type, "Reconciling") == 0)
		standing->reconciling = row;
}

/* The condition that says most, and the word for it. */
static const json_t *foremost(const struct standing *standing, const char **ret_word)
{
	if (standing->suspended) {
		*ret_word = "Suspended";
		return standing->suspended;
	}
	if (standing->stalled) {
		*ret_word = "Stalled";
		return standing->stalled;
	}
	if (standing->ready && strcmp(records_text(standing->ready, "status"), "True") == 0) {
		*ret_word = "Ready";
		return standing->ready;
	}
	if (standing->reconciling) {
		*ret_word = "Reconciling";
		return standing->reconciling;
	}
	*ret_word = "Unknown";
	if (standing->ready && *records_text(standing->ready, "reason"))
		*ret_word = records_text(standing->ready, "reason");
	return standing->ready;
}

static void add_line(struct table *table, const struct context *context, bool projects,
		     const json_t *any, const struct standing *standing)
{
	const char *word;
	const json_t *row = foremost(standing, &word);
	const char *cells[6];
	size_t n = 0;

	if (!row)
		row = any;
	if (projects)
		cells[n++] = records_text(any, "project");
	cells[n++] = records_text(any, "resource");
	cells[n++] = word;
	cells[n++] = records_age(context, records_text(row, "since"));
	cells[n++] = records_revision(context, records_text(row, "revision"));
	cells[n++] = records_text(row, "message");
	table_add(table, cells);
}

static bool same_resource(const json_t *a, const json_t *b)
{
	return strcmp(records_text(a, "resource"), records_text(b, "resource")) == 0 &&
	       strcmp(records_text(a, "project"), records_text(b, "project")) == 0;
}

static bool of_several_projects(const json_t *rows)
{
	const char *first = records_text(json_array_get(rows, 0), "project");
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		if (strcmp(records_text(row, "project"), first) != 0)
			return true;
	}
	return false;
}

static void print_table(const struct context *context, const json_t *rows)
{
	static const char *const heading[] = { "PROJECT", "RESOURCE", "STATUS",
					       "SINCE",	  "REVISION", "MESSAGE" };
	bool projects = of_several_projects(rows);
	size_t count = json_array_size(rows);
	struct table table;
	struct str text;

	table_init(&table, projects ? 6 : 5);
	table_add(&table, projects ? heading : heading + 1);
	for (size_t i = 0; i < count;) {
		const json_t *first = json_array_get(rows, i);
		struct standing standing = { 0 };

		for (; i < count && same_resource(first, json_array_get(rows, i)); i++)
			note_condition(&standing, json_array_get(rows, i));
		add_line(&table, context, projects, first, &standing);
	}
	str_init(&text, 0);
	table_print(&table, context, &text);
	fputs(text.data, stdout);
	str_done(&text);
	table_done(&table);
}

/* "shop: revision 3f2a1c9, applied 5m ago: Subject" */
static void print_revisions(const struct context *context, const json_t *revisions)
{
	size_t i;
	json_t *row;

	json_array_foreach (revisions, i, row) {
		const char *subject = records_text(row, "subject");
		printf("%s: revision %s, %s %s ago%s%s\n", records_text(row, "project"),
		       records_revision(context, records_text(row, "revision")),
		       records_text(row, "status"),
		       records_age(context, records_text(row, "updated")), *subject ? ": " : "",
		       subject);
	}
	if (json_array_size(revisions) > 0)
		putchar('\n');
}

/* The newest of each project. */
static json_t *newest_revisions(const json_t *revisions)
{
	json_t *newest = json_array(), *seen = json_object(), *row;
	size_t i;

	json_array_foreach (revisions, i, row) {
		const char *project = records_text(row, "project");
		if (json_object_get(seen, project))
			continue;
		json_object_set_new(seen, project, json_true());
		json_array_append(newest, row);
	}
	json_decref(seen);
	return newest;
}

/* Conditions of the hosts that --host names. */
static int read_conditions(const struct context *context, struct state *state, const char *project,
			   json_t **ret_rows, struct error *err)
{
	const struct options *options = &context->options;
	json_t *all = json_array();

	for (size_t i = 0; i < options->host_count || i == 0; i++) {
		const char *host = options->host_count ? options->hosts[i] : NULL;
		json_t *rows;

		if (state_conditions(state, project, host, &rows, err) < 0) {
			json_decref(all);
			return -1;
		}
		json_array_extend(all, rows);
		json_decref(rows);
	}
	*ret_rows = all;
	return 0;
}

static void report(const struct context *context, const char *dir, json_t *revisions,
		   json_t *conditions)
{
	if (context->options.output == OUTPUT_JSON) {
		json_t *document = output_document(context);

		json_object_set(document, "revisions", revisions);
		json_object_set(document, "conditions", conditions);
		output_json(document);
		return;
	}
	print_revisions(context, revisions);
	if (json_array_size(conditions) > 0)
		print_table(context, conditions);
	else
		fprintf(stderr,
			"drey: nothing is recorded in %s%s; apply and the controller record "
			"there\n",
			dir, json_array_size(revisions) ? " of these hosts" : "");
}

static int run(struct context *context)
{
	struct error err = ERROR_INIT;
	struct state *state = NULL;
	json_t *revisions = NULL, *conditions = NULL;
	const char *dir, *project;

	int code = records_project(context, &project);
	if (code == EXIT_IN_STEP)
		code = records_open(context, &state, &dir);
	if (code != EXIT_IN_STEP)
		return code;
	if (state_revisions(state, project, 0, &revisions, &err) < 0 ||
	    read_conditions(context, state, project, &conditions, &err) < 0) {
		code = command_fail(context, EXIT_PARTIAL, &err);
	} else {
		json_t *newest = newest_revisions(revisions);

		report(context, dir, newest, conditions);
		json_decref(newest);
	}
	json_decref(revisions);
	json_decref(conditions);
	state_close(state);
	return code;
}

static const struct option_row *const options[] = {
	&opt_file, &opt_project, &opt_host, &opt_state, &opt_output, NULL,
};

const struct command command_status = {
	.name = "status",
	.group = GROUP_FLEET,
	.usage = "[OPTION]...",
	.summary = "Show how each resource stood when drey last looked",
	.description =
		"Conditions and revision of each resource, as apply and the controller recorded "
		"them. No host is contacted: 'drey diff' looks anew. With -f or --project only of "
		"that project.\n\n"
		"The exit code is 0 whatever the conditions are.",
	.options = options,
	.example = "drey status --host edge-1\n"
		   "drey status -o json | jq '.conditions[] | select(.status != \"True\")'",
	.run = run,
};
