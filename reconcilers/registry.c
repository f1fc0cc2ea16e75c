/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/reconciler.h"

static const struct field fields[] = {
	{
		.key = "server",
		.type = &type_string,
		.flags = FIELD_REQUIRED,
		.example = "registry.example.com:5000",
		.doc = "The registry as images name it; docker.io for Docker Hub.",
	},
	{
		.key = "username",
		.type = &type_string,
		.example = "deploy",
		.doc = "Name to log in with.",
	},
	{
		.key = "password",
		.type = &type_string,
		.flags = FIELD_SECRET,
		.example = "\"${secret.registry}\"",
		.doc = "Password or token for the name.",
	},
	{
		.key = "docker_config",
		.type = &type_bool,
		.fallback = "false",
		.example = "true",
		.doc = "Take name and password from ~/.docker/config.json of whoever runs drey, by "
		       "its "
		       "credential helpers if it names any.",
	},
};

static const struct schema schema = {
	.name = "Registry",
	.doc = "How to log in to a registry.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	const struct node *spec = node_get(resource->node, "spec");
	const struct node *password = node_get(spec, "password");
	const struct node *config = node_get(spec, "docker_config");
	bool username = resource_get(resource, "username") != NULL;

	if (username != (password != NULL))
		diagnose(diagnostics, SEVERITY_ERROR, spec,
			 "spec: expected username and password together, found only %s",
			 username ? "username" : "password");
	if (resource_bool(resource, "docker_config") && (username || password))
		diagnose(diagnostics, SEVERITY_ERROR, config,
			 "spec.docker_config: expected either docker_config or username and "
			 "password");
	if (password && !password->secret && !password->via)
		diagnose(diagnostics, SEVERITY_WARNING, password,
			 "spec.password: a password in plain text; keep it in a Secret and write "
			 "${secret.NAME}");
}

const struct reconciler reconciler_registry = {
	.kind = {
		.name = "Registry",
		.doc = "Credentials for pulling images. They go to the engine with each pull and are "
		       "stored nowhere.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Registry\n"
			   "metadata: { name: internal }\n"
			   "spec:\n"
			   "  server: registry.example.com:5000\n"
			   "  username: deploy\n"
			   "  password: \"${secret.registry}\"\n",
	},
};
