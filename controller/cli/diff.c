/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey diff: what would change. Changes nothing anywhere and pulls nothing. */
#include "controller/cli/option_rows.h"
#include "controller/cli/plan_file.h"
#include "controller/cli/plan_output.h"
#include "controller/cli/session.h"

static bool has_differences(const struct plan_summary *summary)
{
	return summary->create + summary->update + summary->replace + summary->remove +
		       summary->refuse + summary->unfinished >
	       0;
}

static int run_diff(struct context *context)
{
	struct fleet_options preset = { .begin = true };
	struct session session;

	int code = session_start(&session, context, &preset);
	if (code != EXIT_IN_STEP)
		return code;
	session_plan(&session);
	code = exit_worst(session_exit(&session),
			  has_differences(&session.summary) ? EXIT_DIFFERENCES : EXIT_IN_STEP);
	if (context->options.out && !session_is_void(code))
		code = exit_worst(code, plan_file_save(&session, context->options.out));
	plan_output(&session, code, false);
	session_done(&session);
	return code;
}

static const struct option_row opt_out = {
	.name = "out",
	.type = OPTION_STRING,
	.offset = offsetof(struct options, out),
	.value = "FILE",
	.complete = "file",
	.doc = "Save the plan, for `drey apply FILE` to carry out exactly, or not at all.",
};

static const struct option_row *const diff_options[] = {
	&opt_file,  &opt_host,		&opt_host_selector, &opt_selector,    &opt_target,
	&opt_prune, &opt_max_removals,	&opt_local,	    &opt_all,	      &opt_parallel,
	&opt_out,   &opt_plan_key_file, &opt_state,	    &opt_output_plan, NULL,
};

const struct command command_diff = {
	.name = "diff",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... [-f DIR]",
	.summary = "Show what differs between the manifests and the engines",
	.description =
		"Compares every field of every resource with what the engines really run, and "
		"shows what `drey apply` would do. Nothing is changed anywhere and nothing is "
		"pulled: what only an absent image can tell shows as known after pull.\n\n"
		"With --out the plan is also saved. It holds no secret; `drey apply FILE` carries "
		"it out as long as manifests and hosts are what they were.\n\n"
		"The exit code is 0 when all is in step, 1 when there are differences, 3 when a "
		"host could not be asked.",
	.options = diff_options,
	.example = "drey diff -f fleet --host edge-1,edge-2\n"
		   "drey diff -f fleet --out plan.json",
	.run = run_diff,
};
