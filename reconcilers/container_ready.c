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

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* By the engine's clock, which is read again only for what was started since the pass began. Whole
 * seconds: one more than `monitor` is waited for, never less. */
static int why_not_proven(const struct pass *pass, const struct resource *want,
			  const json_t *inspect, const char **ret_why, struct error *err)
{
	int64_t monitor_ms = container_monitor_ms(pass, want), started_s, now_s;

	if (!engine_parse_time(text_at(json_object_get(inspect, "State"), "StartedAt"), &started_s))
		return 0;
	if (engine_parse_time(text_at(pass->observed.info, "SystemTime"), &now_s) &&
	    (now_s - started_s) * 1000 > monitor_ms)
		return 0;
	if (engine_read_clock(pass->engine, &now_s, err) < 0)
		return -1;
	/* One that was started in the future: the clock was set, and tells nothing of it. */
	if (now_s >= started_s && (now_s - started_s) * 1000 <= monitor_ms)
		*ret_why =
			arena_printf(pass->arena,
				     "it has run for less than %lld ms (monitor), restarted %lld "
				     "times",
				     (long long)monitor_ms,
				     json_integer_value(json_object_get(inspect, "RestartCount")));
	return 0;
}

static int judge_running(const struct pass *pass, const struct resource *want,
			 const json_t *inspect, struct readiness *readiness, struct error *err)
{
	const json_t *health = json_object_get(json_object_get(inspect, "State"), "Health");

	if (!inspect_is(inspect, "running")) {
		readiness->why = arena_printf(pass->arena, "it is %s, last exit %d",
					      inspect_status(inspect), exit_code(inspect));
		return 0;
	}
	/* Engines write "none" where there is no health check. */
	if (!health || !text_at(health, "Status") || strcmp(text_at(health, "Status"), "none") == 0)
		return why_not_proven(pass, want, inspect, &readiness->why, err);
	if (strcmp(text_at(health, "Status"), "healthy") != 0)
		readiness->why = arena_printf(pass->arena, "its health check says %s",
					      text_at(health, "Status"));
	return 0;
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
	int rc = 0;

	if (call_inspect(pass, container_engine_name(action->want), &inspect, err) < 0)
		return -1;
	if (!inspect)
		readiness.why = "it is not there";
	else if (strcmp(wanted, "running") == 0)
		rc = judge_running(pass, action->want, inspect, &readiness, err);
	else if (strcmp(wanted, "completed") == 0)
		judge_completed(pass, inspect, &readiness);
	else if (strcmp(wanted, "paused") == 0 && !inspect_is(inspect, "paused"))
		readiness.why = arena_printf(pass->arena, "it is %s", inspect_status(inspect));
	else if (strcmp(wanted, "stopped") == 0 && inspect_is_live(inspect))
		readiness.why = arena_printf(pass->arena, "it is %s", inspect_status(inspect));
	json_decref(inspect);
	*ret_readiness = readiness;
	return rc;
}
