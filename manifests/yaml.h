/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML text -> trees of nodes, by libyaml's events. Anchors, aliases and merge keys (`<<`) are
 * resolved here: an alias shares its anchor's node and counts as often as it is used. Tags
 * other than those of the core schema, duplicate keys and keys that are no scalars are faults.
 */
#pragma once

#include "manifests/diagnostics.h"

struct yaml_reader {
	struct arena *arena; /* of the nodes */
	struct diagnostics *diagnostics;
	size_t nodes;	/* made so far, in all that was read with it; aliases expanded */
	bool exhausted; /* MANIFEST_NODES_MAX was passed: nothing more is read */
};

/* Reads all documents of one text and calls `document` with each that is not empty, in their
 * order. `file` is borrowed by the nodes. Returns -1 when the text is not well-formed: then it
 * is diagnosed and the documents before the fault were delivered. Faults that leave the tree
 * usable are diagnosed only. */
int yaml_read(struct yaml_reader *reader, const char *file, const char *text, size_t len,
	      void (*document)(void *ctx, const struct node *root), void *ctx);
