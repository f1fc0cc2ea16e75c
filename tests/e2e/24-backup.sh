#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Backups: what they hold, what their users do meanwhile, and everything that may go wrong, after which the users run
# and only whole backups are there.
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/volumes.sh
. "$(dirname "$0")/volumes.sh"

m=$WORK/manifests
backups=$WORK/backups
write_host_manifests "$m"
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m/host-h1.yaml"
write_document "$m" Volume data
write_document "$m" Container user 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'volumes: ["data:/data"]'
write_document "$m" Container reader 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
	'volumes: ["data:/data:ro"]' 'depends_on: [user]'
nightly() {
	write_document "$m" Backup nightly 'volumes: [data]' "directory: $backups" "$@"
}
nightly
start_faultproxy h1 fault
with() {
	stop_faultproxy fault
	start_faultproxy h1 fault "$@"
}
backup() {
	expect_exit "$1" "$DREY" backup run "${2-nightly}" -f "$m" "${@:3}"
}
started() {
	container_field h1 user .State.StartedAt
	container_field h1 reader .State.StartedAt
}
assert_running() {
	assert_eq "$(container_field h1 user .State.Status) $(container_field h1 reader .State.Status)" 'running running'
	assert_no_helper h1
}
# The files of all backups, and nothing else.
assert_backups() {
	assert_eq "$(find "$backups" -name '*.json' | wc -l)" "$1" records
	assert_eq "$(find "$backups" -type f | wc -l)" $(($1 * 3)) files
}

apply 0 "$m"
fill_volume data

echo '# stopped meanwhile, the reader first, and started again, the reader last'
before=$(started)
with
backup 0 nightly -o json
cp "$WORK/stdout" "$WORK/run.json"
assert_eq "$(jq -r '.backups | length' "$WORK/stdout")" 1
assert_eq "$(jq -r '.backups[0] | [.host, .volume, .engine_volume, .while, .files, (.users | join(" "))] | @csv' "$WORK/stdout")" \
	"$(jq -nr --arg n "$(find "$(volume_path data)" -type f -printf x | wc -c)" '["h1", "data", "data", "stopped", ($n | tonumber) - 2, "user reader"] | @csv')"
assert_running
[ "$(started)" != "$before" ] || fail 'nobody was stopped'
user=$(container_field h1 user .Id) reader=$(container_field h1 reader .Id)
assert_eq "$(jq -r 'select(.event == "request" and .method == "POST") | .target' "$WORK/fault.log" |
	sed -n "s/.*$user\/\(stop\|start\).*/\1 user/p; s/.*$reader\/\(stop\|start\).*/\1 reader/p" | xargs)" \
	'stop reader stop user start user start reader'
assert_backups 1
assert_eq "$(find "$backups" ! -perm 700 -type d; find "$backups" ! -perm 600 -type f)" '' 'for nobody else to read'
id=$(jq -r '.backups[0].id' "$WORK/run.json")
record=$(find "$backups" -name "$id.json")
assert_eq "$(jq -S . "$record")" "$(jq -S '.backups[0]' "$WORK/run.json")"
assert_eq "$(sha256sum <"${record%.json}.tar.zst" | cut -d ' ' -f 1)" "$(jq -r .sha256 "$record")"
jq -e '(.verified | length) > 0 and (.not_verified | length) > 0' "$record" >/dev/null
zstd -dc "${record%.json}.tar.zst" | tar -xO volume/entry >"$WORK/entry"
assert_contains "$WORK/entry" 'the only copy'
expect_exit 0 "$DREY" backup list data -f "$m"
assert_contains "$WORK/stdout" "$id  Volume/data@h1"
diff_exits 0 "$m"

echo '# paused, or left running'
before=$(started)
nightly 'while: paused'
with
backup 0
assert_eq "$(requests fault POST '/(pause|unpause)$')" 4
assert_eq "$(requests fault POST '/(stop|start)$')" 0
assert_running
nightly 'while: running'
with
backup 0 Volume/data -o json
jq -e '.backups[0].not_verified | any(test("written while they were copied"))' "$WORK/stdout" >/dev/null
assert_eq "$(requests fault POST '/(pause|unpause|stop|start)$')" 0
assert_running
assert_eq "$(started)" "$before" 'nobody was stopped'
assert_backups 3
nightly

echo '# one that somebody else runs and that writes: refused, not stopped'
engine h1 POST '/containers/create?name=foreign' '{"Image":"busy:1","HostConfig":{"Binds":["data:/data"]}}' >/dev/null
engine h1 POST /containers/foreign/start >/dev/null
foreign=$(container_field h1 foreign .State.StartedAt)
backup 3
assert_contains "$WORK/stderr" 'container foreign writes to the volume'
assert_eq "$(container_field h1 foreign '.State.StartedAt + " " + .State.Status')" "$foreign running"
assert_running
assert_eq "$(started)" "$before"
assert_backups 3
engine h1 DELETE '/containers/foreign?force=1' >/dev/null

echo '# the stream is cut, the engine says no, the archive is cut short in silence'
for rule in 'GET /archive cut=500000' 'GET /archive reply=500 body="no archive today"' 'GET /archive drop=before' \
	'POST /images/create reply=500 body="no import today"'; do
	with --rule "$rule"
	engine h1 DELETE /images/drey-helper:empty >/dev/null
	backup 3
	assert_contains "$WORK/stderr" 'drey: h1: '
	assert_running
	assert_backups 3
done
backup 3 nightly -o json
assert_eq "$(jq -sr '.[] | [.exit, (.backups | length), .failures[0].host, .failures[0].error.code] | @csv' "$WORK/stdout")" \
	'3,0,"h1","remote"'
assert_contains "$WORK/stdout" 'no import today'

echo '# a disk of the host that is full: told before anybody is stopped, who could not be started again'
with
before=$(started)
fleet fill h1
backup 3
fleet unfill h1
assert_contains "$WORK/stderr" 'no space left'
assert_running
assert_eq "$(started)" "$before" 'nobody was stopped'
assert_eq "$(requests fault POST '/(stop|start)$')" 0
assert_backups 3

echo '# interrupted'
with --rule 'GET /archive slow_ms=300'
"$DREY" backup run nightly -f "$m" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
reading() {
	[ "$(requests fault GET /archive)" != 0 ]
}
wait_until 30 reading
kill -INT "$pid"
status=0
wait "$pid" || status=$?
assert_eq "$status" 130
assert_running
assert_backups 3

echo '# killed: the next apply starts the users again, and the next backup clears up'
with --rule 'GET /archive slow_ms=300'
"$DREY" backup run nightly -f "$m" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
wait_until 30 reading
kill -KILL "$pid"
wait "$pid" || :
with
assert_eq "$(container_field h1 user .State.Status)" exited
apply 0 "$m"
assert_eq "$(container_field h1 user .State.Status) $(container_field h1 reader .State.Status)" 'running running'
backup 0
assert_running
assert_backups 4

echo '# the host is out of reach just when the users are to be stopped or started: they run in the end'
with --rule 'POST /stop nth=1 drop=after'
backup 3
assert_running
with --rule 'POST /start nth=1-3 drop=before'
backup 0
assert_running
with --rule 'GET /archive slow_ms=300'
"$DREY" backup run nightly -f "$m" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
wait_until 30 reading
fleet stop h1 sshd
fleet start h1 sshd
status=0
wait "$pid" || status=$?
assert_eq "$status" 3
with
assert_eq "$(container_field h1 user .State.Status) $(container_field h1 reader .State.Status)" 'running running'
assert_backups 5

echo '# somebody sets a user going while its volume is copied: no backup'
with --rule 'GET /archive slow_ms=30'
"$DREY" backup run nightly -f "$m" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
wait_until 30 reading
engine h1 POST "/containers/$user/start" >/dev/null
status=0
wait "$pid" || status=$?
assert_eq "$status" 3
assert_contains "$WORK/stderr" 'somebody set container user going'
assert_running
assert_backups 5

echo '# what is paused is paused afterwards; what shares the namespaces of one that is stopped is started after it'
with
write_document "$m" Container reader 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
	'volumes: ["data:/data:ro"]' 'depends_on: [user]' 'state: paused'
write_document "$m" Container tail 'hosts: [h1]' 'image: busy:1' 'network_mode: "service:user"' 'monitor: 0s'
apply 0 "$m"
for how in stopped paused; do
	nightly "while: $how"
	backup 0
	assert_no_helper h1
	diff_exits 0 "$m"
	[[ $(container_field h1 tail .State.StartedAt) > $(container_field h1 user .State.StartedAt) ]] ||
		fail "tail was left in namespaces that are gone ($how)"
done
assert_backups 7
nightly
engine h1 POST '/containers/create?name=theirs' "{\"Image\":\"busy:1\",\"HostConfig\":{\"NetworkMode\":\"container:$user\"}}" >/dev/null
engine h1 POST /containers/theirs/start >/dev/null
before=$(container_field h1 theirs .State.StartedAt)$(started)
backup 3
assert_contains "$WORK/stderr" 'container theirs shares the namespaces of one that would be stopped'
assert_eq "$(container_field h1 theirs .State.StartedAt)$(started)" "$before"
engine h1 DELETE '/containers/theirs?force=1' >/dev/null
rm "$m/container-tail.yaml"
engine h1 DELETE '/containers/tail?force=1' >/dev/null
write_document "$m" Container reader 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
	'volumes: ["data:/data:ro"]' 'depends_on: [user]'
apply 0 "$m"

echo '# a job that is just running is neither cut short nor run again'
nightly
write_document "$m" Container job 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'state: completed' 'volumes: ["data:/data"]' \
	'command: [sh, -c, "echo run >>/data/runs; until [ -e /data/go ]; do sleep 1; done"]'
"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
job_runs() {
	[ "$(container_field h1 job .State.Status)" = running ] && [ -e "$(volume_path data)/runs" ]
}
wait_until 30 job_runs
kill -INT "$pid"
wait "$pid" || :
backup 3
assert_contains "$WORK/stderr" 'container job is a job that is just running'
assert_running
assert_backups 7
nightly 'while: paused'
backup 0
job_runs
touch "$(volume_path data)/go"
job_has_ended() {
	[ "$(container_field h1 job .State.Status)" = exited ]
}
wait_until 30 job_has_ended
apply 0 "$m"
assert_eq "$(<"$(volume_path data)/runs")" run
rm "$m/container-job.yaml"
engine h1 DELETE /containers/job >/dev/null

echo '# no room in the backup directory'
mkdir "$WORK/small"
mount -t tmpfs -o size=2m none "$WORK/small"
trap 'umount "$WORK/small"' EXIT
backups=$WORK/small/backups
nightly
backup 3
assert_contains "$WORK/stderr" 'No space left on device'
assert_running
assert_backups 0
rm "$(volume_path data)/large" "$(volume_path data)/sparse"
backup 0
assert_backups 1
head -c 3000000 /dev/urandom >"$(volume_path data)/large"
backup 3
assert_running
assert_backups 1
umount "$WORK/small"
trap - EXIT

echo '# what there is not'
backups=$WORK/backups
nightly
backup 2 none
assert_contains "$WORK/stderr" "'none' is neither a Backup nor a volume"
backup 2 nightly --host h2
backup 2 nightly --host h2 -o json
assert_eq "$(jq -sr '[length, .[0].exit, .[0].error.code] | @csv' "$WORK/stdout")" '1,2,"invalid"'
fleet stop h1 sshd
backup 3
backup 3 nightly -o json
assert_eq "$(jq -sr '.[] | [.exit, (.backups | length), .failures[0].host, .failures[0].error.code] | @csv' "$WORK/stdout")" \
	'3,0,"h1","unreachable"'
fleet start h1 sshd
assert_backups 8
