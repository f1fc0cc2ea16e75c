/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifests/content.h"

#include <stdlib.h>
#include <string.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/sha256.h"

/* A file beside the manifests is part of what they say. */
static bool read_file(struct load *load, struct document *document, const struct node *at,
		      const char *path, struct content *content)
{
	struct error err = ERROR_INIT;
	char *data;

	if (document->content) {
		content->data = document->content;
		content->len = document->content_len;
		return true;
	}
	if (io_read_file(path, CONTENT_MAX, &data, &content->len, &err) < 0) {
		load_fault(load, at, "Config %s: %s", document->name, err.text);
		return false;
	}
	sha256_update(load->sha, data, content->len);
	char *copy = arena_alloc(load->arena, content->len + 1);
	memcpy(copy, data, content->len);
	free(data);
	content->data = document->content = copy;
	document->content_len = content->len;
	return true;
}

static bool resolve_text(struct resolver *resolver, const struct document *document,
			 const struct node *at, struct content *content)
{
	const struct node *text = resolve(resolver, at);

	if (text->faulty)
		return false;
	if (text->type != NODE_SCALAR) {
		load_fault(resolver->load, at, "Config %s: expected a text as content, found a %s",
			   document->name, text->type == NODE_MAPPING ? "mapping" : "list");
		return false;
	}
	content->data = node_is_null(text) ? "" : text->text;
	content->len = strlen(content->data);
	content->secret = node_has_secret(text);
	if (content->len <= CONTENT_MAX)
		return true;
	load_fault(resolver->load, at, "Config %s: its content is larger than %d bytes",
		   document->name, CONTENT_MAX);
	return false;
}

static bool read_config(struct resolver *resolver, struct document *document,
			struct content *content)
{
	struct load *load = resolver->load;
	const struct body *body = decode_document(load, document, -1);
	const struct node *spec = node_get(document->node, "spec");
	const char *file = json_string_value(json_object_get(body->spec, "file"));
	const char *environment = json_string_value(json_object_get(body->spec, "environment"));

	if (!body->good)
		return false;
	if (file)
		return read_file(load, document, node_get(spec, "file"), file, content);
	if (!environment)
		return resolve_text(resolver, document, node_get(spec, "content"), content);
	content->data =
		sources_environment(load, document, node_get(spec, "environment"), environment);
	content->len = content->data ? strlen(content->data) : 0;
	return content->data;
}

static void read_one(struct resolver *resolver, const char *kind, const char *name,
		     struct contents *contents)
{
	struct document *document = load_find(resolver->load, kind, name);
	struct content content = { .kind = kind };
	bool is_secret = strcmp(kind, "Secret") == 0;

	if (!document)
		return;
	VEC_FOREACH (const struct content *, known, contents) {
		if (known->kind == kind && strcmp(known->name, name) == 0)
			return;
	}
	content.name = document->name;
	content.secret = is_secret;
	if (is_secret ? sources_secret(resolver->load, document, &content.data, &content.len)
		      : read_config(resolver, document, &content))
		vec_push(contents, content);
}

void content_read(struct resolver *resolver, const struct schema *schema, const json_t *spec,
		  struct contents *contents)
{
	schema_foreach (schema, field) {
		const json_t *list = json_object_get(spec, field->key), *item;
		size_t at;

		if (!(field->flags & FIELD_CONTENT))
			continue;
		json_array_foreach (list, at, item) {
			const char *source = json_string_value(json_object_get(item, "source"));

			if (source)
				read_one(resolver, schema_field(field->of, "source")->ref, source,
					 contents);
		}
	}
}
