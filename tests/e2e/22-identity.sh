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

write a 'networks: { front: { aliases: [www, db.internal], ipv4_address: 10.93.0.9 } }' 'hostname: host-a'
write b 'network_mode: none' 'hostname: host-b'
apply 0 "$m"
a=$(id a) b=$(id b)

echo '# paused though it should run'
engine h1 POST /containers/a/pause >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'paused -> running'
apply 0 "$m"
assert_eq "$(container_field h1 a '.State.Status + " " + .Id')" "running $a"

echo '# renamed: back, live; two that swapped names too'
engine h1 POST "/containers/b/rename?name=elsewhere" >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'elsewhere -> b'
apply 0 "$m"
assert_eq "$(id b)" "$b"
engine h1 POST "/containers/a/rename?name=between" >/dev/null
engine h1 POST "/containers/b/rename?name=a" >/dev/null
engine h1 POST "/containers/between/rename?name=b" >/dev/null
diff_exits 1 "$m"
apply 0 "$m"
assert_eq "$(id a) $(id b)" "$a $b"
assert_eq "$(container_field h1 a .State.Status) $(container_field h1 b .State.Status)" 'running running'
diff_exits 0 "$m"

echo '# a network removed under a stopped container: made again, with aliases and address'
engine h1 POST /containers/a/stop >/dev/null
engine h1 DELETE /networks/front >/dev/null
diff_exits 1 "$m"
apply 0 "$m"
assert_eq "$(id a)" "$a"
container_field h1 a '.NetworkSettings.Networks.front' >"$WORK/endpoint"
assert_eq "$(jq -r .IPAddress "$WORK/endpoint")" 10.93.0.9
assert_eq "$(jq -c '.Aliases - [.Aliases[] | select(. != "www" and . != "db.internal")] | sort' "$WORK/endpoint")" \
	'["db.internal","www"]'
diff_exits 0 "$m"

echo '# made anew by hand with its labels but other options: each of them is seen'
container_field h1 b .Config.Labels >"$WORK/labels"
engine h1 DELETE '/containers/b?force=1' >/dev/null
engine h1 POST '/containers/create?name=b' "{\"Image\":\"busy:1\",\"Hostname\":\"other\",\"Env\":[\"X=1\"],\"User\":\"7\",
	\"Labels\":$(<"$WORK/labels"),\"HostConfig\":{\"NetworkMode\":\"none\",\"Memory\":67108864,\"CapAdd\":[\"NET_ADMIN\"],
	\"RestartPolicy\":{\"Name\":\"always\"},\"Dns\":[\"10.0.0.53\"],\"Tmpfs\":{\"/scratch\":\"\"}}}" >/dev/null
b=$(id b)
expect_exit 1 "$DREY" diff -f "$m" -o json
assert_eq "$(jq -r '[.hosts[].actions[] | select(.name == "b") | .changes[].path | split("[")[0] | split(".")[0]] | unique |
	join(" ")' "$WORK/stdout")" 'cap_add dns environment hostname mem_limit memswap_limit restart state tmpfs user'
assert_eq "$(jq -r '.hosts[].actions[] | select(.name == "b") | .verdict' "$WORK/stdout")" replace
apply 0 "$m"
[ "$(id b)" != "$b" ] || fail 'it was not replaced'
assert_eq "$(container_field h1 b .Config.Hostname)" host-b
diff_exits 0 "$m"

echo '# without its labels: refused, and not touched'
engine h1 DELETE '/containers/b?force=1' >/dev/null
engine h1 POST '/containers/create?name=b' '{"Image":"busy:1","Hostname":"foreign"}' >/dev/null
b=$(id b)
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'was not made by drey for this project'
apply 3 "$m"
assert_eq "$(id b) $(container_field h1 b '.State.Status + " " + .Config.Hostname')" "$b created foreign"
engine h1 DELETE '/containers/b?force=1' >/dev/null
apply 0 "$m"
diff_exits 0 "$m"

echo '# a tag that points to another image now'
write b 'network_mode: none' 'image: moving:1'
sed -i '/image: busy:1/d' "$m/container-b.yaml"
engine h1 POST '/images/busy:1/tag?repo=moving&tag=1' >/dev/null
apply 0 "$m"
b=$(id b)
engine h1 POST '/images/busy:2/tag?repo=moving&tag=1' >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'image moving:1 now means'
apply 0 "$m"
[ "$(id b)" != "$b" ] || fail 'it was not replaced'
assert_eq "$(container_field h1 b .Image)" "$(engine h1 GET /images/busy:2/json | jq -r .Id)"
diff_exits 0 "$m"

echo '# a tag deleted under its container: in step, no pull, no failure'
b=$(id b)
engine h1 DELETE /images/moving:1 >/dev/null
start_faultproxy h1 fault
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/fault.sock)"
diff_exits 0 "$m"
apply 0 "$m"
assert_eq "$(id b)" "$b"
assert_eq "$(requests fault POST)" 0 'nothing was pulled or changed'
stop_faultproxy fault
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/docker.sock)"
