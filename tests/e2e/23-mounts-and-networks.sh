# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mounts, networks and addresses in all their options, on a real engine: each is applied and then in step; changed it is a
# difference. What an engine is too old for is refused before anything is changed.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml
api=$(engine h1 GET /version | jq -r .ApiVersion)
api=${api#1.}

# in_step: applied, and no difference is left.
in_step() {
	apply 0 m
	diff_exits 0 m
}

# changes NAME: the paths that differ, in one line.
changes() {
	expect_exit 1 "$DREY" diff -f m -o json
	jq -r --arg n "$1" '[.hosts[].actions[] | select(.name == $n) | .changes[].path] | sort | join(" ")' stdout
}

# too_old KIND NAME VERSION LINE...: refused with the version it needs, and nothing is made.
too_old() {
	local kind=$1 name=$2 version=$3
	shift 3
	write_document m "$kind" "$name" "$@"
	expect_exit 3 "$DREY" apply -f m --yes --target "$kind/$name"
	cat stdout stderr >said
	assert_contains said "needs Engine API 1.$version"
	! container_exists h1 "$name" || fail "$name was made without the field"
	rm "m/${kind,,}-$name.yaml"
}

write_document m Network back

# --- mounts ---

mkdir -p "$(host_path h1 /srv/tree)"
write_document m Volume scratch 'driver_opts: { type: tmpfs, device: tmpfs, o: "size=8m,uid=1000" }'
write_document m Container mounts 'image: busy:1' 'volumes:' \
	'  - { type: bind, source: /srv/tree, target: /flat, bind: { recursive: disabled, propagation: private } }' \
	'  - { type: volume, target: /anon, volume: { labels: { com.example.a: b }, driver_config: { name: local } } }' \
	'  - { type: volume, source: scratch, target: /scratch, volume: { nocopy: true } }' \
	'  - { type: tmpfs, target: /mem, tmpfs: { size: 4m, mode: "1770" } }'
in_step
assert_eq "$(container_field h1 mounts '[.HostConfig.Mounts[] | select(.Target == "/flat") | .BindOptions.NonRecursive] | first')" true
container=$(container_field h1 mounts .Id)
engine h1 POST "/containers/$container/restart?t=0"
diff_exits 0 m
sed -i 's/recursive: disabled, //' m/container-mounts.yaml
changes mounts >paths
assert_contains paths '.bind.recursive'
in_step

# --- networks ---

write_document m Network wide 'enable_ipv6: true' 'ipam:' '  config:' \
	'    - { subnet: 10.92.0.0/24, ip_range: 10.92.0.128/25, gateway: 10.92.0.2, aux_addresses: { printer: 10.92.0.9 } }' \
	'    - { subnet: "fd00:92::/64" }' 'driver_opts: { com.docker.network.driver.mtu: "1400" }'
write_document m Container wide 'image: busy:1' 'networks:' \
	'  wide: { ipv4_address: 10.92.0.20, ipv6_address: "FD00:92:0::20", aliases: [broad], link_local_ips: [169.254.8.8] }'
in_step
assert_eq "$(container_field h1 wide '.NetworkSettings.Networks.wide | [.IPAddress, .GlobalIPv6Address] | join(" ")')" \
	'10.92.0.20 fd00:92::20'
engine h1 POST /networks/wide/disconnect '{"Container": "wide", "Force": true}'
assert_eq "$(changes wide)" networks.wide
in_step
sed -i 's/printer: 10.92.0.9/printer: 10.92.0.10/' m/network-wide.yaml
diff_exits 1 m
assert_contains stdout aux_addresses
in_step

for driver in macvlan ipvlan; do
	ip=10.93.$((${#driver})).0
	write_document m Network "$driver" "driver: $driver" "driver_opts: { parent: eth0.${#driver} }" \
		"ipam: { config: [{ subnet: $ip/24 }] }"
	[ "$driver" = macvlan ] || sed -i 's/driver_opts: {/driver_opts: { ipvlan_mode: l3,/' "m/network-$driver.yaml"
done
write_document m Network base 'config_only: true' 'ipam: { config: [{ subnet: 10.94.0.0/24 }] }'
write_document m Network derived 'driver: bridge' 'config_from: base'
expect_exit 0 "$DREY" apply -f m --yes
diff_exits 0 m
rm m/network-{macvlan,ipvlan,derived,base}.yaml
apply 0 m --prune

# --- hardware addresses ---

write_document m Container mac 'image: busy:1' 'mac_address: 02-42-AC-11-65-43' 'networks: [back]'
in_step
assert_eq "$(container_field h1 mac .NetworkSettings.Networks.back.MacAddress)" 02:42:ac:11:65:43
sed -i 's/65-43/65-44/' m/container-mac.yaml
changes mac >paths
assert_contains paths mac_address
sed -i '/mac_address/d' m/container-mac.yaml
[ "$api" -ge 44 ] || assert_eq "$(changes mac)" mac_address

# --- too new ---

[ "$api" -ge 44 ] || {
	too_old Container gate 44 'image: busy:1' 'networks: { back: { mac_address: "02:42:ac:11:65:43" } }'
	too_old Container gate 44 'image: busy:1' 'healthcheck: { test: "true", start_interval: 1s }'
	too_old Container gate 44 'image: busy:1' \
		'volumes: [{ type: bind, source: /srv, target: /s, read_only: true, bind: { recursive: writable } }]'
	too_old Container gate 45 'image: busy:1' 'volumes: [{ source: scratch, target: /s, volume: { subpath: a } }]'
}
[ "$api" -ge 48 ] || {
	too_old Container gate 46 'image: busy:1' \
		'volumes: [{ type: tmpfs, target: /s, tmpfs: { options: [noexec] } }]' || :
	too_old Container gate 48 'image: busy:1' 'networks: { back: { gw_priority: 1 } }'
	too_old Container gate 48 'image: busy:1' 'volumes: [{ type: image, source: busy:2, target: /s }]'
}
if [ "$api" -ge 48 ]; then
	write_document m Container new 'image: busy:1' 'annotations: { a: b }' \
		'healthcheck: { test: "true", start_period: 5s, start_interval: 1s }' 'networks:' \
		'  back: { gw_priority: 5, mac_address: "02:42:ac:11:65:45" }' '  wide: { gw_priority: 1 }' 'volumes:' \
		'  - { type: image, source: busy:2, target: /image }' \
		'  - { type: tmpfs, target: /mem, tmpfs: { options: [noexec] } }' \
		'  - { type: bind, source: /srv/tree, target: /tree, read_only: true, bind: { recursive: writable } }'
	in_step
	assert_eq "$(container_field h1 new '[.HostConfig.Mounts[] | select(.Type == "image")] | length')" 1
	sed -i 's/gw_priority: 5/gw_priority: 9/' m/container-new.yaml
	changes new >paths
	assert_contains paths gw_priority
fi
