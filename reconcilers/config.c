/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const struct field fields[] = {
	{
		.key = "file",
		.type = &type_string,
		.flags = FIELD_PATH | FIELD_INSIDE,
		.example = "conf/nginx.conf",
		.doc = "File that holds the content, as it is: relative to the manifest, and "
		       "inside its directory.",
	},
	{
		.key = "content",
		.type = &type_string,
		.flags = FIELD_LATE,
		.example = "\"listen ${host.vars.port}\"",
		.doc = "The content itself, with references resolved for each host where a "
		       "container names it.",
	},
	{
		.key = "environment",
		.type = &type_string,
		.pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
		.example = "RELEASE_NOTES",
		.doc = "Environment variable that holds the content; the Project must list it in "
		       "env.",
	},
};

static const struct refused refused[] = {
	{ "external", "a Config is kept in the manifests; write file, content or environment" },
	{ "template_driver", "references in content are resolved for each host" },
	{ NULL, NULL },
};

static const struct schema schema = {
	.name = "Config",
	.doc = "Where a file's content comes from: exactly one of the fields.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
	.refused = refused,
};

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	size_t written = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		written += resource_get(resource, fields[i].key) != NULL;
	if (written != 1)
		diagnose(diagnostics, SEVERITY_ERROR, node_find(resource->node, "spec"),
			 "spec: expected exactly one of file, content and environment, found %s",
			 written ? "more" : "none");
}

const struct reconciler reconciler_config = {
	.kind = {
		.name = "Config",
		.doc = "A file that containers get before they start, by naming it in configs. What "
		       "is no secret; it is compared by its content.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Config\n"
			   "metadata: { name: motd }\n"
			   "spec: { content: \"Welcome to ${host.name}\\n\" }\n",
	},
};
