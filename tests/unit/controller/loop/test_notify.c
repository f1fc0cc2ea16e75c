/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/loop/notify.h"

/* A socket as systemd's; name begins with '@' for an abstract one. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, len);
	if (*name == '@')
		address.sun_path[0] = '\0';
	cr_assert_eq(bind(fd, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		     0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[128] = "";

	notify_send(text);
	cr_assert_gt(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 0);
	cr_assert_str_eq(got, text);
	close(fd);
}

Test(notify, by_a_path_and_by_an_abstract_name)
{
	char path[64], name[64];

	snprintf(path, sizeof(path), "/tmp/drey-notify-%d", (int)getpid());
	snprintf(name, sizeof(name), "@drey-notify-%d", (int)getpid());
	expect(listen_at(path), "READY=1\nSTATUS=Loading");
	unlink(path);
	expect(listen_at(name), "STOPPING=1");
}

Test(notify, nobody_listens)
{
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_send("READY=1");
}

Test(notify, the_watchdog_is_fed_twice_as_often_as_it_barks)
{
	char pid[24];

	unsetenv("WATCHDOG_USEC");
	cr_assert_eq(notify_watchdog_ms(), -1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_assert_eq(notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(notify_watchdog_ms(), -1, "meant for another process");
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_assert_eq(notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_USEC", "soon", 1);
	cr_assert_eq(notify_watchdog_ms(), -1);
}
