#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whose an object is, by its labels first and its name second, and what somebody did to it behind drey's back: put right
# live where an engine can, replaced where it can't, left alone where it is not drey's.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/m
write_host_manifests "$m"
rm "$m/project.yaml" "$m/host-h2.yaml"
write_document "$m" Project test 'hosts: [h1]'
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/docker.sock)"
write_document "$m" Network front 'ipam: { config: [{ subnet: 10.93.0.0/24 }] }'

# write NAME [LINE]...
write() {
	local name=$1
	shift
	write_document "$m" Container "$name" 'image: busy:1' 'monitor: 0s' "$@"
}

id() {
	container_field h1 "$1" .Id
}

write web 'networks: { front: { aliases: [www, db.internal], ipv4_address: 10.93.0.9 } }' 'hostname: host-a'
write cache 'network_mode: none' 'hostname: host-b'
apply 0 "$m"
a=$(id web) b=$(id cache)

echo '# paused though it should run'
engine h1 POST /containers/web/pause >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'paused -> running'
apply 0 "$m"
assert_eq "$(container_field h1 web '.State.Status + " " + .Id')" "running $a"

echo '# renamed: back, live; two that swapped names too'
engine h1 POST "/containers/cache/rename?name=elsewhere" >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'elsewhere -> cache'
apply 0 "$m"
assert_eq "$(id cache)" "$b"
engine h1 POST "/containers/web/rename?name=between" >/dev/null
engine h1 POST "/containers/cache/rename?name=web" >/dev/null
engine h1 POST "/containers/between/rename?name=cache" >/dev/null
diff_exits 1 "$m"
apply 0 "$m"
assert_eq "$(id web) $(id cache)" "$a $b"
assert_eq "$(container_field h1 web .State.Status) $(container_field h1 cache .State.Status)" 'running running'
diff_exits 0 "$m"

echo '# a network removed under a stopped container: made again, with aliases and address'
engine h1 POST /containers/web/stop >/dev/null
engine h1 DELETE /networks/front >/dev/null
diff_exits 1 "$m"
apply 0 "$m"
assert_eq "$(id web)" "$a"
container_field h1 web '.NetworkSettings.Networks.front' >"$WORK/endpoint"
assert_eq "$(jq -r .IPAddress "$WORK/endpoint")" 10.93.0.9
assert_eq "$(jq -c '.Aliases - [.Aliases[] | select(. != "www" and . != "db.internal")] | sort' "$WORK/endpoint")" \
	'["db.internal","www"]'
diff_exits 0 "$m"

echo '# made anew by hand with its labels but other options: each of them is seen'
container_field h1 cache .Config.Labels >"$WORK/labels"
engine h1 DELETE '/containers/cache?force=1' >/dev/null
engine h1 POST '/containers/create?name=cache' "{\"Image\":\"busy:1\",\"Hostname\":\"other\",\"Env\":[\"X=1\"],\"User\":\"7\",
	\"Labels\":$(<"$WORK/labels"),\"HostConfig\":{\"NetworkMode\":\"none\",\"Memory\":67108864,\"CapAdd\":[\"NET_ADMIN\"],
	\"RestartPolicy\":{\"Name\":\"always\"},\"Dns\":[\"10.0.0.53\"],\"Tmpfs\":{\"/scratch\":\"\"}}}" >/dev/null
b=$(id cache)
expect_exit 1 "$DREY" diff -f "$m" -o json
assert_eq "$(jq -r '[.hosts[].actions[] | select(.name == "cache") | .changes[].path | split("[")[0] | split(".")[0]] | unique |
	join(" ")' "$WORK/stdout")" 'cap_add dns environment hostname mem_limit memswap_limit restart state tmpfs user'
assert_eq "$(jq -r '.hosts[].actions[] | select(.name == "cache") | .verdict' "$WORK/stdout")" replace
apply 0 "$m"
[ "$(id cache)" != "$b" ] || fail 'it was not replaced'
assert_eq "$(container_field h1 cache .Config.Hostname)" host-b
diff_exits 0 "$m"

echo '# without its labels: refused, and not touched'
engine h1 DELETE '/containers/cache?force=1' >/dev/null
engine h1 POST '/containers/create?name=cache' '{"Image":"busy:1","Hostname":"foreign"}' >/dev/null
b=$(id cache)
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'was not made by drey for this project'
apply 3 "$m"
assert_eq "$(id cache) $(container_field h1 cache '.State.Status + " " + .Config.Hostname')" "$b created foreign"
engine h1 DELETE '/containers/cache?force=1' >/dev/null
apply 0 "$m"
diff_exits 0 "$m"

echo '# a tag that points to another image now'
write cache 'network_mode: none' 'image: moving:1'
sed -i '/image: busy:1/d' "$m/container-cache.yaml"
engine h1 POST '/images/busy:1/tag?repo=moving&tag=1' >/dev/null
apply 0 "$m"
b=$(id cache)
engine h1 POST '/images/busy:2/tag?repo=moving&tag=1' >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'image moving:1 now means'
apply 0 "$m"
[ "$(id cache)" != "$b" ] || fail 'it was not replaced'
assert_eq "$(container_field h1 cache .Image)" "$(engine h1 GET /images/busy:2/json | jq -r .Id)"
diff_exits 0 "$m"

echo '# a tag deleted under its container: in step, no pull, no failure'
b=$(id cache)
engine h1 DELETE /images/moving:1 >/dev/null
start_faultproxy h1 fault
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/fault.sock)"
diff_exits 0 "$m"
apply 0 "$m"
assert_eq "$(id cache)" "$b"
assert_eq "$(requests fault POST)" 0 'nothing was pulled or changed'
stop_faultproxy fault
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/docker.sock)"
