#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every example works as it stands: valid, applied, no difference afterwards, nothing done a second time.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

examples=$(dirname "$(readlink -f "$0")")/../../examples
export EDGE_1=$H1 EDGE_2=$H2 SSH_KEY=$KEY KNOWN_HOSTS BACKUP_DIR=$WORK/backups
umask 022
fleet image busybox:1.36 >/dev/null

clear_hosts() {
	local host id
	for host in h1 h2; do
		for id in $(engine "$host" GET '/containers/json?all=1' | jq -r '.[].Id'); do
			engine "$host" DELETE "/containers/$id?force=1&v=1" >/dev/null
		done
		engine "$host" POST /networks/prune >/dev/null
	done
}

# here COMMAND [OPTION]...: drey on this machine, or on h1 where the example means the engine at hand.
here() {
	local command=$1
	shift
	if [ "$name" = laptop ]; then
		fleet exec h1 env DREY_STATE_DIR=/srv/state /srv/drey "$command" -f /srv/example "$@"
	else
		"$DREY" "$command" -f "$WORK/$name" "$@"
	fi
}

count=0
for example in "$examples"/*/; do
	name=$(basename "$example")
	echo "# $name"
	cp -r "$example" "$WORK/$name"
	local=()
	if [ "$name" = laptop ]; then
		rm -rf "$(host_path h1 /srv/example)" "$(host_path h1 /srv/state)"
		cp "$DREY" "$(host_path h1 /srv/drey)"
		cp -r "$example" "$(host_path h1 /srv/example)"
		local=(--local)
	fi
	expect_exit 0 here validate
	expect_exit 0 here render
	expect_exit 1 here diff "${local[@]}"
	expect_exit 0 here apply --yes "${local[@]}"
	expect_exit 0 here diff "${local[@]}"
	before=$(all_objects h1)$(all_objects h2)
	expect_exit 0 here apply --yes "${local[@]}"
	assert_contains "$WORK/stdout" '0 to create, 0 to update, 0 to replace, 0 to remove, 0 refused'
	assert_eq "$(all_objects h1)$(all_objects h2)" "$before"
	case $name in
	laptop) assert_eq "$(container_field h1 hello .State.Status)" running ;;
	fleet)
		fleet exec h2 busybox wget -qO- http://127.0.0.1:8080/ >"$WORK/page"
		assert_contains "$WORK/page" 'hello from the second'
		;;
	templates)
		assert_eq "$(container_field h1 mail-worker '.Config.Env | map(select(startswith("WHERE=")))[0]')" WHERE=edge-1
		assert_eq "$(container_field h2 image-worker .HostConfig.Memory)" 67108864
		;;
	backup)
		expect_exit 0 "$DREY" backup run nightly -f "$WORK/$name"
		expect_exit 0 "$DREY" diff -f "$WORK/$name"
		;;
	*) ;;
	esac
	clear_hosts
	count=$((count + 1))
done
[ "$count" -ge 4 ] || fail "there are only $count examples"
