/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/record.h"

#include <time.h>

#include "controller/loop/conditions.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add_result(struct report *report, const struct result *result)
{
	const struct action *action = result->action;
	struct report_row *row = report_add(report, action);

	row->outcome = result->outcome;
	row->duration_ms = result->duration_ms;
	switch (result->outcome) {
	case OUTCOME_KEPT:
		return;
	case OUTCOME_DONE:
		row->state = action->want ? ROW_DONE : ROW_GONE;
		row->action = verdict_name(action->verdict);
		row->message = report_changes(report, action);
		return;
	case OUTCOME_FAILED:
		row->state = ROW_FAILED;
		row->action = verdict_name(action->verdict);
		row->reason = "ApplyFailed";
		break;
	case OUTCOME_REFUSED:
		row->state = ROW_STALLED;
		row->reason = "Refused";
		break;
	case OUTCOME_BLOCKED:
	case OUTCOME_CANCELLED:
	case OUTCOME_SKIPPED:
		row->state = ROW_PENDING;
		row->reason = report_pending(result->outcome);
		break;
	}
	row->message = arena_strdup(report->arena, result->err.text);
}

static struct report *report_of(const struct session *session, const struct visit *visit)
{
	struct report *report =
		report_new(visit->host->name, set_project(session->set), session->revision.id);

	if (!visit_is_known(visit)) {
		report->err = visit->err;
		if (visit->planned)
			report_add_not_known(report, &visit->results, &visit->err);
		else
			report_add_unknown(report, set_desired(session->set, visit->host->name));
		return report;
	}
	for (size_t i = 0; i < visit->results.count; i++)
		if (visit->results.items[i].action->verdict != VERDICT_LEFTOVER)
			add_result(report, &visit->results.items[i]);
	return report;
}

/* What has left the manifests leaves the state. */
static void sweep(struct conditions *conditions, const struct session *session, const char *host)
{
	const struct desired *desired = set_desired(session->set, host);
	json_t *keep = json_array();

	json_array_append_new(keep, json_sprintf("Host/%s", host));
	for (size_t i = 0; i < desired->count; i++)
		json_array_append_new(keep,
				      json_sprintf("%s/%s@%s", desired->resources[i]->kind->name,
						   desired->resources[i]->name, host));
	conditions_prune(conditions, set_project(session->set), host, keep);
	json_decref(keep);
}

/* Is all of the set in step now? Only then has the revision been applied. */
static const char *status_of(const struct session *session)
{
	bool all = fleet_count(session->fleet) == set_host_count(session->set), any = false;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);
		const struct results *results = &visit->results;

		any = any || visit->planned;
		all = all && visit_is_known(visit) &&
		      results->failed + results->refused + results->blocked + results->skipped == 0;
	}
	return all ? "applied" : any ? "partial" : "failed";
}

static struct conditions *take_record(struct session *session)
{
	struct conditions *record = session->record;

	session->record = NULL;
	return record ? record : conditions_new(session->state_dir, &session->context->log);
}

void record_results(struct session *session)
{
	struct conditions *conditions = take_record(session);
	struct state_revision revision = {
		.project = set_project(session->set),
		.revision = session->revision.id,
		.digest = set_digest(session->set),
		.subject = session->revision.subject,
		.status = status_of(session),
		.time_ms = now_ms(),
	};

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		struct report *report = report_of(session, fleet_visit(session->fleet, i));

		conditions_record(conditions, report, revision.time_ms);
		sweep(conditions, session, report->host);
		report_free(report);
	}
	/* With --selector or --target a part was applied, which makes no revision. */
	if (!session->context->options.selector && session->context->options.target_count == 0)
		conditions_put_revision(conditions, &revision);
	conditions_free(conditions);
}

void record_backups(struct session *session, const json_t *records)
{
	struct conditions *conditions;
	const json_t *record;
	size_t i;

	if (json_array_size(records) == 0)
		return;
	conditions = take_record(session);
	json_array_foreach (records, i, record)
		conditions_put_backup(conditions, record);
	conditions_free(conditions);
}
