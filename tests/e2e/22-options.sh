# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Options that span rows, on a real engine: what Compose's deploy says, what one container has of another, files that
# options name. Each is applied and then in step; taken away it is a difference.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml

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

# --- deploy ---

write_document m Container deployed 'image: busy:1' 'deploy:' '  mode: replicated' '  replicas: 1' '  resources:' \
	'    limits: { cpus: "0.5", memory: 64m, pids: 50 }' '    reservations: { memory: 32m }' \
	'  restart_policy: { condition: on-failure, max_attempts: 3 }'
in_step
assert_eq "$(container_field h1 deployed '[.HostConfig | .NanoCpus, .Memory, .PidsLimit, .MemoryReservation,
	.RestartPolicy.MaximumRetryCount] | join(" ")')" '500000000 67108864 50 33554432 3'
id=$(container_field h1 deployed .Id)
sed -i -e 's/memory: 64m/memory: 96m/' -e 's/max_attempts: 3/max_attempts: 4/' m/container-deployed.yaml
assert_eq "$(changes deployed)" 'mem_limit memswap_limit restart'
in_step
assert_eq "$(container_field h1 deployed '[.Id, (.HostConfig | .Memory, .RestartPolicy.MaximumRetryCount)] | join(" ")')" \
	"$id 100663296 4"
# The same in the rows' own words is no difference.
write_document m Container deployed 'image: busy:1' 'cpus: 0.5' 'mem_limit: 96m' 'pids_limit: 50' \
	'mem_reservation: 32m' 'restart: on-failure:4'
diff_exits 0 m
# From cpus to a quota takes a new container, and the plan says why.
sed -i 's/cpus: 0.5/cpu_quota: 50ms/' m/container-deployed.yaml
diff_exits 1 m
assert_contains stdout 'cpus'
assert_eq "$(changes deployed)" 'cpu_quota cpus'
in_step
[ "$(container_field h1 deployed .Id)" != "$id" ] || fail 'the quota was set beside cpus'

# --- of another container ---

write_document m Container source 'image: busy:1' 'volumes: [/data]'
write_document m Container user 'image: busy:1' 'volumes_from: ["source:ro"]' 'links: ["source:origin"]'
in_step
assert_eq "$(container_field h1 user '[.Mounts[] | .Destination, .RW] | join(" ")')" '/data false'
assert_eq "$(container_field h1 user '.HostConfig.Links[0] | split(":")[0]')" /source
# Gone with its volume and made anew: the user has the old one, until it is made anew as well.
docker_on_h1 rm -fv source >/dev/null
expect_exit 0 "$DREY" apply -f m --yes --target Container/source
assert_eq "$(changes user)" 'volumes_from'
in_step
assert_eq "$(container_field h1 user '.Mounts[].Name')" "$(container_field h1 source '.Mounts[].Name')"
sed -i 's/, links.*//; /links/d' m/container-user.yaml
assert_eq "$(changes user)" 'links[source:origin]'
in_step
write_document m Network back
sed -i 's/volumes_from: .*/networks: [back]/' m/container-user.yaml
printf '  external_links: ["source:origin"]\n' >>m/container-user.yaml
sed -i '$a\  networks: [back]' m/container-source.yaml
in_step
assert_eq "$(container_field h1 user '.NetworkSettings.Networks.back.Links | join(" ")')" source:origin

# --- files beside the manifest ---

mkdir -p m/files
printf 'A="quoted" # note\nB=1\n' >m/files/plain.env
printf 'C="kept" # all of it\n' >m/files/raw.env
printf 'com.example.a=one\ncom.example.b="two"\n' >m/files/labels
printf '{ "syscalls": [],\n  "defaultAction": "SCMP_ACT_ALLOW" }\n' >m/files/profile.json
write_document m Container files 'image: busy:1' \
	'env_file: [files/plain.env, { path: files/raw.env, format: raw }, { path: files/none.env, required: false }]' \
	'environment: { B: "2" }' 'label_file: files/labels' 'labels: { com.example.b: three }' \
	'security_opt: ["seccomp=files/profile.json", "systempaths=unconfined"]'
in_step
container_field h1 files '.Config.Env[]' >variables
assert_contains variables 'A=quoted'
assert_contains variables 'B=2'
assert_contains variables 'C="kept" # all of it'
assert_eq "$(container_field h1 files '.Config.Labels | [.["com.example.a"], .["com.example.b"]] | join(" ")')" 'one three'
assert_eq "$(container_field h1 files '.HostConfig.MaskedPaths, .HostConfig.ReadonlyPaths | length' | xargs)" '0 0'
sed -i 's/ALLOW/LOG/' m/files/profile.json
assert_contains m/files/profile.json SCMP_ACT_LOG
changes files >paths
assert_contains paths 'security_opt[seccomp={"defaultAction":"SCMP_ACT_LOG","syscalls":[]}]'
printf '{ "syscalls": [] "x"' >m/files/profile.json
expect_exit 2 "$DREY" validate -f m
assert_contains stderr 'files/profile.json:1'
rm m/container-files.yaml
