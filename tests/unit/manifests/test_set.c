/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/manifests/loaded.h"

#define DOCUMENT "---\napiVersion: drey/v1\n"
#define PROJECT DOCUMENT "kind: Project\nmetadata: { name: shop }\n"
#define HOST(name, rest)                                                                           \
	DOCUMENT "kind: Host\nmetadata: { name: " name ", labels: { name: " name                   \
		 ", tier: front } }\nspec: { address: \"ssh://" name "\"" rest " }\n"
#define CONTAINER(name, rest)                                                                      \
	DOCUMENT "kind: Container\nmetadata: { name: " name " }\nspec: { image: \"x\"" rest " }\n"
#define VOLUME(name, rest) DOCUMENT "kind: Volume\nmetadata: { name: " name " }\nspec: {" rest "}\n"
#define NETWORK(name) DOCUMENT "kind: Network\nmetadata: { name: " name " }\n"

static struct loaded loaded;

static void teardown(void)
{
	loaded_done(&loaded);
}

TestSuite(set, .fini = teardown);

static bool is_on(const char *host, const char *kind, const char *name)
{
	return loaded_find(&loaded, host, kind, name) != NULL;
}

Test(set, without_project_and_host_the_local_engine_is_meant)
{
	loaded_good(&loaded, CONTAINER("web", ""));
	cr_expect(set_is_local(loaded.set));
	cr_expect_str_eq(set_project(loaded.set), "default");
	cr_expect_null(set_project_resource(loaded.set));
	cr_assert_eq(set_host_count(loaded.set), 1);
	cr_expect_str_eq(set_host(loaded.set, 0)->name, "local");
	cr_expect_str_eq(resource_string(set_host(loaded.set, 0), "address"),
			 "unix:///var/run/docker.sock");
	cr_expect(is_on("local", "Container", "web"));
	cr_expect_null(set_desired(loaded.set, "other"));
}

Test(set, fallbacks_stand_for_silence)
{
	loaded_good(&loaded, PROJECT HOST("h", ", connect_timeout: 5s"));
	const struct resource *host = set_host(loaded.set, 0);
	cr_expect_not(set_is_local(loaded.set));
	cr_expect_str_eq(resource_string(host, "docker_socket"), "/var/run/docker.sock");
	cr_expect_eq(resource_int(host, "request_timeout"), 30000000000);
	cr_expect_eq(resource_int(host, "connect_timeout"), 5000000000);
	cr_expect(resource_bool(host, "agent"));
	cr_expect_null(resource_get(host, "agent"));
	cr_expect_null(resource_string(host, "identity_file"));
}

Test(set, hosts_are_told_before_what_is_on_them)
{
	loaded_good(&loaded,
		    PROJECT CONTAINER("web", ", hosts: [h1]") HOST("h2", "") HOST("h1", ""));
	cr_expect_str_eq(loaded.told, "h1 h2 ");
	loaded_done(&loaded);
	loaded_init(&loaded, NULL, PROJECT HOST("h1", "") CONTAINER("web", ", hosts: [none]"));
	cr_expect_null(loaded.set);
	cr_expect_str_eq(loaded.told, "h1 ");
}

Test(set, no_host_is_told_where_something_is_wrong_by_then)
{
	loaded_init(&loaded, NULL, PROJECT HOST("h1", "") HOST("h2", ", port: 7"));
	cr_expect_null(loaded.set);
	cr_expect_str_eq(loaded.told, "");
	loaded_done(&loaded);
	loaded_init(&loaded, NULL, HOST("h1", "") CONTAINER("web", ""));
	cr_expect_null(loaded.set, "without a Project");
	cr_expect_str_eq(loaded.told, "");
}

Test(set, placement)
{
	loaded_good(
		&loaded, PROJECT "spec: { hosts: [h3] }\n" HOST("h1", "") HOST("h2", "") DOCUMENT
		"kind: Host\nmetadata: { name: h3 }\nspec: { address: \"ssh://h3\" }\n" CONTAINER(
			"own", ", hosts: [h1]")
			CONTAINER("selected", ", host_selector: { tier: front }")
				CONTAINER("listed", ", host_selector: [tier=front, name=h2]")
					CONTAINER("default", ""));
	cr_expect(is_on("h1", "Container", "own") && !is_on("h2", "Container", "own"));
	cr_expect(is_on("h1", "Container", "selected") && is_on("h2", "Container", "selected"));
	cr_expect_not(is_on("h3", "Container", "selected"));
	cr_expect(is_on("h2", "Container", "listed") && !is_on("h1", "Container", "listed"));
	cr_expect(is_on("h3", "Container", "default") && !is_on("h1", "Container", "default"));
}

Test(set, volumes_and_networks_are_where_their_users_are)
{
	loaded_good(&loaded,
		    PROJECT HOST("h1", "") HOST("h2", "") HOST("h3", "") CONTAINER(
			    "web", ", hosts: [h1, h2], networks: [front], volumes: [\"data:/d\"]")
			    CONTAINER("gone", ", hosts: [h3], state: absent, volumes: "
					      "[\"kept:/d\", \"nobody:/x\"]") NETWORK("front")
				    VOLUME("data", "") VOLUME("kept", "")
					    VOLUME("fixed", " hosts: [h3] "));
	cr_expect(is_on("h1", "Network", "front") && is_on("h2", "Volume", "data"));
	cr_expect_not(is_on("h3", "Network", "front") || is_on("h3", "Volume", "data"));
	cr_expect(is_on("h3", "Volume", "kept"), "what an absent container used stays");
	cr_expect(is_on("h3", "Volume", "fixed") && !is_on("h1", "Volume", "fixed"));
}

Test(set, what_nobody_uses_is_nowhere_and_said_so)
{
	loaded_good(&loaded,
		    VOLUME("data", "") VOLUME("old", " state: absent ") CONTAINER("web", ""));
	cr_expect_not(is_on("local", "Volume", "data"));
	cr_expect_eq(loaded.diagnostics.warnings, 1);
	cr_expect(is_on("local", "Volume", "old"), "to be removed it needs a place");
}

Test(set, order)
{
	loaded_good(&loaded,
		    CONTAINER("a", ", depends_on: [z], volumes: [\"v:/v\"], networks: [n]")
			    CONTAINER("b", "") CONTAINER("z", ", network_mode: \"container:m\"")
				    CONTAINER("m", "") NETWORK("n") VOLUME("v", ""));
	const struct desired *desired = set_desired(loaded.set, "local");
	static const char *const expected[] = { "n", "v", "m", "z", "a", "b" };

	cr_assert_eq(desired->count, 6);
	for (size_t i = 0; i < 6; i++)
		cr_expect_str_eq(desired->resources[i]->name, expected[i]);
}

Test(set, references_are_resolved_per_host)
{
	loaded_good(&loaded, PROJECT
		    "spec: { variables: { size: small, db: { port: 5432 }, list: [\"80:80\", "
		    "\"81:81\"] }, "
		    "env: [TAG] }\n" HOST("h1", ", vars: { size: large }") HOST("h2", "") CONTAINER(
			    "web", ", working_dir: \"/${env.TAG}\", hosts: [h1, h2], hostname: "
				   "\"${host.name}-${host.vars.size}\","
				   " environment: { DB: \"db:${host.vars.db.port}\" }, "
				   "ports: \"${host.vars.list}\"")
			    CONTAINER("same", ", hosts: [h1, h2]"));
	const struct resource *one = loaded_find(&loaded, "h1", "Container", "web");
	const struct resource *two = loaded_find(&loaded, "h2", "Container", "web");

	cr_expect_str_eq(resource_string(one, "hostname"), "h1-large");
	cr_expect_str_eq(resource_string(two, "hostname"), "h2-small");
	cr_expect_str_eq(resource_string(one, "working_dir"), "/1.2");
	cr_expect_str_eq(json_string_value(json_object_get(resource_get(one, "environment"), "DB")),
			 "db:5432");
	cr_expect_eq(json_array_size(resource_get(two, "ports")), 2);
	cr_expect_str_neq(one->digest, two->digest);
	/* Without a reference to the host there is one tree for all of them. */
	cr_expect_eq(loaded_find(&loaded, "h1", "Container", "same")->spec,
		     loaded_find(&loaded, "h2", "Container", "same")->spec);
}

Test(set, hosts_use_their_own_variables)
{
	loaded_good(&loaded, PROJECT
		    "spec: { variables: { domain: example.com } }\n" DOCUMENT
		    "kind: Host\nmetadata: { name: h1 }\nspec:\n"
		    "  address: \"ssh://${host.vars.user}@${host.name}.${host.vars.domain}\"\n"
		    "  vars: { user: \"root-${host.name}\" }\n");
	cr_expect_str_eq(resource_string(set_host(loaded.set, 0), "address"),
			 "ssh://root-h1@h1.example.com");
}

static char *digest_with(const char *secret, const char *image)
{
	char *text =
		xasprintf(PROJECT "spec: { env: [PASSWORD, TAG] }\n" HOST("h", "") DOCUMENT
			  "kind: Secret\nmetadata: { name: s }\nspec: { env: %s }\n" DOCUMENT
			  "kind: Container\nmetadata: { name: web }\n"
			  "spec: { image: %s, environment: { P: \"x-${secret.s}\", Q: plain } }\n",
			  secret, image);
	struct loaded one;

	loaded_init(&one, NULL, text);
	cr_assert(one.set, "%s", loaded_fault(&one));
	const struct resource *web = loaded_find(&one, "h", "Container", "web");
	cr_expect(resource_is_secret(web, "environment", "P"));
	cr_expect_not(resource_is_secret(web, "environment", "Q"));
	char *digest = xstrdup(web->digest);
	loaded_done(&one);
	free(text);
	return digest;
}

Test(set, digests_hold_no_secrets)
{
	char *a = digest_with("PASSWORD", "x"), *b = digest_with("TAG", "x");
	char *c = digest_with("TAG", "y");

	loaded_good(&loaded, CONTAINER("web", ""));
	cr_expect_str_eq(a, b, "another secret is no other digest");
	cr_expect_str_neq(b, c);
	cr_expect_eq(strlen(a), 64);
	free(a);
	free(b);
	free(c);
}

Test(set, secrets_are_blotted_out_of_foreign_text)
{
	char text[] = "it was sent hunter2 and URL=db:hunter2@1.2";

	loaded_good(&loaded, "apiVersion: drey/v1\nkind: Project\nmetadata: { name: p }\n"
			     "spec: { env: [PASSWORD, TAG] }\n"
			     "---\napiVersion: drey/v1\nkind: Secret\nmetadata: { name: a }\n"
			     "spec: { env: PASSWORD }\n"
			     "---\napiVersion: drey/v1\nkind: Secret\nmetadata: { name: short }\n"
			     "spec: { env: TAG }\n"
			     "---\napiVersion: drey/v1\nkind: Host\nmetadata: { name: h1 }\n"
			     "spec: { address: \"unix:///run/docker.sock\" }\n"
			     "---\napiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\n"
			     "spec:\n  image: busy:1\n"
			     "  environment: { A: \"${secret.a}\", B: \"${secret.short}\" }\n");
	set_hide_secrets(loaded.set, text);
	cr_expect_str_eq(text, "it was sent ******* and URL=db:*******@1.2");
}

Test(set, resources_of_a_project_are_found_by_kind_and_name)
{
	loaded_good(&loaded, PROJECT HOST("b", "") HOST("a", "") DOCUMENT
		    "kind: Registry\nmetadata: { name: r }\nspec: { server: s }\n");
	cr_expect_eq(set_count(loaded.set, "Host"), 2);
	cr_expect_str_eq(set_at(loaded.set, "Host", 0)->name, "a");
	cr_expect_str_eq(set_host(loaded.set, 1)->name, "b");
	cr_expect_eq(set_count(loaded.set, "Backup"), 0);
	cr_expect(set_find(loaded.set, "Registry", "r"));
	cr_expect_null(set_find(loaded.set, "Registry", "x"));
	cr_expect_eq(set_project_resource(loaded.set), set_find(loaded.set, "Project", "shop"));
	cr_expect_str_eq(set_project(loaded.set), "shop");
}

Test(set, references_keep_it_alive)
{
	loaded_good(&loaded, CONTAINER("web", ""));
	struct manifest_set *other = set_ref(loaded.set);

	set_unref(loaded.set);
	cr_expect_str_eq(loaded_find(&loaded, "local", "Container", "web")->name, "web");
	loaded.set = other;
	set_unref(NULL);
}

Test(set, the_digest_of_a_set_follows_its_content)
{
	struct loaded other;

	loaded_good(&loaded, CONTAINER("web", ""));
	loaded_good(&other, CONTAINER("web", "") "# a comment\n");
	cr_expect_eq(strlen(set_digest(loaded.set)), 64);
	cr_expect_str_neq(set_digest(loaded.set), set_digest(other.set));
	loaded_done(&other);
}

Test(set, metadata)
{
	loaded_good(
		&loaded, DOCUMENT
		"kind: Container\n"
		"metadata: { name: web, adopt: true, ignore: [cpus], labels: { tier: front } }\n"
		"spec: { image: x }\n");
	const struct resource *web = loaded_find(&loaded, "local", "Container", "web");
	struct error err = ERROR_INIT;
	bool match = false;

	cr_expect(json_is_true(json_object_get(web->metadata, "adopt")));
	cr_expect_eq(json_array_size(resource_ignore(web)), 1);
	cr_expect_eq(set_match_selector(web, "tier=front", &match, &err), 0);
	cr_expect(match);
}
