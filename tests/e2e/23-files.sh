#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Configs and secrets are in a container before it starts, with owner and mode; whatever happens to them is a difference,
# and the values of secrets are nowhere but in the file.
# shellcheck disable=SC2016 # ${host.name} is for drey
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

umask 077
m=$WORK/m
first=hunter2-Zq7 second=swordfish-Yw3
export DB_TOKEN=$first
mkdir -p "$m/conf"
write_host_manifests "$m"
rm "$m/project.yaml" "$m/host-h2.yaml"
write_document "$m" Project test 'hosts: [h1]' 'env: [DB_TOKEN]' 'variables: { port: 8080 }'
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/docker.sock)"
write_document "$m" Config motd 'content: "hello from ${host.name}\n"'
write_document "$m" Config app 'file: conf/app.conf'
write_document "$m" Config mixed 'content: "token=${secret.token} port=${host.vars.port}"'
write_document "$m" Secret token 'env: DB_TOKEN'
write_document "$m" Secret key 'file: conf/key'
printf 'one\ntwo\nthree\n' >"$m/conf/app.conf"
printf '\1\0\377\nbinary\n' >"$m/conf/key"

# write_web [LINE]...
write_web() {
	write_document "$m" Container web 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
		'command: [sh, -c, "cp /motd /seen-at-start; exec forever"]' "$@"
}

all_files() {
	write_web 'configs: [motd, mixed, { source: app, target: /etc/app/deep/x.conf, uid: "33", gid: "34", mode: "0440" }]' \
		'secrets: [token, { source: key, target: keys/k, mode: 0o400 }]'
}

# file PATH: what the container holds there; listing PATH: mode, owner and size.
file() {
	engine h1 GET "/containers/web/archive?path=$1" | tar -xO
}

listing() {
	engine h1 GET "/containers/web/archive?path=$1" | tar -tv --numeric-owner | tr -s ' ' | cut -d' ' -f1-3
}

# put_in CONTAINER PATH TEXT: as somebody would who edits the file inside.
put_in() {
	mkdir -p "$WORK/put/$(dirname "$2")"
	printf %s "$3" >"$WORK/put/$2"
	tar -c -C "$WORK/put" --owner=0 --group=0 --mode="${4:-0444}" --mtime=@0 "$2" | curl -sS --fail-with-body --noproxy '*' --unix-socket \
		"$(host_path h1 /run/docker.sock)" -X PUT -H 'Content-Type: application/x-tar' --data-binary @- \
		"http://engine/containers/$1/archive?path=/"
}

id() {
	container_field h1 web .Id
}

# replaced: the container is another than it was, and in step now.
replaced() {
	local before
	before=$(id)
	apply 0 "$m"
	[ "$(id)" != "$before" ] || fail 'it was not replaced'
	diff_exits 0 "$m"
}

# assert_secret FILE...: neither value is in there.
assert_secret() {
	local value file
	for file; do
		for value in "$first" "$second"; do
			! grep -qaF -e "$value" "$file" || fail "$file holds \"$value\""
		done
	done
}

# says CODE COMMAND...: in each form, and with all that it logs.
says() {
	local code=$1
	shift
	expect_exit "$code" "$DREY" "$@" -f "$m" -o json -vv
	assert_secret "$WORK/stdout" "$WORK/stderr"
	cp "$WORK/stdout" "$WORK/json"
	expect_exit "$code" "$DREY" "$@" -f "$m" -vv
	assert_secret "$WORK/stdout" "$WORK/stderr"
}

in_place() {
	assert_eq "$(file /motd)" 'hello from h1'
	assert_eq "$(file /seen-at-start)" 'hello from h1' 'there before the start'
	assert_eq "$(listing /motd)" '-r--r--r-- 0/0 14'
	assert_eq "$(file /etc/app/deep/x.conf | md5sum)" "$(md5sum <"$m/conf/app.conf")"
	assert_eq "$(listing /etc/app/deep/x.conf)" "-r--r----- 33/34 $(stat -c %s "$m/conf/app.conf")"
	assert_eq "$(file /run/secrets/token)" "$DB_TOKEN"
	assert_eq "$(file /mixed)" "token=$DB_TOKEN port=8080"
	assert_eq "$(file /run/secrets/keys/k | md5sum)" "$(md5sum <"$m/conf/key")"
	assert_eq "$(listing /run/secrets/keys/k)" '-r-------- 0/0 11'
	assert_eq "$(listing /run/secrets/ | head -n 1 | cut -d' ' -f1-2)" 'drwxr-xr-x 0/0'
}

echo '# made, with its files'
all_files
says 0 validate
says 0 render
says 1 diff
apply 0 "$m"
assert_secret "$WORK/stdout" "$WORK/stderr"
in_place
says 0 diff
container_field h1 web '.Config.Labels' >"$WORK/labels"
assert_contains "$WORK/labels" '/run/secrets/keys/k'
assert_secret "$WORK/labels"
engine h1 GET /containers/web/json >"$WORK/inspect"
assert_secret "$WORK/inspect"

echo '# the engine starts again; stopped, it still has them'
fleet stop h1 engine
fleet start h1 engine
diff_exits 1 "$m"
assert_lacks "$WORK/stdout" configs
assert_lacks "$WORK/stdout" secrets
before=$(id)
apply 0 "$m"
assert_eq "$(id)" "$before"
in_place
diff_exits 0 "$m"

echo '# edited inside: content, mode, owner, and gone'
put_in web etc/app/deep/x.conf $'one\n2\nthree\n'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'configs[/etc/app/deep/x.conf]'
assert_contains "$WORK/stdout" '12 bytes -> 14 bytes, other from line 2 on'
assert_contains "$WORK/stdout" 'configs[/etc/app/deep/x.conf].uid  0 -> 33'
assert_contains "$WORK/stdout" '0444 -> 0440'
replaced
in_place
put_in web run/secrets/token "$second"
says 1 diff
assert_contains "$WORK/stdout" '*** (before) -> *** (after)'
assert_eq "$(jq -c '[.hosts[].actions[] | .changes[] | [.path, .before, .after, .masked]]' "$WORK/json")" \
	'[["secrets[/run/secrets/token]","***","***",true]]'
replaced
in_place
put_in web motd "$(head -c 3000000 /dev/zero | tr '\0' x)"
diff_exits 1 "$m"
assert_contains "$WORK/stdout" '3000000 bytes -> 14 bytes'
replaced
docker -H "unix://$(host_path h1 /run/docker.sock)" exec web sh -c 'rm /motd; ln -s /etc/passwd /motd; rm -r /etc/app'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'no regular file -> 14 bytes'
assert_contains "$WORK/stdout" '(none) -> 14 bytes'
replaced
in_place

echo '# left to others where the manifest says so'
put_in web motd other
sed -i 's|name: web }|name: web, ignore: ["configs[/motd]"] }|' "$m/container-web.yaml"
diff_exits 0 "$m"
all_files
diff_exits 1 "$m"
replaced

echo '# the manifest changes'
write_document "$m" Config motd 'content: "hello again from ${host.name}\n"'
spec=$(container_field h1 web '.Config.Labels["drey.spec"]')
says 1 diff
replaced
assert_eq "$(file /motd)" 'hello again from h1'
[ "$(container_field h1 web '.Config.Labels["drey.spec"]')" != "$spec" ] || fail 'another content is another spec'
write_document "$m" Config motd 'content: "hello from ${host.name}\n"'
printf 'four\n' >>"$m/conf/app.conf"
replaced
in_place
spec=$(container_field h1 web '.Config.Labels["drey.spec"]')
DB_TOKEN=$second
says 1 diff
assert_contains "$WORK/stdout" 'secrets[/run/secrets/token]'
assert_contains "$WORK/stdout" 'configs[/mixed]'
assert_lacks "$WORK/stdout" ' bytes'
replaced
in_place
assert_eq "$(container_field h1 web '.Config.Labels["drey.spec"]')" "$spec" 'a digest of a secret is no digest to keep'
container_field h1 web '.Config.Labels' >"$WORK/labels"
assert_secret "$WORK/labels"

echo '# a second one, in place of the first ones'
write_web 'configs: [motd]' 'secrets: [{ source: token, target: other }]'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'configs[/etc/app/deep/x.conf]'
assert_contains "$WORK/stdout" 'put there by drey -> (none)'
assert_contains "$WORK/stdout" '*** (before) -> (none)'
replaced
assert_eq "$(file /run/secrets/other)" "$second"
! engine h1 GET '/containers/web/archive?path=/run/secrets/token' >/dev/null 2>&1 || fail 'the old secret is still there'
write_web
replaced
assert_eq "$(container_field h1 web '.Config.Labels["drey.files"]')" null

echo '# cut off between create and its files: never started without them'
interrupt() {
	start_faultproxy h1 fault --rule 'PUT archive.path=/$ hang=1'
	write_document "$m" Host h1 "address: unix://$(host_path h1 /run/fault.sock)"
	"$DREY" apply -f "$m" --yes >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
	pid=$!
	putting() {
		[ "$(requests fault PUT 'path=/$')" != 0 ]
	}
	wait_until 30 putting
	kill -KILL "$pid"
	wait "$pid" || :
	stop_faultproxy fault
	write_document "$m" Host h1 "address: unix://$(host_path h1 /run/docker.sock)"
}
engine h1 DELETE '/containers/web?force=1' >/dev/null
all_files
interrupt
assert_eq "$(container_field h1 web .State.Status)" created
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'configs[/motd]'
apply 0 "$m"
in_place
diff_exits 0 "$m"
printf 'five\n' >>"$m/conf/app.conf"
interrupt
assert_eq "$(container_field h1 web.drey-new .State.Status)" created
assert_eq "$(container_field h1 web .State.Status)" running
apply 0 "$m"
in_place
diff_exits 0 "$m"
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq -r '[.[].Names[0] | select(. != "/drey-lock")] | join(" ")')" /web
# Its answer alone is lost.
start_faultproxy h1 fault --rule 'PUT archive.path=/$ nth=1 drop=after'
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/fault.sock)"
printf 'six\n' >>"$m/conf/app.conf"
apply 0 "$m"
stop_faultproxy fault
write_document "$m" Host h1 "address: unix://$(host_path h1 /run/docker.sock)"
in_place

echo '# what is in the way is told before anything is touched'
write_document "$m" Container hidden 'image: with-volume:1' 'network_mode: host' 'configs: [{ source: motd, target: /data/motd }]'
"$FLEET_TOOL" image "$FLEET" with-volume:1 --hosts h1 --config '{"Volumes": {"/data": {}}}' >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" "configs[/data/motd] can't be put there: the image declares a volume at /data"
rm "$m/container-hidden.yaml"
engine h1 DELETE /images/with-volume:1 >/dev/null

echo '# files changed inside, where the manifest asks'
plain() {
	write_document "$m" Container web 'image: busy:1' 'network_mode: host' 'monitor: 0s' 'configs: [motd]' "$@"
}
plain 'fs_drift: report'
apply 0 "$m"
diff_exits 0 "$m"
assert_lacks "$WORK/stdout" warning
put_in web etc/somebody x
diff_exits 0 "$m"
assert_contains "$WORK/stdout" 'warning: files changed inside: /etc/somebody'
plain 'fs_drift: { mode: report, ignore: [/etc] }'
diff_exits 0 "$m"
assert_lacks "$WORK/stdout" warning
plain 'fs_drift: replace'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'fs_drift[/etc/somebody]'
replaced
plain
put_in web etc/somebody x
diff_exits 0 "$m"
assert_lacks "$WORK/stdout" warning

echo '# nothing of the secrets in the state'
says 0 history
says 0 history Container/web@h1
while IFS= read -r -d '' state; do
	assert_secret "$state"
done < <(find "$WORK/state" -type f -print0)
