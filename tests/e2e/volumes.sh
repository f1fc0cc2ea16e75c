# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the scripts about backups; source it after lib.sh.

# volume_path VOLUME: where the engine of h1 keeps it, as this machine sees it.
volume_path() {
	host_path h1 "/var/lib/docker/volumes/$1/_data"
}

# fill_volume VOLUME: files of every kind and with every name that may give trouble.
fill_volume() (
	cd "$(volume_path "$1")" || exit
	mkdir -p empty deep/a/b/c
	echo 'the only copy' >entry
	printf 'x' >deep/a/b/c/file
	: >nothing
	chown 1000:1001 entry
	chmod 640 entry
	install -m 4755 /bin/true setuid
	mkdir -m 1777 sticky
	chown 70000:70000 sticky
	ln -s ../outside link
	ln -s entry near
	ln entry second-name
	ln deep/a/b/c/file deep/third-name
	mkfifo fifo
	echo line >$'two\nlines'
	echo latin >$'caf\xe9'
	echo utf8 >$'caf\xc3\xa9'
	echo blank >' leading and trailing '
	echo dash >-n
	echo percent >100%
	echo tab >$'a\tb\x01'
	echo long >"$(printf 'n%.0s' {1..250})"
	head -c 3000000 /dev/urandom >large
	truncate -s 5M sparse
	touch -d '1999-12-31 23:59:59 UTC' old
)

# fingerprint VOLUME: all of it that a backup keeps. Times of directories are not.
fingerprint() (
	cd "$(volume_path "$1")" || exit
	find . -mindepth 1 ! -type d -printf '%P\t%y %m %U %G %s %l %n %Ts\0' | sort -z | tr '\0\n' '\n\001'
	find . -mindepth 1 -type d -printf '%P\t%y %m %U %G\0' | sort -z | tr '\0\n' '\n\001'
	find . -type f -print0 | sort -z | xargs -0 sha256sum
	[ "$(stat -c %i entry)" = "$(stat -c %i second-name)" ] && echo 'hard links'
)

volumes() {
	engine "$1" GET /volumes | jq -r '[(.Volumes // [])[].Name] | sort | join(" ")'
}

# What backups leave behind when they end: no helper, and the empty image alone.
assert_no_helper() {
	assert_eq "$(engine "$1" GET '/containers/json?all=1' | jq -r '[.[] | select(.Labels["drey.helper"]).Names[]] | join(" ")')" ''
	assert_eq "$(engine "$1" GET /images/json | jq -r '[.[].RepoTags // [] | .[] | select(test("helper") and . != "drey-helper:empty")] | join(" ")')" ''
}
