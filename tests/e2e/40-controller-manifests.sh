#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The controller follows a checkout: one load a change, broken manifests change nothing, and nothing is read while
# somebody is still writing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/controller.sh
. "$(dirname "$0")/controller.sh"

export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com
export GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com

write_host_manifests m
sed -i 's/\[h1, h2\]/[h1]/' m/project.yaml
write_document m Container web 'image: busy:1' 'network_mode: host'
git -C m init -q -b main
git -C m add .
git -C m commit -qm "The first"

version_is() {
	[ "$(container_field h1 web .Config.Labels.version)" = "$1" ]
}
revision_is() {
	local row
	row=$("$DREY" history -o json | jq -r '.revisions[0] | "\(.revision[0:10]) \(.status)"')
	[ "$row" = "$(git -C m rev-parse HEAD | cut -c1-10) $1" ] || {
		echo "$row"
		return 1
	}
}

start_controller m
wait_until 60 in_step h1
version_is 1
wait_until 10 revision_is applied
loads=$(logged 'manifests loaded')
assert_eq "$loads" 1

# --- a commit is a deployment
sed -i s/busy:1/busy:2/ m/container-web.yaml
git -C m commit -qam "The second"
wait_until 60 version_is 2
wait_until 20 in_step h1
wait_until 10 revision_is applied

# --- a broken one is reported with its place, once, and changes nothing; what holds is healed all the same
printf 'apiVersion: drey/v1\nkind: Container\nmetadata: { name: web }\nspec:\n  image: busy:1\n  restrat: always\n' >m/container-web.yaml
git -C m commit -qam "Broken"
wait_until 20 log_has 'container-web.yaml:6:3: .*restrat'
wait_until 10 revision_is invalid
kill -HUP "$controller"
wait_until 10 log_has 'loading the manifests again'
engine h1 DELETE '/containers/web?force=1'
wait_until 30 container_exists h1 web
version_is 2
assert_eq "$(logged 'restrat')" 1 "said once"
git -C m revert --no-edit HEAD >/dev/null
wait_until 20 log_has 'the manifests are fine again'
wait_until 20 revision_is applied

# --- nothing is read while git holds the index, not even when somebody asks for it
touch m/.git/index.lock
sed -i s/busy:2/busy:1/ m/container-web.yaml
sleep 1.5 # longer than a load takes to begin
version_is 2
kill -HUP "$controller"
sleep 1.5
version_is 2
rm m/.git/index.lock
wait_until 60 version_is 1
wait_until 20 in_step h1

# --- nor while a writer has a file open
exec 9>m/container-web.yaml
printf 'apiVersion: drey/v1\nkind: Container\n' >&9
sleep 1.5
assert_eq "$(logged 'can.t be used')" 1 "only the broken commit was refused"
printf 'metadata: { name: web }\nspec: { image: "busy:2" }\n' >&9
exec 9>&-
wait_until 60 version_is 2
wait_until 20 in_step h1
git -C m checkout -q .

# --- 300 files at once are one load
git -C m checkout -qb many
mkdir m/many
for i in $(seq 300); do
	write_document m/many Container "c$i" 'image: busy:1' 'state: absent'
done
git -C m add .
git -C m commit -qm "Many"
wait_until 30 revision_is applied
git -C m checkout -q main
wait_until 30 revision_is applied
loads=$(logged 'manifests loaded')
git -C m checkout -q many
wait_until 30 revision_is applied
assert_eq "$(logged 'manifests loaded')" $((loads + 1)) "one load for 300 files"
git -C m checkout -q main
wait_until 30 revision_is applied
assert_eq "$(logged 'manifests loaded')" $((loads + 2)) "one load to take them away"

# --- the directory is gone for a while
mv m aside
wait_until 10 log_has 'the manifest directory is gone'
engine h1 DELETE '/containers/web?force=1'
wait_until 30 container_exists h1 web
mv aside m
wait_until 10 log_has 'the manifest directory is back'
stop_controller 0

# --- nothing to begin with: it waits for manifests that hold
mkdir n
cp m/*.yaml n/
echo 'nonsense: true' >n/bad.yaml
: >"$LOG"
start_controller n
wait_until 20 log_has 'nothing is done until they are mended'
rm n/bad.yaml
wait_until 60 in_step h1
stop_controller 0

# --- the link above the directory is put in another's place, as git-sync does
mkdir -p sync/r1 sync/r2
cp -r n sync/r1/fleet
cp -r n sync/r2/fleet
sed -i s/busy:2/busy:1/ sync/r1/fleet/container-web.yaml
ln -s r1 sync/current
start_controller sync/current/fleet
wait_until 60 version_is 1
ln -s r2 sync/next
mv -T sync/next sync/current
wait_until 60 version_is 2
wait_until 20 in_step h1
stop_controller 0

# --- without watches it reads at intervals, and says why
: >"$LOG"
# shellcheck disable=SC2016 # the inner shell's
unshare -Ur sh -c 'echo 2 >/proc/sys/user/max_inotify_watches && exec "$0" controller -f n --interval 2s' "$DREY" >>"$LOG" 2>&1 &
controller=$!
wait_until 20 log_has 'raise fs.inotify.max_user_watches'
wait_until 20 log_has 'manifests loaded'
rm n/container-web.yaml
wait_until 30 sh -c "[ \$(grep -c 'manifests loaded' '$LOG') = 2 ]"
assert_eq "$(logged 'max_user_watches')" 1 "said once"
stop_controller 0
expect_exit 2 "$DREY" controller -f /nonexistent
assert_contains "$WORK/stderr" "/nonexistent"
