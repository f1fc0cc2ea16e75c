/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container said last. */
#include <stdint.h>
#include <string.h>

#include "controller/host/printable.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/container_said.h"

enum {
	LINES = 10,
	LINE_BYTES = 200,
	TEXT_BYTES = 1000,
	LOG_IDLE_MS = 10 * 1000,
	SECRET_MIN = 4, /* shorter ones are found everywhere and hide the message */
};

/* --- reading --- */

void said_init(struct said *said, bool framed, bool to_end)
{
	*said = (struct said){ .framed = framed, .to_end = to_end };
	str_init(&said->text, SAID_CEILING + 1);
}

void said_done(struct said *said)
{
	str_done(&said->text);
}

/* Makes room for the end of what comes, by half of the whole at a time. */
static void make_room(struct said *said, const char **data, size_t *len)
{
	enum { HALF = SAID_CEILING / 2 };
	struct str *text = &said->text;

	if (*len > HALF) {
		*data += *len - HALF;
		*len = HALF;
		text->len = 0;
		said->headless = true;
	}
	if (text->len + *len > SAID_CEILING) {
		memmove(text->data, text->data + text->len - HALF, HALF);
		text->len = HALF;
		said->headless = true;
	}
	text->data[text->len] = '\0';
}

static int take_header(struct said *said, char byte, struct error *err)
{
	const unsigned char *header = said->header;

	said->header[said->header_len++] = (unsigned char)byte;
	if (said->header_len < SAID_FRAME_HEADER)
		return 0;
	said->header_len = 0;
	if (header[0] > 3 || header[1] || header[2] || header[3])
		return error_set(err, ERROR_REMOTE, "the engine sends output that has no frames");
	said->left = (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 |
		     (uint32_t)header[6] << 8 | header[7];
	return 0;
}

int said_take(void *ctx, const char *data, size_t len, struct error *err)
{
	struct said *said = ctx;

	while (len > 0) {
		size_t n = len, kept;
		const char *end = data;

		if (said->framed && said->left == 0) {
			if (take_header(said, *data++, err) < 0)
				return -1;
			len--;
			continue;
		}
		if (said->framed && n > said->left)
			n = said->left;
		kept = n;
		if (said->to_end)
			make_room(said, &end, &kept);
		str_append_n(&said->text, end, kept);
		if (said->text.overflow)
			return 1;
		said->left -= said->framed ? (uint32_t)n : 0;
		data += n;
		len -= n;
	}
	return 0;
}

/* --- for a message --- */

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

const char *said_last_lines(struct pass *pass, struct said *said, const struct resource *want)
{
	char *text = said->text.data;

	/* What a process writes may hold any byte; from here on it is text. */
	for (size_t i = 0; i < said->text.len; i++) {
		if (text[i] == '\0')
			text[i] = '?';
	}
	/* Half a line may hold half a secret, which nothing recognises. */
	if (said->headless) {
		char *line = strchr(text, '\n');

		text = line ? line : text + said->text.len;
	}
	if (want)
		hide_secrets(text, want->secrets, want->spec);
	set_hide_secrets(pass->set, text);
	return join_lines(pass, text);
}

const char *call_last_lines(struct pass *pass, const char *id, const struct resource *want)
{
	CLEANUP(cleanup_free)
	char *path = engine_path("/containers/%s/logs?stdout=1&stderr=1&tail=%d", id, LINES);
	struct error ignored = ERROR_INIT;
	json_t *inspect = NULL;
	struct said said;

	if (call_inspect(pass, id, &inspect, &ignored) < 0 || !inspect)
		return "";
	said_init(&said, !json_is_true(json_object_get(json_object_get(inspect, "Config"), "Tty")),
		  false);
	json_decref(inspect);
	struct engine_stream stream = {
		.request = { .method = "GET", .path = path },
		.sink = said_take,
		.ctx = &said,
		.idle_timeout_ms = LOG_IDLE_MS,
	};
	/* A log driver that can't be read is no reason to hide what failed. */
	if (engine_stream(pass->engine, &stream, &ignored) < 0)
		log_debug(pass->log, "%s", ignored.text);
	const char *ret = said_last_lines(pass, &said, want);
	said_done(&said);
	return ret;
}
