/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const struct field fields[] = {
	{
		.key = "file",
		.type = &type_string,
		.flags = FIELD_PATH,
		.example = "secrets/db-password",
		.doc = "File that holds the value, without the line break at its end: relative to "
		       "the "
		       "manifest (and inside its directory), absolute, or below ~/.",
	},
	{
		.key = "env",
		.type = &type_string,
		.pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
		.example = "DB_PASSWORD",
		.doc = "Environment variable that holds the value; the Project must list it in "
		       "env.",
	},
};

static const struct schema schema = {
	.name = "Secret",
	.doc = "Where a secret's value comes from: exactly one of the fields.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	bool file = resource_get(resource, "file") != NULL;
	bool env = resource_get(resource, "env") != NULL;

	if (file == env)
		diagnose(diagnostics, SEVERITY_ERROR, node_find(resource->node, "spec"),
			 "spec: expected exactly one of file and env, found %s",
			 file ? "both" : "none");
}

const struct reconciler reconciler_secret = {
	.kind = {
		.name = "Secret",
		.doc = "A value that is in no manifest: ${secret.NAME} stands for it. It is masked "
		       "wherever it appears, and read only when something refers to it.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Secret\n"
			   "metadata: { name: db-password }\n"
			   "spec: { file: secrets/db-password }\n",
	},
};
