/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is sent to make or change a container. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "manifests/pointer.h"
#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_body, .init = pass_setup, .fini = pass_teardown);

#define HEAD                                                                                       \
	"apiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\n"                          \
	"spec:\n  image: rich:1\n"
#define NETWORK(name) "---\napiVersion: drey/v1\nkind: Network\nmetadata: { name: " name " }\n"
#define VOLUME(name) "---\napiVersion: drey/v1\nkind: Volume\nmetadata: { name: " name " }\n"

static struct pass *pass;

static const struct resource *web(const char *yaml)
{
	pass = pass_manifests(yaml);
	pass_has_image("rich:1", pass_data("engine-20.10/image-rich"));
	return desired_find(pass->desired, "Container", "web");
}

static json_t *body_of(const struct resource *want, const struct object *replaces)
{
	struct error err = ERROR_INIT;
	json_t *body = NULL;
	char uid[33];

	cr_assert_eq(container_create_body(pass, want, replaces, uid, &body, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Labels/drey.uid")), uid);
	cr_expect_eq(strspn(uid, "0123456789abcdef"), 32);
	return body;
}

static void expect_at(const json_t *body, const char *pointer, const char *json)
{
	const json_t *value = pointer_get(body, pointer);
	json_t *expected = json ? pass_json(json) : NULL;
	CLEANUP(cleanup_free) char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	cr_expect(value == expected || json_equal(value, expected), "%s is %s", pointer,
		  text ? text : "nothing");
}

Test(container_body, says_what_is_written_and_no_more)
{
	json_t *body = body_of(web(HEAD), NULL);

	expect_at(body, "/Image", "'rich:1'");
	expect_at(body, "/HostConfig", "{}");
	expect_at(body, "/NetworkingConfig", NULL);
	cr_expect_eq(json_object_size(body), 3);
	json_decref(body);
}

Test(container_body, hooks_are_no_affair_of_the_engine)
{
	json_t *body = body_of(web(HEAD "  post_start: [{ command: x, environment: { A: b } }]\n"
					"  pre_stop: [{ command: x }]\n"),
			       NULL);

	expect_at(body, "/HostConfig", "{}");
	cr_expect_eq(json_object_size(body), 3);
	json_decref(body);
}

Test(container_body, labels_say_whose_it_is)
{
	json_t *body = body_of(web(HEAD "  labels: { a: b }\n"), NULL);

	expect_at(body, "/Labels/a", "'b'");
	expect_at(body, "/Labels/drey.project", "'p'");
	expect_at(body, "/Labels/drey.kind", "'Container'");
	expect_at(body, "/Labels/drey.name", "'web'");
	expect_at(body, "/Labels/drey.revision", "'r1'");
	expect_at(body, "/Labels/drey.format", "'1'");
	expect_at(body, "/Labels/drey.replaces", NULL);
	cr_expect_eq(json_string_length(pointer_get(body, "/Labels/drey.spec")), 64);
	json_decref(body);
}

/* An engine publishes only what is exposed as well (moby daemon/network.go). */
Test(container_body, published_ports_are_exposed_too)
{
	json_t *body = body_of(web(HEAD "  ports: [\"8080-8081:80-81\", \"[::1]:53:53/udp\", "
					"\"9000\"]\n  expose: [\"70-71\"]\n"),
			       NULL);

	expect_at(body, "/HostConfig/PortBindings",
		  "{'80/tcp': [{'HostIp': '', 'HostPort': '8080'}],"
		  "'81/tcp': [{'HostIp': '', 'HostPort': '8081'}],"
		  "'53/udp': [{'HostIp': '::1', 'HostPort': '53'}],"
		  "'9000/tcp': [{'HostIp': '', 'HostPort': ''}]}");
	expect_at(body, "/ExposedPorts",
		  "{'80/tcp': {}, '81/tcp': {}, '53/udp': {}, '9000/tcp': {}, '70/tcp': {}, "
		  "'71/tcp': {}}");
	json_decref(body);
}

/* Engines before API 1.44 take one network at create. */
Test(container_body, the_first_network_goes_along)
{
	const struct resource *want =
		web(HEAD "  networks: { b: { aliases: [www] }, a: {} }\n" NETWORK("a")
			    NETWORK("b") "spec: { name: b-1 }\n");
	json_t *body = body_of(want, NULL), *names = container_networks(pass, want);

	expect_at(body, "/HostConfig/NetworkMode", "'b-1'");
	expect_at(body, "/NetworkingConfig", "{'EndpointsConfig': {'b-1': {'Aliases': ['www']}}}");
	expect_at(names, "", "['b-1', 'a']");
	json_decref(names);
	json_decref(body);
}

Test(container_body, without_network_nothing_is_connected)
{
	const struct resource *want = web(HEAD "  network_disabled: true\n");
	json_t *body = body_of(want, NULL), *names = container_networks(pass, want);

	expect_at(body, "/NetworkDisabled", "true");
	expect_at(body, "/HostConfig/NetworkMode", NULL);
	expect_at(names, "", "[]");
	json_decref(names);
	json_decref(body);
}

Test(container_body, modes_have_no_networks)
{
	const struct resource *want = web(HEAD "  network_mode: host\n");
	json_t *body = body_of(want, NULL), *names = container_networks(pass, want);

	expect_at(body, "/HostConfig/NetworkMode", "'host'");
	expect_at(body, "/NetworkingConfig", NULL);
	expect_at(names, "", "[]");
	json_decref(names);
	json_decref(body);
}

Test(container_body, a_partner_is_called_by_its_engine_name)
{
	json_t *body = body_of(web(HEAD "  pid: \"service:db\"\n---\napiVersion: drey/v1\n"
					"kind: Container\nmetadata: { name: db }\n"
					"spec: { image: rich:1, container_name: db-1 }\n"),
			       NULL);

	expect_at(body, "/HostConfig/PidMode", "'container:db-1'");
	json_decref(body);
}

#define MOUNTS                                                                                     \
	HEAD "  volumes:\n    - /srv:/srv:ro\n    - /etc:/e:Z\n    - web-data:/var/lib/web\n"      \
	     "    - { type: bind, source: /opt, target: /opt, bind: { create_host_path: false } "  \
	     "}\n"

/* CreateMountpoint came with API 1.42; SELinux labels only ever stood in Binds. */
Test(container_body, binds_take_what_mounts_cannot)
{
	json_t *body = body_of(web(MOUNTS VOLUME("web-data")), NULL);

	expect_at(body, "/HostConfig/Binds", "['/srv:/srv:ro', '/etc:/e:rw,Z']");
	expect_at(body, "/HostConfig/Mounts",
		  "[{'Type': 'volume', 'Target': '/var/lib/web', 'Source': 'web-data'},"
		  "{'Type': 'bind', 'Target': '/opt', 'Source': '/opt', 'BindOptions': {}}]");
	json_decref(body);

	pass_api(42);
	body = body_of(desired_find(pass->desired, "Container", "web"), NULL);
	expect_at(body, "/HostConfig/Binds", "['/etc:/e:rw,Z']");
	expect_at(body, "/HostConfig/Mounts/0/BindOptions", "{'CreateMountpoint': true}");
	cr_expect_eq(json_array_size(pointer_get(body, "/HostConfig/Mounts")), 3);
	json_decref(body);
}

/* Else create copies the image's files into a volume that is in use. */
Test(container_body, a_replacement_keeps_volumes_and_copies_nothing_into_them)
{
	const struct resource *want =
		web(HEAD "  volumes: [\"web-data:/var/lib/web\", \"new:/new\", /unnamed, "
			 "/srv:/srv]\n" VOLUME("web-data") VOLUME("new"));
	const struct object *old =
		pass_has_container(pass_data("engine-20.10/container-mounts"), "web");
	json_t *body = body_of(want, old);
	const json_t *mounts = pointer_get(body, "/HostConfig/Mounts"), *mount;
	size_t anonymous = 0, i;

	json_array_foreach (mounts, i, mount) {
		const char *target = json_string_value(json_object_get(mount, "Target"));
		const char *source = json_string_value(json_object_get(mount, "Source"));
		bool nocopy = pointer_get(mount, "/VolumeOptions/NoCopy") != NULL;

		anonymous += strlen(source) == 64;
		cr_expect_eq(nocopy, strcmp(target, "/new") != 0, "%s", target);
	}
	/* /unnamed, and /data of the image; /anonymous is not wanted any more. */
	cr_expect_eq(anonymous, 2);
	cr_expect_eq(json_array_size(mounts), 4);
	expect_at(body, "/HostConfig/Binds", "['/srv:/srv:rw']");
	cr_expect(str_has_prefix(json_string_value(pointer_get(body, "/Labels/drey.replaces")),
				 old->id));
	cr_expect(str_has_suffix(json_string_value(pointer_get(body, "/Labels/drey.replaces")),
				 ",no"));
	json_decref(body);
}

Test(container_body, a_restored_volume_is_mounted_by_its_new_name)
{
	json_t *body;
	const struct resource *want =
		web(HEAD "  volumes: [\"web-data:/var/lib/web\"]\n" VOLUME("web-data"));

	pass_has_volume(pass_json("{'Name': 'web-data', 'Driver': 'local'}"), "web-data");
	pass_has_volume(pass_json("{'Name': 'web-data.2', 'Driver': 'local',"
				  "'Labels': {'drey.generation': '2'}}"),
			"web-data");
	body = body_of(want, NULL);
	expect_at(body, "/HostConfig/Mounts",
		  "[{'Type': 'volume', 'Target': '/var/lib/web', 'Source': 'web-data.2'}]");
	json_decref(body);
}

Test(container_body, a_field_that_the_engine_is_too_old_for_is_an_error)
{
	const struct resource *want = web(HEAD "  annotations: { a: b }\n");
	struct error err = ERROR_INIT;
	json_t *body;
	char uid[33];

	cr_expect_eq(container_create_body(pass, want, NULL, uid, &body, &err), -1);
	cr_expect_eq(err.code, ERROR_UNSUPPORTED);
	cr_expect(strstr(err.text, "1.43"), "%s", err.text);
}

/* --- update --- */

static json_t *update_of(const char *spec, const char *recorded)
{
	const char *yaml = arena_printf(pass->arena, HEAD "%s", spec);
	const struct resource *want = web(yaml);

	pass_has_image("rich:1", pass_data("engine-20.10/image-busy"));
	json_t *inspect = pass_data(recorded);
	pass_has_container(inspect, "web");
	cr_assert(want);
	return container_update_body(pass, pass_compare("Container", "web"));
}

/* Memory above the MemorySwap that is stored is refused unless both are sent. */
Test(container_body, memory_never_goes_without_swap)
{
	pass = pass_manifests("apiVersion: drey/v1\nkind: Volume\nmetadata: { name: v }\n");
	json_t *body = update_of("  mem_limit: 128m\n  cpu_shares: 512\n  restart: always\n",
				 "engine-20.10/container-limits");

	expect_at(body, "", "{'Memory': 134217728, 'MemorySwap': 268435456, 'PidsLimit': -1}");
	json_decref(body);
}

Test(container_body, a_restart_policy_is_set_live)
{
	pass = pass_manifests("apiVersion: drey/v1\nkind: Volume\nmetadata: { name: v }\n");
	json_t *body = update_of("  mem_limit: 64m\n  cpu_shares: 512\n  pids_limit: 50\n"
				 "  restart: on-failure:5\n",
				 "engine-20.10/container-limits");

	expect_at(body, "", "{'RestartPolicy': {'Name': 'on-failure', 'MaximumRetryCount': 5}}");
	json_decref(body);
}

Test(container_body, deploy_is_sent_as_the_rows_that_say_the_same)
{
	json_t *body = body_of(
		web(HEAD
		    "  deploy:\n    resources:\n      limits: { cpus: \"0.5\", memory: 64m, "
		    "pids: 20 }\n      reservations:\n        memory: 32m\n        devices: [{ "
		    "capabilities: [gpu, compute], device_ids: [b, a] }]\n"
		    "    restart_policy: { condition: on-failure, max_attempts: 2 }\n"),
		NULL);

	expect_at(body, "/HostConfig/NanoCpus", "500000000");
	expect_at(body, "/HostConfig/Memory", "67108864");
	expect_at(body, "/HostConfig/MemoryReservation", "33554432");
	expect_at(body, "/HostConfig/PidsLimit", "20");
	expect_at(body, "/HostConfig/RestartPolicy",
		  "{'Name': 'on-failure', 'MaximumRetryCount': 2}");
	expect_at(body, "/HostConfig/DeviceRequests",
		  "[{'DeviceIDs': ['a', 'b'], 'Capabilities': [['compute', 'gpu']]}]");
	json_decref(body);
}

Test(container_body, all_gpus)
{
	json_t *body = body_of(web(HEAD "  gpus: all\n"), NULL);

	expect_at(body, "/HostConfig/DeviceRequests", "[{'Count': -1, 'Capabilities': [['gpu']]}]");
	json_decref(body);
}

Test(container_body, a_hardware_address_has_its_place_by_version)
{
	const struct resource *want = web(HEAD "  mac_address: 02-42-AC-11-65-43\n"
					       "  networks: [a]\n" NETWORK("a"));
	json_t *body = body_of(want, NULL);

	expect_at(body, "/MacAddress", "'02:42:ac:11:65:43'");
	json_decref(body);
	pass_api(44);
	body = body_of(want, NULL);
	expect_at(body, "/MacAddress", NULL);
	expect_at(body, "/NetworkingConfig/EndpointsConfig/a/MacAddress", "'02:42:ac:11:65:43'");
	json_decref(body);
}

Test(container_body, links_belong_to_the_container_or_to_its_networks)
{
	static const char db[] = "---\napiVersion: drey/v1\nkind: Container\n"
				 "metadata: { name: db }\nspec: { image: busy:1, "
				 "container_name: db-1 }\n";
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), HEAD "  links: [\"db:sql\"]\n  external_links: [old]\n%s", db);
	json_t *body = body_of(web(yaml), NULL);
	expect_at(body, "/HostConfig/Links", "['db-1:sql', 'old:old']");
	json_decref(body);
	snprintf(yaml, sizeof(yaml),
		 HEAD "  networks: [a]\n  links: [\"db:sql\"]\n  volumes_from: [\"db:ro\", "
		      "\"container:x\"]\n%s" NETWORK("a"),
		 db);
	body = body_of(web(yaml), NULL);
	expect_at(body, "/HostConfig/Links", NULL);
	expect_at(body, "/HostConfig/VolumesFrom", "['db-1:ro', 'x']");
	expect_at(body, "/NetworkingConfig/EndpointsConfig/a/Links", "['db-1:sql']");
	json_decref(body);
}

static void expect_too_old(const char *yaml, const char *words)
{
	struct error err = ERROR_INIT;
	const struct resource *want = web(yaml);
	json_t *body = NULL;
	char uid[33];

	cr_expect_lt(container_create_body(pass, want, NULL, uid, &body, &err), 0);
	cr_expect_eq(err.code, ERROR_UNSUPPORTED);
	cr_expect(strstr(err.text, words), "%s", err.text);
}

/* What an older engine would leave out without a word, members and words of a row among it (moby
 * daemon/server/router/container/container_routes.go). */
Test(container_body, what_an_engine_is_too_old_for_is_an_error)
{
	expect_too_old(HEAD "  annotations: { a: b }\n", "spec.annotations needs Engine API 1.43");
	expect_too_old(HEAD "  console_size: { height: 1, width: 1 }\n", "needs Engine API 1.42");
	expect_too_old(HEAD "  healthcheck: { test: \"true\", start_interval: 1s }\n",
		       "spec.healthcheck.start_interval needs Engine API 1.44 (Engine 25.0)");
	expect_too_old(HEAD "  networks: { a: { gw_priority: 1 } }\n" NETWORK("a"),
		       "gw_priority needs Engine API 1.48");
	expect_too_old(HEAD
		       "  networks: { a: { mac_address: \"02:42:ac:11:65:43\" } }\n" NETWORK("a"),
		       "mac_address needs Engine API 1.44");
	expect_too_old(HEAD "  volumes: [{ type: image, source: i, target: /i }]\n",
		       "spec.volumes[0].type of image needs Engine API 1.48 (Engine 28.0)");
	expect_too_old(HEAD
		       "  volumes: [{ type: bind, source: /a, target: /i, read_only: true, bind: "
		       "{ recursive: writable } }]\n",
		       "spec.volumes[0].bind.recursive of writable needs Engine API 1.44");
	expect_too_old(HEAD
		       "  volumes: [{ type: tmpfs, target: /i, tmpfs: { options: [noexec] } }]\n",
		       "tmpfs.options needs Engine API 1.46");
	expect_too_old(
		HEAD "  volumes: [{ source: v, target: /i, volume: { subpath: a } }]\n" VOLUME("v"),
		"volume.subpath needs Engine API 1.45");
}
