/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/address.h"
#include "reconcilers/reconciler.h"

#define SECOND INT64_C(1000000000)

static const struct field fields[] = {
	{
		.key = "address",
		.type = &type_string,
		.flags = FIELD_REQUIRED,
		.example = "ssh://deploy@edge-1.example.com",
		.doc = "Where the engine is: ssh://[user@]host[:port], or unix:///path for a "
		       "socket "
		       "of this machine.",
	},
	{
		.key = "identity_file",
		.type = &type_string,
		.flags = FIELD_PATH,
		.example = "~/.ssh/id_ed25519",
		.doc = "Private key for the login: relative to the manifest, absolute, or below "
		       "~/.",
	},
	{
		.key = "agent",
		.type = &type_bool,
		.fallback = "true",
		.example = "false",
		.doc = "Ask the agent of $SSH_AUTH_SOCK for keys.",
	},
	{
		.key = "password",
		.type = &type_string,
		.flags = FIELD_SECRET,
		.example = "\"${secret.edge-login}\"",
		.doc = "Password for the login, where keys are not possible.",
	},
	{
		.key = "known_hosts",
		.type = &type_string,
		.flags = FIELD_PATH,
		.example = "known_hosts",
		.doc = "File with the host's key, which is always checked; without it "
		       "~/.ssh/known_hosts.",
	},
	{
		.key = "docker_socket",
		.type = &type_string,
		.pattern = "^/",
		.fallback = "\"/var/run/docker.sock\"",
		.example = "/run/user/1000/docker.sock",
		.doc = "The engine's socket on the host.",
	},
	{
		.key = "connect_timeout",
		.type = &type_duration,
		.min = SECOND / 10,
		.max = 600 * SECOND,
		.fallback = "10000000000",
		.example = "5s",
		.doc = "How long connecting and logging in may take.",
	},
	{
		.key = "request_timeout",
		.type = &type_duration,
		.min = SECOND / 10,
		.max = 3600 * SECOND,
		.fallback = "30000000000",
		.example = "1m",
		.doc = "How long the engine may take to answer a request; pulls and waits have "
		       "limits "
		       "of their own.",
	},
	{
		.key = "vars",
		.type = &type_any,
		.example = "{ rack: r1 }",
		.doc = "Variables of this host, for ${host.vars.X}.",
	},
};

static const struct schema schema = {
	.name = "Host",
	.doc = "How to reach an engine.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

static void verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	const struct node *spec = node_get(resource->node, "spec");
	const struct node *vars = node_get(spec, "vars"), *password = node_get(spec, "password");
	struct error err = ERROR_INIT;
	struct host_address address;

	if (host_address_parse(diagnostics->arena, resource_string(resource, "address"), &address,
			       &err) < 0)
		diagnose(diagnostics, SEVERITY_ERROR, node_get(spec, "address"), "spec.address: %s",
			 err.text);
	if (vars && vars->type != NODE_MAPPING)
		diagnose(diagnostics, SEVERITY_ERROR, vars,
			 "spec.vars: expected a mapping of names to values");
	if (password && !password->secret && !password->via)
		diagnose(diagnostics, SEVERITY_WARNING, password,
			 "spec.password: a password in plain text; keep it in a Secret and write "
			 "${secret.NAME}");
}

const struct reconciler reconciler_host = {
	.kind = {
		.name = "Host",
		.doc = "An engine that drey keeps in step. Its metadata.labels are what host_selector "
		       "goes by. Without any Host and Project the local engine is meant.",
		.scope = SCOPE_PROJECT,
		.spec = &schema,
		.verify = verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Host\n"
			   "metadata: { name: edge-1, labels: { tier: front } }\n"
			   "spec:\n"
			   "  address: ssh://deploy@edge-1.example.com\n"
			   "  known_hosts: known_hosts\n"
			   "  vars: { rack: r1 }\n",
	},
};
