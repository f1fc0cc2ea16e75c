/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deploy.update_config: how a container gives way to its successor. Pure. */
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"

static const char *const orders[] = { "stop-first", "start-first", NULL };
static const char *const failure_actions[] = { "rollback", "pause", "continue", NULL };

static const struct field update_fields[] = {
	{ .key = "order",
	  .type = &type_enum,
	  .choices = orders,
	  .fallback = "\"stop-first\"",
	  .doc = "start-first starts the new container beside the old one and stops that when the "
		 "new one has proved itself; where two can't run at once the plan says why, and "
		 "the old one stops first." },
	{ .key = "monitor",
	  .type = &type_duration,
	  .fallback = "5000000000",
	  .max = INT64_C(3600) * 1000000000,
	  .doc = "How long a container without a health check must stay up before its replacement "
		 "counts as a success; the same as spec.monitor." },
	{ .key = "failure_action",
	  .type = &type_enum,
	  .choices = failure_actions,
	  .fallback = "\"rollback\"",
	  .doc = "When the new container does not prove itself: rollback puts the old one back; "
		 "pause leaves the new one for a look and keeps the old one aside; continue "
		 "removes the old one all the same." },
};

static const struct refused update_refused[] = {
	{ "parallelism", "a container is one on each host; --parallel bounds the hosts" },
	{ "delay", "a container is one on each host: there is nothing to wait between" },
	{ "max_failure_ratio", "--max-failures bounds the hosts on which a change may fail" },
	{ NULL, NULL },
};

const struct schema container_update_schema = {
	.name = "update configuration",
	.doc = "How a container gives way to its successor.",
	.fields = update_fields,
	.count = ARRAY_SIZE(update_fields),
	.refused = update_refused,
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const json_t *update_config(const struct resource *want)
{
	return json_object_get(resource_get(want, "deploy"), "update_config");
}

bool container_wants_start_first(const struct resource *want)
{
	return str_eq(text(update_config(want), "order"), "start-first");
}

enum failure_action container_failure_action(const struct resource *want)
{
	const char *action = text(update_config(want), "failure_action");

	if (str_eq(action, "pause"))
		return FAILURE_PAUSE;
	return str_eq(action, "continue") ? FAILURE_CONTINUE : FAILURE_ROLLBACK;
}

int64_t container_monitor_ms(const struct pass *pass, const struct resource *want)
{
	const json_t *written = json_object_get(update_config(want), "monitor");

	if (!written)
		written = resource_get(want, "monitor");
	if (written)
		return json_integer_value(written) / 1000000;
	return pass->monitor_ms > 0 ? pass->monitor_ms : resource_int(want, "monitor") / 1000000;
}

void container_update_verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	if (json_object_get(update_config(resource), "monitor") &&
	    resource_get(resource, "monitor"))
		diagnose(diagnostics, SEVERITY_ERROR, node_find(resource->node, "spec.monitor"),
			 "spec.monitor: deploy.update_config.monitor says the same; write one of "
			 "the two");
}

/* --- can two run at once? --- */

/* Is one path the other, or above it? */
static bool overlaps(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t len = a_len < b_len ? a_len : b_len;

	if (strncmp(a, b, len) != 0)
		return false;
	return a_len == b_len || (len > 0 && a[len - 1] == '/') ||
	       (a_len > b_len ? a : b)[len] == '/';
}

/* Of the two that mount it, may one write? A reader of what another migrates is no safer than a
 * second writer. */
static const char *common_mount(const json_t *old, const json_t *resolved, struct arena *arena)
{
	const json_t *wanted = json_object_get(resolved, "volumes"), *have, *mount;
	size_t i, j;

	json_array_foreach (old, i, have) {
		bool is_volume = str_eq(text(have, "Type"), "volume");
		bool is_bind = str_eq(text(have, "Type"), "bind");
		const char *name = text(have, "Name") ?: "", *source = text(have, "Source") ?: "";
		bool old_writes = !json_is_false(json_object_get(have, "RW"));

		/* The successor gets it, whatever its manifest or its image calls for there. */
		if (is_volume && volume_name_is_anonymous(name))
			return arena_printf(arena, "the volume at %s moves to the new one",
					    text(have, "Destination") ?: "?");
		json_array_foreach (wanted, j, mount) {
			const char *type = text(mount, "type"), *from = text(mount, "source");
			bool new_writes = !json_is_true(json_object_get(mount, "read_only"));

			if (!from || (!old_writes && !new_writes))
				continue;
			if (is_volume && str_eq(type, "volume") && strcmp(name, from) == 0)
				return arena_printf(arena, "both would mount volume %s", name);
			if (is_bind && str_eq(type, "bind") && overlaps(source, from))
				return arena_printf(arena, "both would mount %s of the host", from);
		}
	}
	return NULL;
}

static const char *fixed_port(const json_t *resolved, struct arena *arena)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(resolved, "ports"), i, port) {
		const char *published = text(port, "published");

		if (published)
			return arena_printf(arena, "two can't publish port %s of the host",
					    published);
	}
	return NULL;
}

static const char *fixed_endpoint(const json_t *resolved, struct arena *arena)
{
	static const char *const fixed[] = { "ipv4_address", "ipv6_address", "mac_address",
					     "link_local_ips" };
	const json_t *endpoint;
	const char *network;

	if (text(resolved, "mac_address"))
		return "two can't have one MAC address";
	json_object_foreach (json_object_get(resolved, "networks"), network, endpoint) {
		for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
			if (json_object_get(endpoint, fixed[i]))
				return arena_printf(arena, "two can't have its %s on network %s",
						    fixed[i], network);
		}
	}
	return NULL;
}

static const char *other_network(const json_t *resolved)
{
	const char *mode = text(resolved, "network_mode");

	if (!mode)
		return NULL;
	if (strcmp(mode, "host") == 0)
		return "on the host's network two would want the same ports";
	return str_has_prefix(mode, "container:")
		       ? "on another container's network two would want the same ports"
		       : NULL;
}

static const char *sharer_of(const struct pass *pass, const struct object *have,
			     struct arena *arena)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object != have && container_shares(object, have->id, have->engine_name))
			return arena_printf(arena, "%s shares its namespaces", object->engine_name);
	}
	return NULL;
}

/* Resources, which an engine can give to one alone. */
static const char *conflict(const struct pass *pass, const struct action *action,
			    struct arena *arena)
{
	const json_t *mounts = json_object_get(action->have->inspect, "Mounts");
	json_t *resolved = container_resolve(pass, action->want);
	const char *why = other_network(resolved);

	if (!why)
		why = fixed_port(resolved, arena);
	if (!why)
		why = fixed_endpoint(resolved, arena);
	if (!why)
		why = sharer_of(pass, action->have, arena);
	if (!why)
		why = common_mount(mounts, resolved, arena);
	/* What is borrowed from the copy is said anew. */
	json_decref(resolved);
	return why;
}

void container_decide_order(const struct pass *pass, struct action *action, struct arena *arena)
{
	const char *state = container_wanted_state(action->want);

	action->start_first = false;
	action->order_reason = NULL;
	/* What does not run, or is being restarted, serves nobody. */
	if (!container_wants_start_first(action->want) ||
	    !(inspect_is(action->have->inspect, "running") ||
	      inspect_is(action->have->inspect, "paused")))
		return;
	if (strcmp(state, "running") != 0)
		action->order_reason =
			arena_printf(arena, "it is to be %s, which is no service to keep", state);
	else if (inspect_is(action->have->inspect, "paused"))
		action->order_reason = "it is paused, and serves nobody";
	else if (action->backup_first)
		action->order_reason = "its backup wants it stopped";
	else if (container_guards_layer(action->want, action->have))
		action->order_reason = "it was not made by drey, and what it writes until it stops "
				       "is looked at then";
	else
		action->order_reason = conflict(pass, action, arena);
	action->start_first = !action->order_reason;
}
