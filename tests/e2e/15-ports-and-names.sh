#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is in the way: ports that somebody else has, and containers, networks and volumes that somebody else made. The
# foreign is never touched, what ran goes on running, and metadata.adopt takes over without a restart.
# shellcheck disable=SC2016 # for a shell on the host
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"

state_of() {
	container_field "$1" "$2" '.Id + " " + .State.Status + " " + .State.StartedAt'
}

# create HOST NAME BODY: a container that drey knows nothing of, started.
create() {
	engine "$1" POST "/containers/create?name=$2" "$3" >/dev/null
	engine "$1" POST "/containers/$2/start" >/dev/null
}

only_container() {
	assert_eq "$(engine "$1" GET '/containers/json?all=1' | jq -r '[.[].Names[]] | sort | join(" ")')" "$2" "$1"
}

echo '# a port that another container has, at a creation and at a replacement'
create h1 squatter '{"Image":"web:1","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}}}'
squatter=$(state_of h1 squatter)
write_document "$m" Container web 'image: web:1' 'ports: ["8080:80"]' 'monitor: 0s'
apply 3 "$m"
assert_contains "$WORK/stderr" 'drey: h1: Container/web: failed'
assert_contains "$WORK/stderr" '8080'
assert_contains "$WORK/stderr" 'port is already allocated'
only_container h1 /squatter
assert_eq "$(container_field h2 web .State.Status)" running
write_document "$m" Container web 'image: web:1' 'ports: ["8081:80"]' 'monitor: 0s'
apply 0 "$m"
web=$(container_field h1 web .Id)
write_document "$m" Container web 'image: web:2' 'ports: ["8080:80"]' 'monitor: 0s'
apply 3 "$m"
assert_contains "$WORK/stderr" 'port is already allocated'
assert_contains "$WORK/stderr" 'the old container is back in place'
only_container h1 '/squatter /web'
assert_eq "$(container_field h1 web '.Id + " " + .State.Status + " " + .Config.Image')" "$web running web:1"
assert_eq "$(container_field h2 web .Config.Image)" web:2
fleet exec h1 busybox wget -qO- http://127.0.0.1:8081/ >"$WORK/page"
assert_contains "$WORK/page" 'web 1'
assert_eq "$(state_of h1 squatter)" "$squatter"

echo '# a port that a process of the host has'
engine h1 DELETE '/containers/squatter?force=1' >/dev/null
fleet exec h1 sh -c 'echo $$ >/run/listener.pid; exec busybox nc -ll -p 8080 -e true' &
listening() {
	fleet exec h1 busybox netstat -ltn | grep -q ':8080 '
}
wait_until 20 listening
apply 3 "$m"
assert_contains "$WORK/stderr" 'address already in use'
only_container h1 /web
assert_eq "$(container_field h1 web '.Id + " " + .State.Status + " " + .Config.Image')" "$web running web:1"
listening || fail 'the listener is gone'
fleet exec h1 sh -c 'kill "$(cat /run/listener.pid)"'
not_listening() {
	! listening
}
wait_until 20 not_listening
apply 0 "$m"
assert_eq "$(container_field h1 web .Config.Image)" web:2
diff_exits 0 "$m"
rm "$m/container-web.yaml"
for host in h1 h2; do
	engine "$host" DELETE '/containers/web?force=1' >/dev/null
done

echo '# foreign objects of that name'
engine h1 POST /networks/create '{"Name":"front","CheckDuplicate":true}' >/dev/null
engine h1 POST /volumes/create '{"Name":"data"}' >/dev/null
engine h1 POST /volumes/create '{"Name":"lone"}' >/dev/null
create h1 web '{"Image":"web:1","HostConfig":{"NetworkMode":"front",
	"Mounts":[{"Type":"volume","Source":"data","Target":"/data"}]}}'
before=$(all_objects h1)
container=$(state_of h1 web)
write_document "$m" Network front
write_document "$m" Volume data
write_document "$m" Volume lone 'hosts: [h1]'
write_web() {
	write_document "$m" Container web 'networks: [front]' 'volumes: ["data:/data"]' 'monitor: 0s' "$@"
}
write_web 'image: web:1'
diff_exits 1 "$m" -o json
assert_eq "$(jq -r '.hosts[] | select(.host == "h1") | .actions[] | "\(.resource) \(.verdict)"' "$WORK/stdout" | sort | xargs)" \
	'Container/web@h1 refuse Network/front@h1 refuse Volume/data@h1 refuse Volume/lone@h1 refuse'
assert_eq "$(jq '[.hosts[] | select(.host == "h1") | .actions[] | select(.reason | test("not made by drey") | not)] | length' \
	"$WORK/stdout")" 0 'each has its reason'
apply 3 "$m" --prune
assert_contains "$WORK/stdout" '! Container/web'
assert_contains "$WORK/stdout" 'adopt: true'
assert_contains "$WORK/stdout" '4 refused'
assert_eq "$(all_objects h1)" "$before"
assert_eq "$(state_of h1 web)" "$container"
assert_eq "$(container_field h2 web .State.Status)" running

echo '# what waits for the foreign is not made'
write_document "$m" Container second 'hosts: [h1]' 'image: web:1' 'networks: [front]'
apply 3 "$m"
assert_contains "$WORK/stderr" 'waits for Network/front, which is refused'
assert_eq "$(all_objects h1)" "$before"
rm "$m/container-second.yaml"

echo '# adopted: without a restart, also when something changes that needs none'
adopt() {
	sed -i 's/metadata: { name: \([a-z]*\) }/metadata: { name: \1, adopt: true }/' "$@"
}
adopt "$m"/network-front.yaml "$m"/volume-*.yaml "$m/container-web.yaml"
diff_exits 0 "$m"
apply 0 "$m"
assert_eq "$(all_objects h1)" "$before"
assert_eq "$(state_of h1 web)" "$container"
write_web 'image: web:1' 'mem_limit: 64m'
adopt "$m/container-web.yaml"
apply 0 "$m"
assert_eq "$(state_of h1 web)" "$container"
assert_eq "$(container_field h1 web .HostConfig.Memory)" 67108864
diff_exits 0 "$m"

echo '# its first replacement: consent where it wrote into its own file system, and then it is ours'
docker -H "unix://$(host_path h1 /run/docker.sock)" exec web touch /scribble
write_web 'image: web:2'
adopt "$m/container-web.yaml"
diff_exits 1 "$m" --host h1
assert_contains "$WORK/stdout" '! Container/web'
assert_contains "$WORK/stdout" 'discard_changes'
apply 3 "$m"
assert_eq "$(state_of h1 web)" "$container"
assert_eq "$(container_field h2 web .Config.Image)" web:2
write_web 'image: web:2' 'discard_changes: true'
adopt "$m/container-web.yaml"
apply 0 "$m"
assert_eq "$(container_field h1 web '.Config.Image + " " + .Config.Labels["drey.name"]')" 'web:2 web'
diff_exits 0 "$m"

echo '# what it writes there when it is told to stop counts as well: it goes on where it was'
engine h1 POST '/containers/create?name=scribe' '{"Image":"busy:1","HostConfig":{"NetworkMode":"none"},
	"Cmd":["sh","-c","trap \"touch /late; exit 0\" TERM; while :; do sleep 0.1; done"]}' >/dev/null
engine h1 POST /containers/scribe/start
scribe() {
	write_document "$m" Container scribe 'hosts: [h1]' 'image: busy:2' 'network_mode: none' "$@"
	adopt "$m/container-scribe.yaml"
}
scribe
id=$(container_field h1 scribe .Id)
apply 3 "$m" --host h1
assert_contains "$WORK/stderr" 'has written into its own file system since it was looked at, at its stop perhaps'
assert_eq "$(container_field h1 scribe '.Id + " " + .State.Status')" "$id running"
diff_exits 1 "$m" --host h1
assert_contains "$WORK/stdout" '! Container/scribe'
scribe 'discard_changes: true'
apply 0 "$m" --host h1
assert_eq "$(container_field h1 scribe .Config.Image)" busy:2
rm "$m/container-scribe.yaml"
apply 0 "$m" --host h1 --prune

echo '# adopted, and the manifest is gone: left alone'
before=$(engine h1 GET /networks/front | jq -r .Id)
rm "$m/container-web.yaml" "$m/network-front.yaml" "$m"/volume-*.yaml
write_document "$m" Container rest 'image: busy:1' 'network_mode: none'
apply 0 "$m" --prune
! container_exists h1 web || fail 'web is ours by now, and prune is on'
assert_eq "$(engine h1 GET /networks/front | jq -r .Id)" "$before"
engine h1 GET /volumes/data >/dev/null

echo '# names that are swapped, in place and with a replacement; each keeps its resource'
names_of() {
	engine h1 GET '/containers/json?all=1' | jq -r '[.[] | select(.Names[0] != "/rest") | .Labels["drey.name"] + "=" + .Names[0]] | sort | join(" ")'
}
write_document "$m" Container one 'hosts: [h1]' 'image: busy:1' 'container_name: left' 'network_mode: none' 'monitor: 0s'
write_document "$m" Container two 'hosts: [h1]' 'image: busy:1' 'container_name: right' 'network_mode: none' 'monitor: 0s'
apply 0 "$m"
assert_eq "$(names_of)" 'one=/left two=/right'
started() {
	engine h1 GET /containers/json | jq -r '[.[].Id] | sort | join(" ")'
}
before=$(started)
sed -i 's/container_name: left/container_name: middle/; s/container_name: right/container_name: left/' "$m"/container-{one,two}.yaml
sed -i 's/container_name: middle/container_name: right/' "$m/container-one.yaml"
apply 0 "$m"
assert_eq "$(names_of)" 'one=/right two=/left'
assert_eq "$(started)" "$before" 'renamed, not made anew'
diff_exits 0 "$m"
sed -i 's/container_name: right/container_name: left/; s/image: busy:1/image: busy:2/' "$m/container-one.yaml"
sed -i 's/container_name: left/container_name: right/; s/image: busy:1/image: busy:2/' "$m/container-two.yaml"
apply 0 "$m"
assert_eq "$(names_of)" 'one=/left two=/right'
diff_exits 0 "$m"
