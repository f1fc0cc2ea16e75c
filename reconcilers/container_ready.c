/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a container as its state wants it, and does it do its work? */
#include <string.h>

#include "reconcilers/container.h"
#include "reconcilers/container_calls.h"

static int exit_code(const json_t *inspect)
{
	return (int)json_integer_value(
		json_object_get(json_object_get(inspect, "State"), "ExitCode"));
}

static const char *why_not_healthy(const struct pass *pass, const json_t *inspect)
{
	const json_t *health = json_object_get(json_object_get(inspect, "State"), "Health");
	const char *status = json_string_value(json_object_get(health, "Status"));

	/* Engines write "none" where there is no health check. */
	if (!status || strcmp(status, "none") == 0 || strcmp(status, "healthy") == 0)
		return NULL;
	return arena_printf(pass->arena, "its health check says %s", status);
}

static void judge_running(const struct pass *pass, const json_t *inspect,
			  struct readiness *readiness)
{
	if (inspect_is(inspect, "running"))
		readiness->why = why_not_healthy(pass, inspect);
	else
		readiness->why = arena_printf(pass->arena, "it is %s, last exit %d",
					      inspect_status(inspect), exit_code(inspect));
}

static void judge_completed(const struct pass *pass, const json_t *inspect,
			    struct readiness *readiness)
{
	if (!inspect_is(inspect, "exited")) {
		readiness->why = arena_printf(pass->arena, "it is %s", inspect_status(inspect));
	} else if (exit_code(inspect) != 0) {
		readiness->why = arena_printf(pass->arena, "it exited with %d", exit_code(inspect));
		readiness->hopeless = true;
	}
}

int container_ready(struct pass *pass, const struct action *action, struct readiness *ret_readiness,
		    struct error *err)
{
	const char *wanted = container_wanted_state(action->want);
	struct readiness readiness = { 0 };
	json_t *inspect = NULL;

	if (call_inspect(pass, container_engine_name(action->want), &inspect, err) < 0)
		return -1;
	if (!inspect)
		readiness.why = "it is not there";
	else if (strcmp(wanted, "running") == 0)
		judge_running(pass, inspect, &readiness);
	else if (strcmp(wanted, "completed") == 0)
		judge_completed(pass, inspect, &readiness);
	else if (strcmp(wanted, "paused") == 0 && !inspect_is(inspect, "paused"))
		readiness.why = arena_printf(pass->arena, "it is %s", inspect_status(inspect));
	else if (strcmp(wanted, "stopped") == 0 && inspect_is_live(inspect))
		readiness.why = arena_printf(pass->arena, "it is %s", inspect_status(inspect));
	json_decref(inspect);
	*ret_readiness = readiness;
	return 0;
}
