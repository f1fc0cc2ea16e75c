/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey render: what each host is to have, after templates, placement and references. */
#include "controller/base/mem.h"
#include "controller/cli/document.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"

#include <stdio.h>

static void print_resource(const struct resource *resource, struct str *out)
{
	str_printf(out, "---\n# %s/%s@%s\n", resource->kind->name, resource->name, resource->host);
	document_print(resource->kind, resource->metadata, resource->spec, resource->secrets, out);
}

static json_t *resource_json(const struct resource *resource)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "apiVersion", "drey/v1", "kind",
				   resource->kind->name, "name", resource->name);

	json_object_set(object, "metadata", (json_t *)resource->metadata);
	json_object_set_new(object, "spec",
			    schema_mask(resource->kind->spec, resource->spec, resource->secrets));
	json_object_set_new(object, "digest", json_string(resource->digest));
	return object;
}

static void render_json(const struct context *context, const struct manifest_set *set,
			const struct resource **hosts, size_t count)
{
	json_t *document = output_document(context), *rows = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct desired *desired = set_desired(set, hosts[i]->name);
		json_t *resources = json_array();

		for (size_t j = 0; j < desired->count; j++)
			json_array_append_new(resources, resource_json(desired->resources[j]));
		json_array_append_new(rows, json_pack("{s:s, s:o}", "host", hosts[i]->name,
						      "resources", resources));
	}
	json_object_set_new(document, "project", json_string(set_project(set)));
	json_object_set_new(document, "digest", json_string(set_digest(set)));
	json_object_set_new(document, "hosts", rows);
	output_json(document);
}

static void render_yaml(const struct manifest_set *set, const struct resource **hosts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct desired *desired = set_desired(set, hosts[i]->name);
		struct str text;

		str_init(&text, 0);
		for (size_t j = 0; j < desired->count; j++)
			print_resource(desired->resources[j], &text);
		fputs(text.data, stdout);
		str_done(&text);
	}
}

static int run(struct context *context)
{
	const struct resource **hosts;
	struct error err = ERROR_INIT;
	struct manifest_set *set;
	size_t count;

	int code = load_manifests(context, &set);
	if (code != EXIT_IN_STEP)
		return code;
	if (load_hosts(context, set, &hosts, &count, &err) < 0)
		code = command_fail(context, EXIT_USAGE, &err);
	else if (context->options.output == OUTPUT_JSON)
		render_json(context, set, hosts, count);
	else
		render_yaml(set, hosts, count);
	set_unref(set);
	return code;
}

static const struct option_row *const options[] = {
	&opt_file, &opt_host, &opt_host_selector, &opt_output, NULL,
};

const struct command command_render = {
	.name = "render",
	.group = GROUP_MANIFESTS,
	.usage = "[OPTION]... [-f DIR]",
	.summary = "Show what each host is to have",
	.description = "The resources of each host as they are compared with it: templates "
		       "expanded, references resolved, short forms written out, in the order in "
		       "which they are made. Secrets are shown as ***. No host is contacted.",
	.options = options,
	.example = "drey render -f fleet/ --host edge-1",
	.run = run,
};
