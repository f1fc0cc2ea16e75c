/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey controller: keeps the engines as the manifests say, until it is told to end. */
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "controller/cli/option_values.h"
#include "controller/cli/revision.h"
#include "controller/loop/loop.h"
#include "controller/state/state.h"

enum {
	INTERVAL_MIN_MS = 1000,
	INTERVAL_MAX_MS = 7 * 24 * 3600 * 1000,
	MAX_REMOVALS_DEFAULT = 10, /* percent */
};

static void read_revision(const char *dir, const char *digest, char **ret_id, char **ret_subject)
{
	struct revision revision;

	revision_read(dir, digest, &revision);
	*ret_id = TAKE(revision.id);
	*ret_subject = TAKE(revision.subject);
	revision_done(&revision);
}

static int exit_of(const struct error *err)
{
	switch (err->code) {
	case ERROR_REFUSED:
		return EXIT_REFUSED;
	case ERROR_NOT_FOUND:
	case ERROR_INVALID:
		return EXIT_USAGE;
	default:
		return EXIT_PARTIAL;
	}
}

static int run_controller(struct context *context)
{
	const struct options *given = &context->options;
	CLEANUP(cleanup_free) char *state_dir = state_default_dir(given->state);
	struct error err = ERROR_INIT;
	struct loop_options options = {
		.dir = load_dir(context),
		.state_dir = state_dir,
		.log = &context->log,
		.parallel = given->parallel,
		.interval_ms = LOOP_INTERVAL_DEFAULT_MS,
		.max_removals_percent =
			given->max_removals ? given->max_removals : MAX_REMOVALS_DEFAULT,
		.local = given->local || context->terminal_out,
		.version = DREY_VERSION,
		.read_revision = read_revision,
	};

	if (given->interval && option_duration("--interval", given->interval, INTERVAL_MIN_MS,
					       INTERVAL_MAX_MS, &options.interval_ms, &err) < 0)
		return command_fail(context, EXIT_USAGE, &err);
	/* A service logs what it does; --quiet leaves what went wrong. */
	if (!given->quiet && context->log.level < LOG_LEVEL_INFO)
		context->log.level = LOG_LEVEL_INFO;
	if (loop_run(&options, &err) < 0)
		return command_fail(context, exit_of(&err), &err);
	return EXIT_IN_STEP;
}

static const struct option_row *const controller_options[] = {
	&opt_file, &opt_interval, &opt_parallel, &opt_max_removals, &opt_local, &opt_state, NULL,
};

const struct command command_controller = {
	.name = "controller",
	.group = GROUP_FLEET,
	.usage = "[OPTION]... [-f DIR]",
	.summary = "Keep the engines as the manifests say, until told to end",
	.description =
		"Watches the directory and the engines' events, and puts right what is out of "
		"step: a new commit, a container that somebody stopped, removed, changed or "
		"renamed, a network that was cut. A container that was stopped or renamed is left "
		"for a second first, and restarting it to the engine's own policy. Every host is "
		"looked at again after --interval, whatever was heard.\n\n"
		"Manifests that are broken are reported with their place; what was loaded last "
		"stays in force. A host that can't be reached is tried again, ever more rarely, "
		"and holds up no other. What fails in the same way three times, a replacement "
		"that failed once, and what comes back eight times within two minutes each, is "
		"left until manifest, image or host change. Leftovers are removed only where the "
		"Project says prune.\n\n"
		"SIGTERM and SIGINT end it at the next safe point, a second one at once; SIGHUP "
		"loads the manifests again. `drey status` and `drey history` show what it "
		"found and did.",
	.options = controller_options,
	.example = "drey controller -f /etc/drey\ndrey controller -f fleet --interval 10m",
	.run = run_controller,
};
