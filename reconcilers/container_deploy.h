/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compose's deploy section: see container_deploy.c. */
#pragma once

#include "manifests/schema.h"

extern const struct schema container_deploy_schema;

/* Puts what spec.deploy says into the rows that say the same, and takes it away. */
void deploy_spell_out(json_t *spec);
/* The row that says something else than spec.deploy does, or NULL. */
const char *deploy_contradicts(const json_t *spec);
