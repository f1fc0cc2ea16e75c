/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey explain KIND[.FIELD]: what a manifest may say. */
#include "controller/cli/kinds.h"
#include "controller/cli/output.h"
#include "manifests/schema_docs.h"

#include <stdio.h>

static void list_kinds(const struct context *context, struct str *out)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	static const char *const heading[] = { "KIND", "" };
	struct table table;

	table_init(&table, ARRAY_SIZE(heading));
	table_add(&table, heading);
	for (size_t i = 0; i < count; i++) {
		const char *cells[] = { kinds[i]->name, kinds[i]->doc };
		table_add(&table, cells);
	}
	table_print(&table, context, out);
	table_done(&table);
}

static int run(struct context *context)
{
	struct error err = ERROR_INIT;
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	struct str text;
	int code = EXIT_IN_STEP;

	str_init(&text, 0);
	if (context->options.arg_count == 0)
		list_kinds(context, &text);
	else if (schema_explain(kinds, count, context->options.args[0], &text, &err) < 0)
		code = command_fail(context, EXIT_USAGE, &err);
	fputs(text.data, stdout);
	str_done(&text);
	return code;
}

const struct command command_explain = {
	.name = "explain",
	.group = GROUP_MANIFESTS,
	.usage = "[KIND[.FIELD]...]",
	.summary = "Tell what a kind or one of its fields is for",
	.description = "Type, default and whose default it is, what a change takes, an example. "
		       "Without an argument it lists the kinds.",
	.example = "drey explain Container\ndrey explain Container.healthcheck.interval",
	.max_args = 1,
	.complete = "kind",
	.run = run,
};
