#!/bin/bash
# A path that loses 5 %, duplicates 2 % and reorders: files arrive, and all
# datagrams together are at most 1.10 times the sealed bytes. Then an outage
# and a NAT that forgets, in the middle of a transfer.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

if [[ $full == 1 ]]; then
    bytes=$((500 << 20))
else
    bytes=$((30 << 20))
fi
bad=(--set loss=5% --set duplicate=2% --set reorder=5% --set reorder-delay=15ms --set delay=40ms)
cli_limit=300

# --- Loss -------------------------------------------------------------------

two_nodes_apart 60Mbit "${bad[@]}"
# Bytes are counted up to the receipt. Filler that hides how many bundles there are waits for idle
# time, so little of it is among them; of few bundles that little is too much to be left in.
[[ $full == 1 ]] || cli ground peer add sat --privacy none 2>/dev/null
inbox=$work/sat/inbox/ground

# again OPTION...: the same nodes, a new path.
again() {
    relay_open "${ports[sat]}" "$@"
    cli ground peer add sat --endpoint "127.0.0.1:$relay_port" 2>/dev/null
}

# On a busy machine a pause of either program looks like a longer path, and what covers it costs
# bytes: a round that was disturbed is repeated, at most twice.
for round in 1 2 3; do
    [[ $round == 1 ]] || again "${bad[@]}"
    head -c "$bytes" /dev/urandom >"$work/model-$round.bin"
    check "a file is sent over a path that loses, repeats and reorders" \
        cli ground send "$work/model-$round.bin" --to sat --wait
    id=$(grep -oE "^[0-9a-f]{32}$" "$work/check.out")
    check "it arrived, its SHA-256 is right" same_sha256 "$work/model-$round.bin" "$inbox/model-$round.bin"
    sealed=$(sealed_bytes ground "$id")
    relay_close
    sent=$(counter 'f["payload_bytes_in"] + b["payload_bytes_in"]')
    echo "sealed $sealed bytes, all datagrams $sent bytes:" \
        "$(counter "round($sent / $sealed, 4)"), back alone $(counter 'b["payload_bytes_in"]')," \
        "lost $(counter 'f["dropped"]["loss"]') of $(counter 'f["datagrams_in"]')," \
        "duplicated $(counter 'f["duplicated"]'), reordered $(counter 'f["reordered"]')"
    check "the path did what it was told" \
        test "$(counter '0.03 < f["dropped"]["loss"] / f["datagrams_in"] < 0.07')" = True
    ((sent * 100 > sealed * 110)) || break
done
check "the datagrams are at most 1.10 times the sealed bytes" test $((sent * 100)) -le $((sealed * 110))

# --- An outage --------------------------------------------------------------

again "${bad[@]}" --set outage=1500ms+3s
head -c 14000000 /dev/urandom >"$work/outage.bin"
check "a file is sent through an outage" cli ground send "$work/outage.bin" --to sat --wait
check "it arrived, its SHA-256 is right" same_sha256 "$work/outage.bin" "$inbox/outage.bin"
relay_close
sent=$(counter 'f["payload_bytes_in"] + b["payload_bytes_in"]')
dark=$(counter 'f["dropped"]["outage"]')
echo "outage: all datagrams $sent bytes, $dark of them sent into it"
check "the outage met the transfer" test "$dark" -gt 0

# --- A NAT that forgets -----------------------------------------------------

again --set delay=20ms
head -c 14000000 /dev/urandom >"$work/nat.bin"
(cli ground send "$work/nat.bin" --to sat --wait >"$work/nat.out" 2>&1
    echo $? >"$work/nat.exit") &
helpers+=($!)
for _ in 1 2; do
    sleep 0.8
    kill -USR1 "$relay_pid"
done
check "a transfer goes on when its address changes" within 60 test -s "$work/nat.exit"
check "it ends well" grep -qx 0 "$work/nat.exit"
check "it arrived, its SHA-256 is right" same_sha256 "$work/nat.bin" "$inbox/nat.bin"
relay_close
echo "new addresses: all datagrams $(counter 'f["payload_bytes_in"] + b["payload_bytes_in"]') bytes"
for node in ground sat; do
    check "$node holds nothing any more" within 30 nothing_left "$node"
    check "no daemon of $node failed of itself" no_crash "$node"
done
finish
