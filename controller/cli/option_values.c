/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/option_values.h"

#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/base/vec.h"

int option_duration(const char *option, const char *text, int64_t min_ms, int64_t max_ms,
		    int64_t *ret_ms, struct error *err)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *at = text;
	int64_t sum_ms = 0;

	do {
		size_t digits = strspn(at, "0123456789"), i = 0;
		size_t len = strcspn(at + digits, "0123456789");

		while (i < ARRAY_SIZE(units) && (strlen(units[i].name) != len ||
						 strncmp(units[i].name, at + digits, len) != 0))
			i++;
		if (digits == 0 || digits > 9 || i == ARRAY_SIZE(units))
			return error_set(err, ERROR_INVALID,
					 "%s: '%s' is no duration such as 90s, 5m or 1h30m", option,
					 text);
		sum_ms += strtol(at, NULL, 10) * units[i].ms;
		at += digits + len;
	} while (*at);
	if (sum_ms < min_ms || sum_ms > max_ms)
		return error_set(err, ERROR_INVALID, "%s: '%s' is not between %llds and %lldh",
				 option, text, (long long)min_ms / 1000,
				 (long long)max_ms / 3600000);
	*ret_ms = sum_ms;
	return 0;
}

int option_max_failures(const char *text, struct max_failures *ret_max, struct error *err)
{
	char *end;
	long number = strtol(text, &end, 10);
	bool percent = str_eq(end, "%");

	if (end == text || (*end && !percent) || number < 1 || number > (percent ? 100 : 100000))
		return error_set(err, ERROR_INVALID,
				 "--max-failures: '%s' is no number of hosts such as 3, nor a "
				 "share of them such as 10%%",
				 text);
	*ret_max = (struct max_failures){ 0 };
	if (percent)
		ret_max->percent = (int)number;
	else
		ret_max->number = (int)number;
	return 0;
}
