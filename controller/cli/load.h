/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading the manifests that -f names, as every command that needs them does. */
#pragma once

#include "controller/cli/command.h"
#include "controller/fleet/connection.h"
#include "manifests/set.h"

/* The directory: -f DIR, else ".". */
const char *load_dir(const struct context *context);

/*
 * Loads it. On success EXIT_IN_STEP and *ret_set; warnings go to stderr unless --quiet. On failure
 * all faults have been printed (with -o json a document with "diagnostics") and the exit code is
 * returned.
 */
int load_manifests(const struct context *context, struct manifest_set **ret_set);

/* The same, and as soon as the hosts are known it begins to log in to those that --host and
 * --host-selector pick, to as many as are visited at a time. */
int load_and_begin(const struct context *context, struct connections *connections,
		   struct manifest_set **ret_set);

/* The same for who shows the warnings himself: they are left in *diagnostics, which the caller has
 * set up. */
int load_checked(const struct context *context, struct diagnostics *diagnostics,
		 struct manifest_set **ret_set);

/* Hosts of the set that --host and --host-selector pick. ERROR_INVALID for a name that the set
 * lacks, with the nearest. The array lives in the context's arena. */
MUST_CHECK int load_hosts(const struct context *context, const struct manifest_set *set,
			  const struct resource ***ret_hosts, size_t *ret_count, struct error *err);
