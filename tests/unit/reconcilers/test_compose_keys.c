/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every key of a Compose service, and every option of POST /containers/create that Compose lacks,
 * is a row of Container or refused with a sentence.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"
#include "reconcilers/container.h"

/* The properties of `service` in schema/compose-spec.json of the Compose specification. */
static const char *const compose_keys[] = {
	"annotations",
	"attach",
	"blkio_config",
	"build",
	"cap_add",
	"cap_drop",
	"cgroup",
	"cgroup_parent",
	"command",
	"configs",
	"container_name",
	"cpu_count",
	"cpu_percent",
	"cpu_period",
	"cpu_quota",
	"cpu_rt_period",
	"cpu_rt_runtime",
	"cpu_shares",
	"cpus",
	"cpuset",
	"credential_spec",
	"depends_on",
	"deploy",
	"develop",
	"device_cgroup_rules",
	"devices",
	"dns",
	"dns_opt",
	"dns_search",
	"domainname",
	"entrypoint",
	"env_file",
	"environment",
	"expose",
	"extends",
	"external_links",
	"extra_hosts",
	"gpus",
	"group_add",
	"healthcheck",
	"hostname",
	"image",
	"init",
	"ipc",
	"isolation",
	"label_file",
	"labels",
	"links",
	"logging",
	"mac_address",
	"mem_limit",
	"mem_reservation",
	"mem_swappiness",
	"memswap_limit",
	"models",
	"network_mode",
	"networks",
	"oom_kill_disable",
	"oom_score_adj",
	"pid",
	"pids_limit",
	"platform",
	"ports",
	"post_start",
	"pre_stop",
	"privileged",
	"profiles",
	"provider",
	"pull_policy",
	"pull_refresh_after",
	"read_only",
	"restart",
	"runtime",
	"scale",
	"secrets",
	"security_opt",
	"shm_size",
	"stdin_open",
	"stop_grace_period",
	"stop_signal",
	"storage_opt",
	"sysctls",
	"tmpfs",
	"tty",
	"ulimits",
	"use_api_socket",
	"user",
	"userns_mode",
	"uts",
	"volumes",
	"volumes_from",
	"working_dir",
};

/* Config and HostConfig of the Engine API (moby api/types/container) without what rows above
 * stand for, and the names that rows give them. */
static const char *const engine_keys[] = {
	"args_escaped",	     "attach_stderr",	 "attach_stdin",
	"attach_stdout",     "auto_remove",	 "console_size",
	"container_id_file", "cpuset_mems",	 "io_maximum_bandwidth",
	"io_maximum_iops",   "kernel_memory",	 "kernel_memory_tcp",
	"masked_paths",	     "network_disabled", "on_build",
	"publish_all_ports", "readonly_paths",	 "shell",
	"stdin_once",	     "volume_driver",
};

static const char *refusal(const char *key)
{
	for (const struct refused *r = container_schema.refused; r->key; r++) {
		if (strcmp(r->key, key) == 0)
			return r->why;
	}
	return NULL;
}

static void expect_answer(const char *key)
{
	const char *why = refusal(key);

	cr_expect(schema_field(&container_schema, key) || (why && strchr(why, ' ')),
		  "%s is neither a row nor refused", key);
	cr_expect(!schema_field(&container_schema, key) || !why, "%s is both", key);
}

Test(compose_keys, each_is_a_row_or_refused)
{
	cr_expect_eq(ARRAY_SIZE(compose_keys), 92);
	for (size_t i = 0; i < ARRAY_SIZE(compose_keys); i++)
		expect_answer(compose_keys[i]);
	for (size_t i = 0; i < ARRAY_SIZE(engine_keys); i++)
		expect_answer(engine_keys[i]);
}
