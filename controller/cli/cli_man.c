/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey(1) in the man macros: man(7), groff_man(7). */
#include "controller/cli/cli_reference.h"

#include "controller/cli/cli_help.h"
#include "controller/cli/option_rows.h"

#include <string.h>

static void put_char(struct str *out, char c)
{
	if (c == '\\')
		str_append(out, "\\e");
	else if (c == '-')
		str_append(out, "\\-");
	else
		str_append_char(out, c);
}

/* Lines as roff takes them literally. What stands in `...` becomes bold, an empty line a
 * paragraph. */
static void put_text(struct str *out, const char *text)
{
	bool line_start = true, bold = false;

	while (*text) {
		if (str_has_prefix(text, "\n\n")) {
			str_append(out, "\n.PP\n");
			text += 2;
			line_start = true;
			continue;
		}
		if (line_start && (*text == '.' || *text == '\''))
			str_append(out, "\\&");
		line_start = *text == '\n';
		if (*text == '`') {
			bold = !bold;
			str_append(out, bold ? "\\fB" : "\\fR");
		} else {
			put_char(out, *text);
		}
		text++;
	}
	str_append_char(out, '\n');
}

static void put_option(struct str *out, const struct option_row *row)
{
	str_append(out, ".TP\n");
	if (row->letter)
		str_printf(out, "\\fB\\-%c\\fR, ", row->letter);
	str_append(out, "\\fB");
	for (const char *p = "--"; *p; p++)
		put_char(out, *p);
	for (const char *p = row->name; *p; p++)
		put_char(out, *p);
	str_append(out, "\\fR");
	if (row->value)
		str_printf(out, " \\fI%s\\fR", row->value);
	str_append_char(out, '\n');
	put_text(out, row->doc);
}

static void put_options(struct str *out, const struct option_row *const *rows)
{
	for (; rows && *rows; rows++)
		put_option(out, *rows);
}

static void put_command(struct str *out, const struct command *command)
{
	str_printf(out, ".SS drey %s %s\n", command->name, command->usage);
	str_printf(out, "%s.\n", command->summary);
	if (command->description) {
		str_append(out, ".PP\n");
		put_text(out, command->description);
	}
	put_options(out, command->options);
	if (command->example) {
		str_append(out, ".PP\nExample:\n.PP\n.nf\n.RS\n");
		put_text(out, command->example);
		str_append(out, ".RE\n.fi\n");
	}
	for (const struct command *const *sub = command->sub; sub && *sub; sub++)
		put_command(out, *sub);
}

static void put_remarks(struct str *out, const char *heading, const struct remark *remarks)
{
	str_printf(out, ".SH %s\n", heading);
	for (; remarks->name; remarks++) {
		str_printf(out, ".TP\n\\fB%s\\fR\n", remarks->name);
		put_text(out, remarks->doc);
	}
}

void reference_man(const struct command *const *all, struct str *out)
{
	str_printf(out, ".TH DREY 1 \"\" \"drey %s\" \"User Commands\"\n", DREY_VERSION);
	str_append(out, ".SH NAME\ndrey \\- keep fleets of Docker hosts as their manifests say\n"
			".SH SYNOPSIS\n\\fBdrey\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
			".SH DESCRIPTION\n");
	put_text(out,
		 "Reads manifests (YAML) from a directory, looks at what the Docker Engine of each "
		 "host really runs, shows the difference field by field, and closes it: once, or "
		 "for "
		 "ever as a controller. Hosts are reached by SSH; nothing of drey is installed on "
		 "them.\n\nWhat manifests may say is told by `drey explain`.");
	for (enum command_group group = GROUP_FLEET; group <= GROUP_OTHER; group++) {
		str_printf(out, ".SH COMMANDS: %s\n", help_group(group));
		for (const struct command *const *c = all; *c; c++) {
			if ((*c)->group == group && !(*c)->hidden)
				put_command(out, *c);
		}
	}
	str_append(out, ".SH OPTIONS OF EVERY COMMAND\n");
	put_options(out, global_options);
	put_remarks(out, "EXIT STATUS", remarks_exit);
	str_append(out, ".PP\nOf several the most serious is returned: 2 over 4 over 3 over 1.\n");
	put_remarks(out, "ENVIRONMENT", remarks_environment);
	str_append(out, ".SH SEE ALSO\n\\fBdockerd\\fR(8), \\fBssh_config\\fR(5)\n");
}
