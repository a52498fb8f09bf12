#!/bin/bash
# skyferry-sim run: the answers, their exit codes, JSON, the page, and what is refused.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

sim=$build/skyferry-sim
tests=$(cd "$(dirname "$0")" && pwd)
cd "$work" || exit 1

# run CODE SENTENCE ARGUMENT...: `skyferry-sim run` exits with CODE; run.out keeps what it said.
run() {
    local wanted=$1 sentence=$2 got=0
    shift 2
    timeout 120 "$sim" run "$@" >run.out 2>&1 || got=$?
    check "$sentence" test "$got" == "$wanted"
}

# tells TEXT: whether the last run said so.
tells() {
    grep -F -- "$1" run.out || { cat run.out && false; }
}

# json EXPRESSION: whether it holds of the answer `d` of the last run.
json() {
    /usr/bin/python3 -c 'import json, sys
d = json.load(open("run.out"))
sys.exit(not eval(sys.argv[1]))' "$1"
}

page() {
    /usr/bin/python3 "$tests/check_page.py" "$@"
}

# --- Answers -----------------------------------------------------------------

run 0 "a file is delivered over a geostationary link" \
    --size 3MB --profile geo-vsat --report page.html
check "the answer is a sentence with its time" tells "There after "
check "the page is well-formed, stands alone and has its plots" \
    page page.html 6

run 0 "the answer is there as JSON" --size 1MB --set rate=10Mbit --json
check "every byte was compared" json 'd["receivers"][0]["compared_bytes"] == 1000000'
check "what was sent is counted" json 'd["outcome"] == "delivered" and d["sent_bytes"] > 1000000'
check "the JSON has its version" json 'd["version"] == 1 and not d["estimate"]'
cp run.out first.json
"$sim" run --size 1MB --set rate=10Mbit --json >second.json
check "the same question has the same answer" cmp first.json second.json

run 0 "real ciphers and contents may be asked for" \
    --size 4MB --set rate=10Mbit --set loss=2% --set corrupt=1% --real --json
cp run.out real.json
run 0 "without them the same is played out" \
    --size 4MB --set rate=10Mbit --set loss=2% --set corrupt=1% --json
check "and the answer is the same in every figure" cmp real.json run.out

printf 'title = Two passes\nsize = 4MB\nprofile = thin.profile\nreceivers = 2\n' >two.scenario
printf 'link.contact = 0s+2s\nlink.contact = 30s+1min\n' >>two.scenario
printf 'rate = 10Mbit\ndelay = 20ms\n' >thin.profile
mkdir elsewhere && cp two.scenario thin.profile elsewhere/
run 0 "a scenario of a file has two receivers and two contacts" \
    elsewhere/two.scenario --json --report two.html
check "both receivers have it, each after two contacts" \
    json 'len(d["receivers"]) == 2 and all(r["contacts"] == 2 for r in d["receivers"])'
check "its page is well-formed" page two.html 6
run 0 "options overrule the file" \
    elsewhere/two.scenario --size 1MB --receivers 1 --json
check "the options count" json 'd["plain_bytes"] == 1000000 and len(d["receivers"]) == 1'

# --- Contact plans ---

cat >plan.ion <<'END'
# node 1 is north
# node 2 is south
# node 9 is bird
a contact 2026/11/23-00:00:00 2026/11/23-00:00:20 1 9 250000
a contact 2026/11/23-00:00:00 2026/11/23-00:00:20 9 1 250000
a contact 2026/11/23-01:00:00 2026/11/23-01:00:20 2 9 250000
a contact 2026/11/23-01:00:00 2026/11/23-01:00:20 9 2 250000
a range 2026/11/23-00:00:00 2026/11/23-02:00:00 1 9 0.005
END
mkdir plans && cp plan.ion plans/ && printf 'size = 6MB\nplan = plan.ion\n' >plans/plan.scenario
run 0 "a plan is followed through its stations" plans/plan.scenario --json --report plan.html
check "each contact has its station" \
    json '[c["station"] for c in d["contacts"]] == ["north", "south"]'
check "the receiver has its name" json 'd["receivers"][0]["name"] == "bird"'
check "nothing was sent into the dark" json 'd["dark_datagrams"] == 0'
check "its page is well-formed" page plan.html 6
run 0 "a plan may be an option, and its receiver be named" \
    --size 6MB --plan plan.ion --receiver 9 --estimate
check "the table shows stations" tells "south"
"$sim" passes --tle "$tests/../vectors/passes.tle" --satellite LOW --from 2026-11-23 \
    --station berlin:52.5,13.4,40,10 --up 2Mbit --down 20Mbit --format hdtn >passes.json
run 0 "passes are a plan" --size 50MB --plan passes.json
run 6 "what a plan cannot carry is said" --size 50MB --plan plan.ion
check "with what it carries" tells "together carry 10000000 bytes at most"
echo 'a contact +0 +5 1 9 fast' >bad.ion
run 2 "a mistake in a plan is told" --size 1MB --plan bad.ion
check "with file, line, value and what is accepted" tells 'bad.ion:1: "fast" is not accepted: give'
run 2 "a receiver that is not in the plan is told" --size 1MB --plan plan.ion --receiver 7
check "with those that are" tells 'plan.ion: there is no node "7"; its nodes are 1, 9, 2'
run 1 "a plan that is not there is told" --size 1MB --plan nowhere.ion

# --- Estimates ---------------------------------------------------------------

began=$SECONDS
run 0 "a month of passes is estimated" \
    --size 140GB --profile leo-pass --estimate --json --report month.html
check "the estimate says that it is one" json 'd["estimate"] and "estimated" in d["answer"]'
check "it counts the passes" json '150 < d["receivers"][0]["contacts"] < 250'
check "its page is well-formed" page month.html 6
check "an estimate takes no time worth speaking of" test $((SECONDS - began)) -le 10

# --- Never, and not in time ---------------------------------------------------

run 6 "a path that loses everything never delivers" --size 1MB --set loss=100%
check "and says why" tells "Never, because the way back from sat-1 loses everything"
run 6 "contacts that carry too little are added up" \
    --size 10MB --set rate=1Mbit --set contact=0s+9s --report never.html
check "with the sum" tells "together carry 1125000 bytes at most"
check "a page without plots is well-formed" \
    page never.html 0
run 6 "a file may be too late" --size 10MB --set rate=10Mbit --set loss=40% --until 9s
check "and it is said how" tells "Not in time, because"

# --- Mistakes ------------------------------------------------------------------

printf 'size = 1MB\n\nrate = fast\n' >bad.scenario
run 2 "a mistake in a scenario is told" bad.scenario
check "with file, line, value and what is accepted" \
    tells 'bad.scenario:3: rate: "fast" is not accepted: give a rate such as 20Mbit'
run 2 "a mistake in an option is told" --size many
check "with its value" tells '--size: "many" is not accepted'
run 2 "a mistake in a setting is told" --size 1MB --set loss=200%
check "with what is accepted" tells "a share from 0% to 100%"
run 2 "an unknown profile is told" --size 1MB --profile nowhere
check "with where to find them" tells "skyferry-sim profiles"
run 2 "no size is told" --profile clean
run 2 "two scenarios are one too many" two.scenario two.scenario
run 1 "a scenario that is not there is told" nowhere.scenario
run 1 "a page that cannot be written is told" \
    --size 1MB --report "$work/nowhere/page.html"

finish
