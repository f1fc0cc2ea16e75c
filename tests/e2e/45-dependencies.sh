# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who depends on another is restarted when that one was made anew, after a crash too; who shares its namespaces does not
# stay in ones that are gone; and nothing is started beside a foreign writer.
. "$(dirname "$0")/lib.sh"

started() {
	container_field h1 "$1" .State.StartedAt
}

write_near_host m /run/docker.sock
db() {
	write_document m Container db "image: $1" 'network_mode: host' 'monitor: 200ms' 'restart: always'
}
db busy:1
write_document m Container web 'image: busy:1' 'network_mode: host' 'monitor: 200ms' 'restart: always' \
	'depends_on: { db: { restart: true }, extra: { required: false } }'
write_document m Container tail 'image: busy:1' 'restart: always' 'network_mode: "service:web"'
write_document m Container extra 'image: "nowhere.example/none:1"' 'pull_policy: never'
apply 3 m
assert_contains stderr 'image nowhere.example/none:1 is not on the host'
assert_eq "$(container_field h1 web .State.Status)" running 'what is not required blocks nobody'
rm m/container-extra.yaml
sed -i 's/, extra: .*} }/ }/' m/container-web.yaml
diff_exits 0 m

# Restarted after what it depends on, its sharer with it.
id=$(container_field h1 web .Id)
before=$(started web)
db busy:2
diff_exits 1 m
assert_contains stdout 'Container/db, on which it depends, is replaced'
apply 0 m
diff_exits 0 m
assert_eq "$(container_field h1 web .Id)" "$id"
[ "$(started web)" != "$before" ] || fail 'web was not restarted'

# It is not stopped before all is there that it needs.
cp m/container-web.yaml with-db
write_document m Container job 'image: oneshot:fails' 'network_mode: host' 'state: completed'
sed -i 's/{ restart: true } }/{ restart: true }, job: { condition: service_completed_successfully } }/' m/container-web.yaml
apply 3 m
before=$(started web)
db busy:1
apply 3 m
assert_eq "$(container_field h1 db .Config.Image)" busy:1
assert_eq "$(container_field h1 web .State.Status) $(started web)" "running $before"
rm m/container-job.yaml
cp with-db m/container-web.yaml
db busy:2
apply 0 m
docker_on_h1 rm -f job >/dev/null
diff_exits 0 m

# The run ended before it came to that: the next one knows.
start_faultproxy h1 gone --rule 'POST /stop nth=2- drop=before'
write_near_host m /run/gone.sock
db busy:1
apply 3 m
stop_faultproxy gone
write_near_host m /run/docker.sock
rm -rf state
diff_exits 1 m
assert_contains stdout 'Container/db, on which it depends, was made anew after its start'
apply 0 m
diff_exits 0 m

# An engine that is started again starts them in whatever order, or fails to start the sharer: that is not what is meant.
fleet stop h1 engine
fleet start h1 engine
both_run() {
	[ "$(container_field h1 web .State.Status) $(container_field h1 db .State.Status)" = 'running running' ]
}
wait_until 60 both_run
"$DREY" diff -f m >after-start || :
assert_lacks after-start 'are gone'
assert_lacks after-start 'made anew'
apply 0 m
diff_exits 0 m

# Somebody restarts the provider: its sharer runs in namespaces that are gone.
docker_on_h1 restart -t 1 web >/dev/null
diff_exits 1 m
assert_contains stdout 'container web was started again after it: the namespaces that it shares are gone'
apply 0 m
diff_exits 0 m
assert_eq "$(docker_on_h1 exec tail grep -c eth /proc/net/dev)" "$(docker_on_h1 exec web grep -c eth /proc/net/dev)"

# A run that ended when it had stopped the sharer alone: the next one brings it up, and so finds it when its own new version
# does not come up.
provider=$(container_field h1 web .Id)
sharer=$(container_field h1 tail .Id)
start_faultproxy h1 half --rule 'POST /stop nth=2- drop=before' --rule 'POST /(start|rename|update) drop=before' --rule 'DELETE . drop=before'
write_near_host m /run/half.sock
sed -i 's/image: busy:1/image: busy:2/' m/container-web.yaml
apply 3 m
stop_faultproxy half
write_near_host m /run/docker.sock
assert_eq "$(container_field h1 tail .State.Status) $(container_field h1 web .State.Status)" 'exited running'
write_document m Container tail 'image: busy:1' 'restart: always' 'network_mode: "service:web"' 'command: [sh, -c, "exit 3"]'
apply 3 m
assert_eq "$(container_field h1 web '.Id + " " + .State.Status')" "$provider running"
assert_eq "$(container_field h1 tail '.Id + " " + .State.Status')" "$sharer running"
write_document m Container tail 'image: busy:1' 'restart: always' 'network_mode: "service:web"'
apply 0 m
diff_exits 0 m

# What a sharer waits for comes before what it shares, or else after it: neither is waited for in vain.
health='healthcheck: { test: [CMD, "true"], interval: 200ms }'
write_document m Container web 'image: busy:1' 'network_mode: host' 'monitor: 200ms' 'restart: always' "$health" \
	'depends_on: { db: { restart: true } }'
write_document m Container tail 'image: busy:1' 'restart: always' 'network_mode: "service:web"' \
	'depends_on: { zeta: { condition: service_healthy }, proxy: { condition: service_healthy }, web: { condition: service_healthy } }'
write_document m Container zeta 'image: busy:1' 'network_mode: host' "$health"
write_document m Container proxy 'image: busy:1' 'network_mode: host' "$health" 'depends_on: { web: { condition: service_healthy } }'
apply 0 m
diff_exits 0 m
assert_eq "$(docker_on_h1 exec tail grep -c eth /proc/net/dev)" "$(docker_on_h1 exec web grep -c eth /proc/net/dev)"
rm m/container-{tail,zeta,proxy}.yaml
apply 0 m --prune

# A foreign container writes to the volume.
write_document m Volume data
write_document m Container writer 'image: busy:1' 'network_mode: host' 'monitor: 200ms' 'volumes: ["data:/data"]'
apply 0 m
docker_on_h1 rm -f writer >/dev/null
docker_on_h1 run -d --name theirs -v data:/data busy:1 >/dev/null
diff_exits 1 m
assert_contains stdout "! Container/writer"
assert_contains stdout "container 'theirs', which was not made by drey, writes to Volume/data"
apply 3 m
container_exists h1 writer && fail 'it was created'
write_document m Volume data 'shared: true'
apply 0 m
assert_contains stdout "container 'theirs', which was not made by drey, writes to Volume/data as well"
