/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of KEY=VALUE lines beside the manifests, as Compose's env_file: blank lines, comments,
 * `export `, values plain (up to " #"), in single quotes (as they are) or in double quotes (with
 * escapes), quoted ones over several lines. Unlike Compose's, a `$` in a value is plain text: what
 * a deployment gets does not depend on the environment of whoever runs drey. For the same reason
 * a KEY without a value is a fault.
 *
 * A row with FIELD_PATH named env_file is resolved while loading: its values go under what the
 * row `environment` says, later files over earlier ones, and the row itself is gone afterwards.
 */
#pragma once

#include "manifests/load.h"

enum { ENV_FILE_MAX = 1024 * 1024 };

/* Puts the pairs of one text into an object of strings. `file` is for diagnostics. */
void env_file_parse(struct diagnostics *diagnostics, const char *file, const char *text, size_t len,
		    json_t *ret_map);

/* Replaces spec.env_file by what the files hold. node: the document's spec. */
void env_file_apply(struct load *load, const struct node *node, json_t *spec);
