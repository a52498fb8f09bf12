#!/bin/bash
# What a rate that is found takes beside one that was told, with the real
# programs over emulated paths in real time: seconds from `send` to the
# receiver's signed FINAL, which comes after the file is whole and durable in its inbox.
#
#     tests/bench/rates.sh [PATH...]     geo geo-loss leo starlink; all without an argument
#
# From a build directory: srcdir=.. ../tests/bench/rates.sh. The paths and sizes are those
# of tests/sim/rates, which holds the same in virtual time. A loaded machine shows in the figures.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

cli_limit=600
declare -A told=([geo]=100Mbit [geo-loss]=100Mbit [leo]=200Mbit [starlink]=200Mbit)
declare -A bytes=([geo]=100000000 [geo-loss]=100000000 [leo]=1000000000 [starlink]=1000000000)
declare -A path=(
    [geo]="rate=100Mbit delay=300ms queue=2MB"
    [geo-loss]="rate=100Mbit delay=300ms queue=2MB loss=1%"
    [leo]="rate=200Mbit delay=20ms queue=1MB loss=0.5% period=20s outage=15s+5s"
    [starlink]="rate=200Mbit delay=25ms queue=2MB burst-enter=200ppm burst-leave=5% burst-loss=50% period=15s outage=14.8s+150ms"
)

# measure NAME RATE: seconds of one transfer.
measure() {
    local name=$1 rate=$2 options=() setting began ended
    for setting in ${path[$name]}; do
        options+=(--set "$setting")
    done
    two_nodes_apart "$rate" "${options[@]}"
    head -c "${bytes[$name]}" /dev/urandom >"$work/model.bin"
    began=$(date +%s.%N)
    cli ground send "$work/model.bin" --to sat --wait >/dev/null 2>&1 || fail "$name at $rate did not arrive"
    ended=$(date +%s.%N)
    same "$work/model.bin" "$work/sat/inbox/ground/model.bin" || fail "$name at $rate: not the same"
    cli ground peer list --json >"$work/list"
    /usr/bin/python3 -c 'import json, sys
link = json.load(open(sys.argv[1]))["peers"][0]["link"]
seconds = float(sys.argv[5]) - float(sys.argv[4])
print("%-10s %-9s %7.2f s  %6.1f Mbit/s of file  found %s  back %.1f kB" % (sys.argv[2], sys.argv[3], seconds,
      int(sys.argv[6]) * 8 / seconds / 1e6, link.get("found_bps"), link["bytes_in"] / 1e3))' \
        "$work/list" "$name" "$rate" "$began" "$ended" "${bytes[$name]}"
    for node in ground sat; do
        stop "$node"
        rm -rf "${work:?}/$node"
    done
    relay_close
}

for name in "${@:-geo geo-loss leo starlink}"; do
    for one in $name; do
        measure "$one" "${told[$one]}"
        measure "$one" adaptive
    done
done
finish
