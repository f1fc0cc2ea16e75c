/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/registry_credentials.h"

#include <ctype.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/registry_auth.h"
#include "reconcilers/docker_config.h"

char *registry_normalise(const char *server)
{
	/* What Docker Hub goes by, docker/registry/config.go and distribution/reference. */
	static const char *const hub[] = { "", "index.docker.io", "registry-1.docker.io",
					   "hub.docker.com", "registry.hub.docker.com" };

	if (str_has_prefix(server, "https://"))
		server += strlen("https://");
	else if (str_has_prefix(server, "http://"))
		server += strlen("http://");
	char *name = xstrndup(server, strcspn(server, "/"));
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < ARRAY_SIZE(hub); i++) {
		if (strcmp(name, hub[i]) != 0)
			continue;
		free(name);
		return xstrdup("docker.io");
	}
	return name;
}

const struct resource *registry_find(const struct manifest_set *set, const char *registry)
{
	CLEANUP(cleanup_free) char *wanted = registry_normalise(registry);

	for (size_t i = 0; set && i < set_count(set, "Registry"); i++) {
		const struct resource *resource = set_at(set, "Registry", i);
		const char *server = resource_string(resource, "server");
		CLEANUP(cleanup_free) char *name = registry_normalise(server ? server : "");

		if (strcmp(name, wanted) == 0)
			return resource;
	}
	return NULL;
}

static char *encode(const char *registry, const char *username, const char *password,
		    const char *identity_token)
{
	/* Docker Hub's address in an auth configuration is the one of its first API. */
	const char *server =
		strcmp(registry, "docker.io") == 0 ? "https://index.docker.io/v1/" : registry;
	struct registry_auth auth = { .username = username,
				      .password = password,
				      .identity_token = identity_token,
				      .server = server };

	return registry_auth_encode(&auth);
}

int registry_credentials_find(const struct manifest_set *set, const char *registry, char **ret_auth,
			      struct error *err)
{
	const struct resource *resource = registry_find(set, registry);
	CLEANUP(cleanup_free) char *name = registry_normalise(registry);
	struct docker_login login;

	*ret_auth = NULL;
	if (!resource)
		return 0;
	const char *username = resource_string(resource, "username");
	const char *password = resource_string(resource, "password");
	if (username && password) {
		*ret_auth = encode(name, username, password, NULL);
		return 0;
	}
	if (!resource_bool(resource, "docker_config"))
		return 0;
	if (docker_config_find(NULL, name, &login, err) < 0)
		return error_wrap(err, "Registry/%s", resource->name);
	*ret_auth = encode(name, login.username, login.password, login.identity_token);
	docker_login_done(&login);
	return 0;
}
