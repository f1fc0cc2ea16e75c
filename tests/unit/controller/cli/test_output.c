/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/mem.h"
#include "controller/cli/cli.h"
#include "controller/cli/output.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

Test(output, the_worst_exit_code_counts)
{
	static const int rising[] = { 0, 1, 3, 4, 2, 130 };

	for (size_t i = 0; i < ARRAY_SIZE(rising); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rising); j++)
			cr_expect_eq(exit_worst(rising[i], rising[j]), rising[i > j ? i : j]);
	}
}

Test(output, wraps_at_the_width)
{
	struct str out;

	str_init(&out, 0);
	output_wrap(&out, "one two three four\n\nfive überäöü six", 2, 11);
	cr_expect_str_eq(out.data, "one two\n  three\n  four\n\n  five\n  überäöü\n  six", "%s",
			 out.data);
	str_clear(&out);
	output_wrap(&out, "averyveryverylongword x", 2, 8);
	cr_expect_str_eq(out.data, "averyveryverylongword\n  x", "%s", out.data);
	str_done(&out);
}

static char *table_text(const struct context *context)
{
	static const char *const rows[][3] = {
		{ "A", "BB", "C" },
		{ "ümlaut", NULL, "a text that is\nlonger than the terminal is" },
		{ "x", "", "" },
	};
	struct table table;
	struct str out;

	table_init(&table, 3);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		table_add(&table, rows[i]);
	str_init(&out, 0);
	table_print(&table, context, &out);
	table_done(&table);
	return str_take(&out);
}

Test(output, tables_have_columns)
{
	struct context context = { .columns = 30 };
	CLEANUP(cleanup_free) char *whole = table_text(&context);

	cr_expect_str_eq(whole, "A       BB  C\n"
				"ümlaut      a text that is longer than the terminal is\n"
				"x\n");
	context.terminal_out = true;
	CLEANUP(cleanup_free) char *cut = table_text(&context);
	cr_expect_str_eq(cut, "A       BB  C\n"
			      "ümlaut      a text that is lo…\n"
			      "x\n");
}

static int call(const char *const *words, size_t count)
{
	char *argv[8];

	for (size_t i = 0; i < count; i++)
		argv[i] = (char *)words[i];
	return cli_main(commands, (int)count, argv);
}

Test(output, errors_have_a_json_form, .init = cr_redirect_stdout)
{
	static const char *const words[] = { "drey", "validate", "-o", "json", "--nonsense" };

	cr_expect_eq(call(words, ARRAY_SIZE(words)), EXIT_USAGE);
	cr_expect_stdout_eq_str(
		"{\n"
		"  \"format\": 1,\n"
		"  \"command\": \"validate\",\n"
		"  \"exit\": 2,\n"
		"  \"error\": {\n"
		"    \"code\": \"invalid\",\n"
		"    \"message\": \"there is no option '--nonsense'; see 'drey validate "
		"--help'\"\n"
		"  }\n"
		"}\n");
}

Test(output, errors_go_to_stderr, .init = cr_redirect_stderr)
{
	static const char *const words[] = { "drey", "validat" };

	cr_expect_eq(call(words, ARRAY_SIZE(words)), EXIT_USAGE);
	cr_expect_stderr_eq_str("drey: there is no command 'validat'; did you mean 'validate'?\n");
}

Test(output, help_is_no_failure, .init = cr_redirect_stdout)
{
	static const char *const words[] = { "drey", "--help" };

	cr_expect_eq(call(words, ARRAY_SIZE(words)), EXIT_IN_STEP);
}

Test(output, a_full_disk_is_a_failure)
{
	static const char *const words[] = { "drey", "version" };

	cr_assert_not_null(freopen("/dev/full", "w", stdout));
	cr_expect_eq(call(words, ARRAY_SIZE(words)), EXIT_PARTIAL);
}
