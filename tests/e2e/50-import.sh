# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Taking over what exists: manifests for a zoo of what people make without drey, whose first diff is empty, and stays so.
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/zoo.sh
. "$(dirname "$0")/zoo.sh"

m=$WORK/out

import() {
	expect_exit "$1" "$DREY" import "ssh://root@$H1" --project zoo --identity-file "$KEY" --known-hosts "$KNOWN_HOSTS" \
		"${@:2}"
}

in_step() {
	diff_exits 0 "$m" -o json
	assert_eq "$(jq -c '[.hosts[].actions[] | select(.verdict != "keep") | .name]' "$WORK/stdout")" '[]' "$1"
}

restart_engine() {
	fleet stop h1 engine
	fleet start h1 engine
}

is_running() {
	[ "$(container_field h1 "$1" .State.Running)" = true ]
}

zoo_make h1
containers=$(engine h1 GET '/containers/json?all=1' | jq length)
[ "$containers" -ge 80 ] || fail "the zoo has $containers containers only"
# One that does not stay up is never twice the same.
stable_objects() {
	all_objects h1 | grep -v '/crashing'
}
before=$(stable_objects)

echo '# nothing is changed by looking'
import 0 --out "$m"
cp stderr notes
assert_eq "$(stable_objects)" "$before" 'import changed something'
assert_eq "$(find "$m" -name 'container-*.yaml' | wc -l)" "$((containers - 2))"
assert_eq "$(stat -c %a "$m")" 700
assert_eq "$(find "$m" -type f ! -perm 600)" ''

echo '# left out, and what can not be said: told'
assert_contains notes 'Container once is left out: the engine removes it when it ends'
assert_contains notes 'Container keeper.drey-old is left out'
assert_contains notes 'Container opt-env: in plain text, as the engine shows it: DB_PASSWORD'
assert_lacks notes hunter2
assert_contains notes 'Container moved: moving:1 means another image by now'
assert_contains notes 'Container untagged: untagged:1 is not on the host any more'
assert_contains notes 'Container opt-host-net: ports[80:80] is 80:80'
assert_contains "$m/container-moved.yaml" '# moving:1 means another image by now'

echo '# minimal'
spec() {
	sed -n '/^spec:/,$p' "$m/$1.yaml"
}
assert_eq "$(spec container-bridge)" 'spec:
  image: busy:1'
assert_eq "$(spec container-opt-memory)" 'spec:
  image: busy:1
  network_mode: none
  mem_limit: 64M
  mem_reservation: 32M
  state: stopped'
assert_eq "$(spec container-opt-health-img)" 'spec:
  image: healthy:1
  healthcheck:
    retries: 9
  network_mode: none
  state: stopped'
assert_eq "$(spec container-shop-web-1)" 'spec:
  image: web:1
  environment:
    X: "1"
  labels:
    mine: "yes"
  restart: always
  networks:
    shop_default:
      aliases: ["shop-web-1", "web"]'
# shellcheck disable=SC2016
assert_contains "$m/container-opt-command.yaml" '$${x}'
assert_eq "$(spec network-plain)" ''
assert_lacks "$m/container-six.yaml" mac_address
assert_contains "$m/network-bridge.yaml" 'external: true'
assert_contains "$m/container-shares-ipc.yaml" 'pid: service:shareable'
assert_contains "$m/container-shares-net.yaml" 'network_mode: service:web'
assert_contains "$m/container-opt-anonymous.yaml" '- /anon2'

echo '# in step at once, and for ever'
in_step first
apply 0 "$m"
assert_eq "$(stable_objects)" "$before" 'apply changed something'
start_faultproxy h1 fault
sed -i 's|^spec:|&\n  docker_socket: /run/fault.sock|' "$m"/host-*.yaml
apply 0 "$m"
assert_eq "$(requests fault POST)$(requests fault PUT)$(requests fault DELETE)" 000
sed -i '/docker_socket/d' "$m"/host-*.yaml
stop_faultproxy fault
restart_engine
# What has no restart policy is down now, which is a difference; nothing else may be one.
diff_exits 1 "$m" -o json
assert_eq "$(jq -r '[.hosts[].actions[] | select(.verdict != "keep" and ([.changes[].path] != ["state"])) | .name] | @csv' \
	"$WORK/stdout")" '' 'after a restart of the engine something else than states differs'
apply 0 "$m"
in_step 'after a restart of the engine'

echo '# one value edited: one container changed'
sed -i 's/mem_reservation: 32M/mem_reservation: 16M/' "$m/container-opt-memory.yaml"
sed -i 's/sleep 100/sleep 200/' "$m/container-opt-entrypoint.yaml"
diff_exits 1 "$m" -o json
assert_eq "$(jq -c '[.hosts[].actions[] | select(.verdict != "keep") | [.name, .verdict, .changes[].path]]' "$WORK/stdout")" \
	'[["opt-entrypoint","replace","entrypoint"],["opt-memory","update","mem_reservation"]]'
others=$(stable_objects | grep -v 'opt-entrypoint')
apply 0 "$m"
assert_eq "$(stable_objects | grep -v 'opt-entrypoint')" "$others"
assert_eq "$(container_field h1 opt-entrypoint '.Config.Labels["drey.project"]')" zoo
assert_eq "$(container_field h1 opt-entrypoint .State.Running)" false
in_step 'after an edit'

echo '# again: what is there is not overwritten, and what drey has made is left out'
expect_exit 4 "$DREY" import "ssh://root@$H1" --project zoo --identity-file "$KEY" --known-hosts "$KNOWN_HOSTS" --out "$m"
assert_contains stderr 'is there already'
expect_exit 0 "$DREY" import "$H1" -f "$m"
assert_eq "$(cat stdout)" ''
assert_contains stderr 'Container web is left out: it is declared already'
import 0
assert_contains stderr 'Container opt-entrypoint is left out: drey made it already, for project zoo'
expect_exit 2 "$DREY" import "ssh://root@$H1"
assert_contains stderr '--project'
expect_exit 2 "$DREY" import nowhere -f "$m"

echo '# adopted, and then no more declared: left alone, never pruned'
rm "$m/container-up.yaml" "$m/volume-unused_vol.yaml" "$m/network-unused_net.yaml"
apply 0 "$m" --prune
is_running up || fail 'an adopted container was pruned'
engine h1 GET /volumes/unused_vol >/dev/null
engine h1 GET /networks/unused_net >/dev/null
