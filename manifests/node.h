/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a YAML document is after parsing: a tree of nodes that know where they were written.
 * Scalars stay text: what they mean is decided by the row of the schema that reads them, so
 * that `no` and `22:22` are strings where a string stands.
 *
 * Nodes live in the arena of the manifest set and are immutable once the set is loaded.
 */
#pragma once

#include "controller/base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct place {
	const char *file;      /* relative to the manifest directory */
	unsigned line, column; /* from 1 */
};

enum node_type { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
	enum node_type type;
	struct place place;
	/* What was put in here came from there: the Release's value behind a template's
	 * parameter, the variable behind a reference. NULL for text that stands as written. */
	const struct place *via;
	bool quoted;	      /* scalar in quotes or a block: never null, number or bool */
	bool secret;	      /* holds a secret's value, whole or in part */
	bool faulty;	      /* diagnosed already: further faults at it are not recorded */
	const char *text;     /* scalar; UTF-8 without NUL */
	struct node **keys;   /* mapping: scalars, unique, count of them */
	struct node **values; /* mapping and sequence */
	size_t count;
	/* Aliases and references share nodes, so a small file can stand for a vast tree: its
	 * size and height as a tree, aliases counted each time. Set by node_seal(). */
	unsigned size, height;
};

/* Computes size and height from the children, which are sealed. False when the tree is larger
 * than MANIFEST_NODES_MAX or deeper than MANIFEST_DEPTH_MAX: it must not be used then. */
bool node_seal(struct node *node);

/* Where a scalar was written: `via` where there is one. Its file is what a relative path in it is
 * relative to. */
const struct place *node_origin(const struct node *node);

/* Value of a mapping's key; NULL when it is not there or the node is no mapping. */
const struct node *node_get(const struct node *node, const char *key);
/* The key's own node, for diagnostics about the key. */
const struct node *node_key(const struct node *node, const char *key);
/* Unquoted `~`, `null` or nothing (YAML 1.2 core schema). */
bool node_is_null(const struct node *node);
/* True when the node or any below it holds a secret. */
bool node_has_secret(const struct node *node);

/* Follows a path such as "spec.ports.1.target" (an index for sequences) as far as it exists and
 * returns the deepest node reached: the best place to point at. */
const struct node *node_find(const struct node *node, const char *path);
