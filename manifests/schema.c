/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking up rows, decoding mappings by them, and what a spec refers to.
 *
 * Decoding collects faults and goes on: a value that can't be read is left out, so that one run
 * shows every fault of a document.
 */
#include "manifests/schema.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/vec.h"
#include "manifests/pattern.h"
#include "manifests/schema_types.h"

#if !defined(JSON_HAVE_ATOMIC_BUILTINS) && !defined(JSON_HAVE_SYNC_BUILTINS)
#error "jansson without atomic reference counts: trees of a manifest set are shared by threads"
#endif

enum { FOUND_MAX = 60 }; /* bytes of an offending text that a message shows */

const struct field *schema_next(const struct schema *schema, const struct field *at)
{
	const struct rows *const *group = schema->groups;

	if (!group) {
		at = at ? at + 1 : schema->fields;
		return at < schema->fields + schema->count ? at : NULL;
	}
	if (!at)
		return (*group)->fields;
	for (; *group; group++) {
		if (at + 1 == (*group)->fields + (*group)->count)
			return group[1] ? group[1]->fields : NULL;
	}
	return at + 1;
}

static const struct field *find(const struct field *fields, size_t count, const char *key)
{
	/* By far the most frequent question, and most rows differ in the first letter. */
	for (size_t i = 0; i < count; i++)
		if (fields[i].key[0] == key[0] && strcmp(fields[i].key, key) == 0)
			return &fields[i];
	return NULL;
}

const struct field *schema_field(const struct schema *schema, const char *key)
{
	const struct rows *const *group = schema->groups;
	const struct field *found = group ? NULL : find(schema->fields, schema->count, key);

	for (; group && *group && !found; group++)
		found = find((*group)->fields, (*group)->count, key);
	return found;
}

bool schema_has_pointers(const struct schema *schema)
{
	schema_foreach (schema, field) {
		if (field->api || field->inspect)
			return true;
	}
	return false;
}

json_t *field_fallback(const struct field *field)
{
	const char *text = field->fallback;

	if (!text)
		return NULL;
	size_t len = strlen(text);
	if (len >= 2 && text[0] == '"' && !memchr(text, '\\', len))
		return json_stringn_nocheck(text + 1, len - 2);
	if (strcmp(text, "[]") == 0)
		return json_array();
	if (strcmp(text, "{}") == 0)
		return json_object();
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	assert(value);
	return value;
}

const json_t *schema_get(const struct schema *schema, const json_t *spec, const char *key)
{
	assert(schema_field(schema, key));
	return json_object_get(spec, key);
}

json_t *schema_get_default(const struct schema *schema, const json_t *spec, const char *key)
{
	const struct field *field = schema_field(schema, key);
	json_t *written = json_object_get(spec, key);

	assert(field);
	return written ? json_incref(written) : field_fallback(field);
}

static void print_path(const struct decode *decode, const struct decode_step *step, struct str *out)
{
	if (!step) {
		str_append(out, decode->prefix ? decode->prefix : "");
		return;
	}
	print_path(decode, step->up, out);
	if (!step->key)
		str_printf(out, "[%zu]", step->index);
	else
		str_printf(out, "%s%s", out->len ? "." : "", step->key);
}

void decode_fault(struct decode *decode, const struct node *at, const char *fmt, ...)
{
	struct str text;
	va_list ap;

	decode->faults++;
	str_init(&text, 0);
	print_path(decode, decode->at, &text);
	if (text.len)
		str_append(&text, ": ");
	va_start(ap, fmt);
	str_vprintf(&text, fmt, ap);
	va_end(ap);
	for (char *p = text.data; *p; p++) {
		if (iscntrl((unsigned char)*p))
			*p = '?';
	}
	diagnose(decode->diagnostics, SEVERITY_ERROR, at, "%s", text.data);
	str_done(&text);
}

const char *decode_found(struct decode *decode, const struct node *node)
{
	if (node->type == NODE_MAPPING)
		return "a mapping";
	if (node->type == NODE_SEQUENCE)
		return "a list";
	if (node_is_null(node))
		return "nothing";
	if (node->secret)
		return "'***'";

	size_t len = strlen(node->text), shown = len < FOUND_MAX ? len : FOUND_MAX;
	while (shown < len && shown && ((unsigned char)node->text[shown] & 0xc0) == 0x80)
		shown--;
	char *copy = arena_strndup(decode->diagnostics->arena, node->text, shown);
	for (char *p = copy; *p; p++) {
		if (iscntrl((unsigned char)*p))
			*p = '?';
	}
	return arena_printf(decode->diagnostics->arena, "'%s%s'", copy, shown < len ? "…" : "");
}

const char *decode_scalar(struct decode *decode, const struct node *node, const char *what)
{
	if (node->type == NODE_SCALAR && !node_is_null(node))
		return node->text;
	decode_fault(decode, node, "expected %s, found %s", what, decode_found(decode, node));
	return NULL;
}

void decode_choice_fault(struct decode *decode, const struct field *field, const struct node *node)
{
	size_t count = 0;
	struct str list;

	for (const struct refused *r = field->refused; r && r->key && node->type == NODE_SCALAR;
	     r++) {
		size_t len = strlen(r->key);

		if (strcmp(r->key, node->text) == 0 ||
		    (r->key[len - 1] == '*' && strncmp(r->key, node->text, len - 1) == 0)) {
			decode_fault(decode, node, "%s is not taken: %s",
				     decode_found(decode, node), r->why);
			return;
		}
	}
	str_init(&list, 0);
	for (; field->choices[count]; count++)
		str_printf(&list, "%s%s", count ? ", " : "", field->choices[count]);
	const char *found = decode_found(decode, node);
	const char *nearest = node->type != NODE_SCALAR || node->secret
				      ? NULL
				      : str_nearest(node->text, field->choices, count);
	if (nearest)
		decode_fault(decode, node, "%s is none of %s; did you mean '%s'?", found, list.data,
			     nearest);
	else
		decode_fault(decode, node, "%s is none of %s", found, list.data);
	str_done(&list);
}

bool decode_pattern(struct decode *decode, const struct field *field, const struct node *node,
		    const char *text)
{
	if (!field->pattern)
		return true;
	struct patterns *own = decode->patterns ? NULL : patterns_new();
	struct patterns *patterns = own ? own : decode->patterns;
	assert(pattern_is_valid(patterns, field->pattern));
	bool match = pattern_match(patterns, field->pattern, text);
	patterns_free(own);
	if (match)
		return true;
	if (field->choices)
		decode_choice_fault(decode, field, node);
	else if (field->example && !strchr(field->example, '\n'))
		decode_fault(decode, node,
			     "%s is not allowed here; expected something like %s (that matches %s)",
			     decode_found(decode, node), field->example, field->pattern);
	else
		decode_fault(decode, node, "%s is not allowed here; expected text that matches %s",
			     decode_found(decode, node), field->pattern);
	return false;
}

json_t *decode_string(struct decode *decode, const struct field *field, const struct node *node)
{
	const char *text = decode_scalar(decode, node, "a string");

	if (!text || !decode_pattern(decode, field, node, text))
		return NULL;
	if (field->max && strlen(text) > (size_t)field->max) {
		decode_fault(decode, node, "%s is longer than %lld bytes",
			     decode_found(decode, node), (long long)field->max);
		return NULL;
	}
	json_t *value = json_string(text);
	if (!value)
		decode_fault(decode, node, "the text is not UTF-8");
	return value;
}

/* A map's values are secrets one by one; everything else is one as a whole. */
static void note_secrets(struct decode *decode, const struct field *field, const struct node *node)
{
	const struct decode_step *top = decode->at;

	while (top->up)
		top = top->up;
	bool known = json_is_true(json_object_get(decode->secrets, top->key));
	bool own = (field->flags & FIELD_SECRET) != 0;

	if (!decode->secrets || known || (top != decode->at && !own))
		return;
	if (!own && !node_has_secret(node))
		return;
	if (own || field->type->shape != SHAPE_MAP || node->type == NODE_SCALAR) {
		json_object_set_new(decode->secrets, top->key, json_true());
		return;
	}
	json_t *members = json_object();
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->values[i];

		if (!node_has_secret(value) || value->type != NODE_SCALAR)
			continue;
		if (node->type == NODE_MAPPING)
			json_object_set_new(members, node->keys[i]->text, json_true());
		else
			json_object_setn_new(members, value->text, strcspn(value->text, "="),
					     json_true());
	}
	json_object_set_new(decode->secrets, top->key, members);
}

json_t *decode_value(struct decode *decode, const struct field *field, const struct node *node)
{
	struct decode_step step = { .up = decode->at, .key = field->key };

	decode->at = &step;
	json_t *value = field->type->parse(decode, field, node);
	note_secrets(decode, field, node);
	decode->at = step.up;
	return value;
}

const char *schema_nearest_key(const struct schema *schema, const char *key)
{
	VEC(const char *) keys = { 0 };

	schema_foreach (schema, field)
		vec_push(&keys, field->key);
	const char *nearest = str_nearest(key, keys.items, keys.count);
	free(keys.items);
	return nearest;
}

static void refuse_key(struct decode *decode, const struct schema *schema, const struct node *key)
{
	struct decode_step step = { .up = decode->at, .key = key->text };

	decode->at = &step;
	for (const struct refused *r = schema->refused; r && r->key; r++) {
		if (strcmp(r->key, key->text) == 0) {
			decode_fault(decode, key, "%s has no such field: %s", schema->name, r->why);
			goto out;
		}
	}
	const char *nearest = schema_nearest_key(schema, key->text);
	if (nearest)
		decode_fault(decode, key, "unknown field of %s; did you mean '%s'?", schema->name,
			     nearest);
	else
		decode_fault(decode, key, "unknown field of %s", schema->name);
out:
	decode->at = step.up;
}

void decode_required(struct decode *decode, const struct schema *schema, const struct node *node)
{
	schema_foreach (schema, field) {
		if ((field->flags & FIELD_REQUIRED) && !node_get(node, field->key))
			decode_fault(decode, node, "'%s' is missing: %s", field->key, field->doc);
	}
}

json_t *schema_decode(const struct schema *schema, struct decode *decode, const struct node *node)
{
	if (node->type != NODE_MAPPING) {
		decode_fault(decode, node, "expected a mapping, found %s",
			     decode_found(decode, node));
		return NULL;
	}
	json_t *object = json_object();
	for (size_t i = 0; i < node->count; i++) {
		const struct field *field = schema_field(schema, node->keys[i]->text);

		if (!field) {
			refuse_key(decode, schema, node->keys[i]);
			continue;
		}
		json_t *value = decode_value(decode, field, node->values[i]);
		if (value)
			json_object_set_new(object, field->key, value);
	}
	decode_required(decode, schema, node);
	return object;
}

struct references {
	void (*fn)(void *ctx, const char *kind, const char *name, const char *path);
	void *ctx;
	struct str path;
};

static void refer_object(struct references *r, const struct schema *schema, const json_t *object);

static void refer_value(struct references *r, const struct field *field, const char *kind,
			json_t *value)
{
	size_t len = r->path.len, index;
	enum shape shape = field->type->shape;
	json_t *member;
	const char *key;

	if (json_is_string(value)) {
		const char *name =
			field->ref_name ? field->ref_name(value) : json_string_value(value);

		if (kind && name)
			r->fn(r->ctx, kind, name, r->path.data);
	} else if (json_is_array(value)) {
		json_array_foreach (value, index, member) {
			str_printf(&r->path, ".%zu", index);
			if (shape == SHAPE_OBJECTS && json_is_object(member))
				refer_object(r, field->of, member);
			else if (shape != SHAPE_OBJECTS)
				refer_value(r, field, kind, member);
			r->path.len = len;
			r->path.data[len] = '\0';
		}
	} else if (shape == SHAPE_OBJECT) {
		refer_object(r, field->of, value);
	} else if (shape == SHAPE_MAP || shape == SHAPE_OBJECT_MAP) {
		json_object_foreach (value, key, member) {
			str_printf(&r->path, ".%s", key);
			if (kind)
				r->fn(r->ctx, kind, key, r->path.data);
			if (shape == SHAPE_OBJECT_MAP)
				refer_object(r, field->of, member);
			r->path.len = len;
			r->path.data[len] = '\0';
		}
	}
}

static void refer_object(struct references *r, const struct schema *schema, const json_t *object)
{
	schema_foreach (schema, field) {
		/* Most of a container's fields name nothing. */
		bool refers = field->ref || field->ref_of || field->of;
		json_t *value = refers ? json_object_get(object, field->key) : NULL;
		size_t len = r->path.len;

		if (!value)
			continue;
		str_printf(&r->path, ".%s", field->key);
		refer_value(r, field, field->ref_of ? field->ref_of(object) : field->ref, value);
		r->path.len = len;
		r->path.data[len] = '\0';
	}
}

void schema_references(const struct schema *schema, const json_t *spec,
		       void (*fn)(void *ctx, const char *kind, const char *name, const char *path),
		       void *ctx)
{
	struct references r = { .fn = fn, .ctx = ctx };

	str_init(&r.path, 0);
	str_append(&r.path, "spec");
	refer_object(&r, schema, spec);
	str_done(&r.path);
}
