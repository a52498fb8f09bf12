# faults.sh - what the end-to-end tests that break things share: a bad path
# between two nodes, chances drawn from a seed, and what must be left behind.
# Sourced after lib.sh.
# shellcheck shell=bash

# --- Chances ----------------------------------------------------------------

# The same seed gives the same moments and places; the machine adds its own.
seed=${SKYFERRY_E2E_SEED:-$(date +%s)}
echo "seed $seed (SKYFERRY_E2E_SEED repeats it)"
RANDOM=$seed

# below N: a number from 0 to N - 1, in $drawn (a subshell would draw the same one again).
below() {
    drawn=$(((RANDOM << 15 | RANDOM) % $1))
}

# --- A path -----------------------------------------------------------------

# relay_open TARGET [OPTION...]: skyferry-sim link towards port TARGET of the loopback.
# Its port is in $relay_port, its process in $relay_pid, its counters come with relay_close.
relay_open() {
    local target=$1
    shift
    relay_port=$(free_port)
    "$build/skyferry-sim" link --listen "127.0.0.1:$relay_port" --to "127.0.0.1:$target" \
        --seed "$seed" "$@" >"$work/relay.json" 2>"$work/relay.err" &
    relay_pid=$!
    helpers+=("$relay_pid")
    within 10 grep -q listening "$work/relay.err" || fail "the relay does not start"
}

# relay_close: end it; $work/relay.json is complete then.
relay_close() {
    kill -INT "$relay_pid" 2>/dev/null
    wait "$relay_pid" 2>/dev/null
}

# counter EXPRESSION: of the relay's counters, where f is the way forward and b the way back.
counter() {
    /usr/bin/python3 -c 'import json, sys
counters = json.load(open(sys.argv[1]))
f, b = counters["forward"], counters["back"]
print(eval(sys.argv[2]))' "$work/relay.json" "$1"
}

# two_nodes_apart RATE OPTION...: ground and sat with a relay between them; sat waits to be called.
two_nodes_apart() {
    local rate=$1
    shift
    make_node ground
    make_node sat
    relay_open "${ports[sat]}" "$@"
    cli ground peer add sat --card "$work/sat.card" --endpoint "127.0.0.1:$relay_port" \
        --rate "$rate" 2>/dev/null
    cli sat peer add ground --card "$work/ground.card" --rate "$rate" 2>/dev/null
    start ground
    start sat
}

# --- Looking ----------------------------------------------------------------

# field NODE ID EXPRESSION: of the transfer t there.
field() {
    cli "$1" status "$2" --json 2>/dev/null | /usr/bin/python3 -c 'import json, sys
try:
    t = json.load(sys.stdin)["transfer"]
    print(eval(sys.argv[1]))
except ValueError:
    print("none")' "$3"
}

# sealed_bytes NODE ID: of all bundles of an outgoing transfer.
sealed_bytes() {
    field "$1" "$2" 't["count"] * t["class_bytes"]'
}

# open_id NODE: the id of the newest transfer that is open there.
open_id() {
    cli "$1" status --json 2>/dev/null | /usr/bin/python3 -c 'import json, sys
try:
    print(json.load(sys.stdin)["transfers"][-1]["id"])
except (ValueError, LookupError):
    pass'
}

# holds NODE ID EXPRESSION: whether the expression on transfer t is true there.
holds() {
    [[ $(field "$1" "$2" "$3") == True ]]
}

# same_sha256 A B
same_sha256() {
    [[ $(sha256sum <"$1") == $(sha256sum <"$2") ]]
}

# nothing_left NODE: no sealed bundle, no staging file, and no journalled transfer is open.
nothing_left() {
    [[ -z $(find "$work/$1/spool" "$work/$1/staging" -type f) ]]
}

# delivered_once PEER-INBOX NAME: exactly one entry of that name or its variants.
delivered_once() {
    [[ $(find "$1" -maxdepth 1 -name "$2*" | wc -l) == 1 ]]
}

# no_crash NODE...: their logs hold nothing that only a bug of ours prints.
no_crash() {
    local node
    for node in "$@"; do
        if grep -E 'assert|Sanitizer|runtime error|Segmentation' "$work/$node.log"; then
            return 1
        fi
    done
}
