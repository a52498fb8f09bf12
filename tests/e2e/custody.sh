#!/bin/bash
# `send` returns when the files are safe here, not when they are there; and
# what is safe survives kill -9 on either side.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

two_nodes
inbox=$work/sat/inbox/ground
head -c 20000000 /dev/urandom >"$work/model.bin"

# spool_is_empty NODE [PATTERN]: no such bundles are kept there any more.
spool_is_empty() {
    [[ -z $(find "$work/$1/spool" -type f -name "${2:-*}") ]]
}

# --- The peer is away -------------------------------------------------------

stop sat
check "send returns although the peer is away" \
    timeout 30 "$build/skyferry" --home "$work/ground" send "$work/model.bin" --to sat
id=$(cli ground send "$work/model.bin" --as second --to sat 2>/dev/null)
check "the transfer is in custody" is_state ground "$id" custody
check_exit 3 "send --wait --timeout gives up waiting, not the transfer" \
    cli ground send "$work/model.bin" --as third --to sat --wait --timeout 1s
all_in_custody() {
    ! cli ground status | grep -q sealing
}
check "what was not waited for is in custody too" within 60 all_in_custody
check "the source may change and go now" rm "$work/model.bin"

stop ground KILL
start ground
check "custody survives kill -9" is_state ground "$id" custody
start sat
check "the transfer ends when the peer is back" \
    timeout 60 "$build/skyferry" --home "$work/ground" status "$id" --wait
check "the file is there" test "$(stat -c %s "$inbox/second")" = 20000000
check "so is the one before" within 60 test -s "$inbox/model.bin"
check "both are the same" cmp "$inbox/model.bin" "$inbox/second"
check "so is the one that was not waited for" within 60 test -s "$inbox/third"

# --- Kills in the middle ----------------------------------------------------

for victim in sat ground; do
    head -c 30000000 /dev/urandom >"$work/kill-$victim"
    id=$(cli ground send "$work/kill-$victim" --to sat 2>/dev/null)
    sleep 0.2
    stop "$victim" KILL
    start "$victim"
    check "a transfer survives kill -9 of $victim" cli ground status "$id" --wait
    check "it arrived to the byte" cmp "$work/kill-$victim" "$inbox/kill-$victim"
done

# --- The daemon goes away before custody ------------------------------------

head -c 150000000 /dev/urandom >"$work/large"
(cli ground send "$work/large" --to sat --wait >"$work/large.id" 2>"$work/large.err"
    echo $? >"$work/large.exit") &
helpers+=($!)
is_sealing() {
    cli ground status --json | grep -q '"state": "sealing"'
}
if within 20 is_sealing; then
    stop ground KILL
    sleep 1
    start ground
    check "send goes on by itself when the daemon is back" within 90 test -s "$work/large.exit"
    check "it ends well" grep -qx 0 "$work/large.exit"
    check "the file arrived to the byte" cmp "$work/large" "$inbox/large"
    check "it was said" grep -q "back" "$work/large.err"
else
    within 60 test -s "$work/large.exit"
    skip "sealing was too quick to be interrupted"
fi

# --- A source that changes --------------------------------------------------

head -c 150000000 /dev/urandom >"$work/changing"
(cli ground send "$work/changing" --to sat --wait >/dev/null 2>"$work/changing.err"
    echo $? >"$work/changing.exit") &
helpers+=($!)
if within 20 is_sealing; then
    echo more >>"$work/changing"
    within 60 test -s "$work/changing.exit"
    check "a source that changes while it is read fails the transfer" \
        grep -qx 1 "$work/changing.exit"
    check "it is said why" grep -q "chang" "$work/changing.err"
    check "nothing of it is delivered" test ! -e "$inbox/changing"
    check "the receiver frees what it had" within 30 spool_is_empty sat
else
    within 60 test -s "$work/changing.exit"
    skip "sealing was too quick for the source to change"
fi

# --- Several recipients -----------------------------------------------------

make_node iss
introduce ground iss
introduce iss ground
head -c 3000000 /dev/urandom >"$work/for-two"
check_exit 3 "--wait waits for every recipient" \
    cli ground send "$work/for-two" --to sat,iss --wait --timeout 4s
check "the one that is there has it" cmp "$work/for-two" "$inbox/for-two"
start iss
check "the other gets it when it comes" \
    within 60 cmp "$work/for-two" "$work/iss/inbox/ground/for-two"
stop iss

# --- Cancel -----------------------------------------------------------------

stop sat
head -c 5000000 /dev/urandom >"$work/unwanted"
id=$(cli ground send "$work/unwanted" --to sat 2>/dev/null)
check "a transfer in custody is cancelled" cli ground cancel "$id"
check "it shows as cancelled" is_state ground "$id" cancelled
check_exit 1 "it cannot be cancelled twice" cli ground cancel "$id"
check_exit 1 "status --wait exits 1 for it" cli ground status "$id" --wait
check "its space is given back" within 30 spool_is_empty ground "$id*"
start sat
sleep 2
check "nothing of it was delivered" test ! -e "$inbox/unwanted"
check "the audit logs hold" cli ground audit verify
check "on both sides" cli sat audit verify
finish
