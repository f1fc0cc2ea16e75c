/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers as real engines show them (tests/unit/data/engine-*, made by plain API calls) against
 * manifests. Each trap is one in which inspect's answer is not what was asked for; the
 * engine source that is the cause is named.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_compare, .init = pass_setup, .fini = pass_teardown);

#define HEAD "apiVersion: drey/v1\nkind: Container\nmetadata: { name: "
#define FRONT                                                                                      \
	"---\napiVersion: drey/v1\nkind: Network\nmetadata: { name: front }\n"                     \
	"spec: { ipam: { config: [{ subnet: 10.91.0.0/24 }] } }\n"
#define WEB_DATA "---\napiVersion: drey/v1\nkind: Volume\nmetadata: { name: web-data }\n"

/* What the recorded container `full` was asked to be. */
#define FULL                                                                                       \
	HEAD "full }\nspec:\n"                                                                     \
	     "  image: docker.io/library/busy:1\n"                                                 \
	     "  environment: { A: \"1\", PATH: \"/bin:/sbin:/usr/bin:/usr/local/bin\" }\n"         \
	     "  hostname: web\n  working_dir: /tmp/\n  stop_signal: TERM\n"                        \
	     "  healthcheck: { test: [CMD, \"true\"], interval: 5s }\n"                            \
	     "  networks: { front: { aliases: [www, web], ipv4_address: 10.91.0.9 } }\n"           \
	     "  ports: [\"127.0.0.1:18090:80\", \"53/udp\"]\n"                                     \
	     "  cap_add: [NET_ADMIN]\n  cap_drop: [mknod]\n"                                       \
	     "  security_opt: [\"no-new-privileges:true\"]\n  mem_limit: 64m\n"                    \
	     "  restart: on-failure:3\n  tmpfs: [\"/scratch/:mode=755,size=1m\"]\n"                \
	     "  devices: [\"/dev/null:/dev/nothing:rw\"]\n"

/* Which engine's answers are taken. */
static const char *engine = "20.10";

static json_t *data(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "engine-%s/%s", engine, name);
	return pass_data(path);
}

static void has_network(const char *name, const char *resource)
{
	json_t *network;
	size_t i;

	json_array_foreach (data("networks"), i, network) {
		if (strcmp(json_string_value(json_object_get(network, "Name")), name) == 0)
			pass_has_network(network, resource);
	}
}

/* The host with its images, and networks by their IDs. */
static void fill_host(void)
{
	pass_has_image("busy:1", data("image-busy"));
	pass_has_image("docker.io/library/busy:1", data("image-busy"));
	pass_has_image("rich:1", data("image-rich"));
	has_network("bridge", NULL);
	has_network("front", "front");
}

static void host(const char *yaml)
{
	pass_manifests(yaml);
	fill_host();
}

static json_t *recorded(const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "container-%s", name);
	return data(file);
}

static const struct action *compared(const char *yaml, const char *name)
{
	host(yaml);
	pass_has_container(recorded(name), name);
	return pass_compare("Container", name);
}

static void expect(const struct action *action, enum verdict verdict, const char *changes)
{
	cr_expect_str_eq(pass_changes(action), changes);
	cr_expect_eq(action->verdict, verdict, "%s: %s (%s)", action->name,
		     verdict_name(action->verdict), action->reason ? action->reason : "");
}

/* On every engine there is. */
static void in_step(const char *yaml, const char *name)
{
	static const char *const engines[] = { "20.10", "26.1", "28.5" };

	for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++) {
		engine = engines[i];
		expect(compared(yaml, name), VERDICT_KEEP, "");
	}
}

/* --- silence --- */

/* Everything that daemon/create.go and daemon_unix.go fill in: restart policy "", NetworkMode
 * "default", IpcMode, ShmSize, Runtime, CgroupnsMode, masked paths, a host name. */
Test(container_compare, silence_is_what_the_engine_fills_in)
{
	in_step(HEAD "plain }\nspec: { image: busy:1 }\n", "plain");
}

/* Environment, labels, command, user, directory, exposed ports, health check, stop signal and
 * volumes of the image (daemon/commit.go, merge). */
Test(container_compare, silence_is_what_the_image_brings)
{
	in_step(HEAD "rich }\nspec: { image: rich:1 }\n", "rich");
}

Test(container_compare, what_the_image_brings_may_be_written_too)
{
	in_step(HEAD "rich }\nspec:\n  image: rich:1\n  environment: [LANG=C]\n"
		     "  labels: { vendor: acme }\n  command: forever\n  user: \"0:0\"\n"
		     "  expose: [\"9000\"]\n  volumes: [/data]\n  stop_signal: \"2\"\n"
		     "  healthcheck: { retries: 4 }\n",
		"rich");
}

Test(container_compare, every_spelling_of_a_value_is_the_same_value)
{
	in_step(FULL FRONT, "full");
}

/* A limit set by hand (docker update) shows though the manifest is silent. */
Test(container_compare, limits_set_by_hand_are_differences)
{
	const struct action *action =
		compared(HEAD "limits }\nspec: { image: busy:1 }\n", "limits");

	expect(action, VERDICT_REPLACE,
	       "restart: always -> no [live]; mem_limit: 64M -> 0 [replace]; "
	       "memswap_limit: 128M -> 0 [replace]; cpu_shares: 512 -> 0 [replace]; "
	       "pids_limit: 50 -> -1 [live]");
	cr_expect(strstr(action->reason, "can't take mem_limit away"), "%s", action->reason);
}

/* MemorySwap is twice Memory where nobody says (daemon_unix.go, adaptContainerSettings). */
Test(container_compare, swap_is_twice_the_memory)
{
	in_step(HEAD "limits }\nspec: { image: busy:1, mem_limit: 64m, cpu_shares: 512, "
		     "pids_limit: 50, restart: always }\n",
		"limits");
}

Test(container_compare, limits_change_live)
{
	expect(compared(HEAD "limits }\nspec: { image: busy:1, mem_limit: 128m, cpu_shares: 256, "
			     "pids_limit: 0, restart: unless-stopped }\n",
			"limits"),
	       VERDICT_UPDATE,
	       "restart: always -> unless-stopped [live]; mem_limit: 64M -> 128M [live]; "
	       "memswap_limit: 128M -> 256M [live]; cpu_shares: 512 -> 256 [live]; "
	       "pids_limit: 50 -> -1 [live]");
}

static const struct action *with_limits(int api, const char *spec, const char *limits)
{
	json_t *inspect = recorded("limits"), *host_config = json_object_get(inspect, "HostConfig");

	host(spec);
	pass_api(api);
	json_object_update(host_config, pass_json(limits));
	pass_has_container(inspect, "limits");
	return pass_compare("Container", "limits");
}

static void expect_reason(const struct action *action, enum verdict verdict, const char *words)
{
	cr_expect_eq(action->verdict, verdict, "%s", pass_changes(action));
	cr_expect(!words || (action->reason && strstr(action->reason, words)), "%s",
		  action->reason ? action->reason : "(no reason)");
}

#define LIMITS                                                                                     \
	HEAD "limits }\nspec: { image: busy:1, mem_limit: 64m, cpu_shares: 512, "                  \
	     "pids_limit: 50, restart: always"

/* daemon/container/container_unix.go, UpdateContainer. */
Test(container_compare, what_an_update_cannot_do_replaces)
{
	expect_reason(with_limits(41, LIMITS ", cpus: 0.5 }\n", "{}"), VERDICT_UPDATE, NULL);
	expect_reason(with_limits(41, LIMITS ", cpus: 0.5 }\n", "{'CpuQuota': 20000}"),
		      VERDICT_REPLACE, "cpu_quota");
	expect_reason(with_limits(41, LIMITS ", cpu_quota: 20ms }\n", "{'NanoCpus': 1000000000}"),
		      VERDICT_REPLACE, "take cpus away");
	expect_reason(with_limits(41, LIMITS ", memswap_limit: -1 }\n", "{}"), VERDICT_REPLACE,
		      "swap");
	expect_reason(with_limits(41, LIMITS ", cpu_rt_runtime: 10ms }\n", "{}"), VERDICT_REPLACE,
		      NULL);
	expect_reason(with_limits(41, LIMITS " }\n",
				  "{'AutoRemove': true, 'RestartPolicy': {'Name': 'no'}}"),
		      VERDICT_REPLACE, "removes itself");
}

/* API version history, 1.55: devices were taken and left out before. */
Test(container_compare, block_devices_change_in_place_on_newer_engines)
{
	static const char spec[] =
		LIMITS ", blkio_config: { device_read_bps: [{ path: /dev/sda, rate: 1m }] } }\n";
	static const char other[] = "{'BlkioDeviceReadBps': [{'Path': '/dev/sda', 'Rate': 5}]}";

	expect_reason(with_limits(41, spec, "{}"), VERDICT_REPLACE, "before API 1.55");
	expect_reason(with_limits(55, spec, "{}"), VERDICT_UPDATE, NULL);
	expect_reason(with_limits(54, spec, other), VERDICT_REPLACE, "before API 1.55");
	expect_reason(with_limits(55, spec, other), VERDICT_UPDATE, NULL);
	expect_reason(with_limits(55, LIMITS " }\n", other), VERDICT_REPLACE, "can't take");
}

/* Where the kernel does not count swap the engine makes it -1, and drops what it can't do
 * (daemon_unix.go, verifyPlatformContainerResources). */
Test(container_compare, what_the_kernel_cannot_do_is_not_expected)
{
	json_t *inspect = recorded("limits"), *limits = json_object_get(inspect, "HostConfig");
	struct action *action;

	host(HEAD "limits }\nspec: { image: busy:1, mem_limit: 64m, restart: always, "
		  "cpu_shares: 512, pids_limit: 20 }\n");
	pass_info("{'SwapLimit': false, 'PidsLimit': false}");
	json_object_set_new(limits, "MemorySwap", json_integer(-1));
	json_object_set_new(limits, "PidsLimit", json_null());
	pass_has_container(inspect, "limits");
	action = pass_compare("Container", "limits");
	expect(action, VERDICT_KEEP, "");
	cr_expect(action->warning && strstr(action->warning, "pids_limit"));
}

/* --- differences --- */

Test(container_compare, a_line_removed_from_the_manifest_is_a_difference)
{
	const struct action *action = compared(
		HEAD "full }\nspec:\n  image: busy:1\n  hostname: web\n  working_dir: /tmp\n"
		     "  healthcheck: { test: [CMD, \"true\"], interval: 5s }\n"
		     "  networks: { front: { aliases: [www], ipv4_address: 10.91.0.9 } }\n"
		     "  ports: [\"127.0.0.1:18090:80\", \"53/udp\"]\n"
		     "  cap_drop: [MKNOD]\n  security_opt: [no-new-privileges]\n"
		     "  mem_limit: 64m\n  restart: on-failure:3\n"
		     "  tmpfs: /scratch:size=1m,mode=755\n" FRONT,
		"full");

	expect(action, VERDICT_REPLACE,
	       "environment.A: 1 -> (none) [replace]; "
	       "environment.PATH: /bin:/sbin:/usr/bin:/usr/local/bin -> /bin:/sbin:/usr/bin "
	       "[replace]; devices[/dev/null:/dev/nothing:rw]: /dev/null:/dev/nothing:rw -> "
	       "(none) [replace]; cap_add[CAP_NET_ADMIN]: CAP_NET_ADMIN -> (none) [replace]");
}

/* Daemon-made values count only when they are written: its own log options stay out of it. */
Test(container_compare, what_the_daemon_decides_is_compared_when_written)
{
	json_t *inspect = recorded("full");
	const json_t *host_config = json_object_get(inspect, "HostConfig");

	json_object_set_new(json_object_get(json_object_get(host_config, "LogConfig"), "Config"),
			    "max-file", json_string("2"));
	host(FULL "  logging: { driver: json-file, options: { max-size: 20m } }\n"
		  "  ulimits: { nofile: { soft: 100, hard: 300 } }\n  shm_size: 64m\n" FRONT);
	pass_has_container(inspect, "full");
	expect(pass_compare("Container", "full"), VERDICT_REPLACE,
	       "logging.options.max-size: 10m -> 20m [replace]; "
	       "ulimits.nofile.hard: 200 -> 300 [replace]");
}

/* Binds, Mounts and Config.Volumes are one list of mounts; the merged view of inspect, with the
 * names of anonymous volumes and default propagations, is not what was asked for. */
Test(container_compare, mounts_are_read_from_where_they_were_asked_for)
{
	in_step(HEAD "mounts }\nspec:\n  image: rich:1\n  volumes:\n"
		     "    - /srv:/srv:ro\n    - web-data:/var/lib/web/\n    - /anonymous\n"
		     "    - /unnamed\n"
		     "    - { type: bind, source: /etc, target: /host/etc, read_only: true, bind: "
		     "{ propagation: private } }\n"
		     "    - { type: tmpfs, target: /cache, tmpfs: { size: 1m, mode: 01777 } "
		     "}\n" WEB_DATA,
		"mounts");
}

Test(container_compare, a_changed_mount_is_named)
{
	expect(compared(HEAD "mounts }\nspec:\n  image: rich:1\n  volumes:\n"
			     "    - /srv:/srv\n    - web-data:/var/lib/web\n    - /anonymous\n"
			     "    - { type: bind, source: /etc, target: /host/etc, read_only: true,"
			     " bind: { propagation: private } }\n"
			     "    - { type: tmpfs, target: /cache, tmpfs: { size: 2m, mode: 1777 } "
			     "}\n" WEB_DATA,
			"mounts"),
	       VERDICT_REPLACE,
	       "volumes[/unnamed]: /unnamed -> (none) [replace]; "
	       "volumes[/srv:/srv].read_only: true -> false [replace]; "
	       "volumes[/cache].tmpfs.size: 1M -> 2M [replace]");
}

static json_t *with_volume(const char *name, const char *volume, const char *from)
{
	json_t *inspect = recorded("plain");

	json_object_set_new(inspect, "Id", json_sprintf("%.4s00000000", name));
	json_object_set_new(inspect, "Name", json_sprintf("/%s", name));
	json_object_set_new(json_object_get(inspect, "Config"), "Hostname",
			    json_sprintf("%.4s00000000", name));
	json_object_set_new(inspect, "Mounts",
			    json_pack("[{s:s, s:s, s:s, s:b}]", "Type", "volume", "Name", volume,
				      "Destination", "/data", "RW", 1));
	if (from)
		json_object_set_new(json_object_get(inspect, "HostConfig"), "VolumesFrom",
				    json_pack("[s]", from));
	return inspect;
}

static void has_with_volume(const char *name, const char *volume, const char *from)
{
	pass_has_container(with_volume(name, volume, from), name);
}

/* The engine has copied them once, and the source may have others by now. */
Test(container_compare, volumes_from_are_those_of_the_source)
{
	static const struct {
		const char *of_user, *own;
		enum verdict verdict;
		const char *changes;
	} cases[] = {
		{ "first", "", VERDICT_KEEP, "" },
		{ "second", "", VERDICT_REPLACE,
		  "volumes_from: second at /data -> first at /data [replace]" },
		{ "second", ", volumes: [\"/elsewhere:/data\"]", VERDICT_REPLACE,
		  "volumes[/elsewhere:/data]: (none) -> /elsewhere:/data [replace]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(cleanup_free)
		char *yaml = xasprintf(HEAD "user }\nspec: { image: busy:1, volumes_from: "
					    "[source]%s }\n---\n" HEAD
					    "source }\nspec: { image: busy:1, volumes: [/data] }\n",
				       cases[i].own);

		host(yaml);
		has_with_volume("source", "first", NULL);
		has_with_volume("user", cases[i].of_user, "source");
		expect(pass_compare("Container", "user"), cases[i].verdict, cases[i].changes);
	}
}

/* What the image alone mounts there gives way to what comes with volumes_from. */
Test(container_compare, volumes_from_go_before_those_of_the_image)
{
	json_t *image, *user;

	host(HEAD "user }\nspec: { image: busy:1, volumes_from: [source] }\n---\n" HEAD
		  "source }\nspec: { image: busy:1, volumes: [/data] }\n");
	image = json_deep_copy(data("image-busy"));
	json_object_set_new(json_object_get(image, "Config"), "Volumes",
			    json_pack("{s:{}}", "/data"));
	pass_has_image("busy:1", image);
	json_decref(image);
	has_with_volume("source", "first", NULL);
	user = with_volume("user", "second", "source");
	json_object_set_new(json_object_get(user, "Config"), "Volumes",
			    json_pack("{s:{}}", "/data"));
	pass_has_container(user, "user");
	expect(pass_compare("Container", "user"), VERDICT_REPLACE,
	       "volumes_from: second at /data -> first at /data [replace]");
}

/* --- images --- */

/* Engines before 26.1 clean the image's path when they create a container. */
Test(container_compare, a_working_directory_ends_with_a_slash_or_not)
{
	json_t *image = json_deep_copy(data("image-busy")), *inspect = recorded("plain");

	host(HEAD "plain }\nspec: { image: busy:1 }\n");
	json_object_set_new(json_object_get(image, "Config"), "WorkingDir", json_string("/app/"));
	json_object_set_new(json_object_get(inspect, "Config"), "WorkingDir", json_string("/app"));
	pass_has_image("busy:1", image);
	json_decref(image);
	pass_has_container(inspect, "plain");
	expect(pass_compare("Container", "plain"), VERDICT_KEEP, "");
}

Test(container_compare, a_tag_that_moved_is_a_difference)
{
	const struct action *action;
	json_t *other;

	host(HEAD "plain }\nspec: { image: busy:1 }\n");
	other = json_deep_copy(data("image-busy"));
	json_object_set_new(other, "Id", json_string("sha256:0123456789abcdef"));
	pass_has_image("busy:1", other);
	json_decref(other);
	pass_has_container(recorded("plain"), "plain");
	action = pass_compare("Container", "plain");
	cr_expect_eq(action->verdict, VERDICT_REPLACE);
	cr_expect_str_eq(action->reason, "image busy:1 now means sha256:0123456789ab");
}

Test(container_compare, another_image_is_a_difference_and_its_defaults_apply)
{
	expect(compared(HEAD "plain }\nspec: { image: rich:1 }\n", "plain"), VERDICT_REPLACE,
	       "image: busy:1 -> rich:1 [replace]; "
	       "environment.PATH: /bin:/sbin:/usr/bin -> /bin [replace]; "
	       "environment.LANG: (none) -> C [replace]; "
	       "labels.vendor: (none) -> acme [replace]; "
	       "user: (none) -> 0:0 [replace]; working_dir: (none) -> /tmp [replace]; "
	       "stop_signal: SIGTERM -> SIGINT [replace]; "
	       "healthcheck.test: (none) -> [\"CMD\", \"true\"] [replace]; "
	       "healthcheck.interval: (none) -> 5s [replace]; "
	       "healthcheck.retries: (none) -> 4 [replace]; "
	       "expose[9000/tcp]: (none) -> 9000/tcp [replace]; "
	       "volumes[/data]: (none) -> /data [replace]");
}

/* Nothing is pulled to find out: what an absent image brings is not known. */
Test(container_compare, of_an_absent_image_only_what_is_written_is_compared)
{
	const struct action *action;

	host(HEAD "rich }\nspec: { image: rich:2, environment: { LANG: de, NEW: \"1\" } }\n");
	pass_has_container(recorded("rich"), "rich");
	action = pass_compare("Container", "rich");
	expect(action, VERDICT_REPLACE,
	       "image: rich:1 -> rich:2 [replace]; environment.LANG: C -> de [replace]; "
	       "environment.NEW: (none) -> 1 [replace]");
	cr_expect(action->known_after_pull);
}

Test(container_compare, an_image_that_is_gone_from_the_host_changes_nothing)
{
	pass_manifests(HEAD "rich }\nspec: { image: rich:1, environment: { LANG: C } }\n");
	has_network("bridge", NULL);
	pass_has_container(recorded("rich"), "rich");
	expect(pass_compare("Container", "rich"), VERDICT_KEEP, "");
}

static const struct action *without_image(const char *yaml)
{
	pass_manifests(yaml);
	has_network("bridge", NULL);
	pass_has_container(recorded("rich"), "rich");
	return pass_compare("Container", "rich");
}

/* What stands empty in a manifest takes the image's value, which nobody can know then. */
Test(container_compare, empty_values_of_an_image_that_is_gone_are_no_difference)
{
	expect(without_image(HEAD "rich }\nspec: { image: rich:1, user: \"\", command: [] }\n"),
	       VERDICT_KEEP, "");
}

Test(container_compare, what_is_turned_off_is_compared_without_the_image)
{
	static const char *const off[] = { "{ disable: true }", "{ test: [NONE] }" };

	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		CLEANUP(cleanup_free)
		char *yaml = xasprintf(HEAD "rich }\nspec: { image: rich:1, healthcheck: %s }\n",
				       off[i]);

		expect(without_image(yaml), VERDICT_REPLACE,
		       "healthcheck.test: [\"CMD\", \"true\"] -> (none) [replace]; "
		       "healthcheck.interval: 5s -> (none) [replace]; "
		       "healthcheck.retries: 4 -> (none) [replace]");
	}
}

/* --- networks and namespaces --- */

/* NetworkMode and PidMode hold the ID whatever was asked for (adaptSharedNamespaceContainer). */
Test(container_compare, partners_are_known_by_name)
{
	host(HEAD "shares }\nspec: { image: busy:1, network_mode: \"service:plain\", ipc: "
		  "\"service:plain\", pid: \"container:plain\", state: stopped }\n---\n" HEAD
		  "plain }\nspec: { image: busy:1 }\n");
	pass_has_container(recorded("plain"), "plain");
	pass_has_container(recorded("shares"), "shares");
	expect(pass_compare("Container", "shares"), VERDICT_KEEP, "");
}

Test(container_compare, a_partner_that_is_only_called_otherwise_is_none)
{
	json_t *plain = recorded("plain");

	host(HEAD "shares }\nspec: { image: busy:1, network_mode: \"service:plain\", ipc: "
		  "\"service:plain\", pid: \"service:plain\", state: stopped }\n---\n" HEAD
		  "plain }\nspec: { image: busy:1 }\n");
	json_object_set_new(plain, "Name", json_string("/by-hand"));
	pass_has_container(plain, "plain");
	pass_has_container(recorded("shares"), "shares");
	expect(pass_compare("Container", "shares"), VERDICT_KEEP, "");
}

Test(container_compare, a_partner_that_was_replaced_is_a_difference)
{
	json_t *plain = recorded("plain");

	host(HEAD "shares }\nspec: { image: busy:1, network_mode: \"service:plain\", ipc: "
		  "\"service:plain\", pid: \"container:plain\", state: stopped }\n---\n" HEAD
		  "plain }\nspec: { image: busy:1 }\n");
	json_object_set_new(plain, "Id", json_string("ffffffff"));
	pass_has_container(plain, "plain");
	pass_has_container(recorded("shares"), "shares");
	cr_expect_eq(pass_compare("Container", "shares")->verdict, VERDICT_REPLACE);
}

Test(container_compare, networks_change_by_connecting)
{
	expect(compared(HEAD "plain }\nspec: { image: busy:1, networks: [front] }\n" FRONT,
			"plain"),
	       VERDICT_UPDATE,
	       "networks.bridge: {} -> (none) [connect]; networks.front: (none) -> {} [connect]");
}

/* What engines from API 1.44 on need to start a container; before, the mode means nothing more than
 * which endpoint comes first. */
static bool leaves_home(int api, const char *mode)
{
	json_t *inspect = recorded("full");

	host(HEAD "full }\nspec: { image: busy:1, networks: [back] }\n---\n"
		  "apiVersion: drey/v1\nkind: Network\nmetadata: { name: back }\n");
	json_object_set_new(json_object_get(inspect, "HostConfig"), "NetworkMode",
			    json_string(mode));
	pass_has_container(inspect, "full");
	pass_api(api);
	return strstr(pass_changes(pass_compare("Container", "full")), "; network_mode: ");
}

Test(container_compare, it_leaves_the_network_it_was_made_on_by_being_made_anew)
{
	cr_expect(leaves_home(44, "front"));
	cr_expect(leaves_home(44, "gone"));
	cr_expect(!leaves_home(44, "back"));
	cr_expect(!leaves_home(44, "bridge"));
	cr_expect(!leaves_home(43, "front"));
}

static json_t *on_network_that_is_gone(const char *container, const char *network)
{
	json_t *inspect = recorded(container);
	json_t *networks = json_object_get(json_object_get(inspect, "NetworkSettings"), "Networks");

	json_object_set_new(json_object_get(networks, network), "NetworkID",
			    json_string("0000000000000000"));
	return inspect;
}

/* An endpoint remembers the ID of its network: one made anew under the name is another. */
Test(container_compare, an_endpoint_of_a_network_that_is_gone_does_not_count)
{
	host(FULL FRONT);
	pass_has_container(on_network_that_is_gone("full", "front"), "full");
	expect(pass_compare("Container", "full"), VERDICT_UPDATE,
	       "networks.front: (none) -> {aliases: [\"www\"], ipv4_address: 10.91.0.9} "
	       "[connect]");
}

/* Before API 1.44 an engine takes a name twice, and lists the two in any order. */
Test(container_compare, another_network_of_the_name_hides_none)
{
	json_t *twin = pass_json("{'Name': 'front', 'Id': '2222', 'Created': "
				 "'2026-01-01T00:00:00Z', 'Driver': 'bridge', 'IPAM': {}}");

	pass_manifests(FULL FRONT);
	pass_has_network(twin, NULL);
	fill_host();
	pass_has_container(recorded("full"), "full");
	expect(pass_compare("Container", "full"), VERDICT_KEEP, "");
}

/* What is stopped keeps the bridge's ID, and each start of the engine makes the bridge anew. */
Test(container_compare, the_bridge_is_known_by_its_name)
{
	host(HEAD "plain }\nspec: { image: busy:1 }\n");
	pass_has_container(on_network_that_is_gone("plain", "bridge"), "plain");
	expect(pass_compare("Container", "plain"), VERDICT_KEEP, "");
}

/* Where no network is set up the engine records none, and connecting one that runs would give it an
 * interface after all. */
Test(container_compare, without_network_it_is_on_no_bridge)
{
	json_t *inspect = recorded("plain");

	host(HEAD "plain }\nspec: { image: busy:1, network_disabled: true }\n");
	json_object_set_new(json_object_get(inspect, "Config"), "NetworkDisabled", json_true());
	json_object_set_new(json_object_get(inspect, "NetworkSettings"), "Networks", json_object());
	pass_has_container(inspect, "plain");
	expect(pass_compare("Container", "plain"), VERDICT_KEEP, "");
}

/* --- state --- */

static json_t *in_state(const char *name, const char *status, int exit_code)
{
	json_t *inspect = recorded(name), *state = json_object_get(inspect, "State");

	json_object_set_new(state, "Status", json_string(status));
	json_object_set_new(state, "ExitCode", json_integer(exit_code));
	return inspect;
}

Test(container_compare, a_job_that_is_done_is_not_run_again_for_the_network_it_was_made_on)
{
	json_t *inspect = in_state("full", "exited", 0);

	host(HEAD "full }\nspec: { image: busy:1, state: completed, networks: [back] }\n---\n"
		  "apiVersion: drey/v1\nkind: Network\nmetadata: { name: back }\n");
	json_object_set_new(json_object_get(inspect, "HostConfig"), "NetworkMode",
			    json_string("front"));
	pass_has_container(inspect, "full");
	pass_api(44);
	cr_expect(!strstr(pass_changes(pass_compare("Container", "full")), "; network_mode: "));
}

static const struct action *with_state(const char *want, const char *have, int exit_code)
{
	char yaml[256];

	snprintf(yaml, sizeof(yaml), HEAD "plain }\nspec: { image: busy:1, state: %s }\n", want);
	host(yaml);
	pass_has_container(in_state("plain", have, exit_code), "plain");
	return pass_compare("Container", "plain");
}

Test(container_compare, states)
{
	static const struct {
		const char *want, *have;
		int exit_code;
		enum verdict verdict;
		const char *changes;
	} cases[] = {
		{ "running", "exited", 0, VERDICT_UPDATE, "state: exited -> running [state]" },
		{ "running", "created", 0, VERDICT_UPDATE, "state: created -> running [state]" },
		{ "running", "paused", 0, VERDICT_UPDATE, "state: paused -> running [state]" },
		{ "running", "restarting", 1, VERDICT_KEEP, "" },
		{ "running", "dead", 0, VERDICT_REPLACE, "state: dead -> running [state]" },
		{ "stopped", "running", 0, VERDICT_UPDATE, "state: running -> stopped [state]" },
		{ "stopped", "exited", 137, VERDICT_KEEP, "" },
		{ "stopped", "created", 0, VERDICT_KEEP, "" },
		{ "paused", "running", 0, VERDICT_UPDATE, "state: running -> paused [state]" },
		{ "paused", "paused", 0, VERDICT_KEEP, "" },
		{ "completed", "created", 0, VERDICT_UPDATE,
		  "state: created -> completed [state]" },
		{ "completed", "running", 0, VERDICT_KEEP, "" },
		{ "completed", "exited", 0, VERDICT_KEEP, "" },
		{ "completed", "exited", 3, VERDICT_REFUSE, "" },
		{ "running", "removing", 0, VERDICT_REFUSE, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(with_state(cases[i].want, cases[i].have, cases[i].exit_code),
		       cases[i].verdict, cases[i].changes);
}

Test(container_compare, a_restart_by_the_engines_policy_is_told_and_left_alone)
{
	const struct action *action = with_state("running", "restarting", 7);

	cr_expect(action->warning && strstr(action->warning, "last exit 7"));
}

/* --- whose it is --- */

Test(container_compare, what_lacks_the_labels_is_foreign)
{
	host(HEAD "plain }\nspec: { image: busy:1, mem_limit: 64m }\n");
	pass_has_container(recorded("plain"), NULL);
	struct action *action = pass_compare("Container", "plain");
	expect(action, VERDICT_REFUSE, "");
	cr_expect(strstr(action->reason, "metadata.adopt: true"));
}

Test(container_compare, an_adopted_one_is_compared_and_not_restarted_for_it)
{
	host(HEAD "plain, adopt: true }\nspec: { image: busy:1 }\n");
	pass_has_container(recorded("plain"), NULL);
	expect(pass_compare("Container", "plain"), VERDICT_KEEP, "");
}

Test(container_compare, an_adopted_ones_own_changes_take_consent)
{
	struct object *object;
	struct action *action;

	host(HEAD "plain, adopt: true }\nspec: { image: busy:1, tty: true }\n");
	object = pass_has_container(recorded("plain"), NULL);
	object->layer_changed = true;
	action = pass_compare("Container", "plain");
	expect(action, VERDICT_REFUSE, "tty: false -> true [replace]");
	cr_expect(strstr(action->reason, "discard_changes: true"));

	host(HEAD "plain, adopt: true }\nspec: { image: busy:1, tty: true, discard_changes: true "
		  "}\n");
	object = pass_has_container(recorded("plain"), NULL);
	object->layer_changed = true;
	action = pass_compare("Container", "plain");
	cr_expect_eq(action->verdict, VERDICT_REPLACE);
	cr_expect(action->loses_data);
}

Test(container_compare, one_that_the_engine_removes_when_it_stops_cannot_be_put_back)
{
	struct object *object;
	struct action *action;

	host(HEAD "plain, adopt: true }\nspec: { image: busy:1, tty: true }\n");
	object = pass_has_container(recorded("plain"), NULL);
	json_object_set_new(json_object_get(object->inspect, "HostConfig"), "AutoRemove",
			    json_true());
	action = pass_compare("Container", "plain");
	cr_expect_eq(action->verdict, VERDICT_REPLACE);
	cr_assert_not_null(action->warning);
	cr_expect(strstr(action->warning, "can't be put back"));
}

/* No field of a manifest says it, so it shows as a replacement with a reason. */
Test(container_compare, one_of_ours_that_would_be_gone_when_it_stops_is_replaced)
{
	struct object *object;
	struct action *action;

	for (int adopted = 0; adopted < 2; adopted++) {
		host(HEAD "plain, adopt: true }\nspec: { image: busy:1 }\n");
		object = pass_has_container(recorded("plain"), adopted ? NULL : "plain");
		json_object_set_new(json_object_get(object->inspect, "HostConfig"), "AutoRemove",
				    json_true());
		action = pass_compare("Container", "plain");
		expect(action, adopted ? VERDICT_KEEP : VERDICT_REPLACE, "");
		cr_expect(adopted || strstr(action->reason, "--rm"));
	}
}

/* docker commit copies labels into an image, and what is run from it has them. */
Test(container_compare, labels_that_the_image_brings_prove_nothing)
{
	json_t *image = data("image-busy");

	host(HEAD "plain }\nspec: { image: busy:1 }\n");
	json_object_set(json_object_get(image, "Config"), "Labels",
			pass_json("{'drey.uid': 'u1', 'drey.format': '1'}"));
	pass_has_image("busy:1", image);
	pass_has_container(recorded("plain"), "plain");
	expect(pass_compare("Container", "plain"), VERDICT_REFUSE, "");
}

Test(container_compare, one_that_was_renamed_gets_its_name_back)
{
	json_t *inspect = recorded("plain");

	host(HEAD "plain }\nspec: { image: busy:1 }\n");
	json_object_set_new(inspect, "Name", json_string("/other"));
	pass_has_container(inspect, "plain");
	expect(pass_compare("Container", "plain"), VERDICT_UPDATE,
	       "container_name: other -> plain [live]");
}

Test(container_compare, of_two_claimants_the_rightly_named_one_is_it)
{
	json_t *copy = recorded("limits");
	struct action *action;

	host(HEAD "plain }\nspec: { image: busy:1 }\n");
	pass_has_container(copy, "plain");
	pass_has_container(recorded("plain"), "plain");
	action = pass_compare("Container", "plain");
	expect(action, VERDICT_KEEP, "");
	cr_expect_str_eq(action->have->engine_name, "plain");
	cr_expect(action->warning && strstr(action->warning, "limits"));
}

Test(container_compare, ignored_fields_are_left_to_others)
{
	expect(compared(HEAD "limits, ignore: [mem_limit, memswap_limit, restart, image] }\n"
			     "spec: { image: other:1, cpu_shares: 512, pids_limit: 50 }\n",
			"limits"),
	       VERDICT_KEEP, "");
}
