/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where references get their values, once templates are expanded. What may refer to what is a
 * strict order, so that there are no loops:
 *
 *     Secret -> environment
 *     Project.variables -> environment, secrets
 *     Host.vars -> environment, secrets, Project.variables, host.name
 *     everything else -> all of these, and the variables of its host
 *
 * ${host.vars.X} is the host's variable, else the Project's. Where there is no host (Registry,
 * Backup, metadata, rows of FIELD_PROJECT) it is the Project's.
 */
#pragma once

#include "manifests/load.h"

enum source {
	SOURCE_ENVIRONMENT = 1 << 0,
	SOURCE_SECRETS = 1 << 1,
	SOURCE_VARIABLES = 1 << 2,
	SOURCE_ALL = SOURCE_ENVIRONMENT | SOURCE_SECRETS | SOURCE_VARIABLES,
};

struct resolver {
	struct load *load;
	unsigned sources;	      /* enum source */
	const char *host;	      /* NULL: there is none here */
	const struct node *host_vars; /* NULL: it has none, or they are not known yet */
	bool used_host;		      /* set when a reference asked for something of the host */
};

/* Reads Project.spec.env and Project.spec.variables. */
void sources_init(struct load *load);

/* The tree with its references replaced by what they name. */
const struct node *resolve(struct resolver *resolver, const struct node *node);

/* See set_hide_secrets(). */
void sources_hide_secrets(const struct sources *sources, char *text);

/* getenv(3), or what the caller of set_load() has in its place. */
const char *sources_getenv(const struct load *load, const char *name);

/* A value from the environment for a document that asks for it at a node, in the set's arena; NULL
 * after a diagnosis: the Project must list its name. */
const char *sources_environment(struct load *load, const struct document *document,
				const struct node *at, const char *name);

/* The bytes of a Secret, as they are in its file. False after a diagnosis. */
bool sources_secret(struct load *load, struct document *document, const char **ret_data,
		    size_t *ret_len);
