# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the scripts that run a controller; source it after lib.sh.

LOG=$WORK/controller.log
STATE=$WORK/state
export DREY_STATE_DIR=$STATE

# start_controller DIR [OPTION]...: the controller, logging to $LOG. It ends with the script.
start_controller() {
	local dir=$1
	shift
	"$DREY" controller -f "$dir" "$@" >>"$LOG" 2>&1 &
	controller=$!
}

# stop_controller CODE: SIGTERM, and what it ends with.
stop_controller() {
	local status=0
	kill -TERM "$controller"
	wait "$controller" || status=$?
	assert_eq "$status" "$1" "exit code of the controller"
}

conditions() {
	"$DREY" status -o json
}

# condition RESOURCE TYPE: its status and reason, "True InStep".
condition() {
	conditions | jq -r --arg r "$1" --arg t "$2" \
		'.conditions[] | select(.resource == $r and .type == $t) | "\(.status) \(.reason)"'
}

condition_is() {
	[ "$(condition "$1" "$2")" = "$3" ] || {
		echo "$1 $2 is $(condition "$1" "$2"), not $3"
		return 1
	}
}

# in_step [HOST]...: every resource there is Ready, at the revision that is in force.
in_step() {
	local host
	for host in "${@:-h1}"; do
		conditions | jq -e --arg h "$host" '[.conditions[] | select(.type == "Ready" and (.resource | endswith("@" + $h)))]
			| length > 0 and all(.status == "True")' >/dev/null || {
			conditions | jq -c '.conditions[]'
			return 1
		}
	done
}

# done_lines RESOURCE: how often something was done or tried there.
done_lines() {
	"$DREY" history "$1" -o json | jq '.events | length'
}

log_has() {
	grep -qE -e "$1" "$LOG" || {
		tail -n 20 "$LOG"
		return 1
	}
}

# logged REGEX: on how many lines of the log.
logged() {
	grep -cE -e "$1" "$LOG" || :
}
