#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hosts that go away hold up no other and come back by themselves; the state directory belongs to one controller; it
# ends cleanly at any moment.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/controller.sh
. "$(dirname "$0")/controller.sh"

write_host_manifests m
sed -i 's/^spec:$/spec:\n  connect_timeout: 3s\n  request_timeout: 5s/' m/host-*.yaml
write_document m Container web 'image: busy:1' 'network_mode: host'

start_controller m
wait_until 60 in_step h1 h2

# --- one controller a state directory
expect_exit 4 "$DREY" controller -f m
assert_contains "$WORK/stderr" "held by pid $controller"

# --- a host that is cut off: the other is healed meanwhile
fleet cut h2
engine h1 DELETE '/containers/web?force=1'
wait_until 20 container_exists h1 web
is_down() {
	case $(condition "Host/$1" Ready) in
	'False Unreachable' | 'False TimedOut') return 0 ;;
	*) return 1 ;;
	esac
}
wait_until 90 is_down h2
condition_is Container/web@h2 Ready 'Unknown HostUnreachable'
condition_is Host/h1 Ready 'True Reachable'
engine h2 DELETE '/containers/web?force=1'
fleet heal h2
wait_until 120 container_exists h2 web
wait_until 60 in_step h2
assert_contains "$LOG" "host is back host=h2"

# --- sshd restarted, engine restarted
fleet stop h1 sshd
fleet start h1 sshd
fleet stop h1 engine
fleet start h1 engine
wait_until 60 in_step h1
engine h1 DELETE '/containers/web?force=1'
wait_until 60 container_exists h1 web
wait_until 60 in_step h1

# --- a host that leaves the manifests is left alone
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml
wait_until 20 log_has 'host left the manifests host=h2'
assert_eq "$(condition Host/h2 Ready)" ""
assert_eq "$(condition Container/web@h2 Ready)" ""
container_exists h2 web

# --- settings that change make a new connection
cp "$KEY" other-key
sed -i "s,identity_file: .*,identity_file: $WORK/other-key," m/host-h1.yaml
write_document m Container web 'image: busy:2' 'network_mode: host'
version_is() {
	[ "$(container_field h1 web .Config.Labels.version)" = "$1" ]
}
wait_until 60 version_is 2
wait_until 20 in_step h1

# --- the end: at once when idle, cleanly in the middle of a change, nothing left behind
stop_controller 0
assert_eq "$(ls "$TMPDIR")" ""
write_document m Container web 'image: busy:1' 'network_mode: host'
start_controller m
wait_until 60 condition_is Container/web@h1 Reconciling 'True Replacing'
stop_controller 0
assert_eq "$(ls "$TMPDIR")" ""
start_controller m
wait_until 60 version_is 1
wait_until 60 in_step h1
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq length)" 1 "nothing is left of the interruption"
stop_controller 0

# --- nor does a host that does not answer hold up the end
sed -i 's/connect_timeout: .*/connect_timeout: 60s/' m/host-h1.yaml
fleet cut h1
: >"$LOG"
start_controller m
wait_until 10 log_has 'manifests loaded'
seconds=$SECONDS
stop_controller 0
[ $((SECONDS - seconds)) -le 5 ] || fail "ending took $((SECONDS - seconds)) s"
fleet heal h1

# --- a disk without room for the state stops nothing
mkdir small
mount -t tmpfs -o size=64k none small
trap 'umount -l small' EXIT
dd if=/dev/zero of=small/fill bs=1k 2>/dev/null || :
: >"$LOG"
engine h1 DELETE '/containers/web?force=1'
"$DREY" controller -f m --state small >>"$LOG" 2>&1 &
controller=$!
wait_until 60 container_exists h1 web
wait_until 20 log_has 'reconciling goes on'
stop_controller 0
