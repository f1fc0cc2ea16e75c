/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "controller/base/vec.h"
#include "manifests/set.h"
#include "manifests/yaml_error.h"

/* Aliases are looked up one by one, and nobody needs more in one document. */
enum { ANCHORS_MAX = 500 };

struct anchor {
	const char *name;
	struct node *node;
	bool complete; /* false while its own content is read: an alias to it would be a loop */
};

struct parse {
	struct yaml_reader *reader;
	const char *file, *text;
	size_t len;
	yaml_parser_t parser;
	VEC(struct anchor) anchors;
};

/* A pair of a mapping while it is read. */
struct pair {
	struct node *key, *value;
	size_t order;
	bool merged; /* comes from `<<`: gives way to what is written out */
};

struct pairs {
	VEC(struct pair) list;
	VEC(struct node *) sources; /* values of `<<`, in the order of their rank */
	const struct node *merge;   /* the `<<` itself */
};

static struct node *read_node(struct parse *parse, yaml_event_t *event, unsigned level);

#define fault(parse, place, ...)                                                                   \
	diagnose_place((parse)->reader->diagnostics, SEVERITY_ERROR, (place), __VA_ARGS__)

static int next_event(struct parse *parse, yaml_event_t *event)
{
	if (yaml_parser_parse(&parse->parser, event))
		return 0;
	yaml_diagnose_parser(parse->reader->diagnostics, parse->file, &parse->parser, parse->text,
			     parse->len);
	return -1;
}

static struct place place_of(const struct parse *parse, const yaml_event_t *event)
{
	return (struct place){
		.file = parse->file,
		.line = (unsigned)event->start_mark.line + 1,
		.column = (unsigned)event->start_mark.column + 1,
	};
}

static bool account(struct parse *parse, size_t nodes, const struct place *place)
{
	struct yaml_reader *reader = parse->reader;

	reader->nodes += nodes;
	if (reader->nodes <= MANIFEST_NODES_MAX)
		return true;
	if (!reader->exhausted)
		fault(parse, place,
		      "more than %d nodes in the manifests, aliases counted each time they are "
		      "used",
		      MANIFEST_NODES_MAX);
	reader->exhausted = true;
	return false;
}

static struct node *new_node(struct parse *parse, enum node_type type, const struct place *place)
{
	if (!account(parse, 1, place))
		return NULL;
	struct node *node = arena_new_of(parse->reader->arena, struct node);
	node->type = type;
	node->place = *place;
	return node;
}

/* Sealed, or NULL when aliases made it too deep (too large was found by account()). */
static struct node *sealed(struct parse *parse, struct node *node)
{
	if (node_seal(node))
		return node;
	fault(parse, &node->place, "nested more than %d levels deep through aliases",
	      MANIFEST_DEPTH_MAX);
	return NULL;
}

static int add_anchor(struct parse *parse, const yaml_char_t *name, struct node *node,
		      bool complete)
{
	if (!name)
		return 0;
	if (parse->anchors.count >= ANCHORS_MAX) {
		fault(parse, &node->place, "more than %d anchors in one document", ANCHORS_MAX);
		return -1;
	}
	struct anchor anchor = {
		.name = arena_strdup(parse->reader->arena, (const char *)name),
		.node = node,
		.complete = complete,
	};
	vec_push(&parse->anchors, anchor);
	return 0;
}

static struct node *read_alias(struct parse *parse, yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct place place = place_of(parse, event);

	/* The latest of that name: anchors may be defined again. */
	for (size_t i = parse->anchors.count; i-- > 0;) {
		const struct anchor *anchor = &parse->anchors.items[i];
		if (strcmp(anchor->name, name) != 0)
			continue;
		if (!anchor->complete) {
			fault(parse, &place, "alias '*%s' refers to what contains it", name);
			return NULL;
		}
		return account(parse, anchor->node->size, &place) ? anchor->node : NULL;
	}
	fault(parse, &place, "alias '*%s': no anchor '&%s' stands before it in this document", name,
	      name);
	return NULL;
}

/* A tag of the core schema that fits; anything else would ask for a meaning we don't give. */
static void check_tag(struct parse *parse, const yaml_char_t *tag, const struct place *place,
		      const char *const *allowed)
{
	const char *name = (const char *)tag;

	if (!tag || strcmp(name, "!") == 0)
		return;
	for (; *allowed; allowed++)
		if (str_has_prefix(name, "tag:yaml.org,2002:") &&
		    strcmp(name + strlen("tag:yaml.org,2002:"), *allowed) == 0)
			return;
	fault(parse, place, "tag '%s' is not allowed here; expected plain YAML without tags", name);
}

static struct node *read_scalar(struct parse *parse, yaml_event_t *event)
{
	static const char *const tags[] = { "str", "int", "float", "bool", "null", NULL };
	struct place place = place_of(parse, event);
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	const char *tag = (const char *)event->data.scalar.tag;
	struct node *node = new_node(parse, NODE_SCALAR, &place);

	if (!node)
		return NULL;
	check_tag(parse, event->data.scalar.tag, &place, tags);
	if (memchr(value, '\0', len))
		fault(parse, &place, "a NUL character cannot stand in a text");
	node->text = arena_strndup(parse->reader->arena, value, len);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (tag)
		node->quoted = strcmp(tag, "!") == 0 || str_has_suffix(tag, ":str");
	if (add_anchor(parse, event->data.scalar.anchor, node, true) < 0)
		return NULL;
	return sealed(parse, node);
}

static void complete_anchor(struct parse *parse, const yaml_char_t *name, const struct node *node)
{
	if (!name)
		return;
	for (size_t i = parse->anchors.count; i-- > 0;)
		if (parse->anchors.items[i].node == node)
			parse->anchors.items[i].complete = true;
}

static struct node *read_sequence(struct parse *parse, yaml_event_t *event, unsigned level)
{
	static const char *const tags[] = { "seq", NULL };
	struct place place = place_of(parse, event);
	struct node *node = new_node(parse, NODE_SEQUENCE, &place), *ret = NULL;
	VEC(struct node *) list = { 0 };

	if (!node)
		return NULL;
	check_tag(parse, event->data.sequence_start.tag, &place, tags);
	if (add_anchor(parse, event->data.sequence_start.anchor, node, false) < 0)
		return NULL;
	for (;;) {
		yaml_event_t next;
		if (next_event(parse, &next) < 0)
			goto out;
		if (next.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&next);
			break;
		}
		struct node *element = read_node(parse, &next, level + 1);
		if (!element)
			goto out;
		vec_push(&list, element);
	}
	node->count = list.count;
	node->values = arena_alloc(parse->reader->arena, list.count * sizeof(*node->values));
	if (list.count)
		memcpy(node->values, list.items, list.count * sizeof(*node->values));
	complete_anchor(parse, event->data.sequence_start.anchor, node);
	ret = sealed(parse, node);
out:
	vec_done(&list);
	return ret;
}

static int by_key(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->key->text, y->key->text);

	return order ? order : x->order < y->order ? -1 : 1;
}

static int by_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->order < y->order ? -1 : 1;
}

/* Notes what `<<` brings in; it ranks behind all keys that are written out. */
static bool note_merge(struct parse *parse, struct pairs *pairs, const struct node *key,
		       struct node *value)
{
	if (pairs->merge) {
		fault(parse, &key->place,
		      "key '<<' stands twice in this mapping; expected one, with a list of "
		      "aliases");
		return false;
	}
	pairs->merge = key;
	bool good = value->type != NODE_SCALAR;
	if (value->type == NODE_MAPPING)
		vec_push(&pairs->sources, value);
	if (value->type == NODE_SEQUENCE)
		for (size_t i = 0; i < value->count; i++) {
			good = good && value->values[i]->type == NODE_MAPPING;
			vec_push(&pairs->sources, value->values[i]);
		}
	if (!good)
		fault(parse, &value->place,
		      "'<<' merges mappings: expected an alias of a mapping or a list of them");
	return good;
}

static bool merge(struct parse *parse, struct pairs *pairs)
{
	for (size_t s = 0; s < pairs->sources.count; s++) {
		const struct node *source = pairs->sources.items[s];
		/* Each merge copies pairs: without this a chain of them would be quadratic. */
		if (!account(parse, source->size, &pairs->merge->place))
			return false;
		for (size_t i = 0; i < source->count; i++) {
			struct pair pair = {
				.key = source->keys[i],
				.value = source->values[i],
				.order = pairs->list.count,
				.merged = true,
			};
			vec_push(&pairs->list, pair);
		}
	}
	return true;
}

/* One pair per key: written out before merged, earlier before later. */
static void unique(struct parse *parse, struct pairs *pairs)
{
	size_t kept = 0;

	if (pairs->list.count == 0)
		return;
	qsort(pairs->list.items, pairs->list.count, sizeof(struct pair), by_key);
	for (size_t i = 0; i < pairs->list.count; i++) {
		const struct pair *pair = &pairs->list.items[i];
		const struct pair *last = kept ? &pairs->list.items[kept - 1] : NULL;

		if (!last || strcmp(last->key->text, pair->key->text) != 0)
			pairs->list.items[kept++] = *pair;
		else if (!pair->merged)
			fault(parse, &pair->key->place,
			      "key '%s' stands twice in this mapping; the first is at %s:%u:%u",
			      pair->key->text, parse->file, last->key->place.line,
			      last->key->place.column);
	}
	pairs->list.count = kept;
	qsort(pairs->list.items, kept, sizeof(struct pair), by_order);
}

/* Reads the pairs up to the end of the mapping. */
static int read_pairs(struct parse *parse, struct pairs *pairs, unsigned level)
{
	for (;;) {
		yaml_event_t next;
		if (next_event(parse, &next) < 0)
			return -1;
		if (next.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&next);
			break;
		}
		struct node *key = read_node(parse, &next, level + 1);
		if (!key || next_event(parse, &next) < 0)
			return -1;
		struct node *value = read_node(parse, &next, level + 1);
		if (!value)
			return -1;
		if (key->type != NODE_SCALAR || (!key->quoted && key->text[0] == '\0')) {
			fault(parse, &key->place,
			      "a key must be a plain text; expected 'name: value'");
			continue;
		}
		if (strcmp(key->text, "<<") == 0 && !key->quoted) {
			if (!note_merge(parse, pairs, key, value))
				pairs->sources.count = 0;
			continue;
		}
		struct pair pair = { .key = key, .value = value, .order = pairs->list.count };
		vec_push(&pairs->list, pair);
	}
	if (!merge(parse, pairs))
		return -1;
	unique(parse, pairs);
	return 0;
}

static struct node *read_mapping(struct parse *parse, yaml_event_t *event, unsigned level)
{
	static const char *const tags[] = { "map", NULL };
	struct place place = place_of(parse, event);
	struct node *node = new_node(parse, NODE_MAPPING, &place), *ret = NULL;
	struct pairs pairs = { 0 };
	struct arena *arena = parse->reader->arena;

	if (!node)
		return NULL;
	check_tag(parse, event->data.mapping_start.tag, &place, tags);
	if (add_anchor(parse, event->data.mapping_start.anchor, node, false) < 0)
		return NULL;
	if (read_pairs(parse, &pairs, level) < 0)
		goto out;
	node->count = pairs.list.count;
	node->keys = arena_alloc(arena, node->count * sizeof(*node->keys));
	node->values = arena_alloc(arena, node->count * sizeof(*node->values));
	for (size_t i = 0; i < node->count; i++) {
		node->keys[i] = pairs.list.items[i].key;
		node->values[i] = pairs.list.items[i].value;
	}
	complete_anchor(parse, event->data.mapping_start.anchor, node);
	ret = sealed(parse, node);
out:
	vec_done(&pairs.list);
	vec_done(&pairs.sources);
	return ret;
}

/* Reads the node that begins with the event, and frees the event. */
static struct node *read_node(struct parse *parse, yaml_event_t *event, unsigned level)
{
	struct node *node = NULL;

	if (level > MANIFEST_DEPTH_MAX) {
		struct place place = place_of(parse, event);
		fault(parse, &place, "nested more than %d levels deep", MANIFEST_DEPTH_MAX);
	} else if (event->type == YAML_ALIAS_EVENT) {
		node = read_alias(parse, event);
	} else if (event->type == YAML_SCALAR_EVENT) {
		node = read_scalar(parse, event);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		node = read_sequence(parse, event, level);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		node = read_mapping(parse, event, level);
	}
	yaml_event_delete(event);
	return node;
}

static int read_documents(struct parse *parse, void (*document)(void *ctx, const struct node *root),
			  void *ctx)
{
	for (;;) {
		yaml_event_t event;
		if (next_event(parse, &event) < 0)
			return -1;
		yaml_event_type_t type = event.type;
		if (type == YAML_STREAM_END_EVENT || type == YAML_STREAM_START_EVENT ||
		    type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
			yaml_event_delete(&event);
			if (type == YAML_STREAM_END_EVENT)
				return 0;
			parse->anchors.count = 0;
			continue;
		}
		const struct node *root = read_node(parse, &event, 1);
		if (!root)
			return -1;
		if (!node_is_null(root))
			document(ctx, root);
	}
}

int yaml_read(struct yaml_reader *reader, const char *file, const char *text, size_t len,
	      void (*document)(void *ctx, const struct node *root), void *ctx)
{
	static const char mark[] = "\xef\xbb\xbf"; /* UTF-8 byte order mark */

	if (reader->exhausted || !yaml_check_encoding(reader->diagnostics, file, text, len))
		return -1;
	if (len >= 3 && memcmp(text, mark, 3) == 0) {
		text += 3;
		len -= 3;
	}
	struct parse parse = { .reader = reader, .file = file, .text = text, .len = len };
	if (!yaml_parser_initialize(&parse.parser)) {
		diagnose_file(reader->diagnostics, SEVERITY_ERROR, file,
			      "the YAML parser cannot start: out of memory");
		return -1;
	}
	yaml_parser_set_encoding(&parse.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parse.parser, (const unsigned char *)text, len);
	int r = read_documents(&parse, document, ctx);
	yaml_parser_delete(&parse.parser);
	vec_done(&parse.anchors);
	return r;
}
