#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What fails is not tried for ever: a change that fails in the same way three times and a replacement that failed once
# wait for a person; what passes by itself is tried again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/controller.sh
. "$(dirname "$0")/controller.sh"

write_host_manifests m
rm m/host-h2.yaml
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
write_document m Container web 'image: busy:1' "ports: ['8080:80']"

failures() {
	"$DREY" history "$1" -o json | jq '[.events[] | select(.outcome == "failed")] | length'
}
version_is() {
	[ "$(container_field h1 web .Config.Labels.version)" = "$1" ]
}

# --- a port that is taken: three tries, until somebody frees it and says so
engine h1 POST '/containers/create?name=squatter' \
	'{"Image":"busy:1","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}},"ExposedPorts":{"80/tcp":{}}}' >/dev/null
engine h1 POST /containers/squatter/start
start_controller m --interval 2s
wait_until 90 condition_is Container/web@h1 Stalled 'True CreateFailed'
tries=$(failures Container/web@h1)
assert_eq "$tries" 3 "tries"
sleep 6 # three more looks
assert_eq "$(failures Container/web@h1)" "$tries" "no more tries"
engine h1 DELETE '/containers/squatter?force=1'
write_document m Container web 'image: busy:1' "ports: ['8080:80']" 'hostname: other'
wait_until 60 in_step h1
condition_is Container/web@h1 Stalled 'False InStep'

# --- a replacement that does not prove itself: undone, and not tried again, not even after a restart
write_document m Container web 'image: busy:2' "ports: ['8080:80']" "command: ['sh', '-c', 'exit 1']"
wait_until 60 condition_is Container/web@h1 Stalled 'True ReplaceFailed'
wait_until 30 version_is 1
[ "$(container_field h1 web .State.Running)" = true ]
tries=$(failures Container/web@h1)
sleep 5
assert_eq "$(failures Container/web@h1)" "$tries" "not tried again"
stop_controller 0
start_controller m --interval 2s
sleep 6
assert_eq "$(failures Container/web@h1)" "$tries" "nor by the next controller"
condition_is Container/web@h1 Stalled 'True ReplaceFailed'
write_document m Container web 'image: busy:2'
wait_until 60 version_is 2
wait_until 30 in_step h1

# --- an image that the registry does not have yet: tried until it is there
write_document m Container web "image: $REGISTRY/late:1"
wait_until 60 condition_is Container/web@h1 Reconciling 'True ReplaceFailed'
condition_is Container/web@h1 Stalled 'False InStep'
version_is 2
"$FLEET_TOOL" image "$FLEET" late:1 --registry "$REGISTRY" --config '{"Labels":{"version":"late"}}' >/dev/null
wait_until 90 version_is late
wait_until 30 in_step h1

# --- what is foreign is refused, not touched, not retried
engine h1 POST '/containers/create?name=guest' '{"Image":"busy:1"}' >/dev/null
guest=$(container_field h1 guest .Id)
write_document m Container guest 'image: busy:1'
wait_until 30 condition_is Container/guest@h1 Stalled 'True Refused'
assert_eq "$(container_field h1 guest .Id)" "$guest"
condition_is Container/web@h1 Ready 'True InStep'
stop_controller 0
