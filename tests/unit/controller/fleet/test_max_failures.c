/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "controller/cli/option_values.h"

static struct max_failures parse(const char *text)
{
	struct max_failures max = { 0 };
	struct error err = ERROR_INIT;

	cr_assert_eq(option_max_failures(text, &max, &err), 0, "%s", err.text);
	return max;
}

Test(max_failures, is_one_where_nothing_is_said)
{
	struct max_failures max = { 0 };

	cr_expect_not(max_failures_reached(&max, 0, 100));
	cr_expect(max_failures_reached(&max, 1, 100));
}

Test(max_failures, counts_hosts)
{
	struct max_failures max = parse("3");

	cr_expect_not(max_failures_reached(&max, 2, 100));
	cr_expect(max_failures_reached(&max, 3, 100));
}

Test(max_failures, is_a_share_of_the_hosts)
{
	struct max_failures max = parse("10%");

	cr_expect_not(max_failures_reached(&max, 0, 3), "without a failure nobody is held back");
	cr_expect(max_failures_reached(&max, 1, 3));
	cr_expect_not(max_failures_reached(&max, 9, 100));
	cr_expect(max_failures_reached(&max, 10, 100));
}

Test(max_failures, refuses_what_is_no_limit)
{
	static const char *const wrong[] = { "",   "0",	   "-1", "x",	"1x",
					     "0%", "101%", "%",	 "1 %", "99999999999999999999" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct max_failures max;
		struct error err = ERROR_INIT;

		cr_expect_eq(option_max_failures(wrong[i], &max, &err), -1, "%s", wrong[i]);
		cr_expect_eq(err.code, ERROR_INVALID);
	}
}

Test(option_duration, has_units_and_bounds)
{
	struct error err = ERROR_INIT;
	int64_t ms = -1;

	cr_expect_eq(option_duration("--x", "1h30m", 0, 7200000, &ms, &err), 0);
	cr_expect_eq(ms, 5400000);
	cr_expect_eq(option_duration("--x", "0s", 0, 1000, &ms, &err), 0);
	cr_expect_eq(ms, 0);
	cr_expect_eq(option_duration("--x", "2h", 0, 3600000, &ms, &err), -1);
	cr_expect_eq(option_duration("--x", "5", 0, 3600000, &ms, &err), -1);
	cr_expect_eq(option_duration("--x", "", 0, 3600000, &ms, &err), -1);
}
