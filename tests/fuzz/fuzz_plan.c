/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A saved plan, which may come from anywhere: what is taken can be compared, with itself and with
 * an empty plan, and what is printed of that holds no control character.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/str.h"
#include "controller/plan/saved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' && *text != '\n') {
			fprintf(stderr, "a control character: %s\n", text);
			abort();
		}
	}
}

static size_t compare(const json_t *saved, const json_t *fresh)
{
	json_t *rows = saved_compare(saved, fresh);
	size_t count = json_array_size(rows);
	struct str text;

	str_init(&text, 0);
	saved_print_moved(rows, &text);
	expect_printable(text.data);
	str_done(&text);
	json_decref(rows);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct saved_key key = { .data = "0123456789abcdef0123456789abcdef", .len = 32 };
	struct error err = ERROR_INIT;
	json_t *document, *nothing;

	if (saved_parse((const char *)data, size, &document, &err) < 0) {
		expect_printable(err.text);
		return 0;
	}
	if (saved_check_seal(document, &key, &err) < 0)
		expect_printable(err.text);
	nothing = json_pack("{s:[], s:[]}", "hosts", "resources");
	compare(document, nothing);
	compare(nothing, document);
	compare(document, document);
	json_decref(nothing);
	json_decref(document);
	return 0;
}
