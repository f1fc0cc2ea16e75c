/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const struct field fields[] = {
	{
		.key = "template",
		.type = &type_string,
		.flags = FIELD_REQUIRED,
		.ref = "Template",
		.example = "web-app",
		.doc = "The Template whose resources it makes.",
	},
	{
		.key = "values",
		.type = &type_any,
		.example = "{ image: \"registry.example.com/shop:1.4\", port: 8080 }",
		.doc = "Values of the Template's parameters; references to hosts, secrets and the "
		       "environment may stand in them.",
	},
	{
		.key = "hosts",
		.type = &type_string_set,
		.flags = FIELD_PROJECT,
		.ref = "Host",
		.example = "[edge-1, edge-2]",
		.doc = "Hosts of those resources that name none themselves.",
	},
	{
		.key = "host_selector",
		.type = &type_map,
		.flags = FIELD_PROJECT,
		.example = "{ tier: front }",
		.doc = "The same by the labels that a host must have.",
	},
};

static const struct schema schema = {
	.name = "Release",
	.doc = "A Template and what to put in it.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	const struct node *values = node_find(resource->node, "spec.values");

	if (resource_get(resource, "values") && values->type != NODE_MAPPING &&
	    !node_is_null(values))
		diagnose(diagnostics, SEVERITY_ERROR, values,
			 "spec.values: expected a mapping of parameters to values");
}

const struct reconciler reconciler_release = {
	.kind = {
		.name = "Release",
		.doc = "The resources of a Template, made once with these values; ${release} in the "
		       "Template is this Release's name.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Release\n"
			   "metadata: { name: shop }\n"
			   "spec:\n"
			   "  template: web-app\n"
			   "  values: { image: \"registry.example.com/shop:1.4\" }\n"
			   "  hosts: [edge-1]\n",
	},
};
