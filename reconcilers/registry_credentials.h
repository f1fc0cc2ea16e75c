/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which credentials go along with a pull: those of the Registry document whose server is the
 * image's registry.
 */
#pragma once

#include "manifests/set.h"

/* Host and port as Docker compares them: without scheme and path, in lower case; the names that
 * Docker Hub goes by are "docker.io". free(3) it. */
char *registry_normalise(const char *server);

/* The Registry document for a registry ("docker.io", "registry.example.com:5000"), or NULL. */
const struct resource *registry_find(const struct manifest_set *set, const char *registry);

/*
 * The value of X-Registry-Auth for a registry: *ret_auth is NULL when no Registry document is
 * there for it (the pull is anonymous then), else free(3) it.
 *
 * Errors are about the document: its docker_config has no entry for the server, a credential
 * helper fails.
 */
MUST_CHECK int registry_credentials_find(const struct manifest_set *set, const char *registry,
					 char **ret_auth, struct error *err);
