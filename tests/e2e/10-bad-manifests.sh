#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Manifests that are wrong: every fault is told with its place, the exit code is 2, and no host is even asked.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
bad=$m/bad.yaml
write_host_manifests "$m"
write_document "$m" Container web 'image: busy:1'
sed -i 's|^  address:.*|&\n  docker_socket: /run/fault.sock|' "$m/host-h1.yaml"
start_faultproxy h1 fault

# refused PLACE TEXT...: validate, diff and apply all name the place and say the texts.
refused() {
	local place=$1 command text
	shift
	for command in validate diff 'apply --yes'; do
		# shellcheck disable=SC2086 # two words
		expect_exit 2 timeout 20 "$DREY" $command -f "$m"
		assert_contains "$WORK/stderr" "$place: error: "
		for text; do
			assert_contains "$WORK/stderr" "$text"
		done
		assert_eq "$(<"$WORK/stdout")" '' 'nothing on standard output'
	done
}

document() {
	cat >"$bad"
}

expect_exit 0 "$DREY" validate -f "$m"

document <<END
apiVersion: drey/v1
kind: Container
metadata: { name: a }
spec:
	image: busy:1
END
refused bad.yaml:5:1 tab

document <<END
apiVersion: drey/v1
kind: Container
metadata: { name: a }
spec: { image: busy:1, mem_limit: [lots], privileged: "yes" }
END
refused bad.yaml:4:35 mem_limit 'found a list'
assert_contains "$WORK/stderr" bad.yaml:4:55

document <<END
apiVersion: drey/v1
kind: Container
metadata: { name: a }
spec: { image: busy:1, volums: [] }
END
refused bad.yaml:4:24 "did you mean 'volumes'?"

document <<END
apiVersion: drey/v1
kind: Container
metadata: { name: web }
spec: { image: busy:2 }
END
refused "container-web.yaml:3:19" "'web' is there twice" bad.yaml:3:19

document <<END
apiVersion: drey/v1
kind: Container
metadata: { name: a }
spec: { image: busy:1, networks: [frnt], volumes: ["data:/data"] }
---
apiVersion: drey/v1
kind: Network
metadata: { name: front }
spec: { hosts: [h1] }
END
refused bad.yaml:4:34 "did you mean 'front'?"
assert_contains "$WORK/stderr" "no Volume 'data'"

document <<END
apiVersion: drey/v1
kind: Container
metadata: { name: a }
spec: { image: busy:1, depends_on: [b] }
---
apiVersion: drey/v1
kind: Container
metadata: { name: b }
spec: { image: busy:1, depends_on: [a] }
END
refused bad.yaml:9:36 'a -> b -> a'

document <<END
apiVersion: drey/v1
kind: Template
metadata: { name: a }
spec:
  resources:
    - { kind: Release, metadata: { name: x }, spec: { template: b } }
---
apiVersion: drey/v1
kind: Template
metadata: { name: b }
spec:
  resources:
    - { kind: Release, metadata: { name: y }, spec: { template: a } }
---
apiVersion: drey/v1
kind: Release
metadata: { name: z }
spec: { template: a }
END
refused bad.yaml:13:65 'a -> b -> a'

{
	printf 'apiVersion: drey/v1\nkind: Container\nmetadata: { name: a }\nspec:\n  image: busy:1\n  labels:\n'
	echo '    l0: &l0 [x, x, x, x, x, x, x, x, x]'
	for i in {1..9}; do
		p=$((i - 1))
		echo "    l$i: &l$i [*l$p, *l$p, *l$p, *l$p, *l$p, *l$p, *l$p, *l$p, *l$p]"
	done
} | document
refused bad.yaml:13:24 'aliases counted each time'

printf 'apiVersion: drey/v1\nkind: Container\nmetadata: { name: a }\nspec: { image: busy:1, hostname: "caf\xe9" }\n' | document
refused bad.yaml:4:38 'byte 0xe9 is not UTF-8'

# A sparse file of 100 MB is told from its size; it never gets into memory.
rm "$bad"
truncate -s 100M "$bad"
(
	ulimit -v 90000
	refused bad.yaml '104857600 bytes are too large'
)

# All faults of a set in one run, and as a document for machines.
rm "$bad"
write_document "$m" Container one 'image: busy:1' 'volums: []'
write_document "$m" Container two 'image: [busy]'
expect_exit 2 "$DREY" validate -f "$m" -o json
assert_eq "$(jq -r '[.exit, .valid] | @csv' "$WORK/stdout")" 2,false
assert_eq "$(jq -r '.diagnostics[] | select(.severity == "error") | "\(.file):\(.line):\(.column)"' "$WORK/stdout" | sort | xargs)" \
	'container-one.yaml:6:3 container-two.yaml:5:10'
expect_exit 2 "$DREY" apply -f "$m" --yes -o json
assert_eq "$(jq -r .exit "$WORK/stdout")" 2

assert_eq "$(requests fault)" 0 'no host was asked'
for host in h1 h2; do
	assert_eq "$(engine "$host" GET '/containers/json?all=1')" '[]'
done
