/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single values between what is written, what the image brings and what inspect shows. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "reconcilers/container_codec.h"
#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_codec, .init = pass_setup, .fini = pass_teardown);

static void expect_json(json_t *got, const char *expected)
{
	CLEANUP(cleanup_free) char *text = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;
	json_t *want = expected ? pass_json(expected) : NULL;

	cr_expect(got == want || json_equal(got, want), "got %s, expected %s",
		  text ? text : "nothing", expected ? expected : "nothing");
	json_decref(got);
}

static const struct field *row(const char *key)
{
	return schema_field(&container_schema, key);
}

static void inherits(const char *key, const char *spec, const char *image, const char *expected)
{
	json_t *written = pass_json(spec);

	expect_json(row(key)->codec->inherit(row(key), json_object_get(written, key), written,
					     pass_json(image)),
		    expected);
}

static void observes(const char *key, const char *inspect, const char *expected)
{
	json_t *observed = schema_observe(&container_schema, pass_json(inspect));

	expect_json(json_incref(json_object_get(observed, key)), expected);
	json_decref(observed);
}

#define IMAGE "{'Cmd': ['serve'], 'Entrypoint': ['/init'], 'StopSignal': '15'}"

/* The image's command is used where both are empty; an entry point drops it. */
Test(container_codec, command_and_entry_point)
{
	inherits("command", "{}", IMAGE, "['serve']");
	inherits("command", "{'command': []}", IMAGE, "['serve']");
	inherits("command", "{'command': ['a']}", IMAGE, "['a']");
	inherits("command", "{'entrypoint': ['/x']}", IMAGE, NULL);
	inherits("command", "{'entrypoint': []}", IMAGE, "['serve']");
	inherits("command", "{'entrypoint': ['']}", IMAGE, NULL);
	inherits("entrypoint", "{}", IMAGE, "['/init']");
	inherits("entrypoint", "{'command': ['a']}", IMAGE, "['/init']");
	inherits("entrypoint", "{'entrypoint': []}", IMAGE, "[]");
	inherits("entrypoint", "{'entrypoint': ['']}", IMAGE, NULL);
	inherits("entrypoint", "{}", "{}", NULL);
}

Test(container_codec, environment_is_a_map_over_the_images)
{
	inherits("environment", "{'environment': {'A': 'x=y', 'B': ''}}",
		 "{'Env': ['A=1', 'C=2', 'ODD']}", "{'A': 'x=y', 'B': '', 'C': '2', 'ODD': null}");
	observes("environment", "{'Config': {'Env': ['A=x=y', 'B=', 'GONE']}}",
		 "{'A': 'x=y', 'B': '', 'GONE': null}");
}

Test(container_codec, health_checks_merge_member_by_member)
{
	const char *image = "{'Healthcheck': {'Test': ['CMD', 'a'], 'Interval': 7, 'Retries': 2}}";

	inherits("healthcheck", "{}", image, "{'test': ['CMD', 'a'], 'interval': 7, 'retries': 2}");
	inherits("healthcheck", "{'healthcheck': {'interval': 9}}", image,
		 "{'test': ['CMD', 'a'], 'interval': 9, 'retries': 2}");
	inherits("healthcheck", "{'healthcheck': {'disable': true}}", image, NULL);
	inherits("healthcheck", "{'healthcheck': {'test': ['NONE']}}", image, NULL);
	inherits("healthcheck", "{'healthcheck': {'interval': 9}}",
		 "{'Healthcheck': {'Test': ['NONE']}}", NULL);
	inherits("healthcheck", "{'healthcheck': {'test': [], 'interval': 9}}", image,
		 "{'test': ['CMD', 'a'], 'interval': 9, 'retries': 2}");
	inherits("healthcheck", "{}", "{}", NULL);
	observes("healthcheck", "{'Config': {'Healthcheck': {'Test': ['NONE']}}}", NULL);
	observes("healthcheck", "{'Config': {'Healthcheck': {'Test': ['CMD', 'a'], 'Timeout': 0}}}",
		 "{'test': ['CMD', 'a']}");
}

Test(container_codec, drey_s_own_labels_are_no_labels)
{
	observes("labels", "{'Config': {'Labels': {'a': 'b', 'drey.uid': 'u'}}}", "{'a': 'b'}");
	inherits("labels", "{'labels': {'a': 'c'}}", "{'Labels': {'a': 'b', 'drey.uid': 'u'}}",
		 "{'a': 'c'}");
}

Test(container_codec, silence_has_many_spellings)
{
	static const char *const absent =
		"{'Id': '0123456789abcdef', 'Config': {'User': '', 'WorkingDir': '',"
		"'Hostname': '0123456789ab', 'Domainname': '', 'StopSignal': '', 'StopTimeout': "
		"null},"
		"'HostConfig': {'PidMode': '', 'CpusetCpus': '', 'PidsLimit': 0,"
		"'RestartPolicy': {'Name': '', 'MaximumRetryCount': 0}, 'MemorySwappiness': -1,"
		"'NetworkMode': 'default'}}";
	static const char *const keys[] = { "user",	  "working_dir",    "hostname",
					    "domainname", "stop_signal",    "stop_grace_period",
					    "pid",	  "cpuset",	    "pids_limit",
					    "restart",	  "mem_swappiness", "network_mode" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		observes(keys[i], absent, NULL);
	observes("pids_limit", "{'HostConfig': {'PidsLimit': -1}}", NULL);
	observes("pids_limit", "{'HostConfig': {'PidsLimit': 7}}", "7");
}

/* In another container's network the host name is that one's (initializeNetworking). */
Test(container_codec, a_host_name_of_another_container_is_nobodys_wish)
{
	observes("hostname", "{'Config': {'Hostname': 'web'}}", "'web'");
	observes("hostname",
		 "{'Config': {'Hostname': 'web'}, 'HostConfig': {'NetworkMode': 'container:1'}}",
		 NULL);
}

/* SELinux hosts add it to what is privileged or in the host's namespaces. */
Test(container_codec, labels_that_privilege_brings)
{
	observes("security_opt",
		 "{'HostConfig': {'Privileged': true, 'SecurityOpt': ['label=disable', "
		 "'no-new-privileges']}}",
		 "['no-new-privileges:true']");
	observes("security_opt",
		 "{'HostConfig': {'PidMode': 'host', 'SecurityOpt': ['label=disable']}}", "[]");
	observes("security_opt", "{'HostConfig': {'SecurityOpt': ['label:disable']}}",
		 "['label=disable']");
}

/* An empty list of bindings is one to any port; "" and 0.0.0.0 are not the same address. */
Test(container_codec, port_bindings)
{
	observes("ports",
		 "{'HostConfig': {'PortBindings': {'80/tcp': [{'HostIp': '', 'HostPort': '80'},"
		 "{'HostIp': '0.0.0.0', 'HostPort': '81'}], '53/udp': [], '9': null}}}",
		 "[{'target': 80, 'published': '80'}, {'target': 80, 'published': '81', 'host_ip': "
		 "'0.0.0.0'}, {'target': 53, 'protocol': 'udp'}, {'target': 9}]");
	observes("ports", "{'HostConfig': {'PortBindings': null}}", NULL);
}

/* Before API 1.45 aliases hold the short ID and the host name. */
Test(container_codec, aliases_are_what_was_asked_for)
{
	observes("networks",
		 "{'Id': '0123456789abcdef', 'Config': {'Hostname': 'host'}, 'HostConfig': "
		 "{'NetworkMode': 'front'}, 'NetworkSettings': {'Networks': {'front': {'Aliases': "
		 "['www', '0123456789ab', 'host'], 'IPAMConfig': {'IPv6Address': '2001:DB8:0::1'},"
		 "'IPAddress': '10.0.0.3'}}}}",
		 "{'front': {'aliases': ['www'], 'ipv6_address': '2001:db8::1'}}");
	observes("networks",
		 "{'HostConfig': {'NetworkMode': 'front'}, 'NetworkSettings': {'Networks': "
		 "{'front': {'IPAMConfig': {'LinkLocalIPs': ['FE80:0::1']}}}}}",
		 "{'front': {'link_local_ips': ['fe80::1']}}");
	observes("networks",
		 "{'HostConfig': {'NetworkMode': 'host'}, 'NetworkSettings': {'Networks': {'host': "
		 "{}}}}",
		 NULL);
}

Test(container_codec, name_servers_have_one_spelling)
{
	observes("dns", "{'HostConfig': {'Dns': ['2001:DB8:0::35', '10.0.0.53']}}",
		 "['2001:db8::35', '10.0.0.53']");
	observes("dns", "{'HostConfig': {'Dns': null}}", NULL);
}

Test(container_codec, binds_are_mounts_written_as_text)
{
	observes("volumes",
		 "{'HostConfig': {'Binds': ['/a:/b:ro,rshared', 'data:/d/:z', '/x:/y:weird']},"
		 "'Config': {'Volumes': {'/d': {}, '/e/': {}}}}",
		 "[{'type': 'bind', 'source': '/a', 'target': '/b', 'read_only': true, 'bind': "
		 "{'propagation': 'rshared'}},"
		 "{'type': 'volume', 'source': 'data', 'target': '/d'},"
		 "{'type': 'bind', 'target': '/x:/y:weird'},"
		 "{'type': 'volume', 'target': '/e'}]");
}

Test(container_codec, spellings)
{
	expect_json(signal_normalize("9"), "'SIGKILL'");
	expect_json(signal_normalize("term"), "'SIGTERM'");
	expect_json(signal_normalize("SIGRTMIN+3"), "'SIGRTMIN+3'");
	expect_json(signal_normalize("34"), "'SIGRTMIN'");
	expect_json(signal_normalize("37"), "'SIGRTMIN+3'");
	expect_json(signal_normalize("49"), "'SIGRTMIN+15'");
	expect_json(signal_normalize("50"), "'SIGRTMAX-14'");
	expect_json(signal_normalize("64"), "'SIGRTMAX'");
	expect_json(signal_normalize("65"), "'SIG65'");
	expect_json(capability_normalize("all"), "'ALL'");
	expect_json(capability_normalize("cap_Sys_Admin"), "'CAP_SYS_ADMIN'");
	expect_json(security_normalize("no-new-privileges=false"), "'no-new-privileges:false'");
	expect_json(tmpfs_normalize("/run/:rw,exec,size=1m"), "'/run:exec,rw,size=1m'");
	expect_json(address_normalize("FE80:0::1"), "'fe80::1'");
	expect_json(mac_normalize("02-42-AC-00-00-01"), "'02:42:ac:00:00:01'");
}

Test(container_codec, paths_are_cleaned_as_go_does)
{
	static const char *const cases[][2] = { { "/", "/" },	      { "//a//b/", "/a/b" },
						{ "/a/./b", "/a/b" }, { "/a/../b", "/b" },
						{ "/../a", "/a" },    { "/a/b/..", "/a" },
						{ "/..", "/" },	      { "/a/...", "/a/..." } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(cleanup_free) char *clean = path_clean(cases[i][0]);

		cr_expect_str_eq(clean, cases[i][1], "%s", cases[i][0]);
	}
}

/* What an engine or a man in the middle may answer must not bring drey down. */
Test(container_codec, answers_of_any_shape_are_survived)
{
	static const char *const odd[] = { "null", "true",
					   "7",	   "'x'",
					   "[]",   "[1, null, {}]",
					   "{}",   "{'a': 1, 'b': null, '80/tcp': {}}" };

	schema_foreach (&container_schema, field) {
		const char *pointer = field->inspect ? field->inspect : field->api;

		if (!pointer || !field->codec || !field->codec->decode)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(odd); k++) {
			json_t *value = pass_json(odd[k]);
			json_t *whole = pass_json("{'Config': [], 'HostConfig': 3, 'Id': 4}");

			json_decref(field->codec->decode(field, json_is_null(value) ? NULL : value,
							 whole));
			json_object_set_new(whole, "HostConfig",
					    json_pack("{s:O, s:O, s:O}", "Binds", value, "Mounts",
						      value, "NetworkMode", value));
			json_object_set_new(
				whole, "Config",
				json_pack("{s:O, s:O}", "Volumes", value, "Hostname", value));
			json_decref(field->codec->decode(field, value, whole));
		}
	}
}
