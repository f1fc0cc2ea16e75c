/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Configs and Secrets hold that a container names, host by host. */
#include <unistd.h>

#include "controller/base/io.h"
#include "tests/unit/manifests/loaded.h"

#define PROJECT                                                                                    \
	"apiVersion: drey/v1\nkind: Project\nmetadata: { name: p }\n"                              \
	"spec: { env: [TAG, PASSWORD], variables: { port: 80 } }\n---\n"
#define HOST(name, vars)                                                                           \
	"apiVersion: drey/v1\nkind: Host\nmetadata: { name: " name " }\n"                          \
	"spec: { address: \"unix:///" name "\", vars: " vars " }\n---\n"
#define CONFIG(name, spec)                                                                         \
	"apiVersion: drey/v1\nkind: Config\nmetadata: { name: " name " }\nspec: " spec "\n---\n"
#define SECRET                                                                                     \
	"apiVersion: drey/v1\nkind: Secret\nmetadata: { name: s }\nspec: { env: PASSWORD }\n---\n"
#define WEB(spec)                                                                                  \
	"apiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\n"                          \
	"spec: { image: x, hosts: [a, b], " spec " }\n"

static void expect_content(const struct resource *web, const char *kind, const char *name,
			   const char *text, bool secret)
{
	const struct content *content = resource_content(web, kind, name);

	cr_assert(content, "%s/%s", kind, name);
	cr_expect_eq(content->len, strlen(text));
	cr_expect_str_eq(content->data, text);
	cr_expect_eq(content->secret, secret);
}

Test(content, is_resolved_for_each_host)
{
	struct loaded loaded;

	loaded_good(&loaded,
		    PROJECT HOST("a", "{ port: 81 }") HOST("b", "{}")
			    SECRET CONFIG("c", "{ content: \"${host.name}:${host.vars.port}\\n\" }")
				    CONFIG("t", "{ environment: TAG }")
					    CONFIG("m", "{ content: \"p=${secret.s} $${x}\" }")
						    WEB("configs: [c, t, m], secrets: [s]"));
	const struct resource *a = loaded_find(&loaded, "a", "Container", "web");
	const struct resource *b = loaded_find(&loaded, "b", "Container", "web");
	expect_content(a, "Config", "c", "a:81\n", false);
	expect_content(b, "Config", "c", "b:80\n", false);
	expect_content(a, "Config", "t", "1.2", false);
	expect_content(a, "Config", "m", "p=hunter2 ${x}", true);
	expect_content(b, "Secret", "s", "hunter2", true);
	cr_expect_null(resource_content(a, "Secret", "c"));
	cr_expect_neq(strcmp(a->digest, b->digest), 0, "what differs is in the digest");
	loaded_done(&loaded);
}

static char digest_of_web[65];

static void take_digests(const char *config, const char *secret)
{
	CLEANUP(cleanup_free)
	char *text = xasprintf(
		PROJECT HOST("a", "{}")
			HOST("b", "{}") "apiVersion: drey/v1\nkind: Config\nmetadata: { name: c }\n"
					"spec: { content: \"%s\" }\n---\n" SECRET
					"apiVersion: drey/v1\nkind: Config\nmetadata: { name: m }\n"
					"spec: { content: \"%s\" }\n---\n" WEB("configs: [c, m]"),
		config, secret);
	struct loaded loaded;

	loaded_good(&loaded, text);
	snprintf(digest_of_web, sizeof(digest_of_web), "%s",
		 loaded_find(&loaded, "a", "Container", "web")->digest);
	loaded_done(&loaded);
}

/* A digest of what holds a secret would tell of it to whoever can guess. */
Test(content, digests_hold_what_is_no_secret)
{
	char before[65];

	take_digests("one", "a ${secret.s}");
	memcpy(before, digest_of_web, sizeof(before));
	take_digests("two", "a ${secret.s}");
	cr_expect_str_neq(digest_of_web, before);
	take_digests("one", "another ${secret.s}");
	cr_expect_str_eq(digest_of_web, before);
}

static void put(const char *dir, const char *name, const char *data, size_t len)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", dir, name);
	struct error err = ERROR_INIT;

	cr_assert_eq(io_write_file(path, 0600, data, len, &err), 0, "%s", err.text);
}

static void drop(const char *dir, const char *name)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", dir, name);

	unlink(path);
}

static void load_directory(struct loaded *loaded, const char *dir, const char *config,
			   const char *binary)
{
	static const char text[] = PROJECT HOST("a", "{}") HOST("b", "{}") CONFIG(
		"c",
		"{ file: x.conf }") "apiVersion: drey/v1\nkind: Secret\nmetadata: { name: k }\n"
				    "spec: { file: key }\n---\n" WEB("configs: [c], secrets: [k]");

	put(dir, "set.yaml", text, strlen(text));
	put(dir, "x.conf", config, strlen(config));
	put(dir, "key", binary, 5);
	loaded_init(loaded, dir, NULL);
	cr_assert(loaded->set, "%s", loaded_fault(loaded));
}

Test(content, of_files_is_taken_as_it_is)
{
	char dir[] = "/tmp/drey-content-XXXXXX";
	struct loaded loaded, other;

	cr_assert(mkdtemp(dir));
	load_directory(&loaded, dir, "line\n", "\1\0\377\n");
	const struct resource *web = loaded_find(&loaded, "a", "Container", "web");
	const struct content *key = resource_content(web, "Secret", "k");
	expect_content(web, "Config", "c", "line\n", false);
	cr_assert_eq(key->len, 5);
	cr_expect_eq(memcmp(key->data, "\1\0\377\n", 5), 0);
	load_directory(&other, dir, "line\n", "\1\0\376\n");
	cr_expect_str_eq(set_digest(other.set), set_digest(loaded.set));
	loaded_done(&other);
	load_directory(&other, dir, "another\n", "\1\0\377\n");
	cr_expect_str_neq(set_digest(other.set), set_digest(loaded.set));
	loaded_done(&other);
	loaded_done(&loaded);
	drop(dir, "set.yaml");
	drop(dir, "x.conf");
	drop(dir, "key");
	rmdir(dir);
}
