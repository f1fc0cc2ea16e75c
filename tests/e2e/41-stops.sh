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

# The next run: waits until it is let go, and then brings it up.
next() {
	slow running first
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

step 'an engine that does not tell of its events is not changed meanwhile'
up
die_in_stop running second
start_faultproxy h1 mute --rule 'GET /events drop=before'
slow running first /run/mute.sock
expect_exit 3 "$DREY" apply -f m --yes
stop_faultproxy mute
next mute

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
