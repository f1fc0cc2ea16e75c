/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/annotation.h"
#include "controller/cli/cli_help.h"
#include "controller/cli/options.h"
#include "controller/cli/output.h"
#include "controller/plan/render_markdown.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const struct command command_version;

int exit_worst(int a, int b)
{
	static const int order[] = { EXIT_INTERRUPTED, EXIT_USAGE, EXIT_REFUSED, EXIT_PARTIAL,
				     EXIT_DIFFERENCES };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (a == order[i] || b == order[i])
			return order[i];
	}
	return a > b ? a : b;
}

void command_print_failure(const struct context *context, const char *text)
{
	struct str out;

	str_init(&out, 0);
	if (context->options.output == OUTPUT_MARKDOWN)
		render_markdown_error(command_name(context->command), text, &out);
	else if (context->options.output == OUTPUT_GITHUB)
		annotate(context, ANNOTATION_ERROR, NULL, command_name(context->command), text,
			 &out);
	fputs(out.data, stdout);
	str_done(&out);
}

int command_fail(const struct context *context, enum exit_code code, const struct error *err)
{
	if (output_is_document(context)) {
		json_t *document = output_document(context);

		json_object_set_new(document, "exit", json_integer(code));
		json_object_set_new(document, "error", output_error(err));
		output_print(context, document);
		return code;
	}
	command_print_failure(context, err->text);
	fprintf(stderr, "drey: %s\n", err->text);
	return code;
}

static int show_help(const struct command *const *all, const struct context *context)
{
	struct str text;

	str_init(&text, 0);
	if (context->command)
		help_command(context->command, context->columns, &text);
	else
		help_program(all, context->columns, &text);
	fputs(text.data, stdout);
	str_done(&text);
	return EXIT_IN_STEP;
}

static int bad_usage(const struct context *context, struct error *err)
{
	const struct command *command = context->command;

	/* A guess at what was meant is hint enough. */
	if (!str_has_suffix(err->text, "?"))
		error_hint(err, "see 'drey %s%s--help'", command_name(command), command ? " " : "");
	return command_fail(context, EXIT_USAGE, err);
}

static int dispatch(const struct command *const *all, struct context *context, int argc,
		    char **argv)
{
	struct error err = ERROR_INIT;
	int parsed = options_parse(all, argc, argv, context, &err);
	int verbose = context->options.verbose;

	output_init(context);
	log_init(&context->log, verbose > 1 ? LOG_LEVEL_DEBUG
				: verbose   ? LOG_LEVEL_INFO
					    : LOG_LEVEL_WARNING);
	if (parsed < 0)
		return bad_usage(context, &err);
	if (context->options.help)
		return show_help(all, context);
	if (context->options.version)
		context->command = &command_version;
	if (!context->command) {
		error_set(&err, ERROR_INVALID, "no command was given");
		return bad_usage(context, &err);
	}
	return context->command->run(context);
}

static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

/* Output that did not reach the disk is a failure; a reader who has seen enough is none. What was
 * flushed earlier failed unheard, and its errno is gone. */
static int finish_output(int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	int cause = errno;
	if (cause == EPIPE || reader_is_gone())
		return code;
	fprintf(stderr, "drey: the output can't be written%s%s\n", cause ? ": " : "",
		cause ? strerror(cause) : "");
	return exit_worst(code, EXIT_PARTIAL);
}

int cli_main(const struct command *const *all, int argc, char **argv)
{
	struct context context = { .arena = arena_new() };

	setlocale(LC_CTYPE, "C.UTF-8");
	/* A pager that is closed, or an engine that hangs up, must not end an apply midway. */
	signal(SIGPIPE, SIG_IGN);
	int code = dispatch(all, &context, argc, argv);
	arena_free(context.arena);
	return finish_output(code);
}
