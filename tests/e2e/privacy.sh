#!/bin/bash
# What goes over the wire with `privacy` none, size and timing, as a relay between two real daemons
# counts it: the filler for a transfer, two sizes that look alike, a budget that is held.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

two_nodes_apart 60Mbit --set delay=5ms
relay_close
inbox=$work/sat/inbox/ground

# peer EXPRESSION: of the peer p of ground.
peer() {
    cli ground peer list --json 2>/dev/null | /usr/bin/python3 -c 'import json, sys
p = json.load(sys.stdin)["peers"][0]
print(eval(sys.argv[1]))' "$1"
}
nothing_owed() {
    [[ $(peer 'p["filler_owed_bytes"]') == 0 ]]
}

# transfer NAME BYTES: send so much, wait for what follows it. Sets `wire` (IP bytes towards sat that
# the relay has counted), `sealed`, `pad`, `filler` (IP bytes) and `id`.
transfer() {
    local before
    relay_open "${ports[sat]}" --set delay=5ms
    cli ground peer add sat --endpoint "127.0.0.1:$relay_port" 2>/dev/null
    head -c "$2" /dev/urandom >"$work/$1"
    before=$(peer 'p["filler_bytes_out"]')
    check "$1 is sent" cli ground send "$work/$1" --to sat --wait
    id=$(grep -oE "^[0-9a-f]{32}$" "$work/check.out")
    check "it arrived whole" same_sha256 "$work/$1" "$inbox/$1"
    check "no filler is owed in the end" within 60 nothing_owed
    filler=$(($(peer 'p["filler_bytes_out"]') - before))
    sealed=$(sealed_bytes ground "$id")
    pad=$(field ground "$id" 't["recipients"][0]["pad_bytes"]')
    sleep 0.3
    relay_close
    wire=$(counter 'f["ip_bytes_in"]')
    echo "$1: sealed $sealed, padded by $pad: filler $filler, all on the wire $wire"
}

# --- Sizes ------------------------------------------------------------------

# Both between 21.0 and 21.5 MiB when they are sealed: one step of the scale.
small=22020000
large=22350000
check "the default hides sizes" test "$(peer 'p["privacy"]')" = size
check_exit 2 "a mode that is none is refused" cli ground peer add sat --privacy all
says "expected size, none or timing, or default" || fail "the accepted form is not named"
check "sizes need not be hidden" cli ground peer add sat --privacy none
transfer none-small "$small"
check "then nothing is added" test "$pad $filler" = "0 0"
none=$sealed
transfer none-large "$large"
check "and sizes show" test $((sealed - none)) -ge 262144

check "sizes are hidden" cli ground peer add sat --privacy default
transfer size-small "$small"
whole=$((sealed + pad))
check "filler is at most a sixteenth" test $((pad * 16)) -le "$whole"
check "it stands for the bundles that lack" test "$pad" -ge 262144 -a "$filler" -gt "$pad" -a \
    "$filler" -lt $((pad * 11 / 10 + 3000))
check "the wire has carried them" test "$wire" -gt "$whole"
transfer size-large "$large"
check "the larger one lacks fewer" test $((sealed + pad)) = "$whole"
check "and comes to the same on the wire" test "$filler" -gt "$pad" -a \
    "$filler" -lt $((pad * 11 / 10 + 3000)) -a "$wire" -gt "$whole"
cli ground status "$id" >"$work/status" 2>/dev/null
cli ground estimate "$work/size-small" >"$work/estimate" 2>/dev/null
check "status says it" grep -q '^Filler ' "$work/status"
check "estimate says it" grep -q '^Filler ' "$work/estimate"

# --- Times ------------------------------------------------------------------

relay_open "${ports[sat]}" --set delay=5ms
cli ground peer add sat --endpoint "127.0.0.1:$relay_port" 2>/dev/null
before=$(peer 'p["filler_bytes_out"]')
check "a budget is set" \
    cli ground peer add sat --rate 16Mbit --privacy timing --privacy-budget 3MByte
went() {
    echo $(($(peer 'p["filler_bytes_out"]') - before))
}
has_gone() {
    (($(went) > 2900000))
}
check "filler goes without a file" within 60 has_gone
sleep 1
spent=$(went)
sleep 1
check "the budget is held" test "$spent" -le 3000000
check "then it is quiet" test "$(went)" = "$spent"
check "the peer list says what of the budget is gone" test "$(peer 'p["filler_day_bytes"]')" = 3000000
relay_close
check "the relay has seen it" test "$(counter 'f["ip_bytes_in"]')" -ge "$spent"

# --- The config -------------------------------------------------------------

stop ground
echo 'privacy = all' >>"$work/ground/config"
check_exit 1 "a mode that is none stops the daemon" \
    timeout 20 "$build/skyferryd" --home "$work/ground" --listen "127.0.0.1:${ports[ground]}"
says "privacy = all: expected size, none or timing" || fail "the accepted form is not named"
finish
