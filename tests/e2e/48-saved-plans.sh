#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Saved plans: carried out exactly, or refused with what has moved and nothing touched.
# shellcheck disable=SC2016 # ${secret.x} is drey's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/m
plan=$WORK/plan.json
write_host_manifests "$m"
unset DREY_PLAN_KEY

fleet image plan:1 --hosts h1,h2 --config '{"Env":["PATH=/bin","N=first"]}' >/dev/null
web() {
	write_document "$m" Container web 'image: plan:1' 'network_mode: host' 'monitor: 0s' 'hosts: [h1]' "$@"
}

# save CODE [OPTION]...: plans, with CODE as diff's exit code.
save() {
	local code=$1
	shift
	diff_exits "$code" "$m" --out "$plan" "$@"
}

# refused TEXT...: the plan is refused, the host is as it was, and each text is told.
refused() {
	local text
	all_objects h1 >"$WORK/before"
	expect_exit 4 "$DREY" apply -f "$m" "$plan"
	assert_contains "$WORK/stderr" 'nothing was touched'
	for text in "$@"; do
		assert_contains "$WORK/stderr" "$text"
	done
	all_objects h1 | diff "$WORK/before" - || fail 'something was touched'
}

# unusable TEXT: the file is no plan.
unusable() {
	expect_exit 2 "$DREY" apply -f "$m" "$plan"
	assert_contains "$WORK/stderr" "$1"
}

echo '# planned, and carried out without being asked; a second time everything has moved'
write_document "$m" Volume data 'labels: { a: b }'
web 'volumes: [ "data:/data" ]'
save 1
assert_eq "$(stat -c %a "$plan")" 600
expect_exit 0 "$DREY" apply -f "$m" "$plan"
assert_contains "$WORK/stdout" '+ Container/web'
assert_eq "$(container_field h1 web .State.Status)" running
refused 'h1: Container/web: verdict: create when it was planned, now keep' 'perhaps it was carried out already'
save 0
expect_exit 0 "$DREY" apply -f "$m" "$plan"

echo '# other manifests: each field is named; what concerns other resources is no matter'
web 'volumes: [ "data:/data" ]' 'mem_limit: 64m'
save 1
web 'volumes: [ "data:/data" ]' 'mem_limit: 32m' 'environment: { NEW: plain }'
refused 'h1: Container/web: mem_limit: 0 -> 67108864 when it was planned, now 0 -> 33554432' \
	'h1: Container/web: environment.NEW: no change when it was planned' \
	'h1: Container/web: verdict: update when it was planned, now replace' 'make a new one'
expect_exit 4 "$DREY" apply -f "$m" "$plan" -o json
assert_eq "$(jq -r '[.exit, .error.code, (.moved[] | select(.field == "verdict") | .host, .resource, .planned, .found)] | @csv' \
	"$WORK/stdout")" '4,"refused","h1","Container/web","update","replace"'
web 'volumes: [ "data:/data" ]' 'mem_limit: 64m'
write_document "$m" Container other 'image: plan:1' 'network_mode: host' 'hosts: [h1]'
refused 'h1: Container/other: not planned when it was planned, now create'
save 1 --target Container/web
rm "$m/container-other.yaml"
echo '# a comment is no difference' >>"$m/container-web.yaml"
expect_exit 0 "$DREY" apply -f "$m" "$plan"
assert_eq "$(container_field h1 web .HostConfig.Memory)" 67108864

echo '# what has nothing there yet: another manifest for it is still another'
write_document "$m" Container new 'image: plan:1' 'network_mode: host' 'hosts: [h1]'
save 1
write_document "$m" Container new 'image: plan:1' 'network_mode: host' 'hosts: [h1]' 'init: true'
refused 'h1: Container/new: spec: what the manifests said'
rm "$m/container-new.yaml"

echo '# the host was changed by hand: limit, environment of one made anew, another image, no volume'
web 'volumes: [ "data:/data" ]' 'mem_limit: 96m'
save 1
engine h1 POST /containers/web/update '{"Memory":33554432,"MemorySwap":67108864}' >/dev/null
refused 'h1: Container/web: mem_limit: 67108864 -> 100663296 when it was planned, now 33554432 -> 100663296'
save 1
# remake JQ: the container, made anew by hand with its labels.
remake() {
	local body
	body=$(container_field h1 web "{Image: .Config.Image, Env: .Config.Env, Labels: .Config.Labels, HostConfig} | $1")
	engine h1 DELETE '/containers/web?force=1' >/dev/null
	engine h1 POST '/containers/create?name=web' "$body" >/dev/null
	engine h1 POST /containers/web/start >/dev/null
}
remake .
refused 'h1: Container/web: id: '
save 1
remake '.Env += ["SECRET=hidden"]'
refused 'h1: Container/web: environment.SECRET: no change when it was planned'
assert_lacks "$WORK/stderr" hidden
save 1
fleet image plan:1 --hosts h1 --config '{"Env":["PATH=/bin","N=moved"]}' >/dev/null
refused 'h1: Container/web: wanted_image_id: sha256:' 'h1: Container/web: image: '
save 1
engine h1 DELETE '/containers/web?force=1' >/dev/null
engine h1 DELETE /volumes/data >/dev/null
refused 'h1: Volume/data: verdict: keep when it was planned, now create' 'h1: Container/web: verdict: '
save 1
expect_exit 0 "$DREY" apply -f "$m" "$plan"
diff_exits 0 "$m"

echo '# secrets: in no plan; a changed one is noticed and not shown'
mkdir "$m/secrets"
printf 'first-word' >"$m/secrets/word"
chmod 600 "$m/secrets/word"
write_document "$m" Secret word 'file: secrets/word'
web 'environment: { WORD: "${secret.word}" }'
save 1
assert_contains "$WORK/stderr" 'DREY_PLAN_KEY'
assert_lacks "$plan" first-word
assert_eq "$(jq -r '[.key.method, (.hosts[0].actions[] | select(.kind == "Container") | .secrets | length)] | @csv' "$plan")" \
	'"hmac-sha256",64'
assert_eq "$(stat -c %a "$DREY_STATE_DIR/plan.key")" 600
printf 'other-word' >"$m/secrets/word"
refused 'h1: Container/web: secrets: a secret when it was planned, now another value, or none'
assert_lacks "$WORK/stderr" -word
printf 'first-word' >"$m/secrets/word"
expect_exit 4 "$DREY" apply -f "$m" "$plan" --state "$WORK/elsewhere"
assert_contains "$WORK/stderr" 'there is no key to check them with'
expect_exit 4 env DREY_PLAN_KEY=0123456789012345678901234567890123456789 "$DREY" apply -f "$m" "$plan"
assert_contains "$WORK/stderr" 'made with another key'
expect_exit 2 env DREY_PLAN_KEY=short "$DREY" diff -f "$m" --out "$plan.short"
assert_contains "$WORK/stderr" '32 are needed at least'
[ ! -e "$plan.short" ] || fail 'a plan was made with a short key'
expect_exit 0 "$DREY" apply -f "$m" "$plan"
assert_contains <(container_field h1 web '.Config.Env[]') WORD=first-word

echo '# sealed with a key from elsewhere: carried out with another state directory, unless it was altered'
openssl rand -hex 32 >"$WORK/key"
printf 'third-word' >"$m/secrets/word"
save 1 --plan-key-file "$WORK/key"
jq -c '.options.prune = true' "$plan" >"$WORK/altered.json"
expect_exit 4 "$DREY" apply -f "$m" --plan-key-file "$WORK/key" "$WORK/altered.json"
assert_contains "$WORK/stderr" 'altered after it was made'
jq -c '.key = null | .mac = null' "$plan" >"$WORK/altered.json"
expect_exit 4 "$DREY" apply -f "$m" --plan-key-file "$WORK/key" "$WORK/altered.json"
assert_contains "$WORK/stderr" 'not sealed'
DREY_PLAN_KEY=$(<"$WORK/key") expect_exit 0 "$DREY" apply -f "$m" "$plan" --state "$WORK/elsewhere"
assert_contains <(container_field h1 web '.Config.Env[]') WORD=third-word

echo '# options are the plan'"'"'s; another project; what is no plan'
save 0
expect_exit 2 "$DREY" apply -f "$m" --host h1 "$plan"
assert_contains "$WORK/stderr" '--host is no option for a saved plan'
sed -i 's/name: test/name: another/' "$m/project.yaml"
expect_exit 2 "$DREY" apply -f "$m" "$plan"
assert_contains "$WORK/stderr" 'one of project test'
write_host_manifests "$m"
cp "$plan" "$plan.good"
head -c 300 "$plan.good" >"$plan"
unusable 'no plan: line'
: >"$plan"
unusable 'no plan'
jq '.format = 99' "$plan.good" >"$plan"
unusable 'a plan of format 99'
jq '.hosts[0].actions[0]["evil\u001b[2J"] = 1' "$plan.good" >"$plan"
unusable 'hosts[0].actions[0].evil\x1b[2J: unknown member'
jq '.options.selector = "a\u001b=b"' "$plan.good" >"$plan"
unusable 'without control characters'
jq '.hosts[0].actions[0].id = [[]]' "$plan.good" >"$plan"
unusable 'hosts[0].actions[0].id: expected a string'
jq 'del(.hosts[1].actions)' "$plan.good" >"$plan"
unusable 'hosts[1].actions is missing'
expect_exit 0 "$DREY" diff -f "$m" -o json
cp "$WORK/stdout" "$plan"
unusable 'drey diff --out'
rm "$plan"
unusable 'No such file'
mkfifo "$plan"
unusable 'not a regular file'
rm "$plan"

echo '# one of two hosts is down: then, now'
write_document "$m" Container both 'image: plan:1' 'network_mode: host' 'monitor: 0s'
fleet stop h2 sshd
save 3
assert_eq "$(jq -r '.hosts[] | select(.host == "h2") | keys | join(" ")' "$plan")" 'error host'
fleet start h2 sshd
expect_exit 3 "$DREY" apply -f "$m" "$plan"
assert_contains "$WORK/stderr" 'h2: the plan knows nothing of it'
assert_eq "$(container_field h1 both .State.Status)" running
! container_exists h2 both || fail 'a host that was not planned was changed'
save 1
fleet stop h2 sshd
write_document "$m" Container both 'image: plan:1' 'network_mode: host' 'monitor: 0s' 'mem_limit: 64m'
expect_exit 4 "$DREY" apply -f "$m" "$plan"
assert_contains "$WORK/stderr" 'h1: Container/both: mem_limit: no change when it was planned'
write_document "$m" Container both 'image: plan:1' 'network_mode: host' 'monitor: 0s'
expect_exit 3 "$DREY" apply -f "$m" "$plan"
fleet start h2 sshd
expect_exit 0 "$DREY" apply -f "$m" "$plan"
assert_eq "$(container_field h2 both .State.Status)" running

echo '# an interrupted replacement is finished or undone first, never by a plan that has not seen it'
save 0
engine h1 POST /containers/web/rename?name=web.drey-old
expect_exit 4 "$DREY" apply -f "$m" "$plan"
save 1
expect_exit 4 "$DREY" apply -f "$m" "$plan"
assert_contains "$WORK/stderr" 'an interrupted change is to be finished or undone first'
apply 0 "$m"
diff_exits 0 "$m"
