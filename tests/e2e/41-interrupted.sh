# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The engine is out of reach from the n-th request of a replacement on, for each n: the next run gets there, and neither
# data nor the restart policy is lost. Then the answer alone gets lost: the same run gets there.
. "$(dirname "$0")/lib.sh"

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
	assert_eq "$(fleet exec h1 docker exec web cat /data/file /scratch/file | tr '\n' ' ')" 'precious passing ' "$1"
	expect_exit 0 "$DREY" diff -f m
}

manifests /run/docker.sock first
expect_exit 0 "$DREY" apply -f m --yes
volume=$(container_field h1 web '.Mounts[] | select(.Destination == "/scratch").Name')
fleet exec h1 docker exec web sh -c 'echo precious >/data/file; echo passing >/scratch/file'
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

for n in 1 2 3 4 5 6 7 8; do
	rule="POST . nth=$n drop=after"
	[ "$n" != 8 ] || rule='DELETE . nth=1 drop=after'
	start_faultproxy h1 "lost$n" --rule "$rule"
	manifests "/run/lost$n.sock" "lost$n"
	expect_exit 0 "$DREY" apply -f m --yes
	stop_faultproxy "lost$n"
	manifests /run/docker.sock "lost$n"
	check "lost$n"
done
