/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Releases: the resources of a Template with the values of the Release in place of parameters.
 * What they make may be Releases again, as long as no Template comes back to itself.
 *
 * This pass knows parameters and ${release} only. References to hosts, secrets and the
 * environment are left for the pass that runs once a document has its host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifests/load.h"

enum { NESTING_MAX = 16 };

struct parameter {
	const char *name;
	const struct node *definition, *value; /* value NULL: none */
};

struct expansion {
	struct load *load;
	const struct document *template;
	const struct document *release; /* NULL: the template is only checked */
	const struct node *release_name;
	struct parameter *parameters;
	size_t count;
};

static const struct node *spec_get(const struct document *document, const char *key)
{
	return node_get(node_get(document->node, "spec"), key);
}

static const char *text_of(const struct node *mapping, const char *key, const char *otherwise)
{
	const struct node *node = node_get(mapping, key);

	return node && node->type == NODE_SCALAR && !node_is_null(node) ? node->text : otherwise;
}

static bool is_whole_number(const char *text)
{
	char *end;

	errno = 0;
	strtoll(text, &end, 10);
	return *text && !*end && !errno;
}

static bool is_choice(const struct node *choices, const char *text)
{
	for (size_t i = 0; i < choices->count; i++)
		if (choices->values[i]->type == NODE_SCALAR &&
		    strcmp(choices->values[i]->text, text) == 0)
			return true;
	return false;
}

static const char *list_choices(struct load *load, const struct node *choices)
{
	const char *list = "";

	for (size_t i = 0; i < choices->count; i++)
		if (choices->values[i]->type == NODE_SCALAR)
			list = arena_printf(load->arena, "%s%s%s", list, *list ? ", " : "",
					    choices->values[i]->text);
	return list;
}

/* What is wrong with a scalar as a value of the parameter; NULL: nothing. */
static const char *mismatch(struct load *load, const struct node *definition,
			    const struct node *value)
{
	const char *type = text_of(definition, "type", "string");
	const char *pattern = text_of(definition, "pattern", NULL);
	const struct node *choices = node_get(definition, "choices");

	if (strcmp(type, "int") == 0 && !is_whole_number(value->text))
		return "expected a whole number";
	if (strcmp(type, "bool") == 0 && (value->quoted || (strcmp(value->text, "true") != 0 &&
							    strcmp(value->text, "false") != 0)))
		return "expected true or false, without quotes";
	if (choices && choices->type == NODE_SEQUENCE && !is_choice(choices, value->text))
		return arena_printf(load->arena, "expected one of %s", list_choices(load, choices));
	if (pattern && !pattern_match(load->patterns, pattern, value->text))
		return arena_printf(load->arena, "expected text that matches %s", pattern);
	return NULL;
}

/* Checks a value, or a default, against its parameter. What holds references is known only
 * later: the rows where it ends up will judge it. */
static const struct node *check_value(const struct expansion *x, const struct parameter *parameter,
				      const struct node *value, const char *what)
{
	struct load *load = x->load;
	const struct node *definition = parameter->definition;
	bool secret = strcmp(text_of(definition, "type", "string"), "secret") == 0;
	struct node *copy = arena_new_of(load->arena, struct node);
	const char *wrong = NULL;

	*copy = *value;
	copy->secret |= secret;
	if (strcmp(text_of(definition, "type", "string"), "any") == 0)
		return copy;
	if (value->type != NODE_SCALAR || node_is_null(value))
		wrong = arena_printf(load->arena, "expected a %s",
				     text_of(definition, "type", "string"));
	else if (!strstr(value->text, "${"))
		wrong = mismatch(load, definition, value);
	if (wrong) {
		const char *found = value->type != NODE_SCALAR ? "" : value->text;
		load_fault(load, value, "%s.%s: '%s' does not suit Template %s: %s", what,
			   parameter->name, copy->secret || value->secret ? "***" : found,
			   x->template->name, wrong);
		copy->faulty = true;
	} else if (secret && !strstr(value->text, "${")) {
		load_warn(load, value,
			  "%s.%s: a secret in plain text; keep it outside of the manifests and "
			  "write ${secret.NAME}",
			  what, parameter->name);
	}
	return copy;
}

static bool is_deferred(const char *name)
{
	return str_has_prefix(name, "host.") || str_has_prefix(name, "secret.") ||
	       str_has_prefix(name, "env.");
}

static const struct parameter *find_parameter(const struct expansion *x, const char *name)
{
	for (size_t i = 0; i < x->count; i++)
		if (strcmp(x->parameters[i].name, name) == 0)
			return &x->parameters[i];
	return NULL;
}

static const char *nearest_parameter(const struct expansion *x, const char *name)
{
	const char **names = xcalloc(x->count + 1, sizeof(*names));

	for (size_t i = 0; i < x->count; i++)
		names[i] = x->parameters[i].name;
	const char *nearest = str_nearest(name, names, x->count);
	free(names);
	return nearest ? arena_printf(x->load->arena, "; did you mean '%s'?", nearest) : "";
}

static enum lookup look_up(void *ctx, const char *name, const struct node *at,
			   const struct node **ret_value)
{
	const struct expansion *x = ctx;

	if (is_deferred(name))
		return LOOKUP_PASS;
	if (strcmp(name, "release") == 0) {
		*ret_value = x->release_name;
		return x->release ? LOOKUP_FOUND : LOOKUP_PASS;
	}
	const struct parameter *parameter = find_parameter(x, name);
	if (!parameter) {
		load_fault(x->load, at, "'${%s}': Template %s has no parameter '%s'%s", name,
			   x->template->name, name, nearest_parameter(x, name));
		return LOOKUP_FAILED;
	}
	if (!x->release)
		return LOOKUP_PASS;
	*ret_value = parameter->value;
	return parameter->value ? LOOKUP_FOUND : LOOKUP_UNDEFINED;
}

static void undefined(void *ctx, const char *name, const struct node *at)
{
	const struct expansion *x = ctx;
	const struct place *place = node_origin(x->release_name);

	load_fault(
		x->load, at,
		"'${%s}' has no value: Release %s (%s:%u:%u) gives none, and the parameter has no "
		"default",
		name, x->release->name, place->file, place->line, place->column);
}

static enum lookup look_up_release(void *ctx, const char *name, const struct node *at,
				   const struct node **ret_value)
{
	const struct expansion *x = ctx;

	(void)at;
	*ret_value = x->release_name;
	return strcmp(name, "release") == 0 && x->release ? LOOKUP_FOUND : LOOKUP_PASS;
}

static struct interpolation interpolation(struct expansion *x)
{
	return (struct interpolation){
		.arena = x->load->arena,
		.diagnostics = x->load->diagnostics,
		.budget = &x->load->budget,
		.lookup = look_up,
		.undefined = undefined,
		.ctx = x,
		.keep_escapes = true,
	};
}

/* Takes the definitions of the template, and checks their defaults. */
static void read_parameters(struct expansion *x)
{
	const struct node *parameters = spec_get(x->template, "parameters");
	struct interpolation in = interpolation(x);

	if (!parameters || parameters->type == NODE_SCALAR)
		return;
	x->parameters = arena_alloc(x->load->arena, parameters->count * sizeof(*x->parameters));
	in.lookup = look_up_release;
	for (size_t i = 0; i < parameters->count; i++) {
		/* A list of names will do where all are plain strings. */
		const struct node *name = parameters->type == NODE_MAPPING ? parameters->keys[i]
									   : parameters->values[i];
		if (name->type != NODE_SCALAR)
			continue; /* diagnosed when decoded */
		struct parameter *parameter = &x->parameters[x->count++];
		parameter->name = name->text;
		parameter->definition = parameters->values[i];
		const struct node *fallback = node_get(parameter->definition, "default");
		if (fallback)
			parameter->value =
				interpolate(&in, check_value(x, parameter, fallback, "default"));
	}
}

static const struct node *missing(struct expansion *x, const struct parameter *parameter)
{
	const struct node *values = spec_get(x->release, "values");
	const char *doc = text_of(parameter->definition, "doc", NULL);
	struct node *nothing = arena_new_of(x->load->arena, struct node);

	if (!values)
		values = spec_get(x->release, "template");
	load_fault(x->load, values, "values.%s is missing: Template %s requires it%s%s",
		   parameter->name, x->template->name, doc ? ": " : "", doc ? doc : "");
	*nothing = *values;
	nothing->type = NODE_SCALAR;
	nothing->text = "";
	nothing->keys = nothing->values = NULL;
	nothing->count = 0;
	nothing->faulty = true;
	return nothing;
}

static void read_values(struct expansion *x)
{
	const struct node *values = spec_get(x->release, "values");

	for (size_t i = 0; values && values->type == NODE_MAPPING && i < values->count; i++)
		if (!find_parameter(x, values->keys[i]->text))
			load_fault(x->load, values->keys[i],
				   "values.%s: Template %s has no such parameter%s",
				   values->keys[i]->text, x->template->name,
				   nearest_parameter(x, values->keys[i]->text));
	for (size_t i = 0; i < x->count; i++) {
		struct parameter *parameter = &x->parameters[i];
		const struct node *value = node_get(values, parameter->name);
		if (value)
			parameter->value = check_value(x, parameter, value, "values");
		else if (!parameter->value &&
			 strcmp(text_of(parameter->definition, "required", "false"), "true") == 0)
			parameter->value = missing(x, parameter);
	}
}

static bool may_make(const struct expansion *x, const struct node *resource)
{
	const char *kind = text_of(resource, "kind", "");

	if (strstr(kind, "${")) {
		load_fault(x->load, node_get(resource, "kind"),
			   "kind: a reference cannot stand for a kind");
		return false;
	}
	if (strcmp(kind, "Template") != 0 && strcmp(kind, "Project") != 0)
		return true;
	load_fault(x->load, node_get(resource, "kind"), "a Template cannot make a %s", kind);
	return false;
}

static bool account(struct expansion *x, const struct node *node)
{
	struct yaml_reader *reader = &x->load->reader;

	reader->nodes += node->size;
	if (reader->nodes <= MANIFEST_NODES_MAX)
		return true;
	if (!reader->exhausted)
		load_fault(x->load, x->release_name,
			   "Releases make more than %d nodes of manifests", MANIFEST_NODES_MAX);
	reader->exhausted = true;
	return false;
}

/* The chain "a -> b -> a" when the template is one of those that led here; NULL: it is not. */
static const char *circle(struct load *load, const struct document *release, const char *template)
{
	const char *chain = template;
	size_t depth = 0;

	for (const struct document *r = release->release; r; r = r->release) {
		const char *name = text_of(node_get(r->node, "spec"), "template", "");
		chain = arena_printf(load->arena, "%s -> %s", name, chain);
		if (strcmp(name, template) == 0)
			return chain;
		if (++depth > NESTING_MAX)
			return chain;
	}
	return NULL;
}

static const struct document *find_template(const struct load *load, const char *name)
{
	const struct kind *kind = load_kind(load, "Template");

	for (size_t i = 0; i < load->documents.count; i++)
		if (load->documents.items[i]->kind == kind &&
		    strcmp(load->documents.items[i]->name, name) == 0)
			return load->documents.items[i];
	return NULL;
}

static void expand(struct load *load, const struct document *release)
{
	const struct node *at = spec_get(release, "template");
	const char *name = text_of(node_get(release->node, "spec"), "template", NULL);

	if (!name || at->faulty)
		return; /* diagnosed when the Release is decoded */
	const char *chain = circle(load, release, name);
	if (chain) {
		load_fault(load, at, "Templates go in a circle, or are nested too deeply: %s",
			   chain);
		return;
	}
	const struct document *template = find_template(load, name);
	if (!template) {
		if (!load_may_lack(load, "Template"))
			load_fault(load, at, "spec.template: there is no Template '%s'%s", name,
				   load_nearest(load, "Template", name));
		load_lacks(load, NULL);
		return;
	}
	struct expansion x = { .load = load, .template = template, .release = release };
	const struct node *own = node_get(node_get(release->node, "metadata"), "name");
	x.release_name = own ? own : release->node;
	if (!release->named) {
		load_lacks(load, NULL);
		return;
	}
	read_parameters(&x);
	read_values(&x);
	struct interpolation in = interpolation(&x);
	const struct node *resources = spec_get(template, "resources");
	for (size_t i = 0; resources && i < resources->count; i++) {
		if (resources->type != NODE_SEQUENCE || !may_make(&x, resources->values[i]))
			continue;
		const struct node *node = interpolate(&in, resources->values[i]);
		if (!account(&x, node))
			return;
		document_add(load, node, release);
	}
}

/* What can be told without any Release, so that a Template that nobody uses yet is checked. */
static void check(struct load *load, const struct document *template)
{
	const struct node *resources = spec_get(template, "resources");
	const struct node *parameters = spec_get(template, "parameters");
	struct expansion x = { .load = load, .template = template };
	struct interpolation in = interpolation(&x);

	read_parameters(&x);
	for (size_t i = 0; i < x.count; i++) {
		const struct node *pattern = node_get(x.parameters[i].definition, "pattern");
		if (strcmp(x.parameters[i].name, "release") == 0)
			load_fault(load, parameters,
				   "'release' stands for the Release's name; take another name");
		if (!pattern || pattern->type != NODE_SCALAR)
			continue;
		if (!pattern_is_valid(load->patterns, pattern->text))
			load_fault(load, pattern, "'%s' is no extended regular expression",
				   pattern->text);
	}
	for (size_t i = 0; resources && resources->type == NODE_SEQUENCE && i < resources->count;
	     i++)
		if (may_make(&x, resources->values[i]) && document_kind(load, resources->values[i]))
			interpolate(&in, resources->values[i]);
}

void template_expand(struct load *load)
{
	size_t count = load->documents.count;

	for (size_t i = 0; i < count; i++)
		if (strcmp(load->documents.items[i]->kind->name, "Template") == 0)
			check(load, load->documents.items[i]);
	/* Expanding appends documents, Releases among them. */
	for (size_t i = 0; i < load->documents.count && !load->reader.exhausted; i++)
		if (strcmp(load->documents.items[i]->kind->name, "Release") == 0)
			expand(load, load->documents.items[i]);
}
