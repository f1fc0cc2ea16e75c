/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/options.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct option_row opt_other = {
	.letter = 'x',
	.name = "exclude",
	.type = OPTION_FLAG,
	.offset = offsetof(struct options, all),
	.doc = "Only one command takes it.",
};

static const struct option_row *const diff_options[] = {
	&opt_file, &opt_host, &opt_output, &opt_parallel, &opt_yes, NULL,
};
static const struct option_row *const run_options[] = { &opt_file, &opt_other, NULL };

static const struct command diff = { .name = "diff",
				     .usage = "[OPTION]...",
				     .options = diff_options };
static const struct command tunnel = {
	.name = "tunnel",
	.usage = "HOST -- COMMAND",
	.options = run_options,
	.min_args = 2,
	.max_args = -1,
};
static const struct command backup_run = {
	.name = "backup run",
	.usage = "NAME",
	.options = run_options,
	.min_args = 1,
	.max_args = 1,
};
static const struct command *const backup_commands[] = { &backup_run, NULL };
static const struct command backup = { .name = "backup", .usage = "run", .sub = backup_commands };
static const struct command *const all[] = { &diff, &tunnel, &backup, NULL };

enum { WORDS_MAX = 16 };

static struct context context;
static struct error err;

static void set_up(void)
{
	context = (struct context){ .arena = arena_new() };
	err = ERROR_INIT;
}

static void tear_down(void)
{
	arena_free(context.arena);
}

TestSuite(options, .init = set_up, .fini = tear_down);

/* Words are separated by one space; "" stands for an empty word. */
static int parse(const char *line)
{
	char *argv[WORDS_MAX] = { arena_strdup(context.arena, "drey") };
	char *text = arena_strdup(context.arena, line), *save = NULL;
	int argc = 1;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		cr_assert_lt(argc, WORDS_MAX);
		argv[argc++] = strcmp(word, "\"\"") ? word : arena_strdup(context.arena, "");
	}
	return options_parse(all, argc, argv, &context, &err);
}

static void expect_fault(const char *line, const char *text)
{
	tear_down();
	set_up();
	cr_expect_eq(parse(line), -1, "%s", line);
	cr_expect_eq(err.code, ERROR_INVALID, "%s", line);
	cr_expect_not_null(strstr(err.text, text), "%s: %s", line, err.text);
}

Test(options, every_way_to_write_a_value)
{
	static const char *const lines[] = {
		"diff -f d",	 "diff -fd",   "diff --file d", "diff --file=d", "-f d diff",
		"--file=d diff", "diff -qyfd", "diff -qf d -v", "-yfd diff",	 "diff -f d -f d",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		tear_down();
		set_up();
		cr_assert_eq(parse(lines[i]), 0, "%s: %s", lines[i], err.text);
		cr_expect_eq(context.command, &diff);
		cr_expect_str_eq(context.options.dir, "d", "%s", lines[i]);
	}
}

Test(options, a_value_that_stands_alone_is_given_once)
{
	expect_fault("diff -f x -f d", "-f: takes one DIR, not both 'x' and 'd'");
	expect_fault("-f x diff --file=d", "--file: takes one DIR, not both 'x' and 'd'");
}

Test(options, clustered_flags_and_counts)
{
	cr_assert_eq(parse("diff -vqyv --verbose"), 0, "%s", err.text);
	cr_expect_eq(context.options.verbose, 3);
	cr_expect(context.options.quiet);
	cr_expect(context.options.yes);
	cr_expect_not(context.options.all);
}

Test(options, lists_add_up)
{
	cr_assert_eq(parse("--host a diff --host b,c --host=d,,e"), 0, "%s", err.text);
	cr_assert_eq(context.options.host_count, 5);
	for (size_t i = 0; i < 5; i++)
		cr_expect_eq(context.options.hosts[i][0], "abcde"[i]);
}

Test(options, numbers_and_choices)
{
	cr_assert_eq(parse("diff -o json --parallel 7"), 0, "%s", err.text);
	cr_expect_eq(context.options.output, OUTPUT_JSON);
	cr_expect_eq(context.options.parallel, 7);
	expect_fault("diff --parallel 0", "from 1 to 1024");
	expect_fault("diff --parallel 7x", "'7x'");
	expect_fault("diff --parallel 99999999999999999999", "whole number");
	expect_fault("diff --parallel= ", "not nothing");
	expect_fault("diff -o jsn", "did you mean 'json'?");
	expect_fault("diff -o zzzzzzzz", "human, json");
}

Test(options, the_rest_is_not_looked_at)
{
	cr_assert_eq(parse("tunnel h1 -x -- ls -l --file"), 0, "%s", err.text);
	cr_expect(context.options.rest);
	cr_expect_eq(context.options.rest_at, 1);
	cr_expect_eq(context.options.arg_count, 4);
	cr_expect_str_eq(context.options.args[0], "h1");
	cr_expect_str_eq(context.options.args[3], "--file");
	cr_expect_null(context.options.args[4]);
	cr_expect(context.options.all);
}

Test(options, a_lone_dash_is_an_argument)
{
	cr_assert_eq(parse("backup run -"), 0, "%s", err.text);
	cr_expect_str_eq(context.options.args[0], "-");
}

Test(options, subcommands)
{
	cr_assert_eq(parse("-f d backup -x run nightly"), 0, "%s", err.text);
	cr_expect_eq(context.command, &backup_run);
	cr_expect_str_eq(context.options.dir, "d");
	expect_fault("backup", "needs one of its commands");
	expect_fault("backup rum x", "did you mean 'run'?");
	expect_fault("backup run", "needs NAME");
	expect_fault("backup run a b", "'b'");
}

Test(options, what_is_not_understood)
{
	expect_fault("dif", "did you mean 'diff'?");
	expect_fault("diff --fiel x", "did you mean '--file'?");
	expect_fault("--hots a diff", "did you mean '--host'?");
	expect_fault("diff -Z", "no option '-Z'");
	expect_fault("diff --file", "needs DIR");
	expect_fault("diff -qf", "needs DIR");
	expect_fault("diff --yes=1", "takes no value");
	expect_fault("diff -x", "'diff' takes no option -x");
	expect_fault("--exclude diff", "'diff' takes no option --exclude");
	expect_fault("diff extra", "'extra'");
	expect_fault("diff \"\"", "''");
}

Test(options, what_was_read_before_a_fault_is_known)
{
	cr_assert_eq(parse("diff -o json --nonsense"), -1);
	cr_expect_eq(context.options.output, OUTPUT_JSON);
	cr_expect_eq(context.command, &diff);
}

Test(options, help_needs_no_arguments)
{
	cr_assert_eq(parse("tunnel --help"), 0, "%s", err.text);
	cr_expect(context.options.help);
	cr_expect_eq(context.command, &tunnel);
	cr_assert_eq(parse(""), 0, "%s", err.text);
}

/* ---- the tables of the real commands ---- */

struct seen {
	const struct option_row *rows[256];
	size_t count;
};

static void check_row(const struct command *command, const struct option_row *row,
		      struct seen *seen)
{
	bool value = row->type != OPTION_FLAG && row->type != OPTION_COUNT;

	cr_expect(row->doc && str_has_suffix(row->doc, "."), "%s --%s: no sentence", command->name,
		  row->name);
	cr_expect_eq(value, row->value != NULL, "%s --%s: value", command->name, row->name);
	cr_expect_eq(row->type == OPTION_CHOICE, row->choices != NULL, "%s --%s", command->name,
		     row->name);
	/* The parser and the completion scripts rely on it before they know the command. */
	for (size_t i = 0; i < seen->count; i++) {
		const struct option_row *other = seen->rows[i];
		bool same_name = strcmp(row->name, other->name) == 0;

		if (!same_name && !(row->letter && row->letter == other->letter))
			continue;
		cr_expect(same_name, "-%c means --%s and --%s", row->letter, row->name,
			  other->name);
		cr_expect_eq(row->type, other->type, "--%s", row->name);
		cr_expect_eq(row->offset, other->offset, "--%s", row->name);
	}
	cr_assert_lt(seen->count, ARRAY_SIZE(seen->rows));
	seen->rows[seen->count++] = row;
}

static void check_commands(const struct command *const *level, struct seen *seen)
{
	for (; level && *level; level++) {
		const struct command *command = *level;

		cr_expect(command->summary && *command->summary, "%s", command->name);
		cr_expect_not(str_has_suffix(command->summary, "."), "%s: the summary is a title",
			      command->name);
		cr_expect_not_null(command->usage, "%s", command->name);
		cr_expect_neq(command->run == NULL, command->sub == NULL, "%s", command->name);
		for (const struct option_row *const *row = command->options; row && *row; row++)
			check_row(command, *row, seen);
		check_commands(command->sub, seen);
	}
}

Test(commands, rows_are_complete_and_mean_the_same_everywhere)
{
	struct seen seen = { 0 };

	for (const struct option_row *const *row = global_options; *row; row++)
		check_row(&diff, *row, &seen);
	check_commands(commands, &seen);
	cr_expect_gt(seen.count, 20);
}
