# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a manifest leaves to the image and to the daemon is no difference: part of it overridden, after the engine was
# restarted with another configuration, and when the image has lost its name; and what it overrides is one.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
sed -i 's/\[h1, h2\]/[h1]/' "$m/project.yaml"
rm "$m/host-h2.yaml"
api=$(engine h1 GET /version | jq -r '.ApiVersion | ltrimstr("1.")')

config='{"Entrypoint":["/bin/sh","-c"],"Cmd":["exec forever"],"Env":["PATH=/bin","FOO=image","BAR=image"],
	"Labels":{"one":"image","two":"image"},"Volumes":{"/vol":{},"/vol2/":{}},"User":"1000:1000","WorkingDir":"/tmp",
	"ExposedPorts":{"80/tcp":{},"53/udp":{}},"StopSignal":"SIGKILL",
	"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":60000000000,"StartPeriod":5000000000,"Retries":6}}'
fleet image rich:1 --hosts h1 --config "$config"
fleet image none:1 --hosts h1 --config '{"Entrypoint":["forever"],"StopSignal":"9","Healthcheck":{"Test":["NONE"]}}'

# made NAME IMAGE [LINE]...: a container that is made and not started.
made() {
	local name=$1 image=$2
	shift 2
	write_document "$m" Container "$name" "image: $image" 'state: stopped' "$@"
}

# The engine adds subnets of the family that is not written, and gateways.
write_document "$m" Network six 'hosts: [h1]' 'enable_ipv6: true' 'ipam: { config: [{ subnet: "FD01:0::/64" }] }'
write_document "$m" Network both 'hosts: [h1]' 'enable_ipv6: true' \
	'ipam: { config: [{ subnet: 10.55.0.0/16, ip_range: 10.55.3.0/24, aux_addresses: { a: 10.55.0.10 } },
    { subnet: "fd02::/64", gateway: "FD02:0::9" }] }'
write_document "$m" Network plain 'hosts: [h1]' 'ipam: { driver: default }' 'internal: false' 'labels: [a=]'
[ "$api" -lt 47 ] || write_document "$m" Network given 'hosts: [h1]' 'enable_ipv6: true' \
	'ipam: { config: [{ subnet: 10.56.0.0/16 }] }'
write_document "$m" Volume named 'hosts: [h1]' 'driver: local' 'driver_opts: {}'
made all rich:1
made command rich:1 'command: ["exec sleep 1000"]'
made entrypoint rich:1 'entrypoint: forever'
made no-entrypoint rich:1 'entrypoint: []' 'command: forever'
made empty rich:1 'command: []' 'user: ""' 'environment: {}' 'labels: {}' 'expose: []'
made values rich:1 'environment: { FOO: mine, NEW: "", PATH: /bin }' 'labels: { one: mine, three: "" }'
made process rich:1 'user: root' 'working_dir: /var/' 'stop_signal: "15"'
made health rich:1 'healthcheck: { interval: 7s }'
made test rich:1 'healthcheck: { test: "exit 0", retries: 1 }'
made disabled rich:1 'healthcheck: { disable: true }'
made none rich:1 'healthcheck: { test: [NONE] }'
made anonymous rich:1 'volumes: [/vol, { type: volume, target: /vol2 }]'
made volumes rich:1 'volumes: ["named:/vol", "/srv:/vol2:ro", "named:/other:nocopy"]'
made memory rich:1 'tmpfs: ["/vol:size=1m"]' 'volumes: [{ type: tmpfs, target: /vol2, tmpfs: { size: 1m } }]'
made ports rich:1 'ports: ["8000-8002:80", "08053:053/udp", "[::1]:8003:80"]' 'expose: [80, "100-101"]'
made off none:1
made tuned none:1 'healthcheck: { interval: 3s }'
made on none:1 'healthcheck: { test: [CMD, "true"] }' 'command: [x]'
write_document "$m" Container once 'image: oneshot:1' 'state: completed'
write_document "$m" Container runs 'image: busy:1'
[ "$api" -lt 44 ] || made newer rich:1 'healthcheck: { start_interval: 2s }' \
	'networks: { front: { mac_address: 02-42-0A-00-00-07, aliases: [www] } }'
[ "$api" -lt 44 ] || write_document "$m" Network front
[ "$api" -lt 45 ] || made subpath busy:1 'volumes: [{ type: volume, source: named, target: /v, volume: { subpath: a/b } }]'
[ "$api" -lt 48 ] || made gateway busy:1 'networks: { front: { gw_priority: 5 } }'

echo '# made and read back'
apply 0 "$m"
diff_exits 0 "$m"

echo '# an engine that was restarted with other defaults'
daemon=$(host_path h1 /etc/docker/daemon.json)
cp "$daemon" "$WORK/daemon.json"
# Whoever comes next has the engine as it was.
trap 'cp "$WORK/daemon.json" "$daemon"; fleet stop h1 engine; fleet start h1 engine' EXIT
jq '. + { "log-driver": "local", "log-opts": { "max-size": "5m" }, "init": true, "default-shm-size": "32M",
	"default-ulimits": { "nofile": { "Name": "nofile", "Soft": 512, "Hard": 1024 } }, "default-ipc-mode": "shareable",
	"default-cgroupns-mode": "private", "dns": ["10.1.1.1"], "live-restore": false }' "$WORK/daemon.json" >"$daemon"
fleet stop h1 engine
fleet start h1 engine
diff_exits 1 "$m" -o json
assert_eq "$(jq -c '[.hosts[].actions[] | select(.verdict != "keep") | [.resource, .verdict, [.changes[].path]]]' \
	"$WORK/stdout")" '[["Container/runs@h1","update",["state"]]]'
apply 0 "$m"
rm "$m"/container-{all,ports,runs}.yaml
apply 0 "$m" --prune --max-removals 100
made all rich:1
made ports rich:1 'ports: ["8000-8002:80", "08053:053/udp", "[::1]:8003:80"]' 'expose: [80, "100-101"]'
write_document "$m" Container runs 'image: busy:1'
apply 0 "$m"
diff_exits 0 "$m"

echo '# an image that has lost its name, and a name that has come to mean another image'
engine h1 DELETE '/images/rich:1?force=1&noprune=1' >/dev/null
diff_exits 0 "$m"
fleet image rich:1 --hosts h1 --config "${config/BAR=image/BAR=changed}"
diff_exits 1 "$m" -o json
assert_eq "$(jq -r '.hosts[].actions[] | select(.resource == "Container/values@h1") | [.changes[].path] | join(" ")' \
	"$WORK/stdout")" 'image environment.BAR'
assert_eq "$(jq -r '[.hosts[].actions[] | select(.verdict != "keep") | .verdict] | unique | join(" ")' "$WORK/stdout")" replace
for name in off tuned on once runs; do
	assert_eq "$(jq -r ".hosts[].actions[] | select(.resource == \"Container/$name@h1\") | .verdict" "$WORK/stdout")" keep
done
