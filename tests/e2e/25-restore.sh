#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Restores: into a new generation that holds every file as it was, users moved over, the old one kept; and whatever
# goes wrong or is killed on the way leaves the old one in use, and the next restore gets there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/volumes.sh
. "$(dirname "$0")/volumes.sh"

m=$WORK/manifests
backups=$WORK/backups
terminal=$(dirname "$(readlink -f "$0")")/terminal.py
write_host_manifests "$m"
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m/host-h1.yaml"
write_document "$m" Volume data
write_document "$m" Container user 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'volumes: ["data:/data"]'
write_document "$m" Container reader 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
	'volumes: ["data:/data:ro"]' 'depends_on: [user]'
write_document "$m" Backup nightly 'volumes: [data]' "directory: $backups"
start_faultproxy h1 fault
with() {
	stop_faultproxy fault
	start_faultproxy h1 fault "$@"
}
restore() {
	expect_exit "$1" "$DREY" backup restore data -f "$m" "${@:2}"
}
mounted() {
	container_field h1 "$1" '.Mounts[0].Name + " " + .State.Status'
}
# assert_users VOLUME: both run, on that volume.
assert_users() {
	assert_eq "$(mounted user)" "$1 running"
	assert_eq "$(mounted reader)" "$1 running"
	assert_no_helper h1
}
# generation: what the restore has just said that it made.
generation() {
	sed -n 's/.*restored into \(data\.[0-9]*\),.*/\1/p' "$WORK/stdout"
}
ids() {
	container_field h1 user .Id
	container_field h1 reader .Id
}

apply 0 "$m"
fill_volume data
fingerprint data >"$WORK/files"
expect_exit 0 "$DREY" backup run nightly -f "$m" -o json
first=$(jq -r '.backups[0].id' "$WORK/stdout")
echo 'scribbled over' >"$(volume_path data)/entry"
rm "$(volume_path data)/large"
fingerprint data >"$WORK/scribbled"
before=$(ids)

echo '# consent'
restore 4
assert_contains "$WORK/stderr" '--yes'
expect_exit 4 "$terminal" 'y/N' n "$DREY" backup restore data -f "$m"
expect_exit 130 "$terminal" 'y/N' ^C "$DREY" backup restore data -f "$m"
restore 2 --yes --from 20000101T000000Z-00000000
assert_contains "$WORK/stderr" 'has no backup 20000101T000000Z-00000000'
# Beside another drey its users could not be moved: not even begun.
exec {held}>"$DREY_STATE_DIR/controller.lock"
flock -n "$held"
restore 4 --yes
assert_contains "$WORK/stderr" 'another drey is at work'
restore 4 --yes -o json
assert_eq "$(jq -sr '[length, .[0].exit, .[0].error.code] | @csv' "$WORK/stdout")" '1,4,"refused"'
exec {held}>&-
assert_eq "$(volumes h1)" data
assert_eq "$(ids)" "$before"
assert_users data

echo '# whatever goes wrong: the old one stays in use, and nothing is left of the new one'
for rule in 'PUT /archive drop=before' 'PUT /archive reply=500 body="no unpacking today"' 'GET /archive cut=500000' \
	'POST /volumes/create reply=500 body="no marker today"' 'POST create.name=drey-restore reply=500 body="no helper today"'; do
	with --rule "$rule"
	restore 3 --yes
	assert_contains "$WORK/stderr" "restore Volume/data@h1 from $first: "
	assert_eq "$(ids)" "$before"
	assert_users data
	assert_eq "$(volumes h1)" data
done
with
fleet fill h1
restore 3 --yes
fleet unfill h1
assert_eq "$(ids)" "$before"
assert_users data
assert_eq "$(volumes h1)" data
diff_exits 0 "$m"

echo '# an archive that is damaged is refused'
archive=$(find "$backups" -name "$first.tar.zst")
cp "$archive" "$WORK/archive"
printf 'X' | dd of="$archive" bs=1 seek=1000 conv=notrunc status=none
restore 3 --yes
assert_contains "$WORK/stderr" "backup $first is damaged"
cp "$WORK/archive" "$archive"
listing=${archive%.tar.zst}.files.jsonl
cp "$listing" "$WORK/listing"
sed -i '1d' "$listing"
restore 3 --yes
cp "$WORK/listing" "$listing"
assert_eq "$(ids)" "$before"
assert_users data
assert_eq "$(volumes h1)" data

echo '# killed in the middle: the old one counts, and the next restore clears up and gets there'
with --rule 'PUT /archive hang=1'
"$DREY" backup restore data -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
unpacking() {
	[ "$(requests fault PUT /archive)" != 0 ]
}
wait_until 30 unpacking
kill -KILL "$pid"
wait "$pid" || :
with
diff_exits 0 "$m"
apply 0 "$m"
assert_eq "$(ids)" "$before"
assert_eq "$(mounted user)" 'data running'

echo '# the restore itself: every file as it was, the users moved over, the old one kept; beside what a generation of that'
echo '# name, long gone, has left, and though the answer to the last request of the restore gets lost'
engine h1 POST /volumes/create '{"Name":"data.2.drey-verified","Labels":{"drey.project":"test","drey.verified":"gone"}}' >/dev/null
with --rule 'POST /volumes/create drop=after'
restore 0 --yes
with
assert_eq "$(generation)" data.3
assert_contains "$WORK/stdout" 'every file compared'
now=$(generation)
assert_users "$now"
diff_exits 0 "$m" --all
assert_contains "$WORK/stdout" '? Volume/data'
fingerprint "$now" >"$WORK/restored"
diff -u "$WORK/files" "$WORK/restored" >&2 || fail 'files differ'
fingerprint data >"$WORK/kept"
diff -u "$WORK/scribbled" "$WORK/kept" >&2 || fail 'the old generation was touched'
apply 0 "$m" --prune
engine h1 GET /volumes/data >/dev/null
diff_exits 0 "$m"

echo '# a second one, from a backup of the second generation, and back to the first by --from'
echo 'a new entry' >"$(volume_path "$now")/entry"
expect_exit 0 "$DREY" backup run nightly -f "$m" -o json
assert_eq "$(jq -r '.backups[0].engine_volume' "$WORK/stdout")" "$now"
rm "$(volume_path "$now")/entry"
restore 0 --yes -o json
assert_eq "$(jq -sr '.[] | [.exit, .restored[0].volume, .restored[0].host] | @csv' "$WORK/stdout")" '0,"data","h1"'
assert_eq "$(jq -r '[.results[] | select(.verdict == "replace") | .name + " " + .outcome] | sort | @csv' "$WORK/stdout")" \
	'"reader done","user done"'
now=$(jq -r '.restored[0].engine_volume' "$WORK/stdout")
assert_users "$now"
assert_eq "$(<"$(volume_path "$now")/entry")" 'a new entry'
echo '# nothing but its users changes, whatever else is out of step'
write_document "$m" Container other 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s'
apply 0 "$m"
write_document "$m" Container other 'hosts: [h1]' 'image: busy:2' 'network_mode: host' 'monitor: 0s'
write_document "$m" Container third 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s'
other=$(container_field h1 other '.Id + " " + .State.StartedAt')
restore 0 --yes --from "$first"
assert_eq "$(container_field h1 other '.Id + " " + .State.StartedAt')" "$other"
container_exists h1 third && fail 'another container was made'
now=$(generation)
assert_users "$now"
assert_eq "$(<"$(volume_path "$now")/entry")" 'the only copy'
diff_exits 1 "$m"
rm "$m"/container-{other,third}.yaml
apply 0 "$m" --prune
diff_exits 0 "$m"

echo '# one that is killed after the volume is whole, before its users have moved: apply moves them'
verified=$(volumes h1 | tr ' ' '\n' | grep -c drey-verified)
with --rule 'POST /stop hang=1'
"$DREY" backup restore data -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
moving() {
	[ "$(requests fault POST /stop)" != 0 ]
}
wait_until 60 moving
kill -KILL "$pid"
wait "$pid" || :
[ "$(volumes h1 | tr ' ' '\n' | grep -c drey-verified)" = $((verified + 1)) ] || fail 'killed before the volume was whole'
with
last=$now
apply 0 "$m"
now=$(mounted user)
now=${now% *}
[ "$now" != "$last" ] || fail 'the users are still on the old one'
assert_users "$now"
diff_exits 0 "$m"

echo '# which host, where there are two'
write_document "$m" Container user 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'volumes: ["data:/data"]'
apply 0 "$m"
restore 2 --yes
assert_contains "$WORK/stderr" 'say which with --host'
restore 2 --yes --host h2
assert_contains "$WORK/stderr" 'Volume/data@h2 has no backup'
