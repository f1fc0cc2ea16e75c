# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every row of Container, Network and Volume that has an example, on a real engine: made and read back there is no
# difference; taken out of the manifest there is that difference and no other; and what changes in place does.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml
write_document m Network front
api=$(engine h1 GET /version | jq -r .ApiVersion)

# explained KIND.FIELD WORD: what `drey explain` says behind the word.
explained() {
	"$DREY" explain "$1" | sed -n "s/^  $2  *//p" | head -n 1
}

# rows KIND: its fields.
rows() {
	"$DREY" explain "$1" | sed -n 's/^  \([a-z_]*\)  .*/\1/p'
}

# write KIND NAME [LINE]...
write() {
	local kind=$1 name=$2
	shift 2
	case $kind in
	Container) write_document m "$kind" "$name" 'image: busy:1' "$@" ;;
	*) write_document m "$kind" "$name" 'hosts: [h1]' "$@" ;;
	esac
}

# name_of FIELD: a resource's name.
name_of() {
	echo "row-${1//_/-}"
}

# changes RESOURCE: the fields that differ, in one line.
changes() {
	jq -r --arg r "$1" '[.hosts[].actions[] | select(.kind + "/" + .name == $r) | .changes[].path | split("[")[0]
		| split(".")[0]] | unique | join(" ")' stdout
}

verdict() {
	jq -r --arg r "$1" '.hosts[].actions[] | select(.kind + "/" + .name == $r) | .verdict' stdout
}

declare -A example
count=0
for kind in Network Volume Container; do
	for field in $(rows "$kind"); do
		line=$(explained "$kind.$field" example)
		needs=$(explained "$kind.$field" 'needs      Engine API')
		if [ -z "$line" ] || [ "$field" = image ]; then
			continue
		fi
		# Only what an engine settles at the start needs one, and starting takes the longest.
		case $kind.$field in
		Network.* | Volume.* | Container.state | Container.restart | Container.host* | Container.domainname | \
			Container.healthcheck | Container.network* | Container.ports | Container.volumes | Container.tmpfs | \
			Container.ipc | Container.pid | Container.uts | Container.init)
			write "$kind" "$(name_of "$field")" "$line"
			;;
		*) write "$kind" "$(name_of "$field")" "$line" 'state: stopped' ;;
		esac
		# Newer than the engine: an error that says so, and nothing is made without the field.
		if [ -n "$needs" ] && [ "${needs#1.}" -gt "${api#1.}" ]; then
			expect_exit 3 "$DREY" apply -f m --yes --target "$kind/$(name_of "$field")"
			cat stdout stderr >said
			assert_contains said "$field needs Engine API $needs"
			if container_exists h1 "$(name_of "$field")"; then
				fail "$field was left out in silence"
			fi
			rm "m/${kind,,}-$(name_of "$field").yaml"
			continue
		fi
		example[$kind.$field]=$line
		count=$((count + 1))
	done
done
[ "$count" -ge 60 ] || fail "only $count rows have an example"

# Made and read back.
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m -o json
assert_eq "$(jq -r '.hosts[].actions[] | select(.verdict != "keep" or .warning != null) | .resource' stdout)" ''

# Taken out of the manifest: that row, and what follows from it. Silence about what the daemon decides is no difference,
# and neither is an example that is the default.
declare -A follows=([ports]=expose [entrypoint]=command [mem_limit]=memswap_limit [networks]=networks
	[network_mode]=networks [uts]=hostname)
for key in "${!example[@]}"; do
	kind=${key%.*} file=$(name_of "${key#*.}")
	file=m/${kind,,}-$file.yaml
	grep -vF -e "  ${example[$key]}" "$file" >without && mv without "$file"
done
expect_exit 1 "$DREY" diff -f m -o json
for key in "${!example[@]}"; do
	kind=${key%.*} field=${key#*.}
	differs=$(changes "$kind/$(name_of "$field")")
	explained "$key" diff >said
	if grep -q -e 'compared only when written' -e 'not compared' said ||
		[ "${example[$key]}" = "$field: $(explained "$key" default)" ]; then
		assert_eq "${differs/container_name/}" '' "$key"
		continue
	fi
	for other in $differs; do
		[ "$other" = "$field" ] || [ "$other" = "${follows[$field]-}" ] || fail "$key: $other differs as well"
	done
	case " $differs " in
	*" $field "*) ;;
	*) fail "$key: taken out, and only \"$differs\" differs" ;;
	esac
done
rm m/*-row-*

# What changes in place is set on the container that is there, and seen when somebody else sets it.
live=()
for key in "${!example[@]}"; do
	# What the example has of block devices changes in place on engines newer than any here.
	if [ "$key" != Container.container_name ] && [ "$key" != Container.blkio_config ] &&
		[ "$(explained "$key" 'a change')" = 'in place' ]; then
		live+=("${key#*.}")
		write Container "live-${key##*.}"
	fi
done
[ "${#live[@]}" -ge 10 ] || fail "only ${live[*]} change in place"
expect_exit 0 "$DREY" apply -f m --yes
ids() {
	engine h1 GET '/containers/json' | jq -r '[.[] | select(.Names[0] | startswith("/live-")) | .Id] | sort | join(" ")'
}
before=$(ids)
for field in "${live[@]}"; do
	write Container "live-$field" "${example[Container.$field]}"
done
expect_exit 1 "$DREY" diff -f m -o json
for field in "${live[@]}"; do
	assert_eq "$(verdict "Container/live-$field")" update "$field"
done
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
assert_eq "$(ids)" "$before"
for field in "${live[@]}"; do
	write Container "live-$field"
done
expect_exit 1 "$DREY" diff -f m -o json
for field in "${live[@]}"; do
	differs=$(changes "Container/live-$field")
	[ "$differs" = "$field" ] || [ "$differs" = "$field ${follows[$field]-}" ] || fail "$field: $differs differ"
done
