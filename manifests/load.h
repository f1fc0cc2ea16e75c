/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the steps of loading a manifest set share; for manifests/ only. In their order:
 *
 *     files.c yaml.c   texts -> trees
 *     requires.c       is this drey new enough?
 *     document.c       envelopes: kind and name
 *     template.c       Releases -> more documents
 *     sources.c        where references get their values: variables, environment, secrets
 *     decode.c         a document, for one host or none -> a body
 *     content.c        what the files hold that a body names
 *     place.c          which documents go to which hosts
 *     link.c           references between them; what follows its users
 *     order.c          dependencies before dependants
 *     set.c            drives all this, and answers questions about the result
 */
#pragma once

#include "controller/base/vec.h"
#include "manifests/interpolate.h"
#include "manifests/pattern.h"
#include "manifests/set.h"
#include "manifests/yaml.h"

struct sources;
struct sha256;

/* What one body says of another resource. */
struct reference_to {
	const struct kind *kind;
	const char *name;
	const char *path;  /* where it stands in the document, for node_find() */
	const char *shown; /* the same for messages */
};

struct contents {
	struct content *items;
	size_t count, room;
};

/* A document decoded, for one host or, where it refers to nothing of a host, for all. */
struct body {
	const struct node *node;
	const json_t *metadata, *spec, *secrets;
	const char *digest;
	bool good;			     /* no fault was found in it */
	bool absent;			     /* state: absent */
	VEC(struct reference_to) references; /* freed with the arena */
	struct contents contents;	     /* the same */
};

/* A resource as it was written or came out of a template. */
struct document {
	const struct node *node;
	const struct kind *kind;
	const char *name;
	bool named;			 /* false: the name is made up, the real one is faulty */
	const struct document *release;	 /* whose template it comes from; NULL */
	size_t order;			 /* in which it was found */
	size_t index;			 /* among the sorted documents */
	bool follows;			 /* exists where its users are */
	bool *on;			 /* is it on the host of that index? */
	struct body *shared;		 /* the same on all hosts; NULL: not decoded, or not so */
	const struct resource *resource; /* SCOPE_PROJECT */
	const char *content;		 /* of a Config's file, once it has been read; or NULL */
	size_t content_len;
};

struct load {
	const struct manifest_options *options;
	struct diagnostics *diagnostics;
	struct arena *arena; /* the set's */
	struct manifest_set *set;
	const char *dir; /* absolute; NULL: there is none */
	struct yaml_reader reader;
	struct interpolate_budget budget;
	struct sha256 *sha;		  /* over all that was read */
	VEC(struct document *) documents; /* sorted by kind and name once expanded */
	VEC(const struct node *) roots;
	struct document **hosts; /* in the order of their names */
	size_t host_count;
	const struct document *project; /* NULL */
	struct sources *sources;
	struct patterns *patterns; /* ends with the load */
	/* Something could not be read, or not its name: a reference to what is not there may mean
	 * that, and is no fault then. */
	bool lacks_anything;
	bool *lacks;		 /* by index of the kind */
	const json_t **defaults; /* by index of the kind */
};

#define load_fault(load, at, ...) diagnose((load)->diagnostics, SEVERITY_ERROR, (at), __VA_ARGS__)
#define load_warn(load, at, ...) diagnose((load)->diagnostics, SEVERITY_WARNING, (at), __VA_ARGS__)

/* A resource of that kind (NULL: of any) is there, and not known by its name. */
void load_lacks(struct load *load, const struct kind *kind);
bool load_may_lack(const struct load *load, const char *kind);
/* Takes a reference that lives as long as the set. */
const json_t *load_keep(struct load *load, json_t *json);
/* NULL: no such kind. */
const struct kind *load_kind(const struct load *load, const char *name);
/* Of the sorted documents; NULL: none. */
struct document *load_find(const struct load *load, const char *kind, const char *name);
/* Ends the sentence of a fault about a name that nothing has: "; did you mean 'x'?", or "". */
const char *load_nearest(const struct load *load, const char *kind, const char *name);

/* requires.c: false when the Project wants another drey. Then that alone is diagnosed. */
bool requires_check(struct load *load);
/* "0.3", ">= 0.2, < 1": 1 met, 0 not met, -1 malformed. */
int requires_met(const char *constraint, const char *version);

/* document.c: what the document says it is; NULL after a diagnosis. */
const struct kind *document_kind(struct load *load, const struct node *root);
/* Takes a tree for a document, or diagnoses why it is none. release: NULL for what
 * stands in a file. */
void document_add(struct load *load, const struct node *root, const struct document *release);
/* Sorts, and diagnoses names that are there twice. */
void document_sort(struct load *load);

/* template.c: adds the documents of all Releases. */
void template_expand(struct load *load);

/* decode.c. host: index of the host, or -1 for what belongs to none. Never NULL; faults are
 * diagnosed. */
struct body *decode_document(struct load *load, struct document *document, int host);
/* The resource of a body. */
const struct resource *decode_resource(struct load *load, const struct document *document,
				       const struct body *body, const char *host);

/* place.c: sets `on` and `follows`. */
void place_documents(struct load *load);

/* link.c: decodes what is on each host, follows references, puts what follows its users where
 * they are. bodies[host][index of the document]: NULL where it is not. */
void link_documents(struct load *load, struct body ***bodies);

/* order.c: indices of the documents on a host in their order. */
void order_documents(struct load *load, struct body **bodies, size_t *order, size_t count);
