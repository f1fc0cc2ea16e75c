/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening an engine and agreeing on an API version.
 *
 * GET /_ping negotiates by its Api-Version header (moby daemon/server/router/system). GET /version
 * would tell the same and more, but the engine runs containerd, runc and docker-init to answer it.
 */
#include "controller/host/engine.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "controller/base/mem.h"
#include "controller/host/engine_internal.h"
#include "controller/host/ndjson.h"
#include "controller/host/printable.h"
#include "controller/host/tunnel.h"

/* "1.41" -> 41; -1 for what is no version of major number 1. */
static int minor_of(const char *version)
{
	int minor = 0;

	if (!version || !str_has_prefix(version, "1."))
		return -1;
	const char *digit = version + 2;
	if (!*digit)
		return -1;
	for (; *digit; digit++) {
		if (*digit < '0' || *digit > '9' || minor > 999)
			return -1;
		minor = minor * 10 + (*digit - '0');
	}
	return minor;
}

static int agree(struct engine *engine, const char *newest, const char *oldest, struct error *err)
{
	char shown[64];
	int newest_minor = minor_of(newest);
	int oldest_minor = oldest ? minor_of(oldest) : 0;

	if (newest_minor < 0 || oldest_minor < 0) {
		const char *odd = newest_minor < 0 ? newest : oldest;

		return error_set(
			err, ERROR_REMOTE,
			"names \"%s\" as its API version: is %s a Docker Engine?",
			printable_copy(shown, sizeof(shown), odd ? odd : "", odd ? strlen(odd) : 0),
			engine->socket_path);
	}
	if (newest_minor < ENGINE_API_OLDEST)
		return error_set(err, ERROR_UNSUPPORTED,
				 "the engine speaks API 1.%d at most, drey needs 1.%d: upgrade it "
				 "to Docker 19.03 or later",
				 newest_minor, ENGINE_API_OLDEST);
	if (oldest_minor > ENGINE_API_NEWEST)
		return error_set(err, ERROR_UNSUPPORTED,
				 "the engine speaks API 1.%d at least, this drey knows 1.%d at "
				 "most: use a newer drey",
				 oldest_minor, ENGINE_API_NEWEST);
	engine->api = newest_minor < ENGINE_API_NEWEST ? newest_minor : ENGINE_API_NEWEST;
	log_debug(engine->log, "engine open host=%s api=1.%d", engine->name, engine->api);
	return 0;
}

static int negotiate(struct engine *engine, struct error *err)
{
	struct engine_stream ping = { .request = { .method = "GET",
						   .path = "/_ping",
						   .timeout_ms = engine->request_timeout_ms } };

	if (engine_stream(engine, &ping, err)) {
		if (err->code == ERROR_NOT_FOUND && ping.request.status)
			return error_set(err, ERROR_REMOTE,
					 "knows no GET /_ping: is %s a Docker Engine?",
					 engine->socket_path);
		return -1;
	}
	int newest = minor_of(engine->api_header);
	if (newest >= 0 && newest <= ENGINE_API_NEWEST)
		return agree(engine, engine->api_header, NULL, err);
	/* An engine this new may speak nothing that we know, and only /version tells. */
	if (engine_get(engine, "/version", &engine->version, err))
		return -1;
	return agree(engine, json_string_value(json_object_get(engine->version, "ApiVersion")),
		     json_string_value(json_object_get(engine->version, "MinAPIVersion")), err);
}

/* One kept connection for each request in flight, and one for an event stream. */
static void set_in_flight(struct engine *engine, int in_flight)
{
	engine->max_in_flight = in_flight;
	curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, (long)in_flight + 1);
}

static void set_up(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

void engine_set_up(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
}

static struct engine *engine_new(const struct engine_options *options)
{
	engine_set_up();
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->name = xstrdup(options->name);
	engine->socket_path = xstrdup(options->socket_path);
	engine->tunnel = options->tunnel;
	engine->connect_timeout_ms = options->connect_timeout_ms;
	engine->request_timeout_ms = options->request_timeout_ms;
	engine->log = options->log;
	atomic_init(&engine->interrupted, false);
	pthread_mutex_init(&engine->lock, NULL);
	engine->multi = curl_multi_init();
	if (!engine->multi)
		abort();
	set_in_flight(engine, options->max_in_flight > 0 ? options->max_in_flight : 8);
	return engine;
}

static bool is_far(const struct engine *engine)
{
	struct tunnel_host_info info = { .round_trip_ms = 0 };

	if (engine->tunnel)
		tunnel_host_info(engine->tunnel, &info);
	return info.round_trip_ms >= ENGINE_FAR_MS;
}

int engine_open(const struct engine_options *options, struct engine **ret_engine, struct error *err)
{
	const struct sockaddr_un room;

	if (options->socket_path[0] != '/' || strlen(options->socket_path) >= sizeof(room.sun_path))
		return error_set(err, ERROR_INVALID,
				 "the socket path \"%s\" must be absolute and shorter than %zu "
				 "bytes",
				 options->socket_path, sizeof(room.sun_path));
	struct engine *engine = engine_new(options);
	if (negotiate(engine, err)) {
		engine_close(engine);
		return -1;
	}
	if (options->far_in_flight > engine->max_in_flight && is_far(engine))
		set_in_flight(engine, options->far_in_flight);
	*ret_engine = engine;
	return 0;
}

/* The options of one more to the same place. */
static struct engine_options options_of(const struct engine *engine)
{
	return (struct engine_options){
		.name = engine->name,
		.socket_path = engine->socket_path,
		.tunnel = engine->tunnel,
		.connect_timeout_ms = engine->connect_timeout_ms,
		.request_timeout_ms = engine->request_timeout_ms,
		.max_in_flight = 1,
		.log = engine->log,
	};
}

int engine_open_beside(const struct engine *engine, struct engine **ret_engine, struct error *err)
{
	struct engine_options options = options_of(engine);

	return engine_open(&options, ret_engine, err);
}

struct engine *engine_handle(struct engine *engine)
{
	struct engine_options options = options_of(engine);
	struct engine *handle = engine_new(&options);

	handle->api = engine->api;
	handle->guard = engine->guard;
	handle->guard_ctx = engine->guard_ctx;
	handle->of = engine;
	pthread_mutex_lock(&engine->lock);
	handle->next_handle = engine->handles;
	engine->handles = handle;
	atomic_store(&handle->interrupted, atomic_load(&engine->interrupted));
	pthread_mutex_unlock(&engine->lock);
	return handle;
}

static void forget_handle(struct engine *engine, const struct engine *handle)
{
	struct engine **link = &engine->handles;

	pthread_mutex_lock(&engine->lock);
	while (*link != handle)
		link = &(*link)->next_handle;
	*link = handle->next_handle;
	pthread_mutex_unlock(&engine->lock);
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	if (engine->of)
		forget_handle(engine->of, engine);
	VEC_FOREACH (CURL **, easy, &engine->idle)
		curl_easy_cleanup(*easy);
	vec_done(&engine->idle);
	curl_multi_cleanup(engine->multi);
	pthread_mutex_destroy(&engine->lock);
	json_decref(engine->version);
	free(engine->name);
	free(engine->socket_path);
	free(engine);
}

void engine_interrupt(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	atomic_store(&engine->interrupted, true);
	curl_multi_wakeup(engine->multi);
	for (struct engine *handle = engine->handles; handle; handle = handle->next_handle) {
		atomic_store(&handle->interrupted, true);
		curl_multi_wakeup(handle->multi);
	}
	pthread_mutex_unlock(&engine->lock);
}

void engine_set_guard(struct engine *engine, int (*guard)(void *ctx, struct error *err), void *ctx)
{
	engine->guard = guard;
	engine->guard_ctx = ctx;
}

int engine_api(const struct engine *engine)
{
	return engine->api;
}

const char *engine_name(const struct engine *engine)
{
	return engine->name;
}

bool engine_parse_time(const char *text, int64_t *ret_seconds)
{
	struct tm tm = { 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int hours = 0, minutes = 0;
	char sign = '+';

	if (!rest)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (*rest != 'Z' && sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
		return false;
	int64_t offset = (hours * 60 + minutes) * 60;
	*ret_seconds = (int64_t)timegm(&tm) - (sign == '-' ? -offset : offset);
	return true;
}

int engine_read_clock(struct engine *engine, int64_t *ret_seconds, struct error *err)
{
	json_t *info = NULL;

	if (engine_get(engine, "/info", &info, err) < 0)
		return -1;
	bool known = engine_parse_time(json_string_value(json_object_get(info, "SystemTime")),
				       ret_seconds);
	json_decref(info);
	if (!known)
		return error_set(err, ERROR_REMOTE, "%s: GET /info tells no SystemTime",
				 engine->name);
	return 0;
}

const json_t *engine_version(struct engine *engine)
{
	struct error ignored = ERROR_INIT;

	if (!engine->version && engine_get(engine, "/version", &engine->version, &ignored))
		log_debug(engine->log, "no version: %s host=%s", ignored.text, engine->name);
	return engine->version;
}

/* A feed of requests that are all there from the start. */
struct batch {
	struct engine_request *requests;
	size_t count, next;
};

static struct engine_request *batch_next(void *ctx)
{
	struct batch *batch = ctx;

	return batch->next < batch->count ? &batch->requests[batch->next++] : NULL;
}

static int batch_done(void *ctx, struct engine_request *request, struct error *err)
{
	(void)ctx;
	(void)request;
	(void)err;
	return 0;
}

static int run_batch(struct engine *engine, struct engine_request *requests, size_t count,
		     struct engine_stream *stream, struct error *err)
{
	struct batch batch = { .requests = requests, .count = count };
	struct engine_feed feed = { .ctx = &batch, .next = batch_next, .done = batch_done };

	if (engine_http_run(engine, &feed, stream, err) == 0)
		return 0;
	for (; batch.next < count; batch.next++) {
		struct engine_request *request = &requests[batch.next];

		request->status = 0;
		request->reply = NULL;
		request->err = *err;
	}
	return -1;
}

int engine_perform(struct engine *engine, struct engine_request *request, struct error *err)
{
	if (run_batch(engine, request, 1, NULL, err))
		return -1;
	if (request->err.code == ERROR_NONE)
		return 0;
	*err = request->err;
	return -1;
}

int engine_perform_all(struct engine *engine, struct engine_request *requests, size_t count,
		       struct error *err)
{
	return run_batch(engine, requests, count, NULL, err);
}

int engine_perform_feed(struct engine *engine, const struct engine_feed *feed, struct error *err)
{
	return engine_http_run(engine, feed, NULL, err);
}

int engine_get(struct engine *engine, const char *path, json_t **ret_reply, struct error *err)
{
	struct engine_request request = { .method = "GET", .path = path };

	if (engine_perform(engine, &request, err))
		return -1;
	*ret_reply = request.reply;
	return 0;
}

int engine_post(struct engine *engine, const char *path, const json_t *body, json_t **ret_reply,
		struct error *err)
{
	struct engine_request request = { .method = "POST", .path = path, .body = body };

	if (engine_perform(engine, &request, err))
		return -1;
	if (ret_reply)
		*ret_reply = request.reply;
	else
		json_decref(request.reply);
	return 0;
}

int engine_delete(struct engine *engine, const char *path, struct error *err)
{
	struct engine_request request = { .method = "DELETE", .path = path };

	if (engine_perform(engine, &request, err))
		return -1;
	json_decref(request.reply);
	return 0;
}

int engine_stream(struct engine *engine, struct engine_stream *stream, struct error *err)
{
	if (run_batch(engine, &stream->request, 1, stream, err))
		return -1;
	if (stream->request.err.code == ERROR_NONE)
		return 0;
	*err = stream->request.err;
	return -1;
}

struct upload {
	const struct str *tar;
	size_t sent;
};

static ssize_t upload_source(void *ctx, char *buf, size_t room, struct error *err)
{
	struct upload *upload = ctx;
	size_t left = upload->tar->len - upload->sent, len = left < room ? left : room;

	(void)err;
	memcpy(buf, upload->tar->data + upload->sent, len);
	upload->sent += len;
	return (ssize_t)len;
}

int engine_put_tar(struct engine *engine, const char *path, const struct str *tar, int timeout_ms,
		   int idle_timeout_ms, struct error *err)
{
	struct upload upload = { .tar = tar };
	struct engine_stream stream = {
		.request = { .method = "PUT", .path = path, .timeout_ms = timeout_ms },
		.source = upload_source,
		.content_type = "application/x-tar",
		.ctx = &upload,
		.idle_timeout_ms = idle_timeout_ms,
	};

	return engine_stream(engine, &stream, err);
}

static int feed(void *ctx, const char *data, size_t len, struct error *err)
{
	return ndjson_feed(ctx, data, len, err);
}

int engine_stream_json(struct engine *engine, struct engine_request *request,
		       int (*item)(void *ctx, const json_t *item, struct error *err), void *ctx,
		       int idle_timeout_ms, struct error *err)
{
	struct ndjson nd;

	ndjson_init(&nd, item, ctx);
	struct engine_stream stream = {
		.request = *request,
		.sink = feed,
		.ctx = &nd,
		.idle_timeout_ms = idle_timeout_ms,
		.trickles = true,
	};
	int rc = engine_stream(engine, &stream, err);
	if (rc == 0)
		rc = ndjson_finish(&nd, err) < 0 ? -1 : 0;
	ndjson_done(&nd);
	*request = stream.request;
	if (rc)
		request->err = *err;
	return rc;
}
