/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/printable.h"

#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/str.h"

static void expect(const char *text, size_t room, const char *wanted)
{
	char out[128];

	memset(out, 'x', sizeof(out));
	printable_copy(out, room, text, strlen(text));
	cr_expect_str_eq(out, wanted);
	cr_expect_eq(out[room], 'x', "wrote past its room");
}

Test(printable, harmless_text_stays)
{
	expect("No such container: web", 100, "No such container: web");
	expect("größer … 猫 🐿", 100, "größer … 猫 🐿");
	expect("", 100, "");
}

Test(printable, nothing_steers_a_terminal)
{
	expect("a\x1b[31mred\x07\x7f", 100, "a?[31mred?\?");
	expect("c1 \xc2\x9b"
	       "2J",
	       100, "c1 ?2J");
	expect("bad \xff\xc3(\xe2\x80", 100, "bad ?\?(?\?");
	expect("  two\r\nlines\n", 100, "two  lines");
}

Test(printable, nothing_steers_a_ci_runner)
{
	expect("a ##[add-mask]b ###[c] ## [d] ##", 100, "a ##?add-mask]b ###?c] ## [d] ##");
}

Test(printable, cuts_between_characters)
{
	expect("0123456789", 11, "0123456789");
	expect("0123456789", 10, "012345…");
	expect("012345ää", 10, "012345…");
	expect("01234ää6789", 12, "01234ä…");
	expect("0123456789", 4, "…");
}

Test(printable, any_bytes_in_any_room_give_text)
{
	char data[256], out[300];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 37 + i / 3);
	for (size_t room = 4; room < sizeof(out); room++) {
		printable_copy(out, room, data, sizeof(data));
		size_t len = strlen(out);
		cr_assert_lt(len, room);
		cr_assert(str_is_utf8(out, len));
	}
}
