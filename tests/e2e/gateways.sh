#!/bin/bash
# One satellite, three ground stations: the same transfer goes through three
# gateways in turn, each a namespace that only routes packets and is gone after
# its contact. Needs root and iproute2; without them it says so and is skipped.

# shellcheck source=tests/e2e/lib.sh
source "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

tag=sfgw$$
namespaces=("$tag-g" "$tag-s" "$tag-1" "$tag-2" "$tag-3")

# shellcheck source=tests/e2e/namespaces.sh
source "${srcdir:-$(dirname "$0")/../..}/tests/e2e/namespaces.sh"

# wire A B NET: a cable between two namespaces, .1 at A and .2 at B.
wire() {
    ip link add "w$3-$1" netns "$tag-$1" type veth peer name "w$3-$2" netns "$tag-$2" &&
        ip -n "$tag-$1" addr add "10.$3.1/24" dev "w$3-$1" &&
        ip -n "$tag-$2" addr add "10.$3.2/24" dev "w$3-$2" &&
        ip -n "$tag-$1" link set "w$3-$1" up && ip -n "$tag-$2" link set "w$3-$2" up
}

build_sky() {
    local name i
    for name in "${namespaces[@]}"; do
        ip netns add "$name" && ip -n "$name" link set lo up || return 1
    done
    for i in 1 2 3; do
        wire g "$i" "$i.1" && wire "$i" s "$i.2" || return 1
        ip -n "$tag-g" route add "10.$i.2.0/24" via "10.$i.1.2" &&
            ip -n "$tag-s" route add "10.$i.1.0/24" via "10.$i.2.1" &&
            ip netns exec "$tag-$i" sysctl -qw net.ipv4.ip_forward=1 || return 1
    done
}
build_sky 2>"$work/sky" || give_up "no namespaces can be made here: $(tail -n 1 "$work/sky")"

# start_in NAMESPACE NODE
start_in() {
    ip netns exec "$tag-$1" "$build/skyferryd" --home "$work/$2" --listen 0.0.0.0:7272 \
        >>"$work/$2.log" 2>&1 &
    pids[$2]=$!
    check "the daemon of $2 runs" within 30 answers "$2"
}

# carried GATEWAY: bytes that came to it from the ground.
carried() {
    ip netns exec "$tag-$1" cat "/sys/class/net/w$1.1-$1/statistics/rx_bytes" 2>/dev/null
}

make_node ground
make_node sat
cli ground peer add sat --card "$work/sat.card" --rate 4Mbit 2>/dev/null
cli sat peer add ground --card "$work/ground.card" --rate 4Mbit 2>/dev/null
start_in g ground
start_in s sat

for i in 1 2 3; do
    end=$((i == 3 ? 240 : 8 * i + 6))
    echo "a contact +$((8 * i)) +$end $i 9 500000"
    echo "a range +$((8 * i)) +$end $i 9 0.001"
done >"$work/passes.ion"
head -c 7000000 /dev/urandom >"$work/model.bin"
check "the plan names a gateway for each station" cli ground contacts set sat \
    --plan "$work/passes.ion" --from 1,2,3 --to 9 \
    --gateway 1=10.1.2.2:7272,2=10.2.2.2:7272,3=10.3.2.2:7272
id=$(cli ground send "$work/model.bin" --to sat 2>/dev/null)

# past N: whether the N-th contact is over.
past() {
    cli ground contacts sat --json | /usr/bin/python3 -c 'import json, sys
contacts = json.load(sys.stdin)["peers"][0]["contacts"]
sys.exit(contacts[int(sys.argv[1]) - 1]["state"] != "past")' "$1"
}
shares=()
for i in 1 2; do
    check "contact $i comes and goes" within 60 past "$i"
    shares[i]=$(carried "$i")
    ip netns delete "$tag-$i" # whatever it knew is gone with it
    check "... and carried a share" test "${shares[i]:-0}" -gt 100000
done
check "after two gateways it is not there yet" is_state ground "$id" custody
check "through the third it is" cli ground status "$id" --wait
check "what arrived is what was sent" same "$work/model.bin" "$work/sat/inbox/ground/model.bin"
shares[3]=$(carried 3)
check "the third gateway carried the rest, and no more" test \
    $((shares[1] + shares[2] + shares[3])) -lt 9000000
# R3's bound for two handovers: each rate x (round trip + 0.5 s) and two bundles of a MiB.
resent=$(cli ground peer list --json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["peers"][0]["link"]["resent_bytes_out"])')
check "hardly anything went twice" test "$resent" -le $((2 * (500000 * 6 / 10 + 2 * 1048576)))
check "contacts name their gateways" cli ground contacts sat
says "10.2.2.2:7272" || fail "the second gateway is not shown"

leave
