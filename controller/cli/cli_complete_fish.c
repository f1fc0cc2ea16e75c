/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completions for fish: complete(1) of fish. */
#include "controller/cli/cli_reference.h"

#include "controller/cli/option_rows.h"

#include <string.h>

static void put_quoted(struct str *out, const char *text)
{
	str_append_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			str_append_char(out, '\\');
		str_append_char(out, *text);
	}
	str_append_char(out, '\'');
}

/* Arguments of `complete` that offer the values. */
static void put_source(struct str *out, const char *what)
{
	if (strcmp(what, "dir") == 0)
		str_append(out, " -a '(__fish_complete_directories)'");
	else if (strcmp(what, "file") == 0)
		str_append(out, " -F");
	else if (what[0] == '=')
		str_printf(out, " -a '%s'", what + 1);
	else
		str_printf(out, " -a '(__drey_ask %ss)'", what);
}

static void put_option(struct str *out, const char *condition, const struct option_row *row)
{
	str_printf(out, "complete -c drey%s", condition);
	if (row->letter)
		str_printf(out, " -s %c", row->letter);
	str_printf(out, " -l %s", row->name);
	if (row->value)
		str_append(out, " -x");
	if (row->complete)
		put_source(out, row->complete);
	if (row->choices) {
		str_append(out, " -a '");
		for (size_t i = 0; row->choices[i]; i++)
			str_printf(out, "%s%s", i ? " " : "", row->choices[i]);
		str_append(out, "'");
	}
	str_append(out, " -d ");
	put_quoted(out, row->doc);
	str_append_char(out, '\n');
}

static void put_command(struct str *out, const struct command *command)
{
	const char *space = strrchr(command->name, ' ');
	const char *word = space ? space + 1 : command->name;
	struct str condition;

	str_init(&condition, 0);
	if (space)
		str_printf(&condition, " -n '__fish_seen_subcommand_from %.*s'",
			   (int)(space - command->name), command->name);
	else
		str_append(&condition, " -n __fish_use_subcommand");
	str_printf(out, "complete -c drey%s -a %s -d ", condition.data, word);
	put_quoted(out, command->summary);
	str_append_char(out, '\n');
	str_clear(&condition);
	str_printf(&condition, " -n '__fish_seen_subcommand_from %s'", word);
	for (const struct option_row *const *row = command->options; row && *row; row++)
		put_option(out, condition.data, *row);
	if (command->complete) {
		str_printf(out, "complete -c drey%s", condition.data);
		put_source(out, command->complete);
		str_append_char(out, '\n');
	}
	str_done(&condition);
	for (const struct command *const *sub = command->sub; sub && *sub; sub++)
		put_command(out, *sub);
}

void complete_fish(const struct command *const *all, struct str *out)
{
	str_append(out, "# fish completion of drey; written by 'drey completion fish'\n\n"
			"function __drey_ask\n"
			"\tset -l words (commandline -opc)\n"
			"\tset -l at (contains -i -- -f $words; or contains -i -- --file $words)\n"
			"\tset -l dir\n"
			"\ttest -n \"$at\"; and set dir -f $words[(math $at + 1)]\n"
			"\tdrey completion $argv $dir 2>/dev/null\n"
			"end\n\n"
			"complete -c drey -f\n");
	for (const struct option_row *const *row = global_options; *row; row++)
		put_option(out, "", *row);
	for (const struct command *const *c = all; *c; c++) {
		if (!(*c)->hidden)
			put_command(out, *c);
	}
}
