# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The zoo: what people make on an engine without drey. zoo_make HOST fills the host with containers of every option
# that its engine takes, one each and some together, in every state, with volumes and networks of every sort.

zoo_api() {
	engine "$1" GET /version | jq -r '.ApiVersion | split(".")[1]'
}

# zoo_container HOST NAME [STATE] [BODY]: body over {"Image":"busy:1"}; STATE is running, created, exited or paused.
zoo_container() {
	local host=$1 name=$2 state=${3:-running} body=${4:-{\}} id
	body=$(jq -cn --argjson b "$body" '{Image: "busy:1", HostConfig: {NetworkMode: "none"}} * $b')
	id=$(engine "$host" POST "/containers/create?name=$name" "$body" | jq -r .Id)
	[ "$state" = created ] && return
	engine "$host" POST "/containers/$id/start" >/dev/null
	case $state in
	paused) engine "$host" POST "/containers/$id/pause" >/dev/null ;;
	exited) engine "$host" POST "/containers/$id/stop?t=5" >/dev/null ;;
	esac
}

zoo_networks() {
	local host=$1
	engine "$host" POST /networks/create '{"Name":"plain"}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"n"}' >/dev/null
	# shellcheck disable=SC2016
	engine "$host" POST /networks/create '{"Name":"unused_net","Labels":{"a":"b $c"}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"inner","Internal":true,"Attachable":true}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"pooled","Options":{"com.docker.network.driver.mtu":"1400"},
		"IPAM":{"Driver":"default","Config":[{"Subnet":"10.201.0.0/16","IPRange":"10.201.128.0/17",
		"Gateway":"10.201.0.1","AuxiliaryAddresses":{"printer":"10.201.0.9"}}]}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"no-gateway","IPAM":{"Config":[{"Subnet":"10.202.0.0/24"}]}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"six","EnableIPv6":true,"IPAM":{"Config":[
		{"Subnet":"10.203.0.0/24"},{"Subnet":"fd77:5::/64","Gateway":"fd77:5::1"}]}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"six-only","EnableIPv6":true,"IPAM":{"Config":[
		{"Subnet":"fd77:6::/64"}]}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"lan","Driver":"macvlan","Options":{"parent":"eth0"},"IPAM":{"Config":[
		{"Subnet":"10.204.0.0/24"}]}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"vlan","Driver":"ipvlan","Options":{"ipvlan_mode":"l3","parent":"eth0"},
		"IPAM":{"Config":[{"Subnet":"10.205.0.0/24"},{"Subnet":"10.206.0.0/24"}]}}' >/dev/null
	engine "$host" POST /networks/create '{"Name":"shop_default","Labels":{"com.docker.compose.network":"default",
		"com.docker.compose.project":"shop","com.docker.compose.version":"2.40.3"}}' >/dev/null
}

zoo_volumes() {
	local host=$1
	engine "$host" POST /volumes/create '{"Name":"data"}' >/dev/null
	engine "$host" POST /volumes/create '{"Name":"vv"}' >/dev/null
	engine "$host" POST /volumes/create '{"Name":"unused_vol","Labels":{"keep":"yes"}}' >/dev/null
	engine "$host" POST /volumes/create '{"Name":"small","DriverOpts":{"type":"tmpfs","device":"tmpfs","o":"size=1m"}}' \
		>/dev/null
	engine "$host" POST /volumes/create '{"Name":"shop_db","Labels":{"com.docker.compose.volume":"db",
		"com.docker.compose.project":"shop"}}' >/dev/null
}

# One option each.
zoo_options() {
	local host=$1 name option pids=() pid
	while read -r name option; do
		zoo_container "$host" "opt-$name" created "$option" &
		pids+=($!)
	done <<-'END'
		command     {"Cmd":["sleep","100 $HOME ${x} $$"]}
		entrypoint  {"Entrypoint":["/bin/sh","-c","exec sleep 100"]}
		no-entry    {"Entrypoint":[""],"Cmd":["forever"]}
		env         {"Env":["A=1","EMPTY=","MULTI=a\nb","QUOTE=\"'#: ${not}","DB_PASSWORD=hunter2","UNICODE=åäö"]}
		labels      {"Labels":{"com.example.a":"1","empty":"","yes":"no"}}
		user        {"User":"1000:1000"}
		groups      {"HostConfig":{"GroupAdd":["101","audio"]}}
		workdir     {"WorkingDir":"/tmp/../var"}
		hostname    {"Hostname":"some-host","Domainname":"example.com"}
		under       {"Hostname":"under_score"}
		tty         {"Tty":true,"OpenStdin":true,"StdinOnce":true,"AttachStdout":true}
		signal      {"StopSignal":"9","StopTimeout":33}
		no-timeout  {"StopTimeout":0}
		init        {"HostConfig":{"Init":true}}
		no-init     {"HostConfig":{"Init":false}}
		always      {"HostConfig":{"RestartPolicy":{"Name":"unless-stopped"}}}
		failure     {"HostConfig":{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}}}
		failure-0   {"HostConfig":{"RestartPolicy":{"Name":"on-failure"}}}
		health      {"Healthcheck":{"Test":["CMD-SHELL","test -e /"],"Interval":5000000000,"Timeout":2000000000,"Retries":2}}
		health-part {"Healthcheck":{"Interval":7000000000}}
		no-health   {"Image":"healthy:1","Healthcheck":{"Test":["NONE"]}}
		health-img  {"Image":"healthy:1","Healthcheck":{"Retries":9}}
		log-none    {"HostConfig":{"LogConfig":{"Type":"none"}}}
		log-opts    {"HostConfig":{"LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}}}}
		log-local   {"HostConfig":{"LogConfig":{"Type":"local"}}}
		expose      {"ExposedPorts":{"9000/tcp":{},"9001/udp":{}}}
		ports       {"ExposedPorts":{"80/tcp":{},"81/tcp":{},"53/udp":{}},"HostConfig":{"NetworkMode":"bridge","PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"18080"},{"HostPort":"18081"}],"53/udp":[{"HostPort":"0"}],"81/tcp":[{}]}}}
		port-range  {"ExposedPorts":{"82/tcp":{},"83/tcp":{},"84/tcp":{}},"HostConfig":{"NetworkMode":"bridge","PortBindings":{"82/tcp":[{"HostPort":"19000-19010"}],"83/tcp":[{"HostIp":"0.0.0.0","HostPort":"18083"}],"84/tcp":[{"HostIp":"::","HostPort":"18084"}]}}}
		hosts       {"HostConfig":{"NetworkMode":"bridge","ExtraHosts":["db:10.0.0.7","gw:host-gateway","six:fd00::1"]}}
		dns         {"HostConfig":{"NetworkMode":"bridge","Dns":["10.0.0.53"],"DnsSearch":["example.com"],"DnsOptions":["ndots:2"]}}
		bind        {"HostConfig":{"Binds":["/srv:/srv:ro","/tmp:/x/../y","/opt:/opt:rw,rslave"]}}
		bind-mount  {"HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv","Target":"/srv","ReadOnly":true,"BindOptions":{"Propagation":"rshared"}}]}}
		volume      {"HostConfig":{"Binds":["data:/data","vv:/v:ro,nocopy"]}}
		vol-mount   {"HostConfig":{"Mounts":[{"Type":"volume","Source":"data","Target":"/data/","VolumeOptions":{"NoCopy":true}}]}}
		anonymous   {"Volumes":{"/anon":{}},"HostConfig":{"Mounts":[{"Type":"volume","Target":"/anon2"}]}}
		tmpfs       {"HostConfig":{"Tmpfs":{"/run":"size=16m,mode=755,noexec","/x":""}}}
		tmpfs-mount {"HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1048576,"Mode":1023}}]}}
		read-only   {"HostConfig":{"ReadonlyRootfs":true}}
		shm         {"HostConfig":{"ShmSize":134217728}}
		devices     {"HostConfig":{"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/nothing","CgroupPermissions":"r"}],"DeviceCgroupRules":["c 1:3 mr"]}}
		memory      {"HostConfig":{"Memory":67108864,"MemoryReservation":33554432}}
		swap        {"HostConfig":{"Memory":67108864,"MemorySwap":-1}}
		swap-3      {"HostConfig":{"Memory":67108864,"MemorySwap":201326592,"MemorySwappiness":10}}
		oom         {"HostConfig":{"OomKillDisable":true,"OomScoreAdj":500}}
		oom-memory  {"HostConfig":{"OomKillDisable":true,"Memory":67108864}}
		cpus        {"HostConfig":{"NanoCpus":500000000,"CpuShares":512,"CpusetCpus":"0","CpusetMems":"0"}}
		quota       {"HostConfig":{"CpuPeriod":100000,"CpuQuota":50000}}
		pids        {"HostConfig":{"PidsLimit":100}}
		no-pids     {"HostConfig":{"PidsLimit":-1}}
		blkio       {"HostConfig":{"BlkioDeviceReadBps":[{"Path":"/dev/null","Rate":1048576}]}}
		ulimits     {"HostConfig":{"Ulimits":[{"Name":"nofile","Soft":1024,"Hard":2048},{"Name":"nproc","Soft":512,"Hard":512}]}}
		cgroup      {"HostConfig":{"CgroupParent":"/zoo","CgroupnsMode":"private"}}
		privileged  {"HostConfig":{"Privileged":true}}
		caps        {"HostConfig":{"CapAdd":["net_admin","CAP_SYS_TIME"],"CapDrop":["ALL"]}}
		security    {"HostConfig":{"SecurityOpt":["no-new-privileges","apparmor=unconfined","seccomp=unconfined"]}}
		sysctls     {"HostConfig":{"NetworkMode":"bridge","Sysctls":{"net.ipv4.tcp_syncookies":"0"}}}
		ipc         {"HostConfig":{"IpcMode":"shareable"}}
		ipc-host    {"HostConfig":{"IpcMode":"host","PidMode":"host","UTSMode":"host"}}
		host-net    {"HostConfig":{"NetworkMode":"host","PortBindings":{"80/tcp":[{"HostPort":"80"}]}}}
		paths       {"HostConfig":{"MaskedPaths":[],"ReadonlyPaths":[]}}
		publish-all {"Image":"web:1","HostConfig":{"NetworkMode":"bridge","PublishAllPorts":true}}
	END
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}

# On networks, and sharing with each other.
zoo_company() {
	local host=$1 api
	api=$(zoo_api "$host")
	zoo_container "$host" web running '{"Image":"web:1","HostConfig":{"NetworkMode":"plain"},
		"NetworkingConfig":{"EndpointsConfig":{"plain":{"Aliases":["www","front"]}}}}'
	engine "$host" POST /networks/inner/connect '{"Container":"web","EndpointConfig":{"Aliases":["inner-web"]}}' >/dev/null
	engine "$host" POST /networks/bridge/connect '{"Container":"web"}' >/dev/null
	zoo_container "$host" fixed running '{"HostConfig":{"NetworkMode":"pooled"},
		"NetworkingConfig":{"EndpointsConfig":{"pooled":{"IPAMConfig":{"IPv4Address":"10.201.0.77"}}}}}'
	zoo_container "$host" six running '{"HostConfig":{"NetworkMode":"six"},"NetworkingConfig":{"EndpointsConfig":{"six":
		{"IPAMConfig":{"IPv4Address":"10.203.0.9","IPv6Address":"fd77:5:0:0::9"}}}}}'
	zoo_container "$host" mac running '{"MacAddress":"02:42:AC:11:00:09","HostConfig":{"NetworkMode":"n"}}'
	zoo_container "$host" by-id running '{"HostConfig":{"NetworkMode":"'"$(engine "$host" GET /networks/plain | jq -r .Id)"'"}}'
	zoo_container "$host" bridge running '{"HostConfig":{"NetworkMode":"default"}}'
	zoo_container "$host" stopped-net exited '{"HostConfig":{"NetworkMode":"plain"}}'
	zoo_container "$host" macvlan created '{"HostConfig":{"NetworkMode":"lan"}}'
	zoo_container "$host" lonely running '{"HostConfig":{"NetworkMode":"plain"}}'
	engine "$host" POST /networks/plain/disconnect '{"Container":"lonely"}' >/dev/null
	zoo_container "$host" shares-net running '{"HostConfig":{"NetworkMode":"container:web"}}'
	zoo_container "$host" shareable running '{"HostConfig":{"IpcMode":"shareable"}}'
	zoo_container "$host" shares-ipc running '{"HostConfig":{"IpcMode":"container:shareable","PidMode":"container:shareable"}}'
	zoo_container "$host" from running '{"HostConfig":{"VolumesFrom":["opt-volume"]}}'
	zoo_container "$host" links running '{"HostConfig":{"NetworkMode":"bridge","Links":["bridge:other"]}}'
	zoo_container "$host" shop-web-1 running '{"Image":"web:1","Env":["X=1"],"Labels":{"com.docker.compose.project":"shop",
		"com.docker.compose.service":"web","com.docker.compose.container-number":"1","com.docker.compose.oneoff":"False",
		"com.docker.compose.config-hash":"abc","com.docker.compose.depends_on":"db:service_started:false","mine":"yes"},
		"HostConfig":{"NetworkMode":"shop_default","RestartPolicy":{"Name":"always"}},
		"NetworkingConfig":{"EndpointsConfig":{"shop_default":{"Aliases":["shop-web-1","web"]}}}}'
	zoo_container "$host" shop-db-1 running '{"Labels":{"com.docker.compose.project":"shop",
		"com.docker.compose.service":"db"},"HostConfig":{"NetworkMode":"shop_default","Binds":["shop_db:/var/lib/db"]},
		"NetworkingConfig":{"EndpointsConfig":{"shop_default":{"Aliases":["shop-db-1","db"]}}}}'
	if [ "$api" -ge 44 ]; then
		zoo_container "$host" two running '{"HostConfig":{"NetworkMode":"plain"},"NetworkingConfig":{"EndpointsConfig":{
			"plain":{"MacAddress":"02:42:ac:12:00:44"},"inner":{"Aliases":["i"]}}}}'
		zoo_container "$host" annotated created '{"HostConfig":{"Annotations":{"com.example.note":"x"}}}'
		zoo_container "$host" start-interval created '{"Healthcheck":{"Test":["CMD","true"],"StartPeriod":5000000000,
			"StartInterval":1000000000}}'
	fi
	[ "$api" -lt 45 ] || zoo_container "$host" subpath created '{"HostConfig":{"Mounts":[{"Type":"volume","Source":"data",
		"Target":"/d","VolumeOptions":{"Subpath":"sub"}}]}}'
	[ "$api" -lt 48 ] || zoo_container "$host" gateway running '{"HostConfig":{"NetworkMode":"plain"},"NetworkingConfig":{
		"EndpointsConfig":{"plain":{"GwPriority":7}}}}'
}

# In every state, and with every sort of name and image.
zoo_states() {
	local host=$1 id
	zoo_container "$host" up running
	zoo_container "$host" paused paused
	zoo_container "$host" halted exited '{"HostConfig":{"RestartPolicy":{"Name":"unless-stopped"}}}'
	zoo_container "$host" done-0 running '{"Image":"oneshot:1"}'
	zoo_container "$host" done-3 running '{"Image":"oneshot:fails"}'
	zoo_container "$host" crashing running '{"Image":"oneshot:fails","HostConfig":{"RestartPolicy":{"Name":"always"}}}'
	zoo_container "$host" x1 created
	zoo_container "$host" UPPER.lower_-9 created
	zoo_container "$host" "$(printf 'long%.0s' {1..40})" created
	zoo_container "$host" once created '{"HostConfig":{"AutoRemove":true}}'
	zoo_container "$host" keeper.drey-old created
	id=$(engine "$host" GET /images/busy:2/json | jq -r .Id)
	zoo_container "$host" by-image-id created "{\"Image\":\"$id\"}"
	id=${id#sha256:}
	zoo_container "$host" by-short-id created "{\"Image\":\"${id:0:12}\"}"
	engine "$host" POST '/images/busy:1/tag?repo=moving&tag=1' >/dev/null
	zoo_container "$host" moved running '{"Image":"moving:1"}'
	engine "$host" POST '/images/busy:2/tag?repo=moving&tag=1' >/dev/null
	engine "$host" POST '/images/busy:2/tag?repo=untagged&tag=1' >/dev/null
	zoo_container "$host" untagged running '{"Image":"untagged:1"}'
	engine "$host" DELETE '/images/untagged:1' >/dev/null
	wait_until 20 zoo_has_ended "$host" done-0
	wait_until 20 zoo_has_ended "$host" done-3
}

zoo_has_ended() {
	[ "$(container_field "$1" "$2" .State.Status)" = exited ]
}

zoo_make() {
	zoo_networks "$1"
	zoo_volumes "$1"
	zoo_options "$1"
	zoo_company "$1"
	zoo_states "$1"
}
