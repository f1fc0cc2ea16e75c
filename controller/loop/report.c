/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/report.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/plan/mask.h"
#include "controller/plan/render.h"

enum { CHANGES_CEILING = 1024 };

struct report *report_new(const char *host, const char *project, const char *revision)
{
	struct arena *arena = arena_new();
	struct report *report = arena_new_of(arena, struct report);

	report->arena = arena;
	report->host = arena_strdup(arena, host);
	report->project = arena_strdup(arena, project);
	report->revision = arena_strdup(arena, revision);
	report->retry_ms = -1;
	return report;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	vec_done(&report->rows);
	arena_free(report->arena);
}

static struct report_row *add(struct report *report, const char *kind, const char *name,
			      const char *digest)
{
	struct report_row row = {
		.resource = arena_printf(report->arena, "%s/%s", kind, name),
		.digest = digest ? arena_strdup(report->arena, digest) : "",
		.reason = "InStep",
		.message = "",
	};

	vec_push(&report->rows, row);
	return &report->rows.items[report->rows.count - 1];
}

struct report_row *report_add(struct report *report, const struct action *action)
{
	return add(report, action->kind->name, action->name,
		   action->want ? action->want->digest : NULL);
}

const char *report_pending(enum outcome outcome)
{
	return outcome == OUTCOME_BLOCKED   ? "Blocked"
	       : outcome == OUTCOME_SKIPPED ? "NotStarted"
					    : "Interrupted";
}

void report_add_unknown(struct report *report, const struct desired *desired)
{
	for (size_t i = 0; desired && i < desired->count; i++) {
		const struct resource *resource = desired->resources[i];
		struct report_row *row =
			add(report, resource->kind->name, resource->name, resource->digest);

		row->state = ROW_UNKNOWN;
		row->reason = "HostUnreachable";
		row->message = "its host can't be asked";
	}
}

void report_add_not_known(struct report *report, const struct results *results,
			  const struct error *why)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct action *action = results->items[i].action;

		if (!action->want)
			continue;
		struct report_row *row = report_add(report, action);
		row->state = ROW_UNKNOWN;
		row->reason = "NotKnown";
		row->message = arena_strdup(report->arena, why->text);
	}
}

void report_retry(struct report *report, int64_t after_ms)
{
	if (report->retry_ms < 0 || after_ms < report->retry_ms)
		report->retry_ms = after_ms;
}

bool report_in_step(const struct report *report)
{
	if (report->err.code != ERROR_NONE)
		return false;
	VEC_FOREACH (const struct report_row *, row, &report->rows)
		if (row->state != ROW_IN_STEP && row->state != ROW_DONE && row->state != ROW_GONE)
			return false;
	return true;
}

const char *report_changes(struct report *report, const struct action *action)
{
	struct str text, before, after;

	str_init(&text, CHANGES_CEILING);
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		CLEANUP(cleanup_free) char *path = mask_path(action, change);

		str_init(&before, 0);
		str_init(&after, 0);
		render_change(action, change, &before, &after);
		str_printf(&text, "%s%s: %s -> %s", text.len ? "; " : "", path, before.data,
			   after.data);
		str_done(&before);
		str_done(&after);
	}
	if (text.len == 0 && action->reason)
		str_append(&text, action->reason);
	const char *kept = text.overflow ? arena_printf(report->arena, "%s; ...", text.data)
					 : arena_strdup(report->arena, text.data);
	str_done(&text);
	return kept;
}
