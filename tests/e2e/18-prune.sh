#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What no manifest declares any more: listed, removed with prune, within the cap, and never volumes; `state: absent`.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
containers() {
	engine "$1" GET '/containers/json?all=1' | jq -r '[.[].Names[][1:]] | sort | join(" ")'
}
write() {
	write_document "$m" Container "$1" 'image: busy:1' 'network_mode: host' 'monitor: 0s' "${@:2}"
}

write keep
for i in 1 2 3 4 5; do
	write "old$i"
done
write_document "$m" Network front 'hosts: [h1, h2]'
write_document "$m" Volume data 'hosts: [h1, h2]'
apply 0 "$m"
engine h1 POST '/containers/create?name=foreign' '{"Image":"busy:1"}' >/dev/null
all='keep old1 old2 old3 old4 old5'

echo '# listed, no difference, and not touched without prune'
rm "$m/container-old1.yaml" "$m/network-front.yaml" "$m/volume-data.yaml"
diff_exits 0 "$m" --all
assert_contains "$WORK/stdout" '? Container/old1'
assert_contains "$WORK/stdout" '? Network/front'
assert_contains "$WORK/stdout" '? Volume/data'
diff_exits 0 "$m" -o json
assert_eq "$(jq -r '.summary.leftover' "$WORK/stdout")" 6
apply 0 "$m"
assert_eq "$(containers h2)" "$all"

echo '# what --host, --selector and --target leave out is not pruned'
apply 0 "$m" --prune --target Container/keep
sed -i 's/{ name: keep }/{ name: keep, labels: { tier: front } }/' "$m/container-keep.yaml"
apply 0 "$m" --prune --selector tier=front
assert_eq "$(containers h1)" "foreign $all"
apply 0 "$m" --prune --host h1
assert_eq "$(containers h1)" 'foreign keep old2 old3 old4 old5'
assert_eq "$(containers h2)" "$all"
! engine h1 GET /networks/front >/dev/null 2>&1 || fail 'the network is still there'
engine h2 GET /networks/front >/dev/null

echo '# with prune it is a difference, and removed; never a volume'
diff_exits 1 "$m" --prune
assert_contains "$WORK/stdout" '- Container/old1'
assert_contains "$WORK/stdout" 'volumes are never pruned'
apply 0 "$m" --prune
assert_eq "$(containers h2)" 'keep old2 old3 old4 old5'
! engine h2 GET /networks/front >/dev/null 2>&1 || fail 'the network is still there'
engine h1 GET /volumes/data >/dev/null
engine h2 GET /volumes/data >/dev/null
diff_exits 0 "$m" --prune
# From an image that was committed from one of ours: not ours, and with that image gone nobody can tell any more.
engine h2 POST '/commit?container=old2&repo=committed&tag=1' >/dev/null
engine h2 POST '/containers/create?name=copy' '{"Image":"committed:1"}' >/dev/null
rm "$m/container-old2.yaml"
sed -i 's/hosts: \[h1, h2\]/&, prune: true/' "$m/project.yaml"
apply 0 "$m"
assert_eq "$(containers h2)" 'copy keep old3 old4 old5'
engine h2 DELETE '/images/committed:1?force=1' >/dev/null
diff_exits 0 "$m" --all
assert_contains "$WORK/stdout" 'its image is gone'
apply 0 "$m"
assert_eq "$(containers h2)" 'copy keep old3 old4 old5'
engine h2 DELETE /containers/copy >/dev/null
sed -i 's/, prune: true//' "$m/project.yaml"

echo '# the cap: 4, and neither host is touched although only one would be above it'
write other
apply 0 "$m"
rm "$m"/container-old?.yaml "$m/container-other.yaml"
for i in 3 4 5; do
	engine h2 DELETE "/containers/old$i?force=1" >/dev/null
done
write_document "$m" Container new 'hosts: [h2]' 'image: busy:1' 'network_mode: host'
before=$(all_objects h1)$(all_objects h2)
diff_exits 4 "$m" --prune
assert_contains "$WORK/stderr" 'drey: h1: '
assert_contains "$WORK/stderr" 'prune would remove 4 of 5 objects, more than the cap of 3'
assert_contains "$WORK/stderr" '--max-removals'
assert_lacks "$WORK/stderr" 'drey: h2: '
apply 4 "$m" --prune
assert_eq "$(all_objects h1)$(all_objects h2)" "$before"
apply 4 "$m" --prune -o json
assert_eq "$(jq -r '[.exit, (.results | length)] | @csv' "$WORK/stdout")" 4,0
apply 0 "$m" --prune --max-removals 80
assert_eq "$(containers h1)" 'foreign keep'
assert_eq "$(containers h2)" 'keep new'

echo '# never to an empty set'
mkdir "$WORK/kept"
mv "$m"/container-*.yaml "$WORK/kept"
apply 4 "$m" --prune --max-removals 100
assert_contains "$WORK/stderr" 'the manifests declare nothing for it'
assert_eq "$(containers h1)" 'foreign keep'
mv "$WORK/kept"/* "$m"
rm "$m/container-new.yaml"
apply 0 "$m" --prune

echo '# state: absent goes without prune; a volume only with on_remove: delete'
write keep 'state: absent'
write_document "$m" Volume data 'hosts: [h1, h2]' 'state: absent'
apply 3 "$m"
assert_contains "$WORK/stdout" 'its data would be lost'
assert_eq "$(containers h1)" foreign
engine h1 GET /volumes/data >/dev/null
write_document "$m" Volume data 'hosts: [h1, h2]' 'state: absent' 'on_remove: delete'
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'loses data'
apply 0 "$m"
! engine h1 GET /volumes/data >/dev/null 2>&1 || fail 'the volume is still there'
diff_exits 0 "$m"

echo '# a foreign one that is said to be absent'
write_document "$m" Container foreign 'hosts: [h1]' 'image: busy:1' 'state: absent'
apply 3 "$m"
assert_eq "$(containers h1)" foreign
sed -i 's/{ name: foreign }/{ name: foreign, adopt: true }/' "$m/container-foreign.yaml"
apply 0 "$m"
assert_eq "$(containers h1)" ''
