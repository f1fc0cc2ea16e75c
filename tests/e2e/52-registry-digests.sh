#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pull_policy always: where the tag points is asked of the registry, by diff without pulling; saved plans hold to it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/m
write_host_manifests "$m"
# push N: what the tag means from now on.
push() {
	fleet image follow:1 --registry "$REGISTRY" --config "{\"Env\":[\"PATH=/bin\",\"N=$1\"]}" >/dev/null
}
app() {
	write_document "$m" Container app "image: $REGISTRY/follow:1" 'network_mode: host' 'monitor: 0s' 'hosts: [h1]' "$@"
}
ask() {
	engine h1 GET "/distribution/$REGISTRY/follow:1/json" | jq -r .Descriptor.digest
}

push 1
app 'pull_policy: always'
apply 0 "$m"
diff_exits 0 "$m"
id=$(container_field h1 app .Id)
apply 0 "$m"
assert_eq "$(container_field h1 app .Id)" "$id"

echo '# it has moved: diff says where to, and pulls nothing'
push 2
images=$(engine h1 GET /images/json | jq -S '[.[].Id] | sort')
diff_exits 1 "$m" --out plan.json
assert_contains "$WORK/stdout" "image $REGISTRY/follow:1 has moved to $(ask) in its registry"
assert_contains "$WORK/stdout" 'known after pull'
assert_eq "$(engine h1 GET /images/json | jq -S '[.[].Id] | sort')" "$images"
assert_eq "$(jq -r '.hosts[] | select(.host == "h1") | .actions[0].registry_digest' plan.json)" "$(ask)"

echo '# and again, before the plan is carried out'
push 3
expect_exit 4 "$DREY" apply -f "$m" plan.json
assert_contains "$WORK/stderr" 'h1: Container/app: registry_digest: sha256:'
diff_exits 1 "$m" --out plan.json
expect_exit 0 "$DREY" apply -f "$m" plan.json
assert_contains <(container_field h1 app '.Config.Env[]') N=3
diff_exits 0 "$m"

echo '# another policy does not ask; a registry that does not answer is a warning'
push 4
app
diff_exits 0 "$m"
write_document "$m" Container app "image: $REGISTRY/none:1" 'network_mode: host' 'pull_policy: always' 'hosts: [h1]'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" "its registry could not be asked whether image $REGISTRY/none:1 has moved"
