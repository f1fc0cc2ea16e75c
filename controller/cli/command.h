/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command is one file with one `const struct command command_NAME`. Options are rows: from them
 * come parsing, --help, the man page, shell completion and the reference page.
 */
#pragma once

#include "controller/base/arena.h"
#include "controller/base/error.h"
#include "controller/base/log.h"

#include <stdbool.h>
#include <stddef.h>

/* The same everywhere. When several apply: 2 over 4 over 3 over 1. */
enum exit_code {
	EXIT_IN_STEP = 0,     /* in step, or done */
	EXIT_DIFFERENCES = 1, /* diff: differences found */
	EXIT_USAGE = 2,	      /* bad usage or bad manifests */
	EXIT_PARTIAL = 3,     /* some hosts unreachable, some actions refused or failed */
	EXIT_REFUSED = 4,     /* refused as a whole: nothing was touched */
	EXIT_INTERRUPTED = 130,
};

/* Which of them a command has is up to its option's row. */
enum output { OUTPUT_HUMAN, OUTPUT_JSON, OUTPUT_GITHUB, OUTPUT_YAML, OUTPUT_MARKDOWN };

enum option_type {
	OPTION_FLAG,   /* bool */
	OPTION_COUNT,  /* int: how often it was given */
	OPTION_STRING, /* const char * */
	OPTION_INT,    /* int within min..max */
	OPTION_LIST,   /* const char ** and a size_t after it; repeated or separated by commas */
	OPTION_CHOICE, /* enum: the index in choices */
};

/* Values of the options of one call. One struct for all commands: a row's offset says where. */
struct options {
	const char *dir;    /* -f, --file DIR; NULL: not given, "." for load_manifests() */
	const char *state;  /* --state DIR */
	const char **hosts; /* --host NAME, repeated or a,b */
	size_t host_count;
	const char *host_selector; /* --host-selector k=v */
	const char *selector;	   /* --selector k=v: resources */
	const char **targets;	   /* --target KIND/NAME[@HOST] */
	size_t target_count;
	enum output output; /* -o human|json|... */
	bool yes, prune, local, all, no_color, quiet, watch_once;
	bool help, version;
	bool wait;	     /* apply --wait */
	const char *timeout; /* apply --timeout DURATION, of --wait */
	bool from_plan;	     /* apply PLAN: the options are those that the plan was made with */
	int verbose;
	int parallel;
	const char *max_failures; /* "2" or "10%" */
	const char *lock_timeout; /* duration */
	int max_removals;	  /* percent */
	int limit;
	const char *interval; /* controller: duration of the periodic resync */
	const char *from;     /* backup restore: which */
	const char *project;  /* --project NAME: of the state's rows; import: of the manifests */
	const char *out;      /* diff --out FILE: the plan is saved there; import --out DIR */
	const char
		*plan_key_file; /* --plan-key-file FILE: what a plan's secrets are digested with */
	const char *identity_file, *known_hosts; /* import: of a host given by its address */
	char **args;				 /* positional, NULL-terminated */
	int arg_count;
	bool rest; /* there was a --: args[rest_at] and on came after it */
	int rest_at;
};

/* The rows that several commands take are in controller/cli/option_rows.h. */
struct option_row {
	char letter; /* 0: none */
	const char *name;
	enum option_type type;
	size_t offset;	   /* into struct options; lists: of the array, its count follows */
	const char *value; /* "DIR", "NAME"; NULL for flags */
	const char *const *choices; /* OPTION_CHOICE: stored as its index */
	int min, max;		    /* OPTION_INT */
	const char *complete;	    /* what the shell completes: "dir", "file", "host", "resource",
				       "backup", NULL */
	const char *doc;	    /* one sentence */
};

struct command;

/* One call of drey, made by cli_main() and handed to the command. */
struct context {
	const struct command *command; /* the innermost: "run" of "backup run" */
	struct options options;
	struct arena *arena; /* lives as long as the command runs */
	struct logger log;
	bool terminal_in, terminal_out, color;
	int columns; /* of the terminal; 80 where there is none */
};

/* Where a command stands in the help. */
enum command_group { GROUP_FLEET, GROUP_MANIFESTS, GROUP_OTHER };

struct command {
	const char *name; /* of a subcommand both words: "backup run" */
	enum command_group group;
	bool hidden;		 /* not in the help, the man page or the completion */
	const char *usage;	 /* "[OPTION]... -f DIR" */
	const char *summary;	 /* one line */
	const char *description; /* paragraphs for help and man page */
	const struct option_row *const *options; /* NULL-terminated */
	const char *example;			 /* shell lines */
	int min_args, max_args;			 /* -1: any */
	const char *complete; /* what the shell completes as arguments, as in option_row; or a
			       * list of words: "=bash zsh fish" */
	/* "backup run|list|restore": NULL-terminated; the command itself then has no `run`. */
	const struct command *const *sub;
	/* Returns an enum exit_code; has printed its errors itself (see command_fail). */
	int (*run)(struct context *context);
};

/* Every command, NULL-terminated. The Makefile makes the list: whatever file of controller/cli
 * defines a `const struct command command_NAME` is in it. */
extern const struct command *const commands[];

/* Prints "drey: TEXT" on stderr (with -o json and its like the same on
 * stdout) and returns the code. */
int command_fail(const struct context *context, enum exit_code code, const struct error *err);
/* Why a command failed as a whole, on stdout, where its form is markdown or github. */
void command_print_failure(const struct context *context, const char *text);
/* The more serious of two: 2 over 4 over 3 over 1 over 0; 130 over all. */
int exit_worst(int a, int b);
