#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What stands between drey and an engine: host keys, logins, sockets. Each is told with its remedy, by diff and by
# doctor, and the other host is brought into step all the same.
# shellcheck disable=SC2016 # ${secret.NAME} is for drey
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/manifests
write_host_manifests "$m"
write_document "$m" Container web 'image: busy:1'
key_file=$FLEET/h1/etc/ssh/ssh_host_ed25519_key.pub
fingerprint=$(ssh-keygen -lf "$key_file" | cut -d ' ' -f 2)

# h1 LINE...: Host/h1 with these lines instead of its own, always with a known key.
h1() {
	write_document "$m" Host h1 "$@"
}

# h1_fails CODE TEXT...: diff names the host, says the texts, and shows the other host's plan; so does doctor.
h1_fails() {
	local text
	diff_exits 3 "$m"
	assert_contains "$WORK/stdout" '+ Container/web'
	assert_lacks "$WORK/stdout" h1
	assert_contains "$WORK/stderr" 'drey: h1: '
	for text; do
		assert_contains "$WORK/stderr" "$text"
	done
}

doctor_says() {
	local text
	expect_exit 3 "$DREY" doctor -f "$m" --host h1
	for text; do
		assert_contains "$WORK/stdout" "$text"
	done
}

doctor_json() {
	expect_exit 3 "$DREY" doctor -f "$m" -o json
	assert_eq "$(jq -r '.hosts[] | select(.host == "h2") | .ok' "$WORK/stdout")" true
	jq -r ".hosts[] | select(.host == \"h1\") | .checks[] | select(.finding == \"failed\") | $1" "$WORK/stdout"
}

echo '# host keys: unknown'
touch "$m/known_hosts"
h1 "address: ssh://root@$H1" "identity_file: $KEY" 'known_hosts: known_hosts'
h1_fails "$fingerprint" 'is not known' "$H1 ssh-ed25519 "
line=$(sed -n 's/.*this line: //p' "$WORK/stderr")
doctor_says 'failed   host key' "$fingerprint" "-> compare the fingerprint"
assert_eq "$(doctor_json .check)" 'host key'
assert_eq "$(doctor_json .remedy | sed 's/.*: //')" "$line"
echo "$line" >>"$m/known_hosts"
diff_exits 1 "$m"

echo '# host keys: changed'
echo "$H1 $(cut -d ' ' -f 1,2 "$FLEET/h2/etc/ssh/ssh_host_ed25519_key.pub")" >"$m/known_hosts"
h1_fails 'HAS CHANGED' "$fingerprint" "ssh-keygen -f '$m/known_hosts' -R '$H1'"
doctor_says 'failed   host key' 'HAS CHANGED'
assert_lacks "$WORK/stdout" 'add this line'

echo '# logins'
ssh-keygen -q -t ed25519 -N '' -f "$WORK/wrong_key"
h1 "address: ssh://root@$H1" "identity_file: $WORK/wrong_key" "known_hosts: $KNOWN_HOSTS"
h1_fails 'refused the login of root' "key file $WORK/wrong_key"
doctor_says 'ok       host key' 'failed   login' '-> check spec.identity_file'

echo 'correct horse' >"$m/password"
echo 'wrong horse' >"$m/wrong"
write_document "$m" Secret login 'file: wrong'
h1 "address: ssh://operator@$H1" 'password: "${secret.login}"' "known_hosts: $KNOWN_HOSTS"
h1_fails 'refused the login of operator' 'tried: password'
assert_lacks "$WORK/stderr" 'wrong horse'
doctor_says 'failed   login'
assert_lacks "$WORK/stdout" 'wrong horse'
write_document "$m" Secret login 'file: password'
diff_exits 1 "$m"
expect_exit 0 "$DREY" doctor -f "$m"

h1 "address: ssh://root@$H1" "known_hosts: $KNOWN_HOSTS"
h1_fails 'no agent runs' "set the host's identity_file or password"

echo '# sockets'
h1 "address: ssh://root@$H1" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS" 'docker_socket: /run/none.sock'
h1_fails /run/none.sock
doctor_says 'failed   socket' 'there is no socket /run/none.sock' '-> start the engine there' spec.docker_socket

h1 "address: ssh://plain@$H1" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS"
h1_fails 'usermod -aG docker plain'
doctor_says 'failed   socket' 'user plain may not use' '-> add the user to'

echo '# nobody listens, nobody is there'
h1 "address: ssh://root@$H1:2222" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS"
h1_fails 'cannot connect' 'is sshd running there'
doctor_says 'failed   connect'
h1 "address: ssh://root@host.invalid" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS"
h1_fails 'cannot find the address of host.invalid'

echo '# OpenSSH 10, whose version libssh 0.10 can not read, on a host without a Docker CLI: no command runs there'
fleet exec h1 sh -c '
	sed "s/OpenSSH_9\.[0-9]p1/OpenSSH_10.2p/g" /usr/sbin/sshd >/run/sshd10 && chmod 755 /run/sshd10 &&
	/run/sshd10 -f /etc/ssh/sshd_config -p 2210 -o PidFile=/run/sshd10.pid -o ForceCommand=/bin/false -E /run/sshd10.log'
wait_until 20 fleet exec h1 test -s /run/sshd10.pid
echo "[$H1]:2210 $(cut -d ' ' -f 1,2 "$key_file")" >"$m/known_hosts"
h1 "address: ssh://root@$H1:2210" "identity_file: $KEY" 'known_hosts: known_hosts'
expect_exit 0 "$DREY" doctor -f "$m" --host h1
assert_contains "$WORK/stdout" 'SSH-2.0-OpenSSH_10.'
diff_exits 1 "$m"
fleet exec h1 sh -c 'kill "$(cat /run/sshd10.pid)"'

echo '# an sshd that is stopped, and started again'
h1 "address: ssh://root@$H1" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS"
fleet stop h1 sshd
apply 3 "$m"
assert_contains "$WORK/stderr" 'drey: h1: '
assert_eq "$(container_field h2 web .State.Status)" running
fleet start h1 sshd
apply 0 "$m"
assert_eq "$(container_field h1 web .State.Status)" running
diff_exits 0 "$m"
