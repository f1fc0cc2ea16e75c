/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey apply: shows the plan, asks, carries it out. */
#include "controller/backup/backup.h"
#include "controller/base/mem.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/option_values.h"
#include "controller/cli/plan_file.h"
#include "controller/cli/plan_output.h"
#include "controller/cli/session.h"
#include "controller/cli/wait.h"

static size_t changes_of(const struct plan_summary *summary)
{
	return summary->create + summary->update + summary->replace + summary->remove +
	       summary->unfinished;
}

static int confirm(struct session *session)
{
	CLEANUP(cleanup_free)
	char *question = xasprintf("Carry this out on project %s?", set_project(session->set));

	return session_confirm(session, question);
}

/* What was planned, once the session stands: shown, agreed to, carried out. `saved` may be NULL;
 * timeout_ms 0: nothing is waited for. */
static int carry_out(struct session *session, const json_t *saved, int64_t timeout_ms)
{
	bool human = session->context->options.output == OUTPUT_HUMAN;
	int code;

	session_plan(session);
	code = session_exit(session);
	if (saved && !session_is_void(code)) {
		code = plan_file_check(session, saved);
		if (code != EXIT_IN_STEP)
			return code;
		code = session_exit(session);
	}
	if (human)
		plan_output(session, code, false);
	/* What the plan was told to look for is no longer there. */
	if (saved && code == EXIT_USAGE)
		code = EXIT_REFUSED;
	if (!session_is_void(code)) {
		int consent = changes_of(&session->summary) > 0 ? confirm(session) : EXIT_IN_STEP;

		if (consent != EXIT_IN_STEP)
			return exit_worst(code, consent);
		code = exit_worst(code, session_execute(session));
		if (timeout_ms > 0 && code != EXIT_INTERRUPTED) {
			code = exit_worst(code, session_wait(session, timeout_ms));
			session_print_not_ready(session);
		}
	}
	if (!human)
		plan_output(session, code, true);
	return code;
}

/* 0 without --wait. */
static int read_timeout(const struct context *context, int64_t *ret_ms)
{
	const struct options *options = &context->options;
	struct error err = ERROR_INIT;
	int ret = 0;

	*ret_ms = options->wait ? WAIT_DEFAULT_MS : 0;
	if (options->timeout && !options->wait)
		ret = error_set(&err, ERROR_INVALID, "--timeout is of --wait, which was not given");
	else if (options->timeout)
		ret = option_duration("--timeout", options->timeout, WAIT_MIN_MS, WAIT_MAX_MS,
				      ret_ms, &err);
	return ret < 0 ? command_fail(context, EXIT_USAGE, &err) : EXIT_IN_STEP;
}

static int run_apply(struct context *context)
{
	struct fleet_options preset = {
		.write = true,
		.begin = true,
		.backup = backup_before_change,
	};
	struct session session;
	json_t *saved = NULL;
	int64_t timeout_ms = 0;

	int code = read_timeout(context, &timeout_ms);
	if (code == EXIT_IN_STEP && context->options.arg_count > 0)
		code = plan_file_load(context, context->options.args[0], &saved);
	if (code == EXIT_IN_STEP)
		code = session_start(&session, context, &preset);
	if (code == EXIT_IN_STEP) {
		code = session_lock(&session);
		if (code == EXIT_IN_STEP)
			code = carry_out(&session, saved, timeout_ms);
		session_done(&session);
	}
	json_decref(saved);
	return code;
}

static const struct option_row opt_wait = {
	.name = "wait",
	.type = OPTION_FLAG,
	.offset = offsetof(struct options, wait),
	.doc = "Wait until every container that was chosen is ready: running, healthy where it "
	       "has a health check, done where its state is completed.",
};

static const struct option_row opt_timeout = {
	.name = "timeout",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, timeout),
	.value = "DURATION",
	.doc = "How long --wait waits, such as 90s; 5m if not given.",
};

static const struct option_row *const apply_options[] = {
	&opt_file,     &opt_host,	  &opt_host_selector, &opt_selector, &opt_target,
	&opt_prune,    &opt_max_removals, &opt_local,	      &opt_yes,	     &opt_all,
	&opt_parallel, &opt_max_failures, &opt_lock_timeout,  &opt_state,    &opt_plan_key_file,
	&opt_wait,     &opt_timeout,	  &opt_output_plan,   NULL,
};

const struct command command_apply = {
	.name = "apply",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... [-f DIR] [PLAN]",
	.summary = "Bring the engines into step with the manifests",
	.description =
		"Shows the plan as `drey diff` does, asks, and carries it out, host by host at "
		"the same time. A failure on one host holds up no other. Without a terminal "
		"nobody can be asked, and --yes is needed.\n\n"
		"With a PLAN that `drey diff --out` has saved, exactly that is carried out, "
		"without "
		"asking; when manifests or hosts are no longer what it saw, nothing is, the exit "
		"code is 4, and each thing that has moved is told.\n\n"
		"The exit code is 0 when all is in step afterwards, 3 when a host could not be "
		"reached, an action failed or was refused, or something was not ready in time, 4 "
		"when nothing was touched. An engine that another drey is changing is waited for, "
		"as --lock-timeout says; where changes "
		"fail, --max-failures keeps them from the hosts that are not begun yet.",
	.options = apply_options,
	.example = "drey apply -f fleet\ndrey apply -f fleet --yes --prune\n"
		   "drey apply -f fleet plan.json",
	.max_args = 1,
	.complete = "file",
	.run = run_apply,
};
