/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits and devices. */
#include <inttypes.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"
#include "reconcilers/container_codec.h"

/* --- microseconds: a plain number, or a duration --- */

enum { MICROSECOND = 1000 };

static json_t *parse_microseconds(struct decode *decode, const struct field *field,
				  const struct node *node)
{
	const char *text = node->type == NODE_SCALAR ? node->text : NULL;

	if (text && *text && !text[strspn(text, "0123456789")])
		return type_int.parse(decode, field, node);
	struct field nanoseconds = *field;
	nanoseconds.max = 0;
	json_t *value = type_duration.parse(decode, &nanoseconds, node);
	if (!value)
		return NULL;
	json_int_t number = json_integer_value(value);
	json_decref(value);
	if (number % MICROSECOND == 0 && number / MICROSECOND <= field->max)
		return json_integer(number / MICROSECOND);
	decode_fault(decode, node, "%s is no whole number of microseconds up to %" PRId64,
		     decode_found(decode, node), field->max);
	return NULL;
}

static void print_microseconds(const struct field *field, const json_t *value, struct str *out)
{
	type_int.print(field, value, out);
}

static json_t *schema_of_microseconds(const struct field *field)
{
	(void)field;
	return json_pack("{s:[s,s], s:i}", "type", "integer", "string", "minimum", 0);
}

const struct value_type type_microseconds = {
	.name = "microseconds or a duration",
	.shape = SHAPE_SCALAR,
	.parse = parse_microseconds,
	.print = print_microseconds,
	.json_schema = schema_of_microseconds,
};

/* --- numbers that say nothing --- */

/* No limit is null, 0 or -1, by engine version and by who asked (moby daemon/daemon_unix.go). */
static json_t *decode_limit(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (json_is_integer(at) && json_integer_value(at) <= 0)
		return NULL;
	return json_incref((json_t *)at);
}

static json_t *decode_swappiness(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (json_is_integer(at) && json_integer_value(at) < 0)
		return NULL;
	return json_incref((json_t *)at);
}

const struct codec codec_limit = { .decode = decode_limit };
const struct codec codec_swappiness = { .decode = decode_swappiness };

/* --- ulimits --- */

static json_t *expand_ulimit(const char *text, struct error *err)
{
	long long number;
	int end = 0;

	if (sscanf(text, "%lld%n", &number, &end) != 1 || text[end] || number < -1) {
		error_set(err, ERROR_INVALID, "expected a number, or soft and hard");
		return NULL;
	}
	return json_pack("[{s:I, s:I}]", "soft", (json_int_t)number, "hard", (json_int_t)number);
}

static bool print_ulimit(const json_t *ulimit, struct str *out)
{
	const json_t *soft = json_object_get(ulimit, "soft");

	if (!json_is_integer(soft) || !json_equal(soft, json_object_get(ulimit, "hard")))
		return false;
	str_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(soft));
	return true;
}

static const struct field ulimit_fields[] = {
	{ .key = "soft",
	  .type = &type_int,
	  .min = -1,
	  .max = INT64_MAX,
	  .flags = FIELD_REQUIRED,
	  .doc = "The limit in force; -1 for none." },
	{ .key = "hard",
	  .type = &type_int,
	  .min = -1,
	  .max = INT64_MAX,
	  .flags = FIELD_REQUIRED,
	  .doc = "How far the process may raise it; -1 for no end." },
};

static const struct short_form ulimit_short = {
	.syntax = "NUMBER",
	.pattern = "^(-1|[0-9]+)$",
	.expand = expand_ulimit,
	.print = print_ulimit,
};

const struct schema container_ulimit_schema = {
	.name = "ulimit",
	.doc = "A resource limit of setrlimit(2).",
	.fields = ulimit_fields,
	.count = ARRAY_SIZE(ulimit_fields),
	.short_form = &ulimit_short,
};

static json_t *encode_ulimits(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *limit;
	const char *name;

	(void)field;
	json_object_foreach ((json_t *)value, name, limit)
		json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "Name", name, "Soft",
						      json_object_get(limit, "soft"), "Hard",
						      json_object_get(limit, "hard")));
	return list;
}

static json_t *decode_ulimits(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *map, *limit;
	size_t i;

	(void)field;
	(void)whole;
	if (!json_is_array(at))
		return json_incref((json_t *)at);
	map = json_object();
	json_array_foreach ((json_t *)at, i, limit) {
		const char *name = json_string_value(json_object_get(limit, "Name"));
		json_int_t soft = json_integer_value(json_object_get(limit, "Soft"));
		json_int_t hard = json_integer_value(json_object_get(limit, "Hard"));

		if (name)
			json_object_set_new(map, name,
					    json_pack("{s:I, s:I}", "soft", soft, "hard", hard));
	}
	return map;
}

const struct codec codec_ulimits = { .encode = encode_ulimits, .decode = decode_ulimits };

/* --- devices --- */

static json_t *expand_device(const char *text, struct error *err)
{
	char *copy = xstrdup(text), *save, *source, *second, *third;
	json_t *list = NULL;

	source = strtok_r(copy, ":", &save);
	second = strtok_r(NULL, ":", &save);
	third = second ? strtok_r(NULL, ":", &save) : NULL;
	if (second && !third && second[0] != '/') {
		third = second;
		second = NULL;
	}
	if (!source || source[0] != '/' || (second && second[0] != '/') ||
	    (third && third[strspn(third, "rwm")]) || (third && strtok_r(NULL, ":", &save)))
		error_set(err, ERROR_INVALID,
			  "expected /dev/SOURCE[:/dev/TARGET][:PERMISSIONS] with permissions of "
			  "r, w and m");
	else
		list = json_pack("[{s:s, s:s, s:s}]", "source", source, "target",
				 second ? second : source, "permissions", third ? third : "rwm");
	free(copy);
	return list;
}

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool print_device(const json_t *device, struct str *out)
{
	const char *source = member(device, "source"), *target = member(device, "target");
	const char *permissions = member(device, "permissions");

	if (!*source || !*target)
		return false;
	str_printf(out, "%s:%s", source, target);
	if (*permissions && strcmp(permissions, "rwm") != 0)
		str_printf(out, ":%s", permissions);
	return true;
}

static const struct field device_fields[] = {
	{ .key = "source",
	  .type = &type_string,
	  .pattern = "^/",
	  .api = "/PathOnHost",
	  .flags = FIELD_REQUIRED,
	  .doc = "Device file of the host." },
	{ .key = "target",
	  .type = &type_string,
	  .pattern = "^/",
	  .api = "/PathInContainer",
	  .flags = FIELD_KEY,
	  .doc = "Its path inside; silence means the same." },
	{ .key = "permissions",
	  .type = &type_string,
	  .pattern = "^[rwm]+$",
	  .api = "/CgroupPermissions",
	  .fallback = "\"rwm\"",
	  .doc = "Any of r, w and m (mknod)." },
};

static const struct short_form device_short = {
	.syntax = "SOURCE[:TARGET][:PERMISSIONS]",
	.pattern = "^/[^:]+(:/[^:]+)?(:[rwm]+)?$",
	.expand = expand_device,
	.print = print_device,
};

const struct schema container_device_schema = {
	.name = "device",
	.doc = "A device of the host.",
	.fields = device_fields,
	.count = ARRAY_SIZE(device_fields),
	.short_form = &device_short,
};

/* --- block devices: pointers into HostConfig --- */

static const struct field weight_fields[] = {
	{ .key = "path",
	  .type = &type_string,
	  .api = "/Path",
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .doc = "Device file of the host." },
	{ .key = "weight",
	  .type = &type_int,
	  .api = "/Weight",
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .max = 1000,
	  .flags = FIELD_REQUIRED,
	  .doc = "10 to 1000." },
};

static const struct schema weight_schema = {
	.name = "device weight",
	.doc = "Weight of a device.",
	.fields = weight_fields,
	.count = ARRAY_SIZE(weight_fields),
};

static const struct field rate_fields[] = {
	{ .key = "path",
	  .type = &type_string,
	  .api = "/Path",
	  .flags = FIELD_REQUIRED | FIELD_KEY,
	  .doc = "Device file of the host." },
	{ .key = "rate",
	  .type = &type_size,
	  .api = "/Rate",
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .flags = FIELD_REQUIRED,
	  .doc = "Bytes, or operations, a second." },
};

static const struct schema rate_schema = {
	.name = "device rate",
	.doc = "Rate of a device.",
	.fields = rate_fields,
	.count = ARRAY_SIZE(rate_fields),
};

/* Engines before API 1.55 accept devices at update and do nothing (API version history). */
static const struct field blkio_fields[] = {
	{ .key = "weight",
	  .type = &type_int,
	  .max = 1000,
	  .api = "/BlkioWeight",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "0",
	  .effect = EFFECT_LIVE,
	  .doc = "Share of block device traffic, 10 to 1000; 0 for none in particular." },
	{ .key = "weight_device",
	  .type = &type_objects,
	  .of = &weight_schema,
	  .api = "/BlkioWeightDevice",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .doc = "Weights by device." },
	{ .key = "device_read_bps",
	  .type = &type_objects,
	  .of = &rate_schema,
	  .api = "/BlkioDeviceReadBps",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .doc = "Bytes read a second, by device." },
	{ .key = "device_write_bps",
	  .type = &type_objects,
	  .of = &rate_schema,
	  .api = "/BlkioDeviceWriteBps",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .doc = "Bytes written a second, by device." },
	{ .key = "device_read_iops",
	  .type = &type_objects,
	  .of = &rate_schema,
	  .api = "/BlkioDeviceReadIOps",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .doc = "Reads a second, by device." },
	{ .key = "device_write_iops",
	  .type = &type_objects,
	  .of = &rate_schema,
	  .api = "/BlkioDeviceWriteIOps",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_LIVE,
	  .live_since = 55,
	  .doc = "Writes a second, by device." },
};

const struct schema container_blkio_schema = {
	.name = "block device limits",
	.doc = "Weight and limits of block device traffic.",
	.fields = blkio_fields,
	.count = ARRAY_SIZE(blkio_fields),
};
