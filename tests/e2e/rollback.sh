#!/bin/bash
# A home that is put back from a copy, and a copy that runs beside it, with the real programs: noticed
# although it was started exactly as often as before, said in the audit logs, nothing lost or used again.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

two_nodes
for i in 1 2 3 4 5; do
    head -c $((100000 + i)) /dev/urandom >"$work/file$i"
done
deliver() { # NUMBER: file NUMBER from ground to sat, with a receipt
    cli ground send "$work/file$1" --to sat --wait --timeout 60s
}
arrived() {
    cmp "$work/file$1" "$work/sat/inbox/ground/file$1"
}
audited() { # NODE EVENT
    cli "$1" audit show --json | grep -q "\"event\": \"$2\""
}
times() { # NODE EVENT: so many records of it
    cli "$1" audit show --json | grep -c "\"event\": \"$2\""
}

# --- The sender's home is put back --------------------------------------------

check "a first file arrives" deliver 1
stop ground
cp -a "$work/ground" "$work/ground.image"
start ground
check "a second one, after the copy was made" deliver 2
stop ground
rm -rf "$work/ground"
cp -a "$work/ground.image" "$work/ground"
# As many starts as before: no number tells the two apart.
start ground
check "what the restored node sends arrives" deliver 3
check "whole" arrived 3
check "it has noticed, and has it on record" within 20 audited ground restored
check "so has its peer" within 20 audited sat peer_restored
check "nothing that was delivered is delivered again" test "$(times sat delivered)" = 3
check "its log is whole" cli ground audit verify
check "the peer's too" cli sat audit verify

# --- The receiver's home is put back --------------------------------------------

stop sat
cp -a "$work/sat" "$work/sat.image"
start sat
check "another file arrives" deliver 4
stop sat
rm -rf "$work/sat"
cp -a "$work/sat.image" "$work/sat"
start sat
check "what is sent to the restored node arrives" deliver 5
check "whole" arrived 5
check "it has noticed" within 20 audited sat restored
check "and its sender" within 20 audited ground peer_restored
check "what the copy had not yet is what the sender has a receipt for" \
    test "$(times ground final)" -ge 4

# --- A copy runs beside it -------------------------------------------------------

stop ground
cp -a "$work/ground" "$work/copy"
ports[copy]=$(free_port)
start ground
check "before the copy runs a file arrives" cli ground send "$work/file1" --as before --to sat --wait --timeout 60s
start copy
calls() {
    grep -q "calls as another life" "$work/sat.log"
}
check "the peer notices that a second one calls" within 30 calls
check "and has it on record" within 20 audited sat peer_refused
heard() {
    cli copy peer list --json | grep -q '"dgrams_in": 0'
}
check "the copy, at an address that nobody was told of, gets not a datagram" heard
check "the true one goes on" cli ground send "$work/file2" --as beside --to sat --wait --timeout 60s
check "whole" cmp "$work/file2" "$work/sat/inbox/ground/beside"
check "it learns of the copy" within 60 audited ground copy_runs
check "what the copy sends stays in its custody" test \
    "$(cli copy send "$work/file3" --as lost --to sat --wait --timeout 5s >/dev/null 2>&1; echo $?)" = 3

# Whoever wants the copy to take its place stops the other one and says where it is.
stop ground
check "the peer is told of the new address" cli sat peer add ground --endpoint "127.0.0.1:${ports[copy]}"
copied() {
    test -e "$work/sat/inbox/ground/lost"
}
check "then what it had in custody arrives" within 60 copied
check "whole" cmp "$work/file3" "$work/sat/inbox/ground/lost"
check "it knows that it was restored" within 20 audited copy restored
for node in sat copy; do
    check "the log of $node is whole" cli "$node" audit verify
done
finish
