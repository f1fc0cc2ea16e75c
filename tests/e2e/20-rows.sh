# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every row of Container, Network and Volume that has an example, on a real engine: made and read back there is no
# difference. Lost behind drey's back, taken out of the manifest, or there though no manifest says so, there is that
# difference and no other, and apply heals it. And what changes in place does.
#
# Takes minutes.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml
write_document m Network front 'hosts: [h1]'
api=$(engine h1 GET /version | jq -r .ApiVersion)

# explained KIND.FIELD WORD: what `drey explain` says behind the word.
declare -A explanation
explained() {
	sed -n "/^  $2  */{s///p;q}" <<<"${explanation[$1]}"
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

# read_differences: of the plan in stdout, by resource: its verdict, and the fields that differ.
declare -A verdict differing
read_differences() {
	local resource is fields
	verdict=() differing=()
	while read -r resource is fields; do
		verdict[$resource]=$is differing[$resource]=$fields
	done < <(jq -r '.hosts[].actions[] | [.kind + "/" + .name, .verdict]
		+ ([(.changes // [])[].path | split("[")[0] | split(".")[0]] | unique) | join(" ")' stdout)
}

# differs_in RESOURCE [FIELD [ALLOWED]]: that field differs, and none but the allowed one besides.
differs_in() {
	local other
	for other in ${differing[$1]}; do
		[ "$other" = "${2-}" ] || [ "$other" = "${3-}" ] || fail "$1: $other differs as well"
	done
	case " ${differing[$1]} " in
	*" ${2-} "*) ;;
	*) fail "$1: only \"${differing[$1]}\" differs, not ${2-}" ;;
	esac
}

# What is said of each row that has an example.
declare -A example name_for diff_of default_of
count=0
for kind in Network Volume Container; do
	plain=()
	[ "$kind" != Container ] || plain=('state: stopped')
	write "$kind" row-plain "${plain[@]}"
	for field in $(rows "$kind"); do
		explanation[$kind.$field]=$("$DREY" explain "$kind.$field")
		line=$(explained "$kind.$field" example)
		needs=$(explained "$kind.$field" 'needs      Engine API')
		if [ -z "$line" ] || [ "$field" = image ]; then
			continue
		fi
		# Only what an engine settles at the start needs one, and starting takes the longest.
		unwatched=()
		[ "$kind" != Container ] || unwatched=('monitor: 0s')
		case $kind.$field in
		Network.* | Volume.* | Container.state | Container.restart | Container.host* | Container.domainname | \
			Container.healthcheck | Container.network* | Container.ports | Container.volumes | Container.tmpfs | \
			Container.ipc | Container.pid | Container.uts | Container.init)
			write "$kind" "$(name_of "$field")" "$line" "${unwatched[@]}"
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
		example[$kind.$field]=$line name_for[$kind.$field]=$(name_of "$field")
		diff_of[$kind.$field]=$(explained "$kind.$field" diff) default_of[$kind.$field]=$(explained "$kind.$field" default)
		count=$((count + 1))
	done
done
[ "$count" -ge 60 ] || fail "only $count rows have an example"

# Made and read back.
in_step() {
	expect_exit 0 "$DREY" apply -f m --yes
	expect_exit 0 "$DREY" diff -f m -o json
	assert_eq "$(jq -r '.hosts[].actions[] | select(.verdict != "keep" or .warning != null) | .resource' stdout)" ''
}
step "$count rows are made"
in_step

# What follows from a row that is not there any more.
declare -A follows=([ports]=expose [entrypoint]=command [mem_limit]=memswap_limit [networks]=network_mode
	[network_mode]=networks [network_disabled]=networks [uts]=hostname)

anew() {
	python3 "$(dirname "$0")/anew.py" "$(host_path h1 /run/docker.sock)" "$@"
}

# heal: nobody changes a volume: it goes the way it came.
heal() {
	local resource
	for resource in "${!verdict[@]}"; do
		[ "${verdict[$resource]}" != refuse ] || engine h1 DELETE "/volumes/${resource#Volume/}"
	done
	in_step
}

# each_differs_unless REGEX [RESOURCE]...: that row of each, and what follows from it. Nothing where what is said of its diff
# matches, where the example is the default, and with these resources.
each_differs_unless() {
	local key field resource quiet=$1
	shift
	for key in "${!example[@]}"; do
		field=${key#*.} resource=${key%.*}/${name_for[$key]}
		if [[ ${diff_of[$key]} =~ $quiet && $field != container_name ]] ||
			[ "${example[$key]}" = "$field: ${default_of[$key]}" ] || [[ " $* " == *" $resource "* ]]; then
			differs_in "$resource"
		else
			differs_in "$resource" "$field" "${follows[$field]-}"
		fi
	done
}

# Taken out of the manifest. Silence about what the daemon decides is no difference.
step 'taken out'
cp -r m written
for key in "${!example[@]}"; do
	kind=${key%.*}
	file=m/${kind,,}-${name_for[$key]}.yaml
	mapfile -t lines <"$file"
	for line in "${lines[@]}"; do
		[ "$line" = "  ${example[$key]}" ] || echo "$line"
	done >"$file"
done
expect_exit 1 "$DREY" diff -f m -o json
read_differences
each_differs_unless '^(not compared|compared only when written)'
differences() {
	jq '.hosts[].actions[] | {resource, verdict, changes}' stdout
}
differences >taken-out

# Lost: the manifest writes it, and somebody makes the object anew without. Nothing is lost of what the daemon of itself
# decides just so.
step 'lost'
anew save row- >saved
anew make saved --as row-plain
mapfile -t same < <(jq -r '. as $all | ["Container/row-runtime", "Container/row-cgroup"][]
	| select($all[.].body == $all["Container/row-plain"].body)' saved)
expect_exit 1 "$DREY" diff -f written -o json
read_differences
differs_in Container/row-plain
each_differs_unless '^not compared' "${same[@]}"
# With the manifests that do not write it they are in step.
expect_exit 0 "$DREY" diff -f m -o json
rm -r written

# Gained: somebody makes the object as it was with the row, of which the manifest says nothing. It is the same to drey.
step 'gained'
anew make saved
expect_exit 1 "$DREY" diff -f m -o json
differences | diff -u taken-out - || fail 'what somebody made shows other differences'
step 'healed'
heal
rm m/*-row-*

# What changes in place is set on the container that is there, and seen when somebody else sets it.
step 'changed in place'
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
read_differences
for field in "${live[@]}"; do
	assert_eq "${verdict[Container/live-$field]}" update "$field"
done
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
assert_eq "$(ids)" "$before"
for field in "${live[@]}"; do
	write Container "live-$field"
done
expect_exit 1 "$DREY" diff -f m -o json
read_differences
for field in "${live[@]}"; do
	differs_in "Container/live-$field" "$field" "${follows[$field]-}"
done
step 'done'
