/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the diff names, and above all what it does not. */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"
#include "tests/unit/manifests/schema_fixture.h"

TestSuite(diff, .init = fixture_setup, .fini = fixture_teardown);

/* Compares and checks the lines "PATH: BEFORE -> AFTER\n", in the order of the rows. */
static void expect_diff_but(const char *have, const char *want, const char *ignored,
			    const char *lines)
{
	json_t *observed = fixture_json(have), *expected = fixture_json(want);
	json_t *ignore = ignored ? fixture_json(ignored) : NULL;
	struct arena *arena = arena_new();
	struct changes changes = { .arena = arena };
	struct str text;

	str_init(&text, 0);
	schema_diff(&test_schema, observed, expected, ignore, &changes);
	for (size_t i = 0; i < changes.list.count; i++) {
		const struct change *change = &changes.list.items[i];

		str_printf(&text, "%s: ", change->path);
		schema_print_value(change->leaf, change->before, &text);
		str_append(&text, " -> ");
		schema_print_value(change->leaf, change->after, &text);
		str_append_char(&text, '\n');
	}
	cr_expect_str_eq(text.data, lines, "%s to %s: got\n%s", have, want, text.data);
	vec_done(&changes.list);
	arena_free(arena);
	str_done(&text);
	json_decref(observed);
	json_decref(expected);
	json_decref(ignore);
}

static void expect_diff(const char *have, const char *want, const char *lines)
{
	expect_diff_but(have, want, NULL, lines);
}

Test(diff, silence_is_the_engines_default)
{
	expect_diff("{}", "{'count':0}", "");
	expect_diff("{'count':0}", "{}", "");
	expect_diff("{'count':7}", "{'count':0}", "count: 7 -> 0\n");
	expect_diff("{'count':7}", "{}", "count: 7 -> 0\n");
	/* A limit set by hand: nothing stands for silence, so absent is what is expected. */
	expect_diff("{'memory':536870912}", "{}", "memory: 512M -> (none)\n");
	expect_diff("{}", "{'memory':536870912}", "memory: (none) -> 512M\n");
}

Test(diff, empty_is_absent_for_collections_and_never_for_scalars)
{
	expect_diff("{'cap_add':[],'networks':{},'health':{},'dns':[],'ports':[]}", "{}", "");
	expect_diff("{'cap_add':null,'networks':null}", "{'cap_add':[],'networks':{}}", "");
	expect_diff("{'flag':''}", "{}", "flag: \"\" -> (none)\n");
	expect_diff("{'flag':null}", "{}", "");
	expect_diff("{'memory':0}", "{}", "memory: 0 -> (none)\n");
}

Test(diff, what_the_daemon_decides_compares_when_written)
{
	expect_diff("{'init':true,'options':{'max-size':'10m'}}", "{}", "");
	expect_diff("{'init':true}", "{'init':false}", "init: true -> false\n");
	expect_diff("{}", "{'init':false}", "init: (none) -> false\n");
	/* A daemon merges its log options into those of the container: moby daemon/logs.go. */
	expect_diff("{'options':{'max-size':'10m','tag':'x'}}", "{'options':{'tag':'x'}}", "");
	expect_diff("{'options':{'max-size':'10m'}}", "{'options':{'max-size':'5m'}}",
		    "options.max-size: 10m -> 5m\n");
}

Test(diff, maps_by_key_and_sets_by_element)
{
	expect_diff("{'environment':{'A':'1','B':'2'}}", "{'environment':{'B':'3','C':'4'}}",
		    "environment.A: 1 -> (none)\nenvironment.B: 2 -> 3\n"
		    "environment.C: (none) -> 4\n");
	expect_diff("{'cap_add':['B','A']}", "{'cap_add':['A','B']}", "");
	expect_diff("{'cap_add':['A','B']}", "{'cap_add':['B','C']}",
		    "cap_add[A]: A -> (none)\ncap_add[C]: (none) -> C\n");
	expect_diff("{'dns':['a','b']}", "{'dns':['b','a']}",
		    "dns: [\"a\", \"b\"] -> [\"b\", \"a\"]\n");
}

Test(diff, objects_by_member)
{
	expect_diff("{'health':{'interval':30000000000,'test':['a']}}", "{'health':{'test':['a']}}",
		    "");
	expect_diff("{'health':{'interval':5000000000}}", "{'health':{'retries':2}}",
		    "health.interval: 5s -> 30s\nhealth.retries: (none) -> 2\n");
	expect_diff("{'health':{'note':'x'}}", "{'health':{'note':'y'}}", "");
}

Test(diff, lists_of_objects_by_identity)
{
	expect_diff("{'ports':[{'target':80,'protocol':'tcp','published':'8080'}]}",
		    "{'ports':[{'published':'8080','target':80}]}", "");
	expect_diff("{'ports':[{'target':1},{'target':2,'published':'2'}]}",
		    "{'ports':[{'target':2,'published':'3'},{'target':3,'protocol':'udp'}]}",
		    "ports[1,tcp]: {target: 1} -> (none)\nports[3:2].published: 2 -> 3\n"
		    "ports[3,udp]: (none) -> {target: 3, protocol: udp}\n");
	expect_diff("{'ports':[{'target':1,'comment':'a'}]}",
		    "{'ports':[{'target':1,'comment':'b'}]}", "");
	/* An engine that lists one twice is not in step with a manifest that has it once. */
	expect_diff("{'ports':[{'target':1},{'target':1}]}", "{'ports':[{'target':1}]}",
		    "ports[1,tcp]: {target: 1} -> (none)\n");
}

Test(diff, objects_by_name_count_by_being_there)
{
	expect_diff("{'networks':{'a':{},'b':{'aliases':['x']}}}",
		    "{'networks':{'b':{'aliases':['y'],'address':'10.0.0.1'},'c':{}}}",
		    "networks.a: {} -> (none)\nnetworks.b.aliases[x]: x -> (none)\n"
		    "networks.b.aliases[y]: (none) -> y\nnetworks.b.address: (none) -> 10.0.0.1\n"
		    "networks.c: (none) -> {}\n");
}

Test(diff, an_image_that_is_gone_leaves_only_what_is_written)
{
#define UNKNOWN "'" SCHEMA_IMAGE_UNKNOWN "':true"
	expect_diff("{'environment':{'A':'1','PATH':'/bin'},'user':'www'}",
		    "{'environment':{'A':'1'}," UNKNOWN "}", "");
	expect_diff("{'environment':{'PATH':'/bin'}}", "{'environment':{'A':'1'}," UNKNOWN "}",
		    "environment.A: (none) -> 1\n");
	expect_diff("{'user':'www'}", "{'user':'root'," UNKNOWN "}", "user: www -> root\n");
	expect_diff("{'cap_add':['A']}", "{" UNKNOWN "}", "cap_add[A]: A -> (none)\n");
	expect_diff("{'user':'www'}", "{}", "user: www -> (none)\n");
}

Test(diff, ignored_paths)
{
	static const char have[] = "{'environment':{'PATH':'a','PA':'b'},'cap_add':['X'],"
				   "'networks':{'a.b':{'address':'x'}},'ports':[{'target':1}]}";

	expect_diff_but(have, "{}", "['environment','cap_add','networks','ports']", "");
	expect_diff_but(have, "{}",
			"['environment[PATH]','cap_add.X','networks[a.b]','ports[1,tcp]']",
			"environment.PA: b -> (none)\n");
	expect_diff_but(have, "{}", "['environment.PA','networks.a','cap','ports',7,'cap_add[X]']",
			"environment.PATH: a -> (none)\n"
			"networks.a.b: {address: x} -> (none)\n");
	expect_diff_but("{'networks':{'a.b':{'address':'x'}}}", "{'networks':{'a.b':{}}}",
			"['networks.a.b.address']", "");
}

Test(diff, the_innermost_effect_counts)
{
	struct arena *arena = arena_new();
	struct changes changes = { .arena = arena };
	json_t *observed = fixture_json("{'networks':{'a':{}},'memory':1,'dns':['a']}");
	json_t *expected = fixture_json("{'networks':{'a':{'address':'x'}}}");

	schema_diff(&test_schema, observed, expected, NULL, &changes);
	cr_assert_eq(changes.list.count, 3);
	cr_expect_eq(changes.list.items[0].effect, EFFECT_LIVE);
	cr_expect_eq(changes.list.items[1].effect, EFFECT_NONE);
	cr_expect_eq(changes.list.items[2].effect, EFFECT_CONNECT);
	cr_expect_str_eq(changes.list.items[2].field->key, "networks");
	cr_expect_str_eq(changes.list.items[2].leaf->key, "address");
	vec_done(&changes.list);
	arena_free(arena);
	json_decref(observed);
	json_decref(expected);
}

Test(diff, answers_of_the_wrong_shape_are_differences)
{
	expect_diff("{'count':'x'}", "{'count':0}", "count: x -> 0\n");
	expect_diff("{'networks':[1]}", "{'networks':{'a':{}}}", "networks: [1] -> {a: {}}\n");
	expect_diff("{'networks':{'a':3}}", "{'networks':{'a':{'address':'x'}}}",
		    "networks.a.address: (none) -> x\n");
	expect_diff("{'environment':['A']}", "{'environment':{'A':'1'}}",
		    "environment: [\"A\"] -> {A: \"1\"}\n");
	expect_diff("{'ports':[null,3]}", "{'ports':[{'target':1}]}",
		    "ports[tcp]: null -> (none)\nports[tcp]: 3 -> (none)\n"
		    "ports[1,tcp]: (none) -> {target: 1}\n");
}
