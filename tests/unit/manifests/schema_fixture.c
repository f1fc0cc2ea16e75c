/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/manifests/schema_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/yaml.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

static const struct field inner_fields[] = {
	{ .key = "test", .type = &type_command, .api = "/Test", .doc = "What to run." },
	{ .key = "interval",
	  .type = &type_duration,
	  .api = "/Interval",
	  .fallback = "30000000000",
	  .doc = "How often." },
	{ .key = "retries",
	  .type = &type_int,
	  .min = 1,
	  .max = 10,
	  .api = "/Retries",
	  .since = 44,
	  .doc = "How many times." },
	{ .key = "note", .type = &type_string, .doc = "For the reader." },
};
static const struct schema inner_schema = {
	.name = "Inner",
	.doc = "Nested.",
	.fields = inner_fields,
	.count = ARRAY_SIZE(inner_fields),
};

static const struct field port_fields[] = {
	{ .key = "target",
	  .type = &type_int,
	  .min = 1,
	  .max = 65535,
	  .flags = FIELD_KEY | FIELD_REQUIRED,
	  .doc = "Inside." },
	{ .key = "protocol",
	  .type = &type_string,
	  .flags = FIELD_KEY,
	  .fallback = "\"tcp\"",
	  .doc = "Which." },
	{ .key = "published", .type = &type_string, .doc = "Outside." },
	{ .key = "comment", .type = &type_string, .flags = FIELD_OURS, .doc = "Not compared." },
};

/* "8080:80" and, to have a form that makes several, "80*2". */
static json_t *expand_port(const char *text, struct error *err)
{
	int outside, inside, end = 0;

	if (sscanf(text, "%d:%d%n", &outside, &inside, &end) == 2 && !text[end]) {
		char published[12];

		snprintf(published, sizeof(published), "%d", outside);
		return json_pack("[{s:i,s:s}]", "target", inside, "published", published);
	}
	if (sscanf(text, "%d*2%n", &inside, &end) == 1 && end && !text[end])
		return json_pack("[{s:i},{s:i}]", "target", inside, "target", inside + 1);
	error_set(err, ERROR_INVALID, "'%s' is no port", text);
	return NULL;
}

static bool print_port(const json_t *object, struct str *out)
{
	const char *published = json_string_value(json_object_get(object, "published"));

	if (!published)
		return false;
	str_printf(out, "%s:%lld", published,
		   json_integer_value(json_object_get(object, "target")));
	return true;
}

static const struct short_form port_form = {
	.syntax = "[OUTSIDE:]INSIDE",
	.expand = expand_port,
	.print = print_port,
};
static const struct schema port_schema = {
	.name = "Port",
	.doc = "One port.",
	.fields = port_fields,
	.count = ARRAY_SIZE(port_fields),
	.short_form = &port_form,
};

static const struct field endpoint_fields[] = {
	{ .key = "aliases", .type = &type_string_set, .api = "/Aliases", .doc = "Names." },
	{ .key = "address", .type = &type_string, .api = "/Address", .doc = "Where." },
};
static const struct schema endpoint_schema = {
	.name = "Endpoint",
	.doc = "On a network.",
	.fields = endpoint_fields,
	.count = ARRAY_SIZE(endpoint_fields),
};

/* The image's Env is an object here; what is written wins per key. */
static json_t *inherit_map(const struct field *field, const json_t *written, const json_t *spec,
			   const json_t *image)
{
	json_t *merged = json_deep_copy(json_object_get(image, "Env"));

	(void)field, (void)spec;
	if (!merged)
		merged = json_object();
	json_object_update(merged, (json_t *)written);
	return merged;
}
static const struct codec codec_env = { .inherit = inherit_map };

static json_t *inherit_user(const struct field *field, const json_t *written, const json_t *spec,
			    const json_t *image)
{
	(void)field, (void)spec;
	return json_incref(written ? (json_t *)written : json_object_get(image, "User"));
}
static json_t *decode_user(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field, (void)whole;
	return json_string_length(at) ? json_incref((json_t *)at) : NULL;
}
static const struct codec codec_user = { .decode = decode_user, .inherit = inherit_user };

static json_t *encode_flags(const struct field *field, const json_t *value)
{
	(void)field;
	return json_pack("{s:{s:O,s:[s]}}", "HostConfig", "Flag", value, "Binds", "b");
}
static const struct codec codec_flags = { .encode = encode_flags };

static const char *kind_of_source(const json_t *object)
{
	const char *colour = json_string_value(json_object_get(object, "colour"));

	return str_eq(colour, "blue") ? "Volume" : NULL;
}

static const struct field fields[] = {
	{ .key = "image",
	  .type = &type_string,
	  .api = "/Image",
	  .flags = FIELD_REQUIRED,
	  .effect = EFFECT_REPLACE,
	  .pattern = "^[^ ]+$",
	  .doc = "What runs." },
	{ .key = "count",
	  .type = &type_int,
	  .api = "/Count",
	  .min = -5,
	  .max = 100,
	  .origin = ORIGIN_ENGINE,
	  .fallback = "0",
	  .effect = EFFECT_LIVE,
	  .doc = "How many." },
	{ .key = "init",
	  .type = &type_bool,
	  .api = "/HostConfig/Init",
	  .origin = ORIGIN_DAEMON,
	  .doc = "Whether." },
	{ .key = "memory",
	  .type = &type_size,
	  .api = "/HostConfig/Memory",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_LIVE,
	  .doc = "How much." },
	{ .key = "period", .type = &type_duration, .api = "/Period", .doc = "How long." },
	{ .key = "cpus", .type = &type_cpus, .api = "/HostConfig/NanoCpus", .doc = "How fast." },
	{ .key = "colour",
	  .type = &type_enum,
	  .choices = colours,
	  .api = "/Colour",
	  .doc = "Which." },
	{ .key = "command", .type = &type_command, .api = "/Cmd", .doc = "What to do." },
	{ .key = "dns", .type = &type_strings, .api = "/HostConfig/Dns", .doc = "Whom to ask." },
	{ .key = "cap_add",
	  .type = &type_string_set,
	  .api = "/HostConfig/CapAdd",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_REPLACE,
	  .doc = "What more." },
	{ .key = "environment",
	  .type = &type_map,
	  .api = "/Env",
	  .origin = ORIGIN_IMAGE,
	  .codec = &codec_env,
	  .effect = EFFECT_REPLACE,
	  .pattern = "^[A-Z_]+$",
	  .doc = "Variables." },
	{ .key = "user",
	  .type = &type_string,
	  .api = "/User",
	  .origin = ORIGIN_IMAGE,
	  .codec = &codec_user,
	  .doc = "Who." },
	{ .key = "health",
	  .type = &type_object,
	  .of = &inner_schema,
	  .api = "/Health",
	  .doc = "How well." },
	{ .key = "ports",
	  .type = &type_objects,
	  .of = &port_schema,
	  .api = "/Ports",
	  .doc = "Where." },
	{ .key = "networks",
	  .type = &type_object_map,
	  .of = &endpoint_schema,
	  .api = "/Networks",
	  .ref = "Network",
	  .effect = EFFECT_CONNECT,
	  .doc = "On what." },
	{ .key = "options",
	  .type = &type_map,
	  .api = "/LogOpts",
	  .origin = ORIGIN_DAEMON,
	  .doc = "Merged with the daemon's." },
	{ .key = "flag",
	  .type = &type_string,
	  .api = "",
	  .inspect = "/HostConfig/Flag",
	  .codec = &codec_flags,
	  .doc = "Written to two places." },
	{ .key = "source", .type = &type_string, .ref_of = kind_of_source, .doc = "Of what." },
	{ .key = "password", .type = &type_string, .flags = FIELD_SECRET, .doc = "Secret." },
	{ .key = "values", .type = &type_any, .doc = "Anything." },
};
static const struct refused refused[] = {
	{ "build", "images are built elsewhere" },
	{ NULL, NULL },
};
const struct schema test_schema = {
	.name = "Test",
	.doc = "For tests.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
	.refused = refused,
};

static struct arena *arena;
static struct diagnostics diagnostics;
static struct str faults;
static json_t *secrets;
static const char *secret_text;

void fixture_setup(void)
{
	arena = arena_new();
	diagnostics_init(&diagnostics, arena);
	str_init(&faults, 0);
}

void fixture_teardown(void)
{
	diagnostics_done(&diagnostics);
	arena_free(arena);
	str_done(&faults);
	json_decref(secrets);
	secrets = NULL;
	secret_text = NULL;
}

void fixture_secret(const char *text)
{
	secret_text = text;
}

static void mark(struct node *node)
{
	for (size_t i = 0; i < node->count; i++)
		mark(node->values[i]);
	node->secret =
		node->type == NODE_SCALAR && secret_text && strcmp(node->text, secret_text) == 0;
}

static void take(void *ctx, const struct node *root)
{
	*(const struct node **)ctx = root;
}

static const struct node *read_yaml(const char *yaml, struct decode *decode)
{
	struct yaml_reader reader = { .arena = arena, .diagnostics = &diagnostics };
	const struct node *root = NULL;

	diagnostics_done(&diagnostics);
	diagnostics_init(&diagnostics, arena);
	json_decref(secrets);
	secrets = json_object();
	*decode = (struct decode){ .diagnostics = &diagnostics,
				   .secrets = secrets,
				   .prefix = "spec" };
	cr_assert_eq(yaml_read(&reader, "t.yaml", yaml, strlen(yaml), take, &root), 0, "%s", yaml);
	cr_assert(root, "%s", yaml);
	cr_assert_eq(diagnostics.errors, 0, "%s", yaml);
	mark((struct node *)root);
	return root;
}

json_t *fixture_decode(const struct schema *schema, const char *yaml)
{
	struct decode decode;
	const struct node *root = read_yaml(yaml, &decode);

	return schema_decode(schema, &decode, root);
}

json_t *fixture_value(const struct field *field, const char *yaml)
{
	CLEANUP(cleanup_free) char *document = xasprintf("v: %s\n", yaml);
	struct decode decode;
	const struct node *root = read_yaml(document, &decode);

	return decode_value(&decode, field, root->values[0]);
}

const char *fixture_faults(void)
{
	str_clear(&faults);
	VEC_FOREACH (struct diagnostic *, it, &diagnostics.list)
		str_printf(&faults, "%s\n", it->text);
	return faults.data;
}

const json_t *fixture_secrets(void)
{
	return secrets;
}

json_t *fixture_json(const char *text)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(text);
	json_error_t error;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
	cr_assert(value, "%s: %s", text, error.text);
	return value;
}

void expect_json(json_t *got, json_t *expected)
{
	CLEANUP(cleanup_free) char *a = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;
	CLEANUP(cleanup_free) char *b = expected ? json_dumps(expected, JSON_ENCODE_ANY) : NULL;

	cr_expect(got == expected || json_equal(got, expected), "got %s, expected %s (%s)",
		  a ? a : "nothing", b ? b : "nothing", fixture_faults());
	json_decref(got);
	json_decref(expected);
}
