#!/bin/bash
# Contact plans and carried receipts with the real programs on loopback: what is
# refused and how it is said, silence between contacts, a restart between them,
# what past contacts carried, when it will be there; and a one-way link whose
# receipts come back in a file.

# shellcheck source=tests/e2e/lib.sh
source "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

# plan CONTACT...: a plan for node 1 (ground) and node 2 (sat), "START END BYTES/S" from now.
plan() {
    local contact
    for contact in "$@"; do
        # shellcheck disable=SC2086 # three words
        set -- $contact
        echo "a contact +$1 +$2 1 2 $3"
        echo "a contact +$1 +$2 2 1 $3"
        echo "a range +$1 +$2 1 2 0.001"
    done
}

# ask NODE EXPRESSION COMMAND...: a Python expression over the JSON `d` that the command prints.
ask() {
    local node=$1 expression=$2
    shift 2
    cli "$node" "$@" --json | /usr/bin/python3 -c "import json, sys; d = json.load(sys.stdin); print($expression)"
}

sets() {
    cli "$1" contacts set "$2" --plan "$3" --from "$4" --to "$5" "${@:6}"
}

two_nodes

# said SENTENCE TEXT: the last checked command has said TEXT.
said() {
    if says "$2"; then
        ok "$1"
    else
        fail "$1 (it does not say '$2')"
        sed 's/^/     | /' "$work/check.out" | tail -n 5
    fi
}

# --- Mistakes ---------------------------------------------------------------------

plan "2 5 1000000" >"$work/good.ion"
sed 's/^a range.*/a range +0 +9 1 2 lightyears/' "$work/good.ion" >"$work/bad.ion"
check_exit 1 "a plan with a mistake is refused" sets ground sat "$work/bad.ion" 1 2
said "... with file, line and value" "bad.ion:3: "
said "... and the value" lightyears
check_exit 1 "a node that the plan does not have is refused" sets ground sat "$work/good.ion" 1 7
said "... and named" "to = 7"
check_exit 2 "a gateway without a port is refused" sets ground sat "$work/good.ion" 1 2 --gateway 1=host
check_exit 1 "a gateway of a strange node is refused" \
    sets ground sat "$work/good.ion" 1 2 --gateway 9=127.0.0.1:7
check_exit 1 "a plan of which all is over is refused" \
    sets ground sat "$work/good.ion" 1 2 --reference 2020-01-01
said "... and what to do is said" "--reference"
check_exit 1 "a plan for a peer that is none is refused" sets ground nobody "$work/good.ion" 1 2
check_exit 2 "a plan without its nodes is refused" cli ground contacts set sat --plan "$work/good.ion"
check "no mistake has left a plan" test ! -e "$work/ground/peers/sat.plan"
check "... and the peer has none" test "$(ask ground 'd["peers"][0]["state"]' contacts)" = none

# --- A transfer over two contacts ----------------------------------------------------

head -c 5000000 /dev/urandom >"$work/model.bin"
# The first begins when all that is asked before it is surely done, on a slow machine too.
plan "10 13 1000000" "24 124 1000000" >"$work/two.ion"
check "a plan is taken" sets ground sat "$work/two.ion" 1 2
check "... and at the other end" sets sat ground "$work/two.ion" 2 1
check "... and shown" test "$(ask ground 'd["peers"][0]["state"], d["peers"][0]["to_come"]' contacts sat)" = "waiting 2"
id=$(cli ground send "$work/model.bin" --to sat 2>/dev/null)
check "status says when it will be there" cli ground status "$id"
said "... by the plan" "by its contact plan"
check "... to programs as well" test "$(ask ground \
    'd["transfer"]["recipients"][0]["plan"]["within"] and d["transfer"]["eta_s"] > 0' status "$id")" = True
head -c 1000 /dev/urandom >"$work/small.bin"
check_exit 6 "a deadline that the plan cannot meet is told when the file is in custody" \
    cli ground send "$work/small.bin" --as hurried --to sat --deadline +1s
said "... and what can be done" "skyferry cancel"
hurried=$(ask ground '[t["id"] for t in d["transfers"] if t["label"] == "hurried"][0]' status)
check "... and by status" test "$(ask ground 'd["transfer"]["late"]' status "$hurried")" = True
check "... which says so" cli ground status "$hurried"
said "... in words" "it will be there too late"
check "it can be taken back" cli ground cancel "$hurried"
check_exit 0 "a deadline that can be met is taken" \
    cli ground send "$work/small.bin" --as calm --to sat --deadline +1h
calm=$(ask ground '[t["id"] for t in d["transfers"] if t["label"] == "calm"][0]' status)
check "... and status says that" test "$(ask ground 'd["transfer"]["late"], d["transfer"]["deadline_ms"] > 0' \
    status "$calm")" = "False True"
check_exit 2 "a deadline that is no moment is refused" cli ground send "$work/small.bin" --to sat --deadline soon

phase() {
    [[ $(ask ground 'd["peers"][0]["state"]' contacts sat) == "$1" ]]
}
out_bytes() {
    ask ground 'd["peers"][0]["link"]["bytes_out"]' peer list
}
is_past() {
    [[ $(ask ground 'd["peers"][0]["contacts"][0]["state"]' contacts sat) == past ]]
}
check "the first contact comes and goes" within 30 is_past
before=$(out_bytes)
sleep 1
after=$(out_bytes)
if phase waiting; then
    check "between contacts not a byte goes out" test "$after" = "$before"
else
    skip "the machine is too slow to look between two contacts"
fi
check "the first contact has carried something, and not more than it can" test "$(ask ground \
    '0 < d["peers"][0]["contacts"][0]["bytes_out"] <= 3000000' contacts sat)" = True
check "it is not there yet" is_state ground "$id" custody
stop ground KILL
start ground
check "a restart keeps the plan" test "$(ask ground 'd["peers"][0]["state"]' contacts sat)" != none
check "the rest goes in the second contact" cli ground status "$id" --wait
check "what arrived is what was sent" same "$work/model.bin" "$work/sat/inbox/ground/model.bin"
check "contacts are listed" cli ground contacts sat
said "... with what they carried" "MiB"

# A transfer that is too large for what is left of the plan.
head -c 60000000 /dev/zero >"$work/large.bin"
cli ground send "$work/large.bin" --to sat >/dev/null 2>&1
head -c 100000000 /dev/urandom >"$work/larger.bin"
id=$(cli ground send "$work/larger.bin" --to sat 2>/dev/null)
check "a transfer beyond the plan is said to be one" cli ground status "$id"
said "... in words" "not within"
cli ground cancel "$id" 2>/dev/null
cp "$work/ground/peers/sat.plan" "$work/kept.plan"
plan "600 700 1000000" "800 900 1000000" "1000 1100 1000000" | sed 's/^/# /' >"$work/comments"
{
    sed '/^---/q' "$work/kept.plan"
    sed 's/^# //; s/+600/+86400/; s/+700/+86500/' "$work/comments"
} | sed "s/^reference.*/reference = $(date +%s)/" >"$work/ground/peers/sat.plan"
kill -HUP "${pids[ground]}"
to_come() {
    [[ $(ask ground 'd["peers"][0]["to_come"]' contacts sat) == "$1" ]]
}
check "a plan that was edited is followed at SIGHUP" within 10 to_come 3
printf 'nonsense\n' >>"$work/ground/peers/sat.plan"
kill -HUP "${pids[ground]}"
check "one with a mistake is told of" within 10 grep -q "peers/sat.plan:" "$work/ground.log"
check "... and the one before stays" to_come 3
check "a plan is cleared" cli ground contacts clear sat
check "... from the home as well" test ! -e "$work/ground/peers/sat.plan"
check "... and the peer is reached at any time" phase none
check "an unplanned peer is shown as well" cli ground contacts
said "... as one" "no contact plan"
stop ground
check "a plan is set without a daemon" sets ground sat "$work/two.ion" 1 2
check "... in its file" grep -q '^from = 1$' "$work/ground/peers/sat.plan"
printf 'from = 1\nto = 2\nformat = ion\n---\na contact +0\n' >"$work/ground/peers/sat.plan"
check_exit 1 "a daemon with a damaged plan does not start" timeout 20 "$build/skyferryd" \
    --home "$work/ground" --listen "127.0.0.1:${ports[ground]}"
said "... and says where" "peers/sat.plan:5"
cli ground peer remove sat 2>/dev/null
check "a removed peer leaves no plan" test ! -e "$work/ground/peers/sat.plan"
stop sat

# --- One way ---------------------------------------------------------------------------

# A relay that carries datagrams to port $2 and nothing back.
one_way() {
    exec /usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind(("127.0.0.1", int(sys.argv[1])))
to = ("127.0.0.1", int(sys.argv[2]))
while True:
    data, source = s.recvfrom(65536)
    if source != to:
        s.sendto(data, to)' "$1" "$2"
}
make_node up
make_node down
relay=$(free_port)
one_way "$relay" "${ports[down]}" &
helpers+=($!)
cli up peer add down --card "$work/down.card" --endpoint "127.0.0.1:$relay" --rate 10Mbit \
    --return none 2>/dev/null
cli down peer add up --card "$work/up.card" 2>/dev/null
start up
start down
head -c 1000000 /dev/urandom >"$work/small.bin"
id=$(cli up send "$work/small.bin" --to down 2>/dev/null)
check "a file goes one way" within 120 is_state down "$id" done
check "... whole" same "$work/small.bin" "$work/down/inbox/up/small.bin"
check "the sender cannot know" is_state up "$id" custody
cli down receipt export "$id" >"$work/receipt" 2>"$work/receipt.err"
check "the receiver writes its receipt" test -s "$work/receipt"
check_exit 1 "a receipt is not written over a file" cli down receipt export "$id" --out "$work/receipt"
check_exit 1 "the sender has none to give" cli up receipt export "$id" --out "$work/none"
/usr/bin/python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[2], "wb").write(data)' "$work/receipt" "$work/forged"
check_exit 4 "a changed receipt is refused" cli up receipt import "$work/forged"
head -c 500 "$work/receipt" >"$work/short"
check_exit 1 "a receipt cut short is refused" cli up receipt import "$work/short"
check_exit 5 "an empty one as well" cli up receipt import /dev/null
check_exit 4 "a receipt for another node is refused" cli down receipt import "$work/receipt"
check "and it is still in custody" is_state up "$id" custody
check "the receipt is taken" cli up receipt import "$work/receipt"
check "... and the transfer is done" within 10 is_state up "$id" done
check "a receipt may come twice" cli up receipt import - <"$work/receipt"

finish
