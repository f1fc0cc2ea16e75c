/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `docker login` has left on this machine: config.json in $DOCKER_CONFIG or ~/.docker, with
 * credentials in it or the name of a helper program that keeps them
 * (docs.docker.com/reference/cli/docker/login, "Credential stores").
 */
#pragma once

#include "controller/base/error.h"

/* free(3) the strings with docker_login_done(), which wipes them. Either username and password,
 * or an identity token. */
struct docker_login {
	char *username, *password, *identity_token;
};
void docker_login_done(struct docker_login *login);

/* registry: normalised, see registry_normalise(). path: of a config.json, or NULL for the usual
 * place. ERROR_NOT_FOUND when there are no credentials for it. */
MUST_CHECK int docker_config_find(const char *path, const char *registry,
				  struct docker_login *ret_login, struct error *err);
