# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The engine is out of reach from the n-th request of a replacement on, for each n: the next run gets there, and neither
# data nor the restart policy is lost. Then only the answers get lost, all of them: the same run gets there.
. "$(dirname "$0")/lib.sh"

docker_on_h1() {
	docker -H "unix://$(host_path h1 /run/docker.sock)" "$@"
}

# manifests SOCKET HOSTNAME
manifests() {
	mkdir -p m
	cat >m/all.yaml <<-END
		apiVersion: drey/v1
		kind: Project
		metadata: { name: test }
		---
		apiVersion: drey/v1
		kind: Host
		metadata: { name: h1 }
		spec: { address: "unix://$(host_path h1 "$1")" }
		---
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

state_of_host() {
	engine h1 GET '/containers/json?all=1' | jq -r '[.[] | .Names[0] + ":" + .State] | sort | join(" ")'
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
for n in 1 2 3 4 5 6 7 8; do
	start_faultproxy h1 "gone$n" --rule "POST . nth=$n- drop=before" --rule 'DELETE . drop=before'
	manifests "/run/gone$n.sock" "gone$n"
	expect_exit 3 "$DREY" apply -f m --yes
	stop_faultproxy "gone$n"
	manifests /run/docker.sock "gone$n"
	expect_exit 0 "$DREY" apply -f m --yes
	check "gone$n"
done

# Each request is carried out, and no answer comes.
start_faultproxy h1 lost --rule 'POST . drop=after' --rule 'DELETE . drop=after'
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
