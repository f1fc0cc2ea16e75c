# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pulls: with credentials, with wrong ones, without; an image that isn't there, a registry that is down, a full disk.
. "$(dirname "$0")/lib.sh"

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
rm m/host-h2.yaml

# app IMAGE [LINE]...
app() {
	cat >m/app.yaml <<-END
		apiVersion: drey/v1
		kind: Container
		metadata: { name: app }
		spec:
		  image: $1
		  network_mode: host
	END
	shift
	[ $# = 0 ] || printf '  %s\n' "$@" >>m/app.yaml
}

# registry PASSWORD
registry() {
	printf '%s' "$1" >m/password
	cat >m/registry.yaml <<-END
		apiVersion: drey/v1
		kind: Secret
		metadata: { name: registry }
		spec: { file: password }
		---
		apiVersion: drey/v1
		kind: Registry
		metadata: { name: private }
		spec:
		  server: $REGISTRY_AUTH
		  username: $REGISTRY_USER
		  password: \${secret.registry}
	END
}

gone() {
	docker_on_h1 rm -f app >/dev/null 2>&1 || :
	docker_on_h1 rmi -f "$1" >/dev/null 2>&1 || :
}

# diff pulls nothing.
app "$REGISTRY/busy:1"
expect_exit 1 "$DREY" diff -f m
assert_contains stdout 'known after pull'
engine h1 GET "/images/$REGISTRY/busy:1/json" >/dev/null 2>&1 && fail "diff has pulled"
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
gone "$REGISTRY/busy:1"

# No credentials, wrong ones, right ones.
app "$REGISTRY_AUTH/busy:1"
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "no Registry document has credentials for $REGISTRY_AUTH"
registry 'wrong'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "check username and password of the Registry document for $REGISTRY_AUTH"
assert_lacks stderr wrong
registry "$REGISTRY_PASSWORD"
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
gone "$REGISTRY_AUTH/busy:1"

# From what docker login left: in the file, and by a helper.
cat >m/registry.yaml <<-END
	apiVersion: drey/v1
	kind: Registry
	metadata: { name: private }
	spec: { server: "$REGISTRY_AUTH", docker_config: true }
END
export DOCKER_CONFIG=$WORK/docker
mkdir -p docker bin
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "docker login $REGISTRY_AUTH"
jq -n --arg s "https://$REGISTRY_AUTH/v2/" --arg a "$(printf %s "$REGISTRY_USER:$REGISTRY_PASSWORD" | base64 -w0)" \
	'{auths: {($s): {auth: $a}}}' >docker/config.json
expect_exit 0 "$DREY" apply -f m --yes
gone "$REGISTRY_AUTH/busy:1"
cat >bin/docker-credential-test <<-END
	#!/bin/sh
	read -r server
	[ "\$1 \$server" = "get $REGISTRY_AUTH" ] || exit 1
	echo '{"ServerURL": "x", "Username": "$REGISTRY_USER", "Secret": "$REGISTRY_PASSWORD"}'
END
chmod +x bin/docker-credential-test
jq -n '{credsStore: "test"}' >docker/config.json
PATH=$WORK/bin:$PATH expect_exit 0 "$DREY" apply -f m --yes
gone "$REGISTRY_AUTH/busy:1"
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'docker-credential-test'
rm m/registry.yaml

# Not there; never pulled; nobody listens.
app "$REGISTRY/busy:none"
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "check the image's name and tag"
app "$REGISTRY/busy:1" 'pull_policy: never'
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr 'pull_policy is never'
app "${REGISTRY%:*}:1/busy:1"
expect_exit 3 "$DREY" apply -f m --yes
assert_contains stderr "does not reach the registry ${REGISTRY%:*}:1"

# A container that runs is not touched by a pull that fails.
app "$REGISTRY/busy:1"
expect_exit 0 "$DREY" apply -f m --yes
id=$(container_field h1 app .Id)
fleet image big:1 --registry "$REGISTRY" --layers 2 --layer-size 30000000 >/dev/null
fleet fill h1
app "$REGISTRY/big:1"
expect_exit 3 "$DREY" apply -f m --yes
fleet unfill h1
assert_contains stderr 'no space left on device'
assert_contains stderr 'the disk of the host is full'
assert_eq "$(container_field h1 app '.Id + " " + .State.Status')" "$id running"

# A tag that has come to mean another image: pulled and replaced where always is asked for.
fleet image moving:1 --registry "$REGISTRY" --config '{"Env":["N=1"]}' >/dev/null
app "$REGISTRY/moving:1"
expect_exit 0 "$DREY" apply -f m --yes
fleet image moving:1 --registry "$REGISTRY" --config '{"Env":["N=2"]}' >/dev/null
expect_exit 0 "$DREY" diff -f m
docker_on_h1 pull -q "$REGISTRY/moving:1" >/dev/null
expect_exit 1 "$DREY" diff -f m
assert_contains stdout "image $REGISTRY/moving:1 now means"
expect_exit 0 "$DREY" apply -f m --yes
expect_exit 0 "$DREY" diff -f m
assert_contains <(container_field h1 app '.Config.Env[]') N=2
