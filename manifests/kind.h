/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the language knows of a kind of resource, and a resource itself. */
#pragma once

#include "manifests/schema.h"

struct manifest_set;
struct resource;

enum scope {
	SCOPE_PROJECT, /* one for the set: Project, Secret, Host, Template, Release, Registry,
			  Backup */
	SCOPE_HOST,    /* an instance on each host it is placed on: Container, Network, Volume */
};

struct kind {
	const char *name; /* "Container" */
	const char *doc;
	enum scope scope;
	/* Order among kinds of SCOPE_HOST: lower first, removed in reverse. */
	int phase;
	const struct schema *spec;
	/* Where its users are when it names no hosts itself (Network, Volume). */
	bool follows_users;
	/* Rules across fields; called for each resource after decoding, per host. May be NULL. */
	void (*verify)(const struct resource *resource, struct diagnostics *diagnostics);
	const char *example; /* a whole document, tried by the tests, shown in the reference */
};

/* `metadata` of every kind: name, labels, ignore, adopt, was. */
extern const struct schema metadata_schema;

enum { CONTENT_MAX = 1024 * 1024 };

/* What a Config or a Secret holds that a spec names in a row of FIELD_CONTENT: the bytes that a
 * file shall have. */
struct content {
	const char *kind, *name; /* of the document */
	const char *data;
	size_t len;
	bool secret; /* it is a Secret's, or refers to one */
};

/*
 * A resource as it stands in the manifests, or its instance on one host. Immutable; lives in the
 * set's arena, its JSON with it.
 */
struct resource {
	const struct kind *kind;
	const char *name;
	const char *host;	 /* the Host's name; NULL for SCOPE_PROJECT */
	const struct node *node; /* the document after expansion: places for diagnostics */
	const json_t *metadata;	 /* canonical */
	const json_t *spec;	 /* canonical, references resolved for this host */
	const json_t *secrets;	 /* which values are secrets, see struct decode; never NULL */
	const json_t *defaults;	 /* the rows' fallbacks by key, one object for all of a kind */
	/* SHA-256 (hex) over kind, name, masked canonical spec and contents: a secret's value
	 * changes nothing in it. */
	const char *digest;
	const struct content *contents; /* by the order in which the spec names them */
	size_t content_count;
};

/* Names of resources: what engines accept too. The length has its own bound, since compiling
 * "{0,127}" takes longer than reading a hundred manifests' names. */
#define RESOURCE_NAME_PATTERN "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"
enum { RESOURCE_NAME_MAX = 128 };

/* The written value of a spec's row, borrowed, or NULL. Asserts that the row exists. */
const json_t *resource_get(const struct resource *resource, const char *key);
/* For rows that are strings, bools, integers: the written value or the row's fallback. */
const char *resource_string(const struct resource *resource, const char *key);
bool resource_bool(const struct resource *resource, const char *key);
int64_t resource_int(const struct resource *resource, const char *key);
/* Is the value at row `key` (and `member` of it, if a map and not NULL) a secret? */
bool resource_is_secret(const struct resource *resource, const char *key, const char *member);
/* Is it one of the names in metadata.was? */
bool resource_was(const struct resource *resource, const char *name);
/* What the Config or Secret of that name holds on the resource's host; NULL: none that it names. */
const struct content *resource_content(const struct resource *resource, const char *kind,
				       const char *name);
/* metadata.ignore, or NULL. */
const json_t *resource_ignore(const struct resource *resource);
