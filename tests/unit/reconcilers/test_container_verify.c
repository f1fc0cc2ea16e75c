/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules across fields, short forms, and keys that Compose has and drey has not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/reconcilers/pass_fixture.h"

TestSuite(container_verify, .init = pass_setup, .fini = pass_teardown);

#define HEAD "apiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\nspec:\n  image: i\n"

static void expect_fault(const char *spec, const char *words)
{
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), HEAD "  %s\n", spec);
	const char *faults = pass_faults(yaml);
	if (words)
		cr_expect(strstr(faults, words), "%s: %s", spec, faults);
	else
		cr_expect_str_eq(faults, "", "%s: %s", spec, faults);
}

Test(container_verify, fields_that_contradict_each_other)
{
	expect_fault("network_mode: host", NULL);
	expect_fault("network_mode: host\n  ports: [\"80:80\"]", "every port is the host's");
	expect_fault("network_mode: none\n  ports: [\"80:80\"]", "nothing is published");
	expect_fault("network_mode: bridge\n  ports: [\"80:80\"]", NULL);
	expect_fault("network_mode: none\n  mac_address: 02:42:ac:11:65:43", "no address");
	expect_fault("network_mode: \"container:x\"\n  mac_address: 02:42:ac:11:65:43",
		     "no address");
	expect_fault("network_mode: bridge\n  mac_address: 02:42:ac:11:65:43", NULL);
	expect_fault("ports: [{ target: 80, published: 80, mode: ingress }]", "always published");
	expect_fault(
		"volumes: [{ type: bind, source: /s, target: /s, bind: { selinux: z, recursive: "
		"disabled } }]",
		"selinux");
	expect_fault("volumes: [{ type: bind, source: /s, target: /s, bind: { selinux: z, "
		     "create_host_path: false } }]",
		     "selinux");
	expect_fault(
		"volumes: [{ type: bind, source: /s, target: /s, bind: { selinux: z, recursive: "
		"enabled } }]",
		NULL);
	expect_fault("memswap_limit: 64m", "needs mem_limit");
	expect_fault("mem_limit: 64m\n  memswap_limit: 32m", "can't be below mem_limit");
	expect_fault("mem_limit: 64m\n  memswap_limit: -1", NULL);
	expect_fault("mem_limit: 64m\n  mem_reservation: 65m", "above mem_limit");
	expect_fault("cpus: 1\n  cpu_quota: 50000", "one of the two");
	expect_fault("healthcheck: { disable: true, interval: 5s }", "stands alone");
	expect_fault("healthcheck: { test: [wget, localhost] }", "begins with CMD");
	expect_fault("healthcheck: { test: [CMD] }", "nothing stands behind CMD");
	expect_fault("state: completed\n  restart: always", "not started again");
	expect_fault("state: completed\n  restart: on-failure:3", NULL);
	expect_fault("stop_grace_period: 1500ms", "whole seconds");
	expect_fault("depends_on: [web]", "itself");
	expect_fault("labels: { drey.uid: x }", "drey's own");
	expect_fault("container_name: web.drey-old", "replacement under way");
	expect_fault("pid: \"service:web\"", "itself");
	expect_fault("security_opt: [\"seccomp=profile.json\"]", "No such file");
	expect_fault("security_opt: [\"systempaths=none\"]", "unconfined only");
	expect_fault("security_opt: [\"systempaths=unconfined\"]\n  masked_paths: []",
		     "one of the two");
	expect_fault("security_opt: [\"systempaths=unconfined\"]", NULL);
	expect_fault("security_opt: [\"seccomp=unconfined\", \"apparmor:x\"]", NULL);
}

Test(container_verify, addresses)
{
	expect_fault("ports: [\"localhost:8080:80\"]", "localhost is no IP address");
	expect_fault("ports: [\"1.2.3:8080:80\"]", "1.2.3 is no IP address");
	expect_fault("ports: [\"[zz]:8080:80\"]", "zz is no IP address");
	expect_fault("ports: [{ target: 80, host_ip: localhost }]", "'localhost' is no IP");
	expect_fault("ports: [\"[::1]:8080:80\", { target: 81, host_ip: 127.0.0.1 }]", NULL);
	expect_fault("dns: [resolver]", "'resolver' is no IP address");
	expect_fault("extra_hosts: [\"a:b:c\"]", "'b:c' is no IP address");
	expect_fault("extra_hosts: [\"a=[::1]\", \"b:1.2.3.4\", \"c:host-gateway\"]", NULL);
	expect_fault("expose: [\"80-70\"]", "neither a port");
	expect_fault("expose: [\"0\"]", "neither a port");
	expect_fault("expose: [\"65535/udp\", \"70-80\"]", NULL);
}

Test(container_verify, a_variable_has_no_equals_sign_in_its_name)
{
	expect_fault("environment: { A=B: c }", "'A=B' is not allowed");
	expect_fault("environment: [\"A=B=c\"]", NULL);
}

Test(container_verify, nothing_is_mounted_twice_at_one_place)
{
	expect_fault("volumes: [\"/a:/x\", \"/b:/x/\"]", "mounted at /x already");
	expect_fault("volumes: [\"/a:/x\"]\n  tmpfs: [/x]", "mounted at /x already");
	expect_fault("tmpfs: [/x, \"/x/:size=1m\"]", "mounted at /x already");
	expect_fault("tmpfs: [/x, /x/y]\n  volumes: [/x/z, \"/a:/y\"]", NULL);
}

Test(container_verify, mounts)
{
	expect_fault("volumes: [\"./data:/data\"]", "absolute path");
	expect_fault("volumes: [\"~/data:/data\"]", "absolute path");
	expect_fault("volumes: [\"/srv:data\"]", "must be an absolute path");
	expect_fault("volumes: [\"/srv:/data:rx\"]", "'rx' is no option");
	expect_fault("volumes: [\"/srv:/data:nocopy\"]", "'nocopy' is no option");
	expect_fault("volumes: [\"/srv:/data:ro,z\", /anonymous]", NULL);
	expect_fault("volumes: [{ type: bind, source: srv, target: /s }]", "absolute path");
	expect_fault("volumes: [{ type: tmpfs, source: x, target: /s }]", "has no source");
	expect_fault("volumes: [{ type: volume, source: /x, target: /s }]", "type: bind");
	expect_fault("volumes: [{ type: tmpfs, target: /s, bind: { propagation: shared } }]",
		     "another type");
	expect_fault("volumes: [\"/a:/same\", \"/b:/same\"]", "twice");
}

Test(container_verify, short_forms)
{
	expect_fault("ports: [\"80\", 81, \"8080:82\", \"127.0.0.1:83:83/udp\", "
		     "\"[::1]:84:84\", \"127.0.0.1::85\", \"8000-8010:86\", "
		     "\"9000-9002:9000-9002/sctp\"]",
		     NULL);
	expect_fault("ports: [\"80/icmp\"]", "none of tcp, udp, sctp");
	expect_fault("ports: [\"8000-8001:80-82\"]", "differ in length");
	expect_fault("ports: [\"1.2.3.4:1:2:3\"]", "expected [HOST_IP:]");
	expect_fault("ports: [\"70000:80\"]", "expected [HOST_IP:]");
	expect_fault("ports: [\"8080:0\"]", "no port 0");
	expect_fault("ports: [\"80:80\", { target: 80, published: 80 }]", "twice");
	expect_fault("devices: [/dev/null, \"/dev/null:/dev/x\", \"/dev/zero:r\"]", NULL);
	expect_fault("devices: [\"null\"]", "expected /dev/SOURCE");
	expect_fault("devices: [\"/dev/null:/dev/x:rx\"]", "expected /dev/SOURCE");
	expect_fault("ulimits: { nproc: 65535, nofile: { soft: 1, hard: 2 } }", NULL);
	expect_fault("ulimits: { nofile: many }", "expected a number");
	expect_fault("ulimits: { nofile: { soft: 1 } }", "hard");
	expect_fault("extra_hosts: [\"a:1.2.3.4\", \"b=[::1]\"]", NULL);
	expect_fault("extra_hosts: { a: 1.2.3.4, b: [\"::1\", host-gateway] }", NULL);
	expect_fault("extra_hosts: [a]", "NAME:ADDRESS");
	expect_fault("cpu_quota: 50ms\n  cpu_period: 100000", NULL);
	expect_fault("cpu_period: 1.5us", "whole number of microseconds");
	expect_fault("restart: allways", "did you mean 'always'");
}

Test(container_verify, what_compose_has_and_drey_has_not_is_answered)
{
	expect_fault("build: .", "builds none");
	expect_fault("scale: 3", "Template");
	expect_fault("scale: 1", NULL);
	expect_fault("pull_policy: weekly", "'weekly' is not taken: a tag is asked for");
	expect_fault("pull_policy: every_2h", "'every_2h' is not taken");
	expect_fault("pull_policy: if_not_present", NULL);
	expect_fault("volumes: [{ type: npipe, source: x, target: /s }]", "Linux containers only");
	expect_fault("auto_remove: true", "state: completed");
	expect_fault("isolation: hyperv", "Linux containers only");
	expect_fault("privilegd: true", "did you mean 'privileged'");
}

Test(container_verify, hooks)
{
	expect_fault("post_start: [{ command: ./init --all, user: app, privileged: true, "
		     "working_dir: /srv, environment: [A=b=c] }]",
		     NULL);
	expect_fault("pre_stop: [{ command: [sync], environment: { A: b } }, { command: sync }]",
		     NULL);
	expect_fault("post_start: [{ user: app }]", "'command' is missing");
	expect_fault("post_start: [{ command: [] }]", "post_start[0].command: it names no program");
	expect_fault("pre_stop: [{ command: sync }, { command: [\"\", x] }]",
		     "pre_stop[1].command: it names no program");
	expect_fault("pre_stop: [{ command: x, working_dir: srv }]", "'srv' is not allowed");
	expect_fault("pre_stop: [{ command: x, tty: true }]", "unknown field of hook");
	expect_fault("pre_stop: sync", "expected a list");
	expect_fault("pre_start: [{ command: x }]", "state: completed");
	expect_fault("state: completed\n  post_start: [{ command: x }]", "may be over before");
	expect_fault("state: completed\n  pre_stop: [{ command: x }]", NULL);
	expect_fault("state: stopped\n  post_start: [{ command: x }]", NULL);
}

Test(container_verify, deploy_says_what_the_rows_say)
{
	expect_fault("deploy: { replicas: 1, mode: global }", NULL);
	expect_fault("deploy: { replicas: 2 }", "name more hosts");
	expect_fault("deploy: { mode: replicated-job }", "state: completed");
	expect_fault("deploy: { placement: { constraints: [a] } }", "hosts or host_selector");
	expect_fault("deploy: { labels: { a: b } }", "Swarm service");
	expect_fault("deploy: { resources: { limits: { memory: 64m } } }\n  mem_limit: 32m",
		     "says something else than mem_limit");
	expect_fault("deploy: { resources: { limits: { memory: 64m } } }\n  mem_limit: 65536k",
		     NULL);
	expect_fault("deploy: { resources: { limits: { memory: 1m }, "
		     "reservations: { memory: 2m } } }",
		     "above mem_limit");
	expect_fault("deploy: { restart_policy: { condition: on-failure, max_attempts: 3 } }\n"
		     "  restart: \"on-failure:3\"",
		     NULL);
	expect_fault("deploy: { restart_policy: {} }\n  restart: \"no\"", "than restart does");
	expect_fault("deploy: { restart_policy: { max_attempts: 3 } }", "on-failure only");
	expect_fault("deploy: { restart_policy: { delay: 5s } }", "twice as long");
	expect_fault("deploy: { restart_policy: {} }\n  state: completed", "not started again");
	expect_fault("deploy: { resources: { reservations: { cpus: 1 } } }", "cpu_shares");
	expect_fault("gpus: all", NULL);
	expect_fault("gpus: [{ count: 1, device_ids: [\"0\"] }]", "one of the two");
}

Test(container_verify, what_is_of_another_container)
{
	expect_fault("links: [db]", "db");
	expect_fault("links: [\":x\"]", "CONTAINER[:ALIAS]");
	expect_fault("external_links: [\"db:sql\", redis]", NULL);
	expect_fault("external_links: [\"db:sql\", \"x:sql\"]", "twice");
	expect_fault("volumes_from: [\"container:x:ro\"]", NULL);
	expect_fault("volumes_from: [\"container:x:rx\"]", ":ro|:rw");
	expect_fault("volumes_from: [db]", "db");
}

Test(container_verify, options_of_mounts)
{
	expect_fault("volumes: [{ type: image, target: /s }]", "which image");
	expect_fault("volumes: [{ type: image, source: busy, target: /s, image: { subpath: a } }]",
		     NULL);
	expect_fault("volumes: [{ type: bind, source: /a, target: /s, bind: { recursive: "
		     "writable } }]",
		     "read_only: true");
	expect_fault("volumes: [{ type: bind, source: /a, target: /s, read_only: true, bind: { "
		     "recursive: readonly } }]",
		     "propagation: rprivate");
	expect_fault("volumes: [{ target: /s, volume: { labels: { a: b } } }]", NULL);
	expect_fault("volumes: [{ type: tmpfs, target: /s, tmpfs: { options: [noexec] } }]", NULL);
}

Test(container_verify, earlier_names)
{
	static const char head[] = "apiVersion: drey/v1\nkind: Container\n";
	static const char spec[] = "spec: { image: i }\n";
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "%smetadata: { name: web, was: [web] }\n%s", head, spec);
	cr_expect(strstr(pass_faults(yaml), "'web' is its name now"));
	snprintf(yaml, sizeof(yaml),
		 "%smetadata: { name: web, was: [old] }\n%s---\n%smetadata: { name: old }\n%s",
		 head, spec, head, spec);
	cr_expect(strstr(pass_faults(yaml), "Container 'old' is still declared"));
	snprintf(yaml, sizeof(yaml),
		 "%smetadata: { name: a, was: [old] }\n%s---\n%smetadata: { name: b, was: [old] "
		 "}\n%s",
		 head, spec, head, spec);
	cr_expect(strstr(pass_faults(yaml), "says that it was 'old' too"));
	snprintf(yaml, sizeof(yaml), "%smetadata: { name: web, was: [a, b] }\n%s", head, spec);
	cr_expect_str_eq(pass_faults(yaml), "");
}

Test(container_verify, update_config)
{
	expect_fault("deploy: { update_config: { order: start-first, failure_action: pause } }",
		     NULL);
	expect_fault("monitor: 1s\n  deploy: { update_config: { monitor: 2s } }", "one of the two");
	expect_fault("deploy: { update_config: { parallelism: 2 } }", "one on each host");
	expect_fault("deploy: { rollback_config: {} }", "starts the old container again");
}
