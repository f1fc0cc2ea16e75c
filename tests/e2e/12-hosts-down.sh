#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A host whose engine is stopped, whose link is cut beforehand or in the middle: exit code 3, the other host is brought
# into step, and once the host is back the next apply is all it takes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
write_document "$m" Container web 'image: busy:1' 'network_mode: host'
sed -i 's|^  address:.*|&\n  connect_timeout: 2s|' "$m/host-h1.yaml"

recreate() {
	local host
	for host in h1 h2; do
		engine "$host" DELETE '/containers/web?force=1' >/dev/null 2>&1 || :
	done
}

echo '# the engine is stopped'
fleet stop h1 engine
expect_exit 3 "$DREY" doctor -f "$m"
assert_contains "$WORK/stdout" 'failed   socket'
assert_contains "$WORK/stdout" '-> start the engine there'
diff_exits 3 "$m"
assert_contains "$WORK/stderr" 'drey: h1: '
assert_contains "$WORK/stderr" /var/run/docker.sock
assert_contains "$WORK/stdout" '+ Container/web'
apply 3 "$m"
assert_eq "$(container_field h2 web .State.Status)" running
fleet start h1 engine
apply 0 "$m"
assert_eq "$(container_field h1 web .State.Status)" running
diff_exits 0 "$m"

echo '# the link is cut'
recreate
fleet cut h1
begin=${EPOCHREALTIME/[.,]/}
apply 3 "$m" -o json
took_ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
assert_eq "$(jq -r '.hosts[] | select(.host == "h1") | .error.code' "$WORK/stdout")" timeout
assert_eq "$(jq -r '[.exit, .summary.hosts, .summary.failed] | @csv' "$WORK/stdout")" 3,2,1
assert_eq "$(jq -r '.results[] | select(.host == "h2" and .kind == "Container") | .outcome' "$WORK/stdout")" 'done'
assert_eq "$(container_field h2 web .State.Status)" running
# The time-out of h1 is 2 s.
[ "$took_ms" -lt 15000 ] || fail "it took $took_ms ms"
fleet heal h1
apply 0 "$m"
diff_exits 0 "$m"

echo '# the link is cut in the middle: the answer to the creation is on its way'
recreate
start_faultproxy h1 slow --rule 'POST create.name=web delay_ms=2500'
sed -i 's|^  address:.*|&\n  docker_socket: /run/slow.sock\n  request_timeout: 2s|' "$m/host-h1.yaml"
"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
creating() {
	[ "$(requests slow POST create.name=web)" != 0 ]
}
wait_until 30 creating
fleet cut h1
# h2 is done long before h1 is given up.
wait_until 30 container_exists h2 web
kill -0 "$pid" || fail 'apply waited with h2 for h1'
status=0
wait "$pid" || status=$?
assert_eq "$status" 3
assert_contains "$WORK/stderr" h1
fleet heal h1
stop_faultproxy slow
sed -i '/docker_socket\|request_timeout/d' "$m/host-h1.yaml"
apply 0 "$m"
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq length)" 1
assert_eq "$(container_field h1 web .State.Status)" running
diff_exits 0 "$m"
