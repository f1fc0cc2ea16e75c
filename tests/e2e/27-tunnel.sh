#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# drey tunnel: any client reaches the engine through DOCKER_HOST, and the command's exit code is drey's.
# shellcheck disable=SC2016 # for the command's shell
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
tunnel() {
	expect_exit "$1" "$DREY" tunnel -f "$m" "${@:2}"
}
ask='curl -sS --noproxy "*" --unix-socket "${DOCKER_HOST#unix://}"'

tunnel 0 h1 -- sh -c "$ask http://engine/info"
assert_eq "$(jq -r .ID "$WORK/stdout")" "$(engine h1 GET /info | jq -r .ID)"
assert_eq "$(<"$WORK/stderr")" ''
tunnel 0 h2 -- sh -c "$ask http://engine/info"
assert_eq "$(jq -r .ID "$WORK/stdout")" "$(engine h2 GET /info | jq -r .ID)"

echo '# several connections at once, a large body, a stream that is hijacked'
tunnel 0 h1 -- sh -c "for i in 1 2 3 4 5 6 7 8; do $ask http://engine/_ping & done; wait"
assert_eq "$(<"$WORK/stdout")" OKOKOKOKOKOKOKOK
engine h1 GET /images/busy:1/get | sha256sum >"$WORK/sum" 2>/dev/null
tunnel 0 h1 -- sh -c "$ask http://engine/images/busy:1/get | wc -c"
[ "$(<"$WORK/stdout")" -gt 500000 ] || fail 'the image is cut'

echo '# the exit code is the command'\''s'
tunnel 7 h1 -- sh -c 'exit 7'
tunnel 143 h1 -- sh -c 'kill -TERM $$'
tunnel 127 h1 -- /nonexistent
assert_contains "$WORK/stderr" /nonexistent
expect_exit 7 env --ignore-signal=CHLD "$DREY" tunnel -f "$m" h1 -- sh -c 'exit 7'
DOCKER_CONTEXT=elsewhere tunnel 0 h1 -- sh -c 'echo "${DOCKER_CONTEXT-unset}"'
assert_eq "$(<"$WORK/stdout")" unset

echo '# its socket is for nobody else, and gone afterwards'
tunnel 0 h1 -- sh -c 'echo "${DOCKER_HOST#unix://}"; stat -c %a "$(dirname "${DOCKER_HOST#unix://}")"'
socket=$(head -n 1 "$WORK/stdout")
assert_eq "$(tail -n 1 "$WORK/stdout")" 700
[ ! -e "$socket" ] || fail "$socket is still there"
[ ! -e "$(dirname "$socket")" ] || fail "its directory is still there"

echo '# signals: handed on to the command where the terminal does not tell it; nothing is left behind'
nothing_left() {
	assert_eq "$(ls -A "$TMPDIR")" ''
}
for signal in TERM HUP; do
	"$DREY" tunnel -f "$m" h1 -- sh -c 'echo $$ >"$1"; exec sleep 600' - "$WORK/child.$signal" &
	pid=$!
	wait_until 30 test -s "$WORK/child.$signal"
	kill -s "$signal" "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "$status" $((128 + $(kill -l "$signal")))
	! kill -0 "$(<"$WORK/child.$signal")" 2>/dev/null || fail "the command has outlived SIG$signal"
	nothing_left
done
terminal=$(dirname "$(readlink -f "$0")")/terminal.py
expect_exit 130 "$terminal" ready ^C "$DREY" tunnel -f "$m" h1 -- sh -c 'echo ready; exec sleep 600'
expect_exit 5 "$terminal" ready ^C "$DREY" tunnel -f "$m" h1 -- sh -c 'trap "exit 5" INT; echo ready; while :; do sleep 0.1; done'
nothing_left
tunnel 0 h1 -- sh -c '{ yes; echo "$?" >&2; } | head -n 1'
assert_eq "$(<"$WORK/stderr")" 141 'the command knows SIGPIPE'

echo '# interrupted while it connects'
write_document "$m" Host h2 "address: ssh://root@$H2" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS" 'connect_timeout: 10m'
fleet cut h2
connecting() {
	[ "$(ls -A "$TMPDIR")" != '' ]
}
for command in "tunnel -f $m h2 -- true" "doctor -f $m --host h2" "diff -f $m --host h2"; do
	# shellcheck disable=SC2086 # several words
	"$DREY" $command >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
	pid=$!
	wait_until 30 connecting
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "$status" 130 "$command"
	assert_contains "$WORK/stderr" interrupted
	nothing_left
done
fleet heal h2

echo '# usage, and hosts that cannot be reached'
tunnel 2 h3 -- true
assert_contains "$WORK/stderr" "no Host/h3"
tunnel 2 h1
write_document "$m" Host h1 "address: ssh://root@$H1" "identity_file: $WORK/none" "known_hosts: $KNOWN_HOSTS"
tunnel 3 h1 -- true
assert_contains "$WORK/stderr" 'refused the login of root'
