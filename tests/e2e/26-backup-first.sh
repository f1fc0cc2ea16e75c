#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# backup_first: a backup before whatever could cost data, after the service has been stopped; where none can be made the
# change is refused, before anything is stopped if that is known.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/volumes.sh
. "$(dirname "$0")/volumes.sh"

m=$WORK/manifests
backups=$WORK/backups
write_host_manifests "$m"
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m/host-h1.yaml"
start_faultproxy h1 fault
db() {
	write_document "$m" Container db 'hosts: [h1]' 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
		'volumes: ["data:/data"]' 'backup_first: true' "$@"
}
write_document "$m" Container other 'image: busy:1' 'network_mode: host' 'monitor: 0s'
write_document "$m" Volume data
nightly() {
	write_document "$m" Backup nightly 'volumes: [data]' "directory: $backups"
}
db_state() {
	container_field h1 db '.Id + " " + .State.StartedAt + " " + .State.Status'
}
count() {
	find "$backups" -name '*.json' 2>/dev/null | wc -l
}

echo '# no Backup: created, for that costs nothing; a change is refused at once and nothing is stopped'
db
apply 0 "$m"
fill_volume data
before=$(db_state)
db 'environment: { A: b }'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" '! Container/db'
assert_contains "$WORK/stdout" 'no Backup document lists Volume/data'
stop_faultproxy fault
start_faultproxy h1 fault
write_document "$m" Container other 'image: busy:2' 'network_mode: host' 'monitor: 0s'
apply 3 "$m"
assert_contains "$WORK/stderr" 'no Backup document lists Volume/data'
assert_eq "$(db_state)" "$before"
assert_eq "$(requests fault POST "/db/|$(container_field h1 db .Id)")" 0 'nothing was done to it'
assert_eq "$(container_field h1 other .Config.Image) $(container_field h2 other .Config.Image)" 'busy:2 busy:2'

echo '# a Backup: after the stop, before the new one'
nightly
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'after a backup'
old=$(container_field h1 db .Id)
stop_faultproxy fault
start_faultproxy h1 fault
apply 0 "$m"
assert_eq "$(count)" 1
assert_eq "$(jq -r 'select(.event == "request") | "\(.method) \(.target)"' "$WORK/fault.log" |
	sed -n "s/.*POST.*$old.*\/stop.*/stop/p; s/^GET .*archive.*/archive/p; s/^POST .*\/start.*/start/p; s/^DELETE .*$old.*/remove/p" |
	xargs)" 'stop archive start remove'
assert_no_helper h1
expect_exit 0 "$DREY" backup list -f "$m"
assert_contains "$WORK/stdout" 'Volume/data@h1'
expect_exit 0 "$DREY" status -f "$m"
diff_exits 0 "$m"

echo '# what can be changed live needs none'
db 'environment: { A: b }' 'mem_limit: 64m'
apply 0 "$m"
assert_eq "$(count)" 1

echo '# a backup that fails: the old one is back'
before=$(container_field h1 db .Id)
db 'environment: { A: c }' 'mem_limit: 64m'
chmod 000 "$backups"
backups_moved=$backups.moved
mv "$backups" "$backups_moved"
: >"$backups"
apply 3 "$m"
assert_contains "$WORK/stderr" 'back up before the replacement'
assert_contains "$WORK/stderr" 'the old container is back in place'
assert_eq "$(container_field h1 db '.Id + " " + .State.Status')" "$before running"
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq length)" 2
rm "$backups"
mv "$backups_moved" "$backups"
chmod 700 "$backups"
apply 0 "$m"
assert_eq "$(count)" 2

echo '# a replacement that follows from something else is one as well'
write_document "$m" Network front 'hosts: [h1]'
db 'environment: { A: c }' 'mem_limit: 64m'
sed -i 's/network_mode: host/networks: [front]/' "$m/container-db.yaml"
apply 0 "$m"
assert_eq "$(count)" 3

echo '# a volume that shall go: only after its backup'
rm "$m/container-db.yaml" "$m/backup-nightly.yaml"
write_document "$m" Volume data 'hosts: [h1]' 'state: absent' 'on_remove: delete' 'backup_first: true'
apply 3 "$m" --prune
assert_contains "$WORK/stdout" 'no Backup document lists Volume/data'
assert_eq "$(volumes h1)" data
nightly
apply 0 "$m"
assert_eq "$(volumes h1)" ''
assert_eq "$(count)" 4
rm "$m/volume-data.yaml"
write_document "$m" Volume data 'hosts: [h1]'
expect_exit 0 "$DREY" backup list -f "$m"
assert_eq "$(wc -l <"$WORK/stdout")" 4
apply 0 "$m"
expect_exit 0 "$DREY" backup restore data -f "$m" --yes
assert_eq "$(<"$(volume_path data.2)/entry")" 'the only copy'

echo '# all generations go, each after its backup; the one that served last has the newest'
write_document "$m" Volume data 'hosts: [h1]' 'state: absent' 'on_remove: delete' 'backup_first: true'
echo 'the last word' >"$(volume_path data.2)/entry"
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'its earlier generations go with it'
assert_lacks "$WORK/stdout" '? Volume/data'
apply 0 "$m"
assert_eq "$(volumes h1)" ''
assert_eq "$(count)" 6
diff_exits 0 "$m"
write_document "$m" Volume data 'hosts: [h1]'
apply 0 "$m"
expect_exit 0 "$DREY" backup restore data -f "$m" --yes
assert_eq "$(<"$(volume_path data.2)/entry")" 'the last word'
