/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/controller/plan/plan_fixture.h"

TestSuite(plan, .init = setup, .fini = teardown);

Test(plan, in_step_is_no_difference)
{
	add_network("front");
	want("Network", "front", "{}");
	run(want("Container", "web", "{'image': 'busy:1', 'networks': {'front': {}}}"));
	build();
	expect_verdict("Network", "front", VERDICT_KEEP);
	expect_verdict("Container", "web", VERDICT_KEEP);
	cr_expect_not(plan_has_differences(&f.plan));
}

Test(plan, what_is_missing_is_created_after_what_it_needs)
{
	want("Network", "front", "{}");
	want("Volume", "data", "{}");
	want("Container", "db", "{'image': 'busy:1'}");
	want("Container", "web",
	     "{'image': 'busy:1', 'networks': {'front': {}}, 'depends_on': {'db': {}},"
	     " 'volumes': [{'type': 'volume', 'source': 'data', 'target': '/d'}]}");
	build();
	expect_verdict("Container", "web", VERDICT_CREATE);
	cr_expect(comes_after("Container", "web", "Network", "front"));
	cr_expect(comes_after("Container", "web", "Volume", "data"));
	cr_expect(comes_after("Container", "web", "Container", "db"));
	cr_expect_not(comes_after("Container", "db", "Network", "front"));
}

Test(plan, those_on_a_replaced_network_are_connected_again)
{
	json_object_set_new((json_t *)add_network("front")->observed, "internal", json_true());
	want("Network", "front", "{}");
	run(want("Container", "web", "{'image': 'busy:1', 'networks': {'front': {}}}"));
	run(want("Container", "other", "{'image': 'busy:1'}"));
	build();
	expect_verdict("Network", "front", VERDICT_REPLACE);
	cr_expect(find("Network", "front")->disruptive);
	expect_verdict("Container", "web", VERDICT_UPDATE);
	cr_expect_str_eq(find("Container", "web")->reason,
			 "Network/front, which its networks names, is replaced");
	expect_verdict("Container", "other", VERDICT_KEEP);
	cr_expect(comes_after("Container", "web", "Network", "front"));
}

Test(plan, sharers_of_a_replaced_container_are_replaced_and_dependants_are_not)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));

	run(want("Container", "app", "{'image': 'busy:1', 'network_mode': 'service:vpn'}"));
	run(want("Container", "tail", "{'image': 'busy:1', 'pid': 'service:app'}"));
	run(want("Container", "web", "{'image': 'busy:1', 'depends_on': {'vpn': {}}}"));
	set_observed(vpn, "hostname", "by-hand");
	build();
	expect_verdict("Container", "vpn", VERDICT_REPLACE);
	expect_verdict("Container", "app", VERDICT_REPLACE);
	expect_verdict("Container", "tail", VERDICT_REPLACE);
	expect_verdict("Container", "web", VERDICT_KEEP);
	cr_expect(strstr(find("Container", "tail")->reason, "Container/app"));
	cr_expect(find("Container", "app")->disruptive);
	cr_expect(comes_after("Container", "tail", "Container", "app"));
}

/* As it runs in the other's network namespace. */
static void share(struct object *object, const struct object *provider)
{
	object->inspect =
		keep(json_pack("{s:{s:s}, s:{s:o}}", "State", "Status", "running", "HostConfig",
			       "NetworkMode", json_sprintf("container:%s", provider->id)));
}

Test(plan, what_sharers_need_comes_before_what_they_share)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));
	struct object *app = run(want("Container", "app",
				      "{'image': 'busy:1', 'network_mode': 'service:vpn',"
				      " 'depends_on': {'zeta': {}, 'proxy': {},"
				      "                'maybe': {'required': false}}}"));

	share(app, vpn);
	want("Container", "maybe", "{'image': 'busy:1'}");
	want("Container", "zeta", "{'image': 'busy:1'}");
	/* This one is of use with the other alone. */
	want("Container", "proxy", "{'image': 'busy:1', 'depends_on': {'vpn': {}}}");
	set_observed(vpn, "hostname", "by-hand");
	build();
	expect_verdict("Container", "vpn", VERDICT_REPLACE);
	cr_expect(comes_after("Container", "vpn", "Container", "zeta"));
	cr_expect(comes_after("Container", "vpn", "Container", "maybe"));
	cr_expect_eq(find("Container", "vpn")->after_required, 1);
	cr_expect(comes_after("Container", "proxy", "Container", "vpn"));
	cr_expect_not(comes_after("Container", "vpn", "Container", "proxy"));
}

Test(plan, what_shares_with_a_foreign_container_is_not_replaced_under_it)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));

	run(want("Container", "app", "{'image': 'busy:1', 'network_mode': 'service:vpn'}"));
	share(add_foreign("Container", "theirs"), vpn);
	set_observed(vpn, "hostname", "by-hand");
	build();
	expect_verdict("Container", "vpn", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "vpn")->reason, "container 'theirs'"));
	cr_expect_not(find("Container", "vpn")->disruptive);
	expect_verdict("Container", "app", VERDICT_KEEP);
}

Test(plan, a_leftover_that_shares_keeps_a_container_from_being_replaced_unless_pruned)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));

	share(add_object("Container", "dropped", "dropped"), vpn);
	set_observed(vpn, "hostname", "by-hand");
	build();
	expect_verdict("Container", "vpn", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "vpn")->reason, "no manifest declares any more"));
	f.options.prune = true;
	build();
	expect_verdict("Container", "vpn", VERDICT_REPLACE);
	expect_verdict("Container", "dropped", VERDICT_REMOVE);
}

Test(plan, a_container_waits_for_a_sharer_that_cannot_follow)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));
	struct object *db = run(want("Container", "db",
				     "{'image': 'busy:1', 'network_mode': 'service:vpn',"
				     " 'backup_first': true}"));

	run(want("Container", "app", "{'image': 'busy:1', 'network_mode': 'service:vpn'}"));
	share(db, vpn);
	json_object_set_new((json_t *)db->inspect, "Mounts",
			    fixture_json("[{'Type': 'volume', 'Name': 'data'}]"));
	set_observed(vpn, "hostname", "by-hand");
	build();
	expect_verdict("Container", "vpn", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "vpn")->reason, "Container/db"));
	expect_verdict("Container", "db", VERDICT_KEEP);
	expect_verdict("Container", "app", VERDICT_KEEP);
}

Test(plan, foreign_objects_in_the_way_are_refused_and_block)
{
	add_foreign("Network", "front");
	want("Network", "front", "{}");
	want("Container", "web", "{'image': 'busy:1', 'networks': {'front': {}}}");
	build();
	expect_verdict("Network", "front", VERDICT_REFUSE);
	expect_verdict("Container", "web", VERDICT_CREATE);
	cr_expect_str_eq(find("Container", "web")->warning,
			 "waits for Network/front, which is refused");
	cr_expect(comes_after("Container", "web", "Network", "front"));
}

Test(plan, a_volume_that_is_out_of_step_does_not_hold_its_users_up)
{
	json_object_set_new((json_t *)add_volume("data")->observed, "driver", json_string("odd"));
	want("Volume", "data", "{}");
	want("Container", "web",
	     "{'image': 'busy:1', 'volumes': [{'type': 'volume', 'source': 'data', 'target': "
	     "'/d'}]}");
	build();
	expect_verdict("Volume", "data", VERDICT_REFUSE);
	cr_expect_not(comes_after("Container", "web", "Volume", "data"));
	cr_expect_null(find("Container", "web")->warning);
}

Test(plan, a_name_that_a_foreign_container_took_is_refused)
{
	struct object *web = run(want("Container", "web", "{'image': 'busy:1'}"));

	web->engine_name = "renamed";
	add_foreign("Container", "web");
	build();
	expect_verdict("Container", "web", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "web")->reason, "'renamed'"));
}

Test(plan, a_container_is_not_taken_from_the_one_whose_name_another_gets)
{
	struct resource *web = want("Container", "web", "{'image': 'busy:1'}");

	run(web);
	web->spec = keep(fixture_json("{'image': 'busy:1', 'container_name': 'legacy'}"));
	want("Container", "www", "{'image': 'busy:1', 'container_name': 'web', 'tty': true}");
	build();
	expect_verdict("Container", "web", VERDICT_UPDATE);
	expect_verdict("Container", "www", VERDICT_CREATE);
	cr_expect(comes_after("Container", "www", "Container", "web"));
}

Test(plan, leftovers_are_listed_and_are_no_difference)
{
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_object("Container", "old", "old");
	add_foreign("Container", "somebody-elses");
	build();
	expect_verdict("Container", "old", VERDICT_LEFTOVER);
	cr_expect_null(find("Container", "somebody-elses"));
	cr_expect_not(plan_has_differences(&f.plan));
}

/* A container that has the volume "data" mounted. */
static struct object *mount_data(struct object *object)
{
	object->inspect =
		keep(fixture_json("{'Mounts': [{'Type': 'volume', 'Name': 'data', 'RW': true}]}"));
	object->state = "running";
	return object;
}

static void migrating_volume(void)
{
	add_volume("data");
	want("Volume", "data", "{'on_change': 'migrate', 'labels': {'a': 'b'}}");
}

static const char data_user[] =
	"{'image': 'busy:1', 'volumes': [{'type': 'volume', 'source': 'data', 'target': '/d'}]}";

Test(plan, the_users_of_a_replaced_volume_follow_and_are_named)
{
	migrating_volume();
	mount_data(run(want("Container", "db", data_user)));
	build();
	expect_verdict("Volume", "data", VERDICT_REPLACE);
	expect_verdict("Container", "db", VERDICT_REPLACE);
	cr_expect(comes_after("Container", "db", "Volume", "data"));
	cr_expect(strstr(find("Volume", "data")->warning, "stops db"));
	cr_expect(find("Volume", "data")->disruptive);
}

Test(plan, a_volume_is_not_replaced_under_a_foreign_writer)
{
	struct object *stranger = add_foreign("Container", "stranger");

	migrating_volume();
	stranger->state = "running";
	stranger->listed = keep(fixture_json("{'Mounts': [{'Name': 'data', 'RW': true}]}"));
	build();
	expect_verdict("Volume", "data", VERDICT_REFUSE);
	cr_expect(strstr(find("Volume", "data")->reason, "'stranger'"));
}

Test(plan, a_volume_is_not_replaced_under_a_writer_without_a_manifest_unless_it_goes)
{
	migrating_volume();
	mount_data(add_object("Container", "old", "old"));
	mount_data(run(want("Container", "db", data_user)));
	build();
	expect_verdict("Volume", "data", VERDICT_REFUSE);
	expect_verdict("Container", "db", VERDICT_KEEP);
	f.options.prune = true;
	build();
	expect_verdict("Volume", "data", VERDICT_REPLACE);
}

Test(plan, a_recreated_volume_needs_a_backup)
{
	add_volume("data");
	want("Volume", "data", "{'on_change': 'recreate', 'labels': {'a': 'b'}}");
	build();
	expect_verdict("Volume", "data", VERDICT_REFUSE);
	cr_expect(strstr(find("Volume", "data")->reason, "Backup"));
}

Test(plan, prune_removes_leftovers_last_but_never_volumes)
{
	struct object *old;

	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_network("gone");
	add_volume("data");
	old = add_object("Container", "old", "old");
	old->inspect =
		keep(fixture_json("{'NetworkSettings': {'Networks': {'gone': {}}}, 'Mounts': []}"));
	old->state = "running";
	build();
	expect_verdict("Container", "old", VERDICT_REMOVE);
	expect_verdict("Network", "gone", VERDICT_REMOVE);
	expect_verdict("Volume", "data", VERDICT_LEFTOVER);
	cr_expect(find("Container", "old")->disruptive);
	cr_expect(comes_after("Network", "gone", "Container", "old"));
	cr_expect_lt(find("Container", "web"), find("Container", "old"));
}

/* A stopped container can't start on a network that is gone, nor share what is gone. */
Test(plan, prune_keeps_what_somebody_else_uses)
{
	struct object *foreign;

	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_network("gone");
	add_network("unused");
	add_object("Container", "provider", "provider");
	foreign = add_object("Container", "theirs", "theirs");
	foreign->ours = false;
	foreign->state = "exited";
	foreign->listed = keep(fixture_json("{'NetworkSettings': {'Networks': {'gone': {}}}}"));
	foreign = add_object("Container", "sharer", "sharer");
	foreign->ours = false;
	foreign->state = "running";
	foreign->inspect = keep(fixture_json("{'State': {'Status': 'running'}, 'HostConfig': "
					     "{'NetworkMode': 'container:provider'}}"));
	build();
	expect_verdict("Network", "gone", VERDICT_LEFTOVER);
	cr_expect(strstr(find("Network", "gone")->reason, "'theirs'"));
	expect_verdict("Network", "unused", VERDICT_REMOVE);
	expect_verdict("Container", "provider", VERDICT_LEFTOVER);
	cr_expect(strstr(find("Container", "provider")->reason, "'sharer'"));
}

/* It was made on front, and is on back: it needs front to be started (API 1.44). */
static struct resource *moved_from_front(void)
{
	struct resource *moved;

	f.options.prune = true;
	f.pass.observed.engine_api = 44;
	want("Network", "back", "{}");
	add_network("back");
	add_network("front");
	moved = want("Container", "moved", "{'image': 'busy:1', 'networks': {'back': {}}}");
	run(moved)->inspect =
		keep(fixture_json("{'NetworkSettings': {'Networks': {'back': {}}}, 'Mounts': [],"
				  "'HostConfig': {'NetworkMode': 'front'}}"));
	return moved;
}

Test(plan, prune_waits_for_who_was_made_on_a_network)
{
	moved_from_front();
	build();
	expect_verdict("Container", "moved", VERDICT_REPLACE);
	expect_verdict("Network", "front", VERDICT_REMOVE);
	cr_expect(comes_after("Network", "front", "Container", "moved"));
}

Test(plan, prune_keeps_the_network_that_somebody_stays_made_on)
{
	moved_from_front()->metadata = keep(fixture_json("{'ignore': ['networks.front']}"));
	build();
	expect_verdict("Container", "moved", VERDICT_KEEP);
	expect_verdict("Network", "front", VERDICT_LEFTOVER);
	cr_expect(strstr(find("Network", "front")->reason, "'moved', which the engine would not"));
}

/* Network edge was front, on which the container was made (API 1.44). */
static struct resource *renamed_under(const char *ignore)
{
	struct resource *edge = want("Network", "edge", "{}"), *web;
	struct object *object;

	f.pass.observed.engine_api = 44;
	edge->metadata = keep(fixture_json("{'was': ['front']}"));
	add_network("front");
	web = want("Container", "web", "{'image': 'busy:1', 'networks': {'edge': {}}}");
	web->metadata = keep(fixture_json(ignore));
	object = run(web);
	json_object_set_new((json_t *)object->observed, "networks", fixture_json("{'front': {}}"));
	object->inspect =
		keep(fixture_json("{'NetworkSettings': {'Networks': {'front': {}}}, 'Mounts': [],"
				  "'HostConfig': {'NetworkMode': 'front'}}"));
	return web;
}

static const struct action *find_object_action(const char *engine_name)
{
	for (size_t i = 0; i < f.plan.count; i++) {
		const struct action *action = &f.plan.actions[i];

		if (action->have && strcmp(action->have->engine_name, engine_name) == 0)
			return action;
	}
	return NULL;
}

Test(plan, a_network_under_another_name_comes_first_and_the_old_one_goes_last)
{
	renamed_under("{}");
	build();
	expect_verdict("Network", "edge", VERDICT_CREATE);
	expect_verdict("Container", "web", VERDICT_REPLACE);
	cr_expect(comes_after("Container", "web", "Network", "edge"));
	cr_assert_eq(f.plan.count, 3);
	cr_expect_eq(f.plan.actions[2].verdict, VERDICT_REMOVE);
	cr_expect_str_eq(f.plan.actions[2].have->engine_name, "front");
}

/* The run that was interrupted has made edge, which says whose place it takes. */
Test(plan, the_next_run_goes_on_moving_to_the_network_with_the_other_name)
{
	renamed_under("{}");
	add_network("edge")->own.replaces = "id-of-front";
	build();
	expect_verdict("Network", "edge", VERDICT_KEEP);
	expect_verdict("Container", "web", VERDICT_REPLACE);
	cr_assert_not_null(find_object_action("front"));
	cr_expect_eq(find_object_action("front")->verdict, VERDICT_REMOVE);
}

/* Those that move would be out of its sight. */
Test(plan, a_network_gets_no_other_name_under_a_foreign_container)
{
	renamed_under("{}");
	add_foreign("Container", "theirs")->listed =
		keep(fixture_json("{'NetworkSettings': {'Networks': {'front': {}}}}"));
	build();
	expect_verdict("Network", "edge", VERDICT_REFUSE);
	cr_expect(strstr(find("Network", "edge")->reason, "'theirs' is on it"));
	cr_expect_eq(find("Network", "edge"), find_object_action("front"));
}

/* Taken off it, it still needs it for its next start. */
Test(plan, the_old_network_stays_for_a_foreign_container_that_was_made_on_it)
{
	renamed_under("{}");
	add_foreign("Container", "theirs")->listed = keep(fixture_json(
		"{'NetworkSettings': {'Networks': {'other': {}}}, 'HostConfig': {'NetworkMode': "
		"'front'}}"));
	build();
	expect_verdict("Network", "edge", VERDICT_CREATE);
	expect_verdict("Network", "front", VERDICT_LEFTOVER);
	cr_expect(strstr(find("Network", "front")->reason, "kept for container 'theirs'"));
}

/* A run that failed has put the old one back, and the new one was there all the same. */
Test(plan, a_network_of_an_earlier_name_that_nobody_uses_goes)
{
	struct resource *edge = want("Network", "edge", "{}");

	edge->metadata = keep(fixture_json("{'was': ['front']}"));
	add_network("edge");
	add_network("front");
	build();
	expect_verdict("Network", "edge", VERDICT_KEEP);
	cr_assert_not_null(find_object_action("front"));
	cr_expect_eq(find_object_action("front")->verdict, VERDICT_REMOVE);
}

Test(plan, the_old_network_stays_for_who_stays_on_it)
{
	renamed_under("{'ignore': ['networks']}");
	build();
	expect_verdict("Network", "edge", VERDICT_CREATE);
	cr_assert_not_null(find_object_action("front"));
	cr_expect_eq(find_object_action("front")->verdict, VERDICT_LEFTOVER);
	cr_expect(strstr(find_object_action("front")->reason, "kept for container 'web'"));
}

Test(plan, a_set_of_volumes_alone_is_an_empty_one)
{
	f.options.prune = true;
	want("Volume", "data", "{}");
	add_object("Container", "old", "old");
	cr_assert_eq(plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err), -1);
	cr_expect_eq(f.err.code, ERROR_REFUSED);
}

Test(plan, prune_never_empties_a_host)
{
	f.options.prune = true;
	add_object("Container", "web", "web");
	cr_assert_eq(plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err), -1);
	cr_expect_eq(f.err.code, ERROR_REFUSED);
	cr_expect(strstr(f.err.text, "state: absent"), "%s", f.err.text);
}

Test(plan, absent_everywhere_is_an_empty_set_too)
{
	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1', 'state': 'absent'}"));
	add_object("Container", "old", "old");
	cr_assert_eq(plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err), -1);
	cr_expect_eq(f.err.code, ERROR_REFUSED);
}

static void add_leftovers(int count)
{
	for (int i = 0; i < count; i++) {
		const char *name = arena_printf(f.arena, "old-%d", i);

		add_object("Container", name, name);
	}
}

Test(plan, prune_stops_at_the_cap)
{
	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_leftovers(3);
	build();
	expect_verdict("Container", "old-2", VERDICT_REMOVE);
}

Test(plan, prune_above_the_cap_refuses_all)
{
	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_leftovers(4);
	cr_assert_eq(plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err), -1);
	cr_expect_eq(f.err.code, ERROR_REFUSED);
	cr_expect(strstr(f.err.text, "--max-removals"), "%s", f.err.text);
}

Test(plan, the_cap_grows_with_the_host)
{
	f.options.prune = true;
	for (int i = 0; i < 50; i++)
		run(want("Container", arena_printf(f.arena, "web-%d", i), "{'image': 'busy:1'}"));
	add_leftovers(5);
	build();
	expect_verdict("Container", "old-4", VERDICT_REMOVE);
}

Test(plan, absent_is_removed_without_prune_users_first)
{
	add_network("front");
	want("Network", "front", "{'state': 'absent'}");
	run(want("Container", "web",
		 "{'image': 'busy:1', 'networks': {'front': {}}, 'state': 'absent'}"));
	want("Container", "never", "{'image': 'busy:1', 'state': 'absent'}");
	build();
	expect_verdict("Container", "web", VERDICT_REMOVE);
	expect_verdict("Network", "front", VERDICT_REMOVE);
	expect_verdict("Container", "never", VERDICT_KEEP);
	cr_expect(comes_after("Network", "front", "Container", "web"));
}

Test(plan, an_absent_volume_goes_only_with_consent)
{
	add_volume("kept");
	add_volume("dropped");
	want("Volume", "kept", "{'state': 'absent'}");
	want("Volume", "dropped", "{'state': 'absent', 'on_remove': 'delete'}");
	build();
	expect_verdict("Volume", "kept", VERDICT_REFUSE);
	expect_verdict("Volume", "dropped", VERDICT_REMOVE);
	cr_expect(find("Volume", "dropped")->loses_data);
}

Test(plan, an_absent_container_that_is_foreign_goes_only_if_adopted)
{
	struct resource *mine;

	add_foreign("Container", "theirs");
	add_foreign("Container", "mine");
	want("Container", "theirs", "{'image': 'busy:1', 'state': 'absent'}");
	mine = want("Container", "mine", "{'image': 'busy:1', 'state': 'absent'}");
	mine->metadata = keep(fixture_json("{'adopt': true}"));
	build();
	expect_verdict("Container", "theirs", VERDICT_REFUSE);
	expect_verdict("Container", "mine", VERDICT_REMOVE);
}

Test(plan, halves_of_a_replacement_are_no_leftovers)
{
	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_object("Container", "web.drey-old", "web");
	add_object("Container", "gone.drey-new", "gone");
	build();
	cr_expect_eq(f.plan.count, 1);
	cr_expect_eq(f.plan.warning_count, 2);
}

Test(plan, a_second_claimant_is_reported_and_never_pruned)
{
	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_object("Container", "copy", "web");
	build();
	cr_assert_eq(f.plan.count, 2);
	cr_expect_eq(f.plan.actions[1].verdict, VERDICT_LEFTOVER);
	cr_expect(strstr(f.plan.actions[1].reason, "'copy'"));
}

Test(plan, a_target_takes_what_it_lacks_along_and_nothing_else)
{
	const char *targets[] = { "Container/web" };

	f.options.targets = targets;
	f.options.target_count = 1;
	f.options.prune = true;
	want("Network", "front", "{}");
	set_observed(run(want("Container", "db", "{'image': 'busy:1'}")), "hostname", "by-hand");
	want("Container", "web",
	     "{'image': 'busy:1', 'networks': {'front': {}}, 'depends_on': {'db': {}}}");
	want("Container", "other", "{'image': 'busy:1'}");
	add_object("Container", "old", "old");
	build();
	cr_expect_eq(f.plan.count, 2);
	expect_verdict("Network", "front", VERDICT_CREATE);
	expect_verdict("Container", "web", VERDICT_CREATE);
}

Test(plan, a_leftover_may_be_a_target)
{
	const char *targets[] = { "Container/old@h1", "Container/elsewhere@h2" };

	f.options.targets = targets;
	f.options.target_count = 2;
	f.options.prune = true;
	run(want("Container", "web", "{'image': 'busy:1'}"));
	add_object("Container", "old", "old");
	add_object("Container", "older", "older");
	build();
	cr_expect_eq(f.plan.count, 1);
	expect_verdict("Container", "old", VERDICT_REMOVE);
}

static void expect_bad_target(const char *target)
{
	const char *targets[] = { target };

	f.options.targets = targets;
	f.options.target_count = 1;
	f.err = ERROR_INIT;
	cr_expect_eq(plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err), -1, "%s", target);
	cr_expect_eq(f.err.code, ERROR_INVALID, "%s", target);
}

Test(plan, targets_that_name_nothing_are_errors)
{
	run(want("Container", "web", "{'image': 'busy:1'}"));
	expect_bad_target("Container/nothing");
	expect_bad_target("web");
	expect_bad_target("Container/");
	expect_bad_target("/web");
	expect_bad_target("Container/web@");
	expect_bad_target("Container@h1/web");
	expect_bad_target("Contaner/web");
}

Test(plan, a_selector_chooses_by_labels_of_the_manifests)
{
	f.options.selector = "tier=front";
	f.options.prune = true;
	want("Container", "web", "{'image': 'busy:1'}")->metadata =
		keep(fixture_json("{'labels': {'tier': 'front'}}"));
	want("Container", "db", "{'image': 'busy:1'}");
	add_object("Container", "old", "old");
	build();
	cr_expect_eq(f.plan.count, 1);
	expect_verdict("Container", "web", VERDICT_CREATE);
}

Test(plan, a_selector_that_matches_nothing_is_an_error)
{
	f.options.selector = "tier=back";
	want("Container", "web", "{'image': 'busy:1'}");
	cr_expect_eq(plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err), -1);
	cr_expect_eq(f.err.code, ERROR_INVALID);
}

Test(plan, backups_come_first_where_asked)
{
	struct object *db =
		run(want("Container", "db", "{'image': 'busy:1', 'backup_first': true}"));

	set_observed(db, "hostname", "by-hand");
	build();
	expect_verdict("Container", "db", VERDICT_REPLACE);
	cr_expect(find("Container", "db")->backup_first);
}

Test(plan, what_no_backup_covers_is_refused_before_it_is_touched)
{
	struct object *db =
		run(want("Container", "db",
			 "{'image': 'busy:1', 'backup_first': true,"
			 " 'volumes': [{'type': 'volume', 'source': 'data', 'target': '/d'}]}"));

	want("Volume", "data", "{}");
	add_volume("data");
	add_volume("dropped");
	want("Volume", "dropped",
	     "{'state': 'absent', 'on_remove': 'delete', 'backup_first': true}");
	db->inspect = keep(fixture_json("{'Mounts': [{'Type': 'volume', 'Name': 'data'}]}"));
	set_observed(db, "hostname", "by-hand");
	build();
	expect_verdict("Container", "db", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "db")->reason, "Volume/data"));
	cr_expect_not(find("Container", "db")->disruptive);
	expect_verdict("Volume", "dropped", VERDICT_REFUSE);
	cr_expect(strstr(find("Volume", "dropped")->reason, "Volume/dropped"));
}

Test(plan, a_field_that_the_engine_is_too_old_for_is_refused)
{
	f.pass.observed.engine_api = 41;
	want("Container", "new",
	     "{'image': 'busy:1', 'healthcheck': {'test': ['CMD', 'true'],"
	     " 'start_interval': 1000000000}}");
	want("Container", "plain", "{'image': 'busy:1'}");
	build();
	expect_verdict("Container", "new", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "new")->reason, "spec.healthcheck.start_interval"));
	expect_verdict("Container", "plain", VERDICT_CREATE);
}
