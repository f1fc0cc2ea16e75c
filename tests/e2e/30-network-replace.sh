#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A network that is replaced under its containers: all come back with the addresses and aliases they had, running or
# not, declared or no longer; foreign ones are never touched; and wherever drey is killed, the next run gets there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
with() {
	[ ! -e "$WORK/fault.pid" ] || stop_faultproxy fault
	start_faultproxy h1 fault "$@"
	write_near_host "$m" /run/fault.sock
}
# front [LINE]...
front() {
	write_document "$m" Network front 'enable_ipv6: true' \
		'ipam: { config: [{ subnet: 10.91.0.0/24 }, { subnet: "fd91::/64" }] }' "$@"
}
box() {
	write_document "$m" Container "$1" 'image: busy:1' 'monitor: 0s' "${@:2}"
}
# endpoint CONTAINER: what was asked for, without what engines add to the aliases.
endpoint() {
	# shellcheck disable=SC2016 # variables of jq
	container_field h1 "$1" '.Id[0:12] as $short | .Config.Hostname as $host | .NetworkSettings.Networks.front |
		"\(.IPAMConfig.IPv4Address // "-") \(.IPAMConfig.IPv6Address // "-") \(.IPAMConfig.LinkLocalIPs // [] | join(",")) " +
		((.Aliases // []) - [$short, $host] | sort | join(","))'
}
# reaches CONTAINER: its address answers, from the container caller.
reaches() {
	docker_on_h1 exec caller ping -c 1 -W 5 "$1" >/dev/null
}
assert_whole() {
	local network
	network=$(engine h1 GET /networks/front | jq -r .Id)
	assert_eq "$(endpoint fixed)" '10.91.0.10 fd91::10 169.254.9.9 one,two' "${1-}"
	assert_eq "$(endpoint caller)" '- -  ' "${1-}"
	assert_eq "$(endpoint resting)" '10.91.0.11 -  rest' "${1-}"
	assert_eq "$(endpoint gone)" '10.91.0.12 -  ghost' "${1-}"
	assert_eq "$(container_field h1 resting .State.Status)" created "${1-}"
	for name in fixed caller gone; do
		assert_eq "$(container_field h1 "$name" '.State.Status + " " + .NetworkSettings.Networks.front.NetworkID')" \
			"running $network" "$name ${1-}"
	done
	assert_eq "$(engine h1 GET /networks | jq '[.[] | select(.Name | startswith("front"))] | length')" 1 "${1-}"
	assert_eq "$(engine h1 GET /volumes | jq '(.Volumes // []) | length')" 0 "${1-}"
	reaches two
	reaches ghost
}

write_near_host "$m" /run/docker.sock
front
box fixed 'networks: { front: { ipv4_address: 10.91.0.10, ipv6_address: "fd91::10", link_local_ips: [169.254.9.9], aliases: [one, two] } }'
box caller 'networks: [front]' 'depends_on: [fixed]'
box resting 'networks: { front: { ipv4_address: 10.91.0.11, aliases: [rest] } }' 'state: stopped'
box gone 'networks: { front: { ipv4_address: 10.91.0.12, aliases: [ghost] } }'
apply 0 "$m"
rm "$m/container-gone.yaml"
assert_whole
ids=$(docker_on_h1 ps -aq --no-trunc | sort)

echo '# a foreign container on it, running or not: refused, by name, and nothing is done'
for how in 'run -d' create; do
	# shellcheck disable=SC2086 # two words
	docker_on_h1 $how --name stranger --network front busy:1 >/dev/null
	before=$(all_objects h1)
	front 'labels: { v: "0" }'
	diff_exits 1 "$m"
	assert_contains "$WORK/stdout" "container 'stranger'"
	apply 3 "$m"
	assert_eq "$(all_objects h1)" "$before"
	docker_on_h1 rm -f stranger >/dev/null
done

echo '# replaced'
front 'labels: { v: "1" }'
with
diff_exits 1 "$m"
apply 0 "$m"
assert_whole
assert_eq "$(docker_on_h1 ps -aq --no-trunc | sort)" "$ids" 'containers are the same ones'
diff_exits 0 "$m"
total=$(requests fault)
first=$(jq -r 'select(.event == "request") | .method' "$WORK/fault.log" | grep -n POST | head -1 | cut -d: -f1)

echo '# killed at any request: the next run gets there'
# Two points along the way, where the crash tests have them all; DREY_KILL_STEP=1 does so here.
step=${DREY_KILL_STEP:-$(((total - first) / 2))}
n=$first
while [ "$n" -lt "$total" ]; do
	front "labels: { v: \"at-$n\" }"
	odd=$((1 - ${odd:-0}))
	if [ "$odd" = 0 ]; then
		with --rule "* . nth=$n- hang=1"
	else
		with --rule "* . nth=$n drop=after" --rule "* . nth=$((n + 1))- hang=1"
	fi
	"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
	pid=$!
	hangs() {
		[ "$(requests fault)" -ge "$n" ] || ! kill -0 "$pid" 2>/dev/null
	}
	wait_until 60 hangs
	kill -KILL "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
	with
	[ "$odd" = 0 ] || rm -rf "$DREY_STATE_DIR"
	apply 0 "$m"
	assert_whole "killed at $n of $total"
	assert_eq "$(docker_on_h1 ps -aq --no-trunc | sort)" "$ids" "killed at $n of $total"
	diff_exits 0 "$m"
	n=$((n + step))
done

echo '# the new one can not be made: the old one is back, with all on it'
front 'labels: { v: "1" }' 'driver: nonsense'
apply 3 "$m"
assert_contains "$WORK/stderr" 'the network is back as it was'
# Nor where its containers are to have addresses that the old one has not.
cp "$m/container-fixed.yaml" "$WORK/fixed"
write_document "$m" Network front 'enable_ipv6: true' 'driver: nonsense' \
	'ipam: { config: [{ subnet: 10.92.0.0/24 }, { subnet: "fd92::/64" }] }'
box fixed 'networks: { front: { ipv4_address: 10.92.0.10, ipv6_address: "fd92::10", aliases: [one] } }'
apply 3 "$m"
assert_contains "$WORK/stderr" 'the network is back as it was'
assert_eq "$(endpoint fixed)" '10.91.0.10 fd91::10 169.254.9.9 one,two'
reaches two
cp "$WORK/fixed" "$m/container-fixed.yaml"
front 'labels: { v: "1" }'
apply 0 "$m"
assert_whole

echo '# two networks of one name, which old engines allow: told, with their IDs'
if [ "$(engine h1 GET /version | jq -r '.ApiVersion | split(".")[1]')" -lt 44 ]; then
	twin=$(engine h1 POST /networks/create '{"Name":"front"}' | jq -r .Id)
	diff_exits 0 "$m" --all
	assert_contains "$WORK/stdout" "${twin:0:12}"
	engine h1 DELETE "/networks/$twin"
fi
diff_exits 0 "$m"
