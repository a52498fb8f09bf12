#!/bin/bash
# A full disk at either end: it is said, with the amount that is missing; what
# waits goes on when there is room; nothing is lost and nothing is left behind.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

if [[ $(id -u) != 0 ]]; then
    skip "only root can mount a small file system"
    rm -rf "$work"
    trap - EXIT
    exit 77
fi
mounts=()
# small NODE: its home is a file system of 160 MiB.
small() {
    mkdir "$work/$1"
    mount -t tmpfs -o size=160m,mode=700 tmpfs "$work/$1" || return 1
    mounts+=("$work/$1")
}
release() {
    local mount
    for mount in "${mounts[@]}"; do
        umount "$mount" 2>/dev/null || umount -l "$mount"
    done
    mounts=()
}

if ! small ground || ! small sat; then
    skip "no file system can be mounted here"
    release
    rm -rf "$work"
    trap - EXIT
    exit 77
fi
two_nodes
inbox=$work/sat/inbox/ground
head -c 30000000 /dev/urandom >"$work/model.bin"
fill() {
    fallocate -l "$2" "$work/$1/ballast"
}
# in_status NODE TEXT: whether the list for people says so.
in_status() {
    cli "$1" status 2>&1 | tr -s ' \n' ' ' | grep -qF -- "$2"
}

# --- The receiver's disk is full ---------------------------------------------

fill sat 125M
id=$(cli ground send "$work/model.bin" --to sat 2>/dev/null)
amount='__import__("re").search(r"[0-9]+ more bytes", %s) is not None'
# shellcheck disable=SC2059 # a format for expressions
at_sender=$(printf "$amount" 't["recipients"][0]["why"]')
# shellcheck disable=SC2059
at_receiver=$(printf "$amount" 't["why"]')
check "a full disk there does not concern custody here" is_state ground "$id" custody
check "the sender's status says that the receiver has no room, and how many bytes are missing" \
    within 20 holds ground "$id" "$at_sender"
echo "     $(field ground "$id" 't["recipients"][0]["state"] + ": " + t["recipients"][0]["why"]')"
check "the receiver's status says so as well, and what to do" holds sat "$id" \
    't["state"] == "waiting" and t["need_bytes"] > 0 and "must become free" in t["why"]'
check "also to people" in_status sat "more bytes must become free"
echo "     $(field sat "$id" 't["state"] + ": " + t["why"]')"
check "the receiver's log says it too" grep -qE "${id:0:8}.* [0-9]+ more bytes" "$work/sat.log"
check "the reserve is kept" test "$(df --output=avail -k "$work/sat" | tail -n 1)" -ge 16000

# Now there is room for the sealed bundles, not for the file.
stop sat
rm "$work/sat/ballast"
fill sat 105M
start sat
check "the receiver's status says how much is missing for the file" \
    within 30 holds sat "$id" "$at_receiver"
echo "     $(field sat "$id" 't["state"] + ": " + t["why"]')"
check "the sender's status says that too" within 20 holds ground "$id" "$at_sender"
stop sat KILL
start sat
if [[ $full == 1 ]]; then
    check "so it does after a kill" within 20 holds sat "$id" "$at_receiver"
fi
rm "$work/sat/ballast"
check "it goes on when there is room" \
    timeout 60 "$build/skyferry" --home "$work/ground" status "$id" --wait
check "to the byte" same_sha256 "$work/model.bin" "$inbox/model.bin"
check "it arrived once" delivered_once "$inbox" model.bin
check "the receiver holds nothing of it any more" within 20 nothing_left sat

# On a file system in memory reads are over before hashes are: with hardly a byte to seal nothing else goes on.
check "the same once more, which is almost nothing against what is there, is sealed and arrives" \
    cli ground send "$work/model.bin" --base "$work/model.bin" --to sat --as same --wait
rm "$inbox/same"
rm "$inbox/model.bin"

# --- Others take the very last byte ---------------------------------------------

cli ground peer add sat --rate 30Mbit 2>/dev/null
id=$(cli ground send "$work/model.bin" --to sat 2>/dev/null)
sleep 2
# Whatever the node gives back is taken as well.
(while true; do
    cat /dev/zero >>"$work/sat/ballast" 2>/dev/null
    sleep 0.1
done) &
hog=$!
sleep 4
check "the receiver runs on although even the reserve is gone" kill -0 "${pids[sat]}"
check "and answers" answers sat
check "the sender knows no FINAL" is_state ground "$id" custody
stop sat KILL
start sat
check "it even starts on a disk without a free byte" answers sat
kill "$hog"
wait "$hog" 2>/dev/null
rm -f "$work/sat/ballast"
check "the transfer is not lost" \
    timeout 90 "$build/skyferry" --home "$work/ground" status "$id" --wait
check "it is right to the byte" same_sha256 "$work/model.bin" "$inbox/model.bin"
check "it came once" delivered_once "$inbox" model.bin
rm "$inbox/model.bin"
cli ground peer add sat --rate 400Mbit 2>/dev/null

# --- The sender's disk is full -------------------------------------------------

fill ground 130M
check_exit 1 "send says that there is no room" cli ground send "$work/model.bin" --to sat --wait
if grep -qE 'no space|No space|room|full' "$work/check.out" && grep -qE '[0-9]{4,}|[0-9.]+ [MG]iB' "$work/check.out"; then
    ok "and how much is missing: $(grep -v "^[0-9a-f]*$" "$work/check.out" | tail -n 1)"
else
    fail "and how much is missing: $(cat "$work/check.out")"
fi
check "nothing is left behind here" within 20 nothing_left ground
check "nor there" within 20 nothing_left sat
check "nothing of it was delivered" test ! -e "$inbox/model.bin"
rm "$work/ground/ballast"
check "with room it is sent" cli ground send "$work/model.bin" --to sat --wait
check "to the byte at last" same_sha256 "$work/model.bin" "$inbox/model.bin"
for node in ground sat; do
    check "the audit log of $node is intact" cli "$node" audit verify
    check "no daemon of $node failed of itself" no_crash "$node"
done
finish
