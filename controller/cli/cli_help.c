/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli_help.h"

#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"

#include <string.h>

enum { INDENT = 2, OPTION_COLUMN = 28, COMMAND_COLUMN = 18, WIDEST = 100 };

const char *help_group(enum command_group group)
{
	static const char *const names[] = {
		[GROUP_FLEET] = "The fleet",
		[GROUP_MANIFESTS] = "The manifests",
		[GROUP_OTHER] = "Other",
	};

	return names[group];
}

void help_option(const struct option_row *row, struct str *out)
{
	if (row->letter)
		str_printf(out, "-%c, ", row->letter);
	str_printf(out, "--%s", row->name);
	if (row->value)
		str_printf(out, " %s", row->value);
}

static unsigned width_of(int columns)
{
	return columns > WIDEST ? WIDEST : (unsigned)columns;
}

/* "  TERM      text that goes on\n            in its column" */
static void put_entry(struct str *out, const char *term, const char *text, unsigned column,
		      int columns)
{
	size_t used = INDENT + output_width(term);

	str_printf(out, "%*s%s", INDENT, "", term);
	if (used + 2 > column)
		str_printf(out, "\n%*s", (int)column, "");
	else
		str_printf(out, "%*s", (int)(column - used), "");
	output_wrap(out, text, column, width_of(columns));
	str_append_char(out, '\n');
}

static void put_options(struct str *out, const struct option_row *const *rows, int columns)
{
	for (; rows && *rows; rows++) {
		struct str term;

		str_init(&term, 0);
		if (!(*rows)->letter)
			str_append(&term, "    ");
		help_option(*rows, &term);
		put_entry(out, term.data, (*rows)->doc, OPTION_COLUMN, columns);
		str_done(&term);
	}
}

void help_program(const struct command *const *all, int columns, struct str *out)
{
	str_append(out, "Usage: drey COMMAND [OPTION]...\n\n");
	output_wrap(out, "Keeps fleets of Docker hosts as their manifests say.", 0,
		    width_of(columns));
	str_append_char(out, '\n');
	for (enum command_group group = GROUP_FLEET; group <= GROUP_OTHER; group++) {
		str_printf(out, "\n%s:\n", help_group(group));
		for (const struct command *const *c = all; *c; c++) {
			if ((*c)->group == group && !(*c)->hidden)
				put_entry(out, (*c)->name, (*c)->summary, COMMAND_COLUMN, columns);
		}
	}
	str_append(out, "\nOptions of every command:\n");
	put_options(out, global_options, columns);
	str_append(out, "\n'drey COMMAND --help' tells more, 'drey explain KIND' what a manifest "
			"may say.\n");
}

void help_command(const struct command *command, int columns, struct str *out)
{
	str_printf(out, "Usage: drey %s %s\n\n", command->name, command->usage);
	str_printf(out, "%s.\n", command->summary);
	if (command->description) {
		str_append_char(out, '\n');
		output_wrap(out, command->description, 0, width_of(columns));
		str_append_char(out, '\n');
	}
	if (command->sub) {
		str_append(out, "\nCommands:\n");
		for (const struct command *const *c = command->sub; *c; c++)
			put_entry(out, (*c)->name, (*c)->summary, COMMAND_COLUMN, columns);
	}
	if (command->options && *command->options) {
		str_append(out, "\nOptions:\n");
		put_options(out, command->options, columns);
	}
	str_append(out, "\nOptions of every command:\n");
	put_options(out, global_options, columns);
	if (command->example) {
		str_append(out, "\nExample:\n");
		for (const char *line = command->example; *line;) {
			size_t len = strcspn(line, "\n");
			str_printf(out, "%*s%.*s\n", 2 * INDENT, "", (int)len, line);
			line += len + (line[len] == '\n');
		}
	}
}
