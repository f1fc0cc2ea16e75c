/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor under `drey apply`: a bare client over the same tunnel that sends the very requests
 * that drey was seen to send, as many in flight, and does nothing else.
 *
 * replay ADDRESS[:PORT] IDENTITY KNOWN_HOSTS SCRIPT
 *
 * SCRIPT is a JSON array of {"method", "path", "body", "type", "after", "learn"}. `after` holds the
 * indices of the requests whose answers must be there before this one goes. IDs differ from run to
 * run: "{container:web}" in a path or body stands for the ID of that name, which answers of
 * requests with `learn` tell ("containers", "networks": a list; "container:web": a create).
 */
#include "tests/bench/client.h"

struct step {
	CURL *easy;
	struct curl_slist *headers;
	struct str path, body, reply;
	bool sent, answered;
};

struct replay {
	const char *socket;
	CURLM *multi;
	json_t *script;
	json_t *ids; /* "container:web" -> ID */
	struct step *steps;
	size_t count, answered;
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* --- names --- */

static void learn(struct replay *replay, const char *kind, const char *name, const json_t *id)
{
	CLEANUP(cleanup_free) char *key = xasprintf("%s:%s", kind, name);

	json_object_set(replay->ids, key, (json_t *)id);
}

static void learn_list(struct replay *replay, const char *what, const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *name = strcmp(what, "containers") == 0
					   ? json_string_value(json_array_get(
						     json_object_get(item, "Names"), 0))
					   : text(item, "Name");
		const char *kind = strcmp(what, "containers") == 0 ? "container" : "network";

		if (name)
			learn(replay, kind, name + (*name == '/'), json_object_get(item, "Id"));
	}
}

static void learn_from(struct replay *replay, const char *what, const struct str *reply)
{
	json_t *json = json_loadb(reply->data, reply->len, 0, NULL);

	if (json_is_array(json))
		learn_list(replay, what, json);
	else if (json_object_get(json, "Id"))
		json_object_set(replay->ids, what, json_object_get(json, "Id"));
	json_decref(json);
}

/* Puts the IDs of this run in. */
static void resolve(const struct replay *replay, const char *s, size_t len, struct str *out)
{
	const char *end = s + len;

	while (s < end) {
		size_t run = 0;

		while (s + run < end && s[run] != '{')
			run++;
		str_append_n(out, s, run);
		s += run;
		if (s == end)
			return;
		const char *close = memchr(s, '}', (size_t)(end - s));
		CLEANUP(cleanup_free)
		char *key = close ? xstrndup(s + 1, (size_t)(close - s - 1)) : xstrndup("", 0);
		const char *id = text(replay->ids, key);

		if (id) {
			str_append(out, id);
			s = close + 1;
		} else {
			str_append_n(out, s++, 1);
		}
	}
}

/* --- requests --- */

static void send_step(struct replay *replay, size_t index)
{
	const json_t *request = json_array_get(replay->script, index);
	const json_t *body = json_object_get(request, "body");
	struct step *step = &replay->steps[index];

	str_init(&step->path, 0);
	str_init(&step->body, 0);
	str_init(&step->reply, 0);
	resolve(replay, text(request, "path"), strlen(text(request, "path")), &step->path);
	step->easy = curl_easy_init();
	aim(step->easy, replay->socket, step->path.data);
	curl_easy_setopt(step->easy, CURLOPT_PRIVATE, step);
	curl_easy_setopt(step->easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(step->easy, CURLOPT_WRITEDATA, &step->reply);
	if (strcmp(text(request, "method"), "HEAD") == 0)
		curl_easy_setopt(step->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(step->easy, CURLOPT_CUSTOMREQUEST, text(request, "method"));
	if (strcmp(text(request, "method"), "POST") == 0 || body) {
		CLEANUP(cleanup_free)
		char *type =
			xasprintf("Content-Type: %s", text(request, "type") ?: "application/json");

		resolve(replay, json_string_value(body) ?: "", json_string_length(body),
			&step->body);
		step->headers = curl_slist_append(step->headers, type);
		step->headers = curl_slist_append(step->headers, "Expect:");
		curl_easy_setopt(step->easy, CURLOPT_HTTPHEADER, step->headers);
		curl_easy_setopt(step->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)step->body.len);
		curl_easy_setopt(step->easy, CURLOPT_POSTFIELDS, step->body.data);
	}
	curl_multi_add_handle(replay->multi, step->easy);
	step->sent = true;
}

static bool is_due(const struct replay *replay, size_t index)
{
	const json_t *after, *number;
	size_t i;

	if (replay->steps[index].sent)
		return false;
	after = json_object_get(json_array_get(replay->script, index), "after");
	json_array_foreach (after, i, number) {
		if (!replay->steps[json_integer_value(number)].answered)
			return false;
	}
	return true;
}

static void send_due(struct replay *replay)
{
	for (size_t i = 0; i < replay->count; i++) {
		if (is_due(replay, i))
			send_step(replay, i);
	}
}

static int take_answer(struct replay *replay, const CURLMsg *message)
{
	struct step *step;
	long status;

	curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&step);
	size_t index = (size_t)(step - replay->steps);
	const json_t *request = json_array_get(replay->script, index);
	const char *what = text(request, "learn");

	curl_easy_getinfo(step->easy, CURLINFO_RESPONSE_CODE, &status);
	/* What drey was told too (404 for what is not there) is no failure. */
	if (message->data.result != CURLE_OK ||
	    status != json_integer_value(json_object_get(request, "status"))) {
		fprintf(stderr, "bare client: %s %s: status %ld, expected %lld: %s\n",
			text(request, "method"), step->path.data, status,
			json_integer_value(json_object_get(request, "status")),
			step->reply.data ?: "");
		return -1;
	}
	if (what)
		learn_from(replay, what, &step->reply);
	step->answered = true;
	replay->answered++;
	curl_multi_remove_handle(replay->multi, step->easy);
	curl_easy_cleanup(step->easy);
	curl_slist_free_all(step->headers);
	str_done(&step->path);
	str_done(&step->body);
	str_done(&step->reply);
	return 0;
}

static int run(struct replay *replay)
{
	CURLMsg *message;
	int running, left;

	while (replay->answered < replay->count) {
		send_due(replay);
		curl_multi_perform(replay->multi, &running);
		bool any = false;
		while ((message = curl_multi_info_read(replay->multi, &left))) {
			any = true;
			if (take_answer(replay, message) < 0)
				return 1;
		}
		if (!any)
			curl_multi_poll(replay->multi, NULL, 0, 1000, NULL);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct replay replay = { 0 };
	struct tunnel *tunnel;

	if (argc != 5)
		return fail("usage: replay ADDRESS[:PORT] IDENTITY KNOWN_HOSTS SCRIPT");
	replay.script = json_load_file(argv[4], JSON_ALLOW_NUL, NULL);
	if (!json_is_array(replay.script))
		return fail("the script can't be read");
	replay.count = json_array_size(replay.script);
	replay.steps = xcalloc(replay.count + 1, sizeof(*replay.steps));
	replay.ids = json_object();
	replay.socket = log_in(argv[1], argv[2], argv[3], &tunnel);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	replay.multi = curl_multi_init();
	curl_multi_setopt(replay.multi, CURLMOPT_MAXCONNECTS, (long)IN_FLIGHT);
	int rc = run(&replay);
	curl_multi_cleanup(replay.multi);
	curl_global_cleanup();
	free(replay.steps);
	json_decref(replay.script);
	json_decref(replay.ids);
	tunnel_free(tunnel);
	return rc;
}
