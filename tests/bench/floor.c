/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor under `drey diff`: a bare client over the same tunnel that connects, lists all
 * containers and inspects each, 8 requests in flight, and throws the answers away.
 *
 * floor ADDRESS[:PORT] IDENTITY KNOWN_HOSTS: prints how many were inspected.
 */
#include "tests/bench/client.h"

struct client {
	const char *socket;
	CURLM *multi;
	CURL *easy[IN_FLIGHT];
};

static size_t drop(char *data, size_t size, size_t count, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * count;
}

static json_t *list(struct client *client)
{
	CURL *easy = client->easy[0];
	struct str body;

	str_init(&body, 0);
	aim(easy, client->socket, "/containers/json?all=1");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
	json_t *rows = curl_easy_perform(easy) == CURLE_OK
			       ? json_loadb(body.data, body.len, 0, NULL)
			       : NULL;
	str_done(&body);
	return rows;
}

static void start(struct client *client, CURL *easy, const json_t *row)
{
	CLEANUP(cleanup_free)
	char *path =
		xasprintf("/containers/%s/json", json_string_value(json_object_get(row, "Id")));

	aim(easy, client->socket, path);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	curl_multi_add_handle(client->multi, easy);
}

static size_t inspect_all(struct client *client, const json_t *rows)
{
	size_t next = 0, done = 0, total = json_array_size(rows);
	int running, left;
	CURLMsg *message;

	for (; next < total && next < IN_FLIGHT; next++)
		start(client, client->easy[next], json_array_get(rows, next));
	while (done < total) {
		curl_multi_perform(client->multi, &running);
		while ((message = curl_multi_info_read(client->multi, &left))) {
			CURL *easy = message->easy_handle;

			if (message->data.result != CURLE_OK)
				return done;
			done++;
			curl_multi_remove_handle(client->multi, easy);
			if (next < total)
				start(client, easy, json_array_get(rows, next++));
		}
		if (done < total)
			curl_multi_poll(client->multi, NULL, 0, 1000, NULL);
	}
	return done;
}

static int measure(struct client *client)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	client->multi = curl_multi_init();
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)IN_FLIGHT);
	for (size_t i = 0; i < IN_FLIGHT; i++)
		client->easy[i] = curl_easy_init();
	json_t *rows = list(client);
	if (!rows)
		return fail("the engine did not list its containers");
	size_t done = inspect_all(client, rows);
	printf("%zu\n", done);
	int rc = done == json_array_size(rows) ? 0 : fail("an inspect failed");
	json_decref(rows);
	for (size_t i = 0; i < IN_FLIGHT; i++)
		curl_easy_cleanup(client->easy[i]);
	curl_multi_cleanup(client->multi);
	curl_global_cleanup();
	return rc;
}

int main(int argc, char **argv)
{
	struct tunnel *tunnel;
	struct client client = { 0 };

	if (argc != 4)
		return fail("usage: floor ADDRESS[:PORT] IDENTITY KNOWN_HOSTS");
	client.socket = log_in(argv[1], argv[2], argv[3], &tunnel);
	int rc = measure(&client);
	tunnel_free(tunnel);
	return rc;
}
