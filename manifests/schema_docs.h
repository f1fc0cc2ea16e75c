/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tables tell people and their tools: JSON Schema, reference pages, `drey explain`, and
 * the words that a fuzzer tries. */
#pragma once

#include "manifests/kind.h"

/* JSON Schema 2020-12 of the documents of these kinds: with one, of that one. For editors: what it
 * refuses drey refuses too, but drey sees more (references, duplicates, what units are worth). New
 * reference. */
json_t *schema_json_schema(const struct kind *const *kinds, size_t count);

/* The reference page of a kind, Markdown: its example, a table of rows, a table for each object
 * in it. */
void schema_markdown(const struct kind *kind, struct str *out);

/* `drey explain Container`, `Container.ports.target`: plain text for a terminal. "spec." may
 * stand before the field and "metadata" leads to what every kind has. ERROR_NOT_FOUND names the
 * nearest spelling. */
MUST_CHECK int schema_explain(const struct kind *const *kinds, size_t count, const char *path,
			      struct str *out, struct error *err);

/* A dictionary for libFuzzer: kinds, keys, choices and defaults, a quoted word a line, each
 * once. */
void schema_dictionary(const struct kind *const *kinds, size_t count, struct str *out);
