#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What diff, apply and validate write for pipelines: YAML, Markdown, annotations; foreign text in it means nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

m=$WORK/fleet
write_host_manifests "$m"
cd "$WORK"
unset GITHUB_WORKSPACE

web() {
	write_document "$m" Container web 'image: busy:1' 'network_mode: host' 'monitor: 0s' "$@"
}

echo '# YAML: the same document as JSON'
web 'labels: { tricky: "a: b # c", empty: "" }' 'environment: { ON: "yes", "a.b": "\u2028\x7f" }'
engine h1 POST '/containers/create?name=web' '{"Image":"busy:1","Labels":{"n":"- x"}}' >/dev/null
diff_exits 1 "$m" -o json
cp "$WORK/stdout" json
diff_exits 1 "$m" -o yaml
cp "$WORK/stdout" yaml
/usr/bin/python3 - <<'END'
import json, yaml
a, b = json.load(open("json")), yaml.safe_load(open("yaml"))
assert a == b, (a, b)
END
diff_exits 2 "$m" --host h3 -o yaml
assert_contains "$WORK/stdout" 'code: "invalid"'

echo '# Markdown and annotations of a plan: refused on h1, created on h2'
diff_exits 1 fleet -o markdown
assert_contains "$WORK/stdout" '<!-- drey diff -->'
assert_contains "$WORK/stdout" '| <code>h1</code> | 0 | 0 | 0 | 0 | 1 |'
assert_contains "$WORK/stdout" '| <code>h2</code> | 1 | 0 | 0 | 0 | 0 |'
assert_contains "$WORK/stdout" '<details><summary><code>Container&#47;web</code> refuse</summary>'
diff_exits 1 ./fleet -o github
assert_contains "$WORK/stdout" "::error file=fleet/container-web.yaml,line=1,col=1,title=Container/web::refuse on h1%0Ah1: a container named 'web'"
assert_contains "$WORK/stdout" '::notice file=fleet/container-web.yaml,line=1,col=1,title=Container/web::create on h2'
assert_contains "$WORK/stdout" '::notice title=diff::1 to create'
GITHUB_WORKSPACE=$WORK diff_exits 1 "$m" -o github
assert_contains "$WORK/stdout" '::error file=fleet/container-web.yaml,'
engine h1 DELETE '/containers/web?force=1' >/dev/null

echo '# what came of it'
apply 0 fleet -o markdown
assert_contains "$WORK/stdout" '<!-- drey apply -->'
grep -qE '^- <code>Container&#47;web</code> create: <b>done</b> in [0-9.]+ s$' "$WORK/stdout" || fail 'no outcome'
web 'command: ["/nonexistent"]'
expect_exit 4 "$DREY" apply -f fleet -o github
assert_contains "$WORK/stdout" '::error title=apply::nobody can be asked here'
apply 3 fleet -o github
assert_contains "$WORK/stdout" '::error file=fleet/container-web.yaml,line=1,col=1,title=Container/web::replace on h1, h2'
assert_contains "$WORK/stdout" '/nonexistent'

echo '# a container whose labels and variables are made to be read as markup, as commands, as mentions'
evil='</code></details>\n```\n::error::evil\n@octocat [x](http://y) | <img src=z>'
web
engine h1 DELETE '/containers/web?force=1' >/dev/null
apply 0 fleet
labels=$(engine h1 GET /containers/web/json | jq --arg e "$(printf '%b' "$evil")" '.Config.Labels + {($e): $e}')
engine h1 DELETE '/containers/web?force=1' >/dev/null
engine h1 POST '/containers/create?name=web' \
	"$(jq -n --argjson l "$labels" --arg e "$(printf '%b' "$evil")" \
		'{Image: "busy:1", Labels: $l, Env: [$e + "=1", "A=" + $e], HostConfig: {NetworkMode: "none"}}')" >/dev/null
diff_exits 1 fleet -o markdown
# In the fenced blocks each line begins with the block's own sign; outside there is no sign that means anything.
awk '/^```/ { fenced = !fenced; next } fenced && !/^[-+#!] / { print "foreign line: " $0 } !fenced && /@|<img|\]\(/ { print }' \
	"$WORK/stdout" >found
assert_eq "$(<found)" ''
assert_contains "$WORK/stdout" '\x0a```\x0a::error::evil'
diff_exits 1 fleet -o github
assert_eq "$(grep -vcE '^::(error|warning|notice) (file=fleet/[a-z0-9-]+\.yaml,line=[0-9]+,col=[0-9]+,)?title=[A-Za-z/0-9]+::' "$WORK/stdout")" 0

echo '# faults of manifests'
web 'mem_limits: 1'
expect_exit 2 "$DREY" validate -f fleet -o github
assert_contains "$WORK/stdout" '::error file=fleet/container-web.yaml,line=8,col=3::spec.mem_limits: unknown field of Container; did you mean '
assert_contains "$WORK/stderr" 'container-web.yaml:8:3: error'
diff_exits 2 fleet -o github
assert_contains "$WORK/stdout" '::error file=fleet/container-web.yaml,line=8,col=3::'
diff_exits 2 fleet -o markdown
assert_contains "$WORK/stdout" '# container-web.yaml:8:3: error: spec.mem_limits'
web
expect_exit 0 "$DREY" validate -f fleet -o github
assert_contains "$WORK/stdout" '::notice title=validate::'

echo '# a host that is down'
write_document "$m" Host h2 "address: ssh://root@$H2:2222" "identity_file: $KEY" "known_hosts: $KNOWN_HOSTS"
diff_exits 3 fleet -o markdown
grep -q '^| <code>h2</code> .*<b>not planned</b>' "$WORK/stdout" || fail 'h2 is not told of'
diff_exits 3 fleet -o github
assert_contains "$WORK/stdout" '::error file=fleet/host-h2.yaml,line=1,col=1,title=Host/h2::'

echo '# a plan that no longer holds'
write_host_manifests "$m"
diff_exits 1 fleet --out plan.json
apply 0 fleet
expect_exit 4 "$DREY" apply -f fleet plan.json -o markdown
assert_contains "$WORK/stdout" '# h1: Container/web: '
expect_exit 4 "$DREY" apply -f fleet plan.json -o github
assert_contains "$WORK/stdout" '::error title=apply::h1: Container/web: '
