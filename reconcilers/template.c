/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const char *const types[] = { "string", "int", "bool", "enum", "secret", "any", NULL };

static const struct field parameter_fields[] = {
	{
		.key = "type",
		.type = &type_enum,
		.choices = types,
		.fallback = "\"string\"",
		.example = "int",
		.doc = "What values may be; any takes lists and mappings too.",
	},
	{
		.key = "default",
		.type = &type_any,
		.example = "80",
		.doc = "The value where a Release gives none; ${release} may stand in it.",
	},
	{
		.key = "required",
		.type = &type_bool,
		.fallback = "false",
		.example = "true",
		.doc = "A Release must give a value.",
	},
	{
		.key = "pattern",
		.type = &type_string,
		.example = "\"^[a-z]+$\"",
		.doc = "POSIX extended regular expression that values must match.",
	},
	{
		.key = "choices",
		.type = &type_strings,
		.example = "[small, large]",
		.doc = "The values that are allowed; an enum needs them.",
	},
	{
		.key = "doc",
		.type = &type_string,
		.example = "Port on the host.",
		.doc = "What it is for; shown when it is missing.",
	},
};

static const struct schema parameter_schema = {
	.name = "parameter",
	.doc = "One parameter of a Template.",
	.fields = parameter_fields,
	.count = ARRAY_SIZE(parameter_fields),
};

static const struct field fields[] = {
	{
		.key = "parameters",
		.type = &type_object_map,
		.of = &parameter_schema,
		.pattern = "^[a-zA-Z_][a-zA-Z0-9_-]*$",
		.example = "{ image: { required: true }, port: { type: int, default: 80 } }",
		.doc = "What Releases set; ${NAME} stands for the value in the resources.",
	},
	{
		.key = "resources",
		.type = &type_any,
		.flags = FIELD_REQUIRED,
		.example = "[{ kind: Volume, metadata: { name: \"${release}-data\" } }]",
		.doc = "List of documents without apiVersion; names usually hold ${release}.",
	},
};

static const struct schema schema = {
	.name = "Template",
	.doc = "Parameters, and the resources that are made with them.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

static void verify_parameter(const struct node *parameter, const json_t *value,
			     struct diagnostics *diagnostics)
{
	const char *type = json_string_value(json_object_get(value, "type"));

	if (str_eq(type, "enum") && !json_object_get(value, "choices"))
		diagnose(diagnostics, SEVERITY_ERROR, parameter,
			 "an enum needs its choices: expected 'choices: [...]'");
	if (json_is_true(json_object_get(value, "required")) && json_object_get(value, "default"))
		diagnose(diagnostics, SEVERITY_ERROR, node_get(parameter, "default"),
			 "a default for a parameter that is required is never used; remove one of "
			 "the two");
}

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	const struct node *spec = node_get(resource->node, "spec");
	const struct node *resources = node_get(spec, "resources");
	const struct node *parameters = node_get(spec, "parameters");
	const json_t *values = resource_get(resource, "parameters");

	if (resources->type != NODE_SEQUENCE)
		diagnose(diagnostics, SEVERITY_ERROR, resources,
			 "spec.resources: expected a list of documents");
	for (size_t i = 0; parameters && parameters->type == NODE_MAPPING && i < parameters->count;
	     i++)
		verify_parameter(parameters->values[i],
				 json_object_get(values, parameters->keys[i]->text), diagnostics);
}

const struct reconciler reconciler_template = {
	.kind = {
		.name = "Template",
		.doc = "A set of resources with parameters. Each Release makes them once; a Template "
		       "may hold Releases of other Templates.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Template\n"
			   "metadata: { name: web-app }\n"
			   "spec:\n"
			   "  parameters:\n"
			   "    image: { required: true, doc: Image to run. }\n"
			   "    port: { type: int, default: 8080 }\n"
			   "  resources:\n"
			   "    - kind: Container\n"
			   "      metadata: { name: \"${release}\" }\n"
			   "      spec:\n"
			   "        image: \"${image}\"\n"
			   "        ports: [\"${port}:80\"]\n",
	},
};
