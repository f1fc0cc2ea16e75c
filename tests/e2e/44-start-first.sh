# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A replacement that starts first: whoever asks is always answered. What stands against it is said, what fails costs the
# old container nothing, and what becomes of it is as failure_action says.
. "$(dirname "$0")/lib.sh"

# set_up SOCKET: project, host and network.
set_up() {
	write_near_host m "$1"
	cat >m/all.yaml <<-END
		apiVersion: drey/v1
		kind: Network
		metadata: { name: front }
		spec: { hosts: [h1] }
		---
		apiVersion: drey/v1
		kind: Volume
		metadata: { name: data }
		spec: { hosts: [h1] }
	END
}

# web IMAGE FAILURE_ACTION [LINE]...
web() {
	local image=$1 action=$2
	shift 2
	write_document m Container web "image: $image" 'restart: always' \
		"deploy: { update_config: { order: start-first, monitor: ${monitor:-400ms}, failure_action: $action } }" "$@"
}

state_of_host() {
	engine h1 GET '/containers/json?all=1' | jq -r '[.[] | .Names[0] + ":" + .State] | sort | join(" ")'
}

identity() {
	container_field h1 "$1" '.Id + " " + .State.StartedAt + " " + .HostConfig.RestartPolicy.Name'
}

on_front='networks: { front: {} }'
dies='command: [sh, -c, "echo last words; exit 3"]'
set_up /run/docker.sock
web web:1 rollback "$on_front"
apply 0 m
diff_exits 0 m

# Whoever asks by its name, and asks again where the name has just moved, is always answered.
# A static busybox can't look names up but by nslookup.
cat >probe.sh <<'END'
ask() {
	at=$(nslookup web 2>/dev/null | sed -n 's/^Address: //p' | head -n 1)
	[ -n "$at" ] && printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 1 "$at" 80 | grep '^web' && echo
}
while :; do
	ask || { sleep 0.05; ask; } || echo LOST
done
END
docker_on_h1 run -d --name probe --network front busy:1 sh -c "$(<probe.sh)" >/dev/null
answered() {
	docker_on_h1 logs probe 2>/dev/null | grep -qx "$1"
}
wait_until 60 answered 'web 1'
old=$(container_field h1 web .Id)
web web:2 rollback "$on_front"
diff_exits 1 m
assert_contains stdout '~ Container/web  replace   (the new one starts first)'
diff_exits 1 m -o json
assert_eq "$(jq -r '.hosts[0].actions[] | select(.name == "web") | "\(.disruptive) \(.order) \(.order_reason)"' stdout)" \
	'false start-first null'
apply 0 m
diff_exits 0 m
assert_eq "$(state_of_host)" '/probe:running /web:running'
assert_eq "$(container_field h1 web .HostConfig.RestartPolicy.Name)" always
wait_until 60 answered 'web 2'
container_exists h1 "$old" && fail 'the old one is still there'

# One that does not stay up has cost the old one nothing.
old=$(identity web)
web web:1 rollback "$on_front" "$dies"
apply 3 m
assert_contains stderr 'last words'
assert_contains stderr 'the old container serves on'
assert_eq "$(identity web)" "$old"
assert_eq "$(state_of_host)" '/probe:running /web:running'

# pause: it is kept for a look, the old one serves on, and nothing more is done until there is something new to try.
web web:1 pause "$on_front" "$dies"
apply 3 m
assert_contains stderr 'kept as web.drey-held'
assert_eq "$(state_of_host)" '/probe:running /web.drey-held:exited /web:running'
before=$(all_objects h1)
diff_exits 1 m
assert_contains stdout '! Container/web'
assert_contains stdout 'kept, stopped, as web.drey-held (failure_action: pause)'
apply 3 m
assert_eq "$(all_objects h1)" "$before"
assert_eq "$(identity web)" "$old"
web web:1 pause "$on_front"
apply 0 m
diff_exits 0 m
assert_eq "$(state_of_host)" '/probe:running /web:running'
assert_lacks <(docker_on_h1 logs probe 2>/dev/null) LOST
docker_on_h1 rm -f probe >/dev/null

# continue: it counts all the same.
web busy:1 continue "$on_front" 'command: [sh, -c, "sleep 0.2; exit 3"]'
apply 0 m
assert_contains stderr 'go on, as failure_action says, though it ended and was restarted'
assert_eq "$(container_field h1 web .Config.Image)" busy:1
container_exists h1 web.drey-old && fail 'the old one is left'

# Stop-first, paused: the new one is left as it is, the old one aside. Another manifest goes on from the old one.
web web:1 rollback "$on_front" 'volumes: ["data:/data"]'
apply 0 m
old=$(container_field h1 web .Id)
docker_on_h1 exec web sh -c 'echo precious >/data/file'
web web:2 pause "$on_front" 'volumes: ["data:/data"]' "$dies"
diff_exits 1 m
assert_contains stdout 'stop-first, though start-first is asked for: both would mount volume data'
assert_contains stdout 'stops the service'
apply 3 m
assert_contains stderr 'the old one is kept as web.drey-held'
assert_eq "$(container_field h1 web.drey-held '.Id + " " + .State.Status')" "$old exited"
before=$(engine h1 GET '/containers/json?all=1' | jq -r '.[] | .Id + .Names[0]' | sort)
diff_exits 1 m
assert_contains stdout 'the one before it is kept as web.drey-held'
apply 3 m
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq -r '.[] | .Id + .Names[0]' | sort)" "$before"
web web:1 pause "$on_front" 'volumes: ["data:/data"]'
diff_exits 1 m
apply 0 m
diff_exits 0 m
assert_eq "$(container_field h1 web '.Id + " " + .State.Status + " " + .HostConfig.RestartPolicy.Name')" "$old running always"
assert_eq "$(docker_on_h1 exec web cat /data/file)" precious

# The one that is held is removed by hand: what has the name is it.
web web:2 pause "$on_front" 'volumes: ["data:/data"]' 'command: [sh, -c, "test -e /data/ok && exec httpd -f -h /www; exit 3"]'
apply 3 m
docker_on_h1 run --rm -v data:/data busy:1 touch /data/ok
docker_on_h1 rm web.drey-held >/dev/null
running() {
	[ "$(container_field h1 web .State.Status)" = running ]
}
wait_until 60 running
apply 0 m
diff_exits 0 m

# What two can't have at once: each is told, and the old one stops first.
falls_back() {
	local reason=$1
	shift
	web web:1 rollback "$@"
	diff_exits 1 m
	assert_contains stdout "stop-first, though start-first is asked for: $reason"
	assert_contains stdout 'stops the service'
}
web web:2 rollback "$on_front"
apply 0 m
falls_back "two can't publish port 8099 of the host" "$on_front" 'ports: ["8099:80"]'
falls_back "two can't have its ipv4_address on network front" 'networks: { front: { ipv4_address: 172.30.0.9 } }'
falls_back "on the host's network two would want the same ports" 'network_mode: host'
write_document m Container tail 'image: busy:1' 'network_mode: "service:web"' 'monitor: 100ms'
web web:2 rollback "$on_front"
apply 0 m
falls_back 'tail shares its namespaces' "$on_front"
rm m/container-tail.yaml
docker_on_h1 rm -f tail >/dev/null
web web:2 rollback "$on_front" 'volumes: [/scratch, "/srv/web:/a"]'
apply 0 m
falls_back 'the volume at /scratch moves to the new one' "$on_front"
docker_on_h1 rm -f web >/dev/null
web web:2 rollback "$on_front" 'volumes: ["/srv/web:/a", "data:/data:ro"]'
apply 0 m
falls_back 'both would mount /srv of the host' "$on_front" 'volumes: ["/srv:/b"]'
falls_back 'both would mount volume data' "$on_front" 'volumes: ["data:/data"]'
web web:1 rollback "$on_front" 'volumes: ["data:/data:ro"]'
diff_exits 1 m
assert_contains stdout 'the new one starts first'

# The engine is out of reach from the n-th request on: create, start, rename, rename, update, stop; or just before the
# last one, the removal. The old one serves until the new one does, and the next run gets there.
web web:2 rollback "$on_front"
apply 0 m
watch_since() {
	docker_on_h1 info --format '{{.SystemTime}}'
}
for n in 1 2 3 4 5 6 DELETE; do
	# What is sent for the lease of the engine does not count.
	rule="POST ^(?!.*drey-(lock|helper)) nth=$n- drop=before"
	[ "$n" = DELETE ] && rule='DELETE . drop=before'
	image=web:1
	[ "$(container_field h1 web .Config.Image)" = web:1 ] && image=web:2
	start_faultproxy h1 "gone$n" --rule "$rule" --rule 'DELETE . drop=before'
	set_up "/run/gone$n.sock"
	web "$image" rollback "$on_front"
	since=$(watch_since)
	apply 3 m
	stop_faultproxy "gone$n"
	set_up /run/docker.sock
	assert_contains <(state_of_host) running "$n"
	diff_exits 1 m
	[ "$n" = 1 ] || assert_contains stdout 'apply finishes or undoes it'
	apply 0 m
	diff_exits 0 m
	assert_eq "$(state_of_host)" '/web:running' "$n"
	assert_eq "$(container_field h1 web '.Config.Image + " " + .HostConfig.RestartPolicy.Name')" "$image always" "$n"
	# Never were all of them down: before each end but that of a failed try another one had been started.
	docker_on_h1 events --since "$since" --until "$(watch_since)" --filter type=container --format '{{.Action}}' |
		awk -v n=1 '$1 == "start" { n++ } $1 == "die" { n-- } n < 1 { exit 1 }' || fail "the service was down (n=$n)"
done

# Killed while it waits for the gate, and between the two renames.
for at in gate rename; do
	image=web:1
	[ "$(container_field h1 web .Config.Image)" = web:1 ] && image=web:2
	start_faultproxy h1 killed --rule 'POST /rename.*name=web$ hang=1'
	set_up /run/killed.sock
	monitor=400ms
	[ "$at" = rename ] || monitor=1m
	web "$image" rollback "$on_front"
	"$DREY" apply -f m --yes >killed.out 2>&1 &
	drey=$!
	moved() {
		case $at in
		rename) [ "$(requests killed POST 'rename.*name=web$')" = 1 ] ;;
		gate) container_field h1 web.drey-new .State.Status | grep -q running ;;
		esac
	}
	wait_until 20 moved
	kill -KILL "$drey"
	wait "$drey" || :
	stop_faultproxy killed
	set_up /run/docker.sock
	monitor=400ms
	web "$image" rollback "$on_front"
	rm -rf state
	diff_exits 1 m
	apply 0 m
	diff_exits 0 m
	assert_eq "$(state_of_host)" '/web:running' "$at"
	assert_eq "$(container_field h1 web .Config.Image)" "$image" "$at"
done
