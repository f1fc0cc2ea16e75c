/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/pattern.h"

#include "controller/base/vec.h"

#include <regex.h>
#include <string.h>

struct compiled {
	char *text;
	regex_t regex;
	bool valid;
};

struct patterns {
	VEC(struct compiled *) list; /* a handful: searched one by one */
};

struct patterns *patterns_new(void)
{
	return xcalloc(1, sizeof(struct patterns));
}

void patterns_free(struct patterns *patterns)
{
	if (!patterns)
		return;
	for (size_t i = 0; i < patterns->list.count; i++) {
		struct compiled *compiled = patterns->list.items[i];

		if (compiled->valid)
			regfree(&compiled->regex);
		free(compiled->text);
		free(compiled);
	}
	vec_done(&patterns->list);
	free(patterns);
}

static const struct compiled *find(struct patterns *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->list.count; i++)
		if (strcmp(patterns->list.items[i]->text, text) == 0)
			return patterns->list.items[i];

	struct compiled *compiled = xcalloc(1, sizeof(*compiled));
	compiled->text = xstrdup(text);
	compiled->valid = regcomp(&compiled->regex, text, REG_EXTENDED | REG_NOSUB) == 0;
	vec_push(&patterns->list, compiled);
	return compiled;
}

bool pattern_is_valid(struct patterns *patterns, const char *pattern)
{
	return find(patterns, pattern)->valid;
}

bool pattern_match(struct patterns *patterns, const char *pattern, const char *text)
{
	const struct compiled *compiled = find(patterns, pattern);

	return !compiled->valid || regexec(&compiled->regex, text, 0, NULL, 0) == 0;
}
