/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between a container and its manifest, and what that takes. Pure. */
#include "reconcilers/container_compare.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_files.h"
#include "reconcilers/network.h"
#include "reconcilers/platform.h"
#include "reconcilers/pull.h"

static void release(void *json)
{
	json_decref(json);
}

/* Values of changes live as long as the plan. Takes the reference. */
static json_t *keep(struct arena *arena, json_t *value)
{
	if (value)
		arena_defer(arena, release, value);
	return value;
}

static bool is_ignored(const struct action *action, const char *key)
{
	const json_t *ignored;
	size_t i;

	json_array_foreach (resource_ignore(action->want), i, ignored) {
		if (str_eq(json_string_value(ignored), key))
			return true;
	}
	return false;
}

static void add_change(struct action *action, const char *key, const json_t *before,
		       const json_t *after, enum effect effect)
{
	const struct field *field = schema_field(&container_schema, key);

	if (is_ignored(action, key))
		return;
	struct change change = {
		.field = field,
		.leaf = field,
		.path = key,
		.before = before,
		.after = after,
		.effect = effect,
	};
	vec_push(&action->changes.list, change);
}

/* --- image --- */

/* A reference with everything in it that Docker supplies: "docker.io/library/web:latest". With a
 * digest the tag means nothing (distribution/reference). */
static void full_reference(const char *reference, struct str *out)
{
	size_t name_len = strcspn(reference, "@");
	const char *digest = reference + name_len, *slash, *tag = NULL;

	for (size_t i = name_len; i-- > 0 && reference[i] != '/';) {
		if (reference[i] == ':')
			tag = reference + i;
	}
	if (tag)
		name_len = (size_t)(tag - reference);
	slash = memchr(reference, '/', name_len);
	size_t domain = slash ? (size_t)(slash - reference) : 0;
	bool has_domain =
		domain && (memchr(reference, '.', domain) || memchr(reference, ':', domain) ||
			   strncmp(reference, "localhost/", domain + 1) == 0);
	if (has_domain && strncmp(reference, "index.docker.io/", domain + 1) == 0) {
		reference += strlen("index.");
		name_len -= strlen("index.");
	}
	if (!has_domain)
		str_append(out, slash ? "docker.io/" : "docker.io/library/");
	str_append_n(out, reference, name_len);
	if (*digest)
		str_append(out, digest);
	else if (tag)
		str_append_n(out, tag, strcspn(tag, "@"));
	else
		str_append(out, ":latest");
}

static bool same_reference(const char *a, const char *b)
{
	struct str full_a, full_b;

	str_init(&full_a, 0);
	str_init(&full_b, 0);
	full_reference(a, &full_a);
	full_reference(b, &full_b);
	bool same = strcmp(full_a.data, full_b.data) == 0;
	str_done(&full_a);
	str_done(&full_b);
	return same;
}

static bool is_image_id(const char *reference)
{
	return str_has_prefix(reference, "sha256:");
}

enum { SHORT_DIGEST = 19 }; /* "sha256:" and twelve digits */

/* The image as people know it, and which one it is: two that bear one name. */
static json_t *image_text(const char *reference, const char *id)
{
	return json_sprintf("%s (%.*s)", reference, SHORT_DIGEST, id);
}

static void compare_image(const struct pass *pass, struct action *action, struct arena *arena)
{
	const struct object *have = action->have;
	const char *want = resource_string(action->want, "image");
	const json_t *observed = json_object_get(have->observed, "image");
	const json_t *image = pull_wanted_image(pass, action->want);
	const char *digest = pull_digest(pass, action->want, NULL);
	const char *there = json_string_value(observed), *have_id = have->image_id ?: "";
	const char *want_id = json_string_value(json_object_get(image, "Id"));

	/* An ID says nothing of names, whether it was made from one or shall be. */
	bool same = there && (same_reference(want, there) ||
			      (is_image_id(there) && str_eq(want_id, have_id)) ||
			      (is_image_id(want) && strcmp(want, have_id) == 0));
	if (!same) {
		add_change(action, "image", observed, resource_get(action->want, "image"),
			   EFFECT_REPLACE);
	} else if (want_id && strcmp(want_id, have_id) != 0) {
		add_change(action, "image", keep(arena, image_text(want, have_id)),
			   keep(arena, image_text(want, want_id)), EFFECT_REPLACE);
		action->reason =
			arena_printf(arena, "image %s now means %.*s", want, SHORT_DIGEST, want_id);
	} else if (digest && !image) {
		add_change(action, "image", keep(arena, image_text(want, have_id)),
			   keep(arena, image_text(want, digest)), EFFECT_REPLACE);
		action->reason = arena_printf(arena, "image %s has moved to %s in its registry",
					      want, digest);
	}
}

/* Image stores that hold several platforms under one name say which one it is. */
static void compare_platform(const struct pass *pass, struct action *action, struct arena *arena)
{
	const char *want = resource_string(action->want, "platform");
	const json_t *have = json_object_get(
		json_object_get(action->have->inspect, "ImageManifestDescriptor"), "platform");

	if (!have)
		have = pass_image(pass, action->have->image_id);
	if (want && have && !platform_matches(want, have))
		add_change(action, "platform", keep(arena, platform_text(have)),
			   resource_get(action->want, "platform"), EFFECT_REPLACE);
}

/* --- state --- */

static bool is_state(const struct object *have, const char *state)
{
	return str_eq(have->state, state);
}

static void change_state(struct action *action, struct arena *arena, const char *to)
{
	add_change(action, "state", keep(arena, json_string(action->have->state)),
		   keep(arena, json_string(to)), EFFECT_STATE);
}

static int exit_code(const struct object *have)
{
	const json_t *state = json_object_get(have->inspect, "State");

	return (int)json_integer_value(json_object_get(state, "ExitCode"));
}

/* Runs once per container; what failed is not run again until something else takes its place. */
static void compare_completed(struct action *action, struct arena *arena)
{
	const struct object *have = action->have;

	if (is_state(have, "created") || is_state(have, "paused")) {
		change_state(action, arena, "completed");
	} else if (is_state(have, "exited") && exit_code(have) != 0) {
		action->verdict = VERDICT_REFUSE;
		action->reason = arena_printf(arena,
					      "it exited with %d; it is not run again until its "
					      "manifest or its image changes",
					      exit_code(have));
	}
}

static void compare_state(struct action *action, struct arena *arena)
{
	const struct object *have = action->have;
	const char *want = container_wanted_state(action->want);
	bool up = is_state(have, "running") || is_state(have, "paused") ||
		  is_state(have, "restarting");

	if (strcmp(want, "completed") == 0) {
		compare_completed(action, arena);
	} else if (strcmp(want, "stopped") == 0) {
		if (up)
			change_state(action, arena, want);
	} else if (is_state(have, "restarting")) {
		/* The engine's own policy is at work: starting it as well would only disturb. */
		action->warning = arena_printf(
			arena, "it does not stay up: the engine is restarting it, last exit %d",
			exit_code(have));
	} else if (!is_state(have, strcmp(want, "paused") == 0 ? "paused" : "running")) {
		change_state(action, arena, want);
	}
}

/* --- dependencies --- */

static const json_t *dependency(const struct resource *want, const char *name)
{
	return json_object_get(resource_get(want, "depends_on"), name);
}

bool container_restarts_after(const struct resource *want, const char *name)
{
	return json_is_true(json_object_get(dependency(want, name), "restart"));
}

bool container_requires(const struct resource *want, const char *name)
{
	return !json_is_false(json_object_get(dependency(want, name), "required"));
}

static const char *created_at(const struct object *object)
{
	return json_string_value(json_object_get(object->inspect, "Created"));
}

static const char *started_at(const struct object *object)
{
	const json_t *state = json_object_get(object->inspect, "State");

	return json_string_value(json_object_get(state, "StartedAt"));
}

/* A clock that was set back says nothing about what came first. */
static bool has_sane_times(const struct object *object)
{
	return !inspect_is_later(created_at(object), started_at(object));
}

static void note_newer_dependencies(const struct pass *pass, struct action *action,
				    struct arena *arena)
{
	const json_t *entry;
	const char *name;

	json_object_foreach ((json_t *)resource_get(action->want, "depends_on"), name, entry) {
		const struct object *other = pass_find_ours(pass, action->kind, name);

		if (!json_is_true(json_object_get(entry, "restart")) || !other ||
		    container_is_leftover(other->engine_name) ||
		    !inspect_is_later(created_at(other), started_at(action->have)))
			continue;
		action->restart = true;
		action->reason = arena_printf(
			arena, "Container/%s, on which it depends, was made anew after its start",
			name);
	}
}

/* Its engine's own policy, or somebody, has started the provider again: that one has new
 * namespaces, and this one lives on in the old ones. A sharer starts after its provider runs, or
 * not at all (moby daemon, "cannot join network of a non running container"). */
static void note_dead_namespaces(const struct pass *pass, struct action *action,
				 struct arena *arena)
{
	/* Each with each, on a host of hundreds, is for the few that share. */
	if (!container_joins_any(action->have))
		return;
	for (size_t i = 0; i < pass->observed.count && !action->restart; i++) {
		const struct object *other = pass->observed.objects[i];

		if (!container_joins(action->have, other->id, other->engine_name) ||
		    !other->inspect || !is_state(other, "running") || !has_sane_times(other) ||
		    !inspect_is_later(started_at(other), started_at(action->have)))
			continue;
		action->restart = true;
		action->reason = arena_printf(arena,
					      "container %s was started again after it: the "
					      "namespaces that it shares are gone",
					      other->engine_name);
	}
}

/* What runs, and in a world that is no more. */
static void compare_world(const struct pass *pass, struct action *action, struct arena *arena)
{
	if (action->verdict == VERDICT_REFUSE || !is_state(action->have, "running") ||
	    strcmp(container_wanted_state(action->want), "running") != 0 ||
	    !has_sane_times(action->have))
		return;
	note_newer_dependencies(pass, action, arena);
	note_dead_namespaces(pass, action, arena);
}

/* --- effects --- */

static bool is_nothing(const json_t *value)
{
	return !value || (json_is_integer(value) && json_integer_value(value) == 0) ||
	       (json_is_string(value) && json_string_length(value) == 0);
}

static bool is_set(const struct action *action, const char *key)
{
	return json_integer_value(json_object_get(action->have->observed, key)) > 0;
}

bool container_change_names(const struct change *change, const char *network)
{
	size_t len = strlen(network);
	const char *rest = change->path + strlen("networks");

	if (change->effect != EFFECT_CONNECT || !str_has_prefix(change->path, "networks"))
		return false;
	if (*rest == '.' || *rest == '[')
		rest++;
	return strncmp(rest, network, len) == 0 && strchr(".]", rest[len]);
}

bool container_connect_loses_mac(const struct pass *pass, const struct resource *want,
				 const char *network)
{
	enum { CONNECT_TAKES_MAC = 54 };
	const json_t *endpoint = json_object_get(resource_get(want, "networks"), network);
	int api = pass->observed.engine_api;

	return api > 0 && api < CONNECT_TAKES_MAC && json_object_get(endpoint, "mac_address");
}

/* POST connect ignores the address before API 1.54; create takes it. */
static void raise_for_macs(const struct pass *pass, struct action *action, struct arena *arena)
{
	const json_t *endpoint;
	const char *network;

	json_object_foreach ((json_t *)resource_get(action->want, "networks"), network, endpoint) {
		if (!container_connect_loses_mac(pass, action->want, network))
			continue;
		VEC_FOREACH (struct change *, change, &action->changes.list) {
			if (!container_change_names(change, network_engine_name(pass, network)))
				continue;
			change->effect = EFFECT_REPLACE;
			if (!action->reason)
				action->reason = arena_printf(
					arena,
					"this engine can't join it to %s with its mac_address but "
					"by making it anew",
					network);
		}
	}
}

static bool leaves_to_others(const struct action *action, const char *network, struct arena *arena)
{
	return is_ignored(action, "network_mode") || is_ignored(action, "networks") ||
	       is_ignored(action, arena_printf(arena, "networks.%s", network)) ||
	       is_ignored(action, arena_printf(arena, "networks[%s]", network));
}

/* It never starts again, and one made anew would be run once more. */
static bool is_done(const struct action *action)
{
	return strcmp(container_wanted_state(action->want), "completed") == 0 &&
	       is_state(action->have, "exited");
}

/* A live change would leave one that does not come back from its next start. */
static void compare_home(const struct pass *pass, struct action *action, struct arena *arena)
{
	const char *home = container_home(pass, action->have);
	json_t *wanted = container_networks(pass, action->want);
	const char *first = json_string_value(json_array_get(wanted, 0));
	bool stays = !home || !first || is_done(action) || leaves_to_others(action, home, arena);
	const json_t *name;
	size_t i;

	json_array_foreach (wanted, i, name)
		stays = stays || str_eq(json_string_value(name), home);
	if (!stays) {
		add_change(action, "network_mode", keep(arena, json_string(home)),
			   keep(arena, json_string(first)), EFFECT_REPLACE);
		if (!action->reason)
			action->reason = "this engine starts no container without the network "
					 "that it was made on";
	}
	json_decref(wanted);
}

/* Made by `docker run --rm`, which drey never does. */
static bool removes_itself(const struct object *have)
{
	return json_is_true(
		json_object_get(json_object_get(have->inspect, "HostConfig"), "AutoRemove"));
}

/*
 * Why POST update can't make this change, NULL where it can. It takes 0 and "" for "leave alone",
 * so a limit can be set and never taken away; pids_limit alone has a value for none. cpus and quota
 * exclude each other, and a container that removes itself takes no restart policy (moby
 * daemon/container/container_unix.go, UpdateContainer). Swap without limit is stored but not given
 * to a running control group (daemon/update_linux.go).
 */
static const char *update_obstacle(const struct pass *pass, const struct action *action,
				   const struct change *change, struct arena *arena)
{
	const char *key = change->field->key;
	bool quota = strcmp(key, "cpu_quota") == 0 || strcmp(key, "cpu_period") == 0;

	if (strcmp(key, "container_name") == 0 || strcmp(key, "pids_limit") == 0)
		return NULL;
	if (strcmp(key, "restart") == 0)
		return removes_itself(action->have) &&
				       !str_eq(json_string_value(change->after), "no")
			       ? "an engine gives no restart policy to a container that removes "
				 "itself (--rm)"
			       : NULL;
	if ((int)change->leaf->live_since > pass->observed.engine_api)
		return arena_printf(arena,
				    "engines before API 1.%u take a new %s and leave the running "
				    "container as it is",
				    change->leaf->live_since, change->path);
	if (is_nothing(change->after))
		return arena_printf(arena,
				    "an engine can't take %s away from a container that has it",
				    change->path);
	if (strcmp(key, "memswap_limit") == 0 && json_integer_value(change->after) < 0 &&
	    !json_is_false(json_object_get(pass->observed.info, "SwapLimit")))
		return "an engine can't lift the limit on swap from a container that runs";
	if (strcmp(key, "cpus") == 0 &&
	    (is_set(action, "cpu_quota") || is_set(action, "cpu_period")))
		return "an engine gives no cpus to a container that has cpu_quota or cpu_period";
	if (quota && is_set(action, "cpus"))
		return arena_printf(arena, "an engine gives no %s to a container that has cpus",
				    key);
	return NULL;
}

static void raise_effects(const struct pass *pass, struct action *action, struct arena *arena)
{
	VEC_FOREACH (struct change *, change, &action->changes.list) {
		const char *obstacle = change->effect == EFFECT_LIVE
					       ? update_obstacle(pass, action, change, arena)
					       : NULL;

		if (!obstacle)
			continue;
		change->effect = EFFECT_REPLACE;
		if (!action->reason)
			action->reason = obstacle;
	}
}

bool container_changes_effect(const struct action *action, enum effect effect)
{
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (change->effect == effect)
			return true;
	}
	return false;
}

bool container_changes_path(const struct action *action, const char *path)
{
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (strcmp(change->path, path) == 0)
			return true;
	}
	return false;
}

/* --- what came with volumes_from --- */

static const char *member_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

/* A volume by its name, else a directory of the host. */
static const char *mount_origin(const json_t *mount)
{
	const char *name = member_text(mount, "Name");

	return *name ? name : member_text(mount, "Source");
}

json_t *container_mounts_of_sources(const struct pass *pass, const json_t *volumes_from)
{
	json_t *mounts = json_object(), *from, *mount;
	size_t i, j;

	json_array_foreach (volumes_from, i, from) {
		const struct object *source = pass_find_engine_name(
			pass, &reconciler_container.kind, member_text(from, "source"));

		json_array_foreach (json_object_get(source ? source->inspect : NULL, "Mounts"), j,
				    mount)
			json_object_set_new(mounts, member_text(mount, "Destination"),
					    json_string(mount_origin(mount)));
	}
	return mounts;
}

/* target -> origin of what an engine would take over now. Mounts that are written come before them;
 * those that the image alone has do not (moby daemon/create_unix.go, HasMountFor). */
static json_t *mounts_to_take(const struct pass *pass, const json_t *expected,
			      const struct action *action)
{
	json_t *taken =
		container_mounts_of_sources(pass, json_object_get(expected, "volumes_from"));
	const json_t *inspect = action->have->inspect;
	json_t *mount, *unused;
	const char *target;
	size_t i;

	json_array_foreach (resource_get(action->want, "volumes"), i, mount) {
		CLEANUP(cleanup_free) char *clean = path_clean(member_text(mount, "target"));

		json_object_del(taken, clean);
	}
	json_t *tmpfs = json_object_get(json_object_get(inspect, "HostConfig"), "Tmpfs");
	json_object_foreach (tmpfs, target, unused)
		json_object_del(taken, target);
	return taken;
}

/* An engine copies the mounts of the source once, when it creates the container (moby,
 * daemon/volumes.go, registerMountPoints): whatever becomes of the source, they stay those. */
static void compare_taken_mounts(const struct pass *pass, struct action *action,
				 const json_t *expected, struct arena *arena)
{
	json_t *taken = mounts_to_take(pass, expected, action), *origin, *mount;
	const json_t *mounts = json_object_get(action->have->inspect, "Mounts");
	const char *target;

	json_object_foreach (taken, target, origin) {
		const char *has = "nothing";
		size_t i;

		json_array_foreach ((json_t *)mounts, i, mount) {
			if (strcmp(member_text(mount, "Destination"), target) == 0)
				has = mount_origin(mount);
		}
		if (strcmp(has, json_string_value(origin)) == 0 ||
		    container_changes_path(action, "volumes_from"))
			continue;
		add_change(action, "volumes_from",
			   keep(arena, json_sprintf("%s at %s", has, target)),
			   keep(arena, json_sprintf("%s at %s", json_string_value(origin), target)),
			   EFFECT_REPLACE);
	}
	json_decref(taken);
}

/* --- the whole --- */

static void compare_fields(const struct pass *pass, struct action *action, struct arena *arena)
{
	const struct resource *want = action->want;
	const json_t *image = pull_wanted_image(pass, want);
	json_t *resolved = container_resolve(pass, want);
	json_t *expected = container_expected(pass, resolved, image, arena, &action->warning);

	json_decref(resolved);
	/* Two spellings of one image are no difference, one spelling of two is: compared apart. */
	json_object_set(expected, "image", json_object_get(action->have->observed, "image"));
	const json_t *observed = action->have->observed;
	if (!action->have->ours)
		observed = adopted_observed(observed, expected, arena);
	schema_diff(&container_schema, observed, expected, resource_ignore(want), &action->changes);
	compare_taken_mounts(pass, action, expected, arena);
	action->known_after_pull = !image;
	/* Changes point into it. Most containers have none, and the next one takes the memory. */
	if (action->changes.list.count > 0)
		keep(arena, expected);
	else
		json_decref(expected);
}

static void compare_name(struct action *action, struct arena *arena)
{
	const char *name = container_engine_name(action->want);
	const char *there = action->have->engine_name;

	if (strcmp(there, name) == 0)
		return;
	add_change(action, "container_name", keep(arena, json_string(there)),
		   keep(arena, json_string(name)), EFFECT_LIVE);
	if (container_is_leftover(there) && !action->reason)
		action->reason = "an interrupted replacement is to be finished or undone";
}

/* Another object that says it is the same container: copied by hand, or left behind. */
static void note_other_claimant(const struct pass *pass, struct action *action, struct arena *arena)
{
	for (size_t i = 0; i < pass->observed.count && !action->warning; i++) {
		const struct object *other = pass->observed.objects[i];

		if (other == action->have || other->kind != action->kind || !other->ours ||
		    !str_eq(other->own.name, action->name) ||
		    container_is_leftover(other->engine_name))
			continue;
		action->warning = arena_printf(arena,
					       "container %s is labelled as this one too; it is "
					       "left alone",
					       other->engine_name);
	}
}

static void note_registry(const struct pass *pass, struct action *action, struct arena *arena)
{
	const char *failure;

	pull_digest(pass, action->want, &failure);
	if (failure && !action->warning)
		action->warning = arena_printf(arena,
					       "its registry could not be asked whether image %s "
					       "has moved: %s",
					       resource_string(action->want, "image"), failure);
}

static void decide(struct action *action)
{
	const struct object *have = action->have;

	if (container_changes_effect(action, EFFECT_REPLACE)) {
		/* What is made anew runs anew: an old failure is no reason any more. */
		if (action->verdict == VERDICT_REFUSE)
			action->reason = NULL;
		action->verdict = VERDICT_REPLACE;
	} else if (is_state(have, "dead")) {
		action->verdict = VERDICT_REPLACE;
		action->reason = "the engine failed to remove it and can't start it again";
	} else if (have->ours && removes_itself(have)) {
		/* No manifest says so; one that is adopted is left as it is. */
		action->verdict = VERDICT_REPLACE;
		action->reason = "somebody made it with --rm: it would be gone at its next stop";
	} else if (action->verdict == VERDICT_KEEP &&
		   (action->changes.list.count || action->restart)) {
		action->verdict = VERDICT_UPDATE;
	}
	/* The new one is started anew anyway. */
	action->restart = action->restart && action->verdict == VERDICT_UPDATE;
	action->disruptive |= action->restart;
	if (action->verdict == VERDICT_REPLACE)
		container_check_layer(action);
	if (action->verdict != VERDICT_REPLACE)
		return;
	if (removes_itself(have))
		action->warning = "the engine removes it as soon as it is stopped (--rm): it can't "
				  "be put back should the new one fail";
}

void container_compare_fields(const struct pass *pass, struct action *action, struct arena *arena)
{
	action->changes.arena = arena;
	action->verdict = VERDICT_KEEP;
	compare_image(pass, action, arena);
	compare_platform(pass, action, arena);
	compare_fields(pass, action, arena);
	container_files_compare(action, arena);
	compare_name(action, arena);
	compare_state(action, arena);
	raise_effects(pass, action, arena);
	raise_for_macs(pass, action, arena);
	compare_home(pass, action, arena);
}

/* Told before anything is touched. */
static bool refuse_hidden_files(const struct pass *pass, struct action *action, struct arena *arena)
{
	const json_t *image = pass_image(pass, resource_string(action->want, "image"));
	const char *hidden = container_files_hidden(action->want, image, arena);

	if (!hidden)
		return false;
	action->verdict = VERDICT_REFUSE;
	action->reason = hidden;
	return true;
}

void container_compare(const struct pass *pass, struct action *action, struct arena *arena)
{
	const struct object *have = action->have;

	action->changes.arena = arena;
	if (refuse_hidden_files(pass, action, arena))
		return;
	if (!have) {
		action->verdict = VERDICT_CREATE;
		action->known_after_pull = !pull_wanted_image(pass, action->want);
		note_registry(pass, action, arena);
		return;
	}
	if (!have->ours && !resource_adopts(action->want)) {
		action->verdict = VERDICT_REFUSE;
		action->reason = arena_printf(arena,
					      "a container named '%s' is there that was not made "
					      "by drey for this project; rename or remove it, or "
					      "take it over with metadata.adopt: true",
					      have->engine_name);
		return;
	}
	if (!have->observed || is_state(have, "removing")) {
		action->verdict = VERDICT_REFUSE;
		action->reason = "the engine is just removing it; look again in a moment";
		return;
	}
	container_compare_fields(pass, action, arena);
	container_drift_compare(action, arena);
	compare_world(pass, action, arena);
	decide(action);
	note_other_claimant(pass, action, arena);
	container_refuse_held(pass, action, arena);
	note_registry(pass, action, arena);
}
