/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/address.h"

#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"

Test(address, ssh_forms)
{
	static const struct {
		const char *text, *user, *host;
		int port;
	} rows[] = {
		{ "ssh://h", NULL, "h", 22 },
		{ "ssh://deploy@edge-1.example.com", "deploy", "edge-1.example.com", 22 },
		{ "ssh://root@10.0.0.1:2222", "root", "10.0.0.1", 2222 },
		{ "ssh://root@10.0.0.1:2222/", "root", "10.0.0.1", 2222 },
		{ "ssh://[2001:db8::1]", NULL, "2001:db8::1", 22 },
		{ "ssh://u@[fe80::1%eth0]:65535", "u", "fe80::1%eth0", 65535 },
	};
	struct arena *arena = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_address address;
		struct error err = ERROR_INIT;

		cr_assert_eq(host_address_parse(arena, rows[i].text, &address, &err), 0, "%s: %s",
			     rows[i].text, err.text);
		cr_expect_eq(address.scheme, HOST_SCHEME_SSH);
		cr_expect(str_eq(address.user, rows[i].user), "%s", rows[i].text);
		cr_expect(str_eq(address.host, rows[i].host), "%s: %s", rows[i].text, address.host);
		cr_expect_eq(address.port, rows[i].port, "%s: %d", rows[i].text, address.port);
	}
	arena_free(arena);
}

Test(address, unix_form)
{
	struct arena *arena = arena_new();
	struct host_address address;
	struct error err = ERROR_INIT;

	cr_assert_eq(host_address_parse(arena, "unix:///var/run/docker.sock", &address, &err), 0);
	cr_expect_eq(address.scheme, HOST_SCHEME_UNIX);
	cr_expect_str_eq(address.path, "/var/run/docker.sock");
	arena_free(arena);
}

/* What is accepted ends up in messages, getaddrinfo(3) and known_hosts lines. */
Test(address, refusals_say_what_is_expected)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "", "expected" },
		{ "web-1", "expected" },
		{ "tcp://h:2376", "expected" },
		{ "unix://var/run/docker.sock", "absolute" },
		{ "unix://", "absolute" },
		{ "ssh://", "host name" },
		{ "ssh://@h", "user" },
		{ "ssh://u:secret@h", "no password" },
		{ "ssh://h:", "port" },
		{ "ssh://h:0", "port" },
		{ "ssh://h:65536", "port" },
		{ "ssh://h:22x", "port" },
		{ "ssh://h:-1", "port" },
		{ "ssh://h:000022", "port" },
		{ "ssh://h/var/run/docker.sock", "docker_socket" },
		{ "ssh://2001:db8::1", "port" },
		{ "ssh://[2001:db8::1", "host name" },
		{ "ssh://[::1]22", "port" },
		{ "ssh://-oProxyCommand=x", "host name" },
		{ "ssh://a b", "host name" },
		{ "ssh://h\n127.0.0.1", "host name" },
		{ "ssh://-u@h", "user" },
		{ "ssh://u'x@h", "user" },
	};
	struct arena *arena = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_address address;
		struct error err = ERROR_INIT;

		cr_assert_eq(host_address_parse(arena, rows[i].text, &address, &err), -1, "%s",
			     rows[i].text);
		cr_expect_eq(err.code, ERROR_INVALID);
		cr_expect(strstr(err.text, rows[i].word), "%s: %s", rows[i].text, err.text);
	}
	arena_free(arena);
}

Test(address, a_password_is_not_repeated)
{
	struct arena *arena = arena_new();
	struct host_address address;
	struct error err = ERROR_INIT;

	cr_assert_eq(host_address_parse(arena, "ssh://u:hunter2@h", &address, &err), -1);
	cr_expect(!strstr(err.text, "hunter2"), "%s", err.text);
	arena_free(arena);
}
