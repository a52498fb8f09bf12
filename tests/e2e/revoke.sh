#!/bin/bash
# The end of trust with the real programs: a peer is revoked while a transfer runs, without a daemon
# and over restarts; a lost node is replaced as docs/SECURITY.md says; prekeys are replaced on request.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

make_node ground
make_node sat
introduce ground sat
introduce sat ground
# So slow that there is time.
cli ground peer add sat --rate 8Mbit 2>/dev/null
start ground
start sat
head -c 8000000 /dev/urandom >"$work/file"

# A member of the first (or only) transfer that `status --all` of a node shows.
of_transfer() {
    cli "$1" status --all --json 2>/dev/null | /usr/bin/python3 -c 'import json, sys
transfers = json.load(sys.stdin)["transfers"]
value = transfers[0] if transfers else {}
for name in sys.argv[1:]:
    value = value[int(name)] if isinstance(value, list) else value.get(name, "none")
print(value)' "${@:2}"
}
has() { # NODE VALUE MEMBER...
    [[ $(of_transfer "$1" "${@:3}") == "$2" ]]
}
some_held() {
    [[ $(of_transfer sat held) =~ ^[1-9] ]]
}
# told SENTENCE TEXT: the last checked command said so.
told() {
    if says "$2"; then
        ok "$1"
    else
        fail "$1"
    fi
}
audited() { # NODE EVENT
    cli "$1" audit show --json | grep -q "\"event\": \"$2\""
}
fingerprint() {
    cli "$1" card --json | sed -n 's/.*"fingerprint": "\([0-9a-f]*\)".*/\1/p'
}

# --- While it runs ----------------------------------------------------------

check "a transfer is under way" cli ground send "$work/file" --to sat
check "the receiver holds part of it" within 30 some_held
check "the receiver revokes the sender" cli sat peer revoke ground
told "it says how many transfers ended" "1 of its transfers ended"
check "there the transfer has failed" has sat failed state
check "the status says why" has sat "its sender was revoked here" why
check "nothing of it is kept" within 10 test -z "$(find "$work/sat/spool" "$work/sat/staging" -type f)"
check "the audit log has it" within 10 audited sat revoked
check "the list of peers shows that it is none any more" grep -q "Revoked: ground" <(cli sat peer list 2>&1)
check "its files in peers/ are gone but for the mark" test "$(ls "$work/sat/peers")" = "$(fingerprint ground).revoked"
check_exit 1 "nothing can be sent to it" cli sat send "$work/file" --to ground

# The sender learns nothing: for it the receiver went dark.
is_dark() {
    cli ground peer list --json | grep -q '"state": "dark"'
}
check "to the sender the receiver is dark" within 30 is_dark
before=$(cli ground peer list --json | grep '"dgrams_in"')
sleep 3
check "not one datagram comes back" test "$before" = "$(cli ground peer list --json | grep '"dgrams_in"')"

# --- Over a restart -----------------------------------------------------------

stop sat KILL
start sat
check "after a kill and a restart it is still revoked" grep -q "Revoked: ground" <(cli sat peer list 2>&1)
sleep 2
check "and still nothing comes back" test "$before" = "$(cli ground peer list --json | grep '"dgrams_in"')"
check "its transfer stays ended" has sat failed state
cp "$work/ground.card" "$work/alias.card"
check_exit 4 "its card is refused, under any name" cli sat peer add other --card "$work/alias.card"
told "with what to do about it" "--readmit"
stop sat
check_exit 4 "also without a daemon" cli sat peer add ground --card "$work/ground.card"
check "and the list shows it" grep -q "Revoked: ground" <(cli sat peer list 2>&1)
cp "$work/ground.card" "$work/sat/peers/ground.card"
printf 'endpoint = 127.0.0.1:%s\nrate = 8Mbit\n' "${ports[ground]}" >"$work/sat/peers/ground.conf"
start sat
check "files put back by hand let nobody in either" test ! -e "$work/sat/peers/ground.conf"
check_exit 4 "nor does the daemon" cli sat peer add ground --card "$work/ground.card"

# --- Trusted again, on purpose ------------------------------------------------

check "with an explicit word it is a peer again" cli sat peer add ground --card "$work/ground.card" \
    --endpoint "127.0.0.1:${ports[ground]}" --rate 400Mbit --readmit
check "the audit log has that too" within 10 audited sat readmitted
check "the receiver's refusal reaches the sender now" within 60 has ground refused recipients 0 state
cli ground cancel "$(of_transfer ground id)" 2>/dev/null
echo small >"$work/small"
check "and what is sent anew is delivered" cli ground send "$work/small" --to sat --wait --timeout 60s

# --- Without a daemon: a lost node, and the one that takes its place ------------

# The procedure of docs/SECURITY.md, "A node's keys are lost or stolen".
stop sat
check "something waits for a node that is lost" cli ground send "$work/file" --to sat --as waits
stop ground
check "its peer revokes it while no daemon runs" cli ground peer revoke "$(fingerprint sat)"
told "what that means is said" "its transfers end when one starts"
start ground
waits() { # the newest transfer of ground
    cli ground status --all --json | /usr/bin/python3 -c 'import json, sys
t = json.load(sys.stdin)["transfers"]
assert any(x["state"] == "cancelled" and "revoked" in x["why"] for x in t), t'
}
check "at the start its transfers end, with the reason" within 20 waits
check "the audit log has the revocation" within 10 audited ground revoked
check "and the transfer's end" within 10 audited ground recipient_revoked
check "the log is whole" cli ground audit verify

mv "$work/sat" "$work/sat.lost"
cli sat init --name sat >"$work/sat.card" 2>/dev/null
printf 'reserve = 16MiB\n' >>"$work/sat/config"
check "the new node's card is taken under the same name" introduce ground sat
introduce sat ground
start sat
check "what is sent again is delivered there" cli ground send "$work/file" --to sat --wait --timeout 60s
check "whole" cmp "$work/file" "$work/sat/inbox/ground/file"

# --- New prekeys on request -----------------------------------------------------

issue() {
    cli sat card --json | sed -n 's/.*"issue": \([0-9]*\).*/\1/p'
}
check "prekeys are replaced while the daemon runs" cli sat key rotate
check "the card has a new issue" test "$(issue)" = 2
check "what is sent to the old ones arrives" cli ground send "$work/small" --as early --to sat --wait --timeout 60s
stop sat
check "they are replaced without a daemon" cli sat key rotate
check "the card has a newer issue" test "$(issue)" = 3
start sat
learnt() {
    grep -q "new card" "$work/ground.log"
}
check "what is sent next arrives" cli ground send "$work/small" --as late --to sat --wait --timeout 60s
check "the peer has learnt the new card" within 60 learnt
finish
