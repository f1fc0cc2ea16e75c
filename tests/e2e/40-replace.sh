# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container is replaced and loses nothing; one that can't take over gives the place back; what an engine can change in
# place is not replaced.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml

ipam=
# web IMAGE [LINE]...: its manifest, with more lines.
web() {
	cat >m/web.yaml <<-END
		apiVersion: drey/v1
		kind: Network
		metadata: { name: front }
		spec: { $ipam }
		---
		apiVersion: drey/v1
		kind: Network
		metadata: { name: back }
		---
		apiVersion: drey/v1
		kind: Volume
		metadata: { name: data }
		---
		apiVersion: drey/v1
		kind: Container
		metadata: { name: web }
		spec:
		  image: $1
		  monitor: 1s
		  restart: on-failure:7
		  networks: { front: { aliases: [site] }, back: {} }
		  volumes: ["data:/data", /scratch]
	END
	shift
	printf '  %s\n' "$@" >>m/web.yaml
}

in_step() {
	expect_exit 0 "$DREY" diff -f m
}

anonymous() {
	container_field h1 web '.Mounts[] | select(.Destination == "/scratch").Name'
}

web busy:1
expect_exit 0 "$DREY" apply -f m --yes
in_step
volume=$(anonymous)
docker_on_h1 exec web sh -c 'echo precious >/data/file; echo passing >/scratch/file'

# Another image: a new container with the old one's volumes, both networks, its policy.
old=$(container_field h1 web .Id)
web busy:2
expect_exit 1 "$DREY" diff -f m
assert_contains stdout '~ Container/web  replace   (stops the service)'
assert_contains stdout 'busy:1 -> busy:2'
expect_exit 0 "$DREY" apply -f m --yes
in_step
[ "$(container_field h1 web .Id)" != "$old" ] || fail "it is the same container"
container_exists h1 "$old" && fail "the old container is still there"
assert_eq "$(anonymous)" "$volume" "anonymous volume"
assert_eq "$(docker_on_h1 exec web cat /data/file /scratch/file | tr '\n' ' ')" 'precious passing '
assert_eq "$(container_field h1 web '.NetworkSettings.Networks | keys | join(" ")')" 'back front'
assert_eq "$(container_field h1 web '.HostConfig.RestartPolicy | "\(.Name):\(.MaximumRetryCount)"')" on-failure:7

# One that crashes at once: the old one is back, running, with its policy, and the error has the last lines.
old=$(container_field h1 web .Id)
web busy:1 'restart: always' 'command: [sh, -c, "echo last words; exit 3"]'
sed -i '/on-failure:7/d' m/web.yaml
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'last words'
assert_contains stderr 'the old container is back in place'
assert_eq "$(container_field h1 web '.Id + " " + .State.Status')" "$old running"
assert_eq "$(container_field h1 web .HostConfig.RestartPolicy.Name)" on-failure
container_exists h1 web.drey-new && fail "web.drey-new is left"
container_exists h1 web.drey-old && fail "web.drey-old is left"
web busy:2
in_step

# A port that is taken: the engine's words, who has it, and the old one back.
docker_on_h1 run -d --name other -p 8088:80 busy:1 >/dev/null
web busy:2 'ports: ["8088:80"]'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'port is already allocated'
assert_contains stderr "container 'other' publishes it"
assert_eq "$(container_field h1 web '.Id + " " + .State.Status')" "$old running"

# Changed in place: the same container.
web busy:2 'mem_limit: 64m' 'cpu_shares: 300'
expect_exit 0 "$DREY" apply -f m --yes
in_step
assert_eq "$(container_field h1 web '"\(.Id) \(.HostConfig.Memory) \(.HostConfig.MemorySwap)"')" "$old 67108864 134217728"
docker_on_h1 rename web wobble
docker_on_h1 network disconnect back wobble
docker_on_h1 stop wobble >/dev/null
expect_exit 1 "$DREY" diff -f m
assert_contains stdout 'wobble -> web'
assert_contains stdout 'networks.back'
assert_contains stdout 'exited -> running'
expect_exit 0 "$DREY" apply -f m --yes
in_step
assert_eq "$(container_field h1 web .Id)" "$old"

# A network made anew under its container; and one that can't be is back as it was.
ipam='ipam: { config: [{ subnet: 172.30.7.0/24 }] }'
web busy:2 'mem_limit: 64m' 'cpu_shares: 300'
expect_exit 0 "$DREY" apply -f m --yes
in_step
assert_eq "$(container_field h1 web '.Id + " " + .State.Status')" "$old running"
assert_contains <(container_field h1 web '.NetworkSettings.Networks.front | .IPAddress, .Aliases[]') 172.30.7.
assert_contains <(container_field h1 web '.NetworkSettings.Networks.front.Aliases[]') site
ipam='ipam: { config: [{ subnet: 172.17.0.0/24 }] }'
web busy:2 'mem_limit: 64m' 'cpu_shares: 300'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'the network is back as it was'
assert_contains <(container_field h1 web .NetworkSettings.Networks.front.IPAddress) 172.30.7.

# Those that share a container's namespaces follow it.
ipam='ipam: { config: [{ subnet: 172.30.7.0/24 }] }'
web busy:2 'mem_limit: 64m' 'cpu_shares: 300'
cat >m/tail.yaml <<-END
	apiVersion: drey/v1
	kind: Container
	metadata: { name: tail }
	spec: { image: "busy:1", monitor: 500ms, network_mode: "service:web" }
END
expect_exit 0 "$DREY" apply -f m --yes
web busy:1
expect_exit 1 "$DREY" diff -f m
assert_contains stdout 'Container/web, which its network_mode names, is replaced'
expect_exit 0 "$DREY" apply -f m --yes
in_step
assert_eq "$(container_field h1 tail .HostConfig.NetworkMode)" "container:$(container_field h1 web .Id)"
assert_eq "$(container_field h1 tail .State.Status)" running

# They are one: if one of them can't take over, all go back, and share again.
shared() {
	assert_eq "$(container_field h1 tail .HostConfig.NetworkMode)" "container:$(container_field h1 web .Id)" "$1"
	assert_eq "$(docker_on_h1 exec tail grep -c eth /proc/net/dev)" 2 "$1"
	assert_eq "$(engine h1 GET '/containers/json?all=1' | jq -r '[.[] | .Names[0] + ":" + .State] | sort | join(" ")')" \
		'/other:running /tail:running /web:running' "$1"
}
tail_of() {
	printf 'apiVersion: drey/v1\nkind: Container\nmetadata: { name: tail }\nspec: { monitor: 500ms, network_mode: "service:web", %s }\n' \
		"$1" >m/tail.yaml
}
both() {
	container_field h1 web '.Id + " " + .State.StartedAt'
	container_field h1 tail .Id
}
shared 'all is well'
old=$(both | sed 's/ .*//')
web busy:2
tail_of 'image: "busy:2", command: [sh, -c, "echo last words of tail; exit 3"]'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'tail, which shares its namespaces: '
assert_contains stderr 'last words of tail'
assert_contains stderr 'the old container is back in place'
assert_eq "$(both | sed 's/ .*//')" "$old"
shared 'the sharer fails'

# What is known to fail beforehand stops nobody.
old=$(both)
tail_of 'image: "nowhere.example/none:1", pull_policy: never'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'image nowhere.example/none:1 is not on the host'
assert_eq "$(both)" "$old"
tail_of 'image: "busy:2"'
docker_on_h1 run -d --name other-tail --network container:web busy:1 >/dev/null
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "container 'other-tail', which was not made by drey, shares its namespaces"
assert_eq "$(both | head -n 1)" "$(head -n 1 <<<"$old")"
docker_on_h1 rm -f other-tail >/dev/null
expect_exit 0 "$DREY" apply -f m --yes
in_step
shared 'and then it goes'

# One that is only started again has new namespaces: its sharers are started again in them.
docker_on_h1 stop web >/dev/null
expect_exit 0 "$DREY" apply -f m --yes
in_step
shared 'it was stopped'

# A network that its manifest leaves to others: it stays on it, whatever else changes.
rm m/tail.yaml
docker_on_h1 rm -f tail >/dev/null
docker_on_h1 network create theirs >/dev/null
docker_on_h1 network connect theirs web
web busy:2 'mem_limit: 80m' 'cpu_shares: 300'
sed -i 's/^metadata: { name: web }/metadata: { name: web, ignore: [networks] }/' m/web.yaml
expect_exit 0 "$DREY" apply -f m --yes
in_step
assert_eq "$(container_field h1 web '.NetworkSettings.Networks | keys | join(" ")')" 'back front theirs'
sed -i 's/, ignore: .networks.//' m/web.yaml
expect_exit 0 "$DREY" apply -f m --yes
in_step
assert_eq "$(container_field h1 web '.NetworkSettings.Networks | keys | join(" ")')" 'back front'

# One that removes itself when it is stopped has its name until the engine is done with that, which takes a while here.
rm m/web.yaml
write_document m Container brief 'image: busy:1' 'network_mode: host' 'monitor: 200ms'
brief_by_hand() {
	local body
	body=$(container_field h1 brief '.Config + {Hostname: "", HostConfig: (.HostConfig + {AutoRemove: true, RestartPolicy: {}})}')
	docker_on_h1 rm -f brief >/dev/null
	engine h1 POST '/containers/create?name=brief' "$body" >/dev/null
	docker_on_h1 start brief >/dev/null
	docker_on_h1 exec brief sh -c 'i=0; while [ $i -lt 30000 ]; do : >/f$i; i=$((i + 1)); done'
}
expect_exit 0 "$DREY" apply -f m --yes
brief_by_hand
expect_exit 1 "$DREY" diff -f m
assert_contains stdout 'removes it as soon as it is stopped'
expect_exit 0 "$DREY" apply -f m --yes
in_step

# There is no way back from that: the new one stays.
brief_by_hand
write_document m Container brief 'image: busy:2' 'network_mode: host' 'monitor: 200ms' \
	'command: [sh, -c, "echo last words of brief; exit 3"]'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'last words of brief'
assert_contains stderr 'nothing to go back to'
assert_eq "$(container_field h1 brief '.Config.Image + " " + .State.Status')" 'busy:2 exited'
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq -r '[.[].Names[0] | select(startswith("/brief"))] | join(" ")')" /brief
write_document m Container brief 'image: busy:2' 'network_mode: host' 'monitor: 200ms'
expect_exit 0 "$DREY" apply -f m --yes
in_step

# One that fails, and the way back ended before its last step: the next one that fails knows that it ran.
start_faultproxy h1 lost --rule 'POST /containers/.*/start nth=2- drop=before'
write_near_host m /run/lost.sock
rm -f m/project.yaml m/host-h1.yaml
write_document m Container brief 'image: busy:1' 'network_mode: host' 'monitor: 200ms' 'command: [sh, -c, "exit 3"]'
expect_exit 3 "$DREY" apply -f m --yes
stop_faultproxy lost
assert_eq "$(container_field h1 brief '.Config.Image + " " + .State.Status')" 'busy:2 exited'
write_near_host m /run/docker.sock
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'the old container is back in place'
assert_eq "$(container_field h1 brief '.Config.Image + " " + .State.Status')" 'busy:2 running'
write_document m Container brief 'image: busy:2' 'network_mode: host' 'monitor: 200ms'
expect_exit 0 "$DREY" apply -f m --yes
in_step
