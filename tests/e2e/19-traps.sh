# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The idempotency traps that an engine can show, by their numbers in docs/traps.md: what a manifest leaves to the image and
# to the daemon, and what engines spell in their own way, is no difference. Not after apply; not after the engine was started
# anew; not with another configuration; not of what was stopped, but for that; and not when the image has lost its name.
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
sed -i 's/\[h1, h2\]/[h1]/' "$m/project.yaml"
rm "$m/host-h2.yaml"
# Every request of drey's to the engine is noted.
start_faultproxy h1 proxy
echo '  docker_socket: /run/proxy.sock' >>"$m/host-h1.yaml"
api=$(engine h1 GET /version | jq -r '.ApiVersion | ltrimstr("1.")')

config='{"Entrypoint":["/bin/sh","-c"],"Cmd":["exec forever"],"Env":["PATH=/bin","FOO=image","BAR=image"],
	"Labels":{"one":"image","two":"image"},"Volumes":{"/vol":{},"/vol2/":{}},"User":"1000:1000","WorkingDir":"/tmp",
	"ExposedPorts":{"80/tcp":{},"53/udp":{}},"StopSignal":"SIGKILL",
	"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":60000000000,"StartPeriod":5000000000,"Retries":6}}'
fleet image rich:1 --hosts h1 --config "$config"
fleet image none:1 --hosts h1 --config '{"Entrypoint":["forever"],"StopSignal":"9","Healthcheck":{"Test":["NONE"]}}'

# made TRAPS NAME IMAGE [LINE]...: a container that shows these traps, and is not started.
made() {
	write_document "$m" Container "$2" "image: $3" 'state: stopped' "${@:4}"
}

# runs TRAPS NAME IMAGE [LINE]...: one that runs, also after the engine was started anew.
running=()
runs() {
	write_document "$m" Container "$2" "image: $3" 'restart: always' 'monitor: 0s' "${@:4}"
	running+=("$2")
}

# not_kept: resources that do not stay as they are, each with its verdict and the fields that differ.
not_kept() {
	jq -c '[.hosts[].actions[] | select(.verdict != "keep") | [.resource, .verdict, ([.changes[].path] | join(" "))]]' \
		"$WORK/stdout"
}

# --- what the engine adds to networks and volumes: subnets of the family that is not written, and gateways
write_document "$m" Network six 'hosts: [h1]' 'enable_ipv6: true' 'ipam: { config: [{ subnet: "FD01:0::/64" }] }'
write_document "$m" Network both 'hosts: [h1]' 'enable_ipv6: true' \
	'ipam: { config: [{ subnet: 10.55.0.0/16, ip_range: 10.55.3.0/24, aux_addresses: { a: 10.55.0.10 } },
    { subnet: "fd02::/64", gateway: "FD02:0::9" }] }'
write_document "$m" Network plain 'hosts: [h1]' 'ipam: { driver: default }' 'internal: false' 'labels: [a=]'
[ "$api" -lt 47 ] || write_document "$m" Network given 'hosts: [h1]' 'enable_ipv6: true' \
	'ipam: { config: [{ subnet: 10.56.0.0/16 }] }'
[ "$api" -lt 48 ] || write_document "$m" Network only-six 'hosts: [h1]' 'enable_ipv4: false' 'enable_ipv6: true'
write_document "$m" Volume named 'hosts: [h1]' 'driver: local' 'driver_opts: {}'

# --- what the image brings
made 1,2,3,4,5,6,7,41 all rich:1
made 1,2 values rich:1 'environment: { FOO: mine, NEW: "", PATH: /bin }' 'labels: { one: mine, three: "" }'
made 1,2,3,4,5,33 empty rich:1 'command: []' 'user: ""' 'environment: {}' 'labels: {}' 'expose: []'
made 3 command rich:1 'command: ["exec sleep 1000"]'
made 3 entrypoint rich:1 'entrypoint: forever'
made 3 no-entrypoint rich:1 'entrypoint: []' 'command: forever'
made 4,37 process rich:1 'user: root' 'working_dir: /var/' 'stop_signal: "15"' 'stop_grace_period: 10s'
made 5,22 ports rich:1 'ports: ["8000-8002:80", "08053:053/udp", "[::1]:8003:80"]' 'expose: [80, "100-101"]'
made 6 anonymous rich:1 'volumes: [/vol, { type: volume, target: /vol2 }]'
made 6,28 volumes rich:1 'volumes: ["named:/vol", "/srv:/vol2:ro", "named:/other:nocopy"]'
made 6,29 memory rich:1 'tmpfs: ["/vol:size=1m,mode=755"]' 'volumes: [{ type: tmpfs, target: /vol2, tmpfs: { size: 1m, mode: "0750" } }]'
made 7 health rich:1 'healthcheck: { interval: 7s }'
made 7 test rich:1 'healthcheck: { test: "exit 0", retries: 1 }'
made 7 disabled rich:1 'healthcheck: { disable: true }'
made 7 none rich:1 'healthcheck: { test: [NONE] }'
made 7 off none:1
made 7 tuned none:1 'healthcheck: { interval: 3s }'
made 3,7 on none:1 'healthcheck: { test: [CMD, "true"] }' 'command: [x]'

# --- what the daemon fills in
made 8 policy busy:1 'restart: on-failure:0'
made 9 swap busy:1 'mem_limit: 64m'
made 9 swap-any busy:1 'mem_limit: 64m' 'memswap_limit: -1'
made 10,11,21 written busy:1 'shm_size: 96m' 'ipc: private' 'cgroup: host' 'init: false'
made 12 limits busy:1 'pids_limit: 0' 'mem_swappiness: 60' 'oom_kill_disable: false'
made 12 no-limits busy:1 'pids_limit: -1' 'cpu_shares: 0' 'mem_limit: 0'
made 13 runtime busy:1 'runtime: runc'
made 14 bridge busy:1 'network_mode: bridge'
runs 15 parent busy:1 'networks: [plain]' 'ipc: shareable'
runs 15,16 child busy:1 'network_mode: service:parent' 'ipc: service:parent' 'pid: service:parent'
runs 16,23 host-network busy:1 'network_mode: host'
made 16 named busy:1 'hostname: web' 'domainname: example.com'
made 17 log busy:1 'logging: { driver: json-file, options: { max-file: "2" } }'
made 17 log-driver busy:1 'logging: { driver: local }'
made 18 ulimits busy:1 'ulimits: { nproc: 512 }'
runs 10,11,13,14,16,17,18,20,21,30,39 plain-run busy:1
made 20,23 mighty busy:1 'privileged: true'
made 23 mighty-ports busy:1 'privileged: true' 'ports: ["8010:80"]'

# --- what has many spellings
runs 22 published web:1 'ports: ["8020:80", "127.0.0.1:8021:80/tcp", "8022-8023:90-91/udp", "0.0.0.0:8024:92", "93"]'
made 25 capabilities busy:1 'cap_add: [net_admin, CAP_SYS_TIME]' 'cap_drop: [all]'
made 26 cpus busy:1 'cpus: "0.7"'
made 26 quota busy:1 'cpu_period: 100ms' 'cpu_quota: 70000'
made 27 devices busy:1 'devices: ["/dev/null", "/dev/zero:/dev/nothing", "/dev/full:/dev/full:r"]'
made 28 mounts busy:1 'volumes: ["/srv:/a/../srv//:ro", { type: bind, source: /home, target: /home, bind: { propagation: rslave } },
    { type: volume, source: named, target: /named/, read_only: false }]'
made 29 tmpfs busy:1 'tmpfs: [/run, "/tmp:rw,size=1m,noexec"]'
runs 30,31 alias busy:1 'networks: { plain: { aliases: [www] }, both: { ipv4_address: 10.55.0.7, ipv6_address: "FD02::0:7" } }'
runs 31 alias-named busy:1 'hostname: www' 'networks: { plain: { aliases: [www, web] } }'
made 32,33,40 order busy:1 'networks: { plain: {}, both: {} }' 'dns: [10.0.0.2, 10.0.0.1]' 'cap_add: [SYS_TIME, CHOWN]' \
	'extra_hosts: { b: 10.0.0.2, a: 10.0.0.1 }' 'group_add: ["2", "1"]' 'environment: [B=1, A=2]'
made 33 nothing busy:1 'environment: []' 'labels: {}' 'dns: []' 'cap_add: []' 'ports: []' 'volumes: []' 'extra_hosts: {}' \
	'sysctls: {}' 'devices: []' 'tmpfs: []'
made 35 long-name docker.io/library/busy:1
made 38 attached busy:1 'tty: true' 'stdin_open: true'
write_document "$m" Container once 'image: oneshot:1' 'state: completed'
[ "$api" -lt 44 ] || made 7 newer rich:1 'healthcheck: { start_interval: 2s }'
[ "$api" -lt 44 ] || runs 30 mac rich:1 'networks: { plain: { mac_address: 02-42-0A-00-00-0A, aliases: [www] } }'
[ "$api" -lt 45 ] || made 28 subpath busy:1 'volumes: [{ type: volume, source: named, target: /v, volume: { subpath: a/b } }]'
[ "$api" -lt 48 ] || made 31 gateway busy:1 'networks: { plain: { gw_priority: 5 } }'
[ "$api" -lt 49 ] || runs 31 interface busy:1 'networks: { only-six: { interface_name: lan0 }, plain: { interface_name: lan1 } }'

step 'made and read back'
# 39: what the client's surroundings say of proxies is no part of a container.
mkdir -p "$HOME/.docker"
echo '{"proxies":{"default":{"httpProxy":"http://proxy.example.com:3128"}}}' >"$HOME/.docker/config.json"
HTTP_PROXY=http://proxy.example.com:3128 apply 0 "$m"
assert_eq "$(container_field h1 plain-run '.Config.Env | map(select(test("proxy"; "i"))) | length')" 0
diff_exits 0 "$m"
if [ "$api" -ge 49 ]; then
	inside=$(fleet exec h1 nsenter -t "$(container_field h1 interface .State.Pid)" -n ip -br -4 address)
	assert_eq "$(awk '{ sub("@.*", "", $1); print $1 }' <<<"$inside" | xargs)" 'lo lan1' "$inside"
fi

step 'another version of drey, or another revision, is no difference'
# 40: the digest on an object is information.
id=$(container_field h1 order .Id)
order=$(engine h1 GET /containers/order/json | jq -c '. as $is | .Config + {HostConfig, NetworkingConfig: {EndpointsConfig: {plain: {}}}}
	| del(.Hostname, .MacAddress) | .Labels["drey.spec"] = "0" | .Labels["drey.revision"] = "old"')
engine h1 DELETE "/containers/$id"
engine h1 POST '/containers/create?name=order' "$order" >/dev/null
engine h1 POST /networks/both/connect '{"Container":"order"}'
diff_exits 0 "$m"

step 'the engine is started anew'
# restarted: what runs is there again, and nothing differs. Only what shares another's namespaces may have come before it,
# and is down then.
restarted() {
	fleet stop h1 engine
	fleet start h1 engine
	"$DREY" diff -f "$m" -o json >stdout || :
	assert_eq "$(not_kept | jq -c 'map(select(. != ["Container/child@h1", "update", "state"]))')" '[]'
}
restarted
apply 0 "$m"

step 'what runs is stopped'
for name in "${running[@]}"; do
	engine h1 POST "/containers/$name/stop?t=0"
done
diff_exits 1 "$m" -o json
printf '["Container/%s@h1","update","state"]\n' "${running[@]}" | jq -cs sort >wanted
assert_eq "$(not_kept | jq -c sort)" "$(<wanted)"
apply 0 "$m"
diff_exits 0 "$m"

step 'the engine is started anew with another configuration'
daemon=$(host_path h1 /etc/docker/daemon.json)
cp "$daemon" "$WORK/daemon.json"
# Whoever comes next has the engine as it was.
trap 'cp "$WORK/daemon.json" "$daemon"; fleet stop h1 engine; fleet start h1 engine' EXIT
jq '. + { "log-driver": "local", "log-opts": { "max-size": "5m" }, "init": true, "default-shm-size": "32M",
	"default-ulimits": { "nofile": { "Name": "nofile", "Soft": 512, "Hard": 1024 } }, "default-ipc-mode": "shareable",
	"default-cgroupns-mode": "private", "dns": ["10.1.1.1"], "live-restore": false }' "$WORK/daemon.json" >"$daemon"
restarted

step 'and what was made under the one is in step with the other, both ways'
all=$(engine h1 GET '/containers/json?all=1' | jq -r '.[].Names[0]')
for name in $all; do
	engine h1 DELETE "/containers$name?force=1&v=1"
done
apply 0 "$m"
diff_exits 0 "$m"
cp "$WORK/daemon.json" "$daemon"
restarted
apply 0 "$m"
diff_exits 0 "$m"

step 'an image that has lost its name, and a name that has come to mean another image'
engine h1 DELETE '/images/rich:1?force=1&noprune=1' >/dev/null
diff_exits 0 "$m"
fleet image rich:1 --hosts h1 --config "${config/BAR=image/BAR=changed}"
diff_exits 1 "$m" -o json
assert_eq "$(jq -r '.hosts[].actions[] | select(.resource == "Container/values@h1") | [.changes[].path] | join(" ")' \
	"$WORK/stdout")" 'image environment.BAR'
assert_eq "$(jq -r '[.hosts[].actions[] | select(.verdict != "keep") | .verdict] | unique | join(" ")' "$WORK/stdout")" replace
for name in off tuned on once plain-run; do
	assert_eq "$(jq -r ".hosts[].actions[] | select(.resource == \"Container/$name@h1\") | .verdict" "$WORK/stdout")" keep
done

step 'moved to another network than the one it was made on, which goes'
rm "$m"/container-*.yaml
for name in front back; do
	write_document "$m" Network "$name" 'hosts: [h1]'
done
running=()
runs 44 moved busy:1 'networks: [front]'
apply 0 "$m"
rm "$m/network-front.yaml"
runs 44 moved busy:1 'networks: [back]'
diff_exits 1 "$m" -o json
if [ "$api" -lt 44 ]; then
	moved='["Container/moved@h1","update","networks.front networks.back"]'
else
	moved='["Container/moved@h1","replace","networks.front networks.back network_mode"]'
fi
assert_eq "$(not_kept | jq -c 'map(select(.[0] == "Container/moved@h1")) | .[]')" "$moved"
there() {
	engine h1 GET /networks | jq -r '[.[].Name | select(. == "front" or . == "back")] | sort | join(" ")'
}
moved() {
	container_field h1 moved '.State.Status + " on " + (.NetworkSettings.Networks | keys | join(" "))'
}
# One that does not start: the old one is back, and what it needs stays.
runs 44 moved busy:1 'networks: [back]' 'command: ["/nowhere"]'
apply 3 "$m" --prune --max-removals 100
assert_eq "$(moved), $(there)" 'running on front, back front'
# Somebody moves it live, and takes away the network that it was made on: it has its way back all the same.
engine h1 POST /networks/back/connect '{"Container":"moved"}'
engine h1 POST /networks/front/disconnect '{"Container":"moved"}'
engine h1 DELETE /networks/front
apply 3 "$m"
assert_contains "$WORK/stderr" 'the old container is back in place'
assert_eq "$(moved), $(there)" 'running on back, back'
runs 44 moved busy:1 'networks: [back]'
apply 0 "$m" --prune --max-removals 100
restarted
assert_eq "$(moved), $(there)" 'running on back, back'

step 'what is removed from the manifest is removed, and nothing besides'
# 34: of the environment, of labels; 43: nothing is ever removed in bulk, which takes more on older engines.
engine h1 POST /volumes/create '{"Name":"foreign"}' >/dev/null
rm "$m"/container-*.yaml
made 34,43 removal busy:1 'environment: { A: "1", B: "2" }' 'labels: { a: "1", b: "2" }' 'ports: ["8030:80", "8031:81"]' \
	'volumes: ["named:/a", "named:/b"]'
apply 0 "$m" --prune --max-removals 100
made 34,43 removal busy:1 'environment: { A: "1" }' 'labels: { a: "1" }' 'ports: ["8030:80"]' 'volumes: ["named:/a"]'
diff_exits 1 "$m" -o json
assert_eq "$(not_kept)" '[["Container/removal@h1","replace","environment.B labels.b ports[8031:81] expose[81/tcp] volumes[named:/b]"]]'
apply 0 "$m"
diff_exits 0 "$m"
assert_eq "$(requests proxy POST '/prune')" 0
engine h1 GET /volumes/foreign >/dev/null
step 'done'
