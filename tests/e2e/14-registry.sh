#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pulling from a real registry: with credentials from every place they may come from, without, with wrong ones; a
# registry that is down, an image that is missing, tags that move, a disk that is full.
# shellcheck disable=SC2016 # ${secret.NAME} is for drey
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
rm "$m/project.yaml"
write_document "$m" Project test 'hosts: [h1]' 'env: [REGISTRY_TOKEN]'
write_document "$m" Container other 'hosts: [h2]' 'image: busy:1' 'network_mode: host'
apply 0 "$m"

image() {
	write_document "$m" Container web "image: $1" 'network_mode: host' 'command: [forever]' "${@:2}"
}

forget() {
	engine h1 DELETE '/containers/web?force=1' >/dev/null
	engine h1 DELETE "/images/$REGISTRY_AUTH/busy:1?force=1" >/dev/null
}

# fails CODE TEXT...: apply ends with 3 and says so; h1 has no such container, h2 keeps its own.
fails() {
	local code=$1 text
	shift
	apply 3 "$m" -o json
	assert_eq "$(jq -r '.results[] | select(.host == "h1" and .name == "web") | "\(.outcome) \(.error.code)"' \
		"$WORK/stdout")" "failed $code"
	jq -r '.results[] | select(.name == "web") | .error.message' "$WORK/stdout" >"$WORK/message"
	for text; do
		assert_contains "$WORK/message" "$text"
	done
	assert_lacks "$WORK/stdout" "$REGISTRY_PASSWORD"
	assert_lacks "$WORK/stderr" "$REGISTRY_PASSWORD"
	! container_exists h1 web || fail 'there is a container'
	assert_eq "$(container_field h2 other .State.Status)" running
}

pulls() {
	apply 0 "$m" -v
	assert_lacks "$WORK/stderr" "$REGISTRY_PASSWORD"
	assert_eq "$(container_field h1 web .Config.Image)" "$REGISTRY_AUTH/busy:1"
	assert_eq "$(container_field h1 web .State.Status)" running
	diff_exits 0 "$m"
	forget
}

echo '# credentials: none, wrong ones'
image "$REGISTRY_AUTH/busy:1"
diff_exits 1 "$m"
assert_contains "$WORK/stdout" 'known after pull'
fails denied "pull $REGISTRY_AUTH/busy:1" "no Registry document has credentials for $REGISTRY_AUTH"
# The file ends in a line break, which is no part of the password.
echo 'not the password' >"$m/token"
write_document "$m" Secret token 'file: token'
write_document "$m" Registry internal "server: $REGISTRY_AUTH" "username: $REGISTRY_USER" 'password: "${secret.token}"'
fails denied "check username and password of the Registry document for $REGISTRY_AUTH"

echo '# credentials: a file, the environment'
echo "$REGISTRY_PASSWORD" >"$m/token"
pulls
write_document "$m" Secret token 'env: REGISTRY_TOKEN'
rm "$m/token"
export REGISTRY_TOKEN=$REGISTRY_PASSWORD
pulls
unset REGISTRY_TOKEN
apply 2 "$m"
assert_contains "$WORK/stderr" REGISTRY_TOKEN
rm "$m/secret-token.yaml"

echo '# credentials: what docker login wrote, and a credential helper'
write_document "$m" Registry internal "server: $REGISTRY_AUTH" 'docker_config: true'
fails not_found "$HOME/.docker/config.json"
mkdir -p "$HOME/.docker" "$WORK/bin"
jq -n --arg server "$REGISTRY_AUTH" --arg login "$REGISTRY_USER:$REGISTRY_PASSWORD" \
	'{auths: {($server): {auth: ($login | @base64)}}}' >"$HOME/.docker/config.json"
pulls
cat >"$WORK/bin/docker-credential-vault" <<END
#!/bin/sh
[ "\$1" = get ] || exit 1
read -r server
[ "\$server" = "$REGISTRY_AUTH" ] || { echo 'credentials not found in native keychain'; exit 1; }
echo '{"ServerURL": "$REGISTRY_AUTH", "Username": "$REGISTRY_USER", "Secret": "$REGISTRY_PASSWORD"}'
END
chmod +x "$WORK/bin/docker-credential-vault"
jq -n --arg server "$REGISTRY_AUTH" '{credHelpers: {($server): "vault"}}' >"$HOME/.docker/config.json"
fails not_found docker-credential-vault
PATH=$WORK/bin:$PATH pulls
rm "$m/registry-internal.yaml"

echo '# an image that is missing, a registry that is down'
image "$REGISTRY/busy:none"
fails not_found "pull $REGISTRY/busy:none" "check the image's name and tag"
image "${REGISTRY%:*}:5999/busy:1"
fails unreachable "the host does not reach the registry ${REGISTRY%:*}:5999"
image busy:none 'pull_policy: never'
fails not_found 'pull_policy is never'

echo '# tags that move'
fleet image moving:1 --registry "$REGISTRY" --config '{"Labels":{"version":"1"}}' >/dev/null
image "$REGISTRY/moving:1"
apply 0 "$m"
fleet image moving:1 --registry "$REGISTRY" --config '{"Labels":{"version":"2"}}' >/dev/null
diff_exits 0 "$m"
engine h1 DELETE '/containers/web?force=1' >/dev/null
apply 0 "$m"
assert_eq "$(container_field h1 web .Config.Labels.version)" 1 'missing: what is there is good enough'
# Somebody pulls: the tag means another image now.
engine h1 POST "/images/create?fromImage=$REGISTRY/moving&tag=1" >/dev/null
diff_exits 1 "$m"
assert_contains "$WORK/stdout" '~ Container/web  replace'
image "$REGISTRY/moving:1" 'monitor: 0s'
apply 0 "$m"
assert_eq "$(container_field h1 web .Config.Labels.version)" 2
fleet image moving:1 --registry "$REGISTRY" --config '{"Labels":{"version":"3"}}' >/dev/null
image "$REGISTRY/moving:1" 'pull_policy: always' 'monitor: 0s' 'labels: { changed: "yes" }'
apply 0 "$m"
assert_eq "$(container_field h1 web .Config.Labels.version)" 3 'always: what the registry has counts'
diff_exits 0 "$m"

echo '# a disk that is full'
id=$(container_field h1 web .Id)
fleet image large:1 --registry "$REGISTRY" --layers 2 --layer-size 30000000 >/dev/null
image "$REGISTRY/large:1" 'monitor: 0s'
fleet fill h1
apply 3 "$m" -o json
fleet unfill h1
jq -r '.results[] | select(.name == "web") | .error.message' "$WORK/stdout" >"$WORK/message"
assert_contains "$WORK/message" 'the disk of the host is full'
assert_eq "$(container_field h1 web '.Id + " " + .State.Status')" "$id running"
apply 0 "$m"
assert_eq "$(container_field h1 web '.Config.Image + " " + .State.Status')" "$REGISTRY/large:1 running"
diff_exits 0 "$m"
