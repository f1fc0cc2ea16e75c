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
	expect_fault("ports: [{ target: 80, published: 80, mode: ingress }]", "always published");
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
	expect_fault("security_opt: [\"seccomp=profile.json\"]", "file is not read");
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
	expect_fault("deploy: { replicas: 2 }", "hosts or host_selector");
	expect_fault("secrets: [x]", "${secret.NAME}");
	expect_fault("links: [db]", "one network");
	expect_fault("scale: 3", "Template");
	expect_fault("privilegd: true", "did you mean 'privileged'");
}
