/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks: what the table and comparison (network.c) and the steps (network_apply.c) share. */
#pragma once

#include "reconcilers/reconciler.h"

extern const struct schema network_schema;

/* The engine's name of a Network resource: spec.name, else metadata.name. */
const char *network_own_engine_name(const struct resource *want);
/* The same by the resource's name as a container's manifest has it; names without a Network
 * document ("bridge") are the engine's own. Borrowed. */
const char *network_engine_name(const struct pass *pass, const char *name);
/* The network of that engine name as it is now on the host; NULL: not there. */
const struct object *network_find(const struct pass *pass, const char *engine_name);
/* Is a network of that name there that has this ID? Before API 1.44 there may be several of it. */
bool network_has_id(const struct pass *pass, const char *engine_name, const char *id);

/* Body of POST /networks/create, drey's labels in it. As container_create_body(). beside: see
 * struct action. */
MUST_CHECK int network_create_body(const struct pass *pass, const struct resource *want,
				   const struct object *beside, char ret_uid[33], json_t **ret_body,
				   struct error *err);

extern const struct importer network_importer; /* network_import.c */

int network_apply(struct pass *pass, const struct action *action, struct error *err);
