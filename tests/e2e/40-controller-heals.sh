#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is done behind the controller's back is put right again: after a second where it might right itself, at once
# elsewhere, and not at all where the engine's own policy does it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/controller.sh
. "$(dirname "$0")/controller.sh"

write_host_manifests m
write_document m Network back
write_document m Container web 'image: web:1'
write_document m Container db 'image: busy:1' 'networks: [back]'
write_document m Container keeper 'image: busy:1' 'network_mode: host' 'restart: always'
sed -i '/^spec: {}/d' m/*.yaml

running() {
	[ "$(container_field "$1" "$2" .State.Running)" = true ]
}

# Seconds between a container's end and its next start, in thousandths.
pause_of() {
	local finished started
	finished=$(date -d "$(container_field "$1" "$2" .State.FinishedAt)" +%s%3N)
	started=$(date -d "$(container_field "$1" "$2" .State.StartedAt)" +%s%3N)
	echo $((started - finished))
}

start_controller m
wait_until 60 in_step h1 h2
diff_exits 0 m

# --- stopped: started again after it has settled, and once
before=$(done_lines Container/web@h1)
engine h1 POST /containers/web/stop
wait_until 20 running h1 web
wait_until 20 in_step h1
[ "$(pause_of h1 web)" -ge 900 ] || fail "started $(pause_of h1 web) ms after it was stopped"
assert_eq "$(done_lines Container/web@h1)" $((before + 1)) "done once"
assert_contains "$LOG" "updated host=h1 resource=Container/web"

# --- removed
old=$(container_field h1 db .Id)
engine h1 DELETE '/containers/db?force=1'
wait_until 30 running h1 db
[ "$(container_field h1 db .Id)" != "$old" ]

# --- renamed: given its name back, not made anew
old=$(container_field h2 web .Id)
engine h2 POST '/containers/web/rename?name=stolen'
wait_until 20 running h2 web
assert_eq "$(container_field h2 web .Id)" "$old"

# --- changed while it runs
engine h2 POST /containers/db/update '{"RestartPolicy":{"Name":"always"}}' >/dev/null
policy_is() {
	[ "$(container_field h2 db .HostConfig.RestartPolicy.Name)" = "$1" ]
}
wait_until 20 policy_is no

# --- cut off from its network
engine h2 POST /networks/back/disconnect '{"Container":"db","Force":true}'
connected() {
	[ "$(container_field h2 db '.NetworkSettings.Networks | has("back")')" = true ]
}
wait_until 20 connected
running h2 db

# --- died: left to the engine's own policy
wait_until 20 in_step h1 h2
before=$(done_lines Container/keeper@h1)
kill -9 "$(container_field h1 keeper .State.Pid)" || fleet exec h1 kill -9 "$(container_field h1 keeper .State.Pid)"
restarted() {
	[ "$(container_field h1 keeper .RestartCount)" -ge 1 ]
}
wait_until 20 restarted
engine h1 POST '/containers/web/pause'
paused_no_more() {
	[ "$(container_field h1 web .State.Status)" = running ]
}
wait_until 20 paused_no_more
assert_eq "$(done_lines Container/keeper@h1)" "$before" "restarting is the engine's"

# --- all is in step, and nothing goes round in circles
wait_until 20 in_step h1 h2
diff_exits 0 m
stop_controller 0
assert_contains "$LOG" "ended"
assert_lacks "$LOG" "failed"
lines=$("$DREY" history --all -o json | jq '[.events[] | select(.action != "create")] | length')
[ "$lines" -le 8 ] || fail "$lines things were done to heal six"
