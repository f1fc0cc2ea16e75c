/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/session.h"

#include "controller/base/heap.h"
#include "controller/base/interrupt.h"
#include "controller/cli/load.h"
#include "controller/cli/option_values.h"
#include "controller/cli/output.h"
#include "controller/cli/record.h"
#include "controller/fleet/lease.h"
#include "controller/loop/conditions.h"
#include "controller/plan/render.h"
#include "controller/state/lock.h"
#include "controller/state/state.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char local_note[] = "The manifests name no host: this is the engine of this machine, "
				 "unix:///var/run/docker.sock.";

/* Without Project and Host the engine at hand is meant: fine for a person who reads it, a trap
 * for a pipeline that has lost its manifests. */
static int check_local(struct session *session)
{
	struct context *context = session->context;
	struct error err = ERROR_INIT;

	if (!set_is_local(session->set) || context->options.local)
		return EXIT_IN_STEP;
	if (context->terminal_out)
		return EXIT_IN_STEP;
	error_set(&err, ERROR_REFUSED,
		  "the manifests name no host, so the engine of this machine would be used; say "
		  "--local where that is meant, or add a Project and a Host");
	return command_fail(context, EXIT_REFUSED, &err);
}

enum {
	REMOVALS_PERCENT = 10, /* where --max-removals is not given */
	REMOVALS_ALWAYS = 3,   /* so many are never too many, whatever the share */
	LOCK_TIMEOUT_MAX_MS = 24 * 3600 * 1000,
};

static struct plan_options plan_options_of(const struct session *session)
{
	const struct options *options = &session->context->options;
	const struct resource *project = set_project_resource(session->set);

	return (struct plan_options){
		.prune = options->prune || (project && resource_bool(project, "prune")),
		.selector = options->selector,
		.targets = options->targets,
		.target_count = options->target_count,
		.max_removals_percent =
			options->max_removals > 0 ? options->max_removals : REMOVALS_PERCENT,
		.max_removals = REMOVALS_ALWAYS,
	};
}

static int read_options(const struct context *context, struct fleet_options *options,
			struct error *err)
{
	const struct options *given = &context->options;
	int64_t ms = LEASE_TIMEOUT_DEFAULT_MS;

	options->parallel = given->parallel;
	options->purpose = context->command->name;
	/* Who said yes before there was a plan meant whatever it would be; a saved plan means
	 * itself. */
	options->replan = given->yes && !given->from_plan;
	if (given->max_failures &&
	    option_max_failures(given->max_failures, &options->max_failures, err) < 0)
		return -1;
	if (given->lock_timeout && option_duration("--lock-timeout", given->lock_timeout, 0,
						   LOCK_TIMEOUT_MAX_MS, &ms, err) < 0)
		return -1;
	options->lock_timeout_ms = (int)ms;
	return 0;
}

static bool can_consent(const struct context *context)
{
	return context->options.yes || (context->terminal_in && context->terminal_out &&
					context->options.output == OUTPUT_HUMAN);
}

static int end(struct session *session, int code)
{
	session_done(session);
	return code;
}

static void block_signals(struct session *session)
{
	sigset_t mask;

	interrupt_signals(&mask);
	pthread_sigmask(SIG_BLOCK, &mask, &session->old_mask);
	session->blocked = true;
}

int session_start(struct session *session, struct context *context,
		  const struct fleet_options *preset)
{
	struct fleet_options options = *preset;
	struct error err = ERROR_INIT;
	const struct resource **hosts;

	*session = (struct session){
		.context = context,
		.state_dir = state_default_dir(context->options.state),
		.lock = -1,
	};
	if (read_options(context, &options, &err) < 0)
		return end(session, command_fail(context, EXIT_USAGE, &err));
	/* A tunnel has files, which a signal that ends drey would let lie. */
	block_signals(session);
	options.connections = connections_new(&context->log);
	int code = preset->begin ? load_and_begin(context, options.connections, &session->set)
				 : load_manifests(context, &session->set);
	if (code == EXIT_IN_STEP &&
	    load_hosts(context, session->set, &hosts, &options.host_count, &err) < 0)
		/* A plan names hosts that were there. */
		code = command_fail(context, context->options.from_plan ? EXIT_REFUSED : EXIT_USAGE,
				    &err);
	if (code == EXIT_IN_STEP)
		code = check_local(session);
	if (code == EXIT_IN_STEP) {
		session->progress = progress_new(context);
		options.state_dir = preset->write ? session->state_dir : NULL;
		/* Where nobody can agree nothing is touched, nor what an earlier run has left; nor
		 * is it before a saved plan was compared. */
		options.write =
			preset->write && can_consent(context) && !context->options.from_plan;
		options.hosts = hosts;
		options.log = &context->log;
		options.plan = plan_options_of(session);
		options.plan.prune = options.plan.prune && !preset->no_prune;
		options.plan.users_of = preset->plan.users_of;
		if (fleet_new(session->set, &options, &session->fleet, &err) < 0)
			code = command_fail(context, EXIT_PARTIAL, &err);
	} else {
		connections_free(options.connections);
	}
	/* A diff that only people read does without. Signals are the fleet's by now: the thread
	 * takes none. */
	bool wanted =
		preset->write || context->options.output != OUTPUT_HUMAN || context->options.out;
	if (code == EXIT_IN_STEP && wanted)
		revision_begin(load_dir(context), set_digest(session->set), &session->revision);
	return code == EXIT_IN_STEP ? code : end(session, code);
}

int session_lock(struct session *session)
{
	struct error err = ERROR_INIT;

	if (lock_take(session->state_dir, &session->lock, &err) < 0)
		return command_fail(session->context, EXIT_REFUSED, &err);
	return EXIT_IN_STEP;
}

void session_done(struct session *session)
{
	progress_free(session->progress);
	conditions_free(session->record);
	fleet_free(session->fleet);
	/* Its thread reads the digest of the set. */
	revision_done(&session->revision);
	set_unref(session->set);
	if (session->state_dir && session->lock >= 0)
		close(session->lock);
	free(session->state_dir);
	json_decref(session->not_ready);
	if (session->blocked)
		pthread_sigmask(SIG_SETMASK, &session->old_mask, NULL);
	*session = (struct session){ 0 };
}

static void on_progress(void *ctx, const struct progress *progress)
{
	progress_update(((struct session *)ctx)->progress, progress);
}

/* While the hosts are waited for: memory for what they answer, and, where something will be
 * written, SQLite's files. */
static void on_begun(void *ctx)
{
	struct session *session = ctx;

	heap_populate();
	if (session->lock >= 0 && !session->record)
		session->record = conditions_try(session->state_dir, &session->context->log);
}

static void on_planned(void *ctx, const struct visit *visit)
{
	progress_host_done(((struct session *)ctx)->progress, visit->host->name);
}

/* A line from the terminal; a signal while waiting counts as no. */
static bool ask(struct session *session, const char *question)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = fleet_signal_fd(session->fleet), .events = POLLIN } };
	char answer[16];

	printf("%s [y/N] ", question);
	fflush(stdout);
	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		;
	if (fds[1].revents) {
		puts("");
		fleet_take_signals(session->fleet);
		return false;
	}
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}

/* What an interrupted run has left half done is put right before there is a plan to agree to. */
static bool tell_recovered(const struct session *session)
{
	bool any = false;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (visit->recovered)
			fprintf(stderr,
				"drey: %s: a change that was interrupted has been finished or "
				"undone\n",
				visit->host->name);
		any |= visit->recovered;
	}
	return any;
}

int session_confirm(struct session *session, const char *question)
{
	struct context *context = session->context;
	struct error err = ERROR_INIT;

	if (context->options.yes)
		return EXIT_IN_STEP;
	if (!can_consent(context)) {
		error_set(&err, ERROR_REFUSED,
			  "nobody can be asked here, so nothing was changed; say --yes to go on "
			  "without asking");
		return command_fail(context, EXIT_REFUSED, &err);
	}
	if (ask(session, question))
		return EXIT_IN_STEP;
	if (fleet_is_cancelled(session->fleet))
		return EXIT_INTERRUPTED;
	fprintf(stderr, "drey: nothing%s was changed\n", tell_recovered(session) ? " else" : "");
	return EXIT_REFUSED;
}

/* A host that could not be asked may have what a target names. */
static const char *find_stray_target(const struct session *session)
{
	const struct options *options = &session->context->options;

	if (session->failed)
		return NULL;
	for (size_t i = 0; i < options->target_count; i++) {
		bool hit = false;

		for (size_t j = 0; j < fleet_count(session->fleet); j++)
			hit |= fleet_visit(session->fleet, j)->plan.target_hits[i];
		if (!hit)
			return options->targets[i];
	}
	return NULL;
}

void session_plan(struct session *session)
{
	struct fleet_callbacks callbacks = {
		.ctx = session,
		.progress = on_progress,
		.begun = on_begun,
		.planned = on_planned,
	};

	fleet_plan(session->fleet, &callbacks);
	revision_wait(&session->revision);
	fleet_set_revision(session->fleet, session->revision.id);
	progress_clear(session->progress);
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (visit->planned)
			plan_summarize(&visit->plan, &session->summary);
		else
			session->failed++;
	}
	session->stray_target = find_stray_target(session);
}

void session_leave_out(struct session *session, struct visit *visit, const struct error *err)
{
	visit->planned = false;
	visit->err = *err;
	session->failed++;
	session->summary = (struct plan_summary){ 0 };
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		if (fleet_visit(session->fleet, i)->planned)
			plan_summarize(&fleet_visit(session->fleet, i)->plan, &session->summary);
	}
}

bool session_stray(const struct session *session, struct error *err)
{
	if (session->stray_target)
		error_set(err, ERROR_INVALID,
			  "--target: '%s' names nothing on the hosts that were asked",
			  session->stray_target);
	return session->stray_target != NULL;
}

void session_print_failures(const struct session *session)
{
	struct error err = ERROR_INIT;

	if (session_stray(session, &err))
		fprintf(stderr, "drey: %s\n", err.text);
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (!visit->planned)
			fprintf(stderr, "drey: %s: %s\n", visit->host->name, visit->err.text);
	}
}

void session_print_plans(const struct session *session)
{
	const struct context *context = session->context;
	struct render_options options = {
		.color = context->color,
		.all = context->options.all,
		.width = context->terminal_out ? context->columns : 0,
	};
	struct str out;

	if (session->stray_target || session->failed == fleet_count(session->fleet)) {
		session_print_failures(session);
		return;
	}
	str_init(&out, 0);
	if (set_is_local(session->set))
		str_printf(&out, "%s\n", local_note);
	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (visit->planned && (options.all || plan_has_differences(&visit->plan) ||
				       visit->plan.warning_count > 0 || visit->plan.count > 0))
			render_plan(&visit->plan, &options, &out);
	}
	render_summary(&session->summary, fleet_count(session->fleet), &out);
	str_append_char(&out, '\n');
	fputs(out.data, stdout);
	fflush(stdout);
	str_done(&out);
	session_print_failures(session);
}

static json_t *summary_json(const struct session *session)
{
	const struct plan_summary *summary = &session->summary;

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "hosts",
		(json_int_t)fleet_count(session->fleet), "failed", (json_int_t)session->failed,
		"keep", (json_int_t)summary->keep, "create", (json_int_t)summary->create, "update",
		(json_int_t)summary->update, "replace", (json_int_t)summary->replace, "remove",
		(json_int_t)summary->remove, "refuse", (json_int_t)summary->refuse, "leftover",
		(json_int_t)summary->leftover, "unfinished", (json_int_t)summary->unfinished);
}

void session_add_json(const struct session *session, json_t *document)
{
	json_t *hosts = json_array();
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);
		json_t *host = visit->planned ? render_plan_json(&visit->plan) : json_object();

		json_object_set_new(host, "host", json_string(visit->host->name));
		if (visit->err.code != ERROR_NONE)
			json_object_set_new(host, "error", output_error(&visit->err));
		json_array_append_new(hosts, host);
	}
	json_object_set_new(document, "project", json_string(set_project(session->set)));
	json_object_set_new(document, "revision", json_string(session->revision.id));
	json_object_set_new(document, "local", json_boolean(set_is_local(session->set)));
	json_object_set_new(document, "hosts", hosts);
	if (session_stray(session, &err))
		json_object_set_new(document, "error", output_error(&err));
	json_object_set_new(document, "summary", summary_json(session));
}

json_t *session_results_json(const struct session *session)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		for (size_t j = 0; j < visit->results.count; j++) {
			const struct result *result = &visit->results.items[j];
			json_t *row =
				json_pack("{s:s, s:s, s:o, s:s, s:s, s:I}", "host",
					  visit->host->name, "kind", result->action->kind->name,
					  "name", json_string(result->action->name), "verdict",
					  verdict_name(result->action->verdict), "outcome",
					  outcome_name(result->outcome), "duration_ms",
					  (json_int_t)result->duration_ms);

			if (result->err.code != ERROR_NONE)
				json_object_set_new(row, "error", output_error(&result->err));
			json_array_append_new(rows, row);
		}
	}
	return rows;
}

/* Usage errors come out of planning a host: where every host failed for the same cause the call
 * as a whole was wrong. One host for which prune would go too far stops all: the manifests are
 * likely not what was meant. */
static int planning_exit(const struct session *session)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; i < fleet_count(session->fleet); i++)
		if (fleet_visit(session->fleet, i)->plan.over_cap)
			return EXIT_REFUSED;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);

		if (visit->planned || (code != ERROR_NONE && visit->err.code != code))
			return EXIT_PARTIAL;
		code = visit->err.code;
	}
	if (code == ERROR_INVALID)
		return EXIT_USAGE;
	/* A conflict: another drey is at work on all of them. */
	return code == ERROR_REFUSED || code == ERROR_CONFLICT ? EXIT_REFUSED : EXIT_PARTIAL;
}

int session_exit(const struct session *session)
{
	if (fleet_is_cancelled(session->fleet))
		return EXIT_INTERRUPTED;
	if (session->stray_target)
		return EXIT_USAGE;
	return session->failed ? planning_exit(session) : EXIT_IN_STEP;
}

bool session_is_void(int code)
{
	return code == EXIT_INTERRUPTED || code == EXIT_USAGE || code == EXIT_REFUSED;
}

static void on_result(void *ctx, const struct visit *visit, const struct result *result)
{
	progress_result(((struct session *)ctx)->progress, visit->host->name, result);
}

static void on_executed(void *ctx, const struct visit *visit)
{
	struct session *session = ctx;

	progress_host_done(session->progress, visit->host->name);
	if (visit->err.code == ERROR_NONE || session->context->options.output == OUTPUT_JSON)
		return;
	progress_clear(session->progress);
	fprintf(stderr, "drey: %s: %s\n", visit->host->name, visit->err.text);
}

/* Of all hosts together: nothing was touched where all that there was to do was skipped. */
static int executed_exit(const struct session *session)
{
	size_t refused = 0, begun = 0, bad = 0;

	for (size_t i = 0; i < fleet_count(session->fleet); i++) {
		const struct visit *visit = fleet_visit(session->fleet, i);
		const struct results *results = &visit->results;

		begun += results->done + results->failed;
		/* One with nothing to skip had nothing to do by a plan that no longer held. */
		if (visit->err.code == ERROR_CONFLICT || visit->err.code == ERROR_REFUSED)
			refused += results->skipped + visit->planned;
		else
			begun += results->skipped;
		bad += results->failed + results->refused + results->blocked;
		bad += visit->planned && visit->err.code != ERROR_NONE;
		/* What is still there now, recovery could not finish. */
		bad += visit->plan.unfinished;
	}
	if (refused > 0 && begun == 0)
		return EXIT_REFUSED;
	return bad > 0 ? EXIT_PARTIAL : EXIT_IN_STEP;
}

int session_execute(struct session *session)
{
	struct fleet_callbacks callbacks = {
		.ctx = session,
		.progress = on_progress,
		.result = on_result,
		.executed = on_executed,
	};

	fleet_execute(session->fleet, &callbacks);
	progress_clear(session->progress);
	record_results(session);
	return exit_worst(session_exit(session), executed_exit(session));
}

int session_run(struct session *session, void (*task)(void *ctx, struct visit *visit), void *ctx)
{
	struct fleet_callbacks callbacks = { .ctx = session, .progress = on_progress };

	fleet_run(session->fleet, task, ctx, &callbacks);
	progress_clear(session->progress);
	return fleet_is_cancelled(session->fleet) ? EXIT_INTERRUPTED : EXIT_IN_STEP;
}
