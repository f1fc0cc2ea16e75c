/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a container: how drey treats it. Engines know nothing of these. */
#include "controller/base/mem.h"
#include "reconcilers/container_codec.h"
#include "reconcilers/container_compare.h"
#include "reconcilers/container_deploy.h"
#include "reconcilers/container_hooks.h"
#include "reconcilers/container_rows.h"

static const char *const states[] = { "running", "stopped", "paused", "completed", "absent", NULL };

static const struct field fields[] = {
	{ .key = "state",
	  .type = &type_enum,
	  .choices = states,
	  .effect = EFFECT_STATE,
	  .fallback = "\"running\"",
	  .example = "running",
	  .doc = "What it should be: running, stopped, paused, completed (run once, exit 0) "
		 "or absent (removed whatever prune says)." },
	{ .key = "depends_on",
	  .type = &type_object_map,
	  .of = &container_dependency_schema,
	  .ref = "Container",
	  .doc = "Containers that come first, each with the condition that it must meet." },
	{ .key = "deploy",
	  .type = &type_object,
	  .of = &container_deploy_schema,
	  .example = "{ update_config: { order: start-first, failure_action: rollback } }",
	  .doc = "What a Compose file says for Swarm, as far as a plain engine can do it: "
		 "compared as the rows that say the same." },
	{ .key = "scale",
	  .type = &type_int,
	  .max = 1000000,
	  .doc = "1: a container is one object on each of its hosts." },
	{ .key = "container_name",
	  .type = &type_string,
	  .effect = EFFECT_LIVE,
	  .pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]+$",
	  .example = "web-1",
	  .doc = "The engine's name for it; silence means the resource's own." },
	{ .key = "monitor",
	  .type = &type_duration,
	  .fallback = "5000000000",
	  .max = INT64_C(3600) * 1000000000,
	  .example = "10s",
	  .doc = "How long a container without a health check must stay up after its start "
		 "before its replacement counts as a success." },
	{ .key = "post_start",
	  .type = &type_objects,
	  .of = &container_hook_schema,
	  .flags = FIELD_REPEATS,
	  .example = "[{ command: [date], user: \"0\", working_dir: /tmp }]",
	  .doc = "Commands run in it, in order, each time drey has started it, before it counts as "
		 "started; where one fails the start has failed. Not compared: a change holds from "
		 "the next start on." },
	{ .key = "pre_stop",
	  .type = &type_objects,
	  .of = &container_hook_schema,
	  .flags = FIELD_REPEATS,
	  .example = "[{ command: [sync] }]",
	  .doc = "Commands run in it, in order, before drey stops it; where one fails it is not "
		 "stopped. Not compared: a change holds from the next stop on." },
	{ .key = "backup_first",
	  .type = &type_bool,
	  .fallback = "false",
	  .example = "true",
	  .doc = "Back up its volumes before it is replaced or removed; refused where no "
		 "Backup names a directory." },
	{ .key = "fs_drift",
	  .type = &type_object,
	  .of = &container_drift_schema,
	  .example = "{ mode: report, ignore: [/run, /tmp] }",
	  .doc = "What is made of files that were changed inside the container, by itself or by "
		 "hand: nothing, a warning, or a replacement." },
	{ .key = "discard_changes",
	  .type = &type_bool,
	  .fallback = "false",
	  .example = "true",
	  .doc = "Agrees that what an adopted container wrote into its own file system is "
		 "lost at its first replacement." },
	{ .key = "hosts",
	  .type = &type_strings,
	  .flags = FIELD_PROJECT,
	  .ref = "Host",
	  .doc = "Hosts it runs on, one container on each." },
	{ .key = "host_selector",
	  .type = &type_map,
	  .flags = FIELD_PROJECT,
	  .doc = "Instead of hosts: the labels of the hosts it runs on." },
};

const struct rows container_rows_treatment = { fields, ARRAY_SIZE(fields) };
