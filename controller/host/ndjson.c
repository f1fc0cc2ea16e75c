/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/ndjson.h"

#include <string.h>

#include "controller/host/printable.h"

void ndjson_init(struct ndjson *nd, int (*item)(void *ctx, const json_t *item, struct error *err),
		 void *ctx)
{
	str_init(&nd->line, NDJSON_LINE_CEILING);
	nd->item = item;
	nd->ctx = ctx;
}

void ndjson_done(struct ndjson *nd)
{
	str_done(&nd->line);
}

static int deliver(struct ndjson *nd, const char *line, size_t len, struct error *err)
{
	char shown[80];
	json_error_t fault;

	while (len > 0 && strchr(" \t\r", line[len - 1]))
		len--;
	while (len > 0 && strchr(" \t\r", *line)) {
		line++;
		len--;
	}
	if (len == 0)
		return 0;
	json_t *item = json_loadb(line, len, JSON_DECODE_ANY, &fault);
	if (!item)
		return error_set(err, ERROR_REMOTE,
				 "the engine's stream holds a line that is not JSON: \"%s\"",
				 printable_copy(shown, sizeof(shown), line, len));
	int rc = nd->item(nd->ctx, item, err);
	json_decref(item);
	return rc;
}

int ndjson_feed(struct ndjson *nd, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;
		bool whole = end && nd->line.len == 0;

		if (!whole)
			str_append_n(&nd->line, data, n);
		if (nd->line.overflow || n > NDJSON_LINE_CEILING)
			return error_set(err, ERROR_REMOTE,
					 "the engine's stream holds a line of more than %d KiB",
					 NDJSON_LINE_CEILING / 1024);
		if (end) {
			int rc = whole ? deliver(nd, data, n, err)
				       : deliver(nd, nd->line.data, nd->line.len, err);
			str_clear(&nd->line);
			if (rc != 0)
				return rc;
			n++;
		}
		data += n;
		len -= n;
	}
	return 0;
}

int ndjson_finish(struct ndjson *nd, struct error *err)
{
	int rc = deliver(nd, nd->line.data, nd->line.len, err);

	str_clear(&nd->line);
	return rc;
}
