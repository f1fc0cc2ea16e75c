/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between canonical values and the engine's JSON: the create body, what inspect shows, and what
 * it would show if a container, network or volume were made anew.
 */
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "manifests/pointer.h"
#include "manifests/schema_types.h"

/* Does the row's value consist of objects that are translated member by member? */
static bool is_translated(const struct field *field)
{
	return (!field->codec || (!field->codec->encode && !field->codec->decode)) && field->of &&
	       schema_has_pointers(field->of);
}

/* The first release with an API version; docs.docker.com/reference/api/engine, "API version
 * matrix". */
static const char *engine_release(unsigned api)
{
	static const struct {
		unsigned api;
		const char *release;
	} releases[] = {
		{ 40, "19.03" }, { 41, "20.10" }, { 42, "23.0" }, { 43, "24.0" }, { 44, "25.0" },
		{ 45, "26.0" },	 { 46, "27.0" },  { 47, "27.2" }, { 48, "28.0" }, { 49, "28.1" },
		{ 50, "28.2" },	 { 51, "28.3" },  { 52, "29.0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		if (releases[i].api == api)
			return releases[i].release;
	}
	return NULL;
}

static int check_object(const struct schema *schema, const json_t *object, int engine_api,
			const char *path, struct error *err);

static int check_members(const struct field *field, const json_t *value, int engine_api,
			 const char *path, struct error *err)
{
	json_t *member;
	const char *key;
	size_t index;

	if (field->type->shape == SHAPE_OBJECT)
		return check_object(field->of, value, engine_api, path, err);
	if (field->type->shape == SHAPE_OBJECTS) {
		json_array_foreach (value, index, member) {
			CLEANUP(cleanup_free) char *at = xasprintf("%s[%zu]", path, index);

			if (check_object(field->of, member, engine_api, at, err) < 0)
				return -1;
		}
	}
	if (field->type->shape == SHAPE_OBJECT_MAP) {
		json_object_foreach ((json_t *)value, key, member) {
			CLEANUP(cleanup_free) char *at = xasprintf("%s.%s", path, key);

			if (check_object(field->of, member, engine_api, at, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* The version that a row needs for this value of it. */
static unsigned needed_api(const struct field *field, const json_t *value)
{
	unsigned needed = field->since;

	for (size_t i = 0; field->choices_since && field->choices[i]; i++) {
		if (str_eq(json_string_value(value), field->choices[i]) &&
		    field->choices_since[i] > needed)
			needed = field->choices_since[i];
	}
	return needed;
}

static int check_object(const struct schema *schema, const json_t *object, int engine_api,
			const char *path, struct error *err)
{
	schema_foreach (schema, field) {
		const json_t *value = json_object_get(object, field->key);

		if (!value)
			continue;
		CLEANUP(cleanup_free) char *at = xasprintf("%s.%s", path, field->key);
		unsigned needed = needed_api(field, value);
		if ((int)needed > engine_api) {
			const char *release = engine_release(needed);
			bool word = needed > field->since;

			return error_set(err, ERROR_UNSUPPORTED,
					 "%s%s%s needs Engine API 1.%u (Engine %s), the host has "
					 "1.%d",
					 at, word ? " of " : "",
					 word ? json_string_value(value) : "", needed,
					 release ? release : "of a later release", engine_api);
		}
		if (field->of && check_members(field, value, engine_api, at, err) < 0)
			return -1;
	}
	return 0;
}

static void encode_object(const struct schema *schema, const json_t *object, json_t *body);

static json_t *encode_one(const struct field *field, const json_t *object)
{
	json_t *encoded = json_object();

	encode_object(field->of, object, encoded);
	return encoded;
}

static json_t *encode_value(const struct field *field, const json_t *value)
{
	json_t *encoded, *member;
	const char *key;
	size_t index;

	if (field->codec && field->codec->encode)
		return field->codec->encode(field, value);
	if (!is_translated(field))
		return json_deep_copy(value);
	if (field->type->shape == SHAPE_OBJECT)
		return encode_one(field, value);
	if (field->type->shape == SHAPE_OBJECTS) {
		encoded = json_array();
		json_array_foreach (value, index, member) {
			json_array_append_new(encoded, encode_one(field, member));
		}
		return encoded;
	}
	encoded = json_object();
	json_object_foreach ((json_t *)value, key, member) {
		json_object_set_new(encoded, key, encode_one(field, member));
	}
	return encoded;
}

static void encode_object(const struct schema *schema, const json_t *object, json_t *body)
{
	schema_foreach (schema, field) {
		const json_t *value = json_object_get(object, field->key);

		if (!field->api || !value)
			continue;
		json_t *encoded = encode_value(field, value);
		if (encoded)
			pointer_merge(body, field->api, encoded);
	}
}

int schema_check_engine(const struct schema *schema, const json_t *spec, int engine_api,
			struct error *err)
{
	return check_object(schema, spec, engine_api, "spec", err);
}

int schema_encode(const struct schema *schema, const json_t *spec, int engine_api, json_t *body,
		  struct error *err)
{
	if (schema_check_engine(schema, spec, engine_api, err) < 0)
		return -1;
	encode_object(schema, spec, body);
	return 0;
}

static json_t *observe_object(const struct schema *schema, const json_t *document);

static json_t *decode_observed(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *decoded, *member;
	const char *key;
	size_t index;

	if (json_is_null(at))
		at = NULL;
	if (field->codec && field->codec->decode)
		return field->codec->decode(field, at, whole);
	if (!at)
		return NULL;
	if (!is_translated(field))
		return json_incref((json_t *)at);
	if (field->type->shape == SHAPE_OBJECT && json_is_object(at))
		return observe_object(field->of, at);
	if (field->type->shape == SHAPE_OBJECTS && json_is_array(at)) {
		decoded = json_array();
		json_array_foreach (at, index, member) {
			json_array_append_new(decoded, observe_object(field->of, member));
		}
		return decoded;
	}
	if (field->type->shape == SHAPE_OBJECT_MAP && json_is_object(at)) {
		decoded = json_object();
		json_object_foreach ((json_t *)at, key, member) {
			json_object_set_new(decoded, key, observe_object(field->of, member));
		}
		return decoded;
	}
	return json_incref((json_t *)at);
}

static json_t *observe_object(const struct schema *schema, const json_t *document)
{
	json_t *object = json_object();

	schema_foreach (schema, field) {
		const char *pointer = field->inspect ? field->inspect : field->api;

		if (!pointer)
			continue;
		json_t *value = decode_observed(field, pointer_get(document, pointer), document);
		if (value && !json_is_null(value))
			json_object_set_new_nocheck(object, field->key, value);
		else
			json_decref(value);
	}
	return object;
}

json_t *schema_observe(const struct schema *schema, const json_t *inspect)
{
	return observe_object(schema, inspect);
}

static bool is_empty(const json_t *value)
{
	return json_object_size(value) == 0 && json_array_size(value) == 0 &&
	       json_string_length(value) == 0;
}

/* A row that the image has a say in. Of an image that is unknown, what is written empty takes a
 * value that nobody can know; what says "none" means that whatever the image has. */
static json_t *expect_inherited(const struct field *field, const json_t *written,
				const json_t *spec, const json_t *image_config)
{
	json_t *nothing = json_object();
	json_t *value =
		field->codec->inherit(field, written, spec, image_config ? image_config : nothing);

	json_decref(nothing);
	if (value || image_config)
		return value ? value : field_fallback(field);
	return is_empty(written) ? NULL : json_null();
}

/* New reference, or NULL: nothing stands there, or nobody can know what does. */
static json_t *expect_value(const struct field *field, const json_t *spec,
			    const json_t *image_config)
{
	json_t *written = json_object_get(spec, field->key);

	if (field->origin == ORIGIN_IMAGE && (image_config || written) && field->codec &&
	    field->codec->inherit)
		return expect_inherited(field, written, spec, image_config);
	if (written)
		return json_incref(written);
	if (field->origin == ORIGIN_ENGINE || (field->origin == ORIGIN_IMAGE && image_config))
		return field_fallback(field);
	return NULL;
}

json_t *schema_expect(const struct schema *schema, const json_t *spec, const json_t *image_config)
{
	json_t *expected = json_object();
	bool unknown = false;

	schema_foreach (schema, field) {
		json_t *value = expect_value(field, spec, image_config);

		if (value)
			json_object_set_new_nocheck(expected, field->key, value);
		unknown |= field->origin == ORIGIN_IMAGE && !image_config;
	}
	if (unknown)
		json_object_set_new_nocheck(expected, SCHEMA_IMAGE_UNKNOWN, json_true());
	return expected;
}
