#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What drey ends with and says: exit codes, consent, interruption, colours, JSON, the local engine.
# shellcheck disable=SC2016 # $schema is a name
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
reference=$(dirname "$(readlink -f "$0")")/../../docs/reference/output.md
terminal=$(dirname "$(readlink -f "$0")")/terminal.py
write_host_manifests "$m"
write_document "$m" Container web 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'environment: { MODE: plain }'

nothing_there() {
	assert_eq "$(engine h1 GET '/containers/json?all=1')$(engine h2 GET '/containers/json?all=1')" '[][]'
}

# json JQ-EXPRESSION EXPECTED: of the document on standard output, which is all there is on it. Each of its members is in
# docs/reference/output.md; those of values and of manifests are not its own.
json() {
	local member
	jq -r 'paths as $p | select([$p[] | strings][:-1] | any(IN("spec", "metadata", "before", "after", "libraries")) | not) |
		$p[-1] | strings' "$WORK/stdout" | sort -u >"$WORK/members"
	while read -r member; do
		grep -qF -e "\`$member\`" -e "\"$member\"" "$reference" || fail "output.md does not know $member"
	done <"$WORK/members"
	assert_eq "$(jq -er "$1" "$WORK/stdout")" "$2" "$1"
}

echo '# bad usage: 2'
for arguments in "--nonsense" "--host h3" "--target Container/none" "--target nonsense" "--selector tier=none" \
	"--host-selector zone=none" "--parallel none" "-f $WORK/none"; do
	# shellcheck disable=SC2086 # several words
	expect_exit 2 "$DREY" diff -f "$m" $arguments
	[ -s "$WORK/stderr" ] || fail "drey diff $arguments says nothing"
	assert_eq "$(<"$WORK/stdout")" ''
done
expect_exit 2 "$DREY" appply -f "$m"
assert_contains "$WORK/stderr" "'apply'"
expect_exit 2 "$DREY"
expect_exit 2 "$DREY" diff -f "$m" --host h3 -o json
json '[.command, .exit, .error.code] | @csv' '"diff",2,"invalid"'

echo '# without a terminal and without --yes: 4, and nothing is touched'
diff_exits 1 "$m"
expect_exit 4 "$DREY" apply -f "$m"
assert_contains "$WORK/stderr" '--yes'
assert_contains "$WORK/stdout" '+ Container/web'
nothing_there
expect_exit 4 "$DREY" apply -f "$m" -o json
json '[.command, .exit, .error.code] | @csv' '"apply",4,"refused"'
nothing_there

echo '# 4 wins over 3'
write_document "$m" Host h2 "address: ssh://root@$H2:2222" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS"
expect_exit 4 "$DREY" apply -f "$m"
diff_exits 3 "$m"
nothing_there
write_host_manifests "$m"

echo '# on a terminal: no, an interrupt, yes; colours, unless they are unwanted'
expect_exit 4 "$terminal" 'y/N' no "$DREY" apply -f "$m"
assert_contains "$WORK/stdout" 'Carry this out on project test?'
assert_contains "$WORK/stdout" 'nothing was changed'
grep -q $'\e\[' "$WORK/stdout" || fail 'no colours on a terminal'
nothing_there
expect_exit 4 env NO_COLOR=1 "$terminal" 'y/N' '' "$DREY" apply -f "$m" -q
assert_lacks "$WORK/stdout" $'\e[3'
expect_exit 130 "$terminal" 'y/N' ^C "$DREY" apply -f "$m"
nothing_there
expect_exit 0 "$terminal" 'y/N' y "$DREY" apply -f "$m" --no-color
assert_lacks "$WORK/stdout" $'\e[3'
assert_eq "$(container_field h1 web .State.Status)" running
assert_eq "$(container_field h2 web .State.Status)" running
diff_exits 0 "$m"
assert_contains "$WORK/stdout" 'in step'
assert_lacks "$WORK/stdout" $'\e'

echo '# nothing to do: nobody is asked'
expect_exit 0 "$DREY" apply -f "$m"

echo '# interrupted at work: 130, and what waits is not begun; the same when the terminal goes away'
stopping() {
	[ "$(requests slow POST /stop)" != 0 ]
}
sed -i 's|^  address:.*|&\n  docker_socket: /run/slow.sock|' "$m/host-h1.yaml"
write_document "$m" Container after 'image: busy:1' 'network_mode: host' 'hosts: [h1]' 'depends_on: [web]'
for signal in HUP INT; do
	start_faultproxy h1 slow --rule 'POST /containers/[^/]*/stop delay_ms=1500'
	write_document "$m" Container web 'image: busy:2' 'network_mode: host' 'monitor: 0s' "labels: { signal: $signal }"
	"$DREY" apply -f "$m" --yes --host h1 >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
	pid=$!
	wait_until 30 stopping
	kill -s "$signal" "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "$status" 130 "$signal"
	! container_exists h1 after || fail "it was begun after SIG$signal"
	assert_eq "$(container_field h1 web '.State.Status + " " + .Config.Labels.signal')" "running $signal"
	stop_faultproxy slow
done
write_document "$m" Container web 'image: busy:2' 'network_mode: host' 'monitor: 0s'
sed -i '/docker_socket/d' "$m/host-h1.yaml"
apply 0 "$m"
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq -r '[.[].Names[]] | sort | @csv')" '"/after","/web"'
rm "$m/container-after.yaml"

echo '# two at once: the second is told, and touches nothing'
start_faultproxy h1 slow --rule 'POST create.name=web delay_ms=60000'
sed -i 's|^  address:.*|&\n  docker_socket: /run/slow.sock|' "$m/host-h1.yaml"
engine h1 DELETE '/containers/web?force=1' >/dev/null
engine h2 DELETE '/containers/web?force=1' >/dev/null
"$DREY" apply -f "$m" --yes --host h1 >"$WORK/first" 2>&1 </dev/null &
pid=$!
creating() {
	[ "$(requests slow POST create.name=web)" != 0 ]
}
wait_until 30 creating
apply 4 "$m" --host h2
assert_contains "$WORK/stderr" "$pid"
! container_exists h2 web || fail 'both wrote'
diff_exits 1 "$m"
stop_faultproxy slow
wait "$pid" || :
sed -i '/docker_socket/d' "$m/host-h1.yaml"
apply 0 "$m"

echo '# JSON: one document each, with the members that docs/reference/output.md names'
expect_exit 0 "$DREY" validate -f "$m" -o json
json '[.format, .command, .exit, .valid, .project, .resources, .instances, .hosts, (.digest | length), (.diagnostics | type)] | @csv' \
	'1,"validate",0,true,"test",4,2,2,64,"array"'
expect_exit 0 "$DREY" render -f "$m" -o json
json '.hosts[0].resources[0] | [.apiVersion, .kind, .name, .spec.image, (.digest | length)] | @csv' \
	'"drey/v1","Container","web","busy:2",64'
write_document "$m" Container web 'image: busy:2' 'network_mode: host' 'monitor: 0s' 'mem_limit: 64m'
diff_exits 1 "$m" -o json
json '[.format, .command, .exit, .project, .local, (.revision | test("^sha256:"))] | @csv' '1,"diff",1,"test",false,true'
json '.summary | [.hosts, .failed, .keep, .create, .update, .replace, .remove, .refuse, .leftover] | @csv' '2,0,0,0,2,0,0,0,1'
json '.hosts[0] | [.host, .project, .in_step, (.warnings | type), .summary.update] | @csv' '"h1","test",false,"array",1'
json '.hosts[1].actions[0] | [.resource, .kind, .name, .verdict, .engine_name, .reason, .warning, .known_after_pull, .disruptive,
	.loses_data, .backup_first, (.after | length)] | @csv' \
	'"Container/web@h2","Container","web","update","web",,,false,false,false,false,0'
json '.hosts[1].actions[0].changes[0] | [.path, .before, .after, .masked, .effect] | @csv' '"mem_limit",0,67108864,false,"live"'
apply 0 "$m" -o json
json '[.command, .exit, (.results | length)] | @csv' '"apply",0,3'
json '.results[] | select(.host == "h2") | [.kind, .name, .verdict, .outcome, (.duration_ms | type)] | @csv' \
	'"Container","web","update","done","number"'
expect_exit 0 "$DREY" doctor -f "$m" -o json
json '[.hosts[] | .host, .ok] | @csv' '"h1",true,"h2",true'
json '[.hosts[0].checks[] | select((.check | type) == "string" and (.detail | type) == "string") | .finding] | unique - ["ok", "warning"] | length' 0
expect_exit 0 "$DREY" status -f "$m" -o json
json '.conditions[] | select(.resource == "Container/web@h2" and .type == "Ready") | [.project, .status, (.since | type)] | @csv' \
	'"test","True","string"'
json '.revisions[0] | [.project, .status] | @csv' '"test","applied"'
expect_exit 0 "$DREY" history -f "$m" -o json
json '.revisions[0] | [.project, .status, (.time | test("Z$"))] | @csv' '"test","applied",true'
expect_exit 0 "$DREY" history -f "$m" Container/web@h2 -o json
json '.events[0] | [.resource, .action, .outcome, (.duration_ms | type)] | @csv' '"Container/web@h2","update","done","number"'
expect_exit 0 "$DREY" backup list -f "$m" -o json
json '[.command, (.backups | type)] | @csv' '"backup list","array"'
expect_exit 0 "$DREY" version -o json
json '[.format, (.version | type), (.libraries | type)] | @csv' '1,"string","object"'
expect_exit 0 "$DREY" schema
assert_eq "$(jq -r '.["$schema"]' "$WORK/stdout")" 'https://json-schema.org/draft/2020-12/schema'

echo '# output that nobody takes: a reader who has seen enough is no failure, a full disk is one'
write_document "$m" Container web 'image: busy:2' 'network_mode: host' 'monitor: 0s' 'mem_limit: 32m'
(
	set +o pipefail
	for command in "diff -f $m" "apply -f $m --yes" "diff -f $m --all" schema; do
		# shellcheck disable=SC2086 # several words
		"$DREY" $command 2>/dev/null | true
		echo "${PIPESTATUS[0]}"
	done
) >"$WORK/codes"
assert_eq "$(xargs <"$WORK/codes")" '1 0 0 0'
assert_eq "$(container_field h2 web .HostConfig.Memory)" 33554432
write_document "$m" Container web 'image: busy:2' 'network_mode: host' 'monitor: 0s' 'mem_limit: 64m'
for command in "diff -f $m" "apply -f $m --yes" version; do
	status=0
	# shellcheck disable=SC2086 # several words
	"$DREY" $command >/dev/full 2>"$WORK/stderr" || status=$?
	assert_eq "$status" 3 "$command"
	assert_contains "$WORK/stderr" "the output can't be written"
	assert_lacks "$WORK/stderr" 'No such file'
done
assert_eq "$(container_field h2 web .HostConfig.Memory)" 67108864

echo '# a state that is damaged: told, left as it is, and in the way of nothing but its own reports; one that cannot be had'
mkdir "$WORK/damaged"
head -c 20000 /dev/urandom >"$WORK/damaged/state.db"
cp "$WORK/damaged/state.db" "$WORK/state.db.before"
engine h1 POST /containers/web/stop >/dev/null
apply 0 "$m" --state "$WORK/damaged"
assert_contains "$WORK/stderr" "$WORK/damaged/state.db is damaged"
assert_eq "$(container_field h1 web .State.Status)" running
diff_exits 0 "$m"
for command in status history; do
	expect_exit 3 "$DREY" "$command" --state "$WORK/damaged"
	assert_contains "$WORK/stderr" 'is damaged'
done
cmp "$WORK/damaged/state.db" "$WORK/state.db.before"
apply 4 "$m" --state "$WORK/damaged/state.db"
assert_contains "$WORK/stderr" 'name another place with --state'

echo '# no Project and no Host: the local engine, said in the first line, and --local without a terminal'
local=$(host_path h1 /srv/local)
rm -rf "$local"
mkdir -p "$local/manifests"
cp "$DREY" "$local/drey"
write_document "$local/manifests" Container near 'image: busy:1' 'network_mode: host'
on_h1() {
	fleet exec h1 env DREY_STATE_DIR=/srv/local/state /srv/local/drey "$@" -f /srv/local/manifests
}
expect_exit 4 on_h1 diff
assert_contains "$WORK/stderr" '--local'
assert_eq "$(<"$WORK/stdout")" ''
expect_exit 4 on_h1 apply --yes
! container_exists h1 near || fail 'it was made without --local'
expect_exit 1 on_h1 diff --local
assert_contains <(head -n 1 "$WORK/stdout") 'unix:///var/run/docker.sock'
expect_exit 1 on_h1 diff --local -o json
json '[.local, .hosts[0].actions[0].verdict] | @csv' 'true,"create"'
expect_exit 0 on_h1 apply --local --yes
assert_contains <(head -n 1 "$WORK/stdout") 'unix:///var/run/docker.sock'
assert_eq "$(container_field h1 near .State.Status)" running
export -f on_h1 fleet
expect_exit 0 "$terminal" '' '' bash -c 'on_h1 apply --no-color'
assert_contains <(head -n 1 "$WORK/stdout") 'unix:///var/run/docker.sock'
# A remote Host never comes without a Project, which could otherwise mean the engine at hand.
rm "$m/project.yaml"
expect_exit 2 "$DREY" diff -f "$m" --local
assert_contains "$WORK/stderr" Project
