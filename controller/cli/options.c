/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/options.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/base/vec.h"
#include "controller/cli/option_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An option as it was written, for what is said about it once the command is known. */
struct given {
	const struct option_row *row;
	const char *as;
};

struct parser {
	const struct command *const *all;
	const struct command *const *level; /* among these the next word is looked up */
	struct context *context;
	VEC(struct given) given;
	VEC(char *) args;
	char **argv;
	int argc, next;
	struct error *err;
};

typedef bool (*row_match)(const struct option_row *row, const char *key, size_t len);

static bool match_name(const struct option_row *row, const char *key, size_t len)
{
	return strlen(row->name) == len && memcmp(row->name, key, len) == 0;
}

static bool match_letter(const struct option_row *row, const char *key, size_t len)
{
	(void)len;
	return row->letter && row->letter == *key;
}

static const struct option_row *find_in(const struct option_row *const *rows, row_match match,
					const char *key, size_t len)
{
	for (; rows && *rows; rows++) {
		if (match(*rows, key, len))
			return *rows;
	}
	return NULL;
}

static const struct option_row *find_anywhere(const struct command *const *level, row_match match,
					      const char *key, size_t len)
{
	const struct option_row *row = NULL;

	for (; level && *level && !row; level++) {
		row = find_in((*level)->options, match, key, len);
		if (!row)
			row = find_anywhere((*level)->sub, match, key, len);
	}
	return row;
}

/* The command's own rows first. Before the command is named the rows of all are looked through:
 * a name means the same wherever it is taken. */
static const struct option_row *find_row(const struct parser *p, row_match match, const char *key,
					 size_t len)
{
	const struct command *command = p->context->command;
	const struct option_row *row = find_in(global_options, match, key, len);

	if (!row && command)
		row = find_in(command->options, match, key, len);
	return row ? row : find_anywhere(p->all, match, key, len);
}

bool command_takes(const struct command *command, const struct option_row *row)
{
	for (const struct option_row *const *rows = global_options; *rows; rows++) {
		if (*rows == row)
			return true;
	}
	for (const struct option_row *const *rows = command->options; rows && *rows; rows++) {
		if (*rows == row)
			return true;
	}
	return false;
}

const char *command_name(const struct command *command)
{
	return command ? command->name : "";
}

struct names {
	VEC(const char *) list;
};

static void collect_names(const struct option_row *const *rows, struct arena *arena,
			  struct names *names)
{
	for (; rows && *rows; rows++)
		vec_push(&names->list, arena_printf(arena, "--%s", (*rows)->name));
}

static void collect_all_names(const struct command *const *level, struct arena *arena,
			      struct names *names)
{
	for (; level && *level; level++) {
		collect_names((*level)->options, arena, names);
		collect_all_names((*level)->sub, arena, names);
	}
}

static int unknown_option(struct parser *p, const char *as)
{
	const struct command *command = p->context->command;
	struct names names = { 0 };

	collect_names(global_options, p->context->arena, &names);
	if (command)
		collect_names(command->options, p->context->arena, &names);
	else
		collect_all_names(p->all, p->context->arena, &names);
	const char *near = str_nearest(as, names.list.items, names.list.count);
	vec_done(&names.list);
	error_set(p->err, ERROR_INVALID, "there is no option '%s'", as);
	return near ? error_hint(p->err, "did you mean '%s'?", near) : -1;
}

static void *slot(struct parser *p, const struct option_row *row)
{
	return (char *)&p->context->options + row->offset;
}

static void add_to_list(struct parser *p, const struct option_row *row, const char *text)
{
	const char ***list = slot(p, row);
	size_t *count = (size_t *)(list + 1);

	while (*text) {
		size_t len = strcspn(text, ",");
		if (len > 0) {
			const char **longer =
				arena_alloc(p->context->arena, (*count + 1) * sizeof(*longer));
			if (*count > 0)
				memcpy(longer, *list, *count * sizeof(*longer));
			longer[(*count)++] = arena_strndup(p->context->arena, text, len);
			*list = longer;
		}
		text += len + (text[len] == ',');
	}
}

static int set_choice(struct parser *p, const struct option_row *row, const char *as,
		      const char *text)
{
	size_t count = 0;

	for (; row->choices[count]; count++) {
		if (strcmp(row->choices[count], text) == 0) {
			*(unsigned *)slot(p, row) = (unsigned)count;
			return 0;
		}
	}
	struct str names;
	str_init(&names, 0);
	for (size_t i = 0; i < count; i++)
		str_printf(&names, "%s%s", i ? ", " : "", row->choices[i]);
	error_set(p->err, ERROR_INVALID, "%s: '%s' is none of %s", as, text, names.data);
	str_done(&names);
	const char *near = str_nearest(text, row->choices, count);
	return near ? error_hint(p->err, "did you mean '%s'?", near) : -1;
}

static int set_int(struct parser *p, const struct option_row *row, const char *as, const char *text)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < row->min || value > row->max)
		return error_set(p->err, ERROR_INVALID,
				 "%s: '%s' is not a whole number from %d to %d", as, text, row->min,
				 row->max);
	*(int *)slot(p, row) = (int)value;
	return 0;
}

/* Other tools add up what is given twice: the last of two directories or selectors alone may be
 * half of what was meant. */
static int set_string(struct parser *p, const struct option_row *row, const char *as,
		      const char *text)
{
	const char **value = slot(p, row);

	if (*value && strcmp(*value, text) != 0)
		return error_set(p->err, ERROR_INVALID, "%s: takes one %s, not both '%s' and '%s'",
				 as, row->value, *value, text);
	*value = text;
	return 0;
}

static bool takes_value(const struct option_row *row)
{
	return row->type != OPTION_FLAG && row->type != OPTION_COUNT;
}

static void set_flag(struct parser *p, const struct option_row *row, const char *as)
{
	vec_push(&p->given, ((struct given){ row, as }));
	if (row->type == OPTION_COUNT)
		++*(int *)slot(p, row);
	else
		*(bool *)slot(p, row) = true;
}

static int set_value(struct parser *p, const struct option_row *row, const char *as,
		     const char *text)
{
	vec_push(&p->given, ((struct given){ row, as }));
	if (!*text)
		return error_set(p->err, ERROR_INVALID, "%s: needs %s, not nothing", as,
				 row->value);
	switch (row->type) {
	case OPTION_INT:
		return set_int(p, row, as, text);
	case OPTION_CHOICE:
		return set_choice(p, row, as, text);
	case OPTION_LIST:
		add_to_list(p, row, text);
		return 0;
	default:
		return set_string(p, row, as, text);
	}
}

static int next_value(struct parser *p, const struct option_row *row, const char *as,
		      const char **ret_text)
{
	if (p->next == p->argc)
		return error_set(p->err, ERROR_INVALID, "%s: needs %s after it", as, row->value);
	*ret_text = p->argv[p->next++];
	return 0;
}

static int parse_long(struct parser *p, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const char *as = arena_strndup(p->context->arena, word, len);
	const struct option_row *row = find_row(p, match_name, as + 2, len - 2);
	const char *text;

	if (!row)
		return unknown_option(p, as);
	if (takes_value(row)) {
		if (equals)
			text = equals + 1;
		else if (next_value(p, row, as, &text) < 0)
			return -1;
		return set_value(p, row, as, text);
	}
	if (equals)
		return error_set(p->err, ERROR_INVALID, "%s: takes no value", as);
	set_flag(p, row, as);
	return 0;
}

static int parse_letters(struct parser *p, const char *word)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const char *as = arena_printf(p->context->arena, "-%c", *letter);
		const struct option_row *row = find_row(p, match_letter, letter, 1);
		const char *text;

		if (!row)
			return unknown_option(p, as);
		if (!takes_value(row)) {
			set_flag(p, row, as);
			continue;
		}
		if (letter[1])
			text = letter + 1;
		else if (next_value(p, row, as, &text) < 0)
			return -1;
		return set_value(p, row, as, text);
	}
	return 0;
}

static int unknown_command(struct parser *p, const char *word)
{
	VEC(const char *) names = { 0 };
	const struct command *above = p->context->command;

	for (const struct command *const *c = p->level; *c; c++) {
		const char *last = strrchr((*c)->name, ' ');
		if (!(*c)->hidden)
			vec_push(&names, last ? last + 1 : (*c)->name);
	}
	const char *near = str_nearest(word, names.items, names.count);
	vec_done(&names);
	error_set(p->err, ERROR_INVALID, "there is no command '%s%s%s'", command_name(above),
		  above ? " " : "", word);
	return near ? error_hint(p->err, "did you mean '%s'?", near) : -1;
}

static int parse_word(struct parser *p, char *word)
{
	if (!p->level) {
		vec_push(&p->args, word);
		return 0;
	}
	for (const struct command *const *c = p->level; *c; c++) {
		const char *last = strrchr((*c)->name, ' ');
		if (strcmp(last ? last + 1 : (*c)->name, word) == 0) {
			p->context->command = *c;
			p->level = (*c)->sub;
			return 0;
		}
	}
	return unknown_command(p, word);
}

static int parse_words(struct parser *p)
{
	struct options *options = &p->context->options;

	while (p->next < p->argc) {
		char *word = p->argv[p->next++];
		int result;

		if (strcmp(word, "--") == 0) {
			options->rest = true;
			options->rest_at = (int)p->args.count;
			while (p->next < p->argc)
				vec_push(&p->args, p->argv[p->next++]);
			return 0;
		}
		if (str_has_prefix(word, "--"))
			result = parse_long(p, word);
		else if (word[0] == '-' && word[1])
			result = parse_letters(p, word);
		else
			result = parse_word(p, word);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* What could only be judged once the command was known. */
static int check(struct parser *p)
{
	const struct command *command = p->context->command;
	const struct options *options = &p->context->options;

	if (!command || options->help)
		return 0;
	VEC_FOREACH (const struct given *, given, &p->given) {
		if (!command_takes(command, given->row))
			return error_set(p->err, ERROR_INVALID, "'%s' takes no option %s",
					 command->name, given->as);
	}
	if (command->sub)
		return error_set(p->err, ERROR_INVALID, "'%s' needs one of its commands",
				 command->name);
	if (options->arg_count < command->min_args)
		return error_set(p->err, ERROR_INVALID, "'%s' needs %s", command->name,
				 command->usage);
	if (command->max_args >= 0 && options->arg_count > command->max_args)
		return error_set(p->err, ERROR_INVALID, "'%s' does not take the argument '%s'",
				 command->name, options->args[command->max_args]);
	return 0;
}

int options_parse(const struct command *const *all, int argc, char **argv, struct context *context,
		  struct error *err)
{
	struct parser p = {
		.all = all,
		.level = all,
		.context = context,
		.argv = argv,
		.argc = argc,
		.next = 1,
		.err = err,
	};
	struct options *options = &context->options;
	int result = parse_words(&p);

	options->arg_count = (int)p.args.count;
	options->args = arena_alloc(context->arena, (p.args.count + 1) * sizeof(char *));
	if (p.args.count > 0)
		memcpy(options->args, p.args.items, p.args.count * sizeof(char *));
	if (result == 0)
		result = check(&p);
	vec_done(&p.given);
	vec_done(&p.args);
	return result;
}
