/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/load.h"

#include "controller/base/str.h"
#include "controller/cli/annotation.h"
#include "controller/cli/output.h"
#include "controller/fleet/fleet.h"
#include "reconcilers/reconciler.h"

#include <stdio.h>
#include <string.h>

const char *load_dir(const struct context *context)
{
	return context->options.dir ? context->options.dir : ".";
}

static void print_faults(const struct context *context, const struct diagnostics *diagnostics)
{
	struct str text;

	if (diagnostics->errors == 0 && context->options.quiet)
		return;
	str_init(&text, 0);
	diagnostics_print(diagnostics, &text);
	fputs(text.data, stderr);
	str_done(&text);
}

/* As a comment, or as annotations. */
static void print_form(const struct context *context, const struct diagnostics *diagnostics)
{
	struct str text;

	str_init(&text, 0);
	if (context->options.output == OUTPUT_GITHUB) {
		annotate_diagnostics(context, diagnostics, &text);
		fputs(text.data, stdout);
	} else {
		diagnostics_print(diagnostics, &text);
		command_print_failure(context, text.data);
	}
	str_done(&text);
}

static int report_faults(const struct context *context, const struct diagnostics *diagnostics,
			 const struct error *err)
{
	if (!output_is_document(context)) {
		print_form(context, diagnostics);
		print_faults(context, diagnostics);
		return EXIT_USAGE;
	}
	json_t *document = output_document(context);

	json_object_set_new(document, "exit", json_integer(EXIT_USAGE));
	json_object_set_new(document, "valid", json_false());
	json_object_set_new(document, "error", output_error(err));
	json_object_set_new(document, "diagnostics", diagnostics_json(diagnostics));
	output_print(context, document);
	return EXIT_USAGE;
}

static int is_picked(const struct options *options, const struct resource *host, bool *ret_picked,
		     struct error *err)
{
	*ret_picked = options->host_count == 0;
	for (size_t i = 0; i < options->host_count; i++)
		*ret_picked = *ret_picked || strcmp(host->name, options->hosts[i]) == 0;
	if (!*ret_picked || !options->host_selector)
		return 0;
	if (set_match_selector(host, options->host_selector, ret_picked, err) < 0)
		return error_wrap(err, "--host-selector");
	return 0;
}

static int load_by(const struct context *context, struct manifest_options *options,
		   struct diagnostics *diagnostics, struct manifest_set **ret_set)
{
	struct error err = ERROR_INIT;

	options->dir = load_dir(context);
	options->version = DREY_VERSION;
	options->kinds = kinds_all(&options->kind_count);
	if (set_load(options, diagnostics, ret_set, &err) == 0)
		return EXIT_IN_STEP;
	if (diagnostics->errors == 0)
		return command_fail(context, EXIT_USAGE, &err);
	return report_faults(context, diagnostics, &err);
}

int load_checked(const struct context *context, struct diagnostics *diagnostics,
		 struct manifest_set **ret_set)
{
	struct manifest_options options = { 0 };

	return load_by(context, &options, diagnostics, ret_set);
}

static int load_aloud(const struct context *context, struct manifest_options *options,
		      struct manifest_set **ret_set)
{
	struct diagnostics diagnostics;

	diagnostics_init(&diagnostics, context->arena);
	int code = load_by(context, options, &diagnostics, ret_set);
	if (code == EXIT_IN_STEP && diagnostics.list.count > 0)
		print_faults(context, &diagnostics);
	diagnostics_done(&diagnostics);
	return code;
}

int load_manifests(const struct context *context, struct manifest_set **ret_set)
{
	struct manifest_options options = { 0 };

	return load_aloud(context, &options, ret_set);
}

struct beginner {
	const struct context *context;
	struct connections *connections;
	int left; /* how many more hosts are visited at once */
};

static void on_host(void *ctx, const struct resource *host)
{
	struct beginner *beginner = ctx;
	struct error ignored = ERROR_INIT;
	bool picked;

	if (beginner->left == 0 ||
	    is_picked(&beginner->context->options, host, &picked, &ignored) < 0 || !picked)
		return;
	connections_begin(beginner->connections, host);
	beginner->left--;
}

int load_and_begin(const struct context *context, struct connections *connections,
		   struct manifest_set **ret_set)
{
	int parallel = context->options.parallel;
	struct beginner beginner = {
		.context = context,
		.connections = connections,
		.left = parallel > 0 ? parallel : FLEET_PARALLEL_DEFAULT,
	};
	struct manifest_options options = { .host = on_host, .host_ctx = &beginner };

	return load_aloud(context, &options, ret_set);
}

static int check_names(const struct context *context, const struct manifest_set *set,
		       struct error *err)
{
	const struct options *options = &context->options;
	size_t count = set_host_count(set);
	const char **names = arena_alloc(context->arena, (count + 1) * sizeof(*names));

	for (size_t i = 0; i < count; i++)
		names[i] = set_host(set, i)->name;
	for (size_t i = 0; i < options->host_count; i++) {
		size_t at = 0;
		while (at < count && strcmp(names[at], options->hosts[i]) != 0)
			at++;
		if (at < count)
			continue;
		const char *near = str_nearest(options->hosts[i], names, count);
		error_set(err, ERROR_INVALID, "--host: the manifests have no host '%s'",
			  options->hosts[i]);
		return near ? error_hint(err, "did you mean '%s'?", near) : -1;
	}
	return 0;
}

int load_hosts(const struct context *context, const struct manifest_set *set,
	       const struct resource ***ret_hosts, size_t *ret_count, struct error *err)
{
	size_t count = set_host_count(set), picked_count = 0;
	const struct resource **picked = arena_alloc(context->arena, (count + 1) * sizeof(*picked));

	if (check_names(context, set, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct resource *host = set_host(set, i);
		bool is;

		if (is_picked(&context->options, host, &is, err) < 0)
			return -1;
		if (is)
			picked[picked_count++] = host;
	}
	if (picked_count == 0 && context->options.host_selector)
		return error_set(err, ERROR_INVALID, "--host-selector: no host matches '%s'",
				 context->options.host_selector);
	*ret_hosts = picked;
	*ret_count = picked_count;
	return 0;
}
