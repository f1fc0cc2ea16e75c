/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "reconcilers/pull.h"
#include "reconcilers/registry_credentials.h"

static void expect_reference(const char *text, const char *registry, const char *repository,
			     const char *tag)
{
	struct arena *arena = arena_new();
	struct image_reference reference;

	image_reference_parse(text, arena, &reference);
	cr_expect_str_eq(reference.registry, registry, "%s: %s", text, reference.registry);
	cr_expect_str_eq(reference.repository, repository, "%s: %s", text, reference.repository);
	cr_expect_str_eq(reference.tag, tag, "%s: %s", text, reference.tag);
	arena_free(arena);
}

Test(pull, takes_references_apart_as_docker_does)
{
	expect_reference("web", "docker.io", "web", "latest");
	expect_reference("web:1.2", "docker.io", "web", "1.2");
	expect_reference("team/web", "docker.io", "team/web", "latest");
	expect_reference("r.example.com/web:1", "r.example.com", "r.example.com/web", "1");
	expect_reference("r:5000/web", "r:5000", "r:5000/web", "latest");
	expect_reference("localhost/web", "localhost", "localhost/web", "latest");
	expect_reference("10.0.0.1:5000/a/b:c", "10.0.0.1:5000", "10.0.0.1:5000/a/b", "c");
	expect_reference("r.io/web:1@sha256:abc", "r.io", "r.io/web", "sha256:abc");
	expect_reference("web@sha256:abc", "docker.io", "web", "sha256:abc");
}

static void expect_failure(const char *message, bool known, enum error_code code, const char *hint)
{
	struct error err = ERROR_INIT;

	cr_expect_eq(pull_fail("r.io/web:1", "r.io", known, message, &err), -1);
	cr_expect_eq(err.code, code, "%s", err.text);
	cr_expect(strstr(err.text, hint), "%s", err.text);
	cr_expect(strstr(err.text, "pull r.io/web:1: "), "%s", err.text);
}

/* Messages as engines 20.10 to 28 give them. */
Test(pull, says_what_to_do_about_what_the_engine_says)
{
	expect_failure("Head \"http://r.io/v2/web/manifests/1\": no basic auth credentials", false,
		       ERROR_DENIED, "no Registry document has credentials for r.io");
	expect_failure("unauthorized: authentication required", true, ERROR_DENIED,
		       "check username and password of the Registry document for r.io");
	expect_failure("pull access denied for web, repository does not exist or may require "
		       "'docker login': denied: requested access to the resource is denied",
		       false, ERROR_DENIED, "check that the image exists");
	expect_failure("manifest for r.io/web:1 not found: manifest unknown: manifest unknown",
		       false, ERROR_NOT_FOUND, "name and tag");
	expect_failure("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", false,
		       ERROR_REMOTE, "disk of the host is full");
	expect_failure("Get \"http://r.io/v2/\": dial tcp 10.0.0.1:80: connect: connection refused",
		       false, ERROR_UNREACHABLE, "does not reach the registry r.io");
	expect_failure("Get \"https://r.io/v2/\": dial tcp: lookup r.io: no such host", false,
		       ERROR_UNREACHABLE, "does not reach");
	expect_failure("Get \"https://r.io/v2/\": http: server gave HTTP response to HTTPS client",
		       false, ERROR_REMOTE, "insecure-registries");
	expect_failure("toomanyrequests: You have reached your pull rate limit.", false,
		       ERROR_REMOTE, "log in with a Registry document");
	expect_failure("something new", true, ERROR_REMOTE, "something new");
}

Test(pull, a_message_can_not_forge_lines)
{
	struct error err = ERROR_INIT;

	pull_fail("a", "docker.io", false, "odd\033[31m\nmessage", &err);
	cr_expect_null(strpbrk(err.text, "\033\n"), "%s", err.text);
}

static void expect_name(const char *server, const char *expected)
{
	char *name = registry_normalise(server);

	cr_expect_str_eq(name, expected, "%s: %s", server, name);
	free(name);
}

Test(registry, names_compare_as_docker_compares_them)
{
	expect_name("", "docker.io");
	expect_name("docker.io", "docker.io");
	expect_name("https://index.docker.io/v1/", "docker.io");
	expect_name("registry-1.docker.io", "docker.io");
	expect_name("https://R.example.com:5000/v2/", "r.example.com:5000");
	expect_name("localhost:5000", "localhost:5000");
}
