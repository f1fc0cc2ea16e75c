/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process in a container gets: command, environment, labels, names, rights.
 *
 * What a create makes of the image's values is the engine's merge() (moby daemon/commit.go) and
 * mergeAndVerifyConfig() (daemon/create.go).
 */
#include <ctype.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/ownership.h"

enum { SHORT_ID = 12 }; /* digits of an ID in host names */

static json_t *decode_text(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (json_is_string(at) && json_string_length(at) == 0)
		return NULL;
	return json_incref((json_t *)at);
}

/* What the image's Config has for this row: inspect's answer holds it under /Config. */
static const json_t *image_value(const struct field *field, const json_t *image_config)
{
	return json_object_get(image_config, strrchr(field->inspect, '/') + 1);
}

static json_t *inherit_text(const struct field *field, const json_t *written, const json_t *spec,
			    const json_t *image_config)
{
	(void)spec;
	if (written && !(json_is_string(written) && json_string_length(written) == 0))
		return json_incref((json_t *)written);
	return decode_text(field, image_value(field, image_config), NULL);
}

const struct codec codec_text = { .decode = decode_text };
const struct codec codec_inherited = { .decode = decode_text, .inherit = inherit_text };

/* --- working directory --- */

static json_t *clean_directory(json_t *directory)
{
	if (!json_is_string(directory))
		return directory;
	CLEANUP(cleanup_free) char *clean = path_clean(json_string_value(directory));

	json_decref(directory);
	return json_string(clean);
}

/* Engines before 26.1 clean it when they create a container, of the image too (moby
 * container/container.go, SetupWorkingDirectory); later ones keep "/app/" as it is. */
static json_t *decode_directory(const struct field *field, const json_t *at, const json_t *whole)
{
	return clean_directory(decode_text(field, at, whole));
}

static json_t *inherit_directory(const struct field *field, const json_t *written,
				 const json_t *spec, const json_t *image_config)
{
	return clean_directory(inherit_text(field, written, spec, image_config));
}

const struct codec codec_directory = { .decode = decode_directory, .inherit = inherit_directory };

/* --- command and entry point --- */

static bool is_empty(const json_t *list)
{
	return json_array_size(list) == 0;
}

/* The image's command is used only where both are silent or empty. */
static json_t *inherit_command(const struct field *field, const json_t *written, const json_t *spec,
			       const json_t *image_config)
{
	if (!is_empty(written))
		return json_incref((json_t *)written);
	if (!is_empty(json_object_get(spec, "entrypoint")))
		return NULL;
	return json_incref((json_t *)image_value(field, image_config));
}

/* [] stands for no entry point, and so does [""]. */
static json_t *inherit_entrypoint(const struct field *field, const json_t *written,
				  const json_t *spec, const json_t *image_config)
{
	(void)spec;
	if (!written)
		return json_incref((json_t *)image_value(field, image_config));
	if (json_array_size(written) == 1 && json_string_length(json_array_get(written, 0)) == 0)
		return NULL;
	return json_incref((json_t *)written);
}

const struct codec codec_command = { .inherit = inherit_command };
const struct codec codec_entrypoint = { .inherit = inherit_entrypoint };

/* --- environment and labels --- */

static json_t *encode_environment(const struct field *field, const json_t *value)
{
	json_t *list = json_array(), *text;
	const char *name;

	(void)field;
	json_object_foreach ((json_t *)value, name, text) {
		if (json_is_string(text))
			json_array_append_new(list,
					      json_sprintf("%s=%s", name, json_string_value(text)));
		else
			json_array_append_new(list, json_string(name));
	}
	return list;
}

/* "NAME" without "=" takes the image's variable away: null, unlike every value. */
static json_t *decode_environment(const struct field *field, const json_t *at, const json_t *whole)
{
	json_t *map, *item;
	size_t i;

	(void)field;
	(void)whole;
	if (!json_is_array(at))
		return json_incref((json_t *)at);
	map = json_object();
	json_array_foreach ((json_t *)at, i, item) {
		const char *text = json_string_value(item);
		const char *equals = text ? strchr(text, '=') : NULL;

		if (!text)
			continue;
		json_object_setn_new(map, text, equals ? (size_t)(equals - text) : strlen(text),
				     equals ? json_string(equals + 1) : json_null());
	}
	return map;
}

static json_t *overlay(json_t *base, const json_t *written)
{
	json_t *result = base ? base : json_object();

	if (written)
		json_object_update(result, (json_t *)written);
	return result;
}

static json_t *inherit_environment(const struct field *field, const json_t *written,
				   const json_t *spec, const json_t *image_config)
{
	json_t *image = decode_environment(field, image_value(field, image_config), NULL);

	(void)spec;
	if (image && !json_is_object(image)) {
		json_decref(image);
		image = NULL;
	}
	return overlay(image, written);
}

static json_t *decode_labels(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return json_is_object(at) ? ownership_strip(at) : json_incref((json_t *)at);
}

static json_t *inherit_labels(const struct field *field, const json_t *written, const json_t *spec,
			      const json_t *image_config)
{
	const json_t *image = image_value(field, image_config);

	(void)spec;
	return overlay(json_is_object(image) ? ownership_strip(image) : NULL, written);
}

const struct codec codec_environment = {
	.encode = encode_environment,
	.decode = decode_environment,
	.inherit = inherit_environment,
};
const struct codec codec_labels = { .decode = decode_labels, .inherit = inherit_labels };

/* --- restart policy --- */

static json_t *encode_restart(const struct field *field, const json_t *value)
{
	const char *text = json_string_value(value);
	const char *colon = text ? strchr(text, ':') : NULL;
	json_int_t count = colon ? strtoll(colon + 1, NULL, 10) : 0;

	(void)field;
	if (!text)
		return NULL;
	return json_pack("{s:s%, s:I}", "Name", text, colon ? (size_t)(colon - text) : strlen(text),
			 "MaximumRetryCount", count);
}

/* Name "" is "no" since API 1.25 fills it in at create (moby daemon/create.go); the count means
 * something with on-failure only. */
static json_t *decode_restart(const struct field *field, const json_t *at, const json_t *whole)
{
	const char *name = json_string_value(json_object_get(at, "Name"));
	json_int_t count = json_integer_value(json_object_get(at, "MaximumRetryCount"));

	(void)field;
	(void)whole;
	if (!name || !*name)
		return NULL;
	if (strcmp(name, "on-failure") == 0 && count > 0)
		return json_sprintf("on-failure:%" JSON_INTEGER_FORMAT, count);
	return json_string(name);
}

const struct codec codec_restart = { .encode = encode_restart, .decode = decode_restart };

/* --- stop --- */

/* The engine's names (moby/sys, signal/signal_linux.go): half of them are told from the first on,
 * half from the last. Its numbers are the kernel's, of which a C library may keep some back. */
enum { REALTIME_FIRST = 34, REALTIME_HALF = 49, REALTIME_LAST = 64 };

static json_t *realtime_signal(int number)
{
	int from_first = number - REALTIME_FIRST, from_last = REALTIME_LAST - number;

	if (from_first == 0 || from_last == 0)
		return json_string(from_first == 0 ? "SIGRTMIN" : "SIGRTMAX");
	return number <= REALTIME_HALF ? json_sprintf("SIGRTMIN+%d", from_first)
				       : json_sprintf("SIGRTMAX-%d", from_last);
}

json_t *signal_normalize(const char *name)
{
	char upper[32];
	size_t len = strlen(name);
	char *end;

	if (len == 0 || len >= sizeof(upper) - 1)
		return json_string(name);
	long number = strtol(name, &end, 10);
	if (!*end && number > 0 && number < NSIG && sigabbrev_np((int)number))
		return json_sprintf("SIG%s", sigabbrev_np((int)number));
	if (!*end && number >= REALTIME_FIRST && number <= REALTIME_LAST)
		return realtime_signal((int)number);
	for (size_t i = 0; i <= len; i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	return json_sprintf("%s%s", str_has_prefix(upper, "SIG") ? "" : "SIG", upper);
}

static json_t *decode_signal(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	if (!json_is_string(at))
		return json_incref((json_t *)at);
	return json_string_length(at) ? signal_normalize(json_string_value(at)) : NULL;
}

static json_t *inherit_signal(const struct field *field, const json_t *written, const json_t *spec,
			      const json_t *image_config)
{
	(void)spec;
	return decode_signal(field, written ? written : image_value(field, image_config), NULL);
}

const struct codec codec_stop_signal = { .decode = decode_signal, .inherit = inherit_signal };

enum { SECOND = 1000000000 };

static json_t *encode_seconds(const struct field *field, const json_t *value)
{
	(void)field;
	return json_integer((json_integer_value(value) + SECOND - 1) / SECOND);
}

static json_t *decode_seconds(const struct field *field, const json_t *at, const json_t *whole)
{
	json_int_t seconds = json_integer_value(at);

	(void)field;
	(void)whole;
	if (!json_is_integer(at) || seconds < 0 || seconds > INT64_MAX / SECOND)
		return json_incref((json_t *)at);
	return json_integer(seconds * SECOND);
}

const struct codec codec_grace_period = { .encode = encode_seconds, .decode = decode_seconds };

/* --- host name --- */

/* Silence gives the ID's first digits (moby container.go); in another container's network it is
 * that container's name, copied at each start (daemon.initializeNetworking). */
static json_t *decode_hostname(const struct field *field, const json_t *at, const json_t *whole)
{
	const char *id = json_string_value(json_object_get(whole, "Id"));
	const char *mode = json_string_value(
		json_object_get(json_object_get(whole, "HostConfig"), "NetworkMode"));
	const char *name = json_string_value(at);

	if (mode && str_has_prefix(mode, "container:"))
		return NULL;
	if (name && id && strlen(name) == SHORT_ID && str_has_prefix(id, name))
		return NULL;
	return decode_text(field, at, whole);
}

const struct codec codec_hostname = { .decode = decode_hostname };

/* --- rights --- */

/* The engine keeps what was sent and normalises only when it applies it (moby
 * pkg/oci/caps/utils.go). */
json_t *capability_normalize(const char *name)
{
	char upper[64];
	size_t len = strlen(name);

	if (len >= sizeof(upper))
		return json_string(name);
	for (size_t i = 0; i <= len; i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	if (strcmp(upper, "ALL") == 0 || str_has_prefix(upper, "CAP_"))
		return json_string(upper);
	return json_sprintf("CAP_%s", upper);
}

/* A seccomp profile is JSON, in which blanks and the order of members mean nothing. New reference,
 * NULL: it is none. */
static json_t *profile_normalize(const char *option, size_t key)
{
	json_t *profile, *result = NULL;
	char *text;

	if (strncmp(option, "seccomp", key) != 0 || key != strlen("seccomp") ||
	    option[key + 1] != '{')
		return NULL;
	profile = json_loads(option + key + 1, JSON_REJECT_DUPLICATES, NULL);
	text = profile ? json_dumps(profile, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (text)
		result = json_sprintf("seccomp=%s", text);
	free(text);
	json_decref(profile);
	return result;
}

json_t *security_normalize(const char *option)
{
	size_t key = strcspn(option, ":=");
	json_t *profile = option[key] ? profile_normalize(option, key) : NULL;

	if (profile)
		return profile;

	if (strncmp(option, "no-new-privileges", key) == 0 && key == strlen("no-new-privileges"))
		return json_sprintf("no-new-privileges:%s",
				    option[key] ? option + key + 1 : "true");
	if (!option[key])
		return json_string(option);
	return json_sprintf("%.*s=%s", (int)key, option, option + key + 1);
}

json_t *map_texts(const json_t *list, json_t *(*one)(const char *text))
{
	json_t *result, *item;
	size_t i;

	if (!json_is_array(list))
		return json_incref((json_t *)list);
	result = json_array();
	json_array_foreach ((json_t *)list, i, item) {
		if (json_is_string(item))
			json_array_append_new(result, one(json_string_value(item)));
	}
	return result;
}

static json_t *decode_capabilities(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return map_texts(at, capability_normalize);
}

const struct codec codec_capabilities = { .decode = decode_capabilities };

static bool is_mode(const json_t *host, const char *key, const char *mode)
{
	return str_eq(json_string_value(json_object_get(host, key)), mode);
}

/* On hosts with SELinux the engine adds label=disable to what is privileged or shares the host's
 * IPC or PID namespace (moby daemon/create.go, generateSecurityOpt). */
static json_t *decode_security(const struct field *field, const json_t *at, const json_t *whole)
{
	const json_t *host = json_object_get(whole, "HostConfig");
	json_t *result = map_texts(at, security_normalize);
	bool implied = json_is_true(json_object_get(host, "Privileged")) ||
		       is_mode(host, "IpcMode", "host") || is_mode(host, "PidMode", "host");

	(void)field;
	for (size_t i = json_array_size(result); implied && i-- > 0;) {
		if (str_eq(json_string_value(json_array_get(result, i)), "label=disable"))
			json_array_remove(result, i);
	}
	return result;
}

const struct codec codec_security = { .decode = decode_security };

/* --- terminal --- */

static const struct field console_fields[] = {
	{ .key = "height",
	  .type = &type_int,
	  .min = 1,
	  .max = 65535,
	  .flags = FIELD_REQUIRED,
	  .doc = "Lines." },
	{ .key = "width",
	  .type = &type_int,
	  .min = 1,
	  .max = 65535,
	  .flags = FIELD_REQUIRED,
	  .doc = "Columns." },
};

const struct schema container_console_schema = {
	.name = "size of a terminal",
	.doc = "Lines and columns.",
	.fields = console_fields,
	.count = ARRAY_SIZE(console_fields),
};

static json_t *encode_console(const struct field *field, const json_t *value)
{
	(void)field;
	return json_pack("[O, O]", json_object_get(value, "height"),
			 json_object_get(value, "width"));
}

/* [0, 0] is silence. */
static json_t *decode_console(const struct field *field, const json_t *at, const json_t *whole)
{
	json_int_t height = json_integer_value(json_array_get(at, 0));
	json_int_t width = json_integer_value(json_array_get(at, 1));

	(void)field;
	(void)whole;
	if (!json_is_array(at))
		return json_incref((json_t *)at);
	if (!height && !width)
		return NULL;
	return json_pack("{s:I, s:I}", "height", height, "width", width);
}

const struct codec codec_console = { .encode = encode_console, .decode = decode_console };
