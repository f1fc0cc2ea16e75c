#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A volume whose options changed: refused unless the manifest says what shall become of its files; copied into a new
# generation with every file as it was, its users moved over, the old one kept until confirmed. Whatever goes wrong, and
# wherever drey is killed: the next run gets there, no file is lost, and the users run.
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/volumes.sh
. "$(dirname "$0")/volumes.sh"

m=$WORK/manifests
backups=$WORK/backups
with() {
	[ ! -e "$WORK/fault.pid" ] || stop_faultproxy fault
	start_faultproxy h1 fault "$@"
	write_near_host "$m" /run/fault.sock
}
data() {
	write_document "$m" Volume data "$@"
}
mounted() {
	container_field h1 "$1" '.Mounts[0].Name + " " + .State.Status'
}
# current: the volume that user mounts.
current() {
	container_field h1 user '.Mounts[0].Name'
}
# assert_serves VOLUME: all users run on it, it holds every file, and nothing of the way there is left.
assert_serves() {
	assert_eq "$(mounted user)" "$1 running" "${2-}"
	assert_eq "$(mounted reader)" "$1 running" "${2-}"
	assert_eq "$(engine h1 GET '/containers/json?all=1' | jq -r '[.[].Names[0]] | sort | join(" ")')" '/reader /tail /user' "${2-}"
	assert_eq "$(container_field h1 tail '.HostConfig.NetworkMode + " " + .State.Status')" \
		"container:$(container_field h1 user .Id) running" "${2-}"
	assert_no_helper h1
	fingerprint "$1" >"$WORK/now"
	diff -u "$WORK/files" "$WORK/now" >&2 || fail "files differ ${2-}"
}

write_near_host "$m" /run/docker.sock
data
write_document "$m" Container user 'image: busy:1' 'monitor: 0s' 'restart: always' 'volumes: ["data:/data"]'
write_document "$m" Container reader 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'volumes: ["data:/data:ro"]' \
	'depends_on: [user]'
write_document "$m" Container tail 'image: busy:1' 'network_mode: "service:user"' 'monitor: 0s'
apply 0 "$m"
fill_volume data
(
	cd "$(volume_path data)"
	echo closed >no-access
	chmod 0 no-access
	chown 65534:65534 no-access
	mkdir -m 0 no-entry
	printf '\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$WORK/capability"
	cp /bin/true capable
	python3 -c 'import os, sys; os.setxattr("capable", "security.capability", open(sys.argv[1], "rb").read())' "$WORK/capability"
)
fingerprint data >"$WORK/files"
assert_serves data

echo '# without a word about it: refused, and the words are named'
before=$(all_objects h1)
data 'labels: { v: "1" }'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'on_change: migrate'
assert_contains "$WORK/stdout" 'on_change: recreate'
apply 3 "$m"
assert_eq "$(all_objects h1)" "$before"

echo '# into what holds nothing while it stands still: refused'
data 'on_change: migrate' 'driver_opts: { type: tmpfs, device: tmpfs }'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'only while a container has it mounted'
apply 3 "$m"
assert_eq "$(all_objects h1)" "$before"

echo '# a foreign container that writes to it, and one whose manifest is gone: refused, by name'
data 'on_change: migrate' 'labels: { v: "1" }'
docker_on_h1 run -d --name stranger -v data:/d busy:1 >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" "container 'stranger'"
apply 3 "$m"
docker_on_h1 rm -f stranger >/dev/null
write_document "$m" Container extra 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'volumes: ["data:/data"]'
data
apply 0 "$m"
rm "$m/container-extra.yaml"
data 'on_change: migrate' 'labels: { v: "1" }'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" "container 'extra', which no manifest declares any more"
docker_on_h1 rm -f extra >/dev/null
assert_eq "$(all_objects h1)" "$before"

echo '# the plan says what will happen, and then it does'
diff_exits 1 "$m" --target Volume/data
assert_contains "$WORK/stdout" "'data' is kept until"
assert_contains "$WORK/stdout" 'stops '
assert_contains "$WORK/stdout" 'Container/reader'
with
expect_exit 4 "$DREY" apply -f "$m"
assert_eq "$(all_objects h1)" "$before"
apply 0 "$m"
assert_serves data.2
assert_eq "$(engine h1 GET /volumes/data.2 | jq -r .Labels.v)" 1
python3 -c 'import os, sys; sys.exit(os.getxattr(sys.argv[1], "security.capability") != open(sys.argv[2], "rb").read())' \
	"$(volume_path data.2)/capable" "$WORK/capability"
fingerprint data >"$WORK/kept"
diff -u "$WORK/files" "$WORK/kept" >&2 || fail 'the old one was touched'
diff_exits 0 "$m" --all
assert_contains "$WORK/stdout" '? Volume/data'
assert_contains "$WORK/stdout" 'drey volume confirm data'
all=$(all_objects h1)
apply 0 "$m" --prune
assert_eq "$(all_objects h1)" "$all"

echo '# confirmed: the old one goes, what serves stays'
expect_exit 4 "$DREY" volume confirm data -f "$m"
assert_eq "$(all_objects h1)" "$all"
docker_on_h1 create --name holder -v data:/d busy:1 >/dev/null
expect_exit 3 "$DREY" volume confirm data -f "$m" --yes
assert_contains "$WORK/stderr" 'holder'
docker_on_h1 rm holder >/dev/null
echo '# not while another drey changes the engine'
docker_on_h1 create --name drey-lock --label drey.lease=0123456789abcdef0123456789abcdef --label drey.lease.host=elsewhere \
	--label drey.lease.boot=another --label drey.lease.pid=1 --label drey.lease.purpose=apply busy:1 >/dev/null
all=$(all_objects h1)
expect_exit 3 "$DREY" volume confirm data -f "$m" --yes --lock-timeout 0s
assert_contains "$WORK/stderr" 'another drey (apply, process 1 on elsewhere)'
assert_eq "$(all_objects h1)" "$all"
docker_on_h1 rm drey-lock >/dev/null
expect_exit 0 "$DREY" volume confirm data -f "$m" --yes
assert_contains "$WORK/stdout" 'data'
assert_eq "$(volumes h1)" 'data.2 data.2.drey-verified'
assert_serves data.2
diff_exits 0 "$m"
assert_lacks "$WORK/stdout" '? Volume/data'
expect_exit 0 "$DREY" volume confirm data -f "$m" --yes

echo '# whatever goes wrong: the old one serves on, and nothing is left of the new one'
data 'on_change: migrate' 'labels: { v: "2" }'
ids=$(docker_on_h1 ps -q --no-trunc | sort)
for rule in 'PUT /archive.path=%2F. drop=before' 'PUT /archive.path=%2F. reply=500 body="no unpacking today"' 'GET /archive nth=2- cut=500000' \
	'GET /archive nth=3- cut=500000' 'POST /volumes/create reply=500 body="no marker today"'; do
	with --rule "$rule"
	apply 3 "$m"
	assert_eq "$(docker_on_h1 ps -q --no-trunc | sort)" "$ids" "$rule"
	assert_serves data.2 "$rule"
	assert_eq "$(volumes h1)" 'data.2 data.2.drey-verified' "$rule"
done
fleet fill h1 2>/dev/null && {
	with
	apply 3 "$m"
	fleet unfill h1
	assert_serves data.2 'full disk'
}

echo '# a user that does not come up on the new one: it serves on, on the old one, with what it writes there, and the copy goes'
write_document "$m" Container user 'image: busy:1' 'monitor: 300ms' 'restart: always' 'volumes: ["data:/data"]' 'command: [sh, -c, "exit 3"]'
with
apply 3 "$m"
assert_serves data.2 'rolled back'
assert_eq "$(volumes h1)" 'data.2 data.2.drey-verified'
write_document "$m" Container user 'image: busy:1' 'monitor: 0s' 'restart: always' 'volumes: ["data:/data"]'

echo '# killed at any request: the next run gets there'
killed_at() {
	local rules=("$@") pid status=0
	with "${rules[@]}"
	"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
	pid=$!
	hangs() {
		[ "$(requests fault)" -ge "$n" ] || ! kill -0 "$pid" 2>/dev/null
	}
	wait_until 60 hangs
	kill -KILL "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || status=$?
	with
}
# How many there are.
data 'on_change: migrate' 'labels: { v: "3" }'
with
apply 0 "$m"
assert_serves "$(current)"
total=$(requests fault)
first=$(jq -r 'select(.event == "request") | "\(.method) \(.target)"' "$WORK/fault.log" | grep -nE '^(POST|PUT|DELETE)' | head -1 | cut -d: -f1)
# Two points along the way, where the crash tests have them all; DREY_KILL_STEP=1 does so here.
step=${DREY_KILL_STEP:-$(((total - first) / 2))}
n=$((first + step / 2))
while [ "$n" -lt "$total" ]; do
	data 'on_change: migrate' "labels: { v: \"$n\" }"
	odd=$((1 - ${odd:-0}))
	if [ "$odd" = 0 ]; then
		killed_at --rule "* . nth=$n- hang=1"
	else
		killed_at --rule "* . nth=$n drop=after" --rule "* . nth=$((n + 1))- hang=1"
		rm -rf "$DREY_STATE_DIR"
	fi
	apply 0 "$m"
	assert_serves "$(current)" "killed at $n of $total"
	assert_eq "$(engine h1 GET "/volumes/$(current)" | jq -r .Labels.v)" "$n"
	diff_exits 0 "$m"
	expect_exit 0 "$DREY" volume confirm data -f "$m" --yes
	assert_eq "$(volumes h1)" "$(current) $(current).drey-verified" "killed at $n of $total"
	n=$((n + step))
done

echo '# killed after the copy, and a user has written since, on the old one: copied anew, with that'
data 'on_change: migrate' 'labels: { v: last }'
killed_rules=(--rule 'POST /containers/create.name=user hang=1')
with "${killed_rules[@]}"
"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
moving() {
	[ "$(requests fault POST /containers/create.name=user)" -ge 1 ]
}
wait_until 60 moving
kill -KILL "$pid"
wait "$pid" 2>/dev/null || :
with
old=$(current)
volumes h1 | grep -q 'drey-verified.*drey-verified' || fail 'killed before the mark'
docker_on_h1 start user >/dev/null
docker_on_h1 exec user sh -c 'echo late >/data/late'
fingerprint "$old" >"$WORK/files"
diff_exits 1 "$m"
assert_contains "$WORK/stdout" '~ Volume/data'
apply 0 "$m"
[ "$(current)" != "$old" ] || fail 'still on the old one'
assert_serves "$(current)"
expect_exit 0 "$DREY" volume confirm data -f "$m" --yes
assert_eq "$(volumes h1)" "$(current) $(current).drey-verified"

echo '# a directory of the host that is not empty is not written over; the same files need no copy'
old=$(current)
dir=/srv/target
mkdir -p "$(host_path h1 $dir)"
echo mine >"$(host_path h1 $dir)/mine"
data 'on_change: migrate' "driver_opts: { type: none, o: bind, device: $dir }"
apply 3 "$m"
assert_contains "$WORK/stderr" 'not empty'
assert_serves "$old"
assert_eq "$(<"$(host_path h1 $dir)/mine")" mine
rm "$(host_path h1 $dir)/mine"
apply 0 "$m"
assert_eq "$(current | sed 's/\..*//') $(container_field h1 user .State.Status)" 'data running'
[ -e "$(host_path h1 $dir)/entry" ] || fail 'nothing was copied'
bound=$(current)
data 'on_change: migrate' "driver_opts: { type: none, o: bind, device: $dir }" 'labels: { same: device }'
with
apply 0 "$m"
[ "$(current)" != "$bound" ] || fail 'it was not moved'
assert_eq "$(requests fault PUT /archive.path=%2F.)" 0
expect_exit 0 "$DREY" volume confirm data -f "$m" --yes
[ -e "$(host_path h1 $dir)/entry" ] || fail 'the files went with the old one'

echo '# recreate: not without a Backup; then after one, and what was there is kept all the same'
old=$(current)
data 'on_change: recreate' 'labels: { fresh: "yes" }'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'no Backup document lists Volume/data'
apply 3 "$m"
assert_eq "$(mounted user)" "$old running"
write_document "$m" Backup nightly 'volumes: [data]' "directory: $backups"
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'without its files'
: >"$backups"
apply 3 "$m"
assert_eq "$(mounted user)" "$old running"
rm "$backups"
apply 0 "$m"
[ "$(current)" != "$old" ] || fail 'still on the old one'
assert_eq "$(find "$(volume_path "$(current)")" -mindepth 1 | wc -l)" 0
assert_eq "$(container_field h1 user .State.Status)" running
assert_eq "$(find "$backups" -name '*.json' | wc -l)" 1
engine h1 GET "/volumes/$old" >/dev/null

echo '# more leftovers than prune may remove are no matter of backups, restores and confirmations'
for i in 1 2 3 4 5; do
	docker_on_h1 create --name "left-$i" -l drey.project=test -l drey.kind=Container -l "drey.name=left-$i" -l "drey.uid=$i" \
		-l drey.format=1 busy:1 >/dev/null
done
sed -i 's/metadata: { name: test }/&\nspec: { prune: true }/' "$m/host.yaml"
apply 4 "$m"
expect_exit 0 "$DREY" backup run nightly -f "$m"
first=$(find "$backups" -name '*.json' | sort | head -1)
first=$(basename "$first" .json)
expect_exit 0 "$DREY" backup restore data -f "$m" --yes --from "$first"
assert_eq "$(cat "$(volume_path "$(current)")/entry")" 'the only copy'
expect_exit 0 "$DREY" volume confirm data -f "$m" --yes
assert_eq "$(docker_on_h1 ps -aq --filter name=left- | wc -l)" 5
docker_on_h1 rm left-1 left-2 left-3 left-4 left-5 >/dev/null
diff_exits 0 "$m"

echo '# a user whose replacement is held for a look: the old one is not set going again beside the new one'
taker() {
	write_document "$m" Container taker 'image: busy:1' 'network_mode: host' 'monitor: 200ms' 'volumes: ["pool:/p"]' \
		'deploy: { update_config: { failure_action: pause } }' "$@"
}
write_document "$m" Volume pool 'on_change: migrate'
taker
apply 0 "$m"
echo kept >"$(volume_path pool)/file"
old=$(container_field h1 taker .Id)
write_document "$m" Volume pool 'on_change: migrate' 'labels: { v: "1" }'
taker 'command: [sh, -c, "exit 3"]'
apply 3 "$m"
assert_eq "$(container_field h1 taker.drey-held '.Id + " " + .State.Status')" "$old exited"
assert_eq "$(container_field h1 taker '.Mounts[0].Name + " " + .State.Status')" 'pool.2 exited'
assert_eq "$(<"$(volume_path pool.2)/file")" kept
echo '# its manifest mended: it goes on from the old one, and so from the old volume, which is copied anew'
taker
apply 0 "$m"
assert_eq "$(mounted taker)" 'pool.3 running'
container_exists h1 taker.drey-held && fail 'what was held is still there'
assert_eq "$(<"$(volume_path pool)/file")$(<"$(volume_path pool.3)/file")" keptkept
diff_exits 0 "$m"
