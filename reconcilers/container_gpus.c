/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests for devices that a driver of the engine hands out: GPUs above all. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"
#include "reconcilers/container_codec.h"

enum { ALL = -1 };

static json_t *parse_count(struct decode *decode, const struct field *field,
			   const struct node *node)
{
	if (node->type == NODE_SCALAR && strcmp(node->text, "all") == 0)
		return json_integer(ALL);
	return type_int.parse(decode, field, node);
}

static void print_count(const struct field *field, const json_t *value, struct str *out)
{
	if (json_is_integer(value) && json_integer_value(value) == ALL)
		str_append(out, "all");
	else
		type_int.print(field, value, out);
}

static json_t *schema_of_count(const struct field *field)
{
	(void)field;
	return json_pack("{s:[s,s], s:i}", "type", "integer", "string", "minimum", 1);
}

static const struct value_type type_count = {
	.name = "number, or all",
	.shape = SHAPE_SCALAR,
	.parse = parse_count,
	.print = print_count,
	.json_schema = schema_of_count,
};

static const struct field request_fields[] = {
	{ .key = "driver",
	  .type = &type_string,
	  .doc = "Driver that hands them out; silence leaves it to the capabilities." },
	{ .key = "count",
	  .type = &type_count,
	  .min = 1,
	  .max = 1000000,
	  .doc = "How many, or all; silence means all, unless device_ids say which." },
	{ .key = "device_ids",
	  .type = &type_string_set,
	  .doc = "Which ones, by the driver's names for them." },
	{ .key = "capabilities",
	  .type = &type_string_set,
	  .doc = "What they must be capable of, as gpu or compute." },
	{ .key = "options", .type = &type_map, .doc = "Options of the driver." },
};

const struct schema container_device_request_schema = {
	.name = "device request",
	.doc = "Devices that a driver of the engine hands out.",
	.fields = request_fields,
	.count = ARRAY_SIZE(request_fields),
};

/* --- gpus --- */

static json_t *parse_gpus(struct decode *decode, const struct field *field, const struct node *node)
{
	if (node->type == NODE_SCALAR && strcmp(node->text, "all") == 0)
		return json_pack("[{s:i}]", "count", ALL);
	return type_objects.parse(decode, field, node);
}

static void print_gpus(const struct field *field, const json_t *value, struct str *out)
{
	type_objects.print(field, value, out);
}

static json_t *schema_of_gpus(const struct field *field)
{
	return json_pack("{s:[{s:s}, o]}", "anyOf", "const", "all",
			 type_objects.json_schema(field));
}

const struct value_type type_gpus = {
	.name = "all, or list of objects",
	.shape = SHAPE_OBJECTS,
	.parse = parse_gpus,
	.print = print_gpus,
	.json_schema = schema_of_gpus,
};

static int compare_texts(const void *a, const void *b)
{
	const char *x = json_string_value(*(json_t *const *)a);
	const char *y = json_string_value(*(json_t *const *)b);

	return strcmp(x ? x : "", y ? y : "");
}

/* A set as the manifest's are: sorted. New reference. */
static json_t *sorted(const json_t *list)
{
	size_t count = json_array_size(list);
	json_t **items = xcalloc(count + 1, sizeof(*items)), *result = json_array();

	for (size_t i = 0; i < count; i++)
		items[i] = json_array_get(list, i);
	qsort(items, count, sizeof(*items), compare_texts);
	for (size_t i = 0; i < count; i++)
		json_array_append(result, items[i]);
	free(items);
	return result;
}

void gpus_normalize(json_t *requests)
{
	json_t *request;
	size_t i;

	json_array_foreach (requests, i, request) {
		json_t *capabilities = json_object_get(request, "capabilities");

		if (!json_array_size(capabilities))
			json_object_set_new(request, "capabilities", json_pack("[s]", "gpu"));
		if (!json_object_get(request, "count") &&
		    !json_array_size(json_object_get(request, "device_ids")))
			json_object_set_new(request, "count", json_integer(ALL));
	}
}

static json_t *encode_gpus(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *request;
	size_t i;

	(void)field;
	json_array_foreach ((json_t *)value, i, request)
		json_array_append_new(
			list, json_pack("{s:O*, s:O*, s:O*, s:[O*], s:O*}", "Driver",
					json_object_get(request, "driver"), "Count",
					json_object_get(request, "count"), "DeviceIDs",
					json_object_get(request, "device_ids"), "Capabilities",
					json_object_get(request, "capabilities"), "Options",
					json_object_get(request, "options")));
	return list;
}

static void take(json_t *request, const char *key, json_t *value)
{
	bool silent = !value || json_is_null(value) ||
		      (json_is_integer(value) && !json_integer_value(value)) ||
		      (json_is_string(value) && !json_string_length(value)) ||
		      (json_is_object(value) && !json_object_size(value)) ||
		      (json_is_array(value) && !json_array_size(value));

	if (!silent)
		json_object_set(request, key, value);
}

/* The engine takes alternatives of capabilities; a manifest has one. Others are kept as they
 * came, which no manifest says. */
static json_t *decode_gpus(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *list, *item;
	size_t i;

	(void)field;
	(void)whole;
	if (!json_is_array(at))
		return json_incref((json_t *)at);
	list = json_array();
	json_array_foreach ((json_t *)at, i, item) {
		json_t *request = json_object();
		json_t *ids = sorted(json_object_get(item, "DeviceIDs"));
		json_t *capabilities = json_object_get(item, "Capabilities");
		bool one = json_array_size(capabilities) == 1;

		take(request, "driver", json_object_get(item, "Driver"));
		take(request, "count", json_object_get(item, "Count"));
		take(request, "device_ids", ids);
		capabilities =
			one ? sorted(json_array_get(capabilities, 0)) : json_incref(capabilities);
		take(request, "capabilities", capabilities);
		take(request, "options", json_object_get(item, "Options"));
		json_array_append_new(list, request);
		json_decref(ids);
		json_decref(capabilities);
	}
	return list;
}

const struct codec codec_gpus = { .encode = encode_gpus, .decode = decode_gpus };
