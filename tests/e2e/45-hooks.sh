# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# post_start and pre_stop: run wherever drey starts and stops, in order, as their manifest says; what fails stops the
# start or the stop, and costs the container that serves nothing.
# shellcheck disable=SC2016 # ${secret.NAME} is for drey, $NAME for the shell in the container
. "$(dirname "$0")/lib.sh"

log=$(host_path h1 /srv/hooks/log)
mkdir -p "${log%/*}"
: >"$log"
chmod 666 "$log"

# set_up SOCKET
set_up() {
	write_near_host m "$1"
	write_document m Volume data 'hosts: [h1]'
}

# web IMAGE [LINE]...: says in the log when it starts and when it is stopped.
web() {
	local image=$1
	shift
	write_document m Container web "image: $image" 'network_mode: host' 'monitor: 100ms' \
		'volumes: ["/srv/hooks:/hooks"]' 'stop_grace_period: 2s' \
		'command: [sh, -c, "echo up >>/hooks/log; trap '\''echo down >>/hooks/log; exit'\'' TERM; while :; do sleep 0.1; done"]' \
		"$@"
}

# first IMAGE [LINE]...: one that starts first, which two on the host's network can't.
first() {
	local image=$1
	shift
	write_document m Container first "image: $image" 'network_mode: none' 'monitor: 100ms' \
		'deploy: { update_config: { order: start-first } }' "$@"
}

now() {
	docker_on_h1 info --format '{{.SystemTime}}'
}

# What has happened to containers since $since, in one line: of commands that were run, their last word.
happened() {
	docker_on_h1 events --since "$since" --until "$(now)" \
		--filter type=container --format '{{.Action}}' |
		sed -n 's/^exec_start: .* //p; /^start$/p; /^die$/p; /^rename$/p' | tr '\n' ' ' | sed 's/ $//'
}

# says WHAT: a hook that puts that into the log.
says() {
	echo "{ command: [sh, -c, \"echo $1 >>/hooks/log\"] }"
}

fails() {
	echo "{ command: [sh, -c, \"echo $1; exit 3\"] }"
}

# The log up to now, in one line; it begins anew.
said() {
	tr '\n' ' ' <"$log" | sed 's/ $//'
	: >"$log"
}

identity() {
	container_field h1 "$1" '.Id + " " + .State.Status + " " + .State.StartedAt'
}

state_of_host() {
	engine h1 GET '/containers/json?all=1' | jq -r '[.[] | .Names[0] + ":" + .State] | sort | join(" ")'
}

set_up /run/docker.sock
umask 077
echo hunter2-Zq7 >m/password
umask 022
write_document m Secret db 'file: password'

echo '# a container is made: its hooks come in order, each as it says'
web busy:1 'post_start:' '- { command: "sh -c '\''echo one $(id -u) $(pwd) $A$B >>/hooks/log'\''", user: "1000", working_dir: /tmp,' \
	'    environment: { A: a, B: "-${secret.db}" } }' '- { command: [sh, -c, "echo two $(id -u) $A >>/hooks/log"], environment: [A=b=c] }' \
	"- $(says three)" "- $(says three)"
apply 0 m
assert_eq "$(said)" 'up one 1000 /tmp a-hunter2-Zq7 two 0 b=c three three'
assert_contains stderr 'run post_start[3]'
cat stdout stderr >all
assert_lacks all hunter2
container_field h1 web . >inspect
assert_lacks inspect hunter2
diff_exits 0 m

echo '# other hooks alone are no difference'
before=$(identity web)
web busy:1 "post_start: [$(says new)]" "pre_stop: [$(says first), $(says second)]"
diff_exits 0 m
apply 0 m
assert_eq "$(identity web)" "$before"
assert_eq "$(said)" ''

echo '# a replacement: pre_stop while the old one runs, post_start in the new one'
web busy:2 "post_start: [$(says new)]" "pre_stop: [$(says first), $(says second)]"
apply 0 m
assert_eq "$(said)" 'first second down up new'
diff_exits 0 m

echo '# where the new one starts first, the old one is told to stop when that has proved itself'
first busy:1 'post_start: [{ command: ["true", new] }]'
apply 0 m
first busy:2 'post_start: [{ command: ["true", new] }]' 'pre_stop: [{ command: ["true", bye] }]'
since=$(now)
apply 0 m
assert_eq "$(happened)" 'start new bye rename rename die'
assert_eq "$(state_of_host)" '/first:running /web:running'
web busy:1
apply 0 m
: >"$log"

echo '# post_start fails: back to the old one, which has its hooks too as far as they go'
web busy:2 "post_start: [$(says new), { command: [sh, -c, \"echo oh no \$P; exit 3\"], environment: { P: '\${secret.db}' } }, $(says late)]"
old=$(container_field h1 web .Id)
apply 3 m
assert_contains stderr 'post_start[1] ended with exit status 3; its last lines: oh no ***********; the old container is back in place'
assert_contains stderr 'go on, though post_start[1]'
cat stdout stderr >all
assert_lacks all hunter2
assert_eq "$(said)" 'down up new down up new'
assert_eq "$(container_field h1 web '.Id + .State.Status')" "${old}running"
assert_eq "$(state_of_host)" '/first:running /web:running'

echo '# and where the new one starts first, the old one has never been touched'
web busy:1
before=$(identity first)
first busy:1 "post_start: [$(fails bad)]" 'pre_stop: [{ command: ["true", bye] }]'
since=$(now)
apply 3 m
assert_contains stderr 'post_start[0] (["sh", "-c", "echo bad; exit 3"]) ended with exit status 3; its last lines: bad'
assert_contains stderr 'the old container serves on'
assert_eq "$(identity first)" "$before"
assert_lacks <(happened) bye
assert_eq "$(state_of_host)" '/first:running /web:running'
first busy:1 "pre_stop: [$(fails bad)]"
apply 3 m
assert_contains stderr 'pre_stop[0] (["sh", "-c", "echo bad; exit 3"]) ended with exit status 3; its last lines: bad'
assert_eq "$(identity first)" "$before"
assert_eq "$(state_of_host)" '/first:running /web:running'
first busy:1 'pre_stop: [{ command: [sh, -c, "kill -KILL -1"] }]'
apply 0 m
assert_eq "$(container_field h1 first .Config.Image)" busy:1
rm m/container-first.yaml
engine h1 DELETE '/containers/first?force=1'

echo '# what can be no command, and what says too much'
web busy:2 'post_start: [{ command: [no-such-program] }]'
apply 3 m
assert_contains stderr 'post_start[0] (["no-such-program"])'
assert_contains stderr no-such-program
web busy:2 'post_start: [{ command: [sh, -c, "yes long line | head -c 3000000; echo the end; exit 4"] }]'
apply 3 m
assert_contains stderr 'ended with exit status 4; its last lines: long line | long line'
assert_contains stderr '| the end; the old container is back'
[ "$(wc -c <stderr)" -lt 8000 ] || fail 'too much is shown'
assert_eq "$(state_of_host)" /web:running
: >"$log"

echo '# pause holds it, and a hook that was put right is something new to try'
web busy:2 "post_start: [$(fails bad)]" 'deploy: { update_config: { failure_action: pause } }'
apply 3 m
assert_contains stderr 'the old one is kept as web.drey-held'
assert_eq "$(state_of_host)" '/web.drey-held:exited /web:running'
before=$(state_of_host)
apply 3 m
assert_eq "$(state_of_host)" "$before"
web busy:2 "post_start: [$(says good)]" 'deploy: { update_config: { failure_action: pause } }'
diff_exits 1 m
apply 0 m
diff_exits 0 m
assert_eq "$(state_of_host)" /web:running
assert_eq "$(container_field h1 web .Config.Image)" busy:2

echo '# continue: it counts all the same'
web busy:1 "post_start: [$(fails bad)]" 'deploy: { update_config: { failure_action: continue } }'
apply 0 m
assert_contains stderr 'go on, as failure_action says, though post_start[0]'
assert_eq "$(container_field h1 web .Config.Image)" busy:1
: >"$log"

echo '# pre_stop fails: the old one goes on running, whatever it was to be stopped for'
before=$(identity web)
bad="pre_stop: [$(says first), $(fails 'not yet')]"
web busy:2 "$bad"
apply 3 m
assert_contains stderr 'pre_stop[1] (["sh", "-c", "echo not yet; exit 3"]) ended with exit status 3; its last lines: not yet'
assert_contains stderr 'it is not stopped; without pre_stop in its manifest it is'
assert_eq "$(identity web)" "$before"
assert_eq "$(state_of_host)" /web:running
diff_exits 1 m
for state in stopped absent; do
	web busy:1 "$bad" "state: $state"
	apply 3 m
	assert_contains stderr 'pre_stop[1]'
	assert_eq "$(identity web)" "$before" "$state"
done
assert_eq "$(said)" 'first first first'

echo '# stopped, started, paused'
web busy:1 "post_start: [$(says hello)]" "pre_stop: [$(says bye)]" 'state: stopped'
apply 0 m
assert_eq "$(said)" 'bye down'
diff_exits 0 m
web busy:1 "post_start: [$(says hello)]" "pre_stop: [$(says bye)]" 'state: paused'
apply 0 m
assert_eq "$(container_field h1 web .State.Status)" paused
assert_eq "$(said)" 'up hello'
web busy:1 "pre_stop: [$(fails bad)]" 'state: stopped'
apply 3 m
assert_eq "$(container_field h1 web .State.Status)" paused
web busy:1 "pre_stop: [$(says bye)]" 'state: stopped'
apply 0 m
assert_eq "$(said)" 'bye down'

echo '# a start that fails by its hook is a start that the next run tries again'
web busy:1 "post_start: [$(fails bad)]" 'restart: unless-stopped'
apply 3 m
assert_contains stderr 'post_start[0]'
assert_contains stderr 'it is stopped again, and the next run tries once more'
assert_eq "$(state_of_host)" /web:exited
diff_exits 1 m
web busy:1 "post_start: [$(says hello)]" 'restart: unless-stopped'
apply 0 m
diff_exits 0 m
assert_eq "$(said)" 'up down up hello'

echo '# one that ends by itself has no use for hooks: what is told is how it ended'
write_document m Container short 'image: busy:1' 'network_mode: host' 'command: [sh, -c, "echo last words; exit 7"]' \
	'post_start: [{ command: [sleep, "60"] }]'
apply 3 m
assert_contains stderr 'last words'
assert_contains stderr 'ended before its post_start was over'
rm m/container-short.yaml
engine h1 DELETE '/containers/short?force=1'

echo '# a pre_stop that ends the container has done its work'
web busy:2 'restart: unless-stopped' 'pre_stop: [{ command: [sh, -c, "kill -TERM 1; sleep 30"] }]'
apply 0 m
assert_eq "$(container_field h1 web .Config.Image)" busy:2
assert_eq "$(state_of_host)" /web:running
: >"$log"

echo '# restarted for what it depends on'
web busy:2 "post_start: [$(says hello)]" "pre_stop: [$(says bye)]" 'depends_on: { base: { restart: true } }'
write_document m Container base 'image: busy:1' 'network_mode: host' 'monitor: 0s'
apply 0 m
assert_eq "$(said)" 'bye down up hello'

echo '# a backup that stops it'
web busy:2 "post_start: [$(says hello)]" "pre_stop: [$(says bye)]" 'depends_on: [base]' 'restart: always'
sed -i 's,/hooks"\],/hooks"\, "data:/data"],' m/container-web.yaml
write_document m Backup nightly 'volumes: [data]' "directory: $WORK/backups"
apply 0 m
: >"$log"
expect_exit 0 "$DREY" backup run nightly -f m
assert_eq "$(said)" 'bye down up hello'
before=$(identity web)
sed -i 's/echo bye/exit 5; echo/' m/container-web.yaml
expect_exit 3 "$DREY" backup run nightly -f m
assert_contains stderr 'stop container web: pre_stop[0]'
assert_eq "$(identity web)" "$before"
rm m/backup-nightly.yaml

echo '# an engine that loses its answers, and one that talks nonsense'
through() {
	local name=$1
	shift
	start_faultproxy h1 "$name" "$@"
	set_up "/run/$name.sock"
}
turn=0
for rule in 'POST /exec/[^/]*/start drop=after nth=1' 'POST /exec/[^/]*/start drop=before nth=1' \
	'POST /containers/[^/]*/exec drop=after nth=1' 'POST /containers/[^/]*/exec drop=before nth=1' \
	'POST /exec/[^/]*/start cut=5 nth=1'; do
	turn=$((turn + 1))
	web "busy:$((turn % 2 + 1))" "post_start: [{ command: [sh, -c, \"sleep 0.3; echo hello; echo hello >>/hooks/log\"] }]"
	through "lost$turn" --rule "$rule"
	: >"$log"
	apply 0 m
	stop_faultproxy "lost$turn"
	assert_eq "$(said)" 'down up hello' "$rule"
done
for body in 'no frames at all' '{}'; do
	turn=$((turn + 1))
	old=$(container_field h1 web .Id)
	web busy:1 "post_start: [$(says hello)]"
	through "mad$turn" --rule "POST /exec/[^/]*/start reply=200 type=application/vnd.docker.raw-stream 'body=$body'" \
		--rule 'GET /exec/[^/]*/json set=Running=false set=ExitCode=1'
	apply 3 m
	stop_faultproxy "mad$turn"
	assert_contains stderr 'post_start[0]'
	assert_eq "$(container_field h1 web .Id)" "$old"
	assert_eq "$(container_field h1 web .State.Status)" running
done
set_up /run/docker.sock

echo '# killed while a hook runs: the next run goes on from there'
for hook in post_start pre_stop; do
	web busy:1 'state: absent'
	apply 0 m
	web busy:1
	apply 0 m
	web busy:2 "$hook: [{ command: [sh, -c, \"echo $hook >>/hooks/log; sleep 1\"] }]"
	: >"$log"
	"$DREY" apply -f m --yes >killed.out 2>&1 &
	drey=$!
	wait_until 30 grep -q "$hook" "$log"
	kill -KILL "$drey"
	wait "$drey" || :
	apply 0 m
	diff_exits 0 m
	[ "$(said | tr ' ' '\n' | grep -c "$hook")" -ge 2 ] || fail "$hook was not run again"
	assert_eq "$(state_of_host)" '/base:running /web:running'
	assert_eq "$(container_field h1 web .Config.Image)" busy:2
done

echo '# no manifest, no hook'
: >"$log"
rm m/container-web.yaml
apply 0 m --prune
assert_eq "$(said)" down
