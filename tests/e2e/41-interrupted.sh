# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The engine is out of reach in the middle of a replacement: the next run gets there, and neither data nor the restart policy
# is lost. Then only the answers get lost, all of them: the same run gets there. Each request in turn: tests/crash.
. "$(dirname "$0")/lib.sh"

# manifests SOCKET HOSTNAME
manifests() {
	write_near_host m "$1"
	cat >m/all.yaml <<-END
		apiVersion: drey/v1
		kind: Volume
		metadata: { name: data }
		---
		apiVersion: drey/v1
		kind: Network
		metadata: { name: front }
		---
		apiVersion: drey/v1
		kind: Network
		metadata: { name: back }
		---
		apiVersion: drey/v1
		kind: Container
		metadata: { name: web }
		spec:
		  image: busy:1
		  hostname: $2
		  monitor: 200ms
		  restart: on-failure:7
		  networks: { front: {}, back: {} }
		  volumes: ["data:/data", /scratch]
	END
}

# What the lease of the engine takes is not counted: only what a replacement asks for.
own='^(?!.*drey-(lock|helper))'

state_of_host() {
	engine h1 GET '/containers/json?all=1' | jq -r '[.[] | select(.Names[0] != "/drey-lock") | .Names[0] + ":" + .State] | sort | join(" ")'
}

facts() {
	container_field h1 web '"\(.Config.Hostname) \(.HostConfig.RestartPolicy.Name):\(.HostConfig.RestartPolicy.MaximumRetryCount) " +
		(.NetworkSettings.Networks | keys | join(",")) + " " + (.Mounts[] | select(.Destination == "/scratch").Name)'
}

check() {
	assert_eq "$(state_of_host)" '/web:running' "$1"
	assert_eq "$(facts)" "$1 on-failure:7 back,front $volume" "$1"
	assert_eq "$(docker_on_h1 exec web cat /data/file /scratch/file | tr '\n' ' ')" 'precious passing ' "$1"
}

manifests /run/docker.sock first
expect_exit 0 "$DREY" apply -f m --yes
volume=$(container_field h1 web '.Mounts[] | select(.Destination == "/scratch").Name')
docker_on_h1 exec web sh -c 'echo precious >/data/file; echo passing >/scratch/file'
check first

# create, connect, stop, rename, rename, update, start; then delete.
for n in 1 4 7 8; do
	start_faultproxy h1 "gone$n" --rule "POST $own nth=$n- drop=before" --rule 'DELETE . drop=before'
	manifests "/run/gone$n.sock" "gone$n"
	expect_exit 3 "$DREY" apply -f m --yes
	stop_faultproxy "gone$n"
	manifests /run/docker.sock "gone$n"
	# Without consent it stays as it is.
	before=$(all_objects h1)
	[ "$n" = 8 ] || expect_exit 4 "$DREY" apply -f m
	assert_eq "$(all_objects h1)" "$before" "gone$n"
	expect_exit 0 "$DREY" apply -f m --yes
	check "gone$n"
done

# An engine that was restarted meanwhile has started the old one again: the two never run together.
start_faultproxy h1 back --rule 'POST /start drop=before' --rule "POST $own nth=8- drop=before" --rule 'DELETE . drop=before'
manifests /run/back.sock back
expect_exit 3 "$DREY" apply -f m --yes
stop_faultproxy back
assert_eq "$(state_of_host)" '/web.drey-old:exited /web:created'
old=$(container_field h1 web.drey-old .Id)
docker_on_h1 start web.drey-old >/dev/null
since=$(docker_on_h1 info --format '{{.SystemTime}}')
manifests /run/docker.sock back
expect_exit 0 "$DREY" apply -f m --yes
until=$(docker_on_h1 info --format '{{.SystemTime}}')
assert_eq "$(docker_on_h1 events --since "$since" --until "$until" --filter type=container --format '{{.Action}} {{.ID}}' |
	sed -n "s/^die $old/die old/p; s/^start .*/start new/p" | xargs)" 'die old start new'
check back

# The manifest is taken back before the new one has ever run: the old one, which did run, serves on.
start_faultproxy h1 taken --rule 'POST /start drop=before' --rule "POST $own nth=8- drop=before" --rule 'DELETE . drop=before'
manifests /run/taken.sock taken
expect_exit 3 "$DREY" apply -f m --yes
stop_faultproxy taken
manifests /run/docker.sock taken
kept=$(sed '/^kind: Container/,$d' m/all.yaml)
head -n -2 <<<"$kept" >m/all.yaml
expect_exit 0 "$DREY" apply -f m --yes
assert_contains stdout '? Container/web'
check back
manifests /run/docker.sock back
expect_exit 0 "$DREY" diff -f m

# An engine that can't remove the new one: the old one serves all the same, and the new one goes later.
start_faultproxy h1 busy --rule 'DELETE . reply=500 body="device or resource busy"'
manifests /run/busy.sock busy
sed -i 's/image: busy:1/&\n  command: [sh, -c, "exit 3"]/' m/all.yaml
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'the old container is back in place'
stop_faultproxy busy
assert_eq "$(state_of_host)" '/web.drey-new:exited /web:running'
manifests /run/docker.sock back
expect_exit 0 "$DREY" apply -f m --yes
check back

# Each request is carried out, and no answer comes.
start_faultproxy h1 lost --rule "POST . drop=after" --rule 'DELETE . drop=after'
manifests /run/lost.sock lost
cat >m/job.yaml <<-END
	apiVersion: drey/v1
	kind: Container
	metadata: { name: job }
	spec: { image: "busy:1", state: completed, command: [echo, once] }
END
expect_exit 0 "$DREY" apply -f m --yes
stop_faultproxy lost
manifests /run/docker.sock lost
assert_eq "$(docker_on_h1 logs job)" once
docker_on_h1 rm job >/dev/null
rm m/job.yaml
check lost
expect_exit 0 "$DREY" diff -f m
