#!/bin/bash
# How fast, and by which way: a rate that is found, ceilings, limits by the
# hour, marks, interfaces, and what is said of them.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

make_node ground
make_node sat
introduce ground sat

check_exit 2 "a word that is no rate is refused" cli ground peer add sat --rate fast
says "adaptive, scavenger, or a rate" || fail "the forms of a rate are not named"
check_exit 2 "a DSCP that is none is refused" cli ground peer add sat --dscp af99
says "le, cs0 to cs7" || fail "the forms of a DSCP are not named"
check_exit 2 "a name that is no interface is refused" cli ground peer add sat --interface a/b
check "a rate that is found is set without a daemon" \
    cli ground peer add sat --rate adaptive --rate-max 400Mbit --dscp le
check "it is written down" grep -q '^rate = adaptive$' "$work/ground/peers/sat.conf"
check "so is its ceiling" grep -q '^rate-max = 400Mbit$' "$work/ground/peers/sat.conf"
check "and it is listed" grep -q adaptive <(cli ground peer list)

echo 'limit = 100Mbit from 00:00' >>"$work/ground/config"
check_exit 1 "a limit out of form stops the daemon" \
    timeout 20 "$build/skyferryd" --home "$work/ground" --listen "127.0.0.1:${ports[ground]}"
sed -i '/^limit/d' "$work/ground/config"

start ground
start sat
check "sat knows ground" \
    cli sat peer add ground --card - --endpoint "127.0.0.1:${ports[ground]}" <"$work/ground.card"
head -c 30000000 /dev/urandom >"$work/model.bin"
check "a file goes at a rate that is found" \
    cli ground send "$work/model.bin" --to sat --wait --timeout 120s
check "it arrived whole" same "$work/model.bin" "$work/sat/inbox/ground/model.bin"
cli ground peer list --json >"$work/list"
check "the ceiling held" python3 - "$work/list" <<'EOF'
import json, sys
peer = json.load(open(sys.argv[1]))["peers"][0]
link = peer["link"]
sys.exit(not (peer["rate"] == "adaptive" and peer["rate_bps"] is None
              and peer["rate_max_bps"] == 400000000 and peer["dscp"] == "le"
              and link["rate_bps"] <= 400000000
              and link["rate_why"] in ("seeking", "found", "ceiling")))
EOF

check "a rate is given again, through the daemon" cli ground peer add sat --rate 50Mbit --dscp default
cli ground peer list --json >"$work/list"
check "and holds" grep -q '"rate_why": "fixed"' "$work/list"
check "an interface that is not there takes nothing" cli ground peer add sat --interface nowhere0
echo "to nobody" >"$work/small"
check_exit 3 "what is sent waits" cli ground send "$work/small" --to sat --wait --timeout 3s
check "the loopback takes it" cli ground peer add sat --interface lo
check "what waited goes" within 30 same "$work/small" "$work/sat/inbox/ground/small"
stop ground

echo 'limit = 8Mbit' >>"$work/ground/config"
start ground
head -c 300000 /dev/urandom >"$work/little"
check "a file goes below a limit" cli ground send "$work/little" --to sat --wait --timeout 60s
cli ground peer list --json >"$work/list"
check "the limit is what holds" grep -q '"rate_why": "limit"' "$work/list"
check "and is said" grep -q 'Mbit/s limit' <(cli ground peer list)
finish
