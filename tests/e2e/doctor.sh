#!/bin/bash
# What the doctor says of peers: of one that answers, and of those that do not, why.
# shellcheck source=tests/e2e/lib.sh
source "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

# says_of NODE PEER TEXT...: the doctor's word on one peer holds all of these.
says_of() {
    local node=$1 peer=$2 text
    shift 2
    cli "$node" doctor --peer "$peer" >"$work/word" 2>&1
    for text in "$@"; do
        grep -qF -- "$text" "$work/word" || { cat "$work/word" && return 1; }
    done
}
is_up() { cli ground peer list --json | grep -q '"state": "up"'; }

make_node ground
make_node sat
make_node other
make_node third
introduce ground sat
introduce sat ground
check "without a daemon it tells what it can" says_of ground sat "not to be reached" "nobody listens"
start ground
check "a machine on which nobody listens is told" says_of ground sat \
    "no answer at its endpoint" "127.0.0.1:${ports[sat]}" "nobody listens on that UDP port" "start skyferryd there"
check_exit 1 "that is a failure of the one that was asked about" cli ground doctor --peer sat
check_exit 1 "so is a peer that does not exist" cli ground doctor --peer nobody
says "there is none of that name" || fail "it does not say so"
start sat
check "the peer comes up" within 30 is_up
check "then it answers" says_of ground sat "answers at 127.0.0.1:${ports[sat]}"
check_exit 0 "and all is well" cli ground doctor --peer sat

# A firewall that drops UDP, as it looks from here: the machine refuses TCP, and no datagram is answered.
silent=$(free_port)
/usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
time.sleep(120)' "$silent" &
helpers+=($!)
sleep 0.3
cli ground peer add other --card "$work/other.card" --endpoint "127.0.0.1:$silent" --endpoint "127.0.0.1:$(free_port)" \
    2>/dev/null
check "of several endpoints each is told" says_of ground other "no answer at any endpoint" \
    "127.0.0.1:$silent from 127.0.0.1" "UDP gets no answer" "nobody listens"
cli ground peer add other --endpoint "127.0.0.1:$silent" 2>/dev/null
check "a firewall that drops UDP is named" says_of ground other "a machine is there, but UDP gets no answer" \
    "a firewall that drops UDP is likely" "let it through"
cli ground peer add third --card "$work/third.card" 2>/dev/null
check "a peer that has to call is told as that" says_of ground third "has not called yet" "it must call"
cli ground doctor --json >"$work/all"
check "in the whole report a peer that does not answer is a warning" /usr/bin/python3 -c 'import json, sys
checks = {c["subject"]: c for c in json.load(open(sys.argv[1]))["checks"]}
assert checks["peer sat"]["level"] == "ok", checks["peer sat"]
assert checks["peer other"]["level"] == "warning", checks["peer other"]
assert "firewall" in checks["peer other"]["advice"]' "$work/all"

stop ground
check "and without a daemon nobody can tell whether it answers" says_of ground other "no daemon runs"
start ground

# --- Ways that lead nowhere ---------------------------------------------------

tag=sfdoc$$
lost() {
    ip netns exec "$tag" "$build/skyferry" --home "$work/ground" doctor --peer other >"$work/word" 2>&1
    grep -qF -- "$1" "$work/word" || { cat "$work/word" && return 1; }
}
if [[ $(id -u) != 0 ]] || ! command -v ip >/dev/null || ! ip netns add "$tag" 2>/dev/null; then
    skip "making network namespaces needs root and iproute2"
else
    cli ground peer add other --endpoint 10.8.1.2:7272 2>/dev/null
    check "no way there is told" lost "there is no way there"
    # A cable whose other end throws everything away.
    ip -n "$tag" link add d0 type veth peer name d1 && ip -n "$tag" addr add 10.8.0.1/24 dev d0 &&
        ip -n "$tag" link set d1 up && ip -n "$tag" link set d0 arp off up && ip -n "$tag" route add 10.8.1.0/24 dev d0
    check "a way on which everything is lost is told" lost "nothing comes back at all"
    ip -n "$tag" link set d0 mtu 1000
    check "an interface that takes too little is told" lost "takes no datagrams of 1,200 bytes"
    ip netns delete "$tag"
fi
finish
