/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * References in values: ${name}, ${name:-default}, ${name:?message}, and $$ for a plain $. A
 * dollar before anything else is plain text. Defaults and messages may hold references.
 *
 * A value that is one reference and nothing else becomes what it names, a whole tree if need be,
 * and keeps its type; references inside a longer text must name scalars. As with Compose an empty
 * text counts as undefined for `:-` and `:?`. Keys of mappings are never interpolated: a
 * reference in one is a fault. Compose's `${x-default}` is none of the forms, since names may
 * hold a dash.
 *
 * Trees are copied only where something changes.
 */
#pragma once

#include "manifests/diagnostics.h"

enum lookup {
	LOOKUP_FOUND,
	LOOKUP_UNDEFINED, /* it could be, but has no value: the default or a fault */
	LOOKUP_PASS,	  /* stays as written, for a later pass; so do all $$ */
	LOOKUP_FAILED,	  /* diagnosed by the lookup itself */
};

/* What references may bring in, all in all. */
struct interpolate_budget {
	size_t nodes, bytes;
};

enum {
	INTERPOLATE_TEXT_MAX = 1024 * 1024,	   /* bytes of one text */
	INTERPOLATE_BYTES_MAX = 256 * 1024 * 1024, /* of a set */
	INTERPOLATE_NODES_MAX = 20 * 1000 * 1000,
};

struct interpolation {
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct interpolate_budget *budget;
	/* The value of a name, at the node that holds the reference. */
	enum lookup (*lookup)(void *ctx, const char *name, const struct node *at,
			      const struct node **ret_value);
	/* Records that a name without a default has no value. */
	void (*undefined)(void *ctx, const char *name, const struct node *at);
	void *ctx;
	bool keep_escapes; /* a later pass follows: $$ stays $$ */
};

/* The tree with its references replaced; the same node when there were none. Where that failed
 * (diagnosed) the result has faulty nodes, about which nothing more is recorded. */
const struct node *interpolate(const struct interpolation *interpolation, const struct node *node);
