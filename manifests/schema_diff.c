/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between what is there and what should be.
 *
 * Silence is the hard part. Absent, null and empty are one for collections. A row's fallback
 * stands for absence on either side, since engines leave out what is at its default and people
 * do too. What the daemon's configuration decides (ORIGIN_DAEMON) compares only when written, key
 * by key, since a daemon adds its own log options and ulimits to those that are given. So does,
 * element by element as well, what only an image could tell that is gone.
 */
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"

/* Where the comparison stands, as a chain on the stack. */
struct step {
	const struct step *up;
	const char *text;
	bool element; /* printed as [text], otherwise as .text */
};

struct diff {
	const json_t *ignore;
	struct changes *changes;
	const struct field *top;
	bool written_keys;     /* further keys and members there are the daemon's or the image's */
	bool written_elements; /* further elements of sets and lists as well */
};

static void diff_value(struct diff *diff, const struct field *field, const struct step *at,
		       const json_t *have, const json_t *want, enum effect effect);

/* Moves *entry behind the steps; false where they are not what it names. An entry that ends
 * early names all that is below. */
static bool follow(const char **entry, const struct step *at)
{
	if (at->up) {
		if (!follow(entry, at->up))
			return false;
		if (!**entry)
			return true;
		if (**entry != '.' && **entry != '[')
			return false;
		++*entry;
	}
	size_t len = strlen(at->text);
	if (strncmp(*entry, at->text, len) != 0)
		return false;
	*entry += len;
	*entry += **entry == ']';
	return !**entry || **entry == '.' || **entry == '[';
}

static bool is_ignored(const struct diff *diff, const struct step *at)
{
	json_t *entry;
	size_t index;

	json_array_foreach (diff->ignore, index, entry) {
		const char *text = json_string_value(entry);

		if (text && follow(&text, at) && !*text)
			return true;
	}
	return false;
}

static void print_steps(const struct step *at, struct str *out)
{
	if (at->up)
		print_steps(at->up, out);
	if (at->element)
		str_printf(out, "[%s]", at->text);
	else
		str_printf(out, "%s%s", out->len ? "." : "", at->text);
}

static void emit(struct diff *diff, const struct field *field, const struct step *at,
		 const json_t *before, const json_t *after, enum effect effect)
{
	struct str path;

	if (is_ignored(diff, at))
		return;
	str_init(&path, 0);
	print_steps(at, &path);
	struct change change = {
		.field = diff->top,
		.leaf = field,
		.path = arena_strdup(diff->changes->arena, path.data),
		.before = before,
		.after = after,
		.effect = effect,
	};
	str_done(&path);
	vec_push(&diff->changes->list, change);
}

static bool has_element(const json_t *list, const json_t *element)
{
	json_t *other;
	size_t index;

	json_array_foreach (list, index, other) {
		if (json_equal(other, element))
			return true;
	}
	return false;
}

static void diff_element(struct diff *diff, const struct field *field, const struct step *at,
			 const json_t *element, bool is_there, enum effect effect)
{
	struct str label;

	str_init(&label, 0);
	schema_print_value(NULL, element, &label);
	struct step step = { .up = at, .text = label.data, .element = true };
	emit(diff, field, &step, is_there ? element : NULL, is_there ? NULL : element, effect);
	str_done(&label);
}

static void diff_set(struct diff *diff, const struct field *field, const struct step *at,
		     const json_t *have, const json_t *want, enum effect effect)
{
	json_t *element;
	size_t index;

	if (!diff->written_elements) {
		json_array_foreach (have, index, element) {
			if (!has_element(want, element))
				diff_element(diff, field, at, element, true, effect);
		}
	}
	json_array_foreach (want, index, element) {
		if (!has_element(have, element))
			diff_element(diff, field, at, element, false, effect);
	}
}

static void diff_object(struct diff *diff, const struct schema *schema, const struct step *at,
			const json_t *have, const json_t *want, enum effect effect)
{
	bool translated = schema_has_pointers(schema);

	schema_foreach (schema, field) {
		const json_t *before = json_object_get(have, field->key);
		const json_t *after = json_object_get(want, field->key);
		struct step step = { .up = at, .text = field->key };

		if (!before && !after)
			continue;
		if ((field->flags & FIELD_OURS) || (translated && !field->api && !field->inspect))
			continue;
		if (!after && (diff->written_keys || field->origin == ORIGIN_DAEMON))
			continue;
		struct diff inner = *diff;
		inner.written_keys |= field->origin == ORIGIN_DAEMON;
		diff_value(&inner, field, &step, before, after, effect);
	}
}

/* Keys of a map, or objects by name: of these the presence of a name counts by itself. */
static void diff_keys(struct diff *diff, const struct field *field, const struct step *at,
		      const json_t *have, const json_t *want, enum effect effect)
{
	bool objects = field->type->shape == SHAPE_OBJECT_MAP && field->of;
	json_t *before, *after;
	const char *key;

	if (!diff->written_keys) {
		json_object_foreach ((json_t *)have, key, before) {
			struct step step = { .up = at, .text = key };

			if (!json_object_get(want, key))
				emit(diff, field, &step, before, NULL, effect);
		}
	}
	json_object_foreach ((json_t *)want, key, after) {
		struct step step = { .up = at, .text = key };

		before = json_object_get(have, key);
		if (before && objects)
			diff_object(diff, field->of, &step, before, after, effect);
		else if (!before || !json_equal(before, after))
			emit(diff, field, &step, before, after, effect);
	}
}

/* {identity: object}, the objects borrowed by reference. Equal ones are told apart by number. */
static json_t *index_objects(const struct schema *schema, const json_t *list)
{
	json_t *by_identity = json_object(), *object;
	size_t index;

	json_array_foreach (list, index, object) {
		struct str identity;

		str_init(&identity, 0);
		object_identity(schema, object, &identity);
		size_t len = identity.len;
		for (unsigned i = 2; json_object_get(by_identity, identity.data); i++) {
			identity.len = len;
			str_printf(&identity, "\x1f#%u", i);
		}
		json_object_set_nocheck(by_identity, identity.data, object);
		str_done(&identity);
	}
	return by_identity;
}

static bool has_key_member(const struct schema *schema)
{
	schema_foreach (schema, field) {
		if (field->flags & FIELD_KEY)
			return true;
	}
	return false;
}

static void diff_objects(struct diff *diff, const struct field *field, const struct step *at,
			 const json_t *have, const json_t *want, enum effect effect)
{
	json_t *old = index_objects(field->of, have), *new = index_objects(field->of, want);
	bool by_member = has_key_member(field->of);
	json_t *before, *after;
	const char *identity;

	json_object_foreach (old, identity, before) {
		struct str label;

		if (json_object_get(new, identity) || diff->written_elements)
			continue;
		str_init(&label, 0);
		object_label(field->of, before, &label);
		struct step step = { .up = at, .text = label.data, .element = true };
		emit(diff, field, &step, before, NULL, effect);
		str_done(&label);
	}
	json_object_foreach (new, identity, after) {
		struct str label;

		before = json_object_get(old, identity);
		if (before && (!by_member || json_equal(before, after)))
			continue;
		str_init(&label, 0);
		object_label(field->of, after, &label);
		struct step step = { .up = at, .text = label.data, .element = true };
		if (before)
			diff_object(diff, field->of, &step, before, after, effect);
		else
			emit(diff, field, &step, NULL, after, effect);
		str_done(&label);
	}
	json_decref(old);
	json_decref(new);
}

static bool is_empty(const json_t *value)
{
	return (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

/* True when the value has the shape that its row says; an engine may answer anything. */
static bool has_shape(const struct field *field, const json_t *value)
{
	switch (field->type->shape) {
	case SHAPE_SET:
	case SHAPE_OBJECTS:
		return json_is_array(value);
	case SHAPE_MAP:
	case SHAPE_OBJECT:
	case SHAPE_OBJECT_MAP:
		return json_is_object(value);
	default:
		return false;
	}
}

static void diff_shape(struct diff *diff, const struct field *field, const struct step *at,
		       const json_t *have, const json_t *want, enum effect effect)
{
	switch (field->type->shape) {
	case SHAPE_SET:
		diff_set(diff, field, at, have, want, effect);
		break;
	case SHAPE_OBJECTS:
		diff_objects(diff, field, at, have, want, effect);
		break;
	case SHAPE_OBJECT:
		diff_object(diff, field->of, at, have, want, effect);
		break;
	default:
		diff_keys(diff, field, at, have, want, effect);
	}
}

static bool is_equal(const struct field *field, const json_t *a, const json_t *b)
{
	if (!a || !b)
		return a == b;
	return json_equal(a, b) || (field->type->equal && field->type->equal(field, a, b));
}

static void release(void *value)
{
	json_decref(value);
}

/* NULL for what is the same as nothing; the fallback (kept by the arena) for nothing. */
static const json_t *normalise(struct diff *diff, const struct field *field, const json_t *value)
{
	json_t *fallback;

	if (json_is_null(value) || (field->type->shape != SHAPE_SCALAR && is_empty(value)))
		value = NULL;
	if (value || field->origin == ORIGIN_DAEMON)
		return value;
	fallback = field_fallback(field);
	if (!fallback || (field->type->shape != SHAPE_SCALAR && is_empty(fallback))) {
		json_decref(fallback);
		return NULL;
	}
	arena_defer(diff->changes->arena, release, fallback);
	return fallback;
}

static void diff_value(struct diff *diff, const struct field *field, const struct step *at,
		       const json_t *have, const json_t *want, enum effect effect)
{
	if (have && want && json_equal(have, want))
		return;
	have = normalise(diff, field, have);
	want = normalise(diff, field, want);
	if (is_equal(field, have, want))
		return;
	if (field->effect != EFFECT_NONE)
		effect = field->effect;
	bool has_rows =
		field->of || field->type->shape == SHAPE_SET || field->type->shape == SHAPE_MAP;
	if (has_rows && (!have || has_shape(field, have)) && (!want || has_shape(field, want)))
		diff_shape(diff, field, at, have, want, effect);
	else
		emit(diff, field, at, have, want, effect);
}

void schema_diff(const struct schema *schema, const json_t *observed, const json_t *expected,
		 const json_t *ignore, struct changes *changes)
{
	bool image_unknown = json_object_get(expected, SCHEMA_IMAGE_UNKNOWN) != NULL;

	schema_foreach (schema, field) {
		const json_t *have = json_object_get(observed, field->key);
		const json_t *want = json_object_get(expected, field->key);
		struct diff diff = { .ignore = ignore, .changes = changes, .top = field };
		struct step step = { .text = field->key };

		if (!field->api && !field->inspect)
			continue;
		diff.written_elements =
			field->origin == ORIGIN_IMAGE && image_unknown && !json_is_null(want);
		diff.written_keys = diff.written_elements || field->origin == ORIGIN_DAEMON;
		if (!want && diff.written_keys)
			continue;
		diff_value(&diff, field, &step, have, want, EFFECT_NONE);
	}
}
