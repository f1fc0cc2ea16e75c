/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/fleet/lease.h"
#include "controller/fleet/lease_holder.h"

/* The holder that this process would be, as an engine's inspect shows it. */
static struct lease_holder holder_now(void)
{
	json_t *body = lease_holder_body("apply", "0123456789abcdef0123456789abcdef", 1700000000);
	json_t *inspect =
		json_pack("{s:s, s:s, s:{s:O}}", "Id", "abc", "Created", "2026-01-02T03:04:05.678Z",
			  "Config", "Labels", json_object_get(body, "Labels"));
	struct lease_holder holder;

	cr_assert_eq(lease_holder_read(inspect, &holder), 0);
	json_decref(inspect);
	json_decref(body);
	return holder;
}

Test(lease_holder, is_told_by_its_labels)
{
	struct lease_holder holder = holder_now();
	char text[512], wanted[512], host[65] = "";

	gethostname(host, sizeof(host) - 1);
	cr_expect_str_eq(holder.uid, "0123456789abcdef0123456789abcdef");
	cr_expect_eq(holder.pid, getpid());
	cr_expect_eq(holder.void_since_s, 1700000000);
	lease_holder_describe(&holder, text, sizeof(text));
	snprintf(wanted, sizeof(wanted),
		 "another drey (apply, process %d on %s) has been changing this engine since "
		 "2026-01-02T03:04:05 UTC",
		 (int)getpid(), host);
	cr_expect_str_eq(text, wanted);
}

Test(lease_holder, lives_while_its_process_does)
{
	struct lease_holder holder = holder_now();

	cr_expect_not(lease_holder_is_dead(&holder));
	cr_expect(lease_holder_is_self(&holder));
	/* The number has become another's. */
	holder.start_ticks++;
	cr_expect(lease_holder_is_dead(&holder));
	cr_expect_not(lease_holder_is_self(&holder));
}

Test(lease_holder, is_dead_with_its_process)
{
	struct lease_holder holder = holder_now();
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	/* Ended, and not asked for yet: a zombie changes nothing any more. */
	siginfo_t info;
	cr_assert_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	holder.pid = child;
	cr_expect(lease_holder_is_dead(&holder));
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_expect(lease_holder_is_dead(&holder));
}

Test(lease_holder, of_elsewhere_is_never_known_to_be_dead)
{
	struct lease_holder holder = holder_now();

	holder.start_ticks++;
	struct lease_holder other_boot = holder, other_namespace = holder, unnamed = holder;

	snprintf(other_boot.boot, sizeof(other_boot.boot), "another");
	cr_expect_not(lease_holder_is_dead(&other_boot));
	snprintf(other_namespace.pid_namespace, sizeof(other_namespace.pid_namespace), "pid:[1]");
	cr_expect_not(lease_holder_is_dead(&other_namespace));
	unnamed.pid = -1;
	cr_expect_not(lease_holder_is_dead(&unnamed));
}

Test(lease_holder, takes_nothing_else_for_a_lease)
{
	struct lease_holder holder;
	json_t *foreign = json_pack("{s:s, s:{s:{s:s}}}", "Id", "abc", "Config", "Labels",
				    "drey.project", "p");
	json_t *odd = json_pack("{s:s, s:{s:{s:s, s:s, s:i}}}", "Id", "abc", "Config", "Labels",
				"drey.lease", "u\x1b[31mid", "drey.lease.host", "a\nb",
				"drey.lease.pid", 12);

	cr_expect_eq(lease_holder_read(foreign, &holder), -1);
	/* Labels are anybody's to write: nothing of them reaches a terminal as it is. */
	cr_expect_eq(lease_holder_read(odd, &holder), 0);
	cr_expect_str_eq(holder.uid, "u?[31mid");
	cr_expect_str_eq(holder.host, "a b");
	cr_expect_eq(holder.pid, -1);
	cr_expect_not(lease_holder_is_dead(&holder));
	json_decref(foreign);
	json_decref(odd);
}

Test(lease_holder, reads_the_time_of_a_directory)
{
	char header[512] = "/";
	int64_t seconds = 0;

	memcpy(header + 136, "15175042371", 12);
	header[156] = '5';
	cr_expect(lease_holder_tar_time(header, &seconds));
	cr_expect_eq(seconds, 015175042371);
	header[156] = '0';
	cr_expect_not(lease_holder_tar_time(header, &seconds), "a file's time is the sender's");
	header[156] = '5';
	memcpy(header + 136, "xxxxxxxxxxx", 12);
	cr_expect_not(lease_holder_tar_time(header, &seconds));
}
