/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of KEY=VALUE lines beside the manifests, as Compose's env_file: blank lines, comments,
 * `export `, values plain (up to " #"), in single quotes (as they are) or in double quotes (with
 * escapes), quoted ones over several lines. Unlike Compose's, a `$` in a value is plain text: what
 * a deployment gets does not depend on the environment of whoever runs drey. For the same reason
 * a KEY without a value is a fault.
 *
 * Rows with FIELD_PATH that name such files are resolved while loading: env_file goes under what
 * the row `environment` says, label_file under `labels`, later files over earlier ones, and the row
 * itself is gone afterwards. Of security_opt, seccomp=FILE becomes the profile in that file.
 */
#pragma once

#include "manifests/load.h"
#include "manifests/schema.h"

enum { ENV_FILE_MAX = 1024 * 1024 };

/* Paths, or {path, required, format}: a list, or one alone. */
extern const struct value_type type_env_files;
extern const struct schema env_file_schema;

/* Puts the pairs of one text into an object of strings. `file` is for diagnostics. */
void env_file_parse(struct diagnostics *diagnostics, const char *file, const char *text, size_t len,
		    json_t *ret_map);

/* Replaces what the row of this key names by what the files hold; false: it is no such row. node:
 * the document's spec. */
bool env_file_apply(struct load *load, const char *key, const struct node *node, json_t *spec);
