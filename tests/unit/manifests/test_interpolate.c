/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "manifests/interpolate.h"
#include "manifests/yaml.h"

static struct arena *arena;
static struct diagnostics diagnostics;
static const struct node *values, *result;
static bool passing; /* names that begin with "later." are left for later */

static void take(void *ctx, const struct node *root)
{
	*(const struct node **)ctx = root;
}

static const struct node *parse(const char *text)
{
	struct yaml_reader reader = { .arena = arena, .diagnostics = &diagnostics };
	const struct node *root = NULL;

	cr_assert_eq(yaml_read(&reader, "t.yaml", text, strlen(text), take, &root), 0);
	return root;
}

static enum lookup look_up(void *ctx, const char *name, const struct node *at,
			   const struct node **ret_value)
{
	(void)ctx;
	(void)at;
	if (passing && str_has_prefix(name, "later."))
		return LOOKUP_PASS;
	*ret_value = node_get(values, name);
	return *ret_value ? LOOKUP_FOUND : LOOKUP_UNDEFINED;
}

static void undefined(void *ctx, const char *name, const struct node *at)
{
	(void)ctx;
	diagnose(&diagnostics, SEVERITY_ERROR, at, "undefined %s", name);
}

static const struct node *run(const char *text)
{
	static struct interpolate_budget budget;
	const struct interpolation in = {
		.arena = arena,
		.diagnostics = &diagnostics,
		.budget = &budget,
		.lookup = look_up,
		.undefined = undefined,
		.keep_escapes = passing,
	};

	budget = (struct interpolate_budget){ 0 };
	diagnostics_clear(&diagnostics);
	result = interpolate(&in, parse(text));
	return result;
}

static const char *text_of(const char *key)
{
	const struct node *node = node_get(result, key);

	cr_assert(node && node->type == NODE_SCALAR, "%s", key);
	return node->text;
}

static void setup(void)
{
	arena = arena_new();
	diagnostics_init(&diagnostics, arena);
	values = parse("a: one\n"
		       "n: 8080\n"
		       "t: true\n"
		       "empty: ''\n"
		       "nothing:\n"
		       "list: [x, y]\n"
		       "map: {k: v}\n"
		       "brace: 'a}b'\n");
	passing = false;
}

static void teardown(void)
{
	diagnostics_done(&diagnostics);
	arena_free(arena);
}

TestSuite(interpolate, .init = setup, .fini = teardown);

Test(interpolate, texts)
{
	run("p: 'x-${a}-${n}'\nq: '$${a} $a $ $$ 5$'\nr: \"${a}\"\ns: 'http://${a}:${n}/'\n");
	cr_expect_eq(diagnostics.errors, 0);
	cr_expect_str_eq(text_of("p"), "x-one-8080");
	cr_expect_str_eq(text_of("q"), "${a} $a $ $ 5$");
	cr_expect_str_eq(text_of("r"), "one");
	cr_expect_str_eq(text_of("s"), "http://one:8080/");
}

Test(interpolate, a_whole_reference_keeps_its_type)
{
	run("l: ${list}\nm: \"${map}\"\nn: \"${n}\"\no: ${nothing}\nin: ['${n}', a]\n");
	cr_expect_eq(diagnostics.errors, 0);
	cr_expect_eq(node_get(result, "l")->type, NODE_SEQUENCE);
	cr_expect_str_eq(node_find(result, "m.k")->text, "v");
	cr_expect_not(node_get(result, "n")->quoted, "still a number");
	cr_expect(node_is_null(node_get(result, "o")));
	cr_expect_eq(node_find(result, "in.0")->place.line, 5, "the place is where it is used");
	cr_expect_eq(node_find(result, "in.0")->via->line, 2, "via where it comes from");
}

Test(interpolate, defaults)
{
	run("a: ${x:-d}\nb: ${empty:-d}\nc: ${a:-d}\nd: ${x:-${y:-deep}}\ne: ${x:-}\n"
	    "f: 'x${y:-}'\ng: ${x:-${n}}\nh: ${x:-${list}}\ni: '${x:-a}${x:-$${}'\n");
	cr_expect_eq(diagnostics.errors, 0);
	cr_expect_str_eq(text_of("a"), "d");
	cr_expect_str_eq(text_of("b"), "d");
	cr_expect_str_eq(text_of("c"), "one");
	cr_expect_str_eq(text_of("d"), "deep");
	cr_expect_str_eq(text_of("e"), "");
	cr_expect_not(node_is_null(node_get(result, "e")), "empty text, not nothing");
	cr_expect_str_eq(text_of("f"), "x");
	cr_expect_str_eq(text_of("g"), "8080");
	cr_expect_eq(node_get(result, "h")->type, NODE_SEQUENCE);
	cr_expect_str_eq(text_of("i"), "a${");
}

static void expect_fault(const char *text, const char *part)
{
	run(text);
	cr_assert_eq(diagnostics.errors, 1, "%s: %zu", text, diagnostics.errors);
	cr_expect(strstr(diagnostics.list.items[0].text, part), "'%s' lacks '%s'",
		  diagnostics.list.items[0].text, part);
	cr_expect(node_get(result, "k")->faulty);
}

Test(interpolate, faults)
{
	expect_fault("k: ${x}\n", "undefined x");
	expect_fault("k: 'a ${x:?say it} b'\n", "say it");
	expect_fault("k: '${empty:?is ${a}}'\n", "is one");
	expect_fault("k: 'a${'\n", "'${' without its '}'");
	expect_fault("k: '${}'\n", "is no reference");
	expect_fault("k: '${a b}'\n", "is no reference");
	expect_fault("k: '${a:+b}'\n", "is no reference");
	expect_fault("k: 'x${list}'\n", "is a list and cannot stand inside a text");
}

Test(interpolate, faulty_values_are_not_diagnosed_again)
{
	run("k: ${x}\n");
	diagnose(&diagnostics, SEVERITY_ERROR, node_get(result, "k"), "expected a number");
	cr_expect_eq(diagnostics.errors, 1);
}

Test(interpolate, keys_hold_no_references)
{
	run("'${a}': 1\n'$${a}': 2\n");
	cr_expect_eq(diagnostics.errors, 1);
}

Test(interpolate, trees_without_references_are_shared)
{
	const struct node *before = parse("a: {b: [c]}\nd: '${a}'\n");
	const struct node *a = node_get(before, "a");
	struct interpolate_budget budget = { 0 };
	const struct interpolation in = {
		.arena = arena,
		.diagnostics = &diagnostics,
		.budget = &budget,
		.lookup = look_up,
		.undefined = undefined,
	};
	const struct node *after = interpolate(&in, before);

	cr_expect_neq(after, before);
	cr_expect_eq(node_get(after, "a"), a);
	cr_expect_eq(interpolate(&in, a), a);
}

Test(interpolate, what_is_for_later_stays_as_written)
{
	passing = true;
	run("p: '${a} ${later.x} $$ $${a}'\nq: '${later.x:-${n}}'\nr: ${later.x}\n");
	cr_expect_eq(diagnostics.errors, 0);
	cr_expect_str_eq(text_of("p"), "one ${later.x} $$ $${a}");
	cr_expect_str_eq(text_of("q"), "${later.x:-8080}");
	cr_expect_str_eq(text_of("r"), "${later.x}");
	expect_fault("k: '${later.x:-${brace}}'\n", "unbalanced braces");
}

Test(interpolate, secrets_taint)
{
	struct node *copy = (struct node *)node_get(values, "a");

	copy->secret = true;
	run("p: 'x${a}'\nq: ${a}\nr: ${x:-${a}}\ns: ${n}\nt: ['${a}']\n");
	cr_expect(node_get(result, "p")->secret);
	cr_expect(node_get(result, "q")->secret);
	cr_expect(node_get(result, "r")->secret);
	cr_expect_not(node_get(result, "s")->secret);
	cr_expect(node_has_secret(node_get(result, "t")));
}
