#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two dreys on one engine: one waits for the other, or says who it is and gives up; what a dead one has left is taken over,
# at once where it can be known to be dead, else when a minute has passed on the engine's clock; a holder that has lost its
# lease changes nothing more. diff never locks.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m/host-h1.yaml"
write_document "$m" Container web 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s'
# A second drey of another state directory: as from another machine, but for the process numbers.
n=$WORK/other
cp -r "$m" "$n"
sed -i '/docker_socket/d' "$n/host-h1.yaml"

with() {
	[ ! -e "$WORK/fault.pid" ] || stop_faultproxy fault
	start_faultproxy h1 fault "$@"
}
names() {
	engine h1 GET '/containers/json?all=1' | jq -r '[.[].Names[]] | sort | join(" ")'
}
asked() {
	[ "$(requests fault "$@")" != 0 ]
}
clock_says() {
	with --rule "GET /info set=SystemTime=\\\"$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)\\\""
}
no_trace() {
	assert_eq "$(names)" "$1" "${2-}"
	assert_eq "$(engine h1 GET /images/json | jq -r '[.[] | .RepoTags // [] | if . == [] then "none" else .[] end
		| select(test("drey|none"))] | join(" ")')" drey-helper:empty
}
# helper NAME PROJECT [IMAGE]: a container such as drey reads and fills volumes through.
helper() {
	engine h1 POST "/containers/create?name=$1" "{\"Image\":\"${3-busy:1}\",\"HostConfig\":{\"NetworkMode\":\"none\"},\"Labels\":{
		\"drey.helper\":\"1\",\"drey.project\":\"$2\"}}" >/dev/null
}
# hold RULE: a drey in the background that has the lease, and hangs where the rule says.
hold() {
	with --rule "$1 hang=1"
	DREY_STATE_DIR=$WORK/held "$DREY" apply -f "$m" --yes --host h1 >"$WORK/held.out" 2>"$WORK/held.err" </dev/null &
	holder=$!
	# shellcheck disable=SC2086 # a method and a regular expression
	wait_until 30 asked $1
}
end_holder() {
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null || :
}

echo '# nothing to change, nothing locked; a change leaves no trace'
with
apply 0 "$m"
no_trace /web
asked POST 'create.name=drey-lock' || fail 'no lease was taken'
with
diff_exits 0 "$m"
apply 0 "$m"
assert_eq "$(requests fault POST)" 0

echo '# a helper that a dead drey has left goes; one of another project stays, and so does what runs'
project=$(container_field h1 web '.Config.Labels["drey.project"]')
helper drey-migrate-x "$project"
helper drey-restore-y another
helper running "$project"
engine h1 POST /containers/running/start
apply 0 "$m"
assert_eq "$(names)" '/drey-restore-y /running /web'
engine h1 DELETE '/containers/running?force=1'
engine h1 DELETE /containers/drey-restore-y
cp -r "$n" "$WORK/in-step"
write_document "$m" Container web 'hosts: [h1]' 'image: busy:2' 'network_mode: host' 'monitor: 0s'
cp "$m/container-web.yaml" "$n/"

echo '# one holds it: the other names it and gives up, or waits; diff looks all the same'
hold 'POST create.name=web'
container_exists h1 drey-lock || fail 'no lease'
# The helper may be at work for whoever holds the lease, even where this one has nothing to change.
helper drey-restore-x "$project"
apply 0 "$WORK/in-step" --host h1
container_exists h1 drey-restore-x || fail 'a helper was removed without the lease'
diff_exits 1 "$n"
assert_lacks "$WORK/stdout" drey-lock
before=$(all_objects h1)
apply 4 "$n" --host h1 --lock-timeout 0s
assert_contains "$WORK/stderr" "another drey (apply, process $holder on $(hostname)) has been changing this engine since 20"
assert_eq "$(all_objects h1)" "$before"
apply 4 "$n" --host h1 --lock-timeout 0s -o json
assert_eq "$(jq -r '[.exit, .hosts[0].error.code, (.results[] | select(.outcome == "skipped").name)] | @csv' "$WORK/stdout")" \
	'4,"conflict","web"'
assert_eq "$(all_objects h1)" "$before"
"$DREY" apply -f "$n" --yes --host h1 >"$WORK/second.out" 2>"$WORK/second.err" </dev/null &
second=$!
waits() {
	grep -q 'wait: another drey' "$WORK/second.err"
}
wait_until 30 waits
# Its process is dead, on this machine: there is nothing to wait for.
end_holder
wait "$second" || fail "the second ended with $?: $(<"$WORK/second.err")"
no_trace /web
diff_exits 0 "$n"

echo '# a controller waits its turn, and says so'
hold_file=$WORK/manifests/container-web.yaml
sed -i 's/busy:2/busy:1/' "$hold_file"
cp "$hold_file" "$n/"
hold 'POST create.name=web'
"$DREY" controller -f "$n" --state "$WORK/controller" >"$WORK/controller.out" 2>&1 </dev/null &
controller=$!
reason() {
	"$DREY" status -f "$n" --state "$WORK/controller" -o json | jq -r '.. | objects | select(.resource? == "Container/web@h1" or (.kind? == "Container" and .name? == "web")) | tostring' | grep -q NotStarted
}
wait_until 30 reason
end_holder
runs_1() {
	[ "$(names) $(container_field h1 web .Config.Image)" = '/web busy:1' ]
}
wait_until 30 runs_1
kill "$controller"
wait "$controller" || :
no_trace /web

echo '# half a replacement is no leavings while its maker lives'
sed -i 's/busy:1/busy:2/' "$hold_file"
hold 'POST /start'
before=$(all_objects h1)
apply 4 "$m" --host h1 --lock-timeout 0s
assert_contains "$WORK/stderr" 'another drey'
assert_eq "$(all_objects h1)" "$before"
end_holder
with
apply 0 "$m"
no_trace /web
assert_eq "$(container_field h1 web .Config.Image)" busy:2
sed -i 's/busy:2/busy:1/' "$hold_file"
apply 0 "$m"

echo '# a holder of another machine: silent for a minute on the clock of the engine, and never before'
sed -i 's/busy:1/busy:2/' "$hold_file"
with
engine h1 POST '/containers/create?name=drey-lock' '{"Image":"busy:1","Cmd":["x"],"HostConfig":{"NetworkMode":"none"},"Labels":{
	"drey.lease":"0123456789abcdef0123456789abcdef","drey.lease.host":"elsewhere","drey.lease.boot":"another",
	"drey.lease.pid":"1","drey.lease.pid-namespace":"pid:[1]","drey.lease.start":"1","drey.lease.purpose":"apply"}}' >/dev/null
apply 4 "$m" --host h1 --lock-timeout 1s
assert_contains "$WORK/stderr" 'process 1 on elsewhere'
now=$(engine h1 GET /info | jq -r .SystemTime)
clock_says "$now + 45 seconds"
apply 4 "$m" --host h1 --lock-timeout 0s
clock_says "$now + 75 seconds"
apply 0 "$m"
no_trace /web
diff_exits 0 "$m"

echo '# a container that is not drey'"'"'s has the name'
sed -i 's/busy:2/busy:1/' "$hold_file"
with
engine h1 POST '/containers/create?name=drey-lock' '{"Image":"busy:1"}' >/dev/null
apply 4 "$m" --host h1
assert_contains "$WORK/stderr" "container drey-lock stands in the way and is not drey's"
echo '# a name that the engine keeps for nothing that it shows is asked for now and then, not without rest'
with --rule 'GET /containers/drey-lock/json reply=404'
apply 4 "$m" --host h1 --lock-timeout 1s
assert_contains "$WORK/stderr" 'the engine keeps the name drey-lock for a container that it doesn'"'"'t show'
[ "$(requests fault POST create.name=drey-lock)" -lt 10 ] || fail "$(requests fault POST create) times asked for"
engine h1 DELETE /containers/drey-lock >/dev/null

echo '# a holder that has lost it stops where it is: another drey puts right what it had begun'
with --rule 'POST /stop delay_ms=12000' --rule 'PUT /archive reply=404'
apply 3 "$m" --host h1
assert_contains "$WORK/stderr" 'the lease of this engine (container drey-lock) was taken away, so nothing more is changed'
assert_eq "$(requests fault POST '/(rename|start)')" 0
assert_eq "$(names)" '/web /web.drey-new'
cp "$hold_file" "$n/"
apply 0 "$n"
no_trace /web
assert_eq "$(container_field h1 web .Config.Image)" busy:1
diff_exits 0 "$n"
