/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey completion SHELL: the script; and what the scripts ask for while one types. */
#include "controller/cli/cli_reference.h"
#include "controller/cli/load.h"
#include "controller/cli/option_rows.h"
#include "reconcilers/reconciler.h"

#include <stdio.h>
#include <string.h>

typedef void (*writer)(const struct command *const *all, struct str *out);

static void list_kinds(void)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);

	for (size_t i = 0; i < count; i++)
		puts(kinds[i]->name);
}

static void list_commands(void)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (!(*c)->hidden)
			puts((*c)->name);
	}
}

static void list_hosts(const struct manifest_set *set)
{
	for (size_t i = 0; i < set_host_count(set); i++)
		puts(set_host(set, i)->name);
}

static void list_resources(const struct manifest_set *set)
{
	for (size_t i = 0; i < set_host_count(set); i++) {
		const struct desired *desired = set_desired(set, set_host(set, i)->name);

		for (size_t j = 0; j < desired->count; j++)
			printf("%s/%s@%s\n", desired->resources[j]->kind->name,
			       desired->resources[j]->name, desired->host->name);
	}
}

/* Backups, and the volumes that one can name instead. */
static void list_backups(const struct manifest_set *set)
{
	for (size_t i = 0; i < set_count(set, "Backup"); i++) {
		const struct resource *backup = set_at(set, "Backup", i);
		const json_t *volume;
		size_t j;

		puts(backup->name);
		json_array_foreach (resource_get(backup, "volumes"), j, volume)
			printf("Volume/%s\n", json_string_value(volume));
	}
}

/* While one types nothing but words may appear: a set with faults has none to offer. */
static int list_of_set(struct context *context, void (*list)(const struct manifest_set *set))
{
	struct diagnostics diagnostics;
	struct error err = ERROR_INIT;
	struct manifest_set *set;

	diagnostics_init(&diagnostics, context->arena);
	struct manifest_options options = { .dir = load_dir(context), .version = DREY_VERSION };
	options.kinds = kinds_all(&options.kind_count);
	if (set_load(&options, &diagnostics, &set, &err) == 0) {
		list(set);
		set_unref(set);
	}
	diagnostics_done(&diagnostics);
	return EXIT_IN_STEP;
}

static int run(struct context *context)
{
	static const struct {
		const char *shell;
		writer write;
	} shells[] = {
		{ "bash", complete_bash },
		{ "zsh", complete_zsh },
		{ "fish", complete_fish },
	};
	const char *what = context->options.args[0];
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		struct str text;

		if (strcmp(what, shells[i].shell) != 0)
			continue;
		str_init(&text, 0);
		shells[i].write(commands, &text);
		fputs(text.data, stdout);
		str_done(&text);
		return EXIT_IN_STEP;
	}
	if (strcmp(what, "kinds") == 0)
		list_kinds();
	else if (strcmp(what, "commands") == 0)
		list_commands();
	else if (strcmp(what, "hosts") == 0)
		return list_of_set(context, list_hosts);
	else if (strcmp(what, "resources") == 0)
		return list_of_set(context, list_resources);
	else if (strcmp(what, "backups") == 0)
		return list_of_set(context, list_backups);
	else {
		error_set(&err, ERROR_INVALID,
			  "there is a completion for bash, zsh and fish, not "
			  "for '%s'",
			  what);
		return command_fail(context, EXIT_USAGE, &err);
	}
	return EXIT_IN_STEP;
}

static const struct option_row *const options[] = { &opt_file, NULL };

const struct command command_completion = {
	.name = "completion",
	.group = GROUP_OTHER,
	.usage = "bash|zsh|fish",
	.summary = "Print a script that completes drey's commands in a shell",
	.description = "For bash, source its output or put it into "
		       "/usr/share/bash-completion/completions/drey; for zsh, put it into a file "
		       "_drey of a directory in $fpath; for fish, into "
		       "~/.config/fish/completions/drey.fish. make install does so for all.\n\n"
		       "With hosts, resources, backups, kinds or commands it lists these, which is "
		       "what the scripts ask for.",
	.options = options,
	.example = "source <(drey completion bash)",
	.min_args = 1,
	.max_args = 1,
	.complete = "=bash zsh fish",
	.run = run,
};
