/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey validate: are these manifests right? Contacts no host. */
#include "controller/base/mem.h"
#include "controller/cli/annotation.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"
#include "reconcilers/reconciler.h"

#include <stdio.h>

struct counts {
	size_t resources; /* as they are named: once, however many hosts have them */
	size_t instances; /* of kinds that live on hosts */
	size_t hosts;
};

static void count(const struct manifest_set *set, struct counts *counts)
{
	json_t *named = json_object();
	size_t kind_count;
	const struct kind *const *kinds = kinds_all(&kind_count);

	*counts = (struct counts){ .hosts = set_host_count(set) };
	for (size_t i = 0; i < kind_count; i++) {
		if (kinds[i]->scope == SCOPE_PROJECT)
			counts->resources += set_count(set, kinds[i]->name);
	}
	/* The Host of this machine is in no manifest. */
	if (set_is_local(set))
		counts->resources -= counts->hosts;
	for (size_t i = 0; i < counts->hosts; i++) {
		const struct desired *desired = set_desired(set, set_host(set, i)->name);

		counts->instances += desired->count;
		for (size_t j = 0; j < desired->count; j++) {
			const struct resource *resource = desired->resources[j];
			char *name = xasprintf("%s/%s", resource->kind->name, resource->name);

			json_object_set_new(named, name, json_true());
			free(name);
		}
	}
	counts->resources += json_object_size(named);
	json_decref(named);
}

static void report_json(const struct context *context, const struct manifest_set *set,
			const struct counts *counts, const struct diagnostics *diagnostics)
{
	json_t *document = output_document(context);

	json_object_set_new(document, "exit", json_integer(EXIT_IN_STEP));
	json_object_set_new(document, "valid", json_true());
	json_object_set_new(document, "project", json_string(set_project(set)));
	json_object_set_new(document, "digest", json_string(set_digest(set)));
	json_object_set_new(document, "resources", json_integer((json_int_t)counts->resources));
	json_object_set_new(document, "instances", json_integer((json_int_t)counts->instances));
	json_object_set_new(document, "hosts", json_integer((json_int_t)counts->hosts));
	json_object_set_new(document, "diagnostics", diagnostics_json(diagnostics));
	output_json(document);
}

static void report(const struct context *context, const struct manifest_set *set,
		   const struct counts *counts, const struct diagnostics *diagnostics)
{
	if (diagnostics->list.count > 0 && !context->options.quiet) {
		struct str text;

		str_init(&text, 0);
		diagnostics_print(diagnostics, &text);
		fputs(text.data, stderr);
		str_done(&text);
	}
	printf("%zu resource%s on ", counts->resources, counts->resources == 1 ? "" : "s");
	if (set_is_local(set))
		printf("this machine's engine");
	else
		printf("%zu host%s", counts->hosts, counts->hosts == 1 ? "" : "s");
	printf(" %s valid\n", counts->resources == 1 ? "is" : "are");
}

static void report_github(const struct context *context, const struct counts *counts,
			  const struct diagnostics *diagnostics)
{
	CLEANUP(cleanup_free)
	char *valid =
		xasprintf("%zu resources on %zu hosts are valid", counts->resources, counts->hosts);
	struct str text;

	str_init(&text, 0);
	annotate_diagnostics(context, diagnostics, &text);
	annotate(context, ANNOTATION_NOTICE, NULL, "validate", valid, &text);
	fputs(text.data, stdout);
	str_done(&text);
}

static int run(struct context *context)
{
	struct diagnostics diagnostics;
	struct manifest_set *set;
	struct counts counts;

	diagnostics_init(&diagnostics, context->arena);
	int code = load_checked(context, &diagnostics, &set);
	if (code == EXIT_IN_STEP) {
		count(set, &counts);
		if (context->options.output == OUTPUT_JSON)
			report_json(context, set, &counts, &diagnostics);
		else if (context->options.output == OUTPUT_GITHUB)
			report_github(context, &counts, &diagnostics);
		else
			report(context, set, &counts, &diagnostics);
		set_unref(set);
	}
	diagnostics_done(&diagnostics);
	return code;
}

static const struct option_row *const options[] = { &opt_file, &opt_output_faults, NULL };

const struct command command_validate = {
	.name = "validate",
	.group = GROUP_MANIFESTS,
	.usage = "[OPTION]... [-f DIR]",
	.summary = "Check the manifests and tell every fault with its place",
	.description =
		"Reads everything below the directory as the other commands do: templates are "
		"expanded, resources placed, references resolved for each host. No host is "
		"contacted. The exit code is 0 when all is well and 2 when something is wrong.",
	.options = options,
	.example = "drey validate -f fleet/",
	.run = run,
};
