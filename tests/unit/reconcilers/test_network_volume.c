/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "manifests/pointer.h"
#include "reconcilers/backup.h"
#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(network_volume, .init = pass_setup, .fini = pass_teardown);

#define NETWORK                                                                                    \
	"apiVersion: drey/v1\nkind: Network\nmetadata: { name: front }\nspec:\n  hosts: [local]\n"
#define VOLUME                                                                                     \
	"apiVersion: drey/v1\nkind: Volume\nmetadata: { name: data }\nspec:\n  hosts: [local]\n"

static void expect(const struct action *action, enum verdict verdict, const char *changes)
{
	cr_expect_str_eq(pass_changes(action), changes);
	cr_expect_eq(action->verdict, verdict, "%s: %s (%s)", action->name,
		     verdict_name(action->verdict), action->reason ? action->reason : "");
}

/* As an engine lists it. */
static json_t *network(void)
{
	json_t *item;
	size_t i;

	json_array_foreach (pass_data("engine-28.5/networks"), i, item) {
		if (strcmp(json_string_value(json_object_get(item, "Name")), "front") == 0)
			return item;
	}
	cr_assert_fail("no network was recorded");
	return NULL;
}

static const struct action *network_action(const char *yaml, json_t *item, const char *owner)
{
	pass_manifests(yaml);
	if (item)
		pass_has_network(item, owner);
	return pass_compare("Network", "front");
}

/* The engine chooses a subnet and a gateway where nobody does. */
Test(network_volume, addresses_that_the_engine_chose_are_no_difference)
{
	expect(network_action(NETWORK, network(), "front"), VERDICT_KEEP, "");
	expect(network_action(NETWORK "  ipam: { config: [{ subnet: 10.91.0.0/24 }] }\n", network(),
			      "front"),
	       VERDICT_KEEP, "");
}

Test(network_volume, a_network_changes_by_a_new_one)
{
	expect(network_action(NETWORK "  internal: true\n  labels: { a: b }\n"
				      "  ipam: { config: [{ subnet: 10.92.0.0/24 }] }\n",
			      network(), "front"),
	       VERDICT_REPLACE,
	       "ipam.config[10.91.0.0/24]: {subnet: 10.91.0.0/24} -> (none) "
	       "[replace]; ipam.config[10.92.0.0/24]: (none) -> {subnet: 10.92.0.0/24} [replace]; "
	       "internal: false -> true [replace]; labels.a: (none) -> b [replace]");
}

/* Replaced by one of that name, under a container that was made on a network so called, with an
 * endpoint on the one that is replaced. */
static enum verdict replaced_by(int api, const char *mode, const char *name, const char *rows)
{
	json_t *inspect = pass_data("engine-28.5/container-full"), *item = network();
	json_t *host_config = json_object_get(inspect, "HostConfig");

	CLEANUP(cleanup_free)
	char *yaml = xasprintf("apiVersion: drey/v1\nkind: Network\n"
			       "metadata: { name: %s, was: [%s] }\n"
			       "spec: { hosts: [local], internal: true%s }\n",
			       name, strcmp(name, "front") ? "front" : "elder", rows);
	pass_manifests(yaml);
	pass_has_network(item, "front");
	json_object_set_new(host_config, "NetworkMode",
			    json_string(strcmp(mode, "ID")
						? mode
						: json_string_value(json_object_get(item, "Id"))));
	pass_has_container(inspect, "full");
	pass_api(api);
	return pass_compare("Network", name)->verdict;
}

static enum verdict replaced_under(int api, const char *mode, const char *name)
{
	return replaced_by(api, mode, name, "");
}

/* From API 1.44 on one that was made on a network that is gone is connected to none
 * (normalizeNetMode() in moby's daemon/container_operations.go). */
Test(network_volume, a_network_is_not_replaced_under_who_could_not_follow)
{
	cr_expect_eq(replaced_under(44, "front", "front"), VERDICT_REPLACE);
	cr_expect_eq(replaced_under(44, "bridge", "edge"), VERDICT_REPLACE);
	cr_expect_eq(replaced_under(44, "ID", "front"), VERDICT_REFUSE);
	cr_expect_eq(replaced_under(44, "gone", "front"), VERDICT_REFUSE);
	cr_expect_eq(replaced_under(43, "front", "edge"), VERDICT_REPLACE);
}

/* Where two can be at once. */
Test(network_volume, under_another_name_it_comes_beside_the_one_that_containers_were_made_on)
{
	cr_expect_eq(replaced_under(44, "front", "edge"), VERDICT_CREATE);
	cr_expect_eq(
		replaced_by(44, "front", "edge", ", ipam: { config: [{ subnet: 10.99.0.0/24 }] }"),
		VERDICT_CREATE);
	cr_expect_eq(
		replaced_by(44, "front", "edge", ", ipam: { config: [{ subnet: 10.91.0.0/24 }] }"),
		VERDICT_REFUSE);
}

static json_t *network_with_ipv6(bool enabled)
{
	json_t *item = network();

	json_array_append(json_object_get(json_object_get(item, "IPAM"), "Config"),
			  pass_json("{'Subnet': 'fd00:1::/64', 'Gateway': 'fd00:1::1'}"));
	json_object_set_new(item, "EnableIPv6", json_boolean(enabled));
	return item;
}

/* Newer engines add an IPv6 subnet of their own where enable_ipv6 names none, and every engine an
 * IPv4 subnet. */
Test(network_volume, a_subnet_of_the_family_that_is_not_written_is_no_difference)
{
	expect(network_action(NETWORK "  enable_ipv6: true\n"
				      "  ipam: { config: [{ subnet: 10.91.0.0/24 }] }\n",
			      network_with_ipv6(true), "front"),
	       VERDICT_KEEP, "");
	expect(network_action(NETWORK "  enable_ipv6: true\n"
				      "  ipam: { config: [{ subnet: \"fd00:1::/64\" }] }\n",
			      network_with_ipv6(true), "front"),
	       VERDICT_KEEP, "");
}

Test(network_volume, an_ipv6_subnet_that_nothing_brings_is_a_difference)
{
	expect(network_action(NETWORK "  ipam: { config: [{ subnet: 10.91.0.0/24 }] }\n",
			      network_with_ipv6(false), "front"),
	       VERDICT_REPLACE,
	       "ipam.config[fd00:1::/64]: {subnet: fd00:1::/64, gateway: fd00:1::1} -> (none) "
	       "[replace]");
}

Test(network_volume, a_foreign_network_is_refused)
{
	const struct action *action = network_action(NETWORK, network(), NULL);

	expect(action, VERDICT_REFUSE, "");
	cr_expect(strstr(action->reason, "external: true"));
}

Test(network_volume, an_external_network_must_be_there_and_is_not_compared)
{
	json_t *item = network();

	json_object_set_new(item, "Internal", json_true());
	expect(network_action(NETWORK "  external: true\n", item, NULL), VERDICT_KEEP, "");
	expect(network_action(NETWORK "  external: true\n", NULL, NULL), VERDICT_REFUSE, "");
}

Test(network_volume, what_makes_no_sense_for_an_external_one_is_a_fault)
{
	cr_expect(strstr(pass_faults(NETWORK "  external: true\n  internal: true\n"),
			 "spec.internal: means nothing"));
	cr_expect(strstr(pass_faults(NETWORK "  external: true\n  state: absent\n"),
			 "not drey's to remove"));
	cr_expect(strstr(pass_faults(NETWORK "  name: bridge\n"), "the engine's own"));
	cr_expect_str_eq(pass_faults(NETWORK "  name: bridge\n  external: true\n"), "");
}

Test(network_volume, a_network_of_one_name_is_made_once)
{
	struct error err = ERROR_INIT;
	json_t *body = NULL;
	char uid[33];
	struct pass *pass = pass_manifests(NETWORK "  name: front-1\n  labels: { a: b }\n");

	cr_assert_eq(network_create_body(pass, desired_find(pass->desired, "Network", "front"),
					 NULL, uid, &body, &err),
		     0, "%s", err.text);
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Name")), "front-1");
	cr_expect(json_is_true(pointer_get(body, "/CheckDuplicate")));
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Labels/a")), "b");
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Labels/drey.uid")), uid);
	json_decref(body);
}

/* --- volumes --- */

static json_t *volume(const char *name, int generation)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "{'Name': '%s', 'Driver': 'local', 'Options': null,"
		 "'Labels': {'drey.generation': '%d'}}",
		 name, generation);
	return pass_json(text);
}

static const struct action *volume_action(const char *yaml, const char *owner)
{
	pass_manifests(yaml);
	pass_has_volume(volume("data", 1), owner);
	return pass_compare("Volume", "data");
}

Test(network_volume, a_volume_in_step)
{
	expect(volume_action(VOLUME, "data"), VERDICT_KEEP, "");
}

Test(network_volume, a_change_that_would_cost_data_is_refused)
{
	const struct action *action =
		volume_action(VOLUME "  driver_opts: { type: nfs }\n", "data");

	expect(action, VERDICT_REFUSE, "driver_opts.type: (none) -> nfs [forbidden]");
	cr_expect(action->loses_data);
	cr_expect(strstr(action->reason, "drey backup restore"));
}

Test(network_volume, labels_of_a_volume_cannot_change)
{
	const struct action *action = volume_action(VOLUME "  labels: { a: b }\n", "data");

	expect(action, VERDICT_REFUSE, "labels.a: (none) -> b [forbidden]");
	cr_expect(!action->loses_data);
	cr_expect(strstr(action->reason, "ignore: [labels]"));
	expect(volume_action("apiVersion: drey/v1\nkind: Volume\n"
			     "metadata: { name: data, ignore: [labels] }\n"
			     "spec: { hosts: [local], labels: { a: b } }\n",
			     "data"),
	       VERDICT_KEEP, "");
}

Test(network_volume, a_refusal_names_the_words_that_would_allow_it)
{
	const char *const changed[] = { "  driver_opts: { type: nfs }\n", "  labels: { a: b }\n" };

	for (size_t i = 0; i < 2; i++) {
		char yaml[400];

		snprintf(yaml, sizeof(yaml), VOLUME "%s", changed[i]);
		const char *reason = volume_action(yaml, "data")->reason;
		cr_expect(strstr(reason, "on_change: migrate"), "%s", reason);
		cr_expect(strstr(reason, "on_change: recreate"), "%s", reason);
	}
}

Test(network_volume, a_changed_volume_is_replaced_where_its_manifest_says_how)
{
	const struct action *action =
		volume_action(VOLUME "  on_change: migrate\n  labels: { a: b }\n", "data");

	expect(action, VERDICT_REPLACE, "labels.a: (none) -> b [replace]");
	cr_expect(!action->backup_first && !action->loses_data);
	cr_expect(strstr(action->reason, "drey volume confirm data"));
	action = volume_action(VOLUME "  on_change: recreate\n  driver_opts: { type: nfs }\n",
			       "data");
	expect(action, VERDICT_REPLACE, "driver_opts.type: (none) -> nfs [replace]");
	cr_expect(action->backup_first);
	expect(volume_action(VOLUME "  on_change: migrate\n", "data"), VERDICT_KEEP, "");
}

/* It holds nothing while nobody has it mounted (moby volume/local, Mount and Unmount). */
Test(network_volume, files_are_not_copied_to_or_from_memory)
{
	const struct action *action = volume_action(
		VOLUME "  on_change: migrate\n  driver_opts: { type: tmpfs, device: tmpfs }\n",
		"data");
	json_t *fleeting = volume("data", 1);

	expect(action, VERDICT_REFUSE,
	       "driver_opts.type: (none) -> tmpfs [forbidden]; driver_opts.device: (none) -> tmpfs "
	       "[forbidden]");
	cr_expect(strstr(action->reason, "on_change: recreate"));
	pass_manifests(VOLUME "  on_change: migrate\n");
	json_object_set(fleeting, "Options", pass_json("{'type': 'tmpfs', 'device': 'tmpfs'}"));
	pass_has_volume(fleeting, "data");
	cr_expect_eq(pass_compare("Volume", "data")->verdict, VERDICT_REFUSE);
}

Test(network_volume, a_foreign_volume_is_refused_and_an_external_one_is_not)
{
	expect(volume_action(VOLUME, NULL), VERDICT_REFUSE, "");
	expect(volume_action(VOLUME "  external: true\n", NULL), VERDICT_KEEP, "");
}

static const char *uid_of(const struct object *volume)
{
	return json_string_value(json_object_get(volume->labels, "drey.uid"));
}

/* The marker that a restore makes once every file has been compared. */
static void has_marker(struct pass *pass, const char *name, const char *uid)
{
	char text[200];

	snprintf(text, sizeof(text), "{'drey.project': 'p', 'drey.verified': '%s'}", uid);
	pass_add_object(pass, &reconciler_volume.kind, name, name, pass_json(text));
}

Test(network_volume, the_latest_whole_generation_is_the_volume)
{
	struct pass *pass = pass_manifests(VOLUME);

	has_marker(pass, "data.3.drey-verified",
		   uid_of(pass_has_volume(volume("data.3", 3), "data")));
	pass_has_volume(volume("data", 1), "data");
	pass_has_volume(volume("data.2", 2), "data");
	cr_expect_str_eq(pass_compare("Volume", "data")->have->engine_name, "data.3");
	cr_expect_str_eq(volume_engine_name(pass, "data"), "data.3");
}

/* As the marker of a migration: user-1 stood still when "data" was copied. */
static void has_copy(struct pass *pass, const char *still)
{
	struct object *copy = pass_has_volume(volume("data.2", 2), "data");
	json_t *labels = json_pack("{s:s, s:s, s:s, s:s}", "drey.project", "p", "drey.verified",
				   uid_of(copy), "drey.left", "data", "drey.still", still);

	pass_has_volume(volume("data", 1), "data");
	pass_add_object(pass, &reconciler_volume.kind, "data.2.drey-verified",
			"data.2.drey-verified", labels);
	json_decref(labels);
}

static void has_writer(struct pass *pass, const char *state, const char *started)
{
	struct object *user =
		pass_add_object(pass, &reconciler_find("Container")->kind, "user-1", "user", NULL);
	char text[300];

	snprintf(text, sizeof(text),
		 "{'State': {'StartedAt': '%s'}, 'Mounts': [{'Type': 'volume', 'Name': 'data', "
		 "'RW': "
		 "true}]}",
		 started);
	user->ours = true;
	user->state = state;
	user->inspect = pass_json(text);
}

static const char *volume_after(const char *still, const char *state, const char *started)
{
	struct pass *pass = pass_manifests(VOLUME);

	has_copy(pass, still);
	has_writer(pass, state, started);
	return pass_compare("Volume", "data")->have->engine_name;
}

/* What it wrote after the copy would be missing in it. */
Test(network_volume, a_copy_whose_original_was_written_to_since_does_not_count)
{
	const char still[] = "{\"user-1\": \"2026-01-01T00:00:00Z\"}";

	cr_expect_str_eq(volume_after(still, "exited", "2026-01-01T00:00:00Z"), "data.2");
	cr_expect_str_eq(volume_after(still, "created", "0001-01-01T00:00:00Z"), "data.2");
	cr_expect_str_eq(volume_after(still, "exited", "2026-01-01T00:00:09Z"), "data");
	cr_expect_str_eq(volume_after(still, "running", "2026-01-01T00:00:00Z"), "data");
	cr_expect_str_eq(volume_after("no JSON", "exited", "2026-01-01T00:00:00Z"), "data");
}

Test(network_volume, two_networks_of_one_name_are_told)
{
	json_t *twin = json_deep_copy(network());
	struct pass *pass = pass_manifests(NETWORK);

	pass_has_network(network(), "front");
	json_object_set_new(twin, "Id", json_string("0123456789abcdef0123"));
	pass_has_network(twin, NULL);
	json_decref(twin);
	(void)pass;
	const struct action *action = pass_compare("Network", "front");
	expect(action, VERDICT_KEEP, "");
	cr_expect(strstr(action->warning, "0123456789ab"));
}

Test(network_volume, a_generation_that_nothing_says_is_whole_does_not_count)
{
	struct pass *pass = pass_manifests(VOLUME);

	pass_has_volume(volume("data", 1), "data");
	pass_has_volume(volume("data.2", 2), "data");
	has_marker(pass, "data.2.drey-verified", "another");
	cr_expect_str_eq(pass_compare("Volume", "data")->have->engine_name, "data");
	cr_expect_str_eq(volume_engine_name(pass, "data"), "data");
}

/* Made anew it would be empty, and what may be the data would stand beside it. */
Test(network_volume, no_volume_is_made_beside_a_doubtful_generation)
{
	pass_manifests(VOLUME);
	pass_has_volume(volume("data.2", 2), "data");

	const struct action *action = pass_compare("Volume", "data");
	cr_expect_eq(action->verdict, VERDICT_REFUSE);
	cr_expect(strstr(action->reason, "data.2"));
}

/* docker volume prune takes markers, but nothing that is mounted. */
Test(network_volume, a_generation_that_a_container_mounts_is_whole)
{
	struct pass *pass = pass_manifests(VOLUME);
	struct object *user = pass_add_object(
		pass, &reconciler_container.kind, "c1", "web",
		pass_json("{'drey.project': 'p', 'drey.kind': 'Container', 'drey.name': 'web',"
			  "'drey.uid': 'u9', 'drey.format': '1'}"));

	user->inspect = pass_json("{'Mounts': [{'Type': 'volume', 'Name': 'data.2'}]}");
	pass_has_volume(volume("data", 1), "data");
	pass_has_volume(volume("data.2", 2), "data");
	cr_expect_str_eq(pass_compare("Volume", "data")->have->engine_name, "data.2");
}

/* After a restore the users of the old generation move, with backup_first too: it stays. */
Test(network_volume, an_earlier_generation_wants_no_backup)
{
	struct pass *pass =
		pass_manifests(VOLUME "---\n"
				      "apiVersion: drey/v1\nkind: Container\n"
				      "metadata: { name: web }\n"
				      "spec: { image: web, volumes: [\"data:/data\"] }\n");
	const struct resource *web = desired_find(pass->desired, "Container", "web");
	struct object user = { .kind = &reconciler_container.kind };
	struct error err = ERROR_INIT;

	has_marker(pass, "data.2.drey-verified",
		   uid_of(pass_has_volume(volume("data.2", 2), "data")));
	pass_has_volume(volume("data", 1), "data");
	pass_compare("Volume", "data");

	cr_expect(backup_is_kept(pass, "data"));
	cr_expect(!backup_is_kept(pass, "data.2"));
	cr_expect(!backup_is_kept(pass, "elsewhere"));
	user.inspect = pass_json("{'Mounts': [{'Type': 'volume', 'Name': 'data'}]}");
	cr_expect_eq(backup_require(pass, web, &user, &err), 0, "%s", err.text);
	user.inspect = pass_json("{'Mounts': [{'Type': 'volume', 'Name': 'data.2'}]}");
	cr_expect_eq(backup_require(pass, web, &user, &err), -1);
	cr_expect_eq(err.code, ERROR_REFUSED);
}

Test(network_volume, generations_have_names_and_labels)
{
	struct error err = ERROR_INIT;
	json_t *body = NULL;
	char uid[33];
	struct pass *pass = pass_manifests(VOLUME "  name: d\n");
	const struct resource *want = desired_find(pass->desired, "Volume", "data");

	cr_assert_eq(volume_create_body(pass, want, 2, uid, &body, &err), 0, "%s", err.text);
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Name")), "d.2");
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Labels/drey.generation")), "2");
	cr_expect_str_eq(json_string_value(pointer_get(body, "/Labels/drey.name")), "data");
	json_decref(body);
}

/* --- labels --- */

#define LABELS "'drey.project': 'p', 'drey.kind': 'Volume', 'drey.name': 'n', 'drey.uid': 'u', "

Test(network_volume, incomplete_labels_or_ones_of_another_format_are_nobodys)
{
	struct ownership own = { 0 };

	cr_expect(ownership_read(pass_json("{" LABELS "'drey.format': '1'}"), NULL, &own));
	cr_expect_eq(own.generation, 1);
	cr_expect(!ownership_read(pass_json("{" LABELS "'drey.format': '2'}"), NULL, &own));
	cr_expect(!ownership_read(pass_json("{" LABELS "'a': 'b'}"), NULL, &own));
	cr_expect(!ownership_read(pass_json("{'drey.format': '1', 'drey.name': 'n'}"), NULL, &own));
	cr_expect(!ownership_read(NULL, NULL, &own));
	cr_expect(!ownership_read(pass_json("{" LABELS "'drey.format': '1',"
					    "'drey.generation': '2x'}"),
				  NULL, &own));
	cr_expect(!ownership_read(pass_json("{" LABELS "'drey.format': '1'}"),
				  pass_json("{'drey.uid': 'u'}"), &own));
	cr_expect(ownership_read(pass_json("{" LABELS "'drey.format': '1'}"),
				 pass_json("{'drey.uid': 'other'}"), &own));
}
