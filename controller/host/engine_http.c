/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP to an engine: libcurl's multi interface over a Unix socket, so that engine_interrupt()
 * can wake it and several requests can be in flight over kept connections.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/engine_internal.h"
#include "controller/host/printable.h"
#include "controller/host/tunnel.h"

enum {
	REPLY_CEILING = 64 * 1024 * 1024, /* the inspect list of some thousands of containers */
	ERROR_BODY_CEILING = 64 * 1024,
	HEADERS_CEILING = 256 * 1024,
	MESSAGE_CEILING = 512,
	STREAM_BUFFER = 256 * 1024,
	REPLY_BUFFER = 64 * 1024,
	TRICKLE_BUFFER = 16 * 1024,
};

struct transfer {
	struct engine *engine;
	struct engine_request *request; /* NULL: the slot is free */
	struct engine_stream *stream;	/* NULL: the reply is collected whole */
	CURL *easy;
	struct curl_slist *headers;
	char *url, *body;
	struct str reply;
	size_t header_bytes;
	int64_t last_activity_ms;
	bool sent;	 /* the request has been begun on a connection */
	bool sent_twice; /* curl wanted to repeat what may not be repeated */
	bool enough;	 /* the sink has what it wanted */
	char text[CURL_ERROR_SIZE];
};

struct run {
	struct engine *engine;
	const struct engine_feed *feed;
	struct engine_stream *stream;
	struct transfer *slots;
	size_t slot_count, running;
	struct error *fatal; /* set once all must be given up */
};

static long status_of(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* 304 answers starting what runs and stopping what does not. */
static bool is_failure(long status)
{
	return status >= 300 && status != 304;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	size_t len = size * count;

	t->last_activity_ms = io_now_ms();
	if (is_failure(status_of(t->easy))) {
		/* The first 64 KiB hold the message; the rest is of no use. */
		t->reply.ceiling = ERROR_BODY_CEILING;
		str_append_n(&t->reply, data, len);
		return len;
	}
	if (t->stream) {
		if (!t->stream->sink)
			return len;
		int rc = t->stream->sink(t->stream->ctx, data, len, &t->request->err);
		t->enough = rc > 0;
		return rc == 0 ? len : CURL_WRITEFUNC_ERROR;
	}
	size_t most = t->request->bytes_max;
	t->enough = most && t->reply.len + len >= most;
	str_append_n(&t->reply, data, t->enough ? most - t->reply.len : len);
	if (t->enough)
		return CURL_WRITEFUNC_ERROR;
	if (!t->reply.overflow)
		return len;
	error_set(&t->request->err, ERROR_REMOTE,
		  "the engine's answer to %s %s is larger than %d MiB", t->request->method,
		  t->request->path, REPLY_CEILING / (1024 * 1024));
	return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	static const char api_version[] = "Api-Version:";
	struct transfer *t = ctx;
	size_t len = size * count;

	t->last_activity_ms = io_now_ms();
	t->header_bytes += len;
	if (t->engine->api == 0 && len > strlen(api_version) &&
	    strncasecmp(data, api_version, strlen(api_version)) == 0)
		printable_copy(t->engine->api_header, sizeof(t->engine->api_header),
			       data + strlen(api_version), len - strlen(api_version));
	if (t->header_bytes <= HEADERS_CEILING)
		return len;
	error_set(&t->request->err, ERROR_REMOTE,
		  "the engine's answer to %s %s has more than %d KiB of headers",
		  t->request->method, t->request->path, HEADERS_CEILING / 1024);
	return 0;
}

static size_t on_upload(char *buf, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;

	t->last_activity_ms = io_now_ms();
	ssize_t n = t->stream->source(t->stream->ctx, buf, size * count, &t->request->err);
	return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

static bool only_reads(const struct engine_request *request)
{
	return str_eq(request->method, "GET") || str_eq(request->method, "HEAD");
}

/*
 * Called each time a request is about to go out. libcurl repeats a request by itself when a kept
 * connection breaks before the first byte of the answer; but a create or a restart may have been
 * carried out by then, so only what merely reads is repeated.
 */
static int on_send(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
	struct transfer *t = ctx;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	if (t->sent && !only_reads(t->request)) {
		t->sent_twice = true;
		return CURL_PREREQFUNC_ABORT;
	}
	t->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* A header's value comes from a manifest or a file: a line end in it would forge headers. */
static bool is_header_value(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

static void add_header(struct transfer *t, const char *name, const char *value)
{
	CLEANUP(cleanup_free)
	char *line = *value ? xasprintf("%s: %s", name, value) : xasprintf("%s:", name);
	struct curl_slist *more = curl_slist_append(t->headers, line);

	if (!more)
		abort();
	t->headers = more;
}

static void set_method(struct transfer *t)
{
	const struct engine_request *request = t->request;
	CURL *easy = t->easy;

	if (str_eq(request->method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (t->stream && t->stream->source) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)STREAM_BUFFER);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(easy, CURLOPT_READDATA, t);
		add_header(t, "Content-Type",
			   t->stream->content_type ? t->stream->content_type : "application/x-tar");
	} else if (request->body || !str_eq(request->method, "GET")) {
		t->body = request->body ? json_dumps(request->body, JSON_COMPACT | JSON_ENCODE_ANY)
					: NULL;
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body ? t->body : "");
		/* An engine refuses a body-less POST that names a type it does not take. */
		add_header(t, "Content-Type", t->body ? "application/json" : "");
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	/* No waiting for "100 Continue" before a large body. */
	add_header(t, "Expect", "");
}

static CURL *take_easy(struct engine *engine)
{
	if (engine->idle.count > 0)
		return engine->idle.items[--engine->idle.count];
	CURL *easy = curl_easy_init();
	if (!easy)
		abort();
	return easy;
}

static long buffer_of(const struct transfer *t)
{
	if (!t->stream)
		return REPLY_BUFFER;
	return t->stream->trickles ? TRICKLE_BUFFER : STREAM_BUFFER;
}

static void set_up(struct transfer *t)
{
	struct engine *engine = t->engine;
	struct engine_request *request = t->request;
	CURL *easy = t->easy;
	int timeout_ms = request->timeout_ms;

	if (timeout_ms == 0 && !t->stream)
		timeout_ms = engine->request_timeout_ms;
	/* The connection pool is the multi handle's, hence this engine's own: the host name in
	 * the URL is only what the engine sees as Host. */
	t->url = engine->api ? xasprintf("http://localhost/v1.%d%s", engine->api, request->path)
			     : xasprintf("http://localhost%s", request->path);
	curl_easy_setopt(easy, CURLOPT_URL, t->url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, engine->socket_path);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "drey/" DREY_VERSION);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 118L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)engine->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_of(t));
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->text);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	set_method(t);
	if (request->registry_auth)
		add_header(t, "X-Registry-Auth", request->registry_auth);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
}

static void end(struct run *run, struct engine_request *request)
{
	struct error err = ERROR_INIT;

	if (run->feed->done(run->feed->ctx, request, &err) < 0 && run->fatal->code == ERROR_NONE)
		*run->fatal = err;
}

static void start(struct run *run, struct transfer *t, struct engine_request *request)
{
	const struct engine *engine = run->engine;

	request->status = 0;
	request->reply = NULL;
	request->bytes = NULL;
	request->bytes_len = 0;
	error_clear(&request->err);
	if (engine->guard && !only_reads(request) &&
	    engine->guard(engine->guard_ctx, &request->err) < 0) {
		end(run, request);
		return;
	}
	if (request->registry_auth && !is_header_value(request->registry_auth)) {
		error_set(&request->err, ERROR_INVALID,
			  "the registry credentials hold a control character");
		end(run, request);
		return;
	}
	*t = (struct transfer){ .engine = run->engine,
				.request = request,
				.stream = run->stream,
				.easy = take_easy(run->engine),
				.last_activity_ms = io_now_ms() };
	str_init(&t->reply, REPLY_CEILING);
	set_up(t);
	if (curl_multi_add_handle(run->engine->multi, t->easy))
		abort();
	run->running++;
}

static void drop(struct run *run, struct transfer *t)
{
	struct engine_request *request = t->request;

	curl_multi_remove_handle(run->engine->multi, t->easy);
	curl_easy_reset(t->easy);
	vec_push(&run->engine->idle, t->easy);
	curl_slist_free_all(t->headers);
	free(t->url);
	if (t->body) {
		explicit_bzero(t->body, strlen(t->body));
		free(t->body);
	}
	str_done(&t->reply);
	t->request = NULL;
	run->running--;
	end(run, request);
}

static enum error_code code_of_status(long status)
{
	switch (status) {
	case 400:
		return ERROR_INVALID;
	case 401:
	case 403:
		return ERROR_DENIED;
	case 404:
		return ERROR_NOT_FOUND;
	case 409:
		return ERROR_CONFLICT;
	default:
		return ERROR_REMOTE;
	}
}

static void fail_with_status(struct transfer *t, long status)
{
	struct engine_request *request = t->request;
	char shown[MESSAGE_CEILING];
	json_error_t fault;
	json_t *reply = json_loadb(t->reply.data, t->reply.len, 0, &fault);
	json_t *message = json_object_get(reply, "message");

	if (json_is_string(message))
		printable_copy(shown, sizeof(shown), json_string_value(message),
			       json_string_length(message));
	else
		printable_copy(shown, sizeof(shown), t->reply.data, t->reply.len);
	json_decref(reply);
	if (*shown)
		error_set(&request->err, code_of_status(status), "%s", shown);
	else
		error_set(&request->err, code_of_status(status),
			  "the engine answered %s %s with status %ld", request->method,
			  request->path, status);
}

static void parse_reply(struct transfer *t)
{
	struct engine_request *request = t->request;
	char shown[80];
	json_error_t fault;

	if (t->reply.len == 0) {
		/* Also what curl makes of a connection that broke within the headers. */
		if (str_eq(request->method, "GET"))
			error_set(&request->err, ERROR_UNREACHABLE,
				  "the engine answered GET %s with an empty reply", request->path);
		return;
	}
	request->reply = json_loadb(t->reply.data, t->reply.len, JSON_DECODE_ANY, &fault);
	if (request->reply)
		return;
	if (json_error_code(&fault) == json_error_premature_end_of_input)
		error_set(&request->err, ERROR_UNREACHABLE,
			  "the engine's answer to %s %s was cut after %zu bytes", request->method,
			  request->path, t->reply.len);
	else
		error_set(&request->err, ERROR_REMOTE,
			  "answered %s %s with something that is not JSON (\"%s\"): is %s a Docker "
			  "Engine?",
			  request->method, request->path,
			  printable_copy(shown, sizeof(shown), t->reply.data, t->reply.len),
			  t->engine->socket_path);
}

static void take_bytes(struct transfer *t)
{
	t->request->bytes_len = t->reply.len;
	t->request->bytes = str_take(&t->reply);
}

static int connect_failed(struct transfer *t, struct error *err)
{
	const char *path = t->engine->socket_path;
	struct passwd entry, *me = NULL;
	char names[1024];
	long errnum = 0;

	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &errnum);
	error_errno(err, errnum ? (int)errnum : ECONNREFUSED, "cannot connect to %s", path);
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return error_hint(err, "is Docker installed and started? (systemctl start docker)");
	case EACCES:
		getpwuid_r(geteuid(), &entry, names, sizeof(names), &me);
		return error_hint(err,
				  "add the user %s to the group that owns the socket (usermod -aG "
				  "docker %s, then log in anew) or run as root",
				  me ? me->pw_name : "USER", me ? me->pw_name : "USER");
	case ECONNREFUSED:
		return error_hint(err, "the socket is there but no engine listens on it: start it "
				       "(systemctl start docker)");
	default:
		return error_hint(err, "is the engine running?");
	}
}

/* Over a tunnel the local socket only closes; the tunnel knows why. */
static bool ask_tunnel(struct transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return t->engine->tunnel && tunnel_host_error(t->engine->tunnel, &t->request->err);
	default:
		return false;
	}
}

/* True when the connection is at fault, so that other requests would fare no better. */
static bool transport_failed(struct transfer *t, CURLcode code)
{
	struct error *err = &t->request->err;
	const char *method = t->request->method, *path = t->request->path;

	if (ask_tunnel(t, code))
		return true;
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		connect_failed(t, err);
		return true;
	case CURLE_OPERATION_TIMEDOUT:
		error_set(err, ERROR_TIMEOUT, "no answer to %s %s in time (%d ms)", method, path,
			  t->request->timeout_ms ? t->request->timeout_ms
						 : t->engine->request_timeout_ms);
		return false;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, which is to say: no HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
		error_set(err, ERROR_REMOTE,
			  "answered %s %s with something that is not HTTP: is %s a Docker Engine?",
			  method, path, t->engine->socket_path);
		return true;
	case CURLE_ABORTED_BY_CALLBACK:
		if (!t->sent_twice)
			break;
		error_set(err, ERROR_UNREACHABLE,
			  "the connection broke after %s %s was sent: it may or may not have been "
			  "carried out",
			  method, path);
		return true;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		error_set(err, ERROR_UNREACHABLE,
			  "the connection to the engine broke before the answer to %s %s was whole",
			  method, path);
		return true;
	default:
		break;
	}
	error_set(err, ERROR_UNREACHABLE, "%s %s: %s", method, path,
		  *t->text ? t->text : curl_easy_strerror(code));
	return true;
}

/* True when all other requests must be given up as well. */
static bool finish(struct transfer *t, CURLcode code)
{
	struct engine_request *request = t->request;
	long status = status_of(t->easy);

	request->status = (int)status;
	if (t->enough && request->bytes_max)
		take_bytes(t);
	if (t->enough || request->err.code != ERROR_NONE)
		return false;
	if (code != CURLE_OK)
		return transport_failed(t, code);
	if (is_failure(status))
		fail_with_status(t, status);
	else if (request->bytes_max)
		take_bytes(t);
	else if (!t->stream)
		parse_reply(t);
	return false;
}

static void finish_all_done(struct run *run)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(run->engine->multi, &left))) {
		struct transfer *t;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (finish(t, message->data.result) && run->fatal->code == ERROR_NONE)
			*run->fatal = t->request->err;
		drop(run, t);
	}
}

/* How long to sleep at most; requests that idled for too long are ended here. */
static int watch_idle(struct run *run)
{
	struct transfer *t = run->slots;
	int limit_ms = run->stream ? run->stream->idle_timeout_ms : 0;

	if (limit_ms == 0 || !t->request)
		return 60 * 1000;
	int64_t left_ms = t->last_activity_ms + limit_ms - io_now_ms();
	if (left_ms > 0)
		return left_ms > 60 * 1000 ? 60 * 1000 : (int)left_ms;
	error_set(&t->request->err, ERROR_TIMEOUT, "nothing came from %s %s for %d ms",
		  t->request->method, t->request->path, limit_ms);
	t->request->status = (int)status_of(t->easy);
	drop(run, t);
	return 0;
}

static void give_up(struct run *run)
{
	for (size_t i = 0; i < run->slot_count; i++) {
		struct transfer *t = &run->slots[i];

		if (!t->request)
			continue;
		t->request->err = *run->fatal;
		drop(run, t);
	}
}

static void fill_slots(struct run *run)
{
	for (size_t i = 0; i < run->slot_count; i++) {
		while (!run->slots[i].request && run->fatal->code == ERROR_NONE) {
			struct engine_request *request = run->feed->next(run->feed->ctx);

			if (!request)
				return;
			start(run, &run->slots[i], request);
		}
	}
}

int engine_http_run(struct engine *engine, const struct engine_feed *feed,
		    struct engine_stream *stream, struct error *err)
{
	struct error fatal = ERROR_INIT;
	struct run run = { .engine = engine,
			   .feed = feed,
			   .stream = stream,
			   .slot_count = stream ? 1 : (size_t)engine->max_in_flight,
			   .fatal = &fatal };

	run.slots = xcalloc(run.slot_count, sizeof(*run.slots));
	while (fatal.code == ERROR_NONE) {
		size_t running;
		int left;

		if (atomic_load(&engine->interrupted)) {
			error_set(&fatal, ERROR_CANCELLED, "interrupted");
			break;
		}
		fill_slots(&run);
		if (run.running == 0)
			break;
		running = run.running;
		curl_multi_perform(engine->multi, &left);
		finish_all_done(&run);
		if (running != run.running || fatal.code != ERROR_NONE)
			continue;
		int wait_ms = watch_idle(&run);
		if (wait_ms > 0)
			curl_multi_poll(engine->multi, NULL, 0, wait_ms, NULL);
	}
	if (fatal.code != ERROR_NONE)
		give_up(&run);
	free(run.slots);
	if (fatal.code == ERROR_NONE)
		return 0;
	*err = fatal;
	return -1;
}
