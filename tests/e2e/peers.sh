#!/bin/bash
# Who may send what to whom, and how a refusal shows.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

make_node ground
make_node sat
make_node stranger
echo payload >"$work/file"
inbox=$work/sat/inbox

# --- Not allowed ------------------------------------------------------------

introduce ground sat
introduce sat ground --allow receive
start ground
start sat
check_exit 4 "a peer that may not send is refused, and the sender is told" \
    cli ground send "$work/file" --to sat --wait --timeout 30s
check "nothing was delivered" test ! -e "$inbox/ground/file"
# audited NODE EVENT TEXT: whether a record of that event (a pattern) gives that reason.
audited() {
    cli "$1" audit show --json | /usr/bin/python3 -c 'import json, re, sys
text = sys.stdin.read()
at, found, decoder = 0, False, json.JSONDecoder()
def walk(value):
    global found
    if isinstance(value, dict):
        found |= (re.fullmatch(sys.argv[1], str(value.get("event", ""))) is not None
                  and sys.argv[2] in str(value.get("why", "")))
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            walk(one)
while text[at:].strip():
    at += len(text[at:]) - len(text[at:].lstrip())
    value, at = decoder.raw_decode(text, at)
    walk(value)
sys.exit(not found)' "$2" "$3"
}
# why NODE TEXT: whether some transfer or recipient in the status gives that reason.
why() {
    cli "$1" status --all --json | grep -qF -- "$2"
}
check "the sender's status gives the reason" why ground "policy does not allow it"
check "so does its audit log" within 10 audited ground refused "policy does not allow it"
# If the offer of bulk comes in before the grant, that is refused, and its sender stops at that word.
check "and that of the receiver, who decided it" \
    within 10 audited sat "(grant|data)_refused" "does not allow it"
check "the receiver keeps nothing of it" test -z "$(find "$work/sat/spool" "$work/sat/staging" -type f)"
check "allowing it takes effect at once" cli sat peer add ground --allow send,receive
check "then it is delivered" cli ground send "$work/file" --as allowed --to sat --wait --timeout 60s

check "what may be sent to is up to this side too" cli ground peer add sat --allow send
check_exit 4 "a peer that may not receive is not sent to" cli ground send "$work/file" --to sat
cli ground peer add sat --allow send,receive 2>/dev/null

# --- A stranger -------------------------------------------------------------

introduce stranger sat
start stranger
check_exit 3 "a node that the receiver does not know gets no answer" \
    cli stranger send "$work/file" --to sat --wait --timeout 4s
check "nothing of it was delivered" test ! -e "$inbox/stranger"
dark() {
    cli stranger peer list --json | grep -q '"state": "never"'
}
check "the receiver was never heard of" dark
stop stranger

# --- Pre-shared keys --------------------------------------------------------

random_key() {
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}
random_key >"$work/psk.a"
random_key >"$work/psk.b"
check_exit 2 "a key that is none is refused" cli ground peer add sat --psk "$work/file"
check "one side has a key" cli ground peer add sat --psk "$work/psk.a"
check "the other side has another one" cli sat peer add ground --psk "$work/psk.b"
check_exit 4 "a card of another node under the name of a peer is refused" \
    cli ground peer add sat --card "$work/stranger.card"
# Sessions that run were opened under what held then.
stop sat
stop ground
check_exit 4 "without a daemon as well" cli ground peer add sat --card "$work/stranger.card"
start ground
start sat
check_exit 3 "with different keys nothing arrives" \
    cli ground send "$work/file" --as with-psk --to sat --wait --timeout 5s
check "nothing was delivered" test ! -e "$inbox/ground/with-psk"
check "the sender's status says what may be wrong" why ground "pre-shared key differs"
check "the receiver's audit log says that the keys differ" \
    within 20 audited sat call_rejected "pre-shared keys differ"
check "nothing of it is stored" test -z "$(find "$work/sat/spool" "$work/sat/staging" -type f)"
check "the other side gets the right one" cli sat peer add ground --psk "$work/psk.a"
if within 20 test -e "$inbox/ground/with-psk"; then
    ok "then it arrives"
else
    skip "a grant that was refused for its key is not made again when the keys agree"
fi
check "with the same key on both sides files arrive" \
    cli ground send "$work/file" --as same-psk --to sat --wait --timeout 60s
check "to the byte" same "$work/file" "$inbox/ground/same-psk"
# What is left of a key is in the vault: its seed is nowhere, in no form, at neither end.
nowhere() {
    local key=$1 node
    for node in ground sat; do
        ! grep -rqiF -- "$key" "$work/$node" || return 1
        ! /usr/bin/python3 - "$key" "$work/$node" <<'END' || return 1
import os, sys
seed = bytes.fromhex(sys.argv[1])
for where, _, names in os.walk(sys.argv[2]):
    for name in names:
        path = os.path.join(where, name)
        if os.path.isfile(path) and seed in open(path, "rb").read():
            sys.exit(0)
sys.exit(1)
END
    done
}
check "the seed is erased at both ends once it is taken" within 20 nowhere "$(cat "$work/psk.a")"
check "the conf says where it is now" grep -q '^psk = vault$' "$work/sat/peers/ground.conf"
stop sat
stop ground
start ground
start sat
check "after restarts the keys are still there" \
    cli ground send "$work/file" --as psk-again --to sat --wait --timeout 60s
check "to the byte again" same "$work/file" "$inbox/ground/psk-again"
cli sat peer list --json >"$work/list"
check_exit 1 "a key is never shown" grep -q "$(cat "$work/psk.a")" "$work/list"

# --- Several endpoints ------------------------------------------------------

# Nobody listens at the first two; the name has an IPv4 address, and perhaps an IPv6 one as well.
stop sat
cli sat peer add ground --endpoint none 2>/dev/null
check "a peer may have several endpoints" cli ground peer add sat --endpoint "127.0.0.1:$(free_port)" \
    --endpoint "127.0.0.2:${ports[sat]}" --endpoint "localhost:${ports[sat]}"
check "they stand in its file" grep -q "^endpoint = 127.0.0.1:.*, 127.0.0.2:.*, localhost:" \
    "$work/ground/peers/sat.conf"
stop ground
start ground
start sat
check "the one that answers is found" \
    cli ground send "$work/file" --as several --to sat --wait --timeout 60s
at_address() { cli ground peer list --json | grep -q "\"address\": \"127.0.0.1:${ports[sat]}\""; }
check "and shown" at_address
check_exit 2 "the same twice is refused" cli ground peer add sat --endpoint a.example:1 --endpoint a.example:1
cli ground peer add sat --endpoint "127.0.0.1:${ports[sat]}" 2>/dev/null
cli sat peer add ground --endpoint "127.0.0.1:${ports[ground]}" 2>/dev/null

# --- A long round trip --------------------------------------------------------

rtt_is() { cli ground peer list --json | grep -q "\"rtt_ms\": $1"; }
check "a peer far away is given its round trip" cli ground peer add sat --rtt 40min
check "which is kept" rtt_is 2400000
check "and stands in its file" grep -q "^rtt = 2400000ms$" "$work/ground/peers/sat.conf"
check_exit 2 "five hours are refused" cli ground peer add sat --rtt 5h
check "it can be taken away" cli ground peer add sat --rtt none
check "and is gone" rtt_is null

# --- What an earlier peer of the name has left ---------------------------------

make_node iss
add_iss() { cli ground peer add iss --card "$work/iss.card"; }
mkdir "$work/ground/peers/iss.plan" # which cannot be removed as the file that it ought to be
check_exit 1 "an old plan that cannot be removed binds no new peer" add_iss
if says peers/iss.plan; then ok "the plan is named"; else fail "the plan is not named"; fi
check_exit 1 "there is no such peer now" cli ground peer remove iss
stop ground
check_exit 1 "nor without the daemon" add_iss
check_exit 1 "and there is none" cli ground peer remove iss
start ground
rmdir "$work/ground/peers/iss.plan"
echo "nonsense" >"$work/ground/peers/iss.plan"
check "a plan that can be removed is" add_iss
check_exit 1 "and is gone" test -e "$work/ground/peers/iss.plan"

# --- Peers while transfers are open -----------------------------------------

stop sat
id=$(cli ground send "$work/file" --as open --to sat 2>/dev/null)
check_exit 1 "a peer with open transfers is not removed" cli ground peer remove sat
check "cancel the transfer" cli ground cancel "$id"
start sat
finish
