/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const struct field fields[] = {
	{
		.key = "hosts",
		.type = &type_string_set,
		.flags = FIELD_PROJECT,
		.ref = "Host",
		.example = "[edge-1, edge-2]",
		.doc = "Hosts of the resources that name none themselves.",
	},
	{
		.key = "variables",
		.type = &type_any,
		.flags = FIELD_PROJECT,
		.example = "{ domain: example.com, log_level: info }",
		.doc = "What ${host.vars.X} is where the host has no variable X of its own.",
	},
	{
		.key = "env",
		.type = &type_string_set,
		.flags = FIELD_PROJECT,
		.pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
		.example = "[RELEASE_TAG]",
		.doc = "Names of the environment variables that manifests may read, by ${env.X} or "
		       "in "
		       "a Secret; no others are ever read.",
	},
	{
		.key = "prune",
		.type = &type_bool,
		.flags = FIELD_PROJECT,
		.fallback = "false",
		.example = "true",
		.doc = "Remove what drey made and the manifests no longer declare; volumes never.",
	},
	{
		.key = "requires",
		.type = &type_string,
		.flags = FIELD_PROJECT,
		.example = "\">= 0.1\"",
		.doc = "Versions of drey that understand these manifests: one or more of >=, >, "
		       "<=, < "
		       "and = with a version, separated by commas.",
	},
};

static const struct schema schema = {
	.name = "Project",
	.doc = "Names the project and what holds for all of it.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	const struct node *spec = node_get(resource->node, "spec");
	const struct node *variables = node_get(spec, "variables");

	if (variables && variables->type != NODE_MAPPING)
		diagnose(diagnostics, SEVERITY_ERROR, variables,
			 "spec.variables: expected a mapping of names to values");
}

const struct reconciler reconciler_project = {
	.kind = {
		.name = "Project",
		.doc = "The project that a set of manifests describes. Its name is on every object "
		       "that drey makes. A set has at most one; without it the project is "
		       "`default`, and a set with a remote Host must have one.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Project\n"
			   "metadata: { name: shop }\n"
			   "spec:\n"
			   "  requires: \">= 0.1\"\n"
			   "  variables: { domain: example.com }\n"
			   "  env: [RELEASE_TAG]\n"
			   "  prune: true\n",
	},
};
