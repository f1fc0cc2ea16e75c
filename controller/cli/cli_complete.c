/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion scripts. An option means the same and takes a value or none wherever it is taken (a
 * unit test sees to it), so one table of options serves all commands of a script.
 */
#include "controller/cli/cli_reference.h"

#include "controller/base/vec.h"
#include "controller/cli/option_rows.h"

#include <string.h>

struct rows {
	VEC(const struct option_row *) list;
};

static bool takes_value(const struct option_row *row)
{
	return row->value != NULL;
}

static void add_rows(struct rows *rows, const struct option_row *const *more)
{
	for (; more && *more; more++) {
		bool known = false;
		for (size_t i = 0; i < rows->list.count; i++)
			known = known || strcmp(rows->list.items[i]->name, (*more)->name) == 0;
		if (!known)
			vec_push(&rows->list, *more);
	}
}

static void add_all_rows(struct rows *rows, const struct command *const *level)
{
	for (; level && *level; level++) {
		add_rows(rows, (*level)->options);
		add_all_rows(rows, (*level)->sub);
	}
}

static const char *last_word(const struct command *command)
{
	const char *space = strrchr(command->name, ' ');

	return space ? space + 1 : command->name;
}

/* "-f|--file" */
static void put_pattern(struct str *out, const struct option_row *row)
{
	if (row->letter)
		str_printf(out, "-%c|", row->letter);
	str_printf(out, "--%s", row->name);
}

static void put_choices(struct str *out, const struct option_row *row)
{
	for (size_t i = 0; row->choices[i]; i++)
		str_printf(out, "%s%s", i ? " " : "", row->choices[i]);
}

static void put_names(struct str *out, const struct command *const *level)
{
	const char *gap = "";

	for (; level && *level; level++) {
		if ((*level)->hidden)
			continue;
		str_printf(out, "%s%s", gap, last_word(*level));
		gap = " ";
	}
}

/* What a `complete` member asks for, as a shell's assignment to `words` or a call. */
static void bash_source(struct str *out, const char *what)
{
	if (strcmp(what, "dir") == 0)
		str_append(out, "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return");
	else if (strcmp(what, "file") == 0)
		str_append(out, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return");
	else if (what[0] == '=')
		str_printf(out, "words='%s'", what + 1);
	else
		str_printf(out, "words=$(\"$1\" completion %ss ${dir:+-f \"$dir\"} 2>/dev/null)",
			   what);
}

static void bash_values(struct str *out, const struct rows *rows)
{
	str_append(out, "\tcase $skip in\n");
	for (size_t i = 0; i < rows->list.count; i++) {
		const struct option_row *row = rows->list.items[i];

		if (!takes_value(row) || (!row->choices && !row->complete))
			continue;
		str_append(out, "\t");
		put_pattern(out, row);
		str_append(out, ") ");
		if (row->choices) {
			str_append(out, "words='");
			put_choices(out, row);
			str_append(out, "'");
		} else {
			bash_source(out, row->complete);
		}
		str_append(out, " ;;\n");
	}
	str_append(out, "\t'') ;;\n\t*) return ;;\n\tesac\n");
}

static void bash_options_of(struct str *out, const struct option_row *const *rows)
{
	for (; rows && *rows; rows++) {
		if ((*rows)->letter)
			str_printf(out, " -%c", (*rows)->letter);
		str_printf(out, " --%s", (*rows)->name);
	}
}

static void bash_command(struct str *out, const struct command *command)
{
	str_printf(out, "\t'%s') options+='", command->name);
	bash_options_of(out, command->options);
	str_append(out, "'");
	if (command->sub) {
		str_append(out, "; words='");
		put_names(out, command->sub);
		str_append(out, "'");
	} else if (command->complete) {
		str_append(out, "; [[ $cur == -* ]] || ");
		bool grouped = strchr("df", command->complete[0]) != NULL;
		str_append(out, grouped ? "{ " : "");
		bash_source(out, command->complete);
		str_append(out, grouped ? "; }" : "");
	}
	str_append(out, " ;;\n");
	for (const struct command *const *sub = command->sub; sub && *sub; sub++)
		bash_command(out, *sub);
}

static void bash_paths(struct str *out, const struct command *const *level)
{
	for (; level && *level; level++) {
		if (!(*level)->hidden)
			str_printf(out, "|'%s'", (*level)->name);
		bash_paths(out, (*level)->sub);
	}
}

/* Goes over the words before the cursor: which command, which option waits for its value, and
 * which directory was named. bash takes "--file=x" for three words. */
static void bash_scan(struct str *out, const struct command *const *all, const struct rows *rows)
{
	str_append(out, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			"\t\tword=${COMP_WORDS[i]}\n"
			"\t\t[[ $word == = ]] && continue\n"
			"\t\tif [[ -n $skip ]]; then\n"
			"\t\t\t[[ $skip == -f || $skip == --file ]] && dir=$word\n"
			"\t\t\tskip=\n"
			"\t\t\tcontinue\n"
			"\t\tfi\n"
			"\t\tcase $word in\n"
			"\t\t--) return ;;\n"
			"\t\t''");
	for (size_t i = 0; i < rows->list.count; i++) {
		if (!takes_value(rows->list.items[i]))
			continue;
		str_append_char(out, '|');
		put_pattern(out, rows->list.items[i]);
	}
	str_append(out, ") skip=$word ;;\n"
			"\t\t-*) ;;\n"
			"\t\t*)\n"
			"\t\t\tcase \"${command:+$command }$word\" in\n"
			"\t\t\t''");
	bash_paths(out, all);
	str_append(out, ") command=${command:+$command }$word ;;\n"
			"\t\t\tesac\n"
			"\t\t\t;;\n"
			"\t\tesac\n"
			"\tdone\n");
}

void complete_bash(const struct command *const *all, struct str *out)
{
	struct rows rows = { 0 };

	add_rows(&rows, global_options);
	add_all_rows(&rows, all);
	str_append(out, "# bash completion of drey; written by 'drey completion bash'\n\n"
			"_drey() {\n"
			"\tlocal cur=${COMP_WORDS[COMP_CWORD]} word i\n"
			"\tlocal command='' skip='' dir='' words=''\n"
			"\tlocal options='");
	bash_options_of(out, global_options);
	str_append(out, "'\n\tCOMPREPLY=()\n\t[[ $cur == = ]] && cur=\n");
	bash_scan(out, all, &rows);
	bash_values(out, &rows);
	str_append(out, "\tif [[ -z $skip ]]; then\n\tcase $command in\n\t'') words='");
	put_names(out, all);
	str_append(out, "' ;;\n");
	for (const struct command *const *c = all; *c; c++) {
		if (!(*c)->hidden)
			bash_command(out, *c);
	}
	str_append(out, "\tesac\n"
			"\t[[ $cur == -* ]] && words=$options\n"
			"\tfi\n"
			"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
			"}\n\n"
			"complete -F _drey drey\n");
	vec_done(&rows.list);
}
