/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "manifests/env_file.h"

static struct arena *arena;
static struct diagnostics diagnostics;
static json_t *map;

static void setup(void)
{
	arena = arena_new();
	diagnostics_init(&diagnostics, arena);
	map = json_object();
}

static void teardown(void)
{
	json_decref(map);
	diagnostics_done(&diagnostics);
	arena_free(arena);
}

TestSuite(env_file, .init = setup, .fini = teardown);

static void parse(const char *text)
{
	env_file_parse(&diagnostics, "t.env", text, strlen(text), map);
}

static const char *get(const char *key)
{
	const char *value = json_string_value(json_object_get(map, key));

	return value ? value : "(none)";
}

Test(env_file, plain_values)
{
	parse("\xef\xbb\xbf"
	      "A=1\n\n  # comment\nB = two words  # comment\nC=\nD=a#b\nexport E=x\r\n"
	      "F=#none\nG=k=v\nA=2");
	cr_expect_eq(diagnostics.errors, 0);
	cr_expect_str_eq(get("A"), "2", "the last wins");
	cr_expect_str_eq(get("B"), "two words");
	cr_expect_str_eq(get("C"), "");
	cr_expect_str_eq(get("D"), "a#b");
	cr_expect_str_eq(get("E"), "x");
	cr_expect_str_eq(get("F"), "#none");
	cr_expect_str_eq(get("G"), "k=v");
	cr_expect_eq(json_object_size(map), 7);
}

Test(env_file, quotes)
{
	parse("A='  $x \\n # '  # comment\nB=\"a\\n\\\"b\\\" \\d "
	      "$HOME\"\nC=\"two\nlines\"\nD=it's\nE=''\n");
	cr_expect_eq(diagnostics.errors, 0);
	cr_expect_str_eq(get("A"), "  $x \\n # ");
	cr_expect_str_eq(get("B"), "a\n\"b\" \\d $HOME");
	cr_expect_str_eq(get("C"), "two\nlines");
	cr_expect_str_eq(get("D"), "it's");
	cr_expect_str_eq(get("E"), "");
}

static void expect_fault(const char *text, unsigned line, unsigned column)
{
	diagnostics_clear(&diagnostics);
	parse(text);
	cr_assert_eq(diagnostics.errors, 1, "%s: %zu", text, diagnostics.errors);
	cr_expect(diagnostics.list.items[0].place.line == line &&
			  diagnostics.list.items[0].place.column == column,
		  "%s: %u:%u", text, diagnostics.list.items[0].place.line,
		  diagnostics.list.items[0].place.column);
}

Test(env_file, faults_have_a_place)
{
	expect_fault("A=1\nKEY\nB=2\n", 2, 4);
	expect_fault("=x\n", 1, 1);
	expect_fault("A B=1\n", 1, 3);
	expect_fault("A=1\nB='x\ny\n", 2, 3);
	expect_fault("A=\"x\ny\" z\n", 2, 4);
	expect_fault("A=\xff\n", 1, 3);
	cr_expect_str_eq(get("B"), "2", "the lines after a fault are read");
}
