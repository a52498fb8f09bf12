#!/bin/bash
# kill -9 of either daemon or of both at any moment of one transfer: it
# arrives, once, to the byte; nothing stays behind; and the bytes that
# travelled twice are within the bound. Then daemons that stand still.
# SKYFERRY_E2E_KILLS=N asks for N kills, over a slower link, so that several can run side by side.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

rate_mbit=100
if [[ -n ${SKYFERRY_E2E_KILLS:-} ]]; then
    kills=$SKYFERRY_E2E_KILLS
    rate_mbit=30
    bytes=$((kills * 5 << 20))
elif [[ $full == 1 ]]; then
    kills=20
    bytes=$((400 << 20))
else
    kills=5
    bytes=$((80 << 20))
fi
rate_bytes=$((rate_mbit * 1000 * 1000 / 8))
cli_limit=300
two_nodes_apart ${rate_mbit}Mbit
# Bytes are counted: without the filler that hides how many there are.
cli ground peer add sat --privacy none 2>/dev/null
inbox=$work/sat/inbox/ground
head -c "$bytes" /dev/urandom >"$work/model.bin"

now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

# launch NODE: start its daemon without waiting for it.
launch() {
    "$build/skyferryd" --home "$work/$1" --listen "127.0.0.1:${ports[$1]}" >>"$work/$1.log" 2>&1 &
    pids[$1]=$!
}

# --- Kills ------------------------------------------------------------------

(cli ground send "$work/model.bin" --to sat --wait >"$work/send.out" 2>"$work/send.err"
    echo $? >"$work/send.exit") &
helpers+=($!)
began=$(now_ms)
done_kills=0
restarts=0
down_ms=0
while ((done_kills < kills)); do
    # The first ones meet sealing, the later ones what follows it.
    below 900
    sleep "$(printf '0.%03d' $((drawn + 50)))"
    [[ ! -e $work/send.exit ]] || break
    below 3
    case $drawn in
    0) victims=(ground) ;;
    1) victims=(sat) ;;
    2) victims=(ground sat) ;;
    esac
    done_kills=$((done_kills + 1))
    restarts=$((restarts + ${#victims[@]}))
    died=$(now_ms)
    for victim in "${victims[@]}"; do
        kill -KILL "${pids[$victim]}"
    done
    for victim in "${victims[@]}"; do
        stop "$victim" KILL
        launch "$victim"
    done
    for victim in "${victims[@]}"; do
        within 20 answers "$victim" || fail "the daemon of $victim does not start again"
    done
    down_ms=$((down_ms + $(now_ms) - died))
    echo "kill $done_kills of ${victims[*]} at $((died - began)) ms," \
        "sent so far: $(field ground "$(open_id ground)" 't["recipients"][0]["link_bytes"]') bytes"
done
check "there were $kills kills during one transfer" test "$done_kills" = "$kills"
check "the sender's command ends" within 240 test -s "$work/send.exit"
check "and well" grep -qx 0 "$work/send.exit"
check "the file arrived, its SHA-256 is right" same_sha256 "$work/model.bin" "$inbox/model.bin"
check "it arrived once" delivered_once "$inbox" model.bin
id=$(head -n 1 "$work/send.out")
check "the receipt is there" holds ground "$id" 'len(t["recipients"][0]["receipt"]) > 200'
check "the sender shows the transfer as done" is_state ground "$id" done
for node in ground sat; do
    check "$node holds nothing of it any more" within 30 nothing_left "$node"
    check "the audit log of $node is intact" cli "$node" audit verify
    check "no daemon of $node failed of itself" no_crash "$node"
done
check "it was delivered once, says the audit log" \
    test "$(cli sat audit show --json | grep -c '"event": "delivered"')" = 1

# --- What travelled twice ---------------------------------------------------

sealed=$(sealed_bytes ground "$id")
class=$(field ground "$id" 't["class_bytes"]')
sleep 0.5
relay_close
# IP bytes of a run without faults: 28 + 28 + at most 10 around every 1,334 bytes.
once=$((sealed * 1400 / 1328))
# Per restart: the rate for an RTT (none here) and half a second, and two bundles.
bound=$((restarts * (rate_bytes / 2 + 2 * class)))
sent=$(counter 'f["ip_bytes_in"]')
echo "$done_kills kills, $restarts restarts, $down_ms ms down; sealed $sealed bytes, sent $sent," \
    "twice at most $((sent - once < 0 ? 0 : sent - once)), allowed $bound"
check "the relay lost nothing of its own" test "$(counter 'f["send_failed"] + b["send_failed"]')" = 0
check "what travelled twice is within the bound" test "$((sent - once))" -le "$bound"

# --- Daemons that stand still -----------------------------------------------

stop ground
stop sat
relay_open "${ports[sat]}"
cli ground peer add sat --endpoint "127.0.0.1:$relay_port" 2>/dev/null
start ground
start sat
head -c 30000000 /dev/urandom >"$work/still.bin"
(cli ground send "$work/still.bin" --to sat --wait >"$work/still.out" 2>&1
    echo $? >"$work/still.exit") &
helpers+=($!)
for victim in sat ground; do
    sleep 0.8
    kill -STOP "${pids[$victim]}"
    if [[ $full == 1 ]]; then sleep 15; else sleep 3; fi
    kill -CONT "${pids[$victim]}"
done
check "a transfer outlives daemons that stand still" within 60 test -s "$work/still.exit"
check "it ends well" grep -qx 0 "$work/still.exit"
check "to the byte" same_sha256 "$work/still.bin" "$inbox/still.bin"
relay_close
echo "standing still: sent $(counter 'f["ip_bytes_in"]') bytes"
# At most the two seconds at full rate that an address without an answer gets.
check "what went to a daemon that stood still has a bound" \
    test "$(counter 'f["ip_bytes_in"]')" -le $((32000000 + 2 * rate_bytes + rate_bytes / 2))
finish
