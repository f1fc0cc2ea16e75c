/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health check and log. */
#include <stdint.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"
#include "reconcilers/container_codec.h"

/* A string is a shell's line; a list begins with NONE, CMD or CMD-SHELL. */
static json_t *parse_test(struct decode *decode, const struct field *field, const struct node *node)
{
	if (node->type == NODE_SCALAR) {
		const char *line = decode_scalar(decode, node, "a command");

		return line ? json_pack("[s, s]", "CMD-SHELL", line) : NULL;
	}
	json_t *test = type_strings.parse(decode, field, node);
	const char *first = json_string_value(json_array_get(test, 0));
	bool none = first && strcmp(first, "NONE") == 0;
	bool runs = first && (strcmp(first, "CMD") == 0 || strcmp(first, "CMD-SHELL") == 0);
	if (!test || none || (runs && json_array_size(test) > 1))
		return test;
	/* An engine that shall run nothing dies of it (Engine 20.10, daemon/health.go). */
	if (runs)
		decode_fault(decode, node, "nothing stands behind %s", first);
	else
		decode_fault(decode, node,
			     "a test begins with CMD (a program and its arguments), CMD-SHELL (a "
			     "line for /bin/sh) or NONE");
	json_decref(test);
	return NULL;
}

static void print_test(const struct field *field, const json_t *value, struct str *out)
{
	type_strings.print(field, value, out);
}

static json_t *schema_of_test(const struct field *field)
{
	return type_strings.json_schema(field);
}

const struct value_type type_health_test = {
	.name = "list of strings, or a line for a shell",
	.shape = SHAPE_LIST,
	.parse = parse_test,
	.print = print_test,
	.json_schema = schema_of_test,
};

#define MILLISECOND INT64_C(1000000)
#define HOUR INT64_C(3600000000000)

/* An engine refuses durations below a millisecond (moby daemon/container.go). */
static const struct field health_fields[] = {
	{ .key = "test",
	  .type = &type_health_test,
	  .api = "/Test",
	  .doc = "The probe: exit 0 is healthy." },
	{ .key = "interval",
	  .type = &type_duration,
	  .min = MILLISECOND,
	  .max = 24 * HOUR,
	  .api = "/Interval",
	  .doc = "Time between probes; 30s where nobody says." },
	{ .key = "timeout",
	  .type = &type_duration,
	  .min = MILLISECOND,
	  .max = 24 * HOUR,
	  .api = "/Timeout",
	  .doc = "Time a probe may take; 30s where nobody says." },
	{ .key = "retries",
	  .type = &type_int,
	  .min = 1,
	  .max = 1000000,
	  .api = "/Retries",
	  .doc = "Failed probes in a row that make it unhealthy; 3 where nobody says." },
	{ .key = "start_period",
	  .type = &type_duration,
	  .min = MILLISECOND,
	  .max = 24 * HOUR,
	  .api = "/StartPeriod",
	  .doc = "Time after the start in which failed probes do not count." },
	{ .key = "start_interval",
	  .type = &type_duration,
	  .min = MILLISECOND,
	  .max = 24 * HOUR,
	  .api = "/StartInterval",
	  .since = 44,
	  .doc = "Time between probes during start_period." },
	{ .key = "disable",
	  .type = &type_bool,
	  .flags = FIELD_OURS,
	  .fallback = "false",
	  .doc = "Turn off the image's health check." },
};

const struct schema container_health_schema = {
	.name = "health check",
	.doc = "A probe of whether the container does its work.",
	.fields = health_fields,
	.count = ARRAY_SIZE(health_fields),
};

static bool is_off(const json_t *test)
{
	const char *first = json_string_value(json_array_get(test, 0));

	return first && strcmp(first, "NONE") == 0;
}

static json_t *encode_health(const struct field *field, const json_t *value)
{
	struct error err = ERROR_INIT;
	json_t *body = json_object();

	if (json_is_true(json_object_get(value, "disable")))
		json_object_set_new(body, "Test", json_pack("[s]", "NONE"));
	else if (schema_encode(field->of, value, INT32_MAX, body, &err) < 0)
		return body; /* versions have been checked with the whole spec */
	return body;
}

/* NONE is the same as no health check; zeros are silence. */
static json_t *decode_health(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *health, *value;
	const char *key;
	void *next;

	(void)whole;
	if (!json_is_object(at))
		return json_incref((json_t *)at);
	if (is_off(json_object_get(at, "Test")))
		return NULL;
	health = schema_observe(field->of, at);
	json_object_foreach_safe (health, next, key, value) {
		if ((json_is_integer(value) && json_integer_value(value) == 0) ||
		    (json_is_array(value) && json_array_size(value) == 0))
			json_object_del(health, key);
	}
	return health;
}

/* Member by member, an empty test being none (moby daemon/commit.go, merge). */
static json_t *inherit_health(const struct field *field, const json_t *written, const json_t *spec,
			      const json_t *image_config)
{
	const json_t *image = json_object_get(image_config, "Healthcheck");
	const json_t *test = json_object_get(written, "test");
	json_t *health;

	(void)spec;
	if (json_array_size(test) == 0)
		test = json_object_get(image, "Test");
	if (json_is_true(json_object_get(written, "disable")) || is_off(test))
		return NULL;
	health = decode_health(field, image, NULL);
	if (!json_is_object(health)) {
		json_decref(health);
		return json_incref((json_t *)written);
	}
	if (written)
		json_object_update(health, (json_t *)written);
	if (test)
		json_object_set(health, "test", (json_t *)test);
	return health;
}

const struct codec codec_health = {
	.encode = encode_health,
	.decode = decode_health,
	.inherit = inherit_health,
};

static const struct field logging_fields[] = {
	{ .key = "driver",
	  .type = &type_string,
	  .api = "/Type",
	  .example = "json-file",
	  .doc = "Log driver; silence leaves it to the daemon." },
	{ .key = "options",
	  .type = &type_map,
	  .api = "/Config",
	  .example = "{ max-size: 10m, max-file: \"3\" }",
	  .doc = "Options of the log driver." },
};

const struct schema container_logging_schema = {
	.name = "logging",
	.doc = "Where the output goes.",
	.fields = logging_fields,
	.count = ARRAY_SIZE(logging_fields),
};
