/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Annotations of GitHub Actions: lines on standard output that the runner shows beside a file.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
#pragma once

#include "controller/cli/command.h"
#include "controller/cli/session.h"
#include "manifests/diagnostics.h"

enum annotation { ANNOTATION_ERROR, ANNOTATION_WARNING, ANNOTATION_NOTICE };

/* One line. `place` (NULL: none) is relative to the manifest directory, and becomes relative to the
 * job's checkout. title may be NULL. */
void annotate(const struct context *context, enum annotation level, const struct place *place,
	      const char *title, const char *text, struct str *out);
void annotate_diagnostics(const struct context *context, const struct diagnostics *diagnostics,
			  struct str *out);
/* What a session has planned, and what came of it: one for each resource and verdict, whatever the
 * number of its hosts, since a step shows ten of a level; the most serious first. */
void annotate_session(const struct session *session, struct str *out);
