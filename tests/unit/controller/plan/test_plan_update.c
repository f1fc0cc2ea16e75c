/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Containers that give way to others, depend on others, and were called otherwise. */
#include "tests/unit/controller/plan/plan_fixture.h"

TestSuite(plan_update, .init = setup, .fini = teardown);

/* --- update_config --- */

#define FIRST "'deploy': {'update_config': {'order': 'start-first'}}"

/* What the engine tells of it beside its networks. */
static void tell(struct object *object, const char *created, const char *started,
		 const char *mounts, const char *mode)
{
	json_t *inspect = (json_t *)object->inspect;

	json_object_set_new(inspect, "Created", json_string(created));
	json_object_set_new(inspect, "State",
			    json_pack("{s:s, s:s}", "Status", object->state, "StartedAt", started));
	json_object_set_new(inspect, "Mounts", fixture_json(mounts));
	json_object_set_new(inspect, "HostConfig", json_pack("{s:s}", "NetworkMode", mode));
}

static const struct action *replace_with(const char *spec, const char *mounts)
{
	struct object *object = run(want("Container", "web", spec));

	tell(object, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", mounts, "default");
	set_observed(object, "image", "busy:0");
	build();
	expect_verdict("Container", "web", VERDICT_REPLACE);
	return find("Container", "web");
}

Test(plan_update, start_first_stops_no_service)
{
	const struct action *action = replace_with("{'image': 'busy:1', " FIRST "}", "[]");

	cr_expect(action->start_first);
	cr_expect_not(action->disruptive);
	cr_expect_null(action->order_reason);
}

static void expect_stop_first(const char *spec, const char *mounts, const char *why)
{
	teardown();
	setup();
	want("Volume", "data", "{}");
	add_volume("data");
	want("Network", "front", "{}");
	add_network("front");
	const struct action *action = replace_with(spec, mounts);

	cr_expect_not(action->start_first, "%s", spec);
	cr_expect(action->disruptive, "%s", spec);
	cr_assert(action->order_reason, "%s", spec);
	cr_expect(strstr(action->order_reason, why), "%s: %s", spec, action->order_reason);
}

Test(plan_update, start_first_gives_way_where_two_cannot_run_at_once)
{
	expect_stop_first(
		"{'image': 'busy:1', 'ports': [{'target': 80, 'published': '8080'}], " FIRST "}",
		"[]", "port 8080");
	expect_stop_first("{'image': 'busy:1', 'network_mode': 'host', " FIRST "}", "[]",
			  "host's network");
	expect_stop_first(
		"{'image': 'busy:1', 'networks': {'front': {'ipv4_address': '10.0.0.9'}}, " FIRST
		"}",
		"[]", "its ipv4_address on network front");
	expect_stop_first("{'image': 'busy:1', 'volumes': [{'type': 'volume', 'source': 'data', "
			  "'target': '/d', "
			  "'read_only': true}], " FIRST "}",
			  "[{'Type': 'volume', 'Name': 'data', 'Destination': '/d', 'RW': true}]",
			  "volume data");
	expect_stop_first("{'image': 'busy:1', 'volumes': [{'type': 'bind', 'source': '/srv/a', "
			  "'target': '/d'}], " FIRST "}",
			  "[{'Type': 'bind', 'Source': '/srv', 'Destination': '/d', 'RW': false}]",
			  "/srv/a of the host");
	expect_stop_first(
		"{'image': 'busy:1', " FIRST "}",
		"[{'Type': 'volume', 'Name': '0123456789abcdef0123456789abcdef"
		"0123456789abcdef0123456789abcdef', 'Destination': '/scratch', 'RW': true}]",
		"the volume at /scratch moves");
}

Test(plan_update, readers_and_neighbours_do_not_stand_against_start_first)
{
	const struct action *action = replace_with(
		"{'image': 'busy:1', 'volumes': [{'type': 'bind', 'source': '/srv/ab', 'target': "
		"'/d'},"
		" {'type': 'bind', 'source': '/etc', 'target': '/e', 'read_only': true}], " FIRST
		"}",
		"[{'Type': 'bind', 'Source': '/srv/a', 'Destination': '/d', 'RW': true},"
		" {'Type': 'bind', 'Source': '/etc', 'Destination': '/e', 'RW': false}]");

	cr_expect(action->start_first, "%s", action->order_reason);
}

/* --- what an interrupted or failed replacement left --- */

static struct object *left(const char *engine_name, const char *replaces, const char *state)
{
	struct object *object = run(f.list[0]);

	object->engine_name = arena_strdup(f.arena, engine_name);
	object->id = arena_strdup(f.arena, replaces ? "bbbb" : "aaaa");
	object->own.replaces = replaces;
	object->state = state;
	tell(object, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "[]", "default");
	return object;
}

Test(plan_update, an_interrupted_replacement_is_a_difference)
{
	want("Container", "web", "{'image': 'busy:1'}");
	left("web.drey-old", NULL, "exited");
	left("web", "aaaa,always", "running");
	build();
	expect_verdict("Container", "web", VERDICT_KEEP);
	cr_expect_eq(f.plan.unfinished, 1);
	cr_expect(plan_has_differences(&f.plan));
}

Test(plan_update, what_is_held_is_left_alone_until_there_is_something_new)
{
	want("Container", "web",
	     "{'image': 'busy:1', 'deploy': {'update_config': {'failure_action': 'pause'}}}");
	left("web.drey-held", NULL, "exited");
	struct object *failed = left("web", "aaaa,always", "exited");
	build();
	expect_verdict("Container", "web", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "web")->reason, "web.drey-held"));
	cr_expect_eq(f.plan.unfinished, 0);

	/* A hook that was put right, which is no difference. */
	failed->own.spec = "e";
	build();
	cr_expect_eq(f.plan.unfinished, 1);
	cr_expect(plan_has_differences(&f.plan));

	failed->own.spec = "d";
	build();
	expect_verdict("Container", "web", VERDICT_REFUSE);
	set_observed(failed, "image", "busy:0");
	build();
	expect_verdict("Container", "web", VERDICT_REPLACE);
	cr_expect_eq(f.plan.unfinished, 1);
}

/* Which of the two was the good one only people know: neither is removed for want of a manifest. */
Test(plan_update, what_is_held_stays_when_its_manifest_goes)
{
	want("Container", "web",
	     "{'image': 'busy:1', 'deploy': {'update_config': {'failure_action': 'pause'}}}");
	left("web.drey-held", NULL, "exited");
	left("web", "aaaa,always", "running");
	f.desired.count = 0;
	build();
	cr_expect_eq(f.plan.unfinished, 0);
	cr_assert_eq(f.plan.warning_count, 1);
	cr_expect(strstr(f.plan.warnings[0], "'web.drey-held'"), "%s", f.plan.warnings[0]);

	/* Another name for it is no reason to remove the good one, but one to go back to it. */
	want("Container", "web",
	     "{'image': 'busy:1', 'container_name': 'www', 'deploy': {'update_config': "
	     "{'failure_action': 'pause'}}}")
		->digest = "e";
	build();
	cr_expect_eq(f.plan.unfinished, 1);
}

/* --- what was not made by drey --- */

/* As adopted: it is in step, and has written something into its own file system. */
static struct object *adopted(const char *name, const char *spec)
{
	struct resource *resource = want("Container", name, spec);
	struct object *object = run(resource);

	resource->metadata = keep(fixture_json("{'adopt': true}"));
	object->ours = false;
	object->own = (struct ownership){ 0 };
	object->layer_changed = true;
	return object;
}

Test(plan_update, what_would_lose_its_own_files_keeps_what_it_shares_from_being_replaced)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));
	struct object *side = adopted("side", "{'image': 'busy:1', 'network_mode': 'service:vpn'}");

	run(want("Container", "app", "{'image': 'busy:1', 'network_mode': 'service:vpn'}"));
	tell(side, "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z", "[]", "container:id-of-vpn");
	set_observed(vpn, "hostname", "by-hand");
	build();
	expect_verdict("Container", "vpn", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "vpn")->reason, "discard_changes"));
	expect_verdict("Container", "side", VERDICT_KEEP);
	expect_verdict("Container", "app", VERDICT_KEEP);
	side->layer_changed = false;
	build();
	expect_verdict("Container", "vpn", VERDICT_REPLACE);
	expect_verdict("Container", "side", VERDICT_REPLACE);
}

/* --- the users of a volume --- */

Test(plan_update, a_plan_for_the_users_of_a_volume_leaves_all_else)
{
	want("Volume", "data", "{}");
	add_volume("data");
	want("Network", "front", "{}");
	struct object *db = run(want("Container", "db",
				     "{'image': 'busy:1', 'volumes': [{'type': 'volume', 'source': "
				     "'data', 'target': '/d'}]}"));
	struct object *tool = run(want("Container", "tool",
				       "{'image': 'busy:1', 'volumes_from': [{'source': 'db'}]}"));
	struct object *web = run(want("Container", "web", "{'image': 'busy:1'}"));

	set_observed(db, "image", "busy:0");
	set_observed(tool, "image", "busy:0");
	set_observed(web, "image", "busy:0");
	want("Container", "gone", "{'image': 'busy:1', 'state': 'absent'}");
	add_object("Container", "gone", "gone")->state = "running";
	f.options.users_of = "data";
	build();
	expect_verdict("Container", "db", VERDICT_REPLACE);
	expect_verdict("Container", "web", VERDICT_KEEP);
	expect_verdict("Container", "gone", VERDICT_KEEP);
	expect_verdict("Network", "front", VERDICT_KEEP);
	expect_verdict("Container", "tool", VERDICT_REPLACE);
}

/* A name that was given by hand, and what was made anew beside it. */
Test(plan_update, a_rival_of_a_volume_is_no_earlier_generation)
{
	want("Volume", "data", "{}");
	add_volume("data");
	struct object *rival = add_volume("old-data");

	rival->own.name = "data";
	build();
	const struct action *action = NULL;

	for (size_t i = 0; i < f.plan.count; i++)
		if (f.plan.actions[i].verdict == VERDICT_LEFTOVER)
			action = &f.plan.actions[i];
	cr_assert_not_null(action);
	cr_expect(strstr(action->reason, "drey removes neither"), "%s", action->reason);
}

/* --- dependencies --- */

Test(plan_update, a_dependent_restarts_after_what_was_made_anew)
{
	struct object *db = run(want("Container", "db", "{'image': 'busy:1'}"));
	struct object *web =
		run(want("Container", "web",
			 "{'image': 'busy:1', 'depends_on': {'db': {'restart': true}}}"));

	tell(db, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "[]", "default");
	tell(web, "2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z", "[]", "default");
	build();
	expect_verdict("Container", "web", VERDICT_KEEP);

	/* An engine that starts both again makes neither of them anew. */
	tell(db, "2026-01-01T00:00:00Z", "2026-01-02T00:00:01Z", "[]", "default");
	build();
	expect_verdict("Container", "web", VERDICT_KEEP);

	tell(db, "2026-01-01T00:00:03.5Z", "2026-01-01T00:00:04Z", "[]", "default");
	build();
	expect_verdict("Container", "web", VERDICT_UPDATE);
	cr_expect(find("Container", "web")->restart);
	cr_expect(find("Container", "web")->disruptive);

	/* A clock that was set back says nothing. */
	tell(web, "2026-01-01T00:00:02Z", "2020-01-01T00:00:03Z", "[]", "default");
	build();
	expect_verdict("Container", "web", VERDICT_KEEP);
	set_observed(db, "image", "busy:0");
	build();
	expect_verdict("Container", "web", VERDICT_UPDATE);
	cr_expect(find("Container", "web")->restart);
	cr_expect(comes_after("Container", "web", "Container", "db"));
}

Test(plan_update, a_sharer_of_namespaces_that_are_gone_is_restarted)
{
	struct object *vpn = run(want("Container", "vpn", "{'image': 'busy:1'}"));
	struct object *app =
		run(want("Container", "app", "{'image': 'busy:1', 'network_mode': 'service:vpn'}"));

	tell(vpn, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "[]", "default");
	tell(app, "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z", "[]", "container:id-of-vpn");
	build();
	expect_verdict("Container", "app", VERDICT_KEEP);
	tell(vpn, "2026-01-01T00:00:00Z", "2026-01-01T00:00:02.25Z", "[]", "default");
	build();
	expect_verdict("Container", "app", VERDICT_UPDATE);
	cr_expect(strstr(find("Container", "app")->reason, "namespaces"));
	vpn->state = "exited";
	tell(vpn, "2026-01-01T00:00:00Z", "2026-01-01T00:00:02.25Z", "[]", "default");
	build();
	expect_verdict("Container", "app", VERDICT_KEEP);
}

Test(plan_update, what_is_not_required_comes_first_and_blocks_nobody)
{
	want("Container", "db", "{'image': 'busy:1'}");
	want("Container", "web", "{'image': 'busy:1', 'depends_on': {'db': {'required': false}}}");
	build();
	cr_expect(comes_after("Container", "web", "Container", "db"));
	cr_expect_eq(find("Container", "web")->after_required, 0);
}

/* --- foreign writers --- */

Test(plan_update, nothing_is_started_beside_a_foreign_writer)
{
	struct object *foreign = add_foreign("Container", "theirs");

	foreign->state = "running";
	foreign->listed =
		keep(fixture_json("{'Mounts': [{'Type': 'volume', 'Name': 'data', 'RW': true}]}"));
	add_volume("data");
	struct resource *data = want("Volume", "data", "{}");
	want("Container", "web",
	     "{'image': 'busy:1', 'volumes': [{'type': 'volume', 'source': 'data', 'target': "
	     "'/d'}]}");
	build();
	expect_verdict("Container", "web", VERDICT_REFUSE);
	cr_expect(strstr(find("Container", "web")->reason, "'theirs'"));
	data->spec = keep(fixture_json("{'shared': true}"));
	build();
	expect_verdict("Container", "web", VERDICT_CREATE);
	cr_expect(strstr(find("Container", "web")->warning, "'theirs'"));
	data->spec = keep(fixture_json("{}"));
	foreign->state = "exited";
	build();
	expect_verdict("Container", "web", VERDICT_CREATE);
	foreign->state = "running";
	foreign->listed =
		keep(fixture_json("{'Mounts': [{'Type': 'volume', 'Name': 'data', 'RW': false}]}"));
	build();
	expect_verdict("Container", "web", VERDICT_CREATE);
}

/* --- was --- */

Test(plan_update, what_was_made_under_an_earlier_name_is_renamed)
{
	struct resource *now = want("Container", "web", "{'image': 'busy:1'}");

	now->metadata = keep(fixture_json("{'was': ['site', 'www']}"));
	const struct object *model = run(now);
	struct object *there = add_object("Container", "www", "www");
	there->observed = model->observed;
	there->inspect = model->inspect;
	there->state = model->state;
	there->image_id = model->image_id;
	f.pass.observed.objects[0] = there;
	f.pass.observed.count = 1;
	build();
	expect_verdict("Container", "web", VERDICT_UPDATE);
	cr_expect(container_changes_path(find("Container", "web"), "container_name"));
	cr_expect_eq(f.plan.count, 1);
}
