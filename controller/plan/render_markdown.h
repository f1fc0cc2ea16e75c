/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans, and what came of them, as a comment on a pull request (GitHub Flavored Markdown, which
 * GitLab reads too): a table of the hosts, and a section to unfold for each resource.
 *
 * What comes from hosts and manifests stands in fenced blocks or as <code> with every sign but
 * letters and digits written as a character reference. There neither Markdown nor HTML nor the
 * name of a user or an issue means anything. Secrets are masked as everywhere.
 */
#pragma once

#include "controller/plan/execute.h"

/* GitHub takes 65,536 characters, GitLab a million; some room is left for what others put around
 * it. https://github.com/orgs/community/discussions/41331 */
enum { MARKDOWN_BYTES_MAX = 65000 };

struct markdown_host {
	const char *host;
	const struct plan *plan;       /* NULL: it could not be planned */
	const struct error *err;       /* why */
	const struct results *results; /* NULL, or nothing in it: a plan only */
};

struct markdown_report {
	const char *command; /* "diff" */
	const char *project, *revision;
	const struct plan_summary *summary;
	const struct markdown_host *hosts;
	size_t count;
	const json_t *not_ready; /* rows {host, resource, message} of apply --wait, or NULL */
	const char *error;	 /* why the call as a whole was wrong, or NULL */
	size_t max_bytes;	 /* what does not fit is left out, and counted */
};
void render_markdown(const struct markdown_report *report, struct str *out);

/* A command that failed before there was any plan. */
void render_markdown_error(const char *command, const char *text, struct str *out);
