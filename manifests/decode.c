/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document -> a body: references resolved for a host (or none), decoded by the kind's table,
 * files beside the manifest read in, checked by the rules that hold for every kind.
 *
 * What refers to nothing of a host is decoded once, and all hosts share the body.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/base/sha256.h"
#include "manifests/content.h"
#include "manifests/env_file.h"
#include "manifests/files.h"
#include "manifests/schema_types.h"
#include "manifests/sources.h"

struct decoding {
	struct load *load;
	struct document *document;
	struct resolver resolver; /* for the rows that may ask for the host */
	struct body *body;
	json_t *spec, *secrets;
};

static bool is_kind(const struct document *document, const char *name)
{
	return strcmp(document->kind->name, name) == 0;
}

/* Their references are somebody else's: the Release's, or the variables' (see sources.c). */
static bool is_raw(const struct document *document)
{
	return is_kind(document, "Project") || is_kind(document, "Template") ||
	       is_kind(document, "Release");
}

static bool has_flag(const struct kind *kind, const char *key, enum field_flags flag)
{
	const struct field *field = schema_field(kind->spec, key);

	return field && (field->flags & flag);
}

/* A copy of the mapping in which one value is another; the same node when it is not. */
static const struct node *with_value(struct load *load, const struct node *node, size_t index,
				     const struct node *value)
{
	if (node->values[index] == value)
		return node;
	struct node *copy = arena_new_of(load->arena, struct node);
	*copy = *node;
	copy->values = arena_alloc(load->arena, node->count * sizeof(*copy->values));
	memcpy(copy->values, node->values, node->count * sizeof(*copy->values));
	copy->values[index] = (struct node *)value;
	if (!node_seal(copy))
		load_fault(load, node, "references make this too deep or too large");
	return copy;
}

/* The variables of a host first: its other fields may use them. */
static void resolve_host_vars(struct decoding *d, const struct node **spec)
{
	for (size_t i = 0; (*spec)->type == NODE_MAPPING && i < (*spec)->count; i++) {
		if (strcmp((*spec)->keys[i]->text, "vars") != 0)
			continue;
		d->resolver.host_vars = resolve(&d->resolver, (*spec)->values[i]);
		*spec = with_value(d->load, *spec, i, d->resolver.host_vars);
	}
}

static const struct node *resolve_spec(struct decoding *d, const struct node *spec)
{
	bool host = is_kind(d->document, "Host");

	if (host)
		resolve_host_vars(d, &spec);
	if (spec->type != NODE_MAPPING)
		return resolve(&d->resolver, spec);
	for (size_t i = 0; i < spec->count; i++) {
		const char *key = spec->keys[i]->text;
		struct resolver project = { .load = d->load, .sources = d->resolver.sources };
		if ((host && strcmp(key, "vars") == 0) ||
		    has_flag(d->document->kind, key, FIELD_LATE))
			continue;
		bool early = has_flag(d->document->kind, key, FIELD_PROJECT);
		spec = with_value(d->load, spec, i,
				  resolve(early ? &project : &d->resolver, spec->values[i]));
	}
	return spec;
}

/* Stands for a value that was told of, and of which nothing more shall be said. */
static const struct node *faulty_node(struct load *load, const struct node *value)
{
	struct node *faulty = arena_new_of(load->arena, struct node);

	*faulty = (struct node){
		.type = NODE_SCALAR, .text = "", .place = value->place, .via = value->via
	};
	faulty->faulty = true;
	return faulty;
}

/* Selectors, reports and `drey render` show metadata as it is. */
static const struct node *resolve_metadata_value(struct decoding *d, const char *key,
						 const struct node *value)
{
	struct resolver project = { .load = d->load, .sources = d->resolver.sources };
	const struct node *resolved = resolve(&project, value);

	if (!node_has_secret(resolved))
		return resolved;
	load_fault(d->load, value, "metadata.%s: metadata is shown, and cannot hold a secret", key);
	return faulty_node(d->load, value);
}

/* What identifies a resource must be known before anything is resolved. */
static const struct node *resolve_metadata(struct decoding *d, const struct node *metadata)
{
	if (metadata->type != NODE_MAPPING)
		return resolve_metadata_value(d, "name", metadata);
	for (size_t i = 0; i < metadata->count; i++) {
		const char *key = metadata->keys[i]->text;
		const struct node *value = metadata->values[i];
		if (strcmp(key, "name") != 0) {
			metadata = with_value(d->load, metadata, i,
					      resolve_metadata_value(d, key, value));
		} else if (value->type == NODE_SCALAR && strstr(value->text, "${")) {
			load_fault(d->load, value,
				   "metadata.name: '%s': a name cannot hold references, save for "
				   "${release} and parameters in a Template",
				   value->text);
			metadata = with_value(d->load, metadata, i, faulty_node(d->load, value));
		}
	}
	return metadata;
}

/* Envelope, metadata and spec with their references resolved. */
static const struct node *resolve_document(struct decoding *d)
{
	const struct node *root = d->document->node;

	if (is_raw(d->document))
		return root;
	for (size_t i = 0; i < root->count; i++) {
		const struct node *value = root->values[i];
		if (strcmp(root->keys[i]->text, "metadata") == 0)
			root = with_value(d->load, root, i, resolve_metadata(d, value));
		else if (strcmp(root->keys[i]->text, "spec") == 0)
			root = with_value(d->load, root, i, resolve_spec(d, value));
	}
	return root;
}

static const struct node *spec_node(struct load *load, const struct node *root)
{
	const struct node *spec = node_get(root, "spec");

	if (spec && !node_is_null(spec))
		return spec;
	struct node *empty = arena_new_of(load->arena, struct node);
	*empty = (struct node){
		.type = NODE_MAPPING,
		.place = spec ? spec->place : root->place,
		.via = root->via,
	};
	return empty;
}

static void check_labels(struct decoding *d, const struct node *labels, const json_t *map,
			 const char *where)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)map, key, value) {
		if (!str_has_prefix(key, "drey."))
			continue;
		const struct node *at = node_key(labels, key);
		load_fault(
			d->load, at ? at : labels,
			"%s: '%s': labels that begin with drey. are drey's own; manifests may not "
			"set them",
			where, key);
	}
}

/* metadata.ignore: the row before the first dot or bracket must be one of the kind's. */
static void check_ignore(struct decoding *d, const struct node *ignore)
{
	const struct schema *schema = d->document->kind->spec;

	for (size_t i = 0; ignore && ignore->type == NODE_SEQUENCE && i < ignore->count; i++) {
		const struct node *at = ignore->values[i];
		if (at->type != NODE_SCALAR)
			continue;
		CLEANUP(cleanup_free) char *head = xstrndup(at->text, strcspn(at->text, ".["));
		if (schema_field(schema, head))
			continue;
		const char *nearest = schema_nearest_key(schema, head);
		load_fault(d->load, at, "metadata.ignore: a %s has no field '%s'%s%s%s",
			   d->document->kind->name, head, nearest ? "; did you mean '" : "",
			   nearest ? nearest : "", nearest ? "'?" : "");
	}
}

static const struct node *was_of(const struct document *document)
{
	const struct node *was = node_get(node_get(document->node, "metadata"), "was");

	return was && was->type == NODE_SEQUENCE ? was : NULL;
}

/* Another that says it was the same: whose would the object be? */
static const struct document *rival(const struct decoding *d, const char *name)
{
	for (size_t i = 0; i < d->load->documents.count; i++) {
		const struct document *other = d->load->documents.items[i];
		const struct node *was = was_of(other);

		if (other == d->document || other->kind != d->document->kind || !was)
			continue;
		for (size_t k = 0; k < was->count; k++) {
			if (was->values[k]->type == NODE_SCALAR &&
			    strcmp(was->values[k]->text, name) == 0)
				return other;
		}
	}
	return NULL;
}

static void check_was(struct decoding *d, const struct node *was)
{
	const char *kind = d->document->kind->name;

	for (size_t i = 0; was && was->type == NODE_SEQUENCE && i < was->count; i++) {
		const struct node *at = was->values[i];
		const struct document *other;

		if (at->type != NODE_SCALAR)
			continue;
		other = rival(d, at->text);
		if (d->document->kind->scope != SCOPE_HOST)
			load_fault(d->load, at,
				   "metadata.was: a %s is nowhere but in the manifests; there is "
				   "nothing to rename",
				   kind);
		else if (strcmp(at->text, d->document->name) == 0)
			load_fault(d->load, at, "metadata.was: '%s' is its name now", at->text);
		else if (load_find(d->load, kind, at->text))
			load_fault(d->load, at,
				   "metadata.was: %s '%s' is still declared; it can't be this one "
				   "too (names that change places take a name in between)",
				   kind, at->text);
		else if (other)
			load_fault(d->load, at, "metadata.was: %s '%s' says that it was '%s' too",
				   kind, other->name, at->text);
	}
}

static void decode_metadata(struct decoding *d, const struct node *root)
{
	const struct node *node = node_get(root, "metadata");
	struct decode decode = {
		.diagnostics = d->load->diagnostics,
		.patterns = d->load->patterns,
		.prefix = "metadata",
	};
	json_t *metadata = node ? schema_decode(&metadata_schema, &decode, node) : NULL;

	d->body->metadata = load_keep(d->load, metadata ? metadata : json_object());
	check_labels(d, node_get(node, "labels"), json_object_get(d->body->metadata, "labels"),
		     "metadata.labels");
	check_ignore(d, node_get(node, "ignore"));
	check_was(d, node_get(node, "was"));
}

static void resolve_path(struct decoding *d, const struct field *field, const struct node *node)
{
	const char *written = json_string_value(json_object_get(d->spec, field->key));
	const struct node *at = node_get(node, field->key);
	struct error err = ERROR_INIT;
	const char *path;

	if (!written || !at)
		return;
	if (files_resolve(d->load->dir, node_origin(at)->file, written, field->flags & FIELD_INSIDE,
			  sources_getenv(d->load, "HOME"), d->load->arena, &path, &err) < 0)
		load_fault(d->load, at, "spec.%s: %s", field->key, err.text);
	else
		json_object_set_new(d->spec, field->key, json_string(path));
}

static void decode_spec(struct decoding *d, const struct node *node)
{
	const struct schema *schema = d->document->kind->spec;
	struct decode decode = {
		.diagnostics = d->load->diagnostics,
		.secrets = d->secrets,
		.patterns = d->load->patterns,
		.prefix = "spec",
	};

	d->spec = schema_decode(schema, &decode, node);
	if (!d->spec)
		d->spec = json_object();
	schema_foreach (schema, field) {
		if (!(field->flags & FIELD_PATH) || !json_object_get(d->spec, field->key))
			continue;
		if (!env_file_apply(d->load, field->key, node, d->spec))
			resolve_path(d, field, node);
	}
	if (schema_field(schema, "labels"))
		check_labels(d, node_get(node, "labels"), json_object_get(d->spec, "labels"),
			     "spec.labels");
}

static const char *digest(struct decoding *d)
{
	json_t *masked = schema_mask(d->document->kind->spec, d->spec, d->secrets);
	char *text = json_dumps(masked, JSON_SORT_KEYS | JSON_COMPACT);
	struct sha256 *sha = sha256_new();
	char hex[SHA256_HEX];

	/* With their NULs: no kind or name can pass for the beginning of what follows. */
	sha256_update(sha, d->document->kind->name, strlen(d->document->kind->name) + 1);
	sha256_update(sha, d->document->name, strlen(d->document->name) + 1);
	sha256_update(sha, text ? text : "", text ? strlen(text) : 0);
	VEC_FOREACH (const struct content *, content, &d->body->contents) {
		if (!content->secret)
			sha256_update(sha, content->data, content->len);
	}
	sha256_final(sha, hex);
	sha256_free(sha);
	free(text);
	json_decref(masked);
	return arena_strdup(d->load->arena, hex);
}

/* "spec.volumes.0.source" as other messages have it: "spec.volumes[0].source". */
static const char *shown_path(struct load *load, const char *path)
{
	struct str out;

	str_init(&out, 0);
	while (*path) {
		size_t n = strcspn(path, "."), digits = strspn(path, "0123456789");
		if (n && n == digits)
			str_printf(&out, "[%.*s]", (int)n, path);
		else
			str_printf(&out, "%s%.*s", out.len ? "." : "", (int)n, path);
		path += n + (path[n] == '.');
	}
	const char *shown = arena_strdup(load->arena, out.data);
	str_done(&out);
	return shown;
}

static void note_reference(void *ctx, const char *kind, const char *name, const char *path)
{
	struct decoding *d = ctx;
	struct reference_to reference = {
		.kind = load_kind(d->load, kind),
		.name = arena_strdup(d->load->arena, name),
		.path = arena_strdup(d->load->arena, path),
		.shown = shown_path(d->load, path),
	};

	/* Where a thing is to be is the business of place.c. */
	if (reference.kind && strcmp(kind, "Host") != 0)
		vec_push(&d->body->references, reference);
}

static void release_body(void *ptr)
{
	struct body *body = ptr;

	vec_done(&body->references);
	vec_done(&body->contents);
}

const struct resource *decode_resource(struct load *load, const struct document *document,
				       const struct body *body, const char *host)
{
	struct resource *resource = arena_new_of(load->arena, struct resource);
	size_t kind = 0;

	while (load->options->kinds[kind] != document->kind)
		kind++;
	*resource = (struct resource){
		.kind = document->kind,
		.name = document->name,
		.host = host,
		.node = body->node,
		.metadata = body->metadata,
		.spec = body->spec,
		.secrets = body->secrets,
		.defaults = load->defaults[kind],
		.digest = body->digest,
		.contents = body->contents.items,
		.content_count = body->contents.count,
	};
	return resource;
}

static void set_up_resolver(struct decoding *d, int host)
{
	struct load *load = d->load;

	d->resolver = (struct resolver){ .load = load, .sources = SOURCE_ALL };
	if (is_kind(d->document, "Secret"))
		d->resolver.sources = SOURCE_ENVIRONMENT;
	if (is_kind(d->document, "Host"))
		d->resolver.host = d->document->name;
	if (host >= 0) {
		const struct document *at = load->hosts[host];
		d->resolver.host = at->name;
		d->resolver.host_vars = node_get(node_get(at->shared->node, "spec"), "vars");
	}
}

struct body *decode_document(struct load *load, struct document *document, int host)
{
	struct decoding d = { .load = load, .document = document };
	size_t reported = load->diagnostics->reported;

	if (document->shared)
		return document->shared;
	d.body = arena_new_of(load->arena, struct body);
	arena_defer(load->arena, release_body, d.body);
	d.secrets = json_object();
	set_up_resolver(&d, host);
	d.body->node = resolve_document(&d);
	decode_metadata(&d, d.body->node);
	decode_spec(&d, spec_node(load, d.body->node));
	d.body->absent = str_eq(json_string_value(json_object_get(d.spec, "state")), "absent");
	if (!d.body->absent)
		content_read(&d.resolver, document->kind->spec, d.spec, &d.body->contents);
	if (host < 0 || !d.resolver.used_host)
		document->shared = d.body;
	d.body->digest = digest(&d);
	d.body->spec = load_keep(load, d.spec);
	d.body->secrets = load_keep(load, d.secrets);
	schema_references(document->kind->spec, d.spec, note_reference, &d);
	if (load->diagnostics->reported == reported && document->kind->verify)
		document->kind->verify(decode_resource(load, document, d.body,
						       host >= 0 ? load->hosts[host]->name : NULL),
				       load->diagnostics);
	d.body->good = load->diagnostics->reported == reported;
	return d.body;
}
