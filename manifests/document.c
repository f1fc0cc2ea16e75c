/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Envelopes: what a document says it is, before anything looks into its spec. */
#include <stdlib.h>
#include <string.h>

#include "manifests/load.h"

#define API_VERSION "drey/v1"

static bool is_text(const struct node *node)
{
	return node && node->type == NODE_SCALAR && !node_is_null(node);
}

static const char *shape(const struct node *node)
{
	if (node->type == NODE_MAPPING)
		return "a mapping";
	return node->type == NODE_SEQUENCE ? "a list" : "a plain value";
}

static bool check_version(struct load *load, const struct node *root,
			  const struct document *release)
{
	const struct node *version = node_get(root, "apiVersion");

	if (!version && release)
		return true;
	if (!version) {
		load_fault(load, root,
			   "the document has no apiVersion; expected 'apiVersion: " API_VERSION
			   "' (list files that are not drey's in .dreyignore)");
		return false;
	}
	if (is_text(version) && strcmp(version->text, API_VERSION) == 0)
		return true;
	load_fault(load, version, "apiVersion: found '%s', expected '" API_VERSION "'",
		   version->type == NODE_SCALAR ? version->text : shape(version));
	return false;
}

static void unknown_kind(struct load *load, const struct node *node)
{
	size_t count = load->options->kind_count;
	const char **names = xcalloc(count + 1, sizeof(*names));

	for (size_t i = 0; i < count; i++)
		names[i] = load->options->kinds[i]->name;
	const char *nearest = str_nearest(node->text, names, count);
	struct str all;
	str_init(&all, 0);
	for (size_t i = 0; i < count; i++)
		str_printf(&all, "%s%s", i ? ", " : "", names[i]);
	if (nearest)
		load_fault(load, node, "kind: unknown kind '%s'; did you mean '%s'?", node->text,
			   nearest);
	else
		load_fault(load, node, "kind: unknown kind '%s'; expected one of %s", node->text,
			   all.data);
	str_done(&all);
	free(names);
}

const struct kind *document_kind(struct load *load, const struct node *root)
{
	const struct node *node = node_get(root, "kind");
	const struct kind *kind;

	if (root->type != NODE_MAPPING) {
		load_fault(load, root,
			   "found %s, expected a document: a mapping with apiVersion, kind, "
			   "metadata and spec",
			   shape(root));
		return NULL;
	}
	if (!is_text(node)) {
		load_fault(load, node ? node : root, "kind: expected the name of a kind%s",
			   node ? "" : ", and there is none in this document");
		return NULL;
	}
	kind = load_kind(load, node->text);
	if (!kind && !node->faulty)
		unknown_kind(load, node);
	return kind;
}

static void check_keys(struct load *load, const struct node *root)
{
	static const char *const keys[] = { "apiVersion", "kind", "metadata", "spec" };

	for (size_t i = 0; i < root->count; i++) {
		const char *key = root->keys[i]->text;
		size_t k = 0;
		while (k < ARRAY_SIZE(keys) && strcmp(key, keys[k]) != 0)
			k++;
		if (k < ARRAY_SIZE(keys))
			continue;
		const char *nearest = str_nearest(key, keys, ARRAY_SIZE(keys));
		if (nearest)
			load_fault(load, root->keys[i], "unknown key '%s'; did you mean '%s'?", key,
				   nearest);
		else
			load_fault(
				load, root->keys[i],
				"unknown key '%s'; a document has apiVersion, kind, metadata and "
				"spec (fields of the resource go below spec)",
				key);
	}
}

/* A name that is missing or malformed is diagnosed when metadata is decoded; until then the
 * document goes by one that no other can have, so that its other faults are found too. */
static const char *name_of(struct load *load, const struct node *root, bool *ret_named)
{
	const struct node *name = node_get(node_get(root, "metadata"), "name");

	*ret_named = is_text(name) && !name->faulty && strlen(name->text) <= RESOURCE_NAME_MAX &&
		     pattern_match(load->patterns, RESOURCE_NAME_PATTERN, name->text);
	return *ret_named ? name->text
			  : arena_printf(load->arena, "(unnamed %zu)", load->documents.count);
}

void document_add(struct load *load, const struct node *root, const struct document *release)
{
	const struct kind *kind = NULL;
	bool version = root->type != NODE_MAPPING || check_version(load, root, release);

	/* What is for another program should be told so, and no more. */
	if (version)
		kind = document_kind(load, root);
	if (kind)
		check_keys(load, root);
	if (!kind) {
		load_lacks(load, NULL);
		return;
	}
	if (!node_get(root, "metadata"))
		load_fault(load, root, "metadata is missing; expected 'metadata: { name: ... }'");
	struct document *document = arena_new_of(load->arena, struct document);
	document->node = root;
	document->kind = kind;
	document->release = release;
	document->order = load->documents.count;
	document->name = name_of(load, root, &document->named);
	if (!document->named)
		load_lacks(load, kind);
	vec_push(&load->documents, document);
}

static int compare(const void *a, const void *b)
{
	const struct document *x = *(const struct document *const *)a;
	const struct document *y = *(const struct document *const *)b;
	int order = strcmp(x->kind->name, y->kind->name);

	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : x->order < y->order ? -1 : 1;
}

static const struct node *name_node(const struct document *document)
{
	const struct node *name = node_get(node_get(document->node, "metadata"), "name");

	return name ? name : document->node;
}

static const char *describe_origin(struct load *load, const struct document *document)
{
	const struct place *place = node_origin(name_node(document));

	if (!document->release)
		return arena_printf(load->arena, "%s:%u:%u", place->file, place->line,
				    place->column);
	return arena_printf(load->arena, "%s:%u:%u (from Release %s)", place->file, place->line,
			    place->column, document->release->name);
}

void document_sort(struct load *load)
{
	size_t count = load->documents.count;

	if (count == 0)
		return;
	qsort(load->documents.items, count, sizeof(*load->documents.items), compare);
	for (size_t i = 0; i < count; i++)
		load->documents.items[i]->index = i;
	for (size_t i = 1; i < count; i++) {
		const struct document *a = load->documents.items[i - 1];
		const struct document *b = load->documents.items[i];
		if (a->kind != b->kind || strcmp(a->name, b->name) != 0)
			continue;
		load_fault(load, name_node(b), "%s '%s' is there twice; the first is at %s%s%s%s",
			   b->kind->name, b->name, describe_origin(load, a),
			   b->release ? ", this one is from Release " : "",
			   b->release ? b->release->name : "",
			   b->release ? "; names in a Template usually hold ${release}" : "");
	}
}
