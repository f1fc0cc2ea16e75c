/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey schema: JSON Schema of the manifests, for editors. */
#include "controller/cli/kinds.h"
#include "manifests/schema_docs.h"

#include <stdio.h>

static int run(struct context *context)
{
	struct error err = ERROR_INIT;
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	const struct kind *one;

	if (context->options.arg_count > 0) {
		one = kind_named(context->options.args[0], &err);
		if (!one)
			return command_fail(context, EXIT_USAGE, &err);
		kinds = &one;
		count = 1;
	}
	json_t *schema = schema_json_schema(kinds, count);
	json_dumpf(schema, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(schema);
	return EXIT_IN_STEP;
}

const struct command command_schema = {
	.name = "schema",
	.group = GROUP_MANIFESTS,
	.usage = "[KIND]",
	.summary = "Print the JSON Schema of the manifests",
	.description = "JSON Schema 2020-12 of all kinds or of one, for editors that check and "
		       "complete YAML by a schema.",
	.example = "drey schema > drey.schema.json\n"
		   "# in a manifest, for editors with yaml-language-server:\n"
		   "# yaml-language-server: $schema=drey.schema.json",
	.max_args = 1,
	.complete = "kind",
	.run = run,
};
