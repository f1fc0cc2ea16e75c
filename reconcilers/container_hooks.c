/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * post_start and pre_stop, by the engine's exec calls:
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec
 */
#include "reconcilers/container_hooks.h"

#include <string.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/printable.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_said.h"
#include "reconcilers/container_steps.h"

enum {
	HOOK_MS = 10 * 60 * 1000, /* as a job may take, and what a container depends on */
	ATTEMPTS = 2,
	COMMAND_BYTES = 100, /* of a message */
	POLL_SLOW_MS = 500,
	POLL_FAST_COUNT = 20,
	/* What runs in a container that ends is killed (137), or can't be started (126 and above),
	 * a moment before the engine knows of the end. */
	CUT_STATUS = 126,
	CUT_MS = 2000,
};

static const struct field hook_fields[] = {
	{ .key = "command",
	  .type = &type_command,
	  .flags = FIELD_REQUIRED,
	  .doc = "Program and arguments; no shell unless it is named." },
	{ .key = "user",
	  .type = &type_string,
	  .doc = "User, and group after a colon; silence means the container's own." },
	{ .key = "privileged",
	  .type = &type_bool,
	  .fallback = "false",
	  .doc = "Run it with all capabilities, whatever the container has." },
	{ .key = "working_dir",
	  .type = &type_string,
	  .pattern = "^/",
	  .example = "/tmp",
	  .doc = "Directory in which it starts; silence means the container's own." },
	{ .key = "environment",
	  .type = &type_map,
	  .pattern = "^[^=]+$",
	  .doc = "Environment variables, over those of the container." },
};

const struct schema container_hook_schema = {
	.name = "hook",
	.doc = "A command that is run in the container.",
	.fields = hook_fields,
	.count = ARRAY_SIZE(hook_fields),
};

static void verify_list(const struct resource *resource, const char *key,
			struct diagnostics *diagnostics)
{
	const json_t *hook;
	size_t i;

	json_array_foreach (resource_get(resource, key), i, hook) {
		const json_t *command = json_object_get(hook, "command");
		CLEANUP(cleanup_free) char *path = xasprintf("spec.%s.%zu.command", key, i);

		if (json_string_length(json_array_get(command, 0)) == 0)
			diagnose(diagnostics, SEVERITY_ERROR, node_find(resource->node, path),
				 "spec.%s[%zu].command: it names no program", key, i);
	}
}

void container_hooks_verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	verify_list(resource, "post_start", diagnostics);
	verify_list(resource, "pre_stop", diagnostics);
	if (strcmp(container_wanted_state(resource), "completed") == 0 &&
	    json_array_size(resource_get(resource, "post_start")) > 0)
		diagnose(diagnostics, SEVERITY_ERROR, node_find(resource->node, "spec.post_start"),
			 "spec.post_start: a container that completes may be over before a hook "
			 "runs in it; make it part of the command");
}

/* --- one hook --- */

struct hook {
	struct pass *pass;
	const struct resource *want;
	const char *key; /* of the row */
	size_t index;
	const json_t *value;
	const char *container; /* its ID */
	const char *exec;      /* the ID of its run */
	bool lost;	       /* whether it was started is not known */
	bool cut;	       /* it may have failed by the end of the container */
	int64_t deadline_ms;
	struct said said;
};

static const char *name_of(const struct hook *hook)
{
	return arena_printf(hook->pass->arena, "%s[%zu]", hook->key, hook->index);
}

static json_t *exec_body(const struct hook *hook)
{
	static const struct {
		const char *key, *member;
	} plain[] = {
		{ "command", "Cmd" },
		{ "user", "User" },
		{ "privileged", "Privileged" },
		{ "working_dir", "WorkingDir" },
	};
	const json_t *environment = json_object_get(hook->value, "environment");
	json_t *body = json_pack("{s:b, s:b}", "AttachStdout", 1, "AttachStderr", 1);

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		json_t *value = json_object_get(hook->value, plain[i].key);

		if (value)
			json_object_set(body, plain[i].member, value);
	}
	if (environment)
		json_object_set_new(body, "Env", codec_environment.encode(NULL, environment));
	return body;
}

/* One that is made and never started is nothing: where the answer got lost it is made again. */
static int create_exec(struct hook *hook, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/exec", hook->container);
	json_t *body = exec_body(hook), *reply = NULL;
	int rc = -1;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		rc = engine_post(hook->pass->engine, path, body, &reply, err);
		if (rc == 0 || !call_is_lost(err))
			break;
	}
	json_decref(body);
	if (rc < 0)
		return -1;
	error_clear(err);
	const char *id = json_string_value(json_object_get(reply, "Id"));
	if (id && *id)
		hook->exec = arena_strdup(hook->pass->arena, id);
	else
		rc = error_set(err, ERROR_REMOTE, "the engine gives the command no ID");
	json_decref(reply);
	return rc;
}

/* Reads what it says until it ends. */
static int start_exec(struct hook *hook, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/exec/%s/start", hook->exec);
	int64_t left_ms = hook->deadline_ms - io_now_ms();
	json_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", 0);
	struct engine_stream stream = {
		.request = { .method = "POST",
			     .path = path,
			     .body = body,
			     .timeout_ms = left_ms > 1 ? (int)left_ms : 1 },
		.sink = said_take,
		.ctx = &hook->said,
		.trickles = true,
	};
	int rc = engine_stream(hook->pass->engine, &stream, err);

	json_decref(body);
	/* The second time an engine that was only slow says that it is at it already. */
	if (rc == 0 || !(call_is_lost(err) || (hook->lost && err->code == ERROR_CONFLICT)))
		return rc;
	hook->lost = true;
	error_clear(err);
	return 0;
}

/* Waits for its exit status; what the engine says of it now is what counts. *ret_begun: false
 * where it was never started. */
static int await_exec(struct hook *hook, bool *ret_begun, json_int_t *ret_status, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/exec/%s/json", hook->exec);

	*ret_begun = true;
	for (int round = 0;; round++) {
		json_t *reply = NULL;

		if (round > 0 &&
		    call_pause(hook->pass,
			       round < POLL_FAST_COUNT ? CONTAINER_POLL_MS : POLL_SLOW_MS, err) < 0)
			return -1;
		if (engine_get(hook->pass->engine, path, &reply, err) < 0)
			return -1;
		const json_t *status = json_object_get(reply, "ExitCode");
		bool running = json_is_true(json_object_get(reply, "Running"));
		bool ended = !running && json_is_integer(status);

		*ret_status = json_integer_value(status);
		json_decref(reply);
		if (ended)
			return 0;
		if (!running && hook->lost) {
			*ret_begun = false;
			return 0;
		}
		if (io_now_ms() > hook->deadline_ms)
			return error_set(err, ERROR_REMOTE,
					 "it has not ended after %d s, and may still be at it",
					 HOOK_MS / 1000);
	}
}

static int run_exec(struct hook *hook, json_int_t *ret_status, struct error *err)
{
	bool begun = false;

	if (create_exec(hook, err) < 0)
		return -1;
	for (int attempt = 0; attempt < ATTEMPTS && !begun; attempt++) {
		if (start_exec(hook, err) < 0 || await_exec(hook, &begun, ret_status, err) < 0)
			return -1;
	}
	return begun ? 0 : error_set(err, ERROR_UNREACHABLE, "the engine did not start it");
}

/* The hook as the manifest has it, for a message; only its place where that holds a secret. */
static const char *describe(const struct hook *hook)
{
	struct pass *pass = hook->pass;
	char shown[COMMAND_BYTES];
	struct str text;

	if (resource_is_secret(hook->want, hook->key, NULL))
		return name_of(hook);
	str_init(&text, 0);
	schema_print_value(schema_field(&container_hook_schema, "command"),
			   json_object_get(hook->value, "command"), &text);
	printable_copy(shown, sizeof(shown), text.data, text.len);
	str_done(&text);
	return arena_printf(pass->arena, "%s (%s)", name_of(hook), shown);
}

static int run_hook(struct hook *hook, struct error *err)
{
	json_int_t status = 0;

	hook->deadline_ms = io_now_ms() + HOOK_MS;
	said_init(&hook->said, true, true);
	int rc = run_exec(hook, &status, err);
	hook->cut = rc < 0 || status >= CUT_STATUS;
	if (rc < 0)
		error_wrap(err, "%s", describe(hook));
	else if (status != 0)
		rc = error_set(err, ERROR_REMOTE, "%s ended with exit status %lld", describe(hook),
			       (long long)status);
	if (rc < 0) {
		const char *lines = said_last_lines(hook->pass, &hook->said, hook->want);

		if (*lines)
			error_hint(err, "its last lines: %s", lines);
		set_hide_secrets(hook->pass->set, err->text);
	}
	said_done(&hook->said);
	return rc;
}

/* --- all of a row --- */

static const json_t *hooks_of(const struct resource *want, const char *key)
{
	return want ? resource_get(want, key) : NULL;
}

/* *ret_cut: the one that failed may have been cut short by the end of the container. */
static int run_hooks(struct pass *pass, const struct action *action, const struct resource *want,
		     const char *key, const char *id, bool *ret_cut, struct error *err)
{
	const json_t *value;
	size_t i;

	*ret_cut = false;
	json_array_foreach (hooks_of(want, key), i, value) {
		struct hook hook = {
			.pass = pass,
			.want = want,
			.key = key,
			.index = i,
			.value = value,
			.container = id,
		};

		if (action)
			container_step(pass, action,
				       arena_printf(pass->arena, "run %s", name_of(&hook)));
		if (run_hook(&hook, err) < 0) {
			*ret_cut = hook.cut;
			return -1;
		}
	}
	return 0;
}

static const char *started_at(const json_t *inspect)
{
	const json_t *state = json_object_get(inspect, "State");

	return json_string_value(json_object_get(state, "StartedAt")) ?: "";
}

/* Is it no longer the process that it was at that time? `cut`: it may be about to end. */
static int has_ended(struct pass *pass, const char *id, const char *since, bool cut,
		     bool *ret_ended, struct error *err)
{
	int64_t until_ms = io_now_ms() + (cut ? CUT_MS : 0);

	for (;;) {
		json_t *inspect = NULL;

		if (call_inspect(pass, id, &inspect, err) < 0)
			return -1;
		bool runs = inspect_is(inspect, "running") || inspect_is(inspect, "paused");
		*ret_ended = !runs || strcmp(started_at(inspect), since) != 0;
		json_decref(inspect);
		if (*ret_ended || io_now_ms() >= until_ms)
			return 0;
		if (call_pause(pass, CONTAINER_POLL_MS, err) < 0)
			return -1;
	}
}

/* A hook fails of a container that ends under it: that is the news then. */
static int fail_ended(struct pass *pass, const struct resource *want, const char *id,
		      struct error *err)
{
	const char *lines = call_last_lines(pass, id, want);

	error_set(err, ERROR_REMOTE, "it ended before its post_start was over");
	return *lines ? error_hint(err, "its last lines: %s", lines) : -1;
}

int container_post_start(struct pass *pass, const struct action *action,
			 const struct resource *want, const char *id, bool *ret_found_wanting,
			 struct error *err)
{
	struct error looking = ERROR_INIT;
	json_t *inspect = NULL;
	bool ended = false, cut = false;

	*ret_found_wanting = false;
	if (json_array_size(hooks_of(want, "post_start")) == 0)
		return 0;
	if (call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	const char *since = arena_strdup(pass->arena, started_at(inspect));
	bool runs = inspect_is(inspect, "running");
	json_decref(inspect);
	int rc = runs ? run_hooks(pass, action, want, "post_start", id, &cut, err) : 0;
	if (rc < 0 && (call_is_lost(err) || err->code == ERROR_CANCELLED))
		return -1;
	if (has_ended(pass, id, since, cut, &ended, &looking) < 0) {
		if (rc == 0)
			*err = looking;
		return -1;
	}
	if (rc == 0 && runs && !ended)
		return 0;
	*ret_found_wanting = true;
	return ended || !runs ? fail_ended(pass, want, id, err) : -1;
}

int container_pre_stop(struct pass *pass, const struct action *action, const struct resource *want,
		       const char *id, struct error *err)
{
	struct error looking = ERROR_INIT;
	json_t *inspect = NULL;
	bool ended = false, cut = false;

	if (json_array_size(hooks_of(want, "pre_stop")) == 0)
		return 0;
	if (call_inspect(pass, id, &inspect, err) < 0)
		return -1;
	const char *since = arena_strdup(pass->arena, started_at(inspect));
	bool paused = inspect_is(inspect, "paused");
	bool runs = paused || inspect_is(inspect, "running");
	json_decref(inspect);
	if (!runs)
		return 0;
	/* Nothing can be run in what stands still. */
	if (paused && call_set_paused(pass, id, false, err) < 0)
		return -1;
	if (run_hooks(pass, action, want, "pre_stop", id, &cut, err) == 0)
		return 0;
	if (call_is_lost(err) || err->code == ERROR_CANCELLED)
		return -1;
	if (has_ended(pass, id, since, cut, &ended, &looking) == 0 && ended) {
		error_clear(err);
		return 0;
	}
	if (paused && call_set_paused(pass, id, true, &looking) < 0)
		log_debug(pass->log, "%s", looking.text);
	return error_hint(err, "it is not stopped; without pre_stop in its manifest it is");
}

/* --- starting and stopping with them --- */

int container_stop(struct pass *pass, const struct action *action, const struct resource *want,
		   const char *id, struct error *err)
{
	if (container_pre_stop(pass, action, want, id, err) < 0)
		return -1;
	return call_stop(pass, id, err);
}

int container_bring_up(struct pass *pass, const struct action *action, const struct resource *want,
		       const char *id, struct error *err)
{
	struct error stopping = ERROR_INIT;
	bool found_wanting;

	if (container_start(pass, id, err) < 0)
		return -1;
	if (container_post_start(pass, action, want, id, &found_wanting, err) == 0)
		return 0;
	if (call_stop(pass, id, &stopping) < 0)
		return error_hint(err, "stopping it again failed as well (%s)", stopping.text);
	return error_hint(err, "it is stopped again, and the next run tries once more");
}

int container_bring_back(struct pass *pass, const struct action *action,
			 const struct resource *want, const char *id, struct error *ret_hooks,
			 struct error *err)
{
	json_t *inspect = NULL;
	bool found_wanting, hooked = json_array_size(hooks_of(want, "post_start")) > 0;

	if (hooked && call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	bool live = inspect && inspect_is_live(inspect);
	json_decref(inspect);
	if (call_start(pass, id, err) < 0)
		return -1;
	if (hooked && !live &&
	    container_post_start(pass, action, want, id, &found_wanting, ret_hooks) < 0)
		log_debug(pass->log, "%s", ret_hooks->text);
	return 0;
}
