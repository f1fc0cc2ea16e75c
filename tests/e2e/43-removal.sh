# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is removed, and what is not: leftovers, prune and its cap, state: absent, volumes, foreign and adopted objects.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml

# container NAME [LINE]...
container() {
	local file=m/$1.yaml
	cat >"$file" <<-END
		apiVersion: drey/v1
		kind: Container
		metadata: { name: $1${ADOPT:+, adopt: true} }
		spec:
		  image: busy:1
	END
	shift
	[ $# = 0 ] || printf '  %s\n' "$@" >>"$file"
}

volume() {
	printf 'apiVersion: drey/v1\nkind: Volume\nmetadata: { name: %s }\nspec: { %s }\n' "$1" "${2-}" >"m/volume-$1.yaml"
}

# Foreign: refused, never touched, and adopted without a restart.
docker_on_h1 run -d --name web busy:1 >/dev/null
foreign=$(container_field h1 web '.Id + .State.StartedAt')
container web
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "a container named 'web' is there that was not made by drey"
assert_eq "$(container_field h1 web '.Id + .State.StartedAt')" "$foreign"
ADOPT=1 container web
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
assert_eq "$(container_field h1 web '.Id + .State.StartedAt')" "$foreign"
# The first replacement brings the labels.
ADOPT=1 container web 'monitor: 200ms' 'hostname: mine'
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
assert_eq "$(container_field h1 web '.Config.Labels["drey.name"]')" web
container web 'hostname: mine'

# Leftovers: listed, and gone with --prune; volumes stay.
volume data
for n in 1 2 3 4; do
	container "old-$n" 'volumes: ["data:/data"]'
done
expect_exit 0 "$DREY" apply -f m --yes
docker_on_h1 exec old-1 sh -c 'echo precious >/data/file'
rm m/old-* m/volume-data.yaml
expect_exit 0 "$DREY" diff -f m
assert_contains stdout '? Container/old-1'
expect_exit 4 "$DREY" apply -f m --yes --prune
assert_contains stderr 'more than the cap of 3'
container_exists h1 old-1 || fail "something was removed"
expect_exit 0 "$DREY" apply -f m --yes --prune --target Container/old-1 --target Container/old-2
container_exists h1 old-2 && fail "old-2 is still there"
container_exists h1 old-3 || fail "old-3 was not asked for"
expect_exit 0 "$DREY" apply -f m --yes --prune
container_exists h1 old-3 && fail "old-3 is still there"
engine h1 GET /volumes/data >/dev/null || fail "the volume is gone"

# Never to an empty set.
mv m/web.yaml web.yaml
expect_exit 4 "$DREY" apply -f m --yes --prune
assert_contains stderr 'state: absent'
container_exists h1 web || fail "the host was emptied"

# Absent, whatever prune says; a volume only by consent.
container web 'state: absent'
volume data 'state: absent'
expect_exit 3 "$DREY" apply -f m --yes
container_exists h1 web && fail "web is still there"
engine h1 GET /volumes/data >/dev/null || fail "the volume is gone"
volume data 'state: absent, on_remove: delete, backup_first: true'
expect_exit 3 "$DREY" apply -f m --yes
engine h1 GET /volumes/data >/dev/null || fail "the volume is gone without a backup"
volume data 'state: absent, on_remove: delete'
expect_exit 0 "$DREY" apply -f m --yes
engine h1 GET /volumes/data >/dev/null 2>&1 && fail "the volume is still there"
expect_exit 0 "$DREY" diff -f m
