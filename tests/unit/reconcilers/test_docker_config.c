/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/registry_auth.h"
#include "reconcilers/container_steps.h"
#include "reconcilers/docker_config.h"

static char dir[] = "/tmp/drey-test-docker-XXXXXX";
static struct docker_login login;
static struct error err;

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
	CLEANUP(cleanup_free) char *command = xasprintf("rm -rf '%s'", dir);

	docker_login_done(&login);
	cr_assert_eq(system(command), 0);
}

TestSuite(docker_config, .init = make_dir, .fini = remove_dir);

static void put(const char *name, mode_t mode, const char *text)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", dir, name);

	cr_assert_eq(io_write_file(path, mode, text, strlen(text), &err), 0, "%s", err.text);
}

static int find(const char *registry)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/config.json", dir);

	docker_login_done(&login);
	err = ERROR_INIT;
	return docker_config_find(path, registry, &login, &err);
}

static void expect_login(const char *registry, const char *username, const char *password)
{
	cr_assert_eq(find(registry), 0, "%s", err.text);
	cr_expect(str_eq(login.username, username), "%s", login.username);
	cr_expect(str_eq(login.password, password), "%s", login.password);
}

static void expect_failure(const char *registry, const char *text)
{
	cr_expect_eq(find(registry), -1);
	cr_expect(strstr(err.text, text), "%s", err.text);
}

Test(docker_config, reads_entries_however_their_keys_are_written)
{
	/* robot:pass:word; a:b followed by a NUL, as old clients wrote it. */
	put("config.json", 0600,
	    "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"cm9ib3Q6cGFzczp3b3Jk\"},"
	    " \"https://R.example.com:5000/v2/\": {\"auth\": \"YTpiAA==\"},"
	    " \"plain.example.com\": {\"username\": \"u\", \"password\": \"p\"},"
	    " \"token.example.com\": {\"auth\": \"\", \"identitytoken\": \"t\"},"
	    " \"empty.example.com\": {}, \"odd.example.com\": {\"auth\": \"!\"}}}");
	expect_login("docker.io", "robot", "pass:word");
	expect_login("r.example.com:5000", "a", "b");
	expect_login("plain.example.com", "u", "p");
	expect_login("token.example.com", NULL, NULL);
	cr_expect(str_eq(login.identity_token, "t"));
	expect_failure("empty.example.com", "no credentials");
	expect_failure("odd.example.com", "base64");
	expect_failure("other.example.com", "no entry for other.example.com");
	cr_expect(strstr(err.text, "docker login other.example.com"), "%s", err.text);
}

Test(docker_config, is_careful_with_what_is_no_config)
{
	expect_failure("r.io", "config.json");
	put("config.json", 0600, "[1]");
	expect_failure("r.io", "not a JSON object");
	put("config.json", 0600, "{\"auths\": 1, \"credHelpers\": [], \"credsStore\": {}}");
	expect_failure("r.io", "no entry");
	put("config.json", 0600, "{\"credsStore\": \"../../bin/sh\"}");
	expect_failure("r.io", "not a plain word");
	put("config.json", 0600, "{\"credsStore\": \"not-installed-anywhere\"}");
	expect_failure("r.io", "is it installed");
}

static void use_helper(const char *script)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s:%s", dir, getenv("PATH"));

	put("docker-credential-test", 0755, script);
	put("config.json", 0600,
	    "{\"credsStore\": \"other\", \"credHelpers\": {\"r.io\": \"test\"}}");
	setenv("PATH", path, 1);
}

Test(docker_config, asks_helpers)
{
	use_helper("#!/bin/sh\nread -r s\n"
		   "echo \"{\\\"Username\\\": \\\"$1\\\", \\\"Secret\\\": \\\"$s\\\"}\"\n");
	expect_login("r.io", "get", "r.io");
	use_helper("#!/bin/sh\necho '{\"Username\": \"<token>\", \"Secret\": \"t\"}'\n");
	expect_login("r.io", NULL, NULL);
	cr_expect(str_eq(login.identity_token, "t"));
	use_helper("#!/bin/sh\necho 'credentials not found in native keychain'; exit 1\n");
	expect_failure("r.io", "docker-credential-test has no credentials for r.io");
	use_helper("#!/bin/sh\nexec the-real-helper-that-is-gone \"$@\"\n");
	expect_failure("r.io", "is it installed");
	use_helper("#!/bin/sh\necho nonsense\n");
	expect_failure("r.io", "answered without credentials");
	use_helper("#!/bin/sh\nexec head -c 100000 /dev/zero\n");
	expect_failure("r.io", "did not answer");
}

Test(registry_auth, is_base64url_with_padding)
{
	struct registry_auth auth = { .username = "u",
				      .password = "\xc3\xbf?>~",
				      .server = "r.io" };
	char *encoded = registry_auth_encode(&auth);
	unsigned char text[256] = "";
	json_t *object;

	cr_expect_null(strpbrk(encoded, "+/"), "%s", encoded);
	cr_expect_eq(strlen(encoded) % 4, 0);
	for (char *c = encoded; *c; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	cr_assert_gt(EVP_DecodeBlock(text, (unsigned char *)encoded, (int)strlen(encoded)), 0);
	object = json_loads((char *)text, 0, NULL);
	cr_expect_str_eq(json_string_value(json_object_get(object, "password")), "\xc3\xbf?>~");
	cr_expect_str_eq(json_string_value(json_object_get(object, "serveraddress")), "r.io");
	json_decref(object);
	free(encoded);
}

Test(replacement, its_label_tells_the_old_one_and_its_policy)
{
	struct arena *arena = arena_new();
	const char *id = NULL, *policy = NULL;

	cr_expect(replacement_read_label(arena, "abc123,on-failure:3", &id, &policy));
	cr_expect_str_eq(id, "abc123");
	cr_expect_str_eq(policy, "on-failure:3");
	cr_expect(replacement_read_label(arena, "abc123,", &id, &policy));
	cr_expect_null(policy);
	cr_expect_not(replacement_read_label(arena, "abc123", &id, &policy));
	cr_expect_not(replacement_read_label(arena, ",no", &id, &policy));
	cr_expect_not(replacement_read_label(arena, "../x,no", &id, &policy));
	arena_free(arena);
}
