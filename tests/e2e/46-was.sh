# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# metadata.was: a resource gets another name and loses nothing.
. "$(dirname "$0")/lib.sh"

mkdir -p m
# names CONTAINER NETWORK VOLUME WAS_CONTAINER WAS_NETWORK WAS_VOLUME
names() {
	cat >m/all.yaml <<-END
		apiVersion: drey/v1
		kind: Project
		metadata: { name: test }
		spec: { prune: true }
		---
		apiVersion: drey/v1
		kind: Host
		metadata: { name: h1 }
		spec: { address: "unix://$(host_path h1 /run/docker.sock)" }
		---
		apiVersion: drey/v1
		kind: Network
		metadata: { name: $2, was: $5 }
		---
		apiVersion: drey/v1
		kind: Volume
		metadata: { name: $3, was: $6 }
		---
		apiVersion: drey/v1
		kind: Container
		metadata: { name: $1, was: $4 }
		spec:
		  image: ${image:-busy:1}
		  monitor: 200ms
		  networks: { $2: { aliases: [site] } }
		  volumes: ["$3:/data"]
	END
}

names web front data '[]' '[]' '[]'
apply 0 m
docker_on_h1 exec web sh -c 'echo precious >/data/file'
old=$(container_field h1 web '.Id + .State.StartedAt')

# From Engine 25 on a container does not start without the network that it was made on: under one that has another name by
# then it would be lost.
network=edge was='[front]'
if [ "$(engine h1 GET /version | jq -r '.ApiVersion | ltrimstr("1.")')" -ge 44 ]; then
	names shop edge stock '[web]' '[front]' '[data]'
	diff_exits 1 m
	assert_contains stdout "container 'web' could not follow"
	expect_exit 3 "$DREY" apply -f m --yes
	assert_eq "$(container_field h1 web '.Id + .State.StartedAt + (.NetworkSettings.Networks | keys | join(" "))')" "${old}front"
	network=front was='[]'
fi

# Renamed where it runs; the network is made anew under it, where it can be; the volume stays.
names shop $network stock '[web]' "$was" '[data]'
diff_exits 1 m
assert_contains stdout 'web -> shop'
assert_contains stdout ' 0 to remove,'
apply 0 m
diff_exits 0 m
assert_eq "$(container_field h1 shop '.Id + .State.StartedAt')" "$old"
assert_eq "$(container_field h1 shop '.NetworkSettings.Networks | keys | join(" ")')" $network
assert_contains <(container_field h1 shop '.NetworkSettings.Networks.'$network'.Aliases[]') site
assert_eq "$(docker_on_h1 exec shop cat /data/file)" precious
container_exists h1 web && fail 'web is there as well'
assert_eq "$(engine h1 GET /volumes | jq -r '.Volumes[].Name')" data

# The next replacement brings the label; the volume's stays, and so does what it says.
image=busy:2
names shop $network stock '[web]' "$was" '[data]'
apply 0 m
diff_exits 0 m
assert_eq "$(container_field h1 shop '.Config.Labels["drey.name"]')" shop
assert_eq "$(docker_on_h1 exec shop cat /data/file)" precious
names shop $network stock '[]' '[]' '[data]'
diff_exits 0 m

# What is still declared is no earlier name.
write_document m Container web 'image: busy:1'
names shop $network stock '[web]' '[]' '[data]'
expect_exit 2 "$DREY" validate -f m
assert_contains stderr "Container 'web' is still declared"
