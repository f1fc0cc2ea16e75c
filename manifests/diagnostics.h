/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of a manifest set: all that are found in one run, each with its place.
 *
 *     web.yaml:12:9: error: spec.restart: 'allways' is none of no, always, on-failure,
 *     unless-stopped; did you mean 'always'?
 *       used at web-app.yaml:7:12
 *
 * The place is where the faulty text was written: for a value that went through a template's
 * parameter or a variable that is the Release or the Host, and `via` says where it was put in.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "manifests/node.h"

#include <jansson.h>

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

enum { DIAGNOSTICS_MAX = 200 }; /* more are counted, not kept */

struct diagnostic {
	enum severity severity;
	struct place place;
	const struct place *via; /* where the text was put in; NULL: where it was written */
	const char *text;	 /* one line, without control characters */
};

struct diagnostics {
	struct arena *arena; /* borrowed: texts live in it */
	VEC(struct diagnostic) list;
	size_t errors, warnings; /* counted beyond DIAGNOSTICS_MAX too */
	size_t reported; /* errors with repeated and dropped ones: has this part been faulty? */
};

void diagnostics_init(struct diagnostics *diagnostics, struct arena *arena);
void diagnostics_done(struct diagnostics *diagnostics);

/* Records a fault at a node (its `via` is taken along; NULL: nowhere in particular). The same
 * text at the same place is recorded once: a resource that goes to ten hosts is wrong once. All
 * that is kept is copied into the arena. */
void diagnose(struct diagnostics *diagnostics, enum severity severity, const struct node *at,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diagnose_place(struct diagnostics *diagnostics, enum severity severity,
		    const struct place *place, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A place with line 0 is the file as a whole. */
void diagnose_file(struct diagnostics *diagnostics, enum severity severity, const char *file,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Forgets what was recorded. */
void diagnostics_clear(struct diagnostics *diagnostics);

/* Sorted by file, line, column; one per line as above; a closing count where there are errors. */
void diagnostics_print(const struct diagnostics *diagnostics, struct str *out);
/* [{"severity","file","line","column","message","via":{…}}] */
json_t *diagnostics_json(const struct diagnostics *diagnostics);
