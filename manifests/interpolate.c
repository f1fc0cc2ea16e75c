/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/interpolate.h"

#include <string.h>

#include "controller/base/mem.h"
#include "manifests/set.h"

enum { DEFAULTS_DEPTH_MAX = 16 };

/* A reference taken apart: "${name:-rest}", rest up to the brace that closes it. */
struct reference {
	char name[256];
	char form; /* '-', '?' or 0 */
	const char *rest;
	size_t rest_len;
	size_t len; /* of all, from the dollar to the brace */
};

/* The text being made of one scalar. */
struct output {
	struct str text;
	bool secret, faulty;
	const struct place *via;
};

static const struct node *interpolate_scalar(const struct interpolation *in,
					     const struct node *node, unsigned depth);

#define fault(in, at, ...) diagnose((in)->diagnostics, SEVERITY_ERROR, (at), __VA_ARGS__)

static struct node *copy_node(const struct interpolation *in, const struct node *node)
{
	struct node *copy = arena_new_of(in->arena, struct node);

	*copy = *node;
	return copy;
}

static const struct node *faulty(const struct interpolation *in, const struct node *node)
{
	struct node *copy = copy_node(in, node);

	copy->faulty = true;
	return copy;
}

static bool is_spent(const struct interpolate_budget *budget)
{
	return budget->nodes > INTERPOLATE_NODES_MAX || budget->bytes > INTERPOLATE_BYTES_MAX;
}

static bool spend(const struct interpolation *in, const struct node *at, size_t nodes, size_t bytes)
{
	struct interpolate_budget *budget = in->budget;

	budget->nodes += nodes;
	budget->bytes += bytes;
	if (!is_spent(budget))
		return true;
	fault(in, at, "references make the manifests too large");
	return false;
}

/* Length of the reference that begins here, up to its own closing brace; 0: not closed. */
static size_t reference_length(const char *text)
{
	size_t depth = 0;

	for (const char *p = text; *p; p++) {
		if (p[0] == '$' && p[1] == '$') {
			p++;
		} else if (p[0] == '$' && p[1] == '{') {
			depth++;
			p++;
		} else if (p[0] == '}' && --depth == 0) {
			return (size_t)(p + 1 - text);
		}
	}
	return 0;
}

/* Takes the reference at `text` ("${...") apart; false after a diagnosis. */
static bool parse_reference(const struct interpolation *in, const struct node *at, const char *text,
			    struct reference *ref)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	size_t name = strspn(text + 2, letters);
	const char *after = text + 2 + name;

	*ref = (struct reference){ .len = reference_length(text) };
	if (!ref->len) {
		fault(in, at, "'${' without its '}'; for a plain '${' write '$${'");
		return false;
	}
	if (name && name < sizeof(ref->name) && *after == ':' &&
	    (after[1] == '-' || after[1] == '?')) {
		ref->form = after[1];
		ref->rest = after + 2;
		ref->rest_len = ref->len - (size_t)(ref->rest - text) - 1;
	} else if (!name || name >= sizeof(ref->name) || *after != '}') {
		fault(in, at,
		      "'%.*s' is no reference; expected ${name}, ${name:-default} or "
		      "${name:?message}, and '$${' for a plain '${'",
		      ref->len < 60 ? (int)ref->len : 60, text);
		return false;
	}
	memcpy(ref->name, text + 2, name);
	return true;
}

/* The default, or the message, with its own references replaced. */
static const struct node *rest_of(const struct interpolation *in, const struct node *at,
				  const struct reference *ref, unsigned depth)
{
	struct node rest = *at;

	rest.text = arena_strndup(in->arena, ref->rest, ref->rest_len);
	rest.quoted |= !ref->rest_len; /* an empty default is an empty text, not nothing */
	const struct node *result = interpolate_scalar(in, &rest, depth + 1);
	return result == &rest ? copy_node(in, &rest) : result;
}

static bool is_empty(const struct node *value)
{
	return value->type == NODE_SCALAR && (!*value->text || node_is_null(value));
}

/* A reference for a later pass: written again, with what this pass knows put in. */
static const struct node *pass_on(const struct interpolation *in, const struct node *at,
				  const struct reference *ref, unsigned depth)
{
	struct node *copy = copy_node(in, at);

	if (!ref->form) {
		copy->text = arena_printf(in->arena, "${%s}", ref->name);
		return copy;
	}
	const struct node *rest = rest_of(in, at, ref, depth);
	if (rest->faulty)
		return rest;
	copy->secret |= rest->secret;
	if (rest->type != NODE_SCALAR) {
		fault(in, at, "the default in a reference must be a plain text");
		return faulty(in, at);
	}
	copy->text = arena_printf(in->arena, "${%s:%c%s}", ref->name, ref->form, rest->text);
	if (reference_length(copy->text) == strlen(copy->text))
		return copy;
	fault(in, at, "a value with unbalanced braces cannot stand inside '${%s:%c...}'", ref->name,
	      ref->form);
	return faulty(in, at);
}

/* What a reference stands for: a node that is nobody's. */
static const struct node *evaluate(const struct interpolation *in, const struct node *at,
				   const struct reference *ref, unsigned depth)
{
	const struct node *value = NULL;
	enum lookup found = in->lookup(in->ctx, ref->name, at, &value);

	if (found == LOOKUP_FAILED)
		return faulty(in, at);
	if (found == LOOKUP_PASS)
		return pass_on(in, at, ref, depth);
	if (found == LOOKUP_FOUND && !(ref->form && is_empty(value))) {
		struct node *copy = copy_node(in, value);
		copy->via = value->place.file ? node_origin(value) : NULL;
		copy->place = at->place;
		return copy;
	}
	if (ref->form == '-')
		return rest_of(in, at, ref, depth);
	if (ref->form == '?') {
		const struct node *message = rest_of(in, at, ref, depth);
		if (!message->faulty)
			fault(in, at, "'${%s}' is not set: %s", ref->name,
			      message->type != NODE_SCALAR ? "it is required"
			      : message->secret		   ? "***"
							   : message->text);
	} else {
		in->undefined(in->ctx, ref->name, at);
	}
	return faulty(in, at);
}

/* Appends a value to the text. */
static void append_value(const struct interpolation *in, const struct node *at,
			 const struct reference *ref, const struct node *value, struct output *out)
{
	out->secret |= value->secret;
	out->faulty |= value->faulty;
	if (value->faulty)
		return;
	if (value->type != NODE_SCALAR) {
		fault(in, at,
		      "'${%s}' is a %s and cannot stand inside a text; let it be the whole value",
		      ref->name, value->type == NODE_MAPPING ? "mapping" : "list");
		out->faulty = true;
		return;
	}
	if (!node_is_null(value))
		str_append(&out->text, value->text);
	if (value->via)
		out->via = value->via;
}

static const struct node *finish(const struct interpolation *in, const struct node *node,
				 struct output *out)
{
	struct node *result = copy_node(in, node);

	if (out->text.overflow) {
		fault(in, node, "references make a text of more than %d bytes",
		      INTERPOLATE_TEXT_MAX);
		out->faulty = true;
	}
	result->faulty |= out->faulty;
	result->secret |= out->secret;
	if (out->via)
		result->via = out->via;
	if (!out->faulty && spend(in, node, 1, out->text.len))
		result->text = arena_strdup(in->arena, out->text.data);
	/* What references leave empty is an empty text, as in Compose, not nothing. */
	if (node_is_null(result))
		result->quoted = true;
	return result;
}

static const struct node *interpolate_scalar(const struct interpolation *in,
					     const struct node *node, unsigned depth)
{
	const char *p = node->text;
	struct output out = { 0 };
	struct reference ref;

	if (!strchr(p, '$'))
		return node;
	if (depth > DEFAULTS_DEPTH_MAX) {
		fault(in, node, "references nested more than %d levels deep", DEFAULTS_DEPTH_MAX);
		return faulty(in, node);
	}
	str_init(&out.text, INTERPOLATE_TEXT_MAX);
	while (*p && !out.text.overflow) {
		size_t plain = strcspn(p, "$");
		str_append_n(&out.text, p, plain);
		p += plain;
		if (p[0] == '$' && p[1] == '{') {
			if (!parse_reference(in, node, p, &ref)) {
				out.faulty = true;
				break;
			}
			const struct node *value = evaluate(in, node, &ref, depth);
			if (p == node->text && !p[ref.len]) {
				str_done(&out.text);
				return spend(in, node, value->size, 0) ? value : faulty(in, node);
			}
			append_value(in, node, &ref, value, &out);
			p += ref.len;
		} else if (*p) {
			size_t escaped = p[0] == '$' && p[1] == '$';
			str_append_n(&out.text, p, escaped && in->keep_escapes ? 2 : 1);
			p += 1 + escaped;
		}
	}
	const struct node *result = finish(in, node, &out);
	str_done(&out.text);
	return result;
}

static void check_key(const struct interpolation *in, const struct node *key)
{
	const char *at = strstr(key->text, "${");

	if (at && (at == key->text || at[-1] != '$'))
		fault(in, key, "a reference cannot stand in a key; only values hold references");
}

const struct node *interpolate(const struct interpolation *in, const struct node *node)
{
	struct node *copy = NULL;

	if (is_spent(in->budget))
		return faulty(in, node);
	if (node->type == NODE_SCALAR)
		return interpolate_scalar(in, node, 0);
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == NODE_MAPPING)
			check_key(in, node->keys[i]);
		const struct node *value = interpolate(in, node->values[i]);
		if (value == node->values[i])
			continue;
		if (!copy) {
			if (!spend(in, node, node->count, 0))
				return faulty(in, node);
			copy = copy_node(in, node);
			copy->values = arena_alloc(in->arena, node->count * sizeof(*copy->values));
			memcpy(copy->values, node->values, node->count * sizeof(*copy->values));
		}
		copy->values[i] = (struct node *)value;
	}
	if (!copy)
		return node;
	if (!node_seal(copy)) {
		fault(in, node, "references nest values more than %d levels deep, or make too many",
		      MANIFEST_DEPTH_MAX);
		return faulty(in, node);
	}
	return copy;
}
