/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of a container's output, and shown: frames, bounds, bytes that are no text. */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"
#include "reconcilers/container_said.h"
#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_said, .init = pass_setup, .fini = pass_teardown);

#define WEB                                                                                        \
	"apiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\n"                          \
	"spec: { image: i }\n"

static struct said said;

static void begin(bool framed, bool to_end)
{
	said_init(&said, framed, to_end);
}

static int feed(const char *data, size_t len)
{
	struct error err = ERROR_INIT;
	int rc = said_take(&said, data, len, &err);

	cr_expect_eq(rc < 0, err.code == ERROR_REMOTE);
	return rc;
}

static int feed_frame(char stream, const char *payload, size_t len)
{
	char header[SAID_FRAME_HEADER] = {
		stream, 0, 0, 0, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len
	};

	return feed(header, sizeof(header)) ?: feed(payload, len);
}

static void expect_lines(const char *lines)
{
	struct pass *pass = pass_manifests(WEB);

	cr_expect_str_eq(said_last_lines(pass, &said, NULL), lines);
	said_done(&said);
}

Test(container_said, frames_of_both_streams_are_one_text)
{
	begin(true, true);
	cr_expect_eq(feed_frame(1, "out\nha", 6), 0);
	cr_expect_eq(feed_frame(2, "", 0), 0);
	cr_expect_eq(feed_frame(2, "lf\n", 3), 0);
	expect_lines("out | half");
}

Test(container_said, frames_come_in_pieces_of_any_size)
{
	static const char frames[] = "\1\0\0\0\0\0\0\3ab\n\2\0\0\0\0\0\0\2cd";

	begin(true, true);
	for (size_t i = 0; i < sizeof(frames) - 1; i++)
		cr_expect_eq(feed(&frames[i], 1), 0);
	expect_lines("ab | cd");
}

Test(container_said, what_has_no_frames_is_no_output)
{
	begin(true, true);
	cr_expect_eq(feed_frame(1, "ok\n", 3), 0);
	cr_expect_eq(feed("no frame", 8), -1);
	expect_lines("ok");
	begin(true, false);
	cr_expect_eq(feed("\1\0\1\0\0\0\0\1x", 9), -1);
	expect_lines("");
	begin(true, true);
	cr_expect_eq(feed("\4\0\0\0\0\0\0\1x", 9), -1);
	expect_lines("");
}

Test(container_said, a_terminal_has_no_frames)
{
	begin(false, false);
	cr_expect_eq(feed("no frame\r\n\33[1mbold\0", 19), 0);
	expect_lines("no frame | ?[1mbold?");
}

Test(container_said, a_log_is_read_up_to_the_ceiling)
{
	static char much[SAID_CEILING];

	memset(much, 'x', sizeof(much));
	begin(false, false);
	cr_expect_eq(feed("first\n", 6), 0);
	cr_expect_eq(feed(much, sizeof(much)), 1);
	expect_lines("first");
}

/* However much comes, and in whatever pieces: its end counts, and no line that lost its beginning,
 * which may be that of a secret. */
Test(container_said, of_a_command_the_end_is_kept)
{
	static char much[3 * SAID_CEILING];
	static const size_t pieces[] = { sizeof(much), SAID_CEILING, 1000, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		begin(true, true);
		for (size_t at = 0; at < sizeof(much); at += pieces[i]) {
			size_t left = sizeof(much) - at;
			size_t len = left < pieces[i] ? left : pieces[i];

			memset(much, 'x', sizeof(much));
			cr_assert_eq(feed_frame(1, much, len), 0);
			cr_assert_leq(said.text.len, SAID_CEILING);
		}
		cr_expect_eq(feed_frame(1, "\nbut one\nlast\n", 14), 0);
		expect_lines("but one | last");
	}
	begin(true, true);
	cr_expect_eq(feed_frame(1, much, sizeof(much)), 0);
	expect_lines("");
}

Test(container_said, ten_lines_of_it_each_cut)
{
	char line[300];

	begin(false, true);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 20; i++)
		cr_expect_eq(feed("short\n", 6), 0);
	cr_expect_eq(feed(line, sizeof(line)), 0);

	const char *lines = said_last_lines(pass_manifests(WEB), &said, NULL);
	cr_expect(strstr(lines, "short | xxx"), "%s", lines);
	cr_expect_lt(strlen(lines), 9 * strlen("short | ") + 210);
	said_done(&said);
}
