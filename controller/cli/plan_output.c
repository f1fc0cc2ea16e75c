/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/plan_output.h"

#include "controller/cli/annotation.h"
#include "controller/cli/options.h"
#include "controller/cli/output.h"
#include "controller/plan/render_markdown.h"

#include <stdio.h>

static void print_document(const struct session *session, int code, bool executed)
{
	json_t *document = output_document(session->context);

	session_add_json(session, document);
	if (executed)
		json_object_set_new(document, "results", session_results_json(session));
	if (session->not_ready)
		json_object_set(document, "not_ready", session->not_ready);
	json_object_set_new(document, "exit", json_integer(code));
	output_print(session->context, document);
}

static void append_markdown(const struct session *session, bool executed, struct str *out)
{
	size_t count = fleet_count(session->fleet);
	struct markdown_host *hosts =
		arena_alloc(session->context->arena, (count + 1) * sizeof(*hosts));
	struct markdown_report report = {
		.command = command_name(session->context->command),
		.project = set_project(session->set),
		.revision = session->revision.id,
		.summary = &session->summary,
		.hosts = hosts,
		.count = count,
		.max_bytes = MARKDOWN_BYTES_MAX,
	};
	struct error err = ERROR_INIT;

	report.not_ready = session->not_ready;
	if (session_stray(session, &err))
		report.error = err.text;
	for (size_t i = 0; i < count; i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		hosts[i] = (struct markdown_host){
			.host = visit->host->name,
			.plan = visit->planned ? &visit->plan : NULL,
			.err = &visit->err,
			.results = executed ? &visit->results : NULL,
		};
	}
	render_markdown(&report, out);
}

void plan_output(const struct session *session, int code, bool executed)
{
	enum output form = session->context->options.output;
	struct str text;

	if (form == OUTPUT_HUMAN) {
		session_print_plans(session);
		return;
	}
	if (output_is_document(session->context)) {
		print_document(session, code, executed);
		return;
	}
	str_init(&text, 0);
	if (form == OUTPUT_GITHUB)
		annotate_session(session, &text);
	else
		append_markdown(session, executed, &text);
	fputs(text.data, stdout);
	str_done(&text);
	session_print_failures(session);
}
