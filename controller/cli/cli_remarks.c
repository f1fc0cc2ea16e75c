/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/cli_reference.h"

const struct remark remarks_exit[] = {
	{ "0", "In step, or done." },
	{ "1", "Differences were found (drey diff)." },
	{ "2", "The call or the manifests are wrong; nothing was touched." },
	{ "3", "Some hosts could not be reached, or some actions failed or were refused; the rest "
	       "was done." },
	{ "4", "Refused as a whole, nothing was touched: nobody agreed, too much would be "
	       "removed, or a saved plan no longer holds." },
	{ "130", "Interrupted by a signal." },
	{ NULL, NULL },
};

const struct remark remarks_environment[] = {
	{ "DREY_STATE_DIR", "Where conditions and history are kept, if --state does not say." },
	{ "DREY_PLAN_KEY",
	  "Key of saved plans, if --plan-key-file does not say; the same where they "
	  "are made and where they are carried out." },
	{ "XDG_STATE_HOME", "The same with drey/ below it, if neither is given." },
	{ "NO_COLOR", "No colours when set to anything." },
	{ "SSH_AUTH_SOCK", "The SSH agent whose keys are offered to hosts." },
	{ "DOCKER_CONFIG", "Directory of the config.json with the registries' credentials; "
			   "~/.docker if not set." },
	{ NULL, NULL },
};
