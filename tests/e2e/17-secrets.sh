#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Secrets reach the process they are for and nothing else: no output, no label, no state, no command line.
# shellcheck disable=SC2016 # ${secret.NAME} is for drey
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

umask 077
m=$WORK/manifests
first=hunter2-Zq7 second=swordfish-Yw3 token=token-Kp9 login='correct horse'
write_host_manifests "$m"
rm "$m/project.yaml"
write_document "$m" Project test 'hosts: [h1]' 'env: [DB_TOKEN]'
rm "$m/host-h2.yaml"
write_document "$m" Host h1 "address: ssh://operator@$H1" 'password: "${secret.login}"' "known_hosts: $KNOWN_HOSTS" \
	'docker_socket: /run/fault.sock'
echo "$first" >"$m/db-password"
echo "$login" >"$m/login"
export DB_TOKEN=$token
write_document "$m" Secret db 'file: db-password'
write_document "$m" Secret login 'file: login'
write_document "$m" Secret token 'env: DB_TOKEN'
write_document "$m" Container db 'image: busy:1' 'network_mode: host' 'monitor: 0s' \
	'environment: { PASSWORD: "${secret.db}", URL: "postgres://app:${secret.db}@db/app", MODE: plain }' \
	'labels: { com.example.token: "${secret.token}" }' 'command: [sh, -c, "exec forever", "${secret.token}"]'
start_faultproxy h1 fault
chmod 666 "$(host_path h1 /run/fault.sock)"

# assert_secret FILE...: none of the values is in there.
assert_secret() {
	local value file
	for file; do
		for value in "$first" "$second" "$token" "$login"; do
			! grep -qaF -e "$value" "$file" || fail "$file holds \"$value\""
		done
	done
}

# says CODE COMMAND...: in each form, and with all that it logs.
says() {
	local code=$1
	shift
	expect_exit "$code" "$DREY" "$@" -f "$m"
	assert_secret "$WORK/stdout" "$WORK/stderr"
	cp "$WORK/stdout" "$WORK/human"
	expect_exit "$code" "$DREY" "$@" -f "$m" -o json -vv
	assert_secret "$WORK/stdout" "$WORK/stderr"
}

echo '# before anything is there'
says 0 validate
says 0 render
assert_contains "$WORK/human" '***'
says 1 diff
says 0 doctor

echo '# while it is made: command lines'
stop_faultproxy fault
start_faultproxy h1 fault --rule 'POST create.name=db delay_ms=1500'
chmod 666 "$(host_path h1 /run/fault.sock)"
"$DREY" apply -f "$m" --yes -vv >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
pid=$!
creating() {
	[ "$(requests fault POST create.name=db)" != 0 ]
}
wait_until 30 creating
tr '\0' '\n' <"/proc/$pid/cmdline" >"$WORK/cmdline"
wait "$pid"
assert_contains "$WORK/cmdline" apply
assert_secret "$WORK/cmdline" "$WORK/stdout" "$WORK/stderr"

echo '# the container has them, its drey labels do not'
assert_eq "$(container_field h1 db '.Config.Env | map(select(startswith("PASSWORD=")))[0]')" "PASSWORD=$first"
assert_eq "$(container_field h1 db '.Config.Env | map(select(startswith("URL=")))[0]')" "URL=postgres://app:$first@db/app"
assert_eq "$(container_field h1 db '.Config.Labels["com.example.token"]')" "$token"
container_field h1 db '.Config.Labels | with_entries(select(.key | startswith("drey.")))' >"$WORK/labels"
assert_contains "$WORK/labels" drey.spec
assert_contains "$WORK/labels" '"drey.secrets": "environment,labels,command"'
assert_secret "$WORK/labels"
spec=$(container_field h1 db '.Config.Labels["drey.spec"]')

echo '# a change of a secret is told, its values are not'
says 0 diff
echo "$second" >"$m/db-password"
says 1 diff
assert_contains "$WORK/human" '*** (before) -> *** (after)'
assert_contains "$WORK/human" environment.PASSWORD
assert_lacks "$WORK/human" environment.MODE
assert_eq "$(jq '[.hosts[].actions[].changes[] | select(.masked and .before == "***" and .after == "***")] | length' \
	"$WORK/stdout")" 2
says 0 apply --yes
assert_eq "$(container_field h1 db '.Config.Env | map(select(startswith("PASSWORD=")))[0]')" "PASSWORD=$second"
assert_eq "$(container_field h1 db '.Config.Labels["drey.spec"]')" "$spec" 'a digest of a secret is no digest to keep'
says 0 diff

echo '# one that the manifest holds no longer, and the container still'
cp "$m/container-db.yaml" "$WORK/with-token"
sed -i 's/, "${secret.token}"\]/]/' "$m/container-db.yaml"
says 1 diff
assert_contains "$WORK/human" '*** (before) -> '
cp "$WORK/with-token" "$m/container-db.yaml"
says 0 diff

echo '# values that somebody else set are masked as well'
engine h1 DELETE '/containers/db?force=1' >/dev/null
engine h1 POST '/containers/create?name=db' "{\"Image\":\"busy:1\",\"Env\":[\"OTHER=$first\",\"MODE=changed\"],
	\"Labels\":{\"by\":\"$token\"}}" >/dev/null
sed -i 's/name: db }/name: db, adopt: true }/' "$m/container-db.yaml"
says 1 diff
assert_contains "$WORK/human" OTHER
assert_contains "$WORK/human" MODE

echo '# a refusal of the engine that quotes what it was sent'
engine h1 DELETE '/containers/db?force=1' >/dev/null
stop_faultproxy fault
start_faultproxy h1 fault --rule "POST create.name=db reply=400 body='{\"message\":\"invalid environment: PASSWORD=$second\"}'"
chmod 666 "$(host_path h1 /run/fault.sock)"
says 3 apply --yes
assert_contains "$WORK/stdout" 'invalid environment: PASSWORD=*************"'
says 0 status
says 0 history
says 0 history Container/db@h1

echo '# nothing of them in the state'
[ -s "$WORK/state/state.db" ] || fail 'there is no state'
while IFS= read -r -d '' file; do
	assert_secret "$file"
done < <(find "$WORK/state" -type f -print0)
