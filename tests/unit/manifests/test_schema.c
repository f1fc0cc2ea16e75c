/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding, encoding, observing, printing and masking by the rows of a schema. */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"
#include "manifests/pointer.h"
#include "manifests/schema_types.h"
#include "tests/unit/manifests/schema_fixture.h"

TestSuite(schema, .init = fixture_setup, .fini = fixture_teardown);

Test(schema, unknown_keys_are_told_with_the_nearest)
{
	json_t *spec = fixture_decode(&test_schema, "{image: a, enviroment: {}, build: ., zzz: 1}");

	cr_expect_str_eq(fixture_faults(),
			 "spec.enviroment: unknown field of Test; did you mean 'environment'?\n"
			 "spec.build: Test has no such field: images are built elsewhere\n"
			 "spec.zzz: unknown field of Test\n");
	expect_json(spec, fixture_json("{'image':'a'}"));
}

Test(schema, all_faults_of_a_document_in_one_run)
{
	json_t *spec = fixture_decode(&test_schema, "{count: x, init: no, ports: [\"x\", \"y\"], "
						    "health: {interval: 1, retries: 99}, dns: a}");

	cr_expect_str_eq(fixture_faults(),
			 "spec.count: 'x' is no whole number\n"
			 "spec.init: expected true or false, found 'no'; write false\n"
			 "spec.ports[0]: 'x' is no port\n"
			 "spec.ports[1]: 'y' is no port\n"
			 "spec.health.interval: '1' has no unit; did you mean 1s?\n"
			 "spec.health.retries: '99' is outside 1 to 10\n"
			 "spec: 'image' is missing: What runs.\n");
	expect_json(spec, fixture_json("{'dns':['a']}"));
	cr_expect(!fixture_decode(&test_schema, "[]"));
	cr_expect_str_eq(fixture_faults(), "spec: expected a mapping, found a list\n");
}

Test(schema, the_same_fault_in_an_object_counts_for_every_host)
{
	const struct field *ports = schema_field(&test_schema, "ports");

	for (int host = 0; host < 2; host++)
		cr_expect(!fixture_value(ports, "[{target: 80, published: [1]}, {target: 80}]"));
	cr_expect(!strstr(fixture_faults(), "twice"), "%s", fixture_faults());
}

Test(schema, secrets_are_noted_by_field_and_key)
{
	fixture_secret("hunter2");
	json_t *spec = fixture_decode(&test_schema,
				      "{image: a, environment: {A: hunter2, B: b}, "
				      "command: [x, hunter2], networks: {n: {address: hunter2}}, "
				      "user: u, password: p}");
	const char *expected = "{'environment':{'A':true},'command':true,'networks':true,"
			       "'password':true}";

	cr_expect_str_eq(fixture_faults(), "");
	expect_json(json_deep_copy(fixture_secrets()), fixture_json(expected));
	expect_json(schema_mask(&test_schema, spec, fixture_secrets()),
		    fixture_json("{'image':'a','environment':{'A':'***','B':'b'},'command':'***',"
				 "'networks':'***','user':'u','password':'***'}"));

	struct str text;
	str_init(&text, 0);
	schema_print(&test_schema, spec, fixture_secrets(), 0, &text);
	cr_expect(!strstr(text.data, "hunter2"), "%s", text.data);
	str_done(&text);
	json_decref(spec);

	fixture_secret("K=hunter2");
	json_decref(fixture_decode(&test_schema, "{image: a, options: [K=hunter2, L=l]}"));
	expect_json(json_deep_copy(fixture_secrets()), fixture_json("{'options':{'K':true}}"));
}

Test(schema, a_row_that_is_secret_is_masked_whoever_wrote_it)
{
	json_t *observed = fixture_json("{'password':'p','environment':'odd'}");
	json_t *secrets = fixture_json("{'environment':{'A':true}}");

	expect_json(schema_mask(&test_schema, observed, secrets),
		    fixture_json("{'password':'***','environment':'***'}"));
	json_decref(observed);
	json_decref(secrets);
}

Test(schema, get_and_its_fallback)
{
	json_t *spec = fixture_json("{'image':'a'}");

	cr_expect_str_eq(json_string_value(schema_get(&test_schema, spec, "image")), "a");
	cr_expect(!schema_get(&test_schema, spec, "count"));
	expect_json(schema_get_default(&test_schema, spec, "count"), json_integer(0));
	expect_json(schema_get_default(&test_schema, spec, "image"), json_string("a"));
	cr_expect(!schema_get_default(&test_schema, spec, "dns"));
	json_decref(spec);
}

static const char full_spec[] =
	"{'image':'a','count':3,'memory':1024,'command':['x','y'],'cap_add':['A'],"
	"'environment':{'A':'1'},'health':{'test':['t'],'interval':5},"
	"'ports':[{'target':80,'published':'8080'}],"
	"'networks':{'n':{'aliases':['w'],'address':'10.0.0.1'},'m':{}}}";

static const char full_body[] =
	"{'Image':'a','Count':3,'HostConfig':{'Memory':1024,'CapAdd':['A']},'Cmd':['x','y'],"
	"'Env':{'A':'1'},'Health':{'Test':['t'],'Interval':5},"
	"'Ports':[{'target':80,'published':'8080'}],"
	"'Networks':{'n':{'Aliases':['w'],'Address':'10.0.0.1'},'m':{}}}";

Test(schema, encode_and_observe_are_inverse)
{
	json_t *spec = fixture_json(full_spec), *body = json_object();
	struct error err = ERROR_INIT;

	cr_assert_eq(schema_encode(&test_schema, spec, 44, body, &err), 0, "%s", err.text);
	expect_json(json_incref(body), fixture_json(full_body));
	json_t *observed = schema_observe(&test_schema, body);
	expect_json(observed, spec);
	json_decref(body);
}

Test(schema, encoding_leaves_the_spec_alone)
{
	json_t *spec = fixture_json("{'image':'a','cap_add':['A'],'flag':'f'}");
	json_t *body = fixture_json("{'HostConfig':{'Binds':['a'],'CapAdd':['Z']}}");
	struct error err = ERROR_INIT;

	cr_assert_eq(schema_encode(&test_schema, spec, 40, body, &err), 0);
	expect_json(body, fixture_json("{'Image':'a','HostConfig':{'Binds':['a','b'],"
				       "'CapAdd':['Z','A'],'Flag':'f'}}"));
	expect_json(spec, fixture_json("{'image':'a','cap_add':['A'],'flag':'f'}"));
}

Test(schema, a_row_that_the_engine_is_too_old_for)
{
	json_t *spec = fixture_json("{'image':'a','health':{'retries':3}}"), *body = json_object();
	struct error err = ERROR_INIT;

	cr_expect_eq(schema_encode(&test_schema, spec, 43, body, &err), -1);
	cr_expect_eq(err.code, ERROR_UNSUPPORTED);
	cr_expect_str_eq(err.text, "spec.health.retries needs Engine API 1.44 (Engine 25.0), the "
				   "host has 1.43");
	cr_expect_eq(json_object_size(body), 0);
	cr_expect_eq(schema_encode(&test_schema, spec, 44, body, &err), 0);
	json_decref(spec);
	json_decref(body);
}

Test(schema, observing_takes_any_answer)
{
	static const char *const answers[] = {
		"{}",
		"[]",
		"null",
		"{'HostConfig':null,'Cmd':null}",
		"{'HostConfig':[]}",
		"{'Networks':[1],'Ports':{'x':1},'Health':'no','Env':[1]}",
		"{'Networks':{'a':null,'b':3},'Ports':[null,1]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		json_t *inspect = fixture_json(answers[i]);
		json_t *observed = schema_observe(&test_schema, inspect);
		struct str text;

		str_init(&text, 0);
		schema_print(&test_schema, observed, NULL, 2, &text);
		json_decref(schema_mask(&test_schema, observed, NULL));
		str_done(&text);
		json_decref(observed);
		json_decref(inspect);
	}
}

Test(schema, expectation_is_written_over_image_over_engine)
{
	json_t *spec = fixture_json("{'image':'a','environment':{'A':'1'}}");
	json_t *image = fixture_json("{'Env':{'A':'0','PATH':'/bin'},'User':'www'}");

	expect_json(schema_expect(&test_schema, spec, image),
		    fixture_json("{'image':'a','count':0,'environment':{'A':'1','PATH':'/bin'},"
				 "'user':'www'}"));
	expect_json(schema_expect(&test_schema, spec, NULL),
		    fixture_json("{'image':'a','count':0,'environment':{'A':'1'},"
				 "'" SCHEMA_IMAGE_UNKNOWN "':true}"));
	expect_json(spec, fixture_json("{'image':'a','environment':{'A':'1'}}"));
	json_decref(image);
}

static void collect(void *ctx, const char *kind, const char *name, const char *path)
{
	str_printf(ctx, "%s/%s at %s\n", kind, name, path);
}

Test(schema, references_with_their_paths)
{
	json_t *spec = fixture_json("{'image':'a','networks':{'n':{},'m':{}},'source':'s',"
				    "'colour':'blue'}");
	struct str found;

	str_init(&found, 0);
	schema_references(&test_schema, spec, collect, &found);
	cr_expect_str_eq(found.data, "Network/n at spec.networks.n\nNetwork/m at spec.networks.m\n"
				     "Volume/s at spec.source\n");
	str_clear(&found);
	json_object_set_new(spec, "colour", json_string("red"));
	json_object_del(spec, "networks");
	schema_references(&test_schema, spec, collect, &found);
	cr_expect_str_eq(found.data, "");
	str_done(&found);
	json_decref(spec);
}

static void expect_reads_back(json_t *spec)
{
	struct str text;

	str_init(&text, 0);
	schema_print(&test_schema, spec, NULL, 0, &text);
	json_t *again = fixture_decode(&test_schema, text.data);
	cr_expect_str_eq(fixture_faults(), "", "%s", fixture_faults());
	cr_expect(json_equal(again, spec), "%s", text.data);
	str_done(&text);
	json_decref(again);
	json_decref(spec);
}

Test(schema, what_is_printed_reads_back)
{
	expect_reads_back(fixture_json(
		"{'image':'a:1','count':-5,'init':false,'memory':1000,'period':90000000001,"
		"'cpus':1500000000,'colour':'red','command':['sh','-c','a: b',''],"
		"'dns':[],"
		"'cap_add':['A','B'],'environment':{'A':'','B':'yes','C':'22:22'},'user':'0',"
		"'health':{'test':[],'interval':0,'retries':2},"
		"'ports':[{'target':80,'published':'8080'},{'target':53,'protocol':'udp'}],"
		"'networks':{'n':{'aliases':['x']},'null':{},'3':{'address':'::1'}},"
		"'options':{},'values':{'a':[1,2.5,null,true,'1','null',{}],'b':{'c':[]}}}"));
}

Test(schema, any_string_reads_back)
{
	static const char *const texts[] = {
		"",
		" ",
		"a ",
		" a",
		"~",
		"null",
		"Null",
		"true",
		"yes",
		"No",
		"1",
		"-1",
		"+1",
		"1.5",
		"1e3",
		".5",
		"0x1f",
		"0o7",
		"1_000",
		"22:22",
		"1:20:30",
		"2001-01-01",
		".inf",
		"-.inf",
		".nan",
		"=",
		"<<",
		"-",
		"- a",
		"?",
		"? a",
		":",
		": a",
		"a:",
		"a: b",
		"a:b",
		"a #b",
		"a#b",
		"#a",
		"&a",
		"*a",
		"!a",
		"|",
		">",
		"'a'",
		"\"a\"",
		"%a",
		"@a",
		"`a",
		"[a]",
		"{a}",
		"a,b",
		"a]b",
		"a}b",
		"---",
		"...",
		"a\nb",
		"a\n",
		"\ta",
		"a\tb",
		"\\",
		"a\\nb",
		"\x01",
		"\x7f",
		"\xc2\x85",
		"\xc2\xa0",
		"\xe2\x80\xa8",
		"\xef\xbb\xbf",
		"\xf0\x9f\x90\xbf",
		"\xe2\x80\xae",
		"a\rb",
		"$x",
		"${x}",
		"é",
		"***",
		"0",
		"00",
		"on",
		"y",
		"\xef\xbf\xbf",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *spec = json_pack("{s:s,s:s,s:{s:s},s:[s,s],s:{s:s,s:[s]}}", "image", "a",
					 "flag", texts[i], "options", "k", texts[i], "dns",
					 texts[i], "b", "values", "k", texts[i], "l", texts[i]);

		if (texts[i][0]) {
			json_object_set_new(json_object_get(spec, "options"), texts[i],
					    json_string("v"));
			json_object_set_new(json_object_get(spec, "values"), texts[i],
					    json_string("v"));
		}
		expect_reads_back(spec);
	}
}

Test(schema, long_keys_and_values_read_back)
{
	char text[3000];

	memset(text, 'k', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	expect_reads_back(json_pack("{s:s,s:{s:s},s:{s:s},s:[s],s:{s:{s:s}}}", "image", "a",
				    "options", text, text, "values", text, text, "dns", text,
				    "networks", text, "address", text));
}

Test(schema, lines_for_people_move_no_cursor)
{
	static const char *const texts[] = { "\x1b[2J", "a\rb",
					     "\xc2\x9b"
					     "31m",
					     "\xe2\x80\xae", "\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *value = json_pack("{s:[s]}", texts[i], texts[i]);
		struct str text;

		str_init(&text, 0);
		schema_print_value(NULL, value, &text);
		schema_print_value(NULL, json_array_get(json_object_get(value, texts[i]), 0),
				   &text);
		cr_expect(!strstr(text.data, texts[i]), "%zu: %s", i, text.data);
		str_done(&text);
		json_decref(value);
	}

	struct str none;
	str_init(&none, 0);
	schema_print_value(NULL, NULL, &none);
	cr_expect_str_eq(none.data, "(none)");
	str_done(&none);
}

Test(schema, pointers)
{
	json_t *document = fixture_json("{'a':{'b/c':1,'d~e':[10,{'f':2}],'':3}}");
	static const struct {
		const char *pointer;
		int value; /* 0: nothing there */
	} vectors[] = {
		{ "/a/b~1c", 1 },   { "/a/d~0e/0", 10 }, { "/a/d~0e/1/f", 2 },
		{ "/a/", 3 },	    { "/a/d~0e/2", 0 },	 { "/a/d~0e/00", 0 },
		{ "/a/d~0e/-", 0 }, { "/x/y", 0 },	 { "/a/b~1c/z", 0 },
		{ "a", 0 },	    { "/a/d~0e/x", 0 },	 { "/a/d~0e/99999999999999999999", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const json_t *at = pointer_get(document, vectors[i].pointer);

		cr_expect_eq(json_integer_value(at), vectors[i].value, "%s", vectors[i].pointer);
	}
	cr_expect_eq(pointer_get(document, ""), document);

	pointer_merge(document, "/a/b~1c/new", json_integer(5));
	pointer_merge(document, "/x/y", fixture_json("{'z':{'l':[1]}}"));
	pointer_merge(document, "/x/y/z", fixture_json("{'l':[2],'m':1}"));
	expect_json(document, fixture_json("{'a':{'b/c':{'new':5},'d~e':[10,{'f':2}],'':3},"
					   "'x':{'y':{'z':{'l':[1,2],'m':1}}}}"));
}
