/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs on a host, as manifests: the other way round from observing and comparing.
 *
 * A manifest begins with what its kind must have, and is compared with the object it stands for.
 * Each row that differs is taken over from what was observed, until nothing differs. So it is no
 * longer than it must be, and its diff is empty because that is how it was made. What no row can
 * say goes into metadata.ignore, with a note for the reader; nothing is dropped without a word.
 *
 * Pure: the pass has observed with `whole` set, nothing is asked of the engine.
 */
#pragma once

#include "reconcilers/reconciler.h"

/* One object and what a manifest says of it. Lives in the pass's arena. */
struct import_item {
	const struct reconciler *reconciler;
	const struct object *object;
	struct resource resource; /* its spec and metadata are those below */
	json_t *spec, *metadata;
	json_t *notes;	      /* sentences for the reader */
	const char *left_out; /* why it gets no manifest, or NULL */
	bool used;	      /* by another item that gets one */
	bool declared;	      /* the manifests that are there have it: known for references only */
};

struct import {
	struct pass *pass;
	/* Manifests that the new ones shall stand beside, or NULL. What they declare on the host
	 * is left out, names that they use are not used again. */
	const struct manifest_set *set;
	const char *host; /* the Host's name */
	bool several;	  /* there are other hosts: resources must say where they are */
	struct import_item **items;
	size_t count, room;
	struct desired desired;	   /* the items' resources */
	struct patterns *patterns; /* compiled expressions of rows */
};

/* Fills import->items from pass, set, host and several. The pass desires the items' resources
 * from then on. */
void import_build(struct import *import);

/* --- for the kinds --- */

struct importer {
	/* Why an object that is not drey's gets no manifest; NULL: it gets one. "" leaves it out
	 * without a word: the engine's own. */
	const char *(*leave_out)(const struct import *import, const struct object *object);
	/* Writes what comparing can't tell, in spec, metadata and notes. May be NULL. */
	void (*begin)(struct import *import, struct import_item *item);
	/* The observed value of a row as a manifest says it; new reference, NULL: it can't be
	 * said. NULL: all values are as they were observed. */
	json_t *(*row)(struct import *import, struct import_item *item, const struct field *field);
	/* Once the spec is all there: last notes. May be NULL. */
	void (*end)(struct import *import, struct import_item *item);
};

void import_note(struct import *import, struct import_item *item, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Takes one row over as it was observed; false when it can't be said. */
bool import_take_row(struct import *import, struct import_item *item, const char *key);
/* The item of the object with this name on the engine, or NULL. */
struct import_item *import_find(const struct import *import, const char *kind,
				const char *engine_name);
/* The name by which a manifest refers to a Network or Volume: of its item, or of a new one that
 * says external, since the object is somebody else's or the engine's own. */
const char *import_refer(struct import *import, const char *kind, const char *engine_name);
