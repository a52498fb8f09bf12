#!/bin/bash
# Sources that change or go, transfers that are cancelled while the other side
# is away, several recipients, and what is urgent going first.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

two_nodes
make_node iss
introduce ground iss
introduce iss ground
start iss
inbox=$work/sat/inbox/ground
everybody_is_empty() {
    nothing_left ground && nothing_left sat && nothing_left iss
}

# --- A source that is written to while it is read ---------------------------------

head -c 60000000 /dev/urandom >"$work/log.bin"
while :; do
    echo more >>"$work/log.bin"
    sleep 0.01
done &
appender=$!
helpers+=("$appender")
check_exit 1 "a file that grows all the time cannot be sent" \
    cli ground send "$work/log.bin" --to sat,iss --wait --timeout 60s
kill "$appender"
wait "$appender" 2>/dev/null
says "chang" || fail "it is not said that the source changed: $(cat "$work/check.out")"
check "nothing of it is delivered" test ! -e "$inbox/log.bin" -a ! -e "$work/iss/inbox/ground/log.bin"
check "every recipient frees what it holds, and so does the sender" within 30 everybody_is_empty
check "once nobody writes to it, it is sent" cli ground send "$work/log.bin" --to sat --wait
check "as it is then" same_sha256 "$work/log.bin" "$inbox/log.bin"
rm -f "$inbox/log.bin"

# The same length, other bytes: the time gives it away.
while :; do
    below 60000000
    printf x | dd of="$work/log.bin" bs=1 seek="$drawn" conv=notrunc status=none
    sleep 0.01
done &
writer=$!
helpers+=("$writer")
check_exit 1 "a file that is written over cannot be sent" \
    cli ground send "$work/log.bin" --as over.bin --to sat --wait --timeout 60s
kill "$writer"
wait "$writer" 2>/dev/null
check "nothing of that is delivered" test ! -e "$inbox/over.bin"
check "everything is free again" within 30 everybody_is_empty

# --- A source that goes ------------------------------------------------------------

cli ground peer add sat --rate 20Mbit 2>/dev/null
head -c 5000000 /dev/urandom >"$work/gone.bin"
sum=$(sha256sum <"$work/gone.bin")
id=$(cli ground send "$work/gone.bin" --to sat 2>/dev/null)
rm "$work/gone.bin"
check "it had not arrived when its source was removed" test ! -e "$inbox/gone.bin"
check "it arrives without its source" cli ground status "$id" --wait
check "to the byte" test "$(sha256sum <"$inbox/gone.bin")" = "$sum"

# --- Cancelled while the other side is away ------------------------------------------

partly() {
    holds sat "$1" 't["held"] > 5'
}
head -c 8000000 /dev/urandom >"$work/big.bin"
id=$(cli ground send "$work/big.bin" --as unwanted.bin --to sat 2>/dev/null)
within 20 partly "$id" || fail "nothing arrives"
stop sat KILL
check "the sender cancels while the receiver is away" cli ground cancel "$id"
check "it shows as cancelled here" is_state ground "$id" cancelled
check "its space is free here" within 20 nothing_left ground
start sat
check "the receiver learns of it when it is back, and frees what it held" within 30 nothing_left sat
check "it shows as cancelled there" within 10 is_state sat "$id" cancelled
check "nothing of it was delivered" test ! -e "$inbox/unwanted.bin"

id=$(cli ground send "$work/big.bin" --as refused.bin --to sat 2>/dev/null)
within 20 partly "$id" || fail "nothing arrives"
stop ground KILL
check "the receiver cancels while the sender is away" cli sat cancel "$id"
check "it shows as cancelled at the receiver" is_state sat "$id" cancelled
check "its space is free there" within 20 nothing_left sat
start ground
learnt() {
    holds ground "$id" 't["recipients"][0]["state"] in ("cancelled", "refused")'
}
check "the sender learns of it when it is back" within 30 learnt
echo "     $(field ground "$id" 't["state"], t["why"], t["recipients"][0]["state"], t["recipients"][0]["why"]')"
check_exit 4 "waiting for it says that it was refused" \
    cli ground status "$id" --wait
check "nothing of that was delivered" test ! -e "$inbox/refused.bin"
[[ $(state ground "$id") == cancelled ]] || cli ground cancel "$id" 2>/dev/null
check "the sender frees it" within 20 nothing_left ground

# --- Several recipients ----------------------------------------------------------------

stop iss
id=$(cli ground send "$work/big.bin" --as both.bin --to sat,iss 2>/dev/null)
check "one of two recipients gets it while the other is away" within 30 test -e "$inbox/both.bin"
check "the sealed bundles wait for the other" test -n "$(find "$work/ground/spool" -type f)"
start iss
check "the other gets it when it comes" cli ground status "$id" --wait
check "to the byte at one" same_sha256 "$work/big.bin" "$inbox/both.bin"
check "to the byte at the other" same_sha256 "$work/big.bin" "$work/iss/inbox/ground/both.bin"
check "then they are freed" within 20 nothing_left ground

# --- What is urgent goes first -----------------------------------------------------------

head -c 500000 /dev/urandom >"$work/adapter.bin"
big=$(cli ground send "$work/big.bin" --as model.bin --to sat 2>/dev/null)
within 20 partly "$big" || fail "nothing arrives"
check "an urgent transfer arrives" \
    cli ground send "$work/adapter.bin" --to sat --priority 0 --wait --timeout 60s
check "before the big one that was there first" is_state ground "$big" custody
check "the big one arrives too" cli ground status "$big" --wait
check "both to the byte" same_sha256 "$work/adapter.bin" "$inbox/adapter.bin"
check "both of them" same_sha256 "$work/big.bin" "$inbox/model.bin"
for node in ground sat iss; do
    check "the audit log of $node is intact" cli "$node" audit verify
    check "no daemon of $node failed of itself" no_crash "$node"
done
finish
