/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/option_rows.h"

#include <limits.h>

#define AT(member) offsetof(struct options, member)

/* By enum output. */
static const char *const outputs[] = { "human", "json", NULL };
static const char *const fault_outputs[] = { "human", "json", "github", NULL };
static const char *const plan_outputs[] = { "human", "json", "github", "yaml", "markdown", NULL };

const struct option_row opt_file = {
	.letter = 'f',
	.name = "file",
	.type = OPTION_STRING,
	.offset = AT(dir),
	.value = "DIR",
	.complete = "dir",
	.doc = "Directory with the manifests; the current one if not given.",
};

const struct option_row opt_state = {
	.name = "state",
	.type = OPTION_STRING,
	.offset = AT(state),
	.value = "DIR",
	.complete = "dir",
	.doc = "Where drey keeps conditions and history: $DREY_STATE_DIR, else "
	       "$XDG_STATE_HOME/drey, "
	       "else /var/lib/drey for root and ~/.local/state/drey for others.",
};

const struct option_row opt_project = {
	.name = "project",
	.type = OPTION_STRING,
	.offset = AT(project),
	.value = "NAME",
	.doc = "Only what belongs to this project.",
};

const struct option_row opt_host = {
	.name = "host",
	.type = OPTION_LIST,
	.offset = AT(hosts),
	.value = "NAME",
	.complete = "host",
	.doc = "Only these hosts; may be repeated or hold several names separated by commas.",
};

const struct option_row opt_host_selector = {
	.name = "host-selector",
	.type = OPTION_STRING,
	.offset = AT(host_selector),
	.value = "SELECTOR",
	.doc = "Only hosts whose labels match: KEY=VALUE, KEY!=VALUE or KEY, separated by commas.",
};

const struct option_row opt_selector = {
	.name = "selector",
	.letter = 'l',
	.type = OPTION_STRING,
	.offset = AT(selector),
	.value = "SELECTOR",
	.doc = "Only resources whose metadata.labels match, written as for --host-selector.",
};

const struct option_row opt_target = {
	.name = "target",
	.letter = 't',
	.type = OPTION_LIST,
	.offset = AT(targets),
	.value = "KIND/NAME[@HOST]",
	.complete = "resource",
	.doc = "Only these resources; may be repeated.",
};

const struct option_row opt_output = {
	.letter = 'o',
	.name = "output",
	.type = OPTION_CHOICE,
	.offset = AT(output),
	.value = "FORM",
	.choices = outputs,
	.doc = "Form of the output: human or json.",
};

const struct option_row opt_output_faults = {
	.letter = 'o',
	.name = "output",
	.type = OPTION_CHOICE,
	.offset = AT(output),
	.value = "FORM",
	.choices = fault_outputs,
	.doc = "Form of the output: human, json, or github (annotations of GitHub Actions).",
};

const struct option_row opt_output_plan = {
	.letter = 'o',
	.name = "output",
	.type = OPTION_CHOICE,
	.offset = AT(output),
	.value = "FORM",
	.choices = plan_outputs,
	.doc = "Form of the output: human, json, yaml, markdown (for a comment on a pull request) "
	       "or github (annotations of GitHub Actions).",
};

const struct option_row opt_yes = {
	.letter = 'y',
	.name = "yes",
	.type = OPTION_FLAG,
	.offset = AT(yes),
	.doc = "Do not ask; never agrees to a loss of data.",
};

const struct option_row opt_local = {
	.name = "local",
	.type = OPTION_FLAG,
	.offset = AT(local),
	.doc = "Manifests without a Host mean the engine of this machine; needed where there is no "
	       "terminal to ask on.",
};

const struct option_row opt_prune = {
	.name = "prune",
	.type = OPTION_FLAG,
	.offset = AT(prune),
	.doc = "Remove what drey made and the manifests no longer declare; never volumes.",
};

const struct option_row opt_max_removals = {
	.name = "max-removals",
	.type = OPTION_INT,
	.offset = AT(max_removals),
	.value = "PERCENT",
	.min = 1,
	.max = 100,
	.doc = "Refuse to remove more than this share of a host's resources, if they are more than "
	       "three; 10 if not given.",
};

const struct option_row opt_all = {
	.letter = 'a',
	.name = "all",
	.type = OPTION_FLAG,
	.offset = AT(all),
	.doc = "Show also what is in step.",
};

const struct option_row opt_parallel = {
	.name = "parallel",
	.type = OPTION_INT,
	.offset = AT(parallel),
	.value = "N",
	.min = 1,
	.max = 1024,
	.doc = "Hosts at a time; 32 if not given.",
};

const struct option_row opt_max_failures = {
	.name = "max-failures",
	.type = OPTION_STRING,
	.offset = AT(max_failures),
	.value = "N|PERCENT%",
	.doc = "Begin no further host once changes have failed on so many, or on such a share; 1 "
	       "if not given. Hosts that can't be reached don't count.",
};

const struct option_row opt_lock_timeout = {
	.name = "lock-timeout",
	.type = OPTION_STRING,
	.offset = AT(lock_timeout),
	.value = "DURATION",
	.doc = "How long to wait where another drey is changing the same engine, such as 5m; 90s "
	       "if not given, 0s not to wait.",
};

const struct option_row opt_limit = {
	.letter = 'n',
	.name = "limit",
	.type = OPTION_INT,
	.offset = AT(limit),
	.value = "N",
	.min = 1,
	.max = INT_MAX,
	.doc = "Show at most this many rows, the newest.",
};

const struct option_row opt_interval = {
	.name = "interval",
	.type = OPTION_STRING,
	.offset = AT(interval),
	.value = "DURATION",
	.doc = "Look at every host again after this time even if nothing was heard, such as 5m.",
};

const struct option_row opt_plan_key_file = {
	.name = "plan-key-file",
	.type = OPTION_STRING,
	.offset = AT(plan_key_file),
	.value = "FILE",
	.complete = "file",
	.doc = "Key with which saved plans are sealed and their secrets digested, 32 bytes at "
	       "least; else $DREY_PLAN_KEY, else plan.key in the state directory.",
};

static const struct option_row opt_help = {
	.letter = 'h',
	.name = "help",
	.type = OPTION_FLAG,
	.offset = AT(help),
	.doc = "Show what a command does and takes.",
};

static const struct option_row opt_version = {
	.name = "version",
	.type = OPTION_FLAG,
	.offset = AT(version),
	.doc = "Show the version of drey.",
};

static const struct option_row opt_verbose = {
	.letter = 'v',
	.name = "verbose",
	.type = OPTION_COUNT,
	.offset = AT(verbose),
	.doc = "Log more on standard error; twice for all there is.",
};

static const struct option_row opt_quiet = {
	.letter = 'q',
	.name = "quiet",
	.type = OPTION_FLAG,
	.offset = AT(quiet),
	.doc = "No progress and no warnings; errors and results only.",
};

static const struct option_row opt_no_color = {
	.name = "no-color",
	.type = OPTION_FLAG,
	.offset = AT(no_color),
	.doc = "No colours; $NO_COLOR does the same.",
};

const struct option_row *const global_options[] = {
	&opt_help, &opt_version, &opt_verbose, &opt_quiet, &opt_no_color, NULL,
};
