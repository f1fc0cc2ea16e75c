/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container said last. Without a terminal the engine sends frames of 8 bytes of header
 * (stream, three zeros, length in big endian) and a payload, see "Stream format" of
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
#include <stdint.h>
#include <string.h>

#include "controller/host/printable.h"
#include "reconcilers/container_calls.h"

enum {
	LINES = 10,
	LINE_BYTES = 200,
	TEXT_BYTES = 1000,
	RAW_CEILING = 64 * 1024, /* of one answer: ten lines may be of any length */
	FRAME_HEADER = 8,
	LOG_IDLE_MS = 10 * 1000,
	SECRET_MIN = 4, /* shorter ones are found everywhere and hide the message */
};

struct log_reader {
	bool framed;
	unsigned char header[FRAME_HEADER];
	size_t header_len;
	uint32_t left; /* of the frame's payload */
	struct str text;
};

static int take_logs(void *ctx, const char *data, size_t len, struct error *err)
{
	struct log_reader *reader = ctx;

	(void)err;
	while (len > 0) {
		size_t n = len;

		if (reader->framed && reader->left == 0) {
			reader->header[reader->header_len++] = (unsigned char)*data++;
			len--;
			if (reader->header_len < FRAME_HEADER)
				continue;
			reader->header_len = 0;
			reader->left = (uint32_t)reader->header[4] << 24 |
				       (uint32_t)reader->header[5] << 16 |
				       (uint32_t)reader->header[6] << 8 | reader->header[7];
			continue;
		}
		if (reader->framed && n > reader->left)
			n = reader->left;
		str_append_n(&reader->text, data, n);
		if (reader->text.overflow)
			return 1;
		reader->left -= reader->framed ? (uint32_t)n : 0;
		data += n;
		len -= n;
	}
	return 0;
}

/* Blots a value out wherever it stands. */
static void hide_value(char *text, const char *value)
{
	size_t len = strlen(value);

	if (len < SECRET_MIN)
		return;
	for (char *at = text; (at = strstr(at, value)); at += len)
		memset(at, '*', len);
}

static void hide_secrets(char *text, const json_t *secrets, const json_t *value)
{
	const json_t *below;
	const char *key;
	size_t i;

	if (!secrets || !value)
		return;
	if (json_is_string(value)) {
		hide_value(text, json_string_value(value));
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, below)
			hide_secrets(text, secrets, below);
	} else if (json_is_object(value)) {
		json_object_foreach ((json_t *)value, key, below) {
			hide_secrets(text,
				     json_is_true(secrets) ? secrets
							   : json_object_get(secrets, key),
				     below);
		}
	}
}

/* The last lines, each cut, in one. */
static const char *join_lines(struct pass *pass, char *text)
{
	const char *lines[LINES];
	size_t count = 0, total = 0;
	char *save = NULL;
	struct str joined;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char shown[LINE_BYTES];

		printable_copy(shown, sizeof(shown), line, strlen(line));
		if (!*shown)
			continue;
		lines[count++ % LINES] = arena_strdup(pass->arena, shown);
	}
	str_init(&joined, 0);
	size_t first = count > LINES ? count - LINES : 0;
	for (size_t i = count; i-- > first;) {
		total += strlen(lines[i % LINES]) + 3;
		if (total > TEXT_BYTES) {
			first = i + 1;
			break;
		}
	}
	for (size_t i = first; i < count; i++)
		str_printf(&joined, "%s%s", i > first ? " | " : "", lines[i % LINES]);
	const char *ret = arena_strdup(pass->arena, joined.data);
	str_done(&joined);
	return ret;
}

const char *call_last_lines(struct pass *pass, const char *id, const struct resource *want)
{
	CLEANUP(cleanup_free)
	char *path = engine_path("/containers/%s/logs?stdout=1&stderr=1&tail=%d", id, LINES);
	struct error ignored = ERROR_INIT;
	struct log_reader reader = { 0 };
	json_t *inspect = NULL;
	const char *ret = "";

	if (call_inspect(pass, id, &inspect, &ignored) < 0 || !inspect)
		return ret;
	reader.framed = !json_is_true(json_object_get(json_object_get(inspect, "Config"), "Tty"));
	json_decref(inspect);
	str_init(&reader.text, RAW_CEILING);
	struct engine_stream stream = {
		.request = { .method = "GET", .path = path },
		.sink = take_logs,
		.ctx = &reader,
		.idle_timeout_ms = LOG_IDLE_MS,
	};
	/* A log driver that can't be read is no reason to hide what failed. */
	if (engine_stream(pass->engine, &stream, &ignored) == 0 || reader.text.len > 0) {
		/* What a process writes may hold any byte; from here on it is text. */
		for (size_t i = 0; i < reader.text.len; i++) {
			if (reader.text.data[i] == '\0')
				reader.text.data[i] = '?';
		}
		if (want)
			hide_secrets(reader.text.data, want->secrets, want->spec);
		set_hide_secrets(pass->set, reader.text.data);
		ret = join_lines(pass, reader.text.data);
	}
	str_done(&reader.text);
	return ret;
}
