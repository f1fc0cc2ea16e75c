/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/ndjson.h"

#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"

struct seen {
	struct str text; /* the items, compact, each with a space after it */
	int stop_after;	 /* items; 0: never */
	int rc;
	int count;
};

static int note(void *ctx, const json_t *item, struct error *err)
{
	struct seen *seen = ctx;
	CLEANUP(cleanup_free) char *text = json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);

	str_printf(&seen->text, "%s ", text);
	if (++seen->count != seen->stop_after)
		return 0;
	if (seen->rc < 0)
		error_set(err, ERROR_REFUSED, "enough");
	return seen->rc;
}

/* Feeds the text in pieces of `step` bytes. */
static int feed(struct seen *seen, const char *text, size_t len, size_t step, struct error *err)
{
	struct ndjson nd;
	int rc = 0;

	str_init(&seen->text, 0);
	seen->count = 0;
	ndjson_init(&nd, note, seen);
	for (size_t at = 0; rc == 0 && at < len; at += step)
		rc = ndjson_feed(&nd, text + at, len - at < step ? len - at : step, err);
	if (rc == 0)
		rc = ndjson_finish(&nd, err);
	ndjson_done(&nd);
	return rc;
}

Test(ndjson, pieces_of_any_size_give_the_same_items)
{
	static const char text[] =
		"{\"status\":\"Pulling\"}\r\n{\"id\":\"a\\n\"}\n\n  \n[1,2]\n\"ä\"";

	for (size_t step = 1; step <= sizeof(text); step++) {
		struct seen seen = { 0 };
		struct error err = ERROR_INIT;

		cr_assert_eq(feed(&seen, text, sizeof(text) - 1, step, &err), 0, "%s", err.text);
		cr_expect_str_eq(seen.text.data,
				 "{\"status\":\"Pulling\"} {\"id\":\"a\\n\"} [1,2] \"ä\" ");
		str_done(&seen.text);
	}
}

Test(ndjson, the_reader_ends_it)
{
	static const char text[] = "1\n2\n3\n";

	for (int rc = -1; rc <= 1; rc += 2) {
		struct seen seen = { .stop_after = 2, .rc = rc };
		struct error err = ERROR_INIT;

		cr_expect_eq(feed(&seen, text, sizeof(text) - 1, 6, &err), rc);
		cr_expect_str_eq(seen.text.data, "1 2 ");
		cr_expect_eq(err.code, rc < 0 ? ERROR_REFUSED : ERROR_NONE);
		str_done(&seen.text);
	}
}

Test(ndjson, refuses_what_is_no_json)
{
	static const char *const texts[] = { "{\"a\":1}\n<html>\n", "{\"a\":1}\n{\"b\":", "{} {}\n",
					     "\"\xff\"\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct seen seen = { 0 };
		struct error err = ERROR_INIT;

		cr_expect_eq(feed(&seen, texts[i], strlen(texts[i]), 3, &err), -1, "%s", texts[i]);
		cr_expect_eq(err.code, ERROR_REMOTE);
		str_done(&seen.text);
	}
}

Test(ndjson, a_line_has_a_ceiling)
{
	size_t len = NDJSON_LINE_CEILING + 10;
	CLEANUP(cleanup_free) char *text = xmalloc(len);

	memset(text, 'x', len);
	text[0] = '"';
	for (int whole = 0; whole <= 1; whole++) {
		struct seen seen = { 0 };
		struct error err = ERROR_INIT;

		text[len - 1] = '\n';
		cr_expect_eq(feed(&seen, text, len, whole ? len : 4096, &err), -1);
		cr_expect_eq(err.code, ERROR_REMOTE);
		cr_expect(strstr(err.text, "64 KiB"), "%s", err.text);
		str_done(&seen.text);
	}
	/* One that just fits is fine in one piece and in many. */
	len = NDJSON_LINE_CEILING;
	text[len - 1] = '"';
	for (int whole = 0; whole <= 1; whole++) {
		struct seen seen = { 0 };
		struct error err = ERROR_INIT;

		cr_expect_eq(feed(&seen, text, len, whole ? len : 4096, &err), 0, "%s", err.text);
		cr_expect_eq(seen.count, 1);
		str_done(&seen.text);
	}
}
