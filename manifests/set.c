/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of loading in their order (see load.h), and what can be asked of the result. */
#include "manifests/set.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/sha256.h"
#include "manifests/files.h"
#include "manifests/load.h"
#include "manifests/sources.h"

#define LOCAL_HOST                                                                                 \
	"apiVersion: drey/v1\n"                                                                    \
	"kind: Host\n"                                                                             \
	"metadata: { name: local }\n"                                                              \
	"spec: { address: \"unix:///var/run/docker.sock\" }\n"

struct manifest_set {
	atomic_uint references;
	struct arena *arena;
	const char *project;
	const struct resource *project_resource;
	bool local;
	const char *digest;
	const struct resource **resources; /* of SCOPE_PROJECT, by kind and name */
	size_t resource_count;
	struct desired *desired; /* by host, in the order of set_host() */
	size_t host_count;
	const struct sources *sources; /* NULL until it is loaded */
};

static void release_json(void *json)
{
	json_decref(json);
}

const json_t *load_keep(struct load *load, json_t *json)
{
	arena_defer(load->arena, release_json, json);
	return json;
}

const struct kind *load_kind(const struct load *load, const char *name)
{
	for (size_t i = 0; i < load->options->kind_count; i++)
		if (strcmp(load->options->kinds[i]->name, name) == 0)
			return load->options->kinds[i];
	return NULL;
}

static size_t kind_index(const struct load *load, const struct kind *kind)
{
	size_t i = 0;

	while (load->options->kinds[i] != kind)
		i++;
	return i;
}

void load_lacks(struct load *load, const struct kind *kind)
{
	if (kind)
		load->lacks[kind_index(load, kind)] = true;
	else
		load->lacks_anything = true;
}

bool load_may_lack(const struct load *load, const char *name)
{
	const struct kind *kind = load_kind(load, name);

	return load->lacks_anything || (kind && load->lacks[kind_index(load, kind)]);
}

struct key {
	const char *kind, *name;
};

static int compare_key(const struct key *key, const char *kind, const char *name)
{
	int order = strcmp(key->kind, kind);

	return order ? order : strcmp(key->name, name);
}

static int compare_document(const void *key, const void *item)
{
	const struct document *document = *(const struct document *const *)item;

	return compare_key(key, document->kind->name, document->name);
}

struct document *load_find(const struct load *load, const char *kind, const char *name)
{
	const struct key key = { kind, name };
	struct document **found = NULL;

	if (load->documents.count)
		found = bsearch(&key, load->documents.items, load->documents.count,
				sizeof(*load->documents.items), compare_document);
	return found ? *found : NULL;
}

const char *load_nearest(const struct load *load, const char *kind, const char *name)
{
	VEC(const char *) names = { 0 };

	for (size_t i = 0; i < load->documents.count; i++)
		if (strcmp(load->documents.items[i]->kind->name, kind) == 0)
			vec_push(&names, load->documents.items[i]->name);
	const char *nearest = str_nearest(name, names.items, names.count);
	vec_done(&names);
	return nearest ? arena_printf(load->arena, "; did you mean '%s'?", nearest) : "";
}

static void take_root(void *ctx, const struct node *root)
{
	struct load *load = ctx;

	vec_push(&load->roots, root);
}

static void read_text(struct load *load, const char *file, const char *text, size_t len)
{
	/* With the NUL of its name, so that name and content can't be shifted. */
	sha256_update(load->sha, file, strlen(file) + 1);
	sha256_update(load->sha, text, len);
	if (yaml_read(&load->reader, file, text, len, take_root, load) < 0)
		load_lacks(load, NULL);
}

static int read_directory(struct load *load, struct error *err)
{
	struct manifest_files files;
	const char *dir = load->options->dir;
	size_t reported = load->diagnostics->reported;

	if (files_find(dir, load->arena, load->diagnostics, &files, err) < 0) {
		files_done(&files);
		return -1;
	}
	load->dir = files.dir;
	for (size_t i = 0; i < files.paths.count; i++) {
		char *text;
		size_t len;
		if (files_read(&files, files.paths.items[i], &text, &len) < 0)
			continue;
		read_text(load, files.paths.items[i], text, len);
		free(text);
	}
	if (load->diagnostics->reported != reported)
		load_lacks(load, NULL);
	bool empty = files.paths.count == 0 && !load->lacks_anything;
	files_done(&files);
	if (empty)
		return error_set(err, ERROR_NOT_FOUND,
				 "%s holds no manifests (files named *.yaml or *.yml)", dir);
	return 0;
}

static size_t count_kind(const struct load *load, const char *kind)
{
	size_t count = 0;

	for (size_t i = 0; i < load->documents.count; i++)
		count += strcmp(load->documents.items[i]->kind->name, kind) == 0;
	return count;
}

/* Without Project and Host the engine of this machine is meant. */
static void imply_local_host(struct load *load)
{
	if (count_kind(load, "Project") || count_kind(load, "Host") || load->lacks_anything)
		return;
	assert(load_kind(load, "Host"));
	load->roots.count = 0;
	if (yaml_read(&load->reader, "(built in)", LOCAL_HOST, strlen(LOCAL_HOST), take_root,
		      load) == 0 &&
	    load->roots.count)
		document_add(load, load->roots.items[0], NULL);
	load->set->local = true;
}

static const struct node *name_node(const struct document *document)
{
	const struct node *name = node_get(node_get(document->node, "metadata"), "name");

	return name ? name : document->node;
}

static void find_project(struct load *load)
{
	for (size_t i = 0; i < load->documents.count; i++) {
		struct document *document = load->documents.items[i];
		if (strcmp(document->kind->name, "Project") != 0)
			continue;
		if (!load->project || document->order < load->project->order)
			load->project = document;
	}
	for (size_t i = 0; i < load->documents.count; i++) {
		const struct document *document = load->documents.items[i];
		if (strcmp(document->kind->name, "Project") != 0 || document == load->project)
			continue;
		const struct place *first = node_origin(name_node(load->project));
		load_fault(load, name_node(document),
			   "a second Project, '%s'; a set has one, and the first is at %s:%u:%u",
			   document->name, first->file, first->line, first->column);
	}
	load->set->project = load->project ? load->project->name : "default";
}

/* The hosts are decoded before all else: everyone asks for their variables and labels. */
static void decode_hosts(struct load *load)
{
	load->hosts =
		arena_alloc(load->arena, (count_kind(load, "Host") + 1) * sizeof(*load->hosts));
	for (size_t i = 0; i < load->documents.count; i++) {
		struct document *document = load->documents.items[i];
		if (strcmp(document->kind->name, "Host") != 0)
			continue;
		const struct body *body = decode_document(load, document, -1);
		const char *address = json_string_value(json_object_get(body->spec, "address"));
		if (!load->project && !load_may_lack(load, "Project") && address &&
		    !str_has_prefix(address, "unix:"))
			load_fault(load, name_node(document),
				   "Host '%s' is a remote one, so the set must name its project; "
				   "add a Project document",
				   document->name);
		load->hosts[load->host_count++] = document;
	}
}

static void decode_rest(struct load *load)
{
	for (size_t i = 0; i < load->documents.count; i++)
		if (load->documents.items[i]->kind->scope == SCOPE_PROJECT)
			decode_document(load, load->documents.items[i], -1);
}

static int compare_resource(const void *a, const void *b)
{
	const struct resource *x = *(const struct resource *const *)a;
	const struct resource *y = *(const struct resource *const *)b;
	const struct key key = { x->kind->name, x->name };

	return compare_key(&key, y->kind->name, y->name);
}

static void place_on_host(struct load *load, size_t host, struct body **bodies)
{
	size_t count = 0, all = load->documents.count;
	CLEANUP(cleanup_free) size_t *order = xcalloc(all + 1, sizeof(*order));

	for (size_t i = 0; i < all; i++)
		if (bodies[i])
			order[count++] = i;
	order_documents(load, bodies, order, count);
	const struct resource **list = arena_alloc(load->arena, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = decode_resource(load, load->documents.items[order[i]], bodies[order[i]],
					  load->hosts[host]->name);
	const struct resource **by_name = arena_alloc(load->arena, (count + 1) * sizeof(*by_name));
	memcpy(by_name, list, count * sizeof(*list));
	if (count)
		qsort(by_name, count, sizeof(*by_name), compare_resource);
	load->set->desired[host] = (struct desired){
		.host = load->hosts[host]->resource,
		.resources = list,
		.count = count,
		.by_name = by_name,
	};
}

static void keep_project_resources(struct load *load)
{
	struct manifest_set *set = load->set;

	set->resources =
		arena_alloc(load->arena, (load->documents.count + 1) * sizeof(*set->resources));
	for (size_t i = 0; i < load->documents.count; i++) {
		struct document *document = load->documents.items[i];
		if (document->kind->scope != SCOPE_PROJECT)
			continue;
		document->resource = decode_resource(load, document, document->shared, NULL);
		set->resources[set->resource_count++] = document->resource;
	}
	if (load->project)
		set->project_resource = load->project->resource;
}

static void tell_hosts(const struct load *load)
{
	const struct manifest_options *options = load->options;

	for (size_t h = 0; h < load->host_count; h++)
		if (options->host && load->diagnostics->errors == 0)
			options->host(options->host_ctx, load->hosts[h]->resource);
}

static void finish(struct load *load)
{
	struct manifest_set *set = load->set;
	struct body ***bodies = xcalloc(load->host_count + 1, sizeof(*bodies));

	for (size_t h = 0; h < load->host_count; h++)
		bodies[h] = xcalloc(load->documents.count + 1, sizeof(**bodies));
	keep_project_resources(load);
	tell_hosts(load);
	place_documents(load);
	link_documents(load, bodies);
	set->desired = arena_alloc(load->arena, (load->host_count + 1) * sizeof(*set->desired));
	set->host_count = load->host_count;
	for (size_t h = 0; h < load->host_count; h++) {
		place_on_host(load, h, bodies[h]);
		free(bodies[h]);
	}
	free(bodies);
}

static void parse_defaults(struct load *load)
{
	load->defaults =
		arena_alloc(load->arena, (load->options->kind_count + 1) * sizeof(*load->defaults));
	for (size_t k = 0; k < load->options->kind_count; k++) {
		const struct schema *schema = load->options->kinds[k]->spec;
		json_t *defaults = json_object();
		schema_foreach (schema, field) {
			if (field->fallback)
				json_object_set_new(
					defaults, field->key,
					json_loads(field->fallback, JSON_DECODE_ANY, NULL));
		}
		load->defaults[k] = load_keep(load, defaults);
	}
}

/* From the trees to the set. */
static void build(struct load *load)
{
	if (!requires_check(load))
		return;
	for (size_t i = 0; i < load->roots.count; i++)
		document_add(load, load->roots.items[i], NULL);
	template_expand(load);
	if (load->reader.exhausted)
		return; /* what was made so far is too much to look into, and not all */
	imply_local_host(load);
	document_sort(load);
	find_project(load);
	parse_defaults(load);
	sources_init(load);
	load->set->sources = load->sources;
	decode_hosts(load);
	decode_rest(load);
	finish(load);
}

static struct manifest_set *set_new(void)
{
	struct arena *arena = arena_new();
	struct manifest_set *set = arena_new_of(arena, struct manifest_set);

	atomic_init(&set->references, 1);
	set->arena = arena;
	return set;
}

/* A value is masked where it stands; a message may have it by another way, in a path say. */
static void hide_in_diagnostics(const struct manifest_set *set, struct diagnostics *diagnostics)
{
	VEC_FOREACH (struct diagnostic *, diagnostic, &diagnostics->list) {
		char *text = arena_strdup(diagnostics->arena, diagnostic->text);

		set_hide_secrets(set, text);
		diagnostic->text = text;
	}
}

static int load_with(const struct manifest_options *options, const char *file, const char *text,
		     size_t len, struct diagnostics *diagnostics, struct manifest_set **ret_set,
		     struct error *err)
{
	struct manifest_set *set = set_new();
	size_t errors = diagnostics->errors;
	char hex[SHA256_HEX];
	struct load load = {
		.options = options,
		.diagnostics = diagnostics,
		.arena = set->arena,
		.set = set,
		.reader = { .arena = set->arena, .diagnostics = diagnostics },
		.sha = sha256_new(),
		.patterns = patterns_new(),
		.lacks = arena_alloc(set->arena, options->kind_count + 1),
	};
	int r = 0;

	if (text)
		read_text(&load, file, text, len);
	else
		r = read_directory(&load, err);
	if (r == 0)
		build(&load);
	hide_in_diagnostics(set, diagnostics);
	sha256_final(load.sha, hex);
	sha256_free(load.sha);
	patterns_free(load.patterns);
	set->digest = arena_strdup(set->arena, hex);
	vec_done(&load.roots);
	vec_done(&load.documents);
	if (r == 0 && diagnostics->errors > errors)
		r = error_set(err, ERROR_INVALID, "the manifests have %zu error%s",
			      diagnostics->errors, diagnostics->errors == 1 ? "" : "s");
	if (r < 0)
		set_unref(set);
	else
		*ret_set = set;
	return r;
}

int set_load(const struct manifest_options *options, struct diagnostics *diagnostics,
	     struct manifest_set **ret_set, struct error *err)
{
	return load_with(options, NULL, NULL, 0, diagnostics, ret_set, err);
}

int set_load_text(const struct manifest_options *options, const char *file, const char *text,
		  size_t len, struct diagnostics *diagnostics, struct manifest_set **ret_set,
		  struct error *err)
{
	return load_with(options, file, text, len, diagnostics, ret_set, err);
}

struct manifest_set *set_ref(struct manifest_set *set)
{
	if (set)
		atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
	return set;
}

void set_unref(struct manifest_set *set)
{
	if (set && atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) == 1)
		arena_free(set->arena);
}

const char *set_project(const struct manifest_set *set)
{
	return set->project;
}

const struct resource *set_project_resource(const struct manifest_set *set)
{
	return set->project_resource;
}

bool set_is_local(const struct manifest_set *set)
{
	return set->local;
}

void set_hide_secrets(const struct manifest_set *set, char *text)
{
	if (set && set->sources)
		sources_hide_secrets(set->sources, text);
}

const char *set_digest(const struct manifest_set *set)
{
	return set->digest;
}

/* Of the first resource of a kind, or of where it would be. */
static size_t lower_bound(const struct manifest_set *set, const char *kind)
{
	size_t low = 0, high = set->resource_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(set->resources[middle]->kind->name, kind) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t set_count(const struct manifest_set *set, const char *kind)
{
	size_t first = lower_bound(set, kind), i = first;

	while (i < set->resource_count && strcmp(set->resources[i]->kind->name, kind) == 0)
		i++;
	return i - first;
}

const struct resource *set_at(const struct manifest_set *set, const char *kind, size_t index)
{
	assert(index < set_count(set, kind));
	return set->resources[lower_bound(set, kind) + index];
}

static int compare_to_resource(const void *key, const void *item)
{
	const struct resource *resource = *(const struct resource *const *)item;

	return compare_key(key, resource->kind->name, resource->name);
}

static const struct resource *search(const struct resource *const *sorted, size_t count,
				     const char *kind, const char *name)
{
	const struct key key = { kind, name };
	const struct resource *const *found = NULL;

	if (count)
		found = bsearch(&key, sorted, count, sizeof(*sorted), compare_to_resource);
	return found ? *found : NULL;
}

const struct resource *set_find(const struct manifest_set *set, const char *kind, const char *name)
{
	return search(set->resources, set->resource_count, kind, name);
}

size_t set_host_count(const struct manifest_set *set)
{
	return set->host_count;
}

const struct resource *set_host(const struct manifest_set *set, size_t index)
{
	assert(index < set->host_count);
	return set->desired[index].host;
}

const struct desired *set_desired(const struct manifest_set *set, const char *host)
{
	size_t low = 0, high = set->host_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(host, set->desired[middle].host->name);
		if (order == 0)
			return &set->desired[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct resource *desired_find(const struct desired *desired, const char *kind,
				    const char *name)
{
	if (desired->by_name)
		return search(desired->by_name, desired->count, kind, name);
	for (size_t i = 0; i < desired->count; i++)
		if (strcmp(desired->resources[i]->kind->name, kind) == 0 &&
		    strcmp(desired->resources[i]->name, name) == 0)
			return desired->resources[i];
	return NULL;
}

struct trail {
	const struct desired *desired;
	json_t *seen; /* "Kind/name" */
	VEC(const struct resource *) open;
};

static void follow(void *ctx, const char *kind, const char *name, const char *path)
{
	struct trail *trail = ctx;
	const struct resource *next = desired_find(trail->desired, kind, name);
	CLEANUP(cleanup_free) char *key = xasprintf("%s/%s", kind, name);

	(void)path;
	if (!next || json_object_get(trail->seen, key))
		return;
	json_object_set_new(trail->seen, key, json_true());
	vec_push(&trail->open, next);
}

bool desired_leads_to(const struct desired *desired, const struct resource *from,
		      const struct resource *to)
{
	struct trail trail = { .desired = desired, .seen = json_object() };
	bool found = false;

	vec_push(&trail.open, from);
	while (!found && trail.open.count > 0) {
		const struct resource *at = trail.open.items[--trail.open.count];

		schema_references(at->kind->spec, at->spec, follow, &trail);
		VEC_FOREACH (const struct resource *const *, next, &trail.open)
			found = found || *next == to;
	}
	vec_done(&trail.open);
	json_decref(trail.seen);
	return found;
}
