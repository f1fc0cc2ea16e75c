# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The drift corpus: what people, tools and engines do to objects behind drey's back, each with the differences that
# `drey diff` must show then: none too many, none too few. All of it is done to one host, looked at once, and healed.
#
#   drift NAME 'CHANGE' 'VERDICT [FIELD]...' [LINE]...
#
# makes the container NAME of the manifest's LINEs (stopped unless they say otherwise), and does CHANGE to it: a command of
# this script and its arguments (of anew and update, a single one); NAME is the last. What other resources show besides is told by `shows`.
#
# Takes minutes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
sed -i 's/\[h1, h2\]/[h1]/' "$m/project.yaml"
rm "$m/host-h2.yaml"
api=$(engine h1 GET /version | jq -r '.ApiVersion | ltrimstr("1.")')

names=() changes=() count=0
: >expected

# shows RESOURCE VERDICT [FIELD]...
shows() {
	[ "$2" = keep ] || echo "$*" >>expected
}

drift() {
	local name=$1 change=$2 shown=$3 lines=("${@:4}") line
	for line in "${lines[@]}" 'image: busy:1' 'state: stopped' 'monitor: 0s'; do
		[[ "${lines[*]} " == *"${line%%:*}: "* ]] || lines+=("$line")
	done
	write_document "$m" Container "$name" "${lines[@]}"
	names+=("$name") changes+=("$change")
	# shellcheck disable=SC2086 # a verdict and fields
	shows "Container/$name" $shown
	count=$((count + 1))
}

# since API drift ...: where the engine is as new as that.
since() {
	[ "$api" -lt "$1" ] || "${@:2}"
}

network() {
	write_document "$m" Network "$1" 'hosts: [h1]' "${@:2}"
}

volume() {
	write_document "$m" Volume "$1" 'hosts: [h1]' "${@:2}"
}

# --- what is done behind drey's back

post() { # PATH NAME
	engine h1 POST "/containers/$2/$1"
}

update() { # JSON NAME
	engine h1 POST "/containers/$2/update" "$1" >/dev/null
}

gone() { # NAME
	engine h1 DELETE "/containers/$1?force=1&v=1"
}

# What would make a container of the engine's bridge as it is again, drey's labels and all.
body_of() {
	engine h1 GET "/containers/$1/json" | jq -c '. as $is | .Config + {HostConfig} | del(.MacAddress)
		| if .Hostname == $is.Id[:12] then del(.Hostname) else . end'
}

anew() { # JQ NAME
	local body state
	state=$(container_field h1 "$2" .State.Status)
	body=$(body_of "$2" | jq -c "$1")
	gone "$2"
	engine h1 POST "/containers/create?name=$2" "$body" >/dev/null
	[ "$state" != running ] || post start "$2"
}

anew_unstarted() { # NAME
	local body
	body=$(body_of "$1")
	gone "$1"
	engine h1 POST "/containers/create?name=$1" "$body" >/dev/null
}

detach() { # NETWORK NAME
	engine h1 POST "/networks/$1/disconnect" "{\"Container\":\"$2\",\"Force\":true}"
}

attach() { # NETWORK ENDPOINT NAME
	engine h1 POST "/networks/$1/connect" "{\"Container\":\"$3\",\"EndpointConfig\":$2}"
}

reattach() { # NETWORK ENDPOINT NAME
	detach "$1" "$3"
	attach "$@"
}

network_anew() { # NETWORK JQ NAME
	local body
	body=$(engine h1 GET "/networks/$1" | jq -c "{Name, Driver, Options, IPAM, Internal, Attachable, EnableIPv6, Labels} | $2")
	detach "$1" "$3"
	engine h1 DELETE "/networks/$1"
	engine h1 POST /networks/create "$body" >/dev/null
}

network_gone() { # NETWORK NAME
	detach "$1" "$2"
	engine h1 DELETE "/networks/$1"
}

# The engine lets a network go though stopped containers are on it.
network_gone_below() { # NETWORK NAME
	post 'stop?t=1' "$2"
	engine h1 DELETE "/networks/$1"
}

network_gone_before() { # NETWORK NAME
	engine h1 DELETE "/networks/$1"
}

volume_gone() { # VOLUME NAME
	gone "$2"
	engine h1 DELETE "/volumes/$1"
}

retag() { # FROM TAG NAME
	engine h1 POST "/images/$1/tag?repo=${2%:*}&tag=${2#*:}"
}

untag() { # TAG NAME
	engine h1 DELETE "/images/$1?noprune=1" >/dev/null
}

swap_names() { # OTHER NAME
	post "rename?name=$2-meanwhile" "$1"
	post "rename?name=$1" "$2"
	engine h1 POST "/containers/$2-meanwhile/rename?name=$2"
}

there_and_back() { # NAME
	post "rename?name=$1-meanwhile" "$1"
	engine h1 POST "/containers/$1-meanwhile/rename?name=$1"
}

write_inside() { # NAME
	local id
	id=$(engine h1 POST "/containers/$1/exec" '{"Cmd":["sh","-c","echo x >/tmp/x"],"AttachStdout":true}' | jq -r .Id)
	engine h1 POST "/exec/$id/start" '{}' >/dev/null
}

neighbour() { # NAME
	engine h1 POST "/containers/create?name=$1-2" '{"Image":"busy:1","Labels":{"drey.name":"'"$1"'"}}' >/dev/null
	engine h1 POST /networks/create "{\"Name\":\"$1-2\"}" >/dev/null
	engine h1 POST /volumes/create "{\"Name\":\"$1-2\"}" >/dev/null
}

# --- limits: `docker update`. What is set can be lowered live, what is not set can't be taken away again

drift cpu-shares 'update {"CpuShares":512}' 'update cpu_shares' 'cpu_shares: 256'
drift cpu-shares-silent 'update {"CpuShares":512}' 'replace cpu_shares'
drift memory 'update {"Memory":33554432,"MemorySwap":67108864}' 'update mem_limit memswap_limit' 'mem_limit: 64m'
drift memory-silent 'update {"Memory":33554432,"MemorySwap":67108864}' 'replace mem_limit memswap_limit'
drift swap 'update {"Memory":67108864,"MemorySwap":268435456}' 'update memswap_limit' 'mem_limit: 64m'
drift reservation 'update {"MemoryReservation":16777216}' 'update mem_reservation' 'mem_reservation: 32m'
drift reservation-silent 'update {"MemoryReservation":16777216}' 'replace mem_reservation'
drift cpus 'update {"NanoCpus":1000000000}' 'update cpus' 'cpus: 0.5'
drift cpus-silent 'update {"NanoCpus":1000000000}' 'replace cpus'
drift quota 'update {"CpuQuota":40000}' 'update cpu_quota' 'cpu_quota: 50ms' 'cpu_period: 100ms'
drift quota-silent 'update {"CpuQuota":40000,"CpuPeriod":80000}' 'replace cpu_period cpu_quota'
drift cpuset 'update {"CpusetCpus":"0"}' 'replace cpuset'
drift cpuset-mems 'update {"CpusetMems":"0"}' 'replace cpuset_mems'
drift pids 'update {"PidsLimit":50}' 'update pids_limit' 'pids_limit: 100'
drift pids-silent 'update {"PidsLimit":50}' 'update pids_limit'
drift pids-off 'update {"PidsLimit":-1}' 'update pids_limit' 'pids_limit: 100'
drift restart 'update {"RestartPolicy":{"Name":"no"}}' 'update restart' 'restart: always'
drift restart-silent 'update {"RestartPolicy":{"Name":"always"}}' 'update restart'
drift restart-count 'update {"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":5}}' 'update restart' \
	'restart: on-failure:3'
drift restart-running 'update {"RestartPolicy":{"Name":"unless-stopped"}}' 'update restart' 'restart: always' 'state: running'
drift limits-together 'update {"CpuShares":300,"PidsLimit":7,"RestartPolicy":{"Name":"always"}}' \
	'replace cpu_shares pids_limit restart'

# --- states and names

drift stopped 'post stop?t=1' 'update state' 'state: running'
drift killed 'post kill' 'update state' 'state: running'
drift paused 'post pause' 'update state' 'state: running'
drift started 'post start' 'update state'
drift unpaused 'post unpause' 'update state' 'state: paused'
drift made-not-started 'anew_unstarted' 'update state' 'state: running'
# No field says so: it would be gone at its next stop.
drift removes-itself 'anew .HostConfig.AutoRemove=true' 'replace' 'state: running'
drift removed 'gone' 'create' 'state: running'
drift renamed 'post rename?name=somebody' 'update container_name'
drift renamed-running 'post rename?name=somebody-else' 'update container_name' 'state: running'
drift left '' 'update container_name'
drift right 'swap_names left' 'update container_name'
drift stopped-and-limited 'stop_and_limit' 'update pids_limit state' 'state: running' 'pids_limit: 100'
stop_and_limit() { # NAME
	post 'stop?t=1' "$1"
	update '{"PidsLimit":10}' "$1"
}

# --- made anew by hand, or by a tool that knows of images and labels: the process

drift env-added 'anew .Env+=["NEW=1"]' 'replace environment.NEW'
drift env-changed 'anew .Env|=map(sub("^MODE=.*";"MODE=other"))' 'replace environment.MODE' 'environment: { MODE: plain }'
drift env-removed 'anew .Env|=map(select(startswith("MODE=")|not))' 'replace environment.MODE' 'environment: { MODE: plain }'
drift env-of-image 'anew .Env|=map(sub("^IMAGE_VERSION=.*";"IMAGE_VERSION=9"))' 'replace environment.IMAGE_VERSION'
drift env-order 'anew .Env|=reverse' 'keep' 'environment: { A: "1", B: "2", C: "3" }'
drift label-added 'anew .Labels.new="1"' 'replace labels.new'
drift label-changed 'anew .Labels.tier="back"' 'replace labels.tier' 'labels: { tier: front }'
drift label-removed 'anew del(.Labels.tier)' 'replace labels.tier' 'labels: { tier: front }'
drift label-of-image 'anew .Labels.version="9"' 'replace labels.version'
drift command 'anew .Cmd=["sleep","9"]' 'replace command'
drift command-order 'anew .Cmd|=reverse' 'replace command' 'command: [forever, now]'
drift entrypoint 'anew .Entrypoint=["/bin/env"]' 'replace entrypoint'
drift entrypoint-removed 'anew .Entrypoint=null' 'replace entrypoint' 'entrypoint: [/bin/env]' 'command: [forever]'
drift user 'anew .User="1000"' 'replace user'
drift group 'anew .HostConfig.GroupAdd=["101"]' 'replace group_add[101]'
drift directory 'anew .WorkingDir="/tmp"' 'replace working_dir'
drift hostname 'anew .Hostname="other"' 'replace hostname' 'hostname: web'
drift hostname-silent 'anew .Hostname="other"' 'replace hostname'
drift domainname 'anew .Domainname="example.org"' 'replace domainname'
drift tty 'anew .Tty=true' 'replace tty'
drift stdin 'anew .OpenStdin=true' 'replace stdin_open'
drift signal 'anew .StopSignal="SIGINT"' 'replace stop_signal'
drift signal-spelt 'anew .StopSignal="15"' 'keep'
drift grace 'anew .StopTimeout=3' 'replace stop_grace_period' 'stop_grace_period: 20s'
drift grace-silent 'anew .StopTimeout=3' 'replace stop_grace_period'
drift init 'anew .HostConfig.Init=false' 'replace init' 'init: true'
drift health-added 'anew .Healthcheck={"Test":["CMD","false"]}' 'replace healthcheck.test'
drift health-changed 'anew .Healthcheck.Interval=9000000000' 'replace healthcheck.interval' \
	'healthcheck: { test: [CMD, "true"], interval: 5s }'
drift health-removed 'anew del(.Healthcheck)' 'replace healthcheck.test' 'healthcheck: { test: [CMD, "true"] }'
drift health-of-image 'anew .Healthcheck.Retries=9' 'replace healthcheck.retries' 'image: healthy:1'
drift health-off 'anew .Healthcheck={"Test":["NONE"]}' \
	'replace healthcheck.interval healthcheck.retries healthcheck.test' 'image: healthy:1'
drift health-none 'anew .Healthcheck={"Test":["NONE"]}' 'keep'
drift log-option 'anew .HostConfig.LogConfig.Config["max-size"]="1m"' 'replace logging.options.max-size' \
	'logging: { driver: json-file, options: { max-size: 10m } }'
drift log-driver 'anew .HostConfig.LogConfig={"Type":"none","Config":{}}' \
	'replace logging.driver logging.options.max-size' 'logging: { driver: json-file, options: { max-size: 10m } }'
since 43 drift annotation 'anew .HostConfig.Annotations={"note":"x"}' 'replace annotations.note'

# --- ports and addresses

drift port-added 'anew .HostConfig.PortBindings={"81/tcp":[{"HostPort":"8881"}]}|.ExposedPorts={"81/tcp":{}}' \
	'replace expose[81/tcp] ports[8881:81]'
drift port-changed 'anew .HostConfig.PortBindings["80/tcp"][0].HostPort="8883"' 'replace ports[8882:80] ports[8883:80]' \
	'ports: ["8882:80"]'
drift port-removed 'anew .HostConfig.PortBindings={}' 'replace ports[8884:80]' 'ports: ["8884:80"]'
drift port-address 'anew .HostConfig.PortBindings["80/tcp"][0].HostIp="127.0.0.1"' \
	'replace ports[127.0.0.1:8885:80] ports[8885:80]' 'ports: ["8885:80"]'
drift exposed 'anew .ExposedPorts={"90/udp":{}}' 'replace expose[90/udp]'
drift host-line 'anew .HostConfig.ExtraHosts=["db:10.0.0.9"]' 'replace extra_hosts[db:10.0.0.7] extra_hosts[db:10.0.0.9]' \
	'extra_hosts: ["db:10.0.0.7"]'
drift name-server 'anew .HostConfig.Dns=["10.0.0.53"]' 'replace dns'
drift name-search 'anew .HostConfig.DnsSearch=["example.org"]' 'replace dns_search'
drift name-option 'anew .HostConfig.DnsOptions=["ndots:4"]' 'replace dns_opt[ndots:4]'
drift mode-host 'anew .HostConfig.NetworkMode="host"' 'replace network_mode networks.bridge'
drift mode-none 'anew .HostConfig.NetworkMode="none"' 'replace network_mode networks.bridge'

# --- storage, limits and rights of a container made anew

volume data
volume other
drift bind-added 'anew .HostConfig.Binds=["/srv:/srv"]' 'replace volumes[/srv:/srv]'
drift bind-writable 'anew .HostConfig.Mounts=null|.HostConfig.Binds=["/srv:/srv"]' 'replace volumes[/srv:/srv:ro].read_only' \
	'volumes: ["/srv:/srv:ro"]'
drift bind-source 'anew .HostConfig.Mounts=null|.HostConfig.Binds=["/home:/srv"]' 'replace volumes[/srv:/srv].source' \
	'volumes: ["/srv:/srv"]'
drift bind-spelt 'anew .HostConfig.Mounts=null|.HostConfig.Binds=["/srv:/srv:rw"]' 'keep' 'volumes: ["/srv:/srv"]'
drift mount-removed 'anew .HostConfig.Mounts=null' 'replace volumes[data:/data]' 'volumes: ["data:/data"]'
drift mount-other 'anew .HostConfig.Mounts[0].Source="other"' 'replace volumes[data:/data].source' 'volumes: ["data:/data"]'
drift mount-moved 'anew .HostConfig.Mounts[0].Target="/else"' 'replace volumes[data:/data] volumes[data:/else]' 'volumes: ["data:/data"]'
drift mount-spelt 'anew .HostConfig.Mounts=null|.HostConfig.Binds=["data:/data/"]' 'keep' 'volumes: ["data:/data"]'
drift anonymous 'anew .Volumes={"/scratch":{}}' 'replace volumes[/scratch]'
drift tmpfs 'anew .HostConfig.Tmpfs["/run"]="size=1m"' 'replace tmpfs[/run:size=16m] tmpfs[/run:size=1m]' \
	'tmpfs: ["/run:size=16m"]'
drift tmpfs-silent 'anew .HostConfig.Tmpfs={"/run":""}' 'replace tmpfs[/run]'
drift read-only 'anew .HostConfig.ReadonlyRootfs=true' 'replace read_only'
drift writable 'anew .HostConfig.ReadonlyRootfs=false' 'replace read_only' 'read_only: true'
drift shm 'anew .HostConfig.ShmSize=67108864' 'replace shm_size' 'shm_size: 128m'
drift device 'anew .HostConfig.Devices=[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"rwm"}]' \
	'replace devices[/dev/null:/dev/x]'
drift device-rights 'anew .HostConfig.Devices[0].CgroupPermissions="rwm"' 'replace devices[/dev/null:/dev/x:r].permissions' \
	'devices: ["/dev/null:/dev/x:r"]'
drift device-rule 'anew .HostConfig.DeviceCgroupRules=["c 1:3 r"]' 'replace device_cgroup_rules'
drift oom-score 'anew .HostConfig.OomScoreAdj=100' 'replace oom_score_adj'
drift ulimit 'anew .HostConfig.Ulimits=[{"Name":"nofile","Soft":99,"Hard":2048}]' 'replace ulimits.nofile.soft' \
	'ulimits: { nofile: { soft: 1024, hard: 2048 } }'
drift cgroup-parent 'anew .HostConfig.CgroupParent="/elsewhere"' 'replace cgroup_parent'
drift privileged 'anew .HostConfig.Privileged=true' 'replace privileged'
drift capability 'anew .HostConfig.CapAdd=["SYS_TIME"]' 'replace cap_add[CAP_SYS_TIME]'
drift capability-removed 'anew .HostConfig.CapDrop=null' 'replace cap_drop[CAP_MKNOD]' 'cap_drop: [MKNOD]'
drift capability-spelt 'anew .HostConfig.CapAdd=["cap_net_admin"]' 'keep' 'cap_add: [NET_ADMIN]'
drift privileges 'anew .HostConfig.SecurityOpt=null' 'replace security_opt[no-new-privileges:true]' \
	'security_opt: [no-new-privileges]'
drift seccomp 'anew .HostConfig.SecurityOpt=["seccomp=unconfined"]' 'replace security_opt[seccomp=unconfined]'
drift sysctl 'anew .HostConfig.Sysctls["net.ipv4.tcp_syncookies"]="1"' 'replace sysctls.net.ipv4.tcp_syncookies' \
	'sysctls: { net.ipv4.tcp_syncookies: "0" }'
drift ipc 'anew .HostConfig.IpcMode="host"' 'replace ipc' 'ipc: private'
drift pid 'anew .HostConfig.PidMode="host"' 'replace pid'
drift uts 'anew .HostConfig.UTSMode="host"' 'replace uts'
drift userns 'anew .HostConfig.UsernsMode="host"' 'replace userns_mode'
drift many 'anew .Env+=["X=1"]|.User="7"|.HostConfig.CapAdd=["ALL"]|.Tty=true' \
	'replace cap_add[ALL] environment.X tty user'

# --- networks and what is on them

network front
network back
network fixed 'ipam: { config: [{ subnet: 10.91.1.0/24 }] }'
drift detached 'detach front' 'update networks.front' 'networks: [front, back]'
drift detached-running 'detach back' 'update networks.back' 'networks: [front, back]' 'state: running'
drift attached 'attach back {}' 'update networks.back' 'networks: [front]'
drift attached-bridge 'attach bridge {}' 'update networks.bridge' 'networks: [front]'
drift alias-added 'reattach front {"Aliases":["www","other"]}' 'update networks.front.aliases[other]' \
	'networks: { front: { aliases: [www] } }'
drift alias-removed 'reattach front {}' 'update networks.front.aliases[www]' 'networks: { front: { aliases: [www] } }' \
	'state: running'
drift address 'reattach fixed {"IPAMConfig":{"IPv4Address":"10.91.1.9"}}' 'update networks.fixed.ipv4_address' \
	'networks: { fixed: { ipv4_address: 10.91.1.8 } }'
drift address-removed 'reattach fixed {}' 'update networks.fixed.ipv4_address' \
	'networks: { fixed: { ipv4_address: 10.91.1.7 } }' 'state: running'
drift reattached 'reattach front {}' 'keep' 'networks: [front]' 'state: running'

network label 'labels: { tier: front }'
drift network-label 'network_anew label .Labels.tier="back"' 'update networks.label' 'networks: [label]'
shows Network/label replace labels.tier
network subnet 'ipam: { config: [{ subnet: 10.91.2.0/24 }] }'
drift network-subnet 'network_anew subnet .IPAM.Config=[{"Subnet":"10.91.3.0/24"}]' 'update networks.subnet' 'networks: [subnet]'
shows Network/subnet replace 'ipam.config[10.91.2.0/24]' 'ipam.config[10.91.3.0/24]'
network inside
drift network-internal 'network_anew inside .Internal=true' 'update networks.inside' 'networks: [inside]'
shows Network/inside replace internal
network option 'driver_opts: { com.docker.network.driver.mtu: "1400" }'
drift network-option 'network_anew option .Options["com.docker.network.driver.mtu"]="1300"' 'update networks.option' \
	'networks: [option]' 'state: running'
shows Network/option replace driver_opts.com.docker.network.driver.mtu
network same
drift network-same 'network_anew same .' 'update networks.same' 'networks: { same: { aliases: [www] } }' 'state: running'
network lost
drift network-lost 'network_gone lost' 'update networks.lost' 'networks: [lost]'
shows Network/lost create
network below 'ipam: { config: [{ subnet: 10.91.4.0/24 }] }'
drift network-below 'network_gone_below below' 'update networks.below state' \
	'networks: { below: { aliases: [www], ipv4_address: 10.91.4.7 } }' 'state: running'
shows Network/below create
# One that never ran has not been on it: it follows, and nothing of its own differs.
network before
drift network-before 'network_gone_before before' 'update' 'networks: [before]'
shows Network/before create

# --- volumes and images

volume vanished
drift volume-vanished 'volume_gone vanished' 'create' 'volumes: ["vanished:/data"]'
shows Volume/vanished create
for tag in moved:1 lost:1; do
	retag busy:1 "$tag" ''
done
drift tag-moved 'retag busy:2 moved:1' 'replace environment.IMAGE_VERSION image labels.version' 'image: moved:1'
drift tag-lost 'untag lost:1' 'keep' 'image: lost:1'
drift tag-running 'post restart?t=1' 'keep' 'image: lost:1' 'state: running'
drift image-other 'anew .Image="busy:2"' 'replace image'

# --- what is no difference at all

drift restarted 'post restart?t=1' 'keep' 'state: running'
drift same-limits 'update {"Memory":67108864,"MemorySwap":134217728,"CpuShares":256}' 'keep' 'mem_limit: 64m' 'cpu_shares: 256'
drift made-anew 'anew .' 'keep' 'state: running' 'environment: { A: "1" }' 'volumes: ["data:/data"]' 'ports: ["8886:80"]'
drift there-and-back 'there_and_back' 'keep'
drift written-inside 'write_inside' 'keep' 'state: running'
drift neighbour 'neighbour' 'keep'
drift log-silent 'anew .HostConfig.LogConfig={"Type":"none","Config":{}}' 'keep'
drift ulimit-silent 'anew .HostConfig.Ulimits=[{"Name":"nofile","Soft":99,"Hard":2048}]' 'keep'

[ "$count" -ge 60 ] || fail "only $count changes"

step "$count containers are made"
apply 0 "$m"
diff_exits 0 "$m"

change() { # NAME CHANGE
	local command rest words
	read -r command rest <<<"$2"
	case $command in
	anew | update) words=("$rest") ;;
	*) read -ra words <<<"$rest" ;;
	esac
	"$command" "${words[@]}" "$1"
}

finish_changes() {
	local i
	for i in "${!running[@]}"; do
		wait "${running[i]}" || fail "${names[i]}: \"${changes[i]}\" failed: $(<"$WORK/change-$i")"
	done
	running=()
}

# Several at a time: most of it is waiting for the engine.
step 'each is changed'
running=()
for i in "${!names[@]}"; do
	[ -n "${changes[i]}" ] || continue
	change "${names[i]}" "${changes[i]}" >"$WORK/change-$i" 2>&1 &
	running[i]=$!
	[ "${#running[@]}" -lt 6 ] || finish_changes
done
finish_changes

step 'exactly those differences show'
diff_exits 1 "$m" -o json
jq -r '.hosts[].actions[] | select(.verdict != "keep" or .warning) | [.kind + "/" + .name, .verdict]
	+ ([.changes[].path] | sort) | join(" ")' stdout | LC_ALL=C sort >shown
LC_ALL=C sort -o expected expected
diff -u expected shown || fail "the differences are not those"

step 'and are healed'
apply 0 "$m"
diff_exits 0 "$m"
step 'done'
