#!/bin/bash
# The largest datagram a path takes: a router in a namespace of its own, whose way on takes less than
# the ground's interface, then less still in mid-transfer, then not even an opener, then more. What
# the router says of it (ICMP) is not listened to. Needs root and iproute2; without them it says so
# and is skipped.

# shellcheck source=tests/e2e/lib.sh
source "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

tag=sfmtu$$
namespaces=("$tag-g" "$tag-r" "$tag-s")

# shellcheck source=tests/e2e/namespaces.sh
source "${srcdir:-$(dirname "$0")/../..}/tests/e2e/namespaces.sh"

# wire A B NET: a cable between two namespaces, .1 at A and .2 at B, that takes 9,000 bytes.
wire() {
    ip link add "w-$2" netns "$tag-$1" mtu 9000 type veth peer name "w-$1" netns "$tag-$2" mtu 9000 &&
        ip -n "$tag-$1" addr add "10.$3.1/24" dev "w-$2" &&
        ip -n "$tag-$2" addr add "10.$3.2/24" dev "w-$1" &&
        ip -n "$tag-$1" link set "w-$2" mtu 9000 up && ip -n "$tag-$2" link set "w-$1" mtu 9000 up
}

# takes BYTES: the router's way on to the satellite takes so much from now on.
takes() {
    ip -n "$tag-r" link set w-s mtu "$1"
}

# wire6 A B NET: the same cable with IPv6 addresses.
wire6() {
    ip -n "$tag-$1" -6 addr add "fd09:$3::1/64" dev "w-$2" nodad &&
        ip -n "$tag-$2" -6 addr add "fd09:$3::2/64" dev "w-$1" nodad
}

build_path6() {
    wire6 g r 1 && wire6 r s 2 &&
        ip -n "$tag-g" -6 route add fd09:2::/64 via fd09:1::2 &&
        ip -n "$tag-s" -6 route add fd09:1::/64 via fd09:2::1 &&
        ip netns exec "$tag-r" sysctl -qw net.ipv6.conf.all.forwarding=1
}

build_path() {
    local name
    for name in "${namespaces[@]}"; do
        ip netns add "$name" && ip -n "$name" link set lo up || return 1
    done
    wire g r 9.1 && wire r s 9.2 &&
        ip -n "$tag-g" route add 10.9.2.0/24 via 10.9.1.2 &&
        ip -n "$tag-s" route add 10.9.1.0/24 via 10.9.2.1 &&
        ip netns exec "$tag-r" sysctl -qw net.ipv4.ip_forward=1 && takes 4000
}
build_path 2>"$work/path" || give_up "no namespaces can be made here: $(tail -n 1 "$work/path")"

# start_in NAMESPACE NODE
start_in() {
    ip netns exec "$tag-$1" "$build/skyferryd" --home "$work/$2" --listen "[::]:7272" \
        >>"$work/$2.log" 2>&1 &
    pids[$2]=$!
    check "the daemon of $2 runs" within 30 answers "$2"
}

# link FIELD: what the ground says of its link to the satellite.
link() {
    cli ground peer list --json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["peers"][0]["link"][sys.argv[1]])' "$1"
}

# found LEAST MOST: datagrams of a size between them are sent.
found() {
    local bytes
    bytes=$(link mtu_bytes)
    [[ $bytes =~ ^[0-9]+$ ]] && ((bytes >= $1 && bytes <= $2))
}
is_narrow() { [[ $(link is_narrow) == True ]]; }

make_node ground
make_node sat
cli ground peer add sat --card "$work/sat.card" --endpoint 10.9.2.2:7272 --rate 16Mbit 2>/dev/null
cli sat peer add ground --card "$work/ground.card" --endpoint 10.9.1.1:7272 --rate 16Mbit 2>/dev/null
start_in g ground
start_in s sat
head -c 24000000 /dev/urandom >"$work/model.bin"
id=$(cli ground send "$work/model.bin" --to sat 2>/dev/null)

check "a path of 4,000 bytes is found behind an interface of 9,000" within 20 found 3900 4000
takes 1300
check "it shrinks to 1,300 in mid-transfer, and that is found" within 20 found 1270 1300
before=$(link data_bytes_out)
resent=$(link resent_bytes_out)
sleep 1
# Of a second at 16 Mbit/s at least half goes into what is new.
check "and bulk goes on" test \
    $(($(link data_bytes_out) - before - ($(link resent_bytes_out) - resent))) -gt 500000
check "it is not there yet" is_state ground "$id" custody
takes 1000
check "a path that takes no datagrams of 1,200 bytes is said to be narrow" within 20 is_narrow
check "in the list of peers" cli ground peer list
says narrow || fail "the list does not say narrow"
check "and in the log" grep -q "takes no datagrams of 1,200 bytes" "$work/ground.log"
takes 1500
check "when it takes 1,500 the transfer ends" cli ground status "$id" --wait
check "what arrived is what was sent" same "$work/model.bin" "$work/sat/inbox/ground/model.bin"

# The ground's own interface takes less: the kernel says so, and no round trip is lost with it.
ip -n "$tag-g" link set w-r mtu 1280
head -c 3000000 /dev/urandom >"$work/second.bin"
id=$(cli ground send "$work/second.bin" --to sat 2>/dev/null)
check "behind an interface of 1,280 bytes a second file arrives" cli ground status "$id" --wait
check "whole" same "$work/second.bin" "$work/sat/inbox/ground/second.bin"
check "in datagrams that fit" found 1228 1280

# The same over IPv6, which has larger heads.
ip -n "$tag-g" link set w-r mtu 9000
takes 1400
if build_path6 2>"$work/path6"; then
    check "the peer is given an IPv6 endpoint" cli ground peer add sat --endpoint "[fd09:2::2]:7272"
    # And the other way round: bulk goes to where the peer speaks from.
    cli sat peer add ground --endpoint "[fd09:1::1]:7272" 2>/dev/null
    head -c 6000000 /dev/urandom >"$work/third.bin"
    id=$(cli ground send "$work/third.bin" --to sat 2>/dev/null)
    check "over IPv6 the size is found as well" within 20 found 1370 1400
    check "and a third file arrives" cli ground status "$id" --wait
    check "whole, too" same "$work/third.bin" "$work/sat/inbox/ground/third.bin"
else
    skip "no IPv6 can be had here: $(tail -n 1 "$work/path6")"
fi

leave
