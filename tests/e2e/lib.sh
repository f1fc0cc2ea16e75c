# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the end-to-end scripts, which tests/e2e/run starts with these in their environment:
#   FLEET  the fleet's directory     DREY           the program        WORK       an empty directory, the current one
#   H1 H2  addresses of the hosts    KEY            the client's key   KNOWN_HOSTS
#   REGISTRY  address:port, anonymous                REGISTRY_AUTH  address:port, wants REGISTRY_USER, REGISTRY_PASSWORD
#   FLEET_TOOL  tests/support/fleet                  FAULTPROXY     tests/support/faultproxy.py
#
# A script sources this file and fails by its first failing command. What expect_exit ran is in $WORK/stdout and
# $WORK/stderr.

set -eu -o pipefail

# Nothing is written outside of the script's directory, nor left by a drey that is killed.
export DREY_STATE_DIR=$WORK/state HOME=$WORK/home TMPDIR=$WORK/tmp
mkdir -p "$HOME" "$TMPDIR"
unset SSH_AUTH_SOCK XDG_RUNTIME_DIR

fail() {
	echo "${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*" >&2
	exit 1
}

assert_eq() {
	[ "$1" = "$2" ] || fail "expected \"$2\", got \"$1\"${3:+ ($3)}"
}

# step WORDS: what begins, and how long it took to get there, for the log.
step() {
	printf '# %s (%d s)\n' "$1" "$SECONDS"
}

# assert_contains FILE TEXT: the file holds the text, literally.
assert_contains() {
	grep -qF -e "$2" "$1" && return
	sed 's/^/    | /' "$1" >&2
	fail "$1 does not contain \"$2\""
}

assert_lacks() {
	grep -qF -e "$2" "$1" || return 0
	sed 's/^/    | /' "$1" >&2
	fail "$1 contains \"$2\""
}

# expect_exit CODE CMD...: runs CMD with its output in $WORK/stdout and $WORK/stderr.
expect_exit() {
	local wanted=$1 status=0
	shift
	"$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || status=$?
	[ "$status" = "$wanted" ] && return
	sed 's/^/    stdout| /' "$WORK/stdout" >&2
	# What went wrong comes last: of a long log only the end is shown.
	grep -v '^drey: ' "$WORK/stderr" | sed 's/^/    stderr| /' >&2 || :
	grep '^drey: ' "$WORK/stderr" | sed 's/^/    stderr| /' >&2 || :
	fail "\"$*\" ended with $status, not $wanted"
}

# wait_until SECONDS CMD...: runs CMD until it succeeds.
wait_until() {
	local seconds=$1 deadline
	shift
	deadline=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
	until "$@" >"$WORK/.wait" 2>&1; do
		if [ "${EPOCHREALTIME/[.,]/}" -ge "$deadline" ]; then
			sed 's/^/    | /' "$WORK/.wait" >&2
			fail "\"$*\" did not come true within $seconds s"
		fi
		sleep 0.1
	done
}

fleet() {
	local command=$1
	shift
	"$FLEET_TOOL" "$command" "$FLEET" "$@"
}

# engine HOST METHOD PATH [BODY]: asks that host's engine, past drey; an error of the engine fails the script.
engine() {
	local host=$1 method=$2 path=$3 body=()
	[ -z "${4-}" ] || body=(-H 'Content-Type: application/json' --data-binary "$4")
	curl -sS --fail-with-body --noproxy '*' --unix-socket "$(host_path "$host" /run/docker.sock)" -X "$method" \
		"${body[@]}" "http://engine$path"
}

# container_field HOST NAME JQ: a field of what the engine says of a container.
container_field() {
	engine "$1" GET "/containers/$2/json" | jq -r "$3"
}

container_exists() {
	engine "$1" GET "/containers/$2/json" >/dev/null 2>&1
}

docker_on_h1() {
	docker -H "unix://$(host_path h1 /run/docker.sock)" "$@"
}

# The path by which this machine reaches HOST's file PATH.
host_path() {
	local pid
	read -r pid <"$FLEET/$1/pid"
	echo "/proc/$pid/root$2"
}

# write_host_manifests DIR: a Project "test" on h1 and h2, and both hosts.
write_host_manifests() {
	local host address
	mkdir -p "$1"
	cat >"$1/project.yaml" <<-END
		apiVersion: drey/v1
		kind: Project
		metadata: { name: test }
		spec: { hosts: [h1, h2] }
	END
	for host in h1 h2; do
		address=$(<"$FLEET/$host/address")
		cat >"$1/host-$host.yaml" <<-END
			apiVersion: drey/v1
			kind: Host
			metadata: { name: $host }
			spec:
			  address: ssh://root@$address:22
			  identity_file: $KEY
			  known_hosts: $KNOWN_HOSTS
		END
	done
}

# write_near_host DIR SOCKET: a Project "test" and h1, whose engine is reached without SSH by that socket of the host.
write_near_host() {
	mkdir -p "$1"
	cat >"$1/host.yaml" <<-END
		apiVersion: drey/v1
		kind: Project
		metadata: { name: test }
		---
		apiVersion: drey/v1
		kind: Host
		metadata: { name: h1 }
		spec: { address: "unix://$(host_path h1 "$2")" }
	END
}

# write_document DIR KIND NAME [LINE]...: a document with these lines as its spec, in DIR/kind-name.yaml.
write_document() {
	local dir=$1 kind=$2 name=$3
	shift 3
	{
		printf 'apiVersion: drey/v1\nkind: %s\nmetadata: { name: %s }\n' "$kind" "$name"
		if [ $# -gt 0 ]; then
			printf 'spec:\n'
			printf '  %s\n' "$@"
		else
			printf 'spec: {}\n'
		fi
	} >"$dir/${kind,,}-$name.yaml"
}

# apply CODE DIR [OPTION]...
apply() {
	local code=$1 dir=$2
	shift 2
	expect_exit "$code" "$DREY" apply -f "$dir" --yes "$@"
}

# diff_exits CODE DIR [OPTION]...
diff_exits() {
	local code=$1 dir=$2
	shift 2
	expect_exit "$code" "$DREY" diff -f "$dir" "$@"
}

# all_objects HOST: every container, network and volume of the host's engine with its identity.
all_objects() {
	engine "$1" GET '/containers/json?all=1' | jq -r '.[] | "\(.Id) \(.Names | sort | join(",")) \(.State)"' | sort
	engine "$1" GET /networks | jq -r '.[] | "\(.Id) \(.Name)"' | sort
	engine "$1" GET /volumes | jq -r '(.Volumes // [])[] | "\(.Name) \(.CreatedAt)"' | sort
}

# start_faultproxy HOST NAME [PROXY OPTION]...: a proxy at /run/NAME.sock on HOST in front of its engine, logging to
# $WORK/NAME.log. It ends with the script.
start_faultproxy() {
	local host=$1 name=$2 socket
	shift 2
	socket=$(host_path "$host" "/run/$name.sock")
	: >"$WORK/$name.log"
	: >"$WORK/$name.out"
	"$FAULTPROXY" --listen "$socket" --upstream "$(host_path "$host" /run/docker.sock)" --log "$WORK/$name.log" "$@" \
		>"$WORK/$name.out" 2>&1 &
	echo $! >"$WORK/$name.pid"
	wait_until 20 grep -q listening "$WORK/$name.out"
}

stop_faultproxy() {
	kill "$(<"$WORK/$1.pid")"
	wait "$(<"$WORK/$1.pid")" || :
	rm "$WORK/$1.pid"
}

# requests NAME [METHOD [REGEX]]: how many such requests went through the proxy. A line that is still being written is
# none yet.
requests() {
	jq -nR --arg m "${2-}" --arg r "${3-.}" \
		'[inputs | fromjson? | select(.event == "request" and ($m == "" or .method == $m) and (.target | test($r)))]
			| length' "$WORK/$1.log"
}
