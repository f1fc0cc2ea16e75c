# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# drey dies while the engine stops a container that takes its time, and the manifest is taken back: the container is as it
# shall be, and down a moment later. Whoever comes next waits for that and looks anew, whatever becomes of who came before.
. "$(dirname "$0")/lib.sh"

# slow STATE LABEL [SOCKET]: ends when it was told to and is let go. 37 is a signal in real time, which events and
# manifests write differently.
slow() {
	write_near_host m "${3-/run/docker.sock}"
	cat >m/slow.yaml <<-END
		apiVersion: drey/v1
		kind: Container
		metadata: { name: slow }
		spec:
		  image: busy:1
		  state: $1
		  monitor: 200ms
		  stop_signal: RTMIN+3
		  stop_grace_period: 3m
		  command:
		    - sh
		    - -c
		    - trap "touch /tmp/told; until test -e /tmp/go; do sleep 0.1; done; exit 0" 37; touch /tmp/up; while :; do sleep 0.1; done
		  labels: { was: "$2" }
	END
}

up() {
	slow running first
	"$DREY" apply -f m --yes >/dev/null
	wait_until 10 docker_on_h1 exec slow test -e /tmp/up
	docker_on_h1 exec slow rm -f /tmp/told /tmp/go
	old=$(container_field h1 slow .Id)
	started=$(container_field h1 slow .State.StartedAt)
}

# die_in_stop STATE LABEL: what leads there is begun, and killed in the stop.
die_in_stop() {
	slow "$@"
	"$DREY" apply -f m --yes >out.died 2>&1 &
	local pid=$!
	wait_until 30 docker_on_h1 exec slow test -e /tmp/told
	kill -KILL "$pid"
	wait "$pid" || :
}

let_go() {
	docker_on_h1 exec slow touch /tmp/go
}

waits() {
	wait_until 30 grep -q 'wait: the engine is still stopping container slow' "$1"
}

# next WHAT [SOCKET]: the next run waits until it is let go, and then brings it up.
next() {
	slow running first "${2-/run/docker.sock}"
	"$DREY" apply -f m --yes >out.next 2>&1 &
	local pid=$!
	waits out.next
	let_go
	wait "$pid" || fail "$1: $(<out.next)"
	check "$1"
}

check() {
	assert_eq "$(container_field h1 slow '.Id + " " + .State.Status')" "$old running" "$1"
	[ "$(container_field h1 slow .State.StartedAt)" != "$started" ] || fail "$1: the stop that was under way was not waited for"
	expect_exit 0 "$DREY" diff -f m
	assert_eq "$(engine h1 GET '/containers/json?all=1' | jq length)" 1 "$1"
}

for change in 'running second' 'stopped first'; do
	step "the next run waits, and says so: $change"
	up
	# shellcheck disable=SC2086 # two words
	die_in_stop $change
	next "$change"
done

# through_proxy COMMAND...: lets go once the events are asked for, whose answer takes its time.
through_proxy() {
	start_faultproxy h1 late --rule 'GET /events delay_ms=3000'
	slow running first /run/late.sock
	"$@" >out.late 2>&1 &
	local pid=$! rc=0
	wait_until 30 asked_for_events
	let_go
	wait "$pid" || rc=$?
	stop_faultproxy late
	slow running first
	return "$rc"
}
asked_for_events() {
	[ "$(requests late GET /events)" = 1 ]
}

step 'it ends after the host was looked at, and before its events are read'
up
die_in_stop stopped first
through_proxy "$DREY" apply -f m --yes || fail "late: $(<out.late)"
check late

for silence in drop=before 'reply=500 body="no events today"'; do
	step "an engine that does not tell of its events is not changed meanwhile: $silence"
	up
	die_in_stop stopped first
	start_faultproxy h1 mute --rule "GET /events $silence"
	slow running first /run/mute.sock
	expect_exit 3 "$DREY" apply -f m --yes
	assert_contains stderr 'see which containers are being stopped'
	assert_eq "$("$DREY" status -f m -o json |
		jq -r '.conditions[] | select(.resource == "Container/slow@h1" and .type == "Ready").status')" Unknown
	stop_faultproxy mute
	next mute
done

step 'the answer to the removal of the void lease gets lost'
up
die_in_stop stopped first
start_faultproxy h1 lost --rule 'DELETE /containers/ nth=1 drop=after'
next lost /run/lost.sock
stop_faultproxy lost
slow running first

step 'one of another project comes first: it waits as well'
up
die_in_stop stopped first
cp -r m other
sed -i 's/metadata: { name: test }/metadata: { name: other }/' other/host.yaml
rm other/slow.yaml
"$DREY" apply -f other --yes >out.other 2>&1 &
other=$!
waits out.other
let_go
wait "$other" || fail "other: $(<out.other)"
slow running first
expect_exit 0 "$DREY" apply -f m --yes
check other

for signal in KILL TERM; do
	step "who waits is ended by SIG$signal"
	up
	die_in_stop stopped first
	slow running first
	"$DREY" apply -f m --yes >out.second 2>&1 &
	second=$!
	waits out.second
	kill "-$signal" "$second"
	! wait "$second" || fail 'it went on'
	next "$signal"
done

step 'nobody was asked about another plan than that nothing is to be done'
up
die_in_stop stopped first
rc=0
through_proxy "$(dirname "$(readlink -f "$0")")/terminal.py" '' '' "$DREY" apply -f m || rc=$?
assert_eq "$rc" 4 "$(<out.late)"
assert_contains out.late 'the host has changed since the plan was made'
expect_exit 4 "$DREY" apply -f m
assert_contains stdout 'Container/slow'
expect_exit 0 "$DREY" apply -f m --yes
check shown
