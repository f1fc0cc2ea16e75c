/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "controller/base/arena.h"
#include "manifests/set.h"
#include "manifests/yaml.h"

struct documents {
	const struct node *root[8];
	size_t count;
};

static struct arena *arena;
static struct diagnostics diagnostics;
static struct documents documents;

static void take(void *ctx, const struct node *root)
{
	struct documents *all = ctx;

	cr_assert_lt(all->count, 8);
	all->root[all->count++] = root;
}

static int read_text_n(const char *text, size_t len)
{
	struct yaml_reader reader = { .arena = arena, .diagnostics = &diagnostics };

	diagnostics_clear(&diagnostics);
	documents.count = 0;
	return yaml_read(&reader, "t.yaml", text, len, take, &documents);
}

static int read_text(const char *text)
{
	return read_text_n(text, strlen(text));
}

static void setup(void)
{
	arena = arena_new();
	diagnostics_init(&diagnostics, arena);
}

static void teardown(void)
{
	diagnostics_done(&diagnostics);
	arena_free(arena);
}

TestSuite(yaml, .init = setup, .fini = teardown);

static void expect_fault(const char *text, unsigned line, unsigned column, const char *part)
{
	read_text(text);
	cr_assert_eq(diagnostics.errors, 1, "%s: %zu errors", text, diagnostics.errors);
	const struct diagnostic *d = &diagnostics.list.items[0];
	cr_expect(strstr(d->text, part), "'%s' lacks '%s'", d->text, part);
	cr_expect(d->place.line == line && d->place.column == column, "%s: at %u:%u", d->text,
		  d->place.line, d->place.column);
}

Test(yaml, scalars_stay_text_and_know_their_place)
{
	cr_assert_eq(read_text("a: no\nb: 22:22\nc: 'null'\nd: ~\ne: |\n  x\n  y\n"), 0);
	const struct node *root = documents.root[0];
	cr_expect_str_eq(node_get(root, "a")->text, "no");
	cr_expect_str_eq(node_get(root, "b")->text, "22:22");
	cr_expect(!node_is_null(node_get(root, "c")));
	cr_expect(node_is_null(node_get(root, "d")));
	cr_expect_str_eq(node_get(root, "e")->text, "x\ny\n");
	cr_expect(node_get(root, "e")->quoted);
	cr_expect_eq(node_get(root, "b")->place.line, 2);
	cr_expect_eq(node_get(root, "b")->place.column, 4);
	cr_expect_eq(node_key(root, "d")->place.line, 4);
	cr_expect_null(node_get(root, "z"));
}

Test(yaml, several_documents_and_empty_ones)
{
	cr_assert_eq(read_text("# only a comment\n---\n---\na: 1\n---\n~\n---\nb: 2\n"), 0);
	cr_assert_eq(documents.count, 2);
	cr_expect_str_eq(node_get(documents.root[1], "b")->text, "2");
	cr_assert_eq(read_text(""), 0);
	cr_expect_eq(documents.count, 0);
}

Test(yaml, byte_order_mark_is_skipped)
{
	cr_assert_eq(read_text("\xef\xbb\xbf"
			       "a: 1\n"),
		     0);
	cr_expect_str_eq(node_get(documents.root[0], "a")->text, "1");
}

Test(yaml, aliases_and_merge_keys)
{
	cr_assert_eq(read_text("x: &x {a: 1, b: 2}\n"
			       "y: &y {b: 3, c: 4}\n"
			       "one: *x\n"
			       "two: {<<: *x, b: 9}\n"
			       "many:\n  <<: [*x, *y]\n  d: 5\n"
			       "quoted: {'<<': 1}\n"),
		     0);
	cr_assert_eq(diagnostics.errors, 0);
	const struct node *root = documents.root[0];
	cr_expect_eq(node_get(root, "one"), node_get(root, "x"));
	cr_expect_str_eq(node_find(root, "two.a")->text, "1");
	cr_expect_str_eq(node_find(root, "two.b")->text, "9");
	cr_expect_str_eq(node_find(root, "many.b")->text, "2", "the first of the list wins");
	cr_expect_str_eq(node_find(root, "many.c")->text, "4");
	cr_expect_str_eq(node_find(root, "quoted.<<")->text, "1");
	cr_expect_eq(node_get(root, "many")->count, 4);
}

Test(yaml, find_goes_as_deep_as_it_can)
{
	cr_assert_eq(
		read_text("spec:\n  ports: [80, {target: 81}]\n  labels: {a.b: x, a: {b: y}}\n"),
		0);
	const struct node *root = documents.root[0];
	cr_expect_str_eq(node_find(root, "spec.ports.1.target")->text, "81");
	cr_expect_str_eq(node_find(root, "spec.ports.0.target")->text, "80");
	cr_expect_str_eq(node_find(root, "spec.labels.a.b")->text, "x");
	cr_expect_eq(node_find(root, "spec.nothing.here"), node_get(root, "spec"));
	cr_expect_eq(node_find(root, "spec.ports.7")->type, NODE_SEQUENCE);
}

Test(yaml, faults_have_a_place_and_say_what_is_expected)
{
	expect_fault("a: 1\nb: 2\na: 3\n", 3, 1, "the first is at t.yaml:1:1");
	expect_fault("a:\n\tb: 1\n", 2, 1, "use spaces");
	expect_fault("a: b: c\n", 1, 5, "put a value that holds ': ' in quotes");
	expect_fault("a: [1, 2\nb: 3\n", 2, 2, "expected ',' or ']'");
	expect_fault("a: \"x\n", 2, 1, "closing quote");
	expect_fault("a: @x\n", 1, 4, "put it in quotes");
	expect_fault("a: !!binary aGk=\n", 1, 4, "tag");
	expect_fault("a: !foo {b: 1}\n", 1, 4, "'!foo'");
	expect_fault("a: *x\n", 1, 4, "no anchor '&x'");
	expect_fault("a: &x [*x]\n", 1, 8, "what contains it");
	expect_fault("a: {<<: 1}\n", 1, 9, "merges mappings");
	expect_fault("[1]: x\n", 1, 1, "a key must be");
	expect_fault("a: \"x\\0y\"\n", 1, 4, "NUL");
}

Test(yaml, only_utf8)
{
	expect_fault("a: 1\nb: \xc3\xa4\xff\n", 2, 5, "0xff");
	expect_fault("\xff\xfe"
		     "a",
		     1, 1, "UTF-16");
	read_text_n("a: 1\nb\0: 2\n", 11);
	cr_assert_eq(diagnostics.errors, 1);
	cr_expect_eq(diagnostics.list.items[0].place.line, 2);
	cr_expect(strstr(diagnostics.list.items[0].text, "NUL"));
}

Test(yaml, documents_before_a_fault_are_delivered)
{
	cr_assert_eq(read_text("a: 1\n---\nb: [\n"), -1);
	cr_expect_eq(documents.count, 1);
	cr_expect_eq(diagnostics.errors, 1);
}

Test(yaml, an_alias_bomb_is_counted_not_built)
{
	struct str text;

	str_init(&text, 0);
	str_append(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 12; i++) {
		str_printf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			str_printf(&text, "*a%d, ", i - 1);
		str_append(&text, "]\n");
	}
	cr_assert_eq(read_text(text.data), -1);
	cr_expect_eq(diagnostics.errors, 1);
	cr_expect(strstr(diagnostics.list.items[0].text, "aliases counted each time"));
	str_done(&text);
}

Test(yaml, merges_are_counted_too)
{
	struct str text;

	str_init(&text, 0);
	str_append(&text, "m0: &m0 {k: v}\n");
	for (int i = 1; i < 490; i++) {
		str_printf(&text, "m%d: &m%d {<<: *m%d, x: *m%d}\n", i, i, i - 1, i - 1);
	}
	cr_expect_eq(read_text(text.data), -1);
	cr_expect_eq(diagnostics.errors, 1);
	str_done(&text);
}

Test(yaml, depth_is_limited_also_through_aliases)
{
	struct str text;

	str_init(&text, 0);
	str_append(&text, "a: ");
	for (int i = 0; i < 70; i++)
		str_append_char(&text, '[');
	cr_expect_eq(read_text(text.data), -1);
	cr_expect(strstr(diagnostics.list.items[0].text, "nested more than 64"));

	str_clear(&text);
	str_append(&text, "a0: &a0 [x]\n");
	for (int i = 1; i < 100; i++)
		str_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	cr_expect_eq(read_text(text.data), -1);
	cr_expect_eq(diagnostics.errors, 1);
	cr_expect(strstr(diagnostics.list.items[0].text, "through aliases"));
	str_done(&text);
}

Test(yaml, messages_carry_no_control_characters)
{
	read_text("\"\\e[31m\\nx\": 1\n\"\\e[31m\\nx\": 2\n");
	cr_assert_eq(diagnostics.errors, 1);
	cr_expect(strstr(diagnostics.list.items[0].text, "\\x1b[31m\\x0ax"));
	cr_expect_null(strchr(diagnostics.list.items[0].text, '\033'));
}
