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

# From Engine 25 on a container does not start without the network that it was made on. There the new network comes beside
# the old one, the container is made anew on it, and the old one goes; elsewhere the network is made anew under it.
beside=false
[ "$(engine h1 GET /version | jq -r '.ApiVersion | ltrimstr("1.")')" -lt 44 ] || beside=true
networks() {
	engine h1 GET /networks | jq -r '[.[].Name | select(IN("bridge", "host", "none") | not)] | sort | join(" ")'
}

names shop edge stock '[web]' '[front]' '[data]'
diff_exits 1 m
assert_contains stdout 'web -> shop'
if $beside; then
	assert_contains stdout "beside 'front', which goes when its containers have moved"
	assert_contains stdout "'front' has another name now"

	# Who is on it and was not made by drey would lose sight of those that move.
	id=$(engine h1 POST '/containers/create?name=stranger' '{"Image":"busy:1","Cmd":["sleep","99"],"HostConfig":{"NetworkMode":"front"}}' | jq -r .Id)
	engine h1 POST "/containers/$id/start" >/dev/null
	diff_exits 1 m
	assert_contains stdout "container 'stranger' is on it, which was not made by drey, and would be cut off"
	expect_exit 3 "$DREY" apply -f m --yes
	assert_eq "$(container_field h1 web '.Id + .State.StartedAt + (.NetworkSettings.Networks | keys | join(" "))')" "${old}front"

	# Off it, it still needs it for its next start.
	engine h1 POST /networks/create '{"Name":"theirs"}' >/dev/null
	engine h1 POST /networks/theirs/connect "{\"Container\":\"$id\"}"
	engine h1 POST /networks/front/disconnect "{\"Container\":\"$id\"}"
	diff_exits 1 m
	assert_contains stdout "it is kept for container 'stranger'"
	engine h1 DELETE "/containers/$id?force=1" >/dev/null
	engine h1 DELETE /networks/theirs >/dev/null

	# As a plan that was saved, with what goes in it.
	expect_exit 1 "$DREY" diff -f m --out plan.json
	expect_exit 0 "$DREY" apply -f m plan.json
	assert_eq "$(container_field h1 shop .State.Running)" true
else
	assert_contains stdout ' 0 to remove,'
	apply 0 m
	assert_eq "$(container_field h1 shop '.Id + .State.StartedAt')" "$old"
fi
diff_exits 0 m
assert_eq "$(networks)" edge
assert_eq "$(container_field h1 shop '.NetworkSettings.Networks | keys | join(" ")')" edge
assert_contains <(container_field h1 shop '.NetworkSettings.Networks.edge.Aliases[]') site
assert_eq "$(docker_on_h1 exec shop cat /data/file)" precious
container_exists h1 web && fail 'web is there as well'
assert_eq "$(engine h1 GET /volumes | jq -r '.Volumes[].Name')" data

# The next replacement brings the label; the volume's stays, and so does what it says.
image=busy:2
names shop edge stock '[web]' '[front]' '[data]'
apply 0 m
diff_exits 0 m
assert_eq "$(container_field h1 shop '.Config.Labels["drey.name"]')" shop
assert_eq "$(docker_on_h1 exec shop cat /data/file)" precious
names shop edge stock '[]' '[]' '[data]'
diff_exits 0 m

# What is still declared is no earlier name.
write_document m Container web 'image: busy:1'
names shop edge stock '[web]' '[]' '[data]'
expect_exit 2 "$DREY" validate -f m
assert_contains stderr "Container 'web' is still declared"
