/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what is there to a manifest: the same create body, row by row, and what is left out. */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/import.h"
#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(import, .init = pass_setup, .fini = pass_teardown);

#define IMAGE "{'Id': 'sha256:1111', 'Config': {'Env': ['PATH=/bin'], 'Cmd': ['serve']}}"

static json_t *body_of(const struct pass *pass, const struct resource *want)
{
	struct error err = ERROR_INIT;
	json_t *body = NULL;
	char uid[33];

	cr_assert_eq(container_create_body(pass, want, NULL, uid, &body, &err), 0, "%s", err.text);
	json_t *labels = ownership_strip(json_object_get(body, "Labels"));
	json_object_set_new(body, "Labels", labels);
	return body;
}

/* What an engine would show of a container made with this body. */
static json_t *inspect_of(const json_t *body)
{
	json_t *config = json_deep_copy(body), *host, *inspect;
	json_int_t memory;

	host = json_incref(json_object_get(config, "HostConfig"));
	json_object_del(config, "HostConfig");
	memory = json_integer_value(json_object_get(host, "Memory"));
	if (memory && !json_object_get(host, "MemorySwap"))
		json_object_set_new(host, "MemorySwap", json_integer(2 * memory));
	if (!json_object_get(host, "NetworkMode"))
		json_object_set_new(host, "NetworkMode", json_string("bridge"));
	if (!json_object_get(config, "Env"))
		json_object_set_new(config, "Env", json_array());
	json_array_append_new(json_object_get(config, "Env"), json_string("PATH=/bin"));
	if (!json_object_get(config, "Cmd") && !json_object_get(config, "Entrypoint"))
		json_object_set_new(config, "Cmd", json_pack("[s]", "serve"));
	json_t *networks = json_is_true(json_object_get(config, "NetworkDisabled"))
				   ? json_object()
				   : json_pack("{s:{}}", "bridge");
	inspect = json_pack("{s:s, s:s, s:s, s:o, s:o, s:{s:s}, s:{s:o}}", "Id", "feedfeedfeedfeed",
			    "Name", "/c", "Image", "sha256:1111", "Config", config, "HostConfig",
			    host, "State", "Status", "running", "NetworkSettings", "Networks",
			    networks);
	return inspect;
}

static struct pass *empty_pass(void)
{
	struct pass *pass = pass_manifests("apiVersion: drey/v1\nkind: Network\n"
					   "metadata: { name: other }\nspec: {}\n");

	pass_api(51);
	pass->observed.engine_api = 51;
	pass_info("{'CgroupVersion': '1', 'DefaultRuntime': 'other', 'OomKillDisable': true}");
	pass_has_image("busy", pass_json(IMAGE));
	pass->whole = true;
	return pass;
}

/* Imports what the pass has; the item of a name on the engine. */
static struct import_item *import_it(struct pass *pass, const char *name)
{
	struct import *import = arena_new_of(pass->arena, struct import);
	struct error err = ERROR_INIT;
	size_t count;
	const struct reconciler *const *all = reconcilers_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (all[i]->observed)
			cr_assert_eq(all[i]->observed(pass, &err), 0, "%s", err.text);
	}
	*import = (struct import){ .pass = pass, .host = "local" };
	import_build(import);
	struct import_item *item = import_find(import, "Container", name);
	cr_assert(item, "%s was not found", name);
	return item;
}

static const char *dump(struct pass *pass, const json_t *json)
{
	CLEANUP(cleanup_free) char *text = json_dumps(json, JSON_SORT_KEYS | JSON_ENCODE_ANY);

	return text ? arena_strdup(pass->arena, text) : "";
}

static void check_row(const struct field *field)
{
	CLEANUP(cleanup_free)
	char *yaml = xasprintf("apiVersion: drey/v1\nkind: Container\nmetadata: { name: c }\n"
			       "spec: { image: busy, %s: %s }\n",
			       field->key, field->example);
	struct pass *pass = pass_manifests(yaml);

	pass_api(51);
	json_t *body = body_of(pass, desired_find(pass->desired, "Container", "c"));
	json_t *inspect = inspect_of(body);
	pass = empty_pass();
	pass_has_container(inspect, NULL);
	const struct import_item *item = import_it(pass, "c");
	cr_expect_null(item->left_out, "%s: %s", field->key, item->left_out);
	cr_expect_null(json_object_get(item->metadata, "ignore"), "%s: %s", field->key,
		       dump(pass, item->notes));
	json_t *again = body_of(pass, &item->resource);
	cr_expect(json_equal(again, body), "%s: %s became %s", field->key, dump(pass, body),
		  dump(pass, again));
	json_decref(again);
	json_decref(inspect);
	json_decref(body);
}

/* Those that name other objects have tests of their own. */
Test(import, each_row_comes_back)
{
	schema_foreach (&container_schema, field) {
		if (field->api && field->example && !field->ref && strcmp(field->key, "image") != 0)
			check_row(field);
	}
}

static const char *spec_of(const char *config, const char *host, const char *state)
{
	struct pass *pass = empty_pass();
	json_t *inspect =
		pass_json("{'Id': 'feedfeedfeedfeed', 'Name': '/c', 'Image': 'sha256:1111',"
			  "'Config': {'Image': 'busy', 'Cmd': ['serve'], 'Env': ['PATH=/bin']},"
			  "'HostConfig': {'NetworkMode': 'none'}, 'NetworkSettings': {}}");

	json_object_update(json_object_get(inspect, "Config"), pass_json(config));
	json_object_update(json_object_get(inspect, "HostConfig"), pass_json(host));
	json_object_set(inspect, "State", pass_json(state));
	pass_has_container(inspect, NULL);
	const struct import_item *item = import_it(pass, "c");
	return item->left_out ? item->left_out : dump(pass, item->spec);
}

#define RUNNING "{'Status': 'running'}"

Test(import, no_longer_than_it_must_be)
{
	cr_expect_str_eq(spec_of("{}", "{}", RUNNING),
			 "{\"image\": \"busy\", \"network_mode\": \"none\"}");
	cr_expect_str_eq(spec_of("{'Env': ['PATH=/bin', 'A=1']}",
				 "{'Memory': 1048576, 'MemorySwap': 2097152}", RUNNING),
			 "{\"environment\": {\"A\": \"1\"}, \"image\": \"busy\", "
			 "\"mem_limit\": 1048576, \"network_mode\": \"none\"}");
}

/* Compose would take a container with its labels for its own again. */
Test(import, labels_of_compose_stay_behind)
{
	cr_expect_str_eq(
		spec_of("{'Labels': {'com.docker.compose.project': 'x', 'a': 'b'}}", "{}", RUNNING),
		"{\"image\": \"busy\", \"labels\": {\"a\": \"b\"}, "
		"\"network_mode\": \"none\"}");
}

Test(import, what_does_not_run_is_not_started)
{
	cr_expect(strstr(spec_of("{}", "{}", "{'Status': 'exited', 'ExitCode': 0}"),
			 "\"state\": \"stopped\""));
	cr_expect(strstr(spec_of("{}", "{}", "{'Status': 'created'}"), "\"state\": \"stopped\""));
	cr_expect(strstr(spec_of("{}", "{}", "{'Status': 'paused'}"), "\"state\": \"paused\""));
	cr_expect_null(strstr(spec_of("{}", "{}", "{'Status': 'restarting'}"), "state"));
}

Test(import, what_no_manifest_can_keep_is_left_out)
{
	cr_expect(strstr(spec_of("{}", "{'AutoRemove': true}", RUNNING), "--rm"));
	cr_expect(strstr(spec_of("{'Labels': {'com.docker.swarm.task.id': 'x'}}", "{}", RUNNING),
			 "Swarm"));
	cr_expect(strstr(spec_of("{'Labels': {'drey.project': 'q'}}", "{}", RUNNING),
			 "drey made it already"));
	cr_expect_str_eq(spec_of("{}", "{'NetworkMode': 'container:0123'}", RUNNING),
			 "it shares namespaces of container 0123, which is gone");
	cr_expect(strstr(spec_of("{}", "{}", "{'Status': 'dead'}"), "half removed"));
}

/* The options are told to the engine by whoever starts it; nobody can tell afterwards who did. */
Test(import, log_options_are_kept)
{
	cr_expect(strstr(
		spec_of("{}", "{'LogConfig': {'Type': 'json-file', 'Config': {'max-size': '1m'}}}",
			RUNNING),
		"{\"driver\": \"json-file\", \"options\": {\"max-size\": \"1m\"}}"));
}
