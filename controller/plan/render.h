/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan as people and programs read it. Secrets are masked here, in one place. */
#pragma once

#include "controller/plan/plan.h"

struct render_options {
	bool color;
	bool all;  /* also what is in step */
	int width; /* columns; long values are cut to it; 0: never */
};

/*
 * h1
 *   ~ Container/web            replace   (stops the service)
 *       image                  web:1.0 -> web:1.1
 *       environment.PASSWORD   *** (before) -> *** (after)
 *   + Volume/data              create
 */
void render_plan(const struct plan *plan, const struct render_options *options, struct str *out);
/* "2 to create, 1 to update, 0 to replace, 0 to remove, 1 refused on 3 hosts" */
void render_summary(const struct plan_summary *summary, size_t hosts, struct str *out);
/* One host's object of the documented, versioned JSON form. New reference. */
json_t *render_plan_json(const struct plan *plan);

/* before/after of a change, masked where it is a secret or an observed value that the manifests
 * do not state in plain. Either may be NULL. Appends to the strings. */
void render_change(const struct action *action, const struct change *change, struct str *before,
		   struct str *after);
