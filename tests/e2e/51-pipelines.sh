#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The commands of docs/guides/ci.md, as they stand there, and what apply --wait waits for.
# shellcheck disable=SC2016 # $* is the stub's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

guide=$(dirname "$(readlink -f "$0")")/../../docs/guides/ci.md
mkdir bin
ln -s "$DREY" bin/drey
export CALLS=$WORK/calls
for program in gh curl; do
	printf '#!/bin/sh\necho "%s $*" >>"$CALLS"\n' "$program" >"bin/$program"
	chmod +x "bin/$program"
done

# commands SYSTEM JOB: the shell lines of a job, in a file each.
commands() {
	/usr/bin/python3 - "$guide" "$@" <<'END'
import re, sys, yaml
guide, system, job = sys.argv[1:]
for block in re.findall(r"^```yml\n(.*?)^```$", open(guide).read(), flags=re.M | re.S):
    pipeline = yaml.safe_load(block)
    jobs = pipeline.get("jobs", pipeline)
    if ("jobs" in pipeline) != (system == "github") or job not in jobs:
        continue
    lines = [step["run"] for step in jobs[job]["steps"] if "run" in step] if system == "github" else jobs[job]["script"]
    assert any("drey " in line for line in lines)
    for number, line in enumerate(lines):
        open(f"{system}-{job}-{number}", "w").write(line)
END
}

# run_job SYSTEM JOB: as the runner does, each step by a shell of its own (GitHub) or all by one (GitLab).
run_job() {
	local step
	commands "$1" "$2"
	[ -e "$1-$2-0" ] || fail "$guide has no job $2 of $1"
	if [ "$1" = github ]; then
		for step in "$1-$2"-*; do
			PATH=$WORK/bin:$PATH bash -e "$step" || return
		done
	else
		for step in "$1-$2"-*; do
			cat "$step"
			echo
		done >"$1-$2.sh"
		PATH=$WORK/bin:$PATH bash -e -o pipefail "$1-$2.sh"
	fi
}

write_host_manifests fleet
sed -i 's/\[h1, h2\]/[h1]/' fleet/project.yaml
rm fleet/host-h2.yaml
cp "$KNOWN_HOSTS" fleet/known_hosts
sed -i 's|identity_file:.*|identity_file: id_fleet|; s|known_hosts:.*|known_hosts: known_hosts|' fleet/host-h1.yaml
web() {
	write_document fleet Container web 'image: healthy:1' 'network_mode: host' 'monitor: 0s' "$@"
}
DREY_PLAN_KEY=$(openssl rand -hex 32)
export DREY_PLAN_KEY GITHUB_STEP_SUMMARY=$WORK/summary PULL_REQUEST=7
SSH_KEY=$(<"$KEY")
export SSH_KEY

echo '# GitHub Actions'
web
expect_exit 0 run_job github check
expect_exit 0 run_job github plan
assert_contains summary '<code>Container&#47;web</code> create'
assert_contains calls 'gh pr comment 7 --body-file plan.md'
# Jobs have a machine each.
rm -rf state fleet/id_fleet
expect_exit 0 run_job github apply
assert_contains summary 'create: <b>done</b>'
assert_eq "$(container_field h1 web .State.Health.Status)" healthy
rm -rf state
expect_exit 4 run_job github apply
web 'mem_limits: 1'
expect_exit 2 run_job github check
assert_contains stdout '::error file=fleet/container-web.yaml,line=8'

echo '# GitLab CI'
export SSH_KEY=$KEY CI_MERGE_REQUEST_IID=8 CI_PROJECT_ID=9 CI_API_V4_URL=https://gitlab.example.com/api/v4 COMMENT_TOKEN=token
web 'mem_limit: 64m'
expect_exit 0 run_job gitlab plan
assert_contains plan.md '+ mem_limit: 64M'
assert_contains calls 'body@plan.md https://gitlab.example.com/api/v4/projects/9/merge_requests/8/notes'
rm -rf state
expect_exit 0 run_job gitlab apply
assert_eq "$(container_field h1 web .HostConfig.Memory)" 67108864

echo '# what --wait waits for: health, completion; what is not ready is named'
unset DREY_PLAN_KEY
expect_exit 2 "$DREY" apply -f fleet --yes --timeout 5s
assert_contains "$WORK/stderr" '--wait'
write_document fleet Container late 'image: healthy:1' 'network_mode: host' \
	'command: ["sh", "-c", "touch /tmp/sick; sleep 3; rm /tmp/sick; exec sleep 1000"]' 'stop_grace_period: 1s'
apply 0 fleet --wait
assert_eq "$(container_field h1 late .State.Health.Status)" healthy
write_document fleet Container late 'image: healthy:1' 'network_mode: host' 'container_name: never' \
	'command: ["sh", "-c", "touch /tmp/sick; exec sleep 1000"]' 'stop_grace_period: 1s'
engine h1 DELETE '/containers/late?force=1' >/dev/null
apply 3 fleet --wait --timeout 2s -o json
assert_eq "$(jq -r '[.exit, (.not_ready[] | .host, .resource, (.message | test("health check says (starting|unhealthy)")))] | @csv' \
	"$WORK/stdout")" '3,"h1","Container/late",true'
apply 3 fleet --wait --timeout 1s
assert_contains "$WORK/stderr" 'h1: Container/late: not ready: its health check says '
apply 0 fleet
apply 0 fleet --wait --timeout 30s --target Container/web
# One moment of running is none of service.
rm fleet/container-late.yaml
engine h1 DELETE '/containers/never?force=1' >/dev/null
write_document fleet Container loops 'image: busy:1' 'network_mode: host' 'restart: always' 'monitor: 3s' \
	'command: [sh, -c, "sleep 1; exit 3"]'
apply 3 fleet --wait --timeout 8s --target Container/loops
assert_contains "$WORK/stderr" 'h1: Container/loops: not ready: it '
write_document fleet Container loops 'image: busy:1' 'network_mode: host' 'restart: always' 'monitor: 3s'
apply 0 fleet --wait --timeout 60s --target Container/loops
