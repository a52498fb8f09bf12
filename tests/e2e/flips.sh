#!/bin/bash
# One flipped bit anywhere in what a node keeps, while its daemon is down: it
# is found out, and fetched again or reported; what arrives is right; no daemon
# ever crashes over it. The places are drawn from the seed.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

rounds=1
[[ $full == 0 ]] || rounds=20
patience=8

# --- A transfer that was cut off in the middle ---------------------------------

two_nodes
cli ground peer add sat --rate 20Mbit 2>/dev/null
inbox=$work/sat/inbox/ground
head -c 4000000 /dev/urandom >"$work/model.bin"
id=$(cli ground send "$work/model.bin" --to sat 2>/dev/null)
half_there() {
    holds sat "$id" '10 < t["held"] < t["slots"] - 10'
}
check "half of a transfer is there" within 20 half_there
kill -KILL "${pids[ground]}" "${pids[sat]}"
stop ground KILL
stop sat KILL
cli ground peer add sat --rate 400Mbit 2>/dev/null
for node in ground sat; do
    rm -f "$work/$node/control.sock" "$work/$node/submit.sock"
    cp -a "$work/$node" "$work/$node.saved"
done

# restore: both homes as they were.
restore() {
    local node
    for node in ground sat; do
        rm -rf "${work:?}/$node"
        cp -a --sparse=always "$work/$node.saved" "$work/$node"
        : >"$work/$node.log"
    done
}

# flip FILE: one bit of it, among the bytes that are not zero three times out of four.
flip() {
    below 1000000000
    /usr/bin/python3 - "$1" "$drawn" <<'PYTHON'
import random, sys

path, chance = sys.argv[1], random.Random(int(sys.argv[2]))
with open(path, "r+b") as file:
    data = file.read()
    place = chance.randrange(len(data))
    if chance.randrange(4):
        while data[place] == 0:
            place = chance.randrange(len(data))
    bit = chance.randrange(8)
    file.seek(place)
    file.write(bytes([data[place] ^ 1 << bit]))
print("bit %d of byte %d of %d" % (bit, place, len(data)))
PYTHON
}

# run NODE: start its daemon; false if it ends by itself. Its exit status is in $status then.
run() {
    "$build/skyferryd" --home "$work/$1" --listen "127.0.0.1:${ports[$1]}" >>"$work/$1.log" 2>&1 &
    pids[$1]=$!
    local began=$SECONDS
    while ! answers "$1" >/dev/null 2>&1; do
        if ! kill -0 "${pids[$1]}" 2>/dev/null || ((SECONDS - began > 20)); then
            status=0
            wait "${pids[$1]}" || status=$?
            unset "pids[$1]"
            return 1
        fi
        sleep 0.05
    done
}

# Why the transfer does not arrive, if a node says so.
reasons() {
    field ground "$id" '(t["why"] or t["recipients"][0]["why"]) if t["state"] in ("failed", "custody") else ""'
    field sat "$id" 't["why"]'
    grep -hE 'warning|error' "$work/ground.log" "$work/sat.log"
}

# What follows from the flip; sets $outcome, or fails.
declare -A outcomes=()
judge() {
    local where=$1 began=$SECONDS node
    outcome=
    for node in ground sat; do
        if ! run "$node"; then
            outcome="refused to start"
            if ((status == 0 || status >= 126)) || ! [[ -s $work/$node.log ]]; then
                fail "$where: the daemon of $node ends with $status: $(tail -n 1 "$work/$node.log")"
                outcome=
                return
            fi
            reason=$(tail -n 1 "$work/$node.log")
        fi
    done
    while [[ -z $outcome ]]; do
        if [[ -e $inbox/model.bin ]]; then
            outcome=arrived
            reason=
        elif ((SECONDS - began >= patience)); then
            reason=$(reasons | grep -vx -e none -e '' | tail -n 1)
            outcome=reported
            if [[ -z $reason ]]; then
                fail "$where: it does not arrive, and nobody says why"
                outcome=
                return
            fi
        else
            [[ $(state ground "$id") != failed ]] || began=$((SECONDS - patience))
            sleep 0.1
        fi
    done
    for node in "${!pids[@]}"; do
        if ! kill -0 "${pids[$node]}" 2>/dev/null; then
            status=0
            wait "${pids[$node]}" || status=$?
            unset "pids[$node]"
            if ((status >= 126)); then
                fail "$where: the daemon of $node crashed: $(tail -n 1 "$work/$node.log")"
                outcome=
                return
            fi
        fi
    done
    if [[ -e $inbox/model.bin ]] && ! cmp -s "$work/model.bin" "$inbox/model.bin"; then
        fail "$where: what was delivered is wrong"
        outcome=
    elif ! no_crash ground sat >/dev/null; then
        fail "$where: $(no_crash ground sat)"
        outcome=
    fi
}

# --- Flips -----------------------------------------------------------------------

for ((round = 0; round < rounds; round++)); do
    for what in ground/spool ground/journal ground/vault ground/kek ground/keys ground/audit.log \
        sat/spool sat/staging sat/journal sat/vault sat/audit.log; do
        restore
        file=$(find "$work/$what" -type f | head -n 1)
        if [[ -z $file || ! -s $file ]]; then
            skip "$what: there is no file"
            continue
        fi
        where="$what, $(flip "$file")"
        node=${what%%/*}
        if [[ $what == */audit.log ]]; then
            check_exit 5 "$where: audit verify finds it" cli "$node" audit verify
        fi
        judge "$where"
        [[ -z $outcome ]] || ok "$where: $outcome${reason:+: ${reason:0:200}}"
        outcomes[${outcome:-wrong}]=$((${outcomes[${outcome:-wrong}]:-0} + 1))
        stop ground KILL
        stop sat KILL
    done
done
for outcome in "${!outcomes[@]}"; do
    echo "$outcome: ${outcomes[$outcome]}"
done
finish
