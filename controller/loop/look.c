/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at one host, in a worker's thread: observe, plan, leave out what is not to be done
 * now, do the rest, report.
 */
#include <string.h>

#include "controller/backup/backup.h"
#include "controller/backup/migrate.h"
#include "controller/base/io.h"
#include "controller/base/str.h"
#include "controller/loop/hash.h"
#include "controller/loop/loop_internal.h"
#include "reconcilers/container.h"

enum { MAX_REMOVALS = 3 };

/* Why an action of the plan is left for later. */
struct hold {
	enum { HOLD_NONE, HOLD_SETTLE, HOLD_WAIT, HOLD_STALL } kind;
	enum verdict verdict; /* the plan's own */
	int64_t wait_ms;
	const char *reason, *message;
};

static const char *resource_of(struct arena *arena, const struct action *action)
{
	return arena_printf(arena, "%s/%s", action->kind->name, action->name);
}

/* --- hooks: on the worker's thread */

static bool on_cancelled(void *ctx)
{
	struct loop_host *host = ctx;

	return atomic_load(&host->cancelled) || atomic_load(&host->loop->cancelled);
}

static void on_journal(void *ctx, const char *host_name, const char *resource, const char *step)
{
	struct loop_host *host = ctx;
	struct message *message = message_new(MESSAGE_JOURNAL, host);

	host->look.steps++;
	message->resource = xasprintf("%s@%s", resource, host_name);
	message->step = xstrdup(step);
	mailbox_post(host->loop->mailbox, message);
}

static void on_backup_record(void *ctx, const json_t *record)
{
	struct loop_host *host = ctx;
	struct message *message = message_new(MESSAGE_BACKUP, host);

	/* A copy: the main thread reads it while this one goes on. */
	message->record = json_deep_copy(record);
	mailbox_post(host->loop->mailbox, message);
}

static int on_backup(void *ctx, struct pass *pass, const struct resource *resource,
		     const struct object *object, struct error *err)
{
	struct backup_sink sink = { .ctx = ctx, .recorded = on_backup_record };

	return backup_before_change(&sink, pass, resource, object, err);
}

/* --- what is left for later */

static bool is_change(enum verdict verdict)
{
	return verdict == VERDICT_CREATE || verdict == VERDICT_UPDATE ||
	       verdict == VERDICT_REPLACE || verdict == VERDICT_REMOVE;
}

static uint64_t hash_json(uint64_t hash, const json_t *value)
{
	CLEANUP(cleanup_free)
	char *text =
		value ? json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT) : NULL;

	return hash_text(hash, text);
}

/* Those that share a container's namespaces are replaced with it: it may fail for them. */
static uint64_t hash_sharers(uint64_t hash, const struct pass *pass, const struct action *action)
{
	static const char *const keys[] = { "network_mode", "ipc", "pid" };

	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		for (size_t j = 0; want->kind == action->kind && j < ARRAY_SIZE(keys); j++) {
			if (str_eq(container_partner(want, keys[j]), action->name))
				hash = hash_text(hash, want->digest);
		}
	}
	return hash;
}

/* What the difference is, without what every try changes (IDs). */
static uint64_t hash_difference(const struct pass *pass, const struct action *action)
{
	const struct object *have = action->have;
	uint64_t hash = hash_text(HASH_INIT, verdict_name(action->verdict));

	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		hash = hash_text(hash, change->path);
		hash = hash_json(hash_json(hash, change->before), change->after);
	}
	hash = hash_text(hash, have ? have->state : NULL);
	hash = hash_text(hash, have ? have->engine_name : NULL);
	hash = hash_text(hash, have ? have->image_id : NULL);
	if (action->want && schema_field(action->kind->spec, "image")) {
		const json_t *image = pass_image(pass, resource_string(action->want, "image"));

		hash = hash_text(hash, json_string_value(json_object_get(image, "Id")));
	}
	if (action->verdict == VERDICT_REPLACE && strcmp(action->kind->name, "Container") == 0)
		hash = hash_sharers(hash, pass, action);
	return hash;
}

static void hold_back(struct look *look, struct action *action, struct hold *hold, const char *text)
{
	hold->message = text;
	/* For the executor: not this time, nor what depends on it. */
	action->verdict = VERDICT_REFUSE;
	action->reason = text;
	if (hold->kind != HOLD_STALL)
		report_retry(look->report, hold->wait_ms);
}

static void hold_stalled(struct look *look, struct action *action, struct hold *hold,
			 const struct stall_entry *entry)
{
	struct arena *arena = look->visit.arena;

	hold->kind = entry->stalled ? HOLD_STALL : HOLD_WAIT;
	hold->reason = arena_strdup(arena, entry->reason);
	hold_back(look, action, hold,
		  arena_printf(arena, "%s%s", entry->message,
			       entry->stalled ? " (not tried again until manifest, image or host "
						"change)"
					      : ""));
}

static void decide(struct loop_host *host, struct action *action, struct hold *hold, int64_t now_ms)
{
	struct look *look = &host->look;
	const char *resource = resource_of(look->visit.arena, action);
	struct stall_entry entry;

	/* First: what is passed through on the way is no difference to remember. */
	hold->wait_ms = settle_left(host->settle, now_ms, action);
	if (hold->wait_ms > 0) {
		report_retry(look->report, hold->wait_ms);
		if (stall_get(look->stall, resource, &entry) && entry.stalled) {
			hold_stalled(look, action, hold, &entry);
			return;
		}
		hold->kind = HOLD_SETTLE;
		hold->reason = "Settling";
		hold_back(look, action, hold, "it was stopped or renamed a moment ago");
		return;
	}
	enum stall_answer answer =
		stall_ask(look->stall, resource, action->want ? action->want->digest : "",
			  hash_difference(&look->visit.pass, action), now_ms, &hold->wait_ms);

	if (answer != STALL_GO && stall_get(look->stall, resource, &entry))
		hold_stalled(look, action, hold, &entry);
}

/* A volume is not copied for users that would not be made anew on it. */
static void hold_providers(struct look *look, const struct action *user, const struct hold *why,
			   struct hold *holds)
{
	for (size_t i = 0; i < user->after_count; i++) {
		size_t at = user->after[i];
		struct action *action = &look->visit.plan.actions[at];

		if (action->verdict != VERDICT_REPLACE || holds[at].kind != HOLD_NONE ||
		    strcmp(action->kind->name, "Volume") != 0)
			continue;
		holds[at].kind = why->kind;
		holds[at].reason = why->reason;
		holds[at].wait_ms = why->wait_ms;
		hold_back(look, action, &holds[at],
			  arena_printf(look->visit.arena, "waits for Container/%s: %s", user->name,
				       why->message));
	}
}

/* Returns how many changes are left to be done now. */
static size_t hold_some(struct loop_host *host, struct hold *holds)
{
	struct plan *plan = &host->look.visit.plan;
	int64_t now_ms = io_now_ms();
	size_t left = 0;

	for (size_t i = 0; i < plan->count; i++) {
		struct action *action = &plan->actions[i];

		holds[i].verdict = action->verdict;
		if (is_change(action->verdict)) {
			decide(host, action, &holds[i], now_ms);
			if (holds[i].kind != HOLD_NONE)
				hold_providers(&host->look, action, &holds[i], holds);
		} else if (action->verdict == VERDICT_KEEP) {
			stall_keep(host->look.stall, resource_of(host->look.visit.arena, action),
				   now_ms);
		}
	}
	for (size_t i = 0; i < plan->count; i++)
		left += is_change(holds[i].verdict) && holds[i].kind == HOLD_NONE;
	return left;
}

/* --- how it went */

static const char *failure_reason(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_CREATE:
		return "CreateFailed";
	case VERDICT_UPDATE:
		return "UpdateFailed";
	case VERDICT_REPLACE:
		return "ReplaceFailed";
	case VERDICT_REMOVE:
		return "RemoveFailed";
	default:
		return "Failed";
	}
}

/*
 * Before its first journalled step an action of a container has changed nothing but the images
 * of the host: a pull that failed may go well once the registry has what is asked for. A
 * replacement's first step makes the new container beside the old; from the second on the
 * service has been touched, and trying again would stop it again.
 */
static enum stall_outcome judge(const struct look *look, const struct result *result)
{
	const struct action *action = result->action;
	enum error_code code = result->err.code;

	if (result->outcome == OUTCOME_DONE)
		return STALL_DONE;
	if (code == ERROR_UNREACHABLE || code == ERROR_CANCELLED)
		return STALL_PASSES;
	if (look->steps == 0 && schema_field(action->kind->spec, "image"))
		return STALL_PASSES;
	if (action->verdict == VERDICT_REPLACE && look->steps > 1)
		return STALL_FINAL;
	return code == ERROR_TIMEOUT ? STALL_PASSES : STALL_FAILED;
}

static void on_result(void *ctx, const struct result *result)
{
	struct loop_host *host = ctx;
	struct look *look = &host->look;
	const struct action *action = result->action;
	const char *resource = resource_of(look->visit.arena, action);

	if (result->outcome == OUTCOME_DONE)
		stall_tell(look->stall, resource, STALL_DONE, "ComesBack",
			   arena_printf(look->visit.arena,
					"what was done did not last, the difference came back: %s",
					report_changes(look->report, action)),
			   io_now_ms());
	else if (result->outcome == OUTCOME_FAILED)
		stall_tell(look->stall, resource, judge(look, result),
			   failure_reason(action->verdict), result->err.text, io_now_ms());
	look->steps = 0;
}

static void tell_failure(struct look *look, struct report_row *row, const struct result *result)
{
	struct stall_entry entry = { 0 };

	stall_get(look->stall, row->resource, &entry);
	row->state = entry.stalled ? ROW_STALLED : ROW_FAILED;
	row->reason = failure_reason(result->action->verdict);
	row->message = arena_strdup(look->report->arena, result->err.text);
	if (!entry.stalled) {
		int64_t wait_ms = entry.next_ms - io_now_ms();

		report_retry(look->report, wait_ms > 0 ? wait_ms : 0);
	}
}

/* What the plan itself refuses. */
static void tell_refusal(struct look *look, struct report_row *row, const struct action *action)
{
	const struct object *have = action->have;
	bool removing = have && str_eq(have->state, "removing");

	row->state = removing ? ROW_PENDING : ROW_STALLED;
	row->reason = removing ? "Removing" : "Refused";
	row->message = arena_strdup(look->report->arena, action->reason ? action->reason : "");
	if (removing)
		report_retry(look->report, LOOP_REMOVING_MS);
}

static void tell_hold(struct look *look, struct report_row *row, const struct hold *hold)
{
	row->state = hold->kind == HOLD_STALL  ? ROW_STALLED
		     : hold->kind == HOLD_WAIT ? ROW_FAILED
					       : ROW_PENDING;
	row->reason = arena_strdup(look->report->arena, hold->reason);
	row->message = arena_strdup(look->report->arena, hold->message);
}

static void tell_result(struct look *look, struct report_row *row, const struct result *result,
			const struct hold *hold)
{
	const struct action *action = result->action;

	row->outcome = result->outcome;
	row->duration_ms = result->duration_ms;
	switch (result->outcome) {
	case OUTCOME_KEPT:
		if (action->warning)
			row->message = arena_strdup(look->report->arena, action->warning);
		break;
	case OUTCOME_DONE:
		row->state = action->want ? ROW_DONE : ROW_GONE;
		row->action = verdict_name(action->verdict);
		row->message = report_changes(look->report, action);
		break;
	case OUTCOME_FAILED:
		row->action = verdict_name(action->verdict);
		tell_failure(look, row, result);
		break;
	case OUTCOME_REFUSED:
		if (hold->kind != HOLD_NONE) {
			tell_hold(look, row, hold);
		} else if (action->verdict == VERDICT_REFUSE) {
			tell_refusal(look, row, action);
		} else {
			row->state = ROW_STALLED;
			row->reason = "Refused";
			row->message = arena_strdup(look->report->arena, result->err.text);
		}
		break;
	case OUTCOME_BLOCKED:
	case OUTCOME_CANCELLED:
	case OUTCOME_SKIPPED:
		row->state = ROW_PENDING;
		row->reason = report_pending(result->outcome);
		row->message = arena_strdup(look->report->arena, result->err.text);
		break;
	}
}

static void tell_results(struct look *look, const struct hold *holds)
{
	const struct results *results = &look->visit.results;

	for (size_t i = 0; i < results->count; i++) {
		const struct action *action = results->items[i].action;

		if (action->verdict == VERDICT_LEFTOVER)
			continue;
		struct report_row *row = report_add(look->report, action);
		tell_result(look, row, &results->items[i], &holds[i]);
		look->report->acted = look->report->acted || row->action;
	}
}

static const char *gerund(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_CREATE:
		return "Creating";
	case VERDICT_UPDATE:
		return "Updating";
	case VERDICT_REPLACE:
		return "Replacing";
	default:
		return "Removing";
	}
}

/* What is about to be done, so that status tells while it is being done. */
static void post_begun(struct loop_host *host)
{
	const struct plan *plan = &host->look.visit.plan;
	struct report *report =
		report_new(host->name, host->look.report->project, host->look.report->revision);
	struct message *message = message_new(MESSAGE_REPORT, host);

	report->begun = true;
	for (size_t i = 0; i < plan->count; i++) {
		const struct action *action = &plan->actions[i];

		if (!is_change(action->verdict) || !action->want)
			continue;
		struct report_row *row = report_add(report, action);
		row->state = ROW_PENDING;
		row->reason = gerund(action->verdict);
		row->message = report_changes(report, action);
	}
	message->report = report;
	mailbox_post(host->loop->mailbox, message);
}

/* --- the look */

/* Two names for one engine would fight over every container: neither is touched. */
static int refuse_twin(struct loop_host *host, struct error *err)
{
	struct loop *loop = host->loop;
	const json_t *id = json_object_get(host->look.visit.pass.observed.info, "ID");
	const char *text = json_string_value(id);
	int rc = 0;

	pthread_mutex_lock(&loop->twins_lock);
	free(host->engine_id);
	host->engine_id = text && *text ? xstrdup(text) : NULL;
	for (size_t i = 0; host->engine_id && rc == 0 && i < loop->hosts.count; i++) {
		const struct loop_host *other = loop->hosts.items[i];

		if (other != host && str_eq(other->engine_id, host->engine_id))
			rc = error_set(err, ERROR_REFUSED,
				       "Host/%s and Host/%s are one engine (ID %s); remove one of "
				       "them",
				       host->name, other->name, host->engine_id);
	}
	pthread_mutex_unlock(&loop->twins_lock);
	return rc;
}

static bool prunes(const struct manifest_set *set)
{
	const struct resource *project = set_project_resource(set);

	return project && resource_bool(project, "prune");
}

static void drop_engine(struct loop_host *host)
{
	pthread_mutex_lock(&host->connection_lock);
	connection_reset(&host->connection);
	pthread_mutex_unlock(&host->connection_lock);
}

/* Asked at most hourly where tags point; a tag that was not yet asked for is asked for now. */
static json_t *known_digests(struct loop_host *host)
{
	int64_t now_ms = io_now_ms();

	if (host->digests && now_ms - host->digests_ms < LOOP_REGISTRY_MS)
		return host->digests;
	json_decref(host->digests);
	host->digests = json_object();
	host->digests_ms = now_ms;
	return host->digests;
}

static int plan(struct loop_host *host)
{
	struct loop *loop = host->loop;
	struct look *look = &host->look;
	struct visit_options options = {
		.revision = look->revision,
		.log = loop->log,
		.state_dir = loop->options.state_dir,
		.purpose = "controller",
		.digests = known_digests(host),
		.hooks = {
			.ctx = host,
			.journal = on_journal,
			.backup = on_backup,
			.migrate = volume_migrate,
			.settle = volume_settle,
			.cancelled = on_cancelled,
		},
		.plan = {
			.prune = prunes(look->set),
			.max_removals_percent = loop->options.max_removals_percent,
			.max_removals = MAX_REMOVALS,
		},
		/* While something is going on, a replacement in progress may be another's. */
		.write = settle_left_any(host->settle, io_now_ms()) == 0,
	};

	if (!host->connected) {
		look->visit.err = host->init_err;
		return -1;
	}
	if (atomic_exchange(&host->renegotiate, false))
		drop_engine(host);
	if (on_cancelled(host))
		return error_set(&look->visit.err, ERROR_CANCELLED, "interrupted");
	if (visit_plan(&look->visit, &host->connection, look->set, look->resource, &options) < 0) {
		/* Questions may be left without an answer. */
		host->digests_ms = io_now_ms() - LOOP_REGISTRY_MS;
		return -1;
	}
	/* What an interrupted change has left is seen to once all is quiet. */
	if (!options.write && look->visit.plan.warning_count > 0)
		report_retry(look->report, SETTLE_MS);
	return refuse_twin(host, &look->visit.err);
}

/* False: what there is could not be known after all, or nothing could be begun. */
static bool act(struct loop_host *host)
{
	struct look *look = &host->look;
	struct hold *holds =
		arena_alloc(look->visit.arena, (look->visit.plan.count + 1) * sizeof(*holds));

	look->steps = 0;
	if (hold_some(host, holds) > 0) {
		atomic_store(&host->acting, true);
		post_begun(host);
	}
	if (look->sweep)
		stall_sweep(look->stall);
	visit_execute(&look->visit, on_result, host);
	if (!visit_is_known(&look->visit)) {
		report_add_not_known(look->report, &look->visit.results, &look->visit.err);
		return false;
	}
	tell_results(look, holds);
	if (look->visit.results.skipped == 0)
		return true;
	if (look->visit.err.code != ERROR_CONFLICT)
		return false;
	/* Another drey is changing the engine, or has just done so. */
	report_retry(look->report, LOOP_HELD_MS);
	return true;
}

static bool is_host_trouble(enum error_code code)
{
	return code == ERROR_UNREACHABLE || code == ERROR_TIMEOUT || code == ERROR_DENIED;
}

static void fail(struct loop_host *host, bool planned)
{
	struct look *look = &host->look;

	look->report->err = look->visit.err;
	/* A backup holds containers still, or another drey is changing them: that is no trouble,
	 * and over soon. */
	if (look->visit.err.code == ERROR_CONFLICT) {
		look->success = true;
		report_retry(look->report, LOOP_HELD_MS);
		return;
	}
	bool trouble = is_host_trouble(look->visit.err.code);
	if (!planned && trouble)
		report_add_unknown(look->report, set_desired(look->set, host->name));
	/* The next look begins from the connection on. */
	if (host->connected && (!planned || trouble))
		drop_engine(host);
}

void look_run(void *arg)
{
	struct loop_host *host = arg;
	struct look *look = &host->look;
	int64_t start_ms = io_now_ms();
	struct message *message;

	log_debug(host->loop->log, "looking host=%s", host->name);
	look->visit = (struct visit){ 0 };
	look->report = report_new(host->name, set_project(look->set), look->revision);
	bool planned = plan(host) == 0;
	look->success = planned && act(host);
	if (!look->success)
		fail(host, planned);
	atomic_store(&host->acting, false);
	look->retry_ms = look->report->retry_ms;
	look->acted = look->report->acted;
	visit_done(&look->visit);
	look->took_ms = io_now_ms() - start_ms;
	message = message_new(MESSAGE_REPORT, host);
	message->report = TAKE(look->report);
	mailbox_post(host->loop->mailbox, message);
	mailbox_post(host->loop->mailbox, message_new(MESSAGE_DONE, host));
}
