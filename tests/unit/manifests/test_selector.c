/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "manifests/selector.h"

static bool match(const char *selector)
{
	json_t *labels = json_pack("{s:s, s:s}", "tier", "front", "zone", "a");
	struct error err = ERROR_INIT;
	bool is = false;

	cr_assert_eq(selector_match(labels, selector, &is, &err), 0, "%s", err.text);
	json_decref(labels);
	return is;
}

Test(selector, terms_must_all_hold)
{
	cr_expect(match("tier=front"));
	cr_expect(match("tier==front"));
	cr_expect(match(" tier = front , zone!=b "));
	cr_expect(match("tier"));
	cr_expect(match("!gpu,tier!=back"));
	cr_expect(match("gpu!=yes"), "what is not there is not equal");
	cr_expect_not(match("tier=front,zone=b"));
	cr_expect_not(match("gpu"));
	cr_expect_not(match("!tier"));
	cr_expect_not(match("gpu="));
}

Test(selector, malformed_ones_are_refused)
{
	static const char *const bad[] = { "",	   "=x", "a=b,", "a b", "a=b=c",
					   "!a=b", "!",	 "!!a",	 "a<b", "a in (b)" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		bool is;
		cr_expect_eq(selector_match(NULL, bad[i], &is, &err), -1, "'%s'", bad[i]);
		cr_expect_eq(err.code, ERROR_INVALID);
	}
}

Test(selector, no_labels_at_all)
{
	struct error err = ERROR_INIT;
	bool is = true;

	cr_expect_eq(selector_match(NULL, "a=b", &is, &err), 0);
	cr_expect_not(is);
}
