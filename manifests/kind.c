/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/kind.h"

#include <assert.h>
#include <string.h>

#include "controller/base/mem.h"

static const struct field metadata_fields[] = {
	{
		.key = "name",
		.type = &type_string,
		.flags = FIELD_REQUIRED | FIELD_PROJECT,
		.pattern = RESOURCE_NAME_PATTERN,
		.max = RESOURCE_NAME_MAX,
		.example = "web",
		.doc = "Identifies the resource together with its kind, and names it on the "
		       "engine.",
	},
	{
		.key = "labels",
		.type = &type_map,
		.flags = FIELD_PROJECT,
		.example = "{ tier: front }",
		.doc = "What selectors go by; spec.labels are those that the engine gets.",
	},
	{
		.key = "ignore",
		.type = &type_strings,
		.flags = FIELD_PROJECT,
		.example = "[cpus, \"environment[BUILD]\"]",
		.doc = "Fields, or members of fields, that are left to others: never compared.",
	},
	{
		.key = "adopt",
		.type = &type_bool,
		.flags = FIELD_PROJECT,
		.fallback = "false",
		.example = "true",
		.doc = "Take over an object of that name which drey has not made.",
	},
	{
		.key = "was",
		.type = &type_strings,
		.flags = FIELD_PROJECT,
		.example = "[frontend]",
		.doc = "Names that it had before: what was made under one of them is it, and is "
		       "renamed where the engine can.",
	},
};

const struct schema metadata_schema = {
	.name = "metadata",
	.doc = "What identifies a resource and says how it is treated; the same for every kind.",
	.fields = metadata_fields,
	.count = ARRAY_SIZE(metadata_fields),
};

const json_t *resource_get(const struct resource *resource, const char *key)
{
	return schema_get(resource->kind->spec, resource->spec, key);
}

static const json_t *written_or_default(const struct resource *resource, const char *key)
{
	const json_t *value = resource_get(resource, key);

	return value ? value : json_object_get(resource->defaults, key);
}

const char *resource_string(const struct resource *resource, const char *key)
{
	return json_string_value(written_or_default(resource, key));
}

bool resource_bool(const struct resource *resource, const char *key)
{
	return json_is_true(written_or_default(resource, key));
}

int64_t resource_int(const struct resource *resource, const char *key)
{
	return json_integer_value(written_or_default(resource, key));
}

bool resource_is_secret(const struct resource *resource, const char *key, const char *member)
{
	const json_t *secret = json_object_get(resource->secrets, key);

	assert(schema_field(resource->kind->spec, key));
	if (json_is_object(secret))
		return member ? json_is_true(json_object_get(secret, member))
			      : json_object_size(secret) > 0;
	return json_is_true(secret);
}

bool resource_was(const struct resource *resource, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(resource->metadata, "was"), i, item) {
		if (str_eq(json_string_value(item), name))
			return true;
	}
	return false;
}

const struct content *resource_content(const struct resource *resource, const char *kind,
				       const char *name)
{
	for (size_t i = 0; i < resource->content_count; i++) {
		const struct content *content = &resource->contents[i];

		if (strcmp(content->kind, kind) == 0 && strcmp(content->name, name) == 0)
			return content;
	}
	return NULL;
}

const json_t *resource_ignore(const struct resource *resource)
{
	return json_object_get(resource->metadata, "ignore");
}
