/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/container_calls.h"

#include <string.h>
#include <time.h>

#include "controller/base/io.h"
#include "reconcilers/container.h"

enum {
	GONE_TIMEOUT_MS = 60 * 1000, /* for an engine that is "already removing" */
	STOP_SLACK_MS = 30 * 1000,   /* beyond the grace period: kill and clean up */
	GRACE_MAX_S = 24 * 60 * 60,
	ATTEMPTS = 2,
	UPDATE_ATTEMPTS = 10,
};

bool call_is_lost(const struct error *err)
{
	return err->code == ERROR_UNREACHABLE || err->code == ERROR_TIMEOUT;
}

int call_check_cancelled(const struct pass *pass, struct error *err)
{
	if (pass->hooks.cancelled && pass->hooks.cancelled(pass->hooks.ctx))
		return error_set(err, ERROR_CANCELLED, "interrupted");
	return 0;
}

int call_pause(const struct pass *pass, int64_t ms, struct error *err)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
	return call_check_cancelled(pass, err);
}

/* --- inspect --- */

int call_inspect(struct pass *pass, const char *container, json_t **ret_inspect, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/json", container);

	if (engine_get(pass->engine, path, ret_inspect, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return error_wrap(err, "inspect %s", container);
	error_clear(err);
	*ret_inspect = NULL;
	return 0;
}

int call_inspect_present(struct pass *pass, const char *container, json_t **ret_inspect,
			 struct error *err)
{
	if (call_inspect(pass, container, ret_inspect, err) < 0)
		return -1;
	if (!*ret_inspect)
		return error_set(err, ERROR_NOT_FOUND, "container %s is gone", container);
	return 0;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

const char *inspect_id(const json_t *inspect)
{
	return text_at(inspect, "Id");
}

const char *inspect_name(const json_t *inspect)
{
	const char *name = text_at(inspect, "Name");

	return *name == '/' ? name + 1 : name;
}

const char *inspect_status(const json_t *inspect)
{
	return text_at(json_object_get(inspect, "State"), "Status");
}

const char *inspect_label(const json_t *inspect, const char *label)
{
	const json_t *labels = json_object_get(json_object_get(inspect, "Config"), "Labels");

	return json_string_value(json_object_get(labels, label));
}

bool inspect_is(const json_t *inspect, const char *status)
{
	return strcmp(inspect_status(inspect), status) == 0;
}

bool state_is_live(const char *state)
{
	return str_eq(state, "running") || str_eq(state, "paused") || str_eq(state, "restarting");
}

bool inspect_is_live(const json_t *inspect)
{
	return state_is_live(inspect_status(inspect));
}

bool inspect_is_later(const char *time, const char *than)
{
	if (!time || !than || !*than)
		return false;
	size_t len = strcspn(time, "Z"), than_len = strcspn(than, "Z");
	int order = strncmp(time, than, len < than_len ? len : than_len);

	return order > 0 || (order == 0 && len > than_len);
}

/* --- create --- */

/* Whatever the answer was: is the object of that name the one that was asked for? */
static int find_created(struct pass *pass, const char *name, const char *uid, const char **ret_id,
			struct error *err)
{
	json_t *inspect = NULL;
	int ret = 0;

	if (call_inspect(pass, name, &inspect, err) < 0)
		return -1;
	if (!inspect)
		return error_set(err, ERROR_NOT_FOUND, "container %s is gone after its creation",
				 name);
	if (str_eq(inspect_label(inspect, LABEL_UID), uid))
		*ret_id = arena_strdup(pass->arena, inspect_id(inspect));
	else
		ret = error_set(err, ERROR_CONFLICT, "the name %s is taken by container %.12s",
				name, inspect_id(inspect));
	json_decref(inspect);
	return ret;
}

int call_create(struct pass *pass, const char *name, const json_t *body, const char *uid,
		const char **ret_id, struct error *err)
{
	const char *platform = json_string_value(json_object_get(body, CONTAINER_PLATFORM));
	CLEANUP(cleanup_free)
	char *path = platform
			     ? engine_path("/containers/create?name=%s&platform=%s", name, platform)
			     : engine_path("/containers/create?name=%s", name);
	struct error found = ERROR_INIT;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		int rc = engine_post(pass->engine, path, body, NULL, err);

		/* A conflict may be with what an attempt whose answer got lost has made. */
		if (rc < 0 && !call_is_lost(err) && err->code != ERROR_CONFLICT)
			return -1;
		error_clear(&found);
		if (find_created(pass, name, uid, ret_id, &found) == 0) {
			error_clear(err);
			return 0;
		}
		if (rc == 0 || found.code == ERROR_CONFLICT) {
			*err = found;
			return -1;
		}
		if (found.code != ERROR_NOT_FOUND)
			return -1;
	}
	return -1;
}

/* --- state --- */

/* Sends until it is answered or the state shows that it was carried out. */
static int post_until(struct pass *pass, const char *id, struct engine_request *request,
		      bool (*reached)(const json_t *inspect, const void *ctx), const void *ctx,
		      struct error *err)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct error failed = ERROR_INIT;
		json_t *inspect = NULL;
		bool is_reached;

		if (engine_perform(pass->engine, request, err) == 0) {
			json_decref(request->reply);
			return 0;
		}
		if (!call_is_lost(err) || call_inspect(pass, id, &inspect, &failed) < 0)
			return -1;
		is_reached = inspect && reached(inspect, ctx);
		json_decref(inspect);
		if (is_reached) {
			error_clear(err);
			return 0;
		}
	}
	return -1;
}

static const char *started_at(const json_t *inspect)
{
	return text_at(json_object_get(inspect, "State"), "StartedAt");
}

/* Since `ctx`, the time of the start before. One that runs for a moment only has been started as
 * well: a job must not run twice because an answer got lost. */
static bool is_started(const json_t *inspect, const void *ctx)
{
	return inspect_is_live(inspect) || strcmp(started_at(inspect), ctx) != 0;
}

static bool is_stopped(const json_t *inspect, const void *ctx)
{
	(void)ctx;
	return !inspect_is_live(inspect);
}

int call_start(struct pass *pass, const char *id, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/start", id);
	struct engine_request request = { .method = "POST", .path = path };
	json_t *before = NULL;

	if (call_inspect_present(pass, id, &before, err) < 0)
		return -1;
	int rc = post_until(pass, id, &request, is_started, started_at(before), err);
	json_decref(before);
	return rc;
}

int64_t call_grace_ms(const json_t *inspect)
{
	const json_t *timeout = json_object_get(json_object_get(inspect, "Config"), "StopTimeout");
	json_int_t seconds = CONTAINER_GRACE_DEFAULT_S;

	if (json_is_integer(timeout))
		seconds = json_integer_value(timeout);
	/* -1: for ever. A limit there must be, or a host would never be left again. */
	return (seconds < 0 || seconds > GRACE_MAX_S ? GRACE_MAX_S : seconds) * 1000;
}

int call_stop(struct pass *pass, const char *id, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/stop", id);
	json_t *inspect = NULL;

	if (call_inspect_present(pass, id, &inspect, err) < 0)
		return -1;
	struct engine_request request = {
		.method = "POST",
		.path = path,
		.timeout_ms = (int)call_grace_ms(inspect) + STOP_SLACK_MS,
	};
	bool live = inspect_is_live(inspect);
	json_decref(inspect);
	return live ? post_until(pass, id, &request, is_stopped, NULL, err) : 0;
}

static bool is_paused(const json_t *inspect, const void *ctx)
{
	return inspect_is(inspect, "paused") == *(const bool *)ctx;
}

int call_set_paused(struct pass *pass, const char *id, bool paused, struct error *err)
{
	CLEANUP(cleanup_free)
	char *path = engine_path("/containers/%s/%s", id, paused ? "pause" : "unpause");
	struct engine_request request = { .method = "POST", .path = path };

	return post_until(pass, id, &request, is_paused, &paused, err);
}

static bool is_named(const json_t *inspect, const void *ctx)
{
	return strcmp(inspect_name(inspect), ctx) == 0;
}

int call_rename(struct pass *pass, const char *id, const char *name, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/rename?name=%s", id, name);
	struct engine_request request = { .method = "POST", .path = path };
	struct error failed = ERROR_INIT;
	json_t *inspect = NULL;

	if (post_until(pass, id, &request, is_named, name, err) == 0)
		return 0;
	/* Engines refuse to give a container the name that it has. */
	bool named = call_inspect(pass, id, &inspect, &failed) == 0 && inspect &&
		     is_named(inspect, name);
	json_decref(inspect);
	if (!named)
		return error_wrap(err, "rename to %s", name);
	error_clear(err);
	return 0;
}

/* The engine takes it for one that runs, and its process has just ended: of the daemon ("is not
 * running"), and of containerd's shim, whose stopped state takes no update. */
static bool has_just_ended(const struct error *err)
{
	return strstr(err->text, "not running") || strstr(err->text, "update a stopped container");
}

static int update_until(struct pass *pass, const char *id, const json_t *body,
			bool (*reached)(const json_t *inspect, const void *ctx), const void *ctx,
			struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/update", id);
	struct engine_request request = { .method = "POST", .path = path, .body = body };
	int rc = -1;

	for (int attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
		if (attempt > 0 && call_pause(pass, CONTAINER_POLL_MS, err) < 0)
			break;
		error_clear(err);
		rc = post_until(pass, id, &request, reached, ctx, err);
		/* One that ends just now, and comes back by its policy: a moment later it goes. */
		if (rc == 0 || !has_just_ended(err))
			break;
	}
	return rc;
}

/* Whether it is as it was asked to be is not looked up: asking once more does no harm. */
static bool is_updated(const json_t *inspect, const void *ctx)
{
	(void)inspect;
	(void)ctx;
	return false;
}

int call_update(struct pass *pass, const char *id, const json_t *body, struct error *err)
{
	return update_until(pass, id, body, is_updated, NULL, err);
}

static bool has_policy(const json_t *inspect, const void *ctx)
{
	const json_t *policy =
		json_object_get(json_object_get(inspect, "HostConfig"), "RestartPolicy");

	return json_equal(policy, ctx);
}

int call_set_policy(struct pass *pass, const char *id, const char *policy, struct error *err)
{
	size_t len = strcspn(policy, ":");
	json_int_t retries = policy[len] ? strtol(policy + len + 1, NULL, 10) : 0;
	json_t *body = json_pack("{s:{s:s%, s:I}}", "RestartPolicy", "Name", policy, len,
				 "MaximumRetryCount", retries);
	int rc = update_until(pass, id, body, has_policy, json_object_get(body, "RestartPolicy"),
			      err);

	json_decref(body);
	return rc < 0 ? error_wrap(err, "set the restart policy to %s", policy) : 0;
}

/* --- delete --- */

int call_await_gone(struct pass *pass, const char *id, struct error *err)
{
	int64_t deadline_ms = io_now_ms() + GONE_TIMEOUT_MS;
	json_t *inspect = NULL;

	for (;;) {
		if (call_inspect(pass, id, &inspect, err) < 0)
			return -1;
		if (!inspect)
			return 0;
		json_decref(inspect);
		if (io_now_ms() > deadline_ms)
			return error_set(err, ERROR_TIMEOUT, "it is still there after %d s",
					 GONE_TIMEOUT_MS / 1000);
		if (call_pause(pass, CONTAINER_POLL_MS, err) < 0)
			return -1;
	}
}

/* An engine that answers "removal is already in progress" is waited for. */
static int wait_until_removed(struct pass *pass, const char *id, struct error *err)
{
	struct error failed = ERROR_INIT;
	json_t *inspect = NULL;

	if (call_inspect(pass, id, &inspect, &failed) < 0)
		return -1;
	bool removing = !inspect || inspect_is(inspect, "removing") || inspect_is(inspect, "dead");
	json_decref(inspect);
	if (!removing)
		return -1;
	error_clear(err);
	return call_await_gone(pass, id, err);
}

static int delete_container(struct pass *pass, const char *id, bool volumes, struct error *err)
{
	CLEANUP(cleanup_free)
	char *path = engine_path("/containers/%s?v=%s", id, volumes ? "1" : "0");

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (call_stop(pass, id, err) == 0 && engine_delete(pass->engine, path, err) == 0)
			return 0;
		if (err->code == ERROR_NOT_FOUND) {
			error_clear(err);
			return 0;
		}
		if (err->code == ERROR_CONFLICT && wait_until_removed(pass, id, err) == 0)
			return 0;
		if (!call_is_lost(err))
			return -1;
	}
	return -1;
}

int call_delete(struct pass *pass, const char *id, struct error *err)
{
	return delete_container(pass, id, false, err);
}

int call_delete_new(struct pass *pass, const char *id, struct error *err)
{
	json_t *inspect = NULL;

	if (call_inspect(pass, id, &inspect, err) < 0)
		return -1;
	bool there = inspect != NULL, never_ran = there && inspect_is(inspect, "created");
	json_decref(inspect);
	return there ? delete_container(pass, id, never_ran, err) : 0;
}

/* --- networks --- */

struct endpoint_name {
	const char *network;
	bool connected;
};

static bool is_connected(const json_t *inspect, const void *ctx)
{
	const struct endpoint_name *name = ctx;
	const json_t *networks =
		json_object_get(json_object_get(inspect, "NetworkSettings"), "Networks");

	return (json_object_get(networks, name->network) != NULL) == name->connected;
}

int call_connect(struct pass *pass, const char *network, const char *id, json_t *endpoint,
		 struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s/connect", network);
	struct endpoint_name name = { network, true };
	json_t *body = json_pack("{s:s, s:o}", "Container", id, "EndpointConfig", endpoint);
	struct engine_request request = { .method = "POST", .path = path, .body = body };
	int rc = post_until(pass, id, &request, is_connected, &name, err);

	json_decref(body);
	return rc < 0 ? error_wrap(err, "connect to network %s", network) : 0;
}

int call_disconnect(struct pass *pass, const char *network, const char *id, bool force,
		    struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s/disconnect", network);
	struct endpoint_name name = { network, false };
	json_t *body = json_pack("{s:s, s:b}", "Container", id, "Force", force);
	struct engine_request request = { .method = "POST", .path = path, .body = body };
	int rc = post_until(pass, id, &request, is_connected, &name, err);

	json_decref(body);
	return rc < 0 ? error_wrap(err, "disconnect from network %s", network) : 0;
}
