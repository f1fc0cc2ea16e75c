/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/reference/cli.md. */
#include "controller/cli/cli_reference.h"

#include "controller/cli/cli_help.h"
#include "controller/cli/option_rows.h"

/* In a cell of a table a bar would end the cell, and what looks like a tag would vanish. */
static void put_cell(struct str *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			str_append(out, "\\|");
		else if (*text == '<')
			str_append(out, "&lt;");
		else
			str_append_char(out, *text == '\n' ? ' ' : *text);
	}
}

static void put_options(struct str *out, const struct option_row *const *rows)
{
	if (!rows || !*rows)
		return;
	str_append(out, "\n| Option | |\n|---|---|\n");
	for (; *rows; rows++) {
		str_append(out, "| `");
		help_option(*rows, out);
		str_append(out, "` | ");
		put_cell(out, (*rows)->doc);
		str_append(out, " |\n");
	}
}

static void put_command(struct str *out, const struct command *command)
{
	str_printf(out, "\n## drey %s\n\n    drey %s %s\n\n%s.\n", command->name, command->name,
		   command->usage, command->summary);
	if (command->description)
		str_printf(out, "\n%s\n", command->description);
	put_options(out, command->options);
	if (command->example)
		str_printf(out, "\n```sh\n%s\n```\n", command->example);
	for (const struct command *const *sub = command->sub; sub && *sub; sub++)
		put_command(out, *sub);
}

static void put_remarks(struct str *out, const char *heading, const struct remark *remarks)
{
	str_printf(out, "\n## %s\n\n| | |\n|---|---|\n", heading);
	for (; remarks->name; remarks++) {
		str_printf(out, "| `%s` | ", remarks->name);
		put_cell(out, remarks->doc);
		str_append(out, " |\n");
	}
}

void reference_markdown(const struct command *const *all, struct str *out)
{
	str_append(out, "# Commands\n\n"
			"Written by `make docs` from the tables that the program itself uses.\n"
			"The forms of `-o json` are in [output.md](output.md).\n");
	for (enum command_group group = GROUP_FLEET; group <= GROUP_OTHER; group++) {
		for (const struct command *const *c = all; *c; c++) {
			if ((*c)->group == group && !(*c)->hidden)
				put_command(out, *c);
		}
	}
	str_append(out, "\n## Options of every command\n");
	put_options(out, global_options);
	put_remarks(out, "Exit codes", remarks_exit);
	str_append(out, "\nOf several the most serious is returned: 2 over 4 over 3 over 1.\n");
	put_remarks(out, "Environment", remarks_environment);
}
