/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of options that several commands take: the same name means the same everywhere. */
#pragma once

#include "controller/cli/command.h"

extern const struct option_row opt_file;	  /* -f, --file DIR */
extern const struct option_row opt_state;	  /* --state DIR */
extern const struct option_row opt_project;	  /* --project NAME */
extern const struct option_row opt_host;	  /* --host NAME */
extern const struct option_row opt_host_selector; /* --host-selector SELECTOR */
extern const struct option_row opt_selector;	  /* --selector SELECTOR */
extern const struct option_row opt_target;	  /* --target KIND/NAME[@HOST] */
extern const struct option_row opt_output;	  /* -o, --output human|json */
extern const struct option_row opt_output_faults; /* the same, and github */
extern const struct option_row opt_output_plan;	  /* the same, and yaml, markdown */
extern const struct option_row opt_yes;		  /* -y, --yes */
extern const struct option_row opt_local;	  /* --local */
extern const struct option_row opt_prune;	  /* --prune */
extern const struct option_row opt_max_removals;  /* --max-removals PERCENT */
extern const struct option_row opt_all;		  /* -a, --all */
extern const struct option_row opt_parallel;	  /* --parallel N */
extern const struct option_row opt_max_failures;  /* --max-failures N|PERCENT% */
extern const struct option_row opt_lock_timeout;  /* --lock-timeout DURATION */
extern const struct option_row opt_limit;	  /* --limit N */
extern const struct option_row opt_interval;	  /* --interval DURATION */
extern const struct option_row opt_plan_key_file; /* --plan-key-file FILE */

/* Taken by every command and not listed by any: --help, --verbose, --quiet, --no-color.
 * NULL-terminated. */
extern const struct option_row *const global_options[];
