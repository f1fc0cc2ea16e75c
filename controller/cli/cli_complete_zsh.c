/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A completion function for zsh: zshcompsys(1), _arguments. */
#include "controller/cli/cli_reference.h"

#include "controller/base/mem.h"
#include "controller/cli/option_rows.h"

#include <string.h>

/* Within single quotes and _arguments' brackets. */
static void put_doc(struct str *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			str_printf(out, "\\%c", *text);
		else if (*text == '\'')
			str_append(out, "'\\''");
		else
			str_append_char(out, *text);
	}
}

/* The action that completes it. */
static void put_action(struct str *out, const char *what)
{
	if (strcmp(what, "dir") == 0)
		str_append(out, "_files -/");
	else if (strcmp(what, "file") == 0)
		str_append(out, "_files");
	else if (what[0] == '=')
		str_printf(out, "(%s)", what + 1);
	else
		str_printf(out, "_drey_ask %ss", what);
}

static void put_value(struct str *out, const struct option_row *row)
{
	if (!row->value)
		return;
	str_append_char(out, ':');
	put_doc(out, row->value);
	str_append_char(out, ':');
	if (row->complete)
		put_action(out, row->complete);
	for (size_t i = 0; row->choices && row->choices[i]; i++)
		str_printf(out, "%s%s%s", i ? " " : "(", row->choices[i],
			   row->choices[i + 1] ? "" : ")");
}

/* '(-f --file)'{-f+,--file=}'[doc]:DIR:_files -/' */
static void put_options(struct str *out, const struct option_row *const *rows, const char *indent)
{
	for (; rows && *rows; rows++) {
		const struct option_row *row = *rows;
		bool many = row->type == OPTION_LIST || row->type == OPTION_COUNT;

		str_printf(out, " \\\n%s", indent);
		if (row->letter && !many)
			str_printf(out, "'(-%c --%s)'", row->letter, row->name);
		else if (many)
			str_append(out, "'*'");
		if (row->letter)
			str_printf(out, "{-%c%s,--%s%s}", row->letter, row->value ? "+" : "",
				   row->name, row->value ? "=" : "");
		else
			str_printf(out, "--%s%s", row->name, row->value ? "=" : "");
		str_append(out, "'[");
		put_doc(out, row->doc);
		str_append(out, "]");
		put_value(out, row);
		str_append_char(out, '\'');
	}
}

static void put_list(struct str *out, const struct command *const *level, const char *name)
{
	str_printf(out, "_drey%s() {\n\tlocal -a list=(\n", name);
	for (; level && *level; level++) {
		const char *space = strrchr((*level)->name, ' ');
		if ((*level)->hidden)
			continue;
		str_printf(out, "\t\t'%s:", space ? space + 1 : (*level)->name);
		put_doc(out, (*level)->summary);
		str_append(out, "'\n");
	}
	str_append(out, "\t)\n\t_describe -t commands 'drey command' list\n}\n\n");
}

static void put_case(struct str *out, const struct command *command)
{
	const char *space = strrchr(command->name, ' ');

	str_printf(out, "\t%s)\n\t\t_arguments -s", space ? space + 1 : command->name);
	put_options(out, command->options, "\t\t\t");
	put_options(out, global_options, "\t\t\t");
	if (command->sub) {
		str_printf(out, " \\\n\t\t\t'1: :_drey_%s' '*:: :_drey_%s_arguments'",
			   command->name, command->name);
	} else if (command->complete) {
		str_append(out, " \\\n\t\t\t'*: :");
		put_action(out, command->complete);
		str_append(out, "'");
	}
	str_append(out, "\n\t\t;;\n");
}

void complete_zsh(const struct command *const *all, struct str *out)
{
	str_append(out, "#compdef drey\n# written by 'drey completion zsh'\n\n"
			"_drey_ask() {\n"
			"\tlocal -a words=(${(f)\"$(drey completion $1 "
			"${opt_args[-f]:+-f ${opt_args[-f]}} 2>/dev/null)\"})\n"
			"\tcompadd -a words\n"
			"}\n\n");
	put_list(out, all, "_commands");
	for (const struct command *const *c = all; *c; c++) {
		CLEANUP(cleanup_free) char *name = xasprintf("_%s", (*c)->name);
		if (!(*c)->sub)
			continue;
		put_list(out, (*c)->sub, name);
		str_printf(out, "_drey_%s_arguments() {\n\tcase $words[1] in\n", (*c)->name);
		for (const struct command *const *sub = (*c)->sub; *sub; sub++)
			put_case(out, *sub);
		str_append(out, "\tesac\n}\n\n");
	}
	str_append(out, "_drey_arguments() {\n\tcase $words[1] in\n");
	for (const struct command *const *c = all; *c; c++) {
		if (!(*c)->hidden)
			put_case(out, *c);
	}
	str_append(out, "\tesac\n}\n\n_drey() {\n\tlocal -A opt_args\n\t_arguments -s");
	put_options(out, global_options, "\t\t");
	str_append(out,
		   " \\\n\t\t'1: :_drey_commands' '*:: :_drey_arguments'\n}\n\n_drey \"$@\"\n");
}
