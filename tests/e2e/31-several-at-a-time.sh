# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# On one host containers that have nothing to do with each other come and go several at a time, over one login; what
# must be alone is alone, what waits waits, and an image is pulled once.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml
sed -i 's|^spec:$|&\n  docker_socket: /run/several.sock|' m/host-h1.yaml

# overlap REGEX...: how many pairs of requests whose method and target match were under way at once.
overlap() {
	jq -s --arg regex "$1" '
		[group_by(.number)[] | select(length >= 2 and (.[0] | "\(.method) \(.target)" | test($regex)))
			| {start: .[0].t_us, end: .[-1].t_us}] | sort_by(.start)
		| [range(1; length) as $i | select(.[$i].start < .[$i - 1].end)] | length' several.log
}

count() {
	jq -s --arg regex "$1" '[.[] | select(.event == "request" and ("\(.method) \(.target)" | test($regex)))] | length' several.log
}

serve() {
	start_faultproxy h1 several --rule 'POST /containers/create delay_ms=300' --rule 'DELETE /containers/ delay_ms=300'
}

logins() {
	grep -c 'Accepted publickey' "$FLEET/h1/sshd.log" || :
}

for i in 1 2 3 4 5 6; do
	write_document m Container "c$i" 'image: busy:1' 'monitor: 0s'
done
serve
before=$(logins)
apply 0 m
assert_eq "$(($(logins) - before))" 1 'logins'
expect_exit 0 "$DREY" diff -f m
stop_faultproxy several
[ "$(overlap '^POST .*/containers/create')" -ge 3 ] || fail 'containers were created one after the other'

# Replacements are alone, each from its create to the removal of the old one.
sed -i 's/busy:1/busy:2/' m/container-c[12].yaml
rm several.log
serve
apply 0 m
stop_faultproxy several
assert_eq "$(overlap '^POST .*/(create|stop|rename|start)|^DELETE')" 0 'replacements beside each other'

# Removed several at a time.
sed -i 's/monitor: 0s/state: absent/' m/container-c*.yaml
rm several.log
serve
apply 0 m
stop_faultproxy several
[ "$(overlap '^(POST .*/stop|DELETE .*/containers/)')" -ge 3 ] || fail 'containers were removed one after the other'
assert_eq "$(engine h1 GET '/containers/json?all=1' | jq length)" 0

# An image that is not there is pulled once, and who shares a new volume goes one after the other.
rm m/container-c*.yaml several.log
write_document m Volume data
for i in 1 2 3 4; do
	write_document m Container "p$i" "image: $REGISTRY/busy:2" 'monitor: 0s' 'volumes: ["data:/data"]'
done
serve
apply 0 m
stop_faultproxy several
assert_eq "$(count '^POST .*/images/create[?]fromImage=')" 1 'pulls'
assert_eq "$(overlap '^POST .*/containers/create')" 0 'creates that share a volume'

# A failure blocks what needs it and nothing else; what waits for another comes after it.
rm m/container-p*.yaml m/volume-data.yaml several.log
write_document m Container bad 'image: busy:1' 'command: [/nowhere]' 'monitor: 0s'
write_document m Container needs-bad 'image: busy:1' 'depends_on: [bad]' 'monitor: 0s'
write_document m Container good 'image: busy:1' 'monitor: 0s'
write_document m Container needs-good 'image: busy:1' 'depends_on: [good]' 'monitor: 0s'
serve
apply 3 m
assert_contains stderr 'waits for Container/bad, which failed'
stop_faultproxy several
assert_eq "$(container_field h1 needs-good .State.Running)" true
container_exists h1 needs-bad && fail 'needs-bad was made though bad failed'
jq -e -s '(map(select(.event == "request" and (.target | test("create\\?name=needs-good"))))[0].t_us) as $needs
	| [.[] | select(.event == "request" and .method == "POST" and (.target | test("/start")))][0].t_us < $needs' several.log >/dev/null ||
	fail 'needs-good was made before good was started'
