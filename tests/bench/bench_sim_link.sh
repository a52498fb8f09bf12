#!/bin/sh
# What `skyferry-sim link` can do here: throughput, delay, rate and loss, as a UDP proxy and, as
# root, between two network namespaces. Measurements: nothing passes or fails.
#
#   tests/bench/bench_sim_link.sh [BUILD]     default: the current folder, after
#                                             make skyferry-sim tests/bench/bench_sim_link
#
# ping and iperf3 are used as well where they are installed.
set -eu

build=${1:-.}
sim=$build/skyferry-sim
load=$build/tests/bench/bench_sim_link
if ! [ -x "$sim" ] || ! [ -x "$load" ]; then
    echo "bench_sim_link.sh: build first: make skyferry-sim tests/bench/bench_sim_link" >&2
    exit 2
fi
scratch=$(mktemp -d)
running=
stop() {
    if [ -n "$running" ]; then
        kill "$running"
        wait "$running" || true
        running=
    fi
}
trap 'stop; rm -rf "$scratch"' EXIT

realtime=
[ "$(id -u)" -ne 0 ] || realtime=--realtime
near=skybench-a
far=skybench-b

# start OPTION...: a link with these, both kinds.
start() {
    rm -f "$scratch/talk"
    "$sim" link "$@" $realtime >"$scratch/counters" 2>"$scratch/talk" &
    running=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        grep -qs seed "$scratch/talk" && return
        sleep 0.2
    done
    cat "$scratch/talk" >&2
    exit 1
}

# cpu: seconds of processor time the link has used, in hundredths.
cpu() { awk '{print $14 + $15}' "/proc/$running/stat"; }

# measure MODE WHAT MBIT OPTION...
measure() {
    mode=$1
    what=$2
    mbit=$3
    shift 3
    if [ "$mode" = proxy ]; then
        start --listen 127.0.0.1:46011 --to 127.0.0.1:46010 "$@"
        line=$("$load" - - 127.0.0.1:46011 127.0.0.1:46010 "$mbit" 3 1372)
    else
        start --tun $near:10.201.0.1/24 --tun $far:10.201.0.2/24 --make "$@"
        line=$("$load" $near $far 10.201.0.2:46010 10.201.0.2:46010 "$mbit" 3 1372)
    fi
    printf '%-5s %s\n      %s cpu %s/100 s\n' "$mode" "$what" "$line" "$(cpu)"
    stop
}

all() {
    measure "$1" "offered 1,200 Mbit/s of 1,400-byte packets, nothing in their way" 1200 --profile clean
    measure "$1" "offered 10 Mbit/s, delay 50 ms" 10 --set delay=50ms
    measure "$1" "offered 150 Mbit/s, rate 100 Mbit/s, delay 50 ms" 150 \
        --set rate=100Mbit --set queue=1MiB --set delay=50ms
    measure "$1" "offered 100 Mbit/s, loss 5 %" 100 --set loss=5%
}

all proxy
if [ "$(id -u)" -ne 0 ]; then
    echo "SKIP: network namespaces need root"
    exit 0
fi
all tun
start --tun $near:10.201.0.1/24 --tun $far:10.201.0.2/24 --make --set delay=50ms --set rate=200Mbit \
    --set queue=4MiB
if command -v ping >/dev/null; then
    "$load" in $near ping -q -c 50 -i 0.05 10.201.0.2
else
    echo "SKIP: ping is not installed"
fi
if command -v iperf3 >/dev/null; then
    "$load" in $far iperf3 -s -1 -D
    sleep 0.3
    "$load" in $near iperf3 -c 10.201.0.2 -t 5
else
    echo "SKIP: iperf3 is not installed"
fi
stop
