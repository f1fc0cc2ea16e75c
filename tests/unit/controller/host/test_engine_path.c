/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "controller/base/mem.h"
#include "controller/host/engine.h"

static void expect(char *path, const char *wanted)
{
	cr_expect_str_eq(path, wanted);
	free(path);
}

Test(engine_path, escapes_what_the_arguments_hold)
{
	expect(engine_path("/containers/%s/json?size=%d", "web", 1), "/containers/web/json?size=1");
	expect(engine_path("/images/%s/json", "reg.example.com:5000/a/b:1"),
	       "/images/reg.example.com%3A5000%2Fa%2Fb%3A1/json");
	expect(engine_path("/x?filters=%s&n=%d", "{\"label\":[\"a=b&c\"]}", -5),
	       "/x?filters=%7B%22label%22%3A%5B%22a%3Db%26c%22%5D%7D&n=-5");
	expect(engine_path("/%s", "a b\r\nHost: evil\t?#%2e"),
	       "/a%20b%0D%0AHost%3A%20evil%09%3F%23%252e");
	expect(engine_path("/%s", "\xc3\xa4~._-"), "/%C3%A4~._-");
	expect(engine_path("/%s/%s", "", ""), "//");
}
