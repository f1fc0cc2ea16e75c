/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey schema: JSON Schema of the manifests, for editors. */
#include "controller/base/str.h"
#include "controller/cli/kinds.h"
#include "controller/cli/output.h"
#include "controller/plan/saved.h"
#include "manifests/schema_docs.h"

static int run(struct context *context)
{
	struct error err = ERROR_INIT;
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	const struct kind *one;
	const char *name = context->options.arg_count > 0 ? context->options.args[0] : NULL;
	json_t *schema;

	if (str_eq(name, "plan")) {
		schema = saved_json_schema();
		output_json(schema);
		return EXIT_IN_STEP;
	}
	if (name) {
		one = kind_named(name, &err);
		if (!one)
			return command_fail(context, EXIT_USAGE, &err);
		kinds = &one;
		count = 1;
	}
	schema = schema_json_schema(kinds, count);
	output_json(schema);
	return EXIT_IN_STEP;
}

const struct command command_schema = {
	.name = "schema",
	.group = GROUP_MANIFESTS,
	.usage = "[KIND|plan]",
	.summary = "Print the JSON Schema of the manifests, or of a saved plan",
	.description = "JSON Schema 2020-12 of all kinds or of one, for editors that check and "
		       "complete YAML by a schema; with `plan` that of what `drey diff --out` "
		       "writes.",
	.example = "drey schema > drey.schema.json\n"
		   "# in a manifest, for editors with yaml-language-server:\n"
		   "# yaml-language-server: $schema=drey.schema.json",
	.max_args = 1,
	.complete = "kind",
	.run = run,
};
