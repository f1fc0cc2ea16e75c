/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each type of value takes and refuses, and that what it prints reads back. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"
#include "tests/unit/manifests/schema_fixture.h"

TestSuite(types, .init = fixture_setup, .fini = fixture_teardown);

static const struct field *row(const char *key)
{
	return schema_field(&test_schema, key);
}

struct vector {
	const char *yaml;
	const char *canonical; /* single quotes; NULL: refused */
	const char *said;      /* printed form, or part of the message */
};

static void check_vectors(const struct field *field, const struct vector *vectors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct vector *v = &vectors[i];
		json_t *value = fixture_value(field, v->yaml);
		struct str said;

		str_init(&said, 0);
		if (v->canonical) {
			cr_expect(value, "%s: %s", v->yaml, fixture_faults());
			if (value)
				field->type->print(field, value, &said);
			expect_json(value, fixture_json(v->canonical));
			cr_expect_str_eq(said.data, v->said, "%s printed as %s", v->yaml,
					 said.data);
		} else {
			cr_expect(!value, "%s was taken", v->yaml);
			json_decref(value);
			cr_expect(strstr(fixture_faults(), v->said), "%s: '%s' lacks '%s'", v->yaml,
				  fixture_faults(), v->said);
		}
		str_done(&said);
	}
}

#define check(key, ...)                                                                            \
	do {                                                                                       \
		static const struct vector vectors[] = { __VA_ARGS__ };                            \
		check_vectors(row(key), vectors, ARRAY_SIZE(vectors));                             \
	} while (0)

Test(types, string_takes_any_scalar_as_it_stands)
{
	check("flag", { "no", "'no'", "no" }, { "22:22", "'22:22'", "22:22" },
	      { "1.0", "'1.0'", "1.0" }, { "\"\"", "''", "\"\"" }, { "\"null\"", "'null'", "null" },
	      { "~", NULL, "expected a string, found nothing" },
	      { "", NULL, "expected a string, found nothing" },
	      { "[a]", NULL, "expected a string, found a list" },
	      { "\"a\\tb\"", "'a\\tb'", "\"a\\tb\"" });
	check("image", { "\"a b\"", NULL, "spec.image: 'a b' is not allowed here" });
}

Test(types, int_is_bounded_and_knows_radices)
{
	check("count", { "7", "7", "7" }, { "-5", "-5", "-5" }, { "+3", "3", "3" },
	      { "0x10", "16", "16" }, { "0o17", "15", "15" }, { "\"8\"", "8", "8" },
	      { "010", "10", "10" }, { "101", NULL, "'101' is outside -5 to 100" },
	      { "-6", NULL, "outside" }, { "1.5", NULL, "no whole number" },
	      { "0x", NULL, "no whole number" }, { "1_000", NULL, "no whole number" },
	      { "99999999999999999999", NULL, "no whole number" }, { "-0x1", NULL, "no whole" },
	      { "--1", NULL, "no whole" }, { "\"\"", NULL, "no whole" },
	      { "{}", NULL, "a mapping" });
}

Test(types, bool_is_true_or_false_alone)
{
	check("init", { "true", "true", "true" }, { "false", "false", "false" },
	      { "yes", NULL, "found 'yes'; write true" }, { "Off", NULL, "write false" },
	      { "True", NULL, "write true" }, { "\"true\"", NULL, "without quotes" },
	      { "1", NULL, "expected true or false, found '1'" });
}

Test(types, size_is_exact)
{
	check("memory", { "512m", "536870912", "512M" }, { "1.5gb", "1610612736", "1536M" },
	      { "64kb", "65536", "64K" });
}

Test(types, size_vectors)
{
	check("memory", { "1024", "1024", "1K" }, { "1000", "1000", "1000" }, { "0", "0", "0" },
	      { "10b", "10", "10" }, { "1K", "1024", "1K" }, { "2GB", "2147483648", "2G" },
	      { "3MiB", "3145728", "3M" }, { "1 g", "1073741824", "1G" }, { "0.5k", "512", "512" },
	      { ".5k", "512", "512" }, { "1.0000", "1", "1" },
	      { "8191p", "9222246136947933184", "8191P" }, { "8192p", NULL, "too large" },
	      { "99999999999999999999999999999999999", NULL, "too large" },
	      { "0.3b", NULL, "finer than" }, { "1.0001k", NULL, "finer than" },
	      { "-1", NULL, "no size" },
	      { "5x", NULL, "no size in bytes; expected something like" },
	      { "1mm", NULL, "no size" }, { "m", NULL, "no size" }, { "1.2.3", NULL, "no size" },
	      { "1  g", NULL, "no size" });
}

Test(types, size_of_minus_one_where_the_row_allows_it)
{
	const struct field swap = { .key = "swap", .type = &type_size, .min = -1, .max = 4096 };
	static const struct vector vectors[] = {
		{ "-1", "-1", "-1" },
		{ "4k", "4096", "4K" },
		{ "5k", NULL, "'5k' is outside -1 to 4K" },
		{ "-2", NULL, "no size" },
	};

	check_vectors(&swap, vectors, ARRAY_SIZE(vectors));
}

Test(types, duration_vectors)
{
	check("period", { "1m30s", "90000000000", "1m30s" },
	      { "1h5m30s20ms", "3930020000000", "1h5m30s20ms" }, { "40us", "40000", "40us" },
	      { "1.5h", "5400000000000", "1h30m" }, { "0", "0", "0s" }, { "0s", "0", "0s" },
	      { "7ns", "7", "7ns" }, { "2.5s", "2500000000", "2s500ms" }, { "1µs", "1000", "1us" },
	      { "90s", "90000000000", "1m30s" }, { "10", NULL, "has no unit; did you mean 10s?" },
	      { "5x", NULL, "'5x' is no duration; expected something like 1m30s" },
	      { "1m3", NULL, "no duration" }, { "-1s", NULL, "no duration" },
	      { "s", NULL, "no duration" }, { "0.1ns", NULL, "finer than" },
	      { "9999999h", NULL, "too large" }, { "2562047h2562047h", NULL, "too large" },
	      { "\"\"", NULL, "no duration" }, { "1 m", NULL, "no duration" });
}

Test(types, cpus_are_exact_decimals)
{
	check("cpus", { "0.5", "500000000", "0.5" }, { "0.1", "100000000", "0.1" },
	      { "2", "2000000000", "2" }, { ".25", "250000000", "0.25" },
	      { "1.000000001", "1000000001", "1.000000001" },
	      { "1.0000000010", "1000000001", "1.000000001" },
	      { "0.0000000001", NULL, "finer than" }, { "1e3", NULL, "no number" },
	      { "-1", NULL, "no number" }, { "10000000000", NULL, "too large" });
}

Test(types, a_pattern_tells_of_its_words_or_of_its_example)
{
	static const char *const words[] = { "no", "always", NULL };
	const struct field policy = { .key = "restart",
				      .type = &type_string,
				      .choices = words,
				      .pattern = "^(no|always|on:[0-9]+)$" };
	static const struct vector vectors[] = {
		{ "always", "'always'", "always" },
		{ "on:3", "'on:3'", "on:3" },
		{ "allways", NULL, "'allways' is none of no, always; did you mean 'always'?" },
	};
	const struct field path = {
		.key = "dir", .type = &type_string, .pattern = "^/", .example = "/tmp"
	};

	check_vectors(&policy, vectors, ARRAY_SIZE(vectors));
	cr_expect(!fixture_value(&path, "tmp"));
	cr_expect(strstr(fixture_faults(), "expected something like /tmp (that matches ^/)"));
}

Test(types, enum_knows_the_nearest_word)
{
	check("colour", { "red", "'red'", "red" },
	      { "gren", NULL, "'gren' is none of red, green, blue; did you mean 'green'?" },
	      { "purple", NULL, "'purple' is none of red, green, blue\n" });
}

Test(types, command_splits_as_a_shell)
{
	check("command", { "echo  hello", "['echo','hello']", "[\"echo\", \"hello\"]" },
	      { "[a, b c, 1]", "['a','b c','1']", "[\"a\", \"b c\", \"1\"]" },
	      { "\"\"", "[]", "[]" }, { "[]", "[]", "[]" },
	      { "sh -c 'a \"b\" $c'", "['sh','-c','a \\u0022b\\u0022 $c']",
		"[\"sh\", \"-c\", \"a \\\"b\\\" $c\"]" },
	      { "a\"b\\\"c\\d\"'e'", "['ab\\u0022c\\\\de']", "[\"ab\\\"c\\\\de\"]" },
	      { "a\\ b ''", "['a b','']", "[\"a b\", \"\"]" },
	      { "'\"open'", NULL, "a closing \" is missing" },
	      { "it's", NULL, "a closing ' is missing" },
	      { "a\\", NULL, "a character after the backslash is missing" },
	      { "null", NULL, "found nothing" }, { "{a: b}", NULL, "found a mapping" });
}

Test(types, strings_take_one_for_a_list_of_one)
{
	check("dns", { "[b, a, b]", "['b','a','b']", "[\"b\", \"a\", \"b\"]" },
	      { "10.0.0.1", "['10.0.0.1']", "[\"10.0.0.1\"]" }, { "[]", "[]", "[]" },
	      { "[a, ~]", NULL, "spec.dns[1]: expected a string, found nothing" },
	      { "~", NULL, "expected a list of strings" });
	check("cap_add", { "[b, a]", "['a','b']", "[\"a\", \"b\"]" },
	      { "[a, b, a]", NULL, "'a' is there twice" });
}

Test(types, map_takes_both_of_composes_forms)
{
	check("environment",
	      { "{A: 1, B: true}", "{'A':'1','B':'true'}", "{A: \"1\", B: \"true\"}" },
	      { "[A=1, B=x=y, C=]", "{'A':'1','B':'x=y','C':''}", "{A: \"1\", B: x=y, C: \"\"}" },
	      { "{}", "{}", "{}" }, { "{A: }", NULL, "spec.environment.A: has no value" },
	      { "[A]", NULL, "spec.environment[0]: 'A' has no value; write KEY=VALUE" },
	      { "[A=1, A=2]", NULL, "'A' is there twice" }, { "[=1]", NULL, "has no name" },
	      { "{a: 1}", NULL, "not allowed" }, { "x", NULL, "expected a mapping or a list" },
	      { "{A: [1]}", NULL, "expected a string, found a list" },
	      { "~", NULL, "found nothing" });
}

Test(types, objects_in_both_forms)
{
	check("ports", { "[\"8080:80\"]", "[{'target':80,'published':'8080'}]", "[8080:80]" },
	      { "[\"80*2\"]", "[{'target':80},{'target':81}]", "[{target: 80}, {target: 81}]" },
	      { "[{target: 53, protocol: udp}, \"8053:53\"]",
		"[{'target':53,'protocol':'udp'},{'target':53,'published':'8053'}]",
		"[{target: 53, protocol: udp}, 8053:53]" },
	      { "[\"x\"]", NULL, "spec.ports[0]: 'x' is no port" },
	      { "[{protocol: udp}]", NULL, "spec.ports[0]: 'target' is missing" },
	      { "[{target: 80}, {target: 80, protocol: tcp}]", NULL, "is there twice" },
	      { "[\"1:80\", \"2:80\"]", NULL, "spec.ports[1]: 2:80 is there twice" },
	      { "[~]", NULL, "expected a mapping, found nothing" },
	      { "x", NULL, "expected a list" },
	      { "[{target: 80, publish: 1}]", NULL,
		"spec.ports[0].publish: unknown field of Port; did you mean 'published'?" });
	check("health",
	      { "{test: a b, interval: 1s}", "{'test':['a','b'],'interval':1000000000}",
		"{test: [\"a\", \"b\"], interval: 1s}" },
	      { "{interval: 5x}", NULL,
		"spec.health.interval: '5x' is no duration; expected something like 1m30s" },
	      { "~", NULL, "expected a mapping, found nothing" });
	check("networks", { "[front, back]", "{'front':{},'back':{}}", "{front: {}, back: {}}" },
	      { "{front: ~, back: {aliases: x}}", "{'front':{},'back':{'aliases':['x']}}",
		"{front: {}, back: {aliases: [\"x\"]}}" },
	      { "[front, front]", NULL, "'front' is there twice" },
	      { "{front: x}", NULL, "spec.networks.front: expected a mapping, found 'x'" },
	      { "[[a]]", NULL, "expected a name, found a list" });
}

Test(types, any_by_the_core_schema)
{
	check("values",
	      { "{a: [1, 0x1f, 0o7, 1.5, -2, true, ~, \"1\", yes]}",
		"{'a':[1,31,7,1.5,-2,true,null,'1','yes']}",
		"{a: [1, 31, 7, 1.5, -2, true, null, \"1\", \"yes\"]}" },
	      { "1e3", "1000.0", "1000.0" }, { "1.", "1.0", "1.0" },
	      { "text", "'text'", "\"text\"" }, { "22:22", "'22:22'", "\"22:22\"" },
	      { "\"true\"", "'true'", "\"true\"" }, { ".nan", NULL, "no number that JSON knows" },
	      { "[99999999999999999999]", NULL, "spec.values[0]: '99999999999999999999' is too" },
	      { "1e999", NULL, "too large" });
}

Test(types, messages_hold_no_secrets_and_no_control_characters)
{
	fixture_secret("hunter2");
	static const char *const keys[] = { "count",  "init",  "memory", "period",     "cpus",
					    "colour", "ports", "health", "environment" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = fixture_value(
			row(keys[i]), strcmp(keys[i], "ports") == 0 ? "[hunter2]" : "hunter2");

		cr_expect(!value, "%s", keys[i]);
		cr_expect(!strstr(fixture_faults(), "hunter2"), "%s", fixture_faults());
		cr_expect(strlen(fixture_faults()) > 0);
	}
	json_t *value = fixture_value(row("count"), "\"\\e[31m\\n\"");
	cr_expect(!value);
	cr_expect(!strchr(fixture_faults(), '\x1b'));
}
