/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for a container: by asking again until a deadline, for a health check's verdict takes
 * seconds and an event stream would have to be read beside every other request. */
#include <stdio.h>
#include <string.h>

#include "controller/base/io.h"
#include "reconcilers/container_steps.h"

enum {
	POLL_SLOW_MS = 500,
	POLL_FAST_COUNT = 20, /* so many times fast, then slowly */
	RESTARTS_MAX = 3,     /* a container that came back so often will not become healthy */
	COMPLETE_MS = 10 * 60 * 1000,
	DEPENDENCY_MS = 10 * 60 * 1000,
	HEALTH_SLACK_MS = 5 * 1000, /* an exec has to start, the engine has to notice */
	/* The engine's own defaults, daemon/health.go. */
	HEALTH_INTERVAL_MS = 30 * 1000,
	HEALTH_TIMEOUT_MS = 30 * 1000,
	HEALTH_RETRIES = 3,
	BUDGET_MAX_MS = 24 * 60 * 60 * 1000,
};

static const json_t *state_of(const json_t *inspect)
{
	return json_object_get(inspect, "State");
}

static const char *health_of(const json_t *inspect)
{
	const json_t *health = json_object_get(state_of(inspect), "Health");
	const char *status = json_string_value(json_object_get(health, "Status"));

	return status ? status : "none";
}

static int64_t exit_code_of(const json_t *inspect)
{
	return json_integer_value(json_object_get(state_of(inspect), "ExitCode"));
}

static int64_t restarts_of(const json_t *inspect)
{
	return json_integer_value(json_object_get(inspect, "RestartCount"));
}

static const char *started_at(const json_t *inspect)
{
	const char *text = json_string_value(json_object_get(state_of(inspect), "StartedAt"));

	return text ? text : "";
}

static int64_t ms_or(const json_t *health, const char *key, int64_t fallback_ms)
{
	int64_t ns = json_integer_value(json_object_get(health, key));

	return ns > 0 ? ns / 1000000 : fallback_ms;
}

/* How long the engine may take to find it healthy; 0: it has no health check. */
static int64_t health_budget_ms(const json_t *inspect)
{
	const json_t *health = json_object_get(json_object_get(inspect, "Config"), "Healthcheck");
	const json_t *test = json_object_get(health, "Test");
	const char *first = json_string_value(json_array_get(test, 0));
	int64_t retries = json_integer_value(json_object_get(health, "Retries"));

	if (!first || strcmp(first, "NONE") == 0)
		return 0;
	int64_t budget_ms = ms_or(health, "StartPeriod", 0) +
			    (retries > 0 && retries < 1000 ? retries : HEALTH_RETRIES) *
				    (ms_or(health, "Interval", HEALTH_INTERVAL_MS) +
				     ms_or(health, "Timeout", HEALTH_TIMEOUT_MS)) +
			    HEALTH_SLACK_MS;
	return budget_ms > 0 && budget_ms < BUDGET_MAX_MS ? budget_ms : BUDGET_MAX_MS;
}

/* Appends what it said last. */
static int with_log(struct pass *pass, const struct resource *want, const char *id,
		    struct error *err)
{
	const char *lines = call_last_lines(pass, id, want);

	return *lines ? error_hint(err, "its last lines: %s", lines) : -1;
}

static int fail_stopped(const json_t *inspect, struct error *err)
{
	const json_t *state = state_of(inspect);
	const char *why = json_string_value(json_object_get(state, "Error"));

	if (json_is_true(json_object_get(state, "OOMKilled")))
		return error_set(err, ERROR_REMOTE,
				 "it was killed because it reached its memory limit");
	if (why && *why)
		return error_set(err, ERROR_REMOTE, "it ended: %s", why);
	return error_set(err, ERROR_REMOTE, "it ended with exit status %lld",
			 (long long)exit_code_of(inspect));
}

/* One look of the gate. */
enum sight { SIGHT_WAIT, SIGHT_PASSED, SIGHT_FAILED };

struct gate {
	bool completes;	   /* exit status 0 will do */
	int64_t budget_ms; /* of the health check; 0: none */
	int64_t monitor_ms;
	int64_t begin_ms;
	int64_t restarts;
	char started_at[64];
};

static enum sight look_health(const struct gate *gate, const json_t *inspect, struct error *err)
{
	const char *health = health_of(inspect);

	if (strcmp(health, "healthy") == 0)
		return SIGHT_PASSED;
	if (strcmp(health, "unhealthy") == 0) {
		error_set(err, ERROR_REMOTE, "its health check says unhealthy");
		return SIGHT_FAILED;
	}
	if (restarts_of(inspect) >= gate->restarts + RESTARTS_MAX) {
		error_set(err, ERROR_REMOTE, "it has ended and been restarted %d times",
			  RESTARTS_MAX);
		return SIGHT_FAILED;
	}
	if (io_now_ms() - gate->begin_ms < gate->budget_ms)
		return SIGHT_WAIT;
	/* No ERROR_TIMEOUT, which would say that the host was slow to answer. */
	error_set(err, ERROR_REMOTE, "it was not healthy after %lld s",
		  (long long)gate->budget_ms / 1000);
	return SIGHT_FAILED;
}

static enum sight look_monitor(const struct gate *gate, const json_t *inspect, struct error *err)
{
	if (inspect_is(inspect, "restarting") || restarts_of(inspect) != gate->restarts ||
	    strcmp(started_at(inspect), gate->started_at) != 0) {
		error_set(err, ERROR_REMOTE,
			  "it ended and was restarted within %lld ms of its start",
			  (long long)gate->monitor_ms);
		return SIGHT_FAILED;
	}
	return io_now_ms() - gate->begin_ms < gate->monitor_ms ? SIGHT_WAIT : SIGHT_PASSED;
}

static enum sight look(const struct gate *gate, const json_t *inspect, struct error *err)
{
	if (!inspect_is_live(inspect)) {
		fail_stopped(inspect, err);
		return SIGHT_FAILED;
	}
	if (gate->budget_ms > 0)
		return look_health(gate, inspect, err);
	return look_monitor(gate, inspect, err);
}

static void gate_init(struct gate *gate, const struct pass *pass, const struct resource *want,
		      const json_t *inspect)
{
	*gate = (struct gate){
		.budget_ms = health_budget_ms(inspect),
		.monitor_ms = container_monitor_ms(pass, want),
		.begin_ms = io_now_ms(),
		.restarts = restarts_of(inspect),
	};
	snprintf(gate->started_at, sizeof(gate->started_at), "%s", started_at(inspect));
}

static int64_t poll_ms(int round)
{
	return round < POLL_FAST_COUNT ? CONTAINER_POLL_MS : POLL_SLOW_MS;
}

int container_gate(struct pass *pass, const struct resource *want, const char *id,
		   bool *ret_found_wanting, struct error *err)
{
	enum sight sight = SIGHT_WAIT;
	struct gate gate;

	*ret_found_wanting = false;
	for (int round = 0; sight == SIGHT_WAIT; round++) {
		json_t *inspect = NULL;

		if (round > 0 && call_pause(pass, poll_ms(round), err) < 0)
			return -1;
		if (call_inspect_present(pass, id, &inspect, err) < 0)
			return -1;
		if (round == 0)
			gate_init(&gate, pass, want, inspect);
		sight = look(&gate, inspect, err);
		json_decref(inspect);
	}
	*ret_found_wanting = sight == SIGHT_FAILED;
	return sight == SIGHT_PASSED ? 0 : with_log(pass, want, id, err);
}

int container_wait_completed(struct pass *pass, const struct resource *want, const char *id,
			     struct error *err)
{
	int64_t deadline_ms = io_now_ms() + COMPLETE_MS;

	for (int round = 0; io_now_ms() < deadline_ms; round++) {
		json_t *inspect = NULL;
		bool ended;

		if (round > 0 && call_pause(pass, poll_ms(round), err) < 0)
			return -1;
		if (call_inspect_present(pass, id, &inspect, err) < 0)
			return -1;
		ended = !inspect_is_live(inspect);
		if (ended && exit_code_of(inspect) != 0)
			fail_stopped(inspect, err);
		json_decref(inspect);
		if (ended)
			return err->code == ERROR_NONE ? 0 : with_log(pass, want, id, err);
	}
	return 0;
}

/* --- depends_on --- */

struct dependency {
	const char *name; /* the resource's */
	const char *engine_name;
	const char *condition;
	bool required;
};

/* A dependency that never had a health check or will never complete is not waited for in vain. */
static enum sight look_dependency(const struct dependency *dependency, const json_t *inspect,
				  struct error *err)
{
	if (!inspect) {
		error_set(err, ERROR_NOT_FOUND, "it is not there");
		return SIGHT_FAILED;
	}
	if (strcmp(dependency->condition, "service_completed_successfully") == 0) {
		if (inspect_is_live(inspect) || inspect_is(inspect, "created"))
			return SIGHT_WAIT;
		if (exit_code_of(inspect) == 0)
			return SIGHT_PASSED;
		fail_stopped(inspect, err);
		return SIGHT_FAILED;
	}
	if (!inspect_is_live(inspect)) {
		if (strcmp(dependency->condition, "service_started") == 0 &&
		    exit_code_of(inspect) == 0 && !inspect_is(inspect, "created"))
			return SIGHT_PASSED;
		error_set(err, ERROR_REMOTE, "it is not running (%s)", inspect_status(inspect));
		return SIGHT_FAILED;
	}
	if (strcmp(dependency->condition, "service_healthy") != 0 ||
	    strcmp(health_of(inspect), "healthy") == 0)
		return SIGHT_PASSED;
	if (health_budget_ms(inspect) == 0) {
		error_set(err, ERROR_INVALID,
			  "it has no health check; write one, or depend on service_started");
		return SIGHT_FAILED;
	}
	if (strcmp(health_of(inspect), "unhealthy") == 0) {
		error_set(err, ERROR_REMOTE, "its health check says unhealthy");
		return SIGHT_FAILED;
	}
	return SIGHT_WAIT;
}

static int wait_dependency(struct pass *pass, const struct dependency *dependency,
			   struct error *err)
{
	int64_t begin_ms = io_now_ms(), limit_ms = DEPENDENCY_MS;

	for (int round = 0;; round++) {
		json_t *inspect = NULL;
		enum sight sight;

		if (round > 0 && call_pause(pass, poll_ms(round), err) < 0)
			return -1;
		if (call_inspect(pass, dependency->engine_name, &inspect, err) < 0)
			return -1;
		sight = look_dependency(dependency, inspect, err);
		if (round == 0 && inspect &&
		    strcmp(dependency->condition, "service_healthy") == 0 &&
		    health_budget_ms(inspect) > 0)
			limit_ms = health_budget_ms(inspect);
		json_decref(inspect);
		if (sight != SIGHT_WAIT)
			return sight == SIGHT_PASSED ? 0 : -1;
		if (io_now_ms() - begin_ms > limit_ms)
			/* No ERROR_TIMEOUT, which would say that the host was slow to answer. */
			return error_set(err, ERROR_REMOTE, "it does not meet %s after %lld s",
					 dependency->condition, (long long)limit_ms / 1000);
	}
}

int container_wait_dependencies(struct pass *pass, const struct action *action,
				const struct replacement *along, struct error *err)
{
	const json_t *all = resource_get(action->want, "depends_on");
	const json_t *entry;
	const char *name;

	json_object_foreach ((json_t *)all, name, entry) {
		const struct resource *want = desired_find(pass->desired, "Container", name);
		const char *condition = json_string_value(json_object_get(entry, "condition"));
		const json_t *required = json_object_get(entry, "required");
		struct dependency dependency = {
			.name = name,
			.engine_name = want ? container_engine_name(want) : name,
			.condition = condition ? condition : "service_started",
			.required = !json_is_false(required),
		};

		/* Its own action has started it, or it is as it should be. */
		if (strcmp(dependency.condition, "service_started") == 0 ||
		    (along && want && sharers_precede(along, want)))
			continue;
		container_step(
			pass, action,
			arena_printf(pass->arena, "wait for %s (%s)", name, dependency.condition));
		if (wait_dependency(pass, &dependency, err) == 0)
			continue;
		if (dependency.required || err->code == ERROR_CANCELLED ||
		    err->code == ERROR_UNREACHABLE)
			return error_wrap(err, "depends_on %s", name);
		error_clear(err);
	}
	return 0;
}
