/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/wait.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/plan/mask.h"
#include "reconcilers/container_calls.h"

#include <stdio.h>

enum { LOOK_AGAIN_MS = 500 };

/* Each host's thread has the row of its visit to itself. */
struct waiting {
	struct session *session;
	int64_t deadline_ms;
	json_t **not_ready; /* of each visit: rows, or NULL */
};

static void add_row(json_t *rows, const struct visit *visit, const struct action *action,
		    const char *why)
{
	json_t *resource =
		action ? json_sprintf("%s/%s", action->kind->name, action->name) : json_null();

	json_array_append_new(rows, json_pack("{s:s, s:o, s:s}", "host", visit->host->name,
					      "resource", resource, "message", why));
}

static bool is_awaited(const struct visit *visit, size_t index)
{
	const struct action *action = &visit->plan.actions[index];
	bool went_well =
		index >= visit->results.count || visit->results.items[index].err.code == ERROR_NONE;

	return action->want && action->verdict != VERDICT_REMOVE && went_well &&
	       reconciler_find(action->kind->name)->ready;
}

/* Rows of what is not ready. *ret_hope: something may still become so. */
static json_t *look(struct visit *visit, bool *ret_hope)
{
	json_t *rows = json_array();
	struct error err = ERROR_INIT;

	*ret_hope = false;
	for (size_t i = 0; i < visit->plan.count; i++) {
		const struct action *action = &visit->plan.actions[i];
		struct readiness readiness = { 0 };

		if (!is_awaited(visit, i))
			continue;
		if (reconciler_find(action->kind->name)
			    ->ready(&visit->pass, action, &readiness, &err) < 0) {
			/* The host may come back. */
			add_row(rows, visit, NULL, err.text);
			*ret_hope = err.code != ERROR_CANCELLED;
			return rows;
		}
		if (readiness.why)
			add_row(rows, visit, action, readiness.why);
		*ret_hope = *ret_hope || (readiness.why && !readiness.hopeless);
	}
	return rows;
}

static void wait_on(void *ctx, struct visit *visit)
{
	struct waiting *waiting = ctx;
	struct fleet *fleet = waiting->session->fleet;
	json_t *rows = NULL;
	bool hope;

	do {
		struct error err = ERROR_INIT;

		if (rows && call_pause(&visit->pass, LOOK_AGAIN_MS, &err) < 0)
			break;
		json_decref(rows);
		rows = look(visit, &hope);
	} while (hope && io_now_ms() < waiting->deadline_ms);
	for (size_t i = 0; i < fleet_count(fleet); i++) {
		if (fleet_visit(fleet, i) == visit)
			waiting->not_ready[i] = rows;
	}
}

int session_wait(struct session *session, int64_t timeout_ms)
{
	size_t count = fleet_count(session->fleet);
	struct waiting waiting = {
		.session = session,
		.deadline_ms = io_now_ms() + timeout_ms,
		.not_ready = xcalloc(count, sizeof(json_t *)),
	};
	int code = session_run(session, wait_on, &waiting);

	session->not_ready = json_array();
	for (size_t i = 0; i < count; i++) {
		if (waiting.not_ready[i])
			json_array_extend(session->not_ready, waiting.not_ready[i]);
		json_decref(waiting.not_ready[i]);
	}
	free(waiting.not_ready);
	return json_array_size(session->not_ready) ? exit_worst(code, EXIT_PARTIAL) : code;
}

void session_print_not_ready(const struct session *session)
{
	const json_t *row;
	size_t i;

	json_array_foreach (session->not_ready, i, row) {
		const char *resource = json_string_value(json_object_get(row, "resource"));
		struct str text;

		str_init(&text, 0);
		text_escape(json_string_value(json_object_get(row, "host")), &text);
		str_append(&text, ": ");
		if (resource) {
			text_escape(resource, &text);
			str_append(&text, ": ");
		}
		str_append(&text, "not ready: ");
		text_escape(json_string_value(json_object_get(row, "message")), &text);
		fprintf(stderr, "drey: %s\n", text.data);
		str_done(&text);
	}
}
