/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is ours. Objects that drey makes carry labels; what lacks them is foreign and never
 * touched. Ownership stands in git or on the object, never only in drey's state.
 */
#pragma once

#include "controller/base/arena.h"
#include "manifests/kind.h"

#include <jansson.h>
#include <stdbool.h>

#define LABEL_PREFIX "drey."
#define LABEL_PROJECT "drey.project"
#define LABEL_KIND "drey.kind"
#define LABEL_NAME "drey.name"
#define LABEL_UID "drey.uid"	       /* random per object */
#define LABEL_SPEC "drey.spec"	       /* digest of the spec it was made from: information */
#define LABEL_REVISION "drey.revision" /* revision of the manifests: information */
#define LABEL_FORMAT "drey.format"     /* "1" */
#define LABEL_REPLACES "drey.replaces" /* "<old id>,<old restart policy>"; a network's: ID */
#define LABEL_HELPER "drey.helper"     /* of a container that holds a volume to read or fill it */
#define LABEL_LEASE "drey.lease"       /* of LEASE_NAME: uid of who changes the engine now */
#define LABEL_SECRETS "drey.secrets"   /* of a container: rows that hold one, "command,user" */
#define LABEL_FILES "drey.files"       /* of a container: {"configs": ["/etc/x"], ...} */
#define LABEL_GENERATION "drey.generation" /* of a volume: 1, 2, ... */

/* The container that says who is changing the engine: controller/fleet/lease.h. It belongs to no
 * project, is never observed, and no resource may have its name. */
#define LEASE_NAME "drey-lock"

struct ownership {
	const char *project, *kind, *name, *uid, *spec, *revision;
	const char *replaces; /* NULL unless it replaces another */
	int generation;	      /* volumes; 1 when not labelled */
};

/* Reads the labels of an object; true when they are complete and of a format we know. Labels
 * whose uid the image carries too (docker commit copies them) prove nothing: pass the image's
 * labels, or NULL. Strings are borrowed from `labels`. */
bool ownership_read(const json_t *labels, const json_t *image_labels, struct ownership *ret_own);

/* Adds the labels of a new object, with a fresh uid (getrandom(2)), to `labels`.
 * ret_uid: 32 hex digits and a NUL. */
void ownership_write(json_t *labels, const char *project, const struct resource *resource,
		     const char *revision, char ret_uid[33]);

/* Copy of labels without drey's own: new reference. */
json_t *ownership_strip(const json_t *labels);

/* What an adopted object shows, as far as it may differ from `expected`: without the labels by
 * which the tool that made it knows its own (com.docker.compose.*), unless they are expected. Lives
 * in the arena. */
const json_t *adopted_observed(const json_t *observed, const json_t *expected, struct arena *arena);
