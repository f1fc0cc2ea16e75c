/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compose's deploy section: what of Swarm's services a plain engine has as well. It is spelt out
 * into the rows that say the same, so that nothing behind knows of it.
 */
#include "reconcilers/container_deploy.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "manifests/pointer.h"
#include "reconcilers/container_codec.h"

static const struct field limit_fields[] = {
	{ .key = "cpus", .type = &type_cpus, .doc = "The same as cpus." },
	{ .key = "memory", .type = &type_size, .doc = "The same as mem_limit." },
	{ .key = "pids",
	  .type = &type_int,
	  .min = -1,
	  .max = INT64_MAX,
	  .doc = "The same as pids_limit." },
};

static const struct schema limit_schema = {
	.name = "resource limits",
	.doc = "What the container may use at most.",
	.fields = limit_fields,
	.count = ARRAY_SIZE(limit_fields),
};

static const struct field reservation_fields[] = {
	{ .key = "memory", .type = &type_size, .doc = "The same as mem_reservation." },
	{ .key = "devices",
	  .type = &type_objects,
	  .of = &container_device_request_schema,
	  .doc = "The same as gpus, for devices of any kind: capabilities say which." },
};

static const struct refused reservation_refused[] = {
	{ "cpus", "an engine reserves no processors; cpu_shares gives them out by weight" },
	{ "generic_resources", "only Swarm counts them; choose the hosts with host_selector" },
	{ NULL, NULL },
};

static const struct schema reservation_schema = {
	.name = "resource reservations",
	.doc = "What the container has for certain.",
	.fields = reservation_fields,
	.count = ARRAY_SIZE(reservation_fields),
	.refused = reservation_refused,
};

static const struct field resource_fields[] = {
	{ .key = "limits",
	  .type = &type_object,
	  .of = &limit_schema,
	  .doc = "What the container may use at most." },
	{ .key = "reservations",
	  .type = &type_object,
	  .of = &reservation_schema,
	  .doc = "What the container has for certain." },
};

static const struct schema resource_schema = {
	.name = "resources",
	.doc = "Limits and reservations, as the rows of the container itself have them.",
	.fields = resource_fields,
	.count = ARRAY_SIZE(resource_fields),
};

static const char *const conditions[] = { "none", "on-failure", "any", NULL };

static const struct field restart_fields[] = {
	{ .key = "condition",
	  .type = &type_enum,
	  .choices = conditions,
	  .fallback = "\"any\"",
	  .doc = "none, on-failure or any: restart with no, on-failure or always." },
	{ .key = "max_attempts",
	  .type = &type_int,
	  .max = 1000000,
	  .doc = "With on-failure: how often at most." },
};

static const struct refused restart_refused[] = {
	{ "delay", "an engine waits twice as long each time, from 0.1 s up to a minute" },
	{ "window", "an engine counts a start as good after ten seconds" },
	{ NULL, NULL },
};

static const struct schema restart_schema = {
	.name = "restart policy",
	.doc = "The same as restart, in Swarm's words.",
	.fields = restart_fields,
	.count = ARRAY_SIZE(restart_fields),
	.refused = restart_refused,
};

static const char *const modes[] = { "replicated", "global", NULL };
static const struct refused modes_refused[] = {
	{ "replicated-job", "write state: completed for what runs once" },
	{ "global-job", "write state: completed for what runs once" },
	{ NULL, NULL },
};

static const struct field deploy_fields[] = {
	{ .key = "mode",
	  .type = &type_enum,
	  .choices = modes,
	  .refused = modes_refused,
	  .doc = "Both mean what drey does anyway: one container on each of its hosts." },
	{ .key = "replicas",
	  .type = &type_int,
	  .max = 1000000,
	  .doc = "1: a container is one object on each of its hosts." },
	{ .key = "resources",
	  .type = &type_object,
	  .of = &resource_schema,
	  .doc = "Limits and reservations, as mem_limit and its like have them." },
	{ .key = "restart_policy",
	  .type = &type_object,
	  .of = &restart_schema,
	  .doc = "The same as restart, in Swarm's words." },
	{ .key = "update_config",
	  .type = &type_object,
	  .of = &container_update_schema,
	  .doc = "How a container gives way to its successor." },
};

static const struct refused deploy_refused[] = {
	{ "rollback_config", "a rollback starts the old container again as it was, at once" },
	{ "placement", "hosts or host_selector say where a container runs" },
	{ "endpoint_mode", "only Swarm has virtual addresses; on its networks a container is "
			   "reached by its name" },
	{ "labels", "they are those of a Swarm service; a container's are labels" },
	{ NULL, NULL },
};

const struct schema container_deploy_schema = {
	.name = "deploy",
	.doc = "What a Compose file says for Swarm, as far as a plain engine can do it.",
	.fields = deploy_fields,
	.count = ARRAY_SIZE(deploy_fields),
	.refused = deploy_refused,
};

static const struct {
	const char *pointer, *key;
} same[] = {
	{ "/resources/limits/cpus", "cpus" },
	{ "/resources/limits/memory", "mem_limit" },
	{ "/resources/limits/pids", "pids_limit" },
	{ "/resources/reservations/memory", "mem_reservation" },
};

/* The value of `restart`, new reference; NULL: nothing is said. */
static json_t *restart_of(const json_t *deploy)
{
	const json_t *policy = json_object_get(deploy, "restart_policy");
	const char *condition = json_string_value(json_object_get(policy, "condition"));
	json_int_t attempts = json_integer_value(json_object_get(policy, "max_attempts"));

	if (!policy)
		return NULL;
	if (str_eq(condition, "none"))
		return json_string("no");
	if (!str_eq(condition, "on-failure"))
		return json_string("always");
	if (!attempts)
		return json_string("on-failure");
	return json_sprintf("on-failure:%" JSON_INTEGER_FORMAT, attempts);
}

const char *deploy_contradicts(const json_t *spec)
{
	const json_t *deploy = json_object_get(spec, "deploy");
	json_t *restart = restart_of(deploy), *row = json_object_get(spec, "restart");
	const char *key = restart && row && !json_equal(restart, row) ? "restart" : NULL;

	json_decref(restart);
	for (size_t i = 0; i < ARRAY_SIZE(same) && !key; i++) {
		const json_t *value = pointer_get(deploy, same[i].pointer);

		row = json_object_get(spec, same[i].key);
		if (value && row && !json_equal(value, row))
			key = same[i].key;
	}
	return key;
}

void deploy_spell_out(json_t *spec)
{
	json_t *deploy = json_object_get(spec, "deploy"), *requests, *restart, *value;

	if (!deploy)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		value = (json_t *)pointer_get(deploy, same[i].pointer);
		if (value)
			json_object_set(spec, same[i].key, value);
	}
	restart = restart_of(deploy);
	if (restart)
		json_object_set_new(spec, "restart", restart);
	value = (json_t *)pointer_get(deploy, "/resources/reservations/devices");
	if (json_array_size(value)) {
		requests = json_array();
		json_array_extend(requests, json_object_get(spec, "gpus"));
		json_array_extend(requests, value);
		json_object_set_new(spec, "gpus", requests);
	}
	json_object_del(spec, "deploy");
}
