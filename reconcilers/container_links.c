/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container has of another one by its name: links to it, and its volumes. */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_codec.h"

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* --- links --- */

static json_t *expand_link(const char *text, struct error *err)
{
	size_t name = strcspn(text, ":");
	const char *alias = text[name] ? text + name + 1 : NULL;

	if (!name || (alias && (!*alias || strchr(alias, ':')))) {
		error_set(err, ERROR_INVALID, "expected CONTAINER[:ALIAS]");
		return NULL;
	}
	if (!alias)
		return json_pack("[{s:s, s:s}]", "container", text, "alias", text);
	return json_pack("[{s:s%, s:s}]", "container", text, name, "alias", alias);
}

static bool print_link(const json_t *link, struct str *out)
{
	const char *container = member(link, "container"), *alias = member(link, "alias");

	if (!*container)
		return false;
	str_append(out, container);
	if (*alias && strcmp(alias, container) != 0)
		str_printf(out, ":%s", alias);
	return true;
}

static const struct short_form link_short = {
	.syntax = "CONTAINER[:ALIAS]",
	.pattern = "^[^:]+(:[^:]+)?$",
	.expand = expand_link,
	.print = print_link,
};

static const struct field link_fields[] = {
	{ .key = "container",
	  .type = &type_string,
	  .flags = FIELD_REQUIRED,
	  .ref = "Container",
	  .doc = "The container that is linked to." },
	{ .key = "alias",
	  .type = &type_string,
	  .flags = FIELD_KEY,
	  .doc = "The name by which it is known inside; silence means its own." },
};

const struct schema container_link_schema = {
	.name = "link",
	.doc = "Another container by a name of its own.",
	.fields = link_fields,
	.count = ARRAY_SIZE(link_fields),
	.short_form = &link_short,
};

static const struct field external_fields[] = {
	{ .key = "container",
	  .type = &type_string,
	  .flags = FIELD_REQUIRED,
	  .doc = "The engine's name of the container that is linked to." },
	{ .key = "alias",
	  .type = &type_string,
	  .flags = FIELD_KEY,
	  .doc = "The name by which it is known inside; silence means its own." },
};

const struct schema container_external_link_schema = {
	.name = "external link",
	.doc = "A container that no manifest has, by a name of its own.",
	.fields = external_fields,
	.count = ARRAY_SIZE(external_fields),
	.short_form = &link_short,
};

static json_t *encode_links(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *link;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, link)
		json_array_append_new(list, json_sprintf("%s:%s", member(link, "container"),
							 member(link, "alias")));
	return list;
}

/* "/child:/parent/alias" (moby daemon/inspect.go). */
static json_t *decode_link(const char *text)
{
	const char *colon = strchr(text, ':');
	const char *slash = colon ? strrchr(colon, '/') : NULL;

	if (!colon)
		return NULL;
	text += *text == '/';
	return json_pack("{s:s%, s:s}", "container", text, (size_t)(colon - text), "alias",
			 slash ? slash + 1 : colon + 1);
}

static json_t *decode_links(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return map_texts(at, decode_link);
}

const struct codec codec_links = { .encode = encode_links, .decode = decode_links };

/* --- volumes of another container --- */

enum { CONTAINER_PREFIX = sizeof("container:") - 1 };

/* "container:NAME" is one that no manifest has. */
static const char *source_ref_name(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && !str_has_prefix(text, "container:") ? text : NULL;
}

static json_t *expand_source(const char *text, struct error *err)
{
	size_t prefix = str_has_prefix(text, "container:") ? CONTAINER_PREFIX : 0;
	size_t len = prefix + strcspn(text + prefix, ":");
	const char *mode = text[len] ? text + len + 1 : "rw";

	if (len == prefix || (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)) {
		error_set(err, ERROR_INVALID, "expected [container:]NAME[:ro|:rw]");
		return NULL;
	}
	return json_pack("[{s:s%, s:b}]", "source", text, len, "read_only",
			 strcmp(mode, "ro") == 0);
}

static bool print_source(const json_t *from, struct str *out)
{
	if (!*member(from, "source"))
		return false;
	str_printf(out, "%s%s", member(from, "source"),
		   json_is_true(json_object_get(from, "read_only")) ? ":ro" : "");
	return true;
}

static const struct field source_fields[] = {
	{ .key = "source",
	  .type = &type_string,
	  .pattern = "^[^:]+(:[^:]+)?$",
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .ref = "Container",
	  .ref_name = source_ref_name,
	  .doc = "The container, or container:NAME for one that no manifest has." },
	{ .key = "read_only",
	  .type = &type_bool,
	  .fallback = "false",
	  .doc = "They can't be written from here." },
};

static const struct short_form source_short = {
	.syntax = "[container:]NAME[:ro|:rw]",
	.pattern = "^(container:)?[^:]+(:(ro|rw))?$",
	.expand = expand_source,
	.print = print_source,
};

const struct schema container_volumes_from_schema = {
	.name = "volumes of a container",
	.doc = "A container whose volumes are mounted here too, at the same places.",
	.fields = source_fields,
	.count = ARRAY_SIZE(source_fields),
	.short_form = &source_short,
};

static json_t *encode_sources(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *from;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, from)
		json_array_append_new(
			list, json_sprintf("%s%s", member(from, "source"),
					   json_is_true(json_object_get(from, "read_only")) ? ":ro"
											    : ""));
	return list;
}

static json_t *decode_source(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *expanded = expand_source(text, &err), *one;

	/* Modes that no manifest can say are kept: they differ. */
	if (!expanded)
		return json_pack("{s:s}", "source", text);
	one = json_incref(json_array_get(expanded, 0));
	json_decref(expanded);
	return one;
}

static json_t *decode_sources(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return map_texts(at, decode_source);
}

const struct codec codec_volumes_from = { .encode = encode_sources, .decode = decode_sources };
