/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey dictionary: the words of the language, for make fuzz. */
#include "controller/cli/command.h"
#include "manifests/schema_docs.h"
#include "reconcilers/reconciler.h"

#include <stdio.h>

static int run(struct context *context)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	struct str text;

	(void)context;
	str_init(&text, 0);
	schema_dictionary(kinds, count, &text);
	fputs(text.data, stdout);
	str_done(&text);
	return EXIT_IN_STEP;
}

const struct command command_dictionary = {
	.name = "dictionary",
	.group = GROUP_OTHER,
	.hidden = true,
	.usage = "",
	.summary = "Print the words of the manifests' language for a fuzzer",
	.run = run,
};
