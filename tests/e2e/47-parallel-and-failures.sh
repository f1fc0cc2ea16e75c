#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A change that fails reaches no more hosts than it must: --parallel bounds those at work, --max-failures those begun after
# the first that failed. A host that can't be reached says nothing about the change.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m"/host-*.yaml
web() {
	write_document "$m" Container web 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'stop_grace_period: 0s' "$@"
}
both() {
	local host
	for host in h1 h2; do
		[ ! -e "$WORK/$host.pid" ] || stop_faultproxy "$host"
		start_faultproxy_at "$host" "$@"
	done
}
# As start_faultproxy, each with a log of its own.
start_faultproxy_at() {
	local host=$1
	shift
	start_faultproxy "$host" "$host" "$@"
	mv "$(host_path "$host" "/run/$host.sock")" "$(host_path "$host" /run/fault.sock)"
}
on() {
	engine "$1" GET '/containers/json?all=1' | jq -r '[.[] | .Names[] + ":" + .State] | sort | join(" ")'
}

echo '# the first fails: the second is not begun, and is named'
web 'command: [/no/such/program]'
both
apply 3 "$m" --parallel 1
assert_contains "$WORK/stderr" 'drey: h1: Container/web: failed: '
assert_contains "$WORK/stderr" 'drey: h2: not begun, since changes failed on 1 host (--max-failures)'
assert_eq "$(requests h2 POST)" 0
assert_eq "$(on h2)" ''
apply 3 "$m" --parallel 1 -o json
assert_eq "$(jq -r '[.exit, .hosts[1].error.code, (.results[] | .host + " " + .outcome)] | @csv' "$WORK/stdout")" \
	'3,"refused","h1 failed","h2 skipped"'
expect_exit 0 "$DREY" status -f "$m"
assert_contains "$WORK/stdout" "not begun, since changes failed"

echo '# more are allowed: both are tried; 50 % of two is one'
apply 3 "$m" --parallel 1 --max-failures 2
assert_contains "$WORK/stderr" 'drey: h2: Container/web: failed: '
apply 3 "$m" --parallel 1 --max-failures 50%
assert_contains "$WORK/stderr" 'drey: h2: not begun'
apply 3 "$m" --parallel 1 --max-failures 100%
assert_contains "$WORK/stderr" 'drey: h2: Container/web: failed: '
for wrong in 0 0% 101% -1 x; do
	apply 2 "$m" "--max-failures=$wrong"
	assert_contains "$WORK/stderr" "--max-failures: '$wrong' is no number of hosts such as 3"
done

echo '# what can'"'"'t be reached does not count'
web
stop_faultproxy h1
apply 3 "$m" --parallel 1
assert_eq "$(on h2)" '/web:running'
start_faultproxy_at h1 --rule 'POST create.name=web drop=before'
web 'labels: { one: more }'
apply 3 "$m" --parallel 1
assert_contains "$WORK/stderr" 'drey: h1: Container/web: failed: '
assert_eq "$(container_field h2 web .Config.Labels.one)" more

echo '# one at a time: the second is begun when the first is done'
both --rule 'POST /stop delay_ms=500'
web 'labels: { one: after the other }'
engine h1 DELETE '/containers/web?force=1' >/dev/null 2>&1 || :
apply 0 "$m" --parallel 1
done_us=$(jq -s 'map(select(.event == "reply" and .method != "GET")) | last.t_us' "$WORK/h1.log")
begun_us=$(jq -s 'map(select(.event == "request" and .method != "GET")) | first.t_us' "$WORK/h2.log")
[ "$done_us" -lt "$begun_us" ] || fail "h2 was begun at $begun_us, h1 done at $done_us"
diff_exits 0 "$m"
