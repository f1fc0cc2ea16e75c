/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of a container that Compose has, or people try, and drey has not, or not yet. */
#include "reconcilers/container_rows.h"

const struct refused container_refused[] = {
	{ "build", "drey runs images and builds none; build and push it, and name it in image" },
	{ "extends", "what containers share goes into a Template" },
	{ "profiles", "choose with hosts, or with --selector on the command line" },
	{ "models", "drey runs containers only; run the model in one" },
	{ "provider", "drey runs containers only" },
	{ "develop", "drey runs what is built; watching sources is for the developer's machine" },
	{ "attach", "drey does not show a container's output; its logging does" },
	{ "pre_start", "nothing runs in a container before its start; run it as a container of "
		       "state: completed, and depend on that" },
	{ "isolation", "drey keeps Linux containers only" },
	{ "cpu_count", "drey keeps Linux containers only; use cpus" },
	{ "cpu_percent", "drey keeps Linux containers only; use cpus" },
	{ "credential_spec", "drey keeps Linux containers only" },
	{ "use_api_socket", "mount the engine's socket in volumes, if it must be" },
	{ "pull_refresh_after", "a tag is asked for with pull_policy: always, or better changed in "
				"the manifest" },
	{ "auto_remove", "what removes itself would be made anew each time; state: completed runs "
			 "once" },
	{ "attach_stdin",
	  "it is for a client that stays attached; stdin_open keeps the input open" },
	{ "attach_stdout", "it is for a client that stays attached; the output goes to logging" },
	{ "attach_stderr", "it is for a client that stays attached; the output goes to logging" },
	{ "container_id_file", "it is a file of the client's; drey status tells IDs" },
	{ "args_escaped", "drey keeps Linux containers only" },
	{ "io_maximum_iops", "drey keeps Linux containers only; use blkio_config" },
	{ "io_maximum_bandwidth", "drey keeps Linux containers only; use blkio_config" },
	{ "name", "the name is metadata.name; container_name gives the engine another" },
	{ "restart_policy", "the field is restart" },
	{ "env", "the field is environment" },
	{ NULL, NULL },
};
