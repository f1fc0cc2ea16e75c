#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An engine that is too old, answers nonsense, in part, with errors or never, and one that is killed in the middle: a
# clear error, exit code 3, the other host untroubled, nothing left behind that the next apply does not put right.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
write_document "$m" Container web 'image: busy:1' 'network_mode: host'
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m/host-h1.yaml"

# with RULE... : from here on h1's engine behaves like this.
with() {
	local options=() rule
	[ ! -e "$WORK/fault.pid" ] || stop_faultproxy fault
	for rule; do
		options+=(--rule "$rule")
	done
	start_faultproxy h1 fault "${options[@]}"
}

h1_says() {
	local text
	assert_contains "$WORK/stderr" 'drey: h1: '
	for text; do
		assert_contains "$WORK/stderr" "$text"
	done
}

remove_all() {
	local host
	for host in h1 h2; do
		engine "$host" DELETE '/containers/web?force=1' >/dev/null 2>&1 || :
	done
}

# One container, running, and nothing else on either host.
assert_whole() {
	local host
	for host in h1 h2; do
		assert_eq "$(engine "$host" GET '/containers/json?all=1' | jq -r '[.[].Names[], .[].State] | @csv')" \
			'"/web","running"' "$host"
	done
}

echo '# an engine that is too old for drey'
with 'GET ^/_ping header=Api-Version:1.39' 'GET /version set=ApiVersion="1.39"'
diff_exits 3 "$m"
h1_says 'API 1.39' 'needs 1.40' 'upgrade'
assert_contains "$WORK/stdout" '+ Container/web'
expect_exit 3 "$DREY" doctor -f "$m"
assert_contains "$WORK/stdout" 'failed   engine'
assert_contains "$WORK/stdout" 'API 1.39'

echo '# an engine that is too old for a field'
write_document "$m" Container web 'image: busy:1' 'network_mode: host' \
	'healthcheck: { test: [CMD, "true"], start_interval: 1s }'
with 'GET ^/_ping header=Api-Version:1.41'
assert_refused() {
	assert_contains "$WORK/stdout" '! Container/web'
	assert_contains "$WORK/stdout" "spec.$1 needs Engine API $2"
	assert_contains "$WORK/stdout" "the host has $3"
}
diff_exits 1 "$m" --host h1
assert_refused healthcheck.start_interval 1.44 1.41
apply 3 "$m" --host h1
assert_refused healthcheck.start_interval 1.44 1.41
assert_eq "$(engine h1 GET '/containers/json?all=1')" '[]'
write_document "$m" Container web 'image: busy:1' 'network_mode: host' 'cgroup: private'
with 'GET ^/_ping header=Api-Version:1.40'
apply 3 "$m" --host h1
assert_refused cgroup 1.41 1.40
with
apply 0 "$m"
assert_whole
write_document "$m" Container web 'image: busy:1' 'network_mode: host'

echo '# answers that are cut, no JSON, errors, no answer'
while IFS='|' read -r rule text; do
	with "$rule"
	diff_exits 3 "$m"
	h1_says "$text"
	assert_contains "$WORK/stdout" '0 to create'
done <<'END'
GET /containers/json cut=100|broke before the answer to GET /containers/json
GET /containers/json cut_head=20|empty reply
GET /containers/[0-9a-f]{64}/json cut=50|broke before the answer
GET /containers/json reply=200 type=text/html body="<html>Welcome</html>"|not JSON
GET /containers/json reply=200 body="[{}, 7"|cut
GET /containers/json reply=200 body="{}"|no list
GET ^/_ping reply=404 body="nothing here"|Docker Engine
GET /containers/json reply=500 body='{"message":"the engine is sick"}'|the engine is sick
GET /volumes reply=500 body="oh dear"|oh dear
GET /containers/[0-9a-f]{64}/json reply=500 body='{"message":"no inspection today"}'|no inspection today
* . drop=before|broke
END

echo '# an engine that never answers'
sed -i 's|^  address:.*|&\n  request_timeout: 1s|' "$m/host-h1.yaml"
with 'GET /containers/json hang=1'
diff_exits 3 "$m"
h1_says 'no answer to GET /containers/json' '1000 ms'
sed -i '/request_timeout/d' "$m/host-h1.yaml"

echo '# answers that get lost: the creation was carried out, the start was not'
remove_all
with 'POST create.name=web drop=after nth=1' 'POST /start drop=before nth=1'
apply 0 "$m"
assert_eq "$(requests fault POST create.name=web)" 1
assert_whole
diff_exits 0 "$m"

echo '# an engine that refuses: nothing is left behind'
remove_all
with "POST create.name=web reply=500 body='{\"message\":\"no creation today\"}'"
apply 3 "$m"
h1_says 'Container/web' 'no creation today'
assert_eq "$(engine h1 GET '/containers/json?all=1')" '[]'
with "POST /start reply=500 body='{\"message\":\"no start today\"}'"
apply 3 "$m"
h1_says 'Container/web' 'no start today'
assert_eq "$(engine h1 GET '/containers/json?all=1')" '[]'
with
apply 0 "$m"
assert_whole

echo '# an engine that is killed between the creation and the start'
remove_all
with 'POST /start delay_ms=60000 nth=1'
"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
starting() {
	[ "$(requests fault POST /start)" != 0 ]
}
wait_until 60 starting
fleet kill h1 engine
stop_faultproxy fault
status=0
wait "$pid" || status=$?
assert_eq "$status" 3
h1_says Container/web
assert_eq "$(container_field h2 web .State.Status)" running
fleet start h1 engine
with
apply 0 "$m"
assert_whole
diff_exits 0 "$m"
