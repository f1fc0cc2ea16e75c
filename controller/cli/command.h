/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command is one file with one `const struct command command_NAME`. Options are rows: from them
 * come parsing, --help, the man page, shell completion and the reference page.
 */
#pragma once

#include "controller/base/error.h"
#include "controller/base/log.h"

#include <stdbool.h>
#include <stddef.h>

/* The same everywhere. When several apply: 2 over 4 over 3 over 1. */
enum exit_code {
	EXIT_IN_STEP = 0,     /* in step, or done */
	EXIT_DIFFERENCES = 1, /* diff: differences found */
	EXIT_USAGE = 2,       /* bad usage or bad manifests */
	EXIT_PARTIAL = 3,     /* some hosts unreachable, some actions refused or failed */
	EXIT_REFUSED = 4,     /* refused as a whole: nothing was touched */
	EXIT_INTERRUPTED = 130,
};

enum output { OUTPUT_HUMAN, OUTPUT_JSON };

enum option_type { OPTION_FLAG, OPTION_STRING, OPTION_INT, OPTION_LIST, OPTION_CHOICE };

/* Values of the options of one call. One struct for all commands: a row's offset says where. */
struct options {
	const char *dir;      /* -f, --file DIR */
	const char *state;    /* --state DIR */
	const char **hosts;   /* --host NAME, repeated or a,b */
	size_t host_count;
	const char *host_selector; /* --host-selector k=v */
	const char *selector; /* --selector k=v: resources */
	const char **targets; /* --target KIND/NAME[@HOST] */
	size_t target_count;
	enum output output;   /* -o human|json */
	bool yes, prune, local, all, no_color, quiet, watch_once;
	int verbose;
	int parallel;
	int max_removals; /* percent */
	int limit;
	const char *interval; /* controller: duration of the periodic resync */
	const char *from;     /* backup restore: which */
	char **args;          /* positional */
	int arg_count;
	bool rest;            /* args came after -- */
};

struct option_row {
	char letter; /* 0: none */
	const char *name;
	enum option_type type;
	size_t offset;       /* into struct options; lists: of the array, its count follows */
	const char *value;   /* "DIR", "NAME"; NULL for flags */
	const char *const *choices; /* OPTION_CHOICE: stored as its index */
	const char *complete; /* what the shell completes: "dir", "host", "file", NULL */
	const char *doc;      /* one sentence */
};

struct context {
	struct options options;
	struct logger log;
	bool terminal_in, terminal_out, color;
	int columns;
};

struct command {
	const char *name;
	const char *usage;   /* "[OPTION]... -f DIR" */
	const char *summary; /* one line */
	const char *description; /* paragraphs for help and man page */
	const struct option_row *const *options; /* NULL-terminated */
	const char *example; /* shell lines */
	int min_args, max_args; /* -1: any */
	/* Returns an enum exit_code; has printed its errors itself (see command_fail). */
	int (*run)(struct context *context);
};

/* Every command, NULL-terminated, in the order of help. */
extern const struct command *const commands[];

/* Prints "drey: TEXT" on stderr (or {"error":…} with -o json) and returns the exit code. */
int command_fail(const struct context *context, enum exit_code code, const struct error *err);
/* The more serious of two: 2 over 4 over 3 over 1 over 0; 130 over all. */
int exit_worst(int a, int b);
