#!/bin/bash
# The daemon in its walls: what the kernel says of the process, what works inside them, and
# whom it becomes when root starts it.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-.}/tests/e2e/lib.sh"

make_node ground
mkdir "$work/outbox" "$work/outside"
echo "outbox = $work/outbox" >>"$work/ground/config"
make_node sat
introduce ground sat
introduce sat ground
start ground
start sat

# status_of FIELD: of the daemon's process, as the kernel has it.
status_of() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/${pids[ground]}/status"
}

check_equal() {
    if [[ $2 == "$3" ]]; then
        ok "$1"
    else
        fail "$1: \"$2\", not \"$3\""
    fi
}

confined=$(cli ground doctor --json | /usr/bin/python3 -c 'import json, sys
print([c["level"] for c in json.load(sys.stdin)["checks"] if c["subject"] == "confinement"][0])')
if grep -q "confined, and tried" "$work/ground.log"; then
    check_equal "the kernel filters its calls" "$(status_of Seccomp)" 2
    check_equal "doctor sees it" "$confined" ok
else
    skip "$(grep -o 'not confined.*\|confined in part.*' "$work/ground.log")"
    check_equal "doctor warns of it" "$confined" warning
fi
check_equal "it can gain no rights" "$(status_of NoNewPrivs)" 1
check_equal "it has no capability" "$(status_of CapPrm)" 0000000000000000
check_equal "nor can it get one" "$(status_of CapEff)" 0000000000000000

read -r resolver _ <"/proc/${pids[ground]}/task/${pids[ground]}/children"
if [[ -n $resolver ]]; then
    ok "names are looked up by a process of its own"
    if [[ -r /proc/$resolver/fd ]]; then
        open=$(find "/proc/$resolver/fd" -mindepth 1 -printf '%l\n' 2>/dev/null | grep -c "$work/ground/")
        check_equal "which has nothing of the home open" "$open" 0
    fi
else
    fail "there is no process that looks up names"
fi
check "an endpoint may be a name" \
    cli ground peer add sat --endpoint "localhost:${ports[sat]}"

head -c 300000 /dev/urandom >"$work/outbox/model.bin"
cp "$work/outbox/model.bin" "$work/outside/"
send_path() {
    curl --silent --show-error --fail-with-body --max-time 30 \
        --unix-socket "$work/ground/control.sock" -H 'Content-Type: application/json' \
        -d "{\"to\": [\"sat\"], \"paths\": [\"$1\"]}" http://localhost/v1/transfers
}
check "a file of an outbox is sent by its path" send_path "$work/outbox/model.bin"
check_exit 22 "one beside it is not" send_path "$work/outside/model.bin"
check "and arrives" within 30 same "$work/outbox/model.bin" "$work/sat/inbox/ground/model.bin"
check "what a caller hands over arrives too" cli ground send "$work/outside/model.bin" --to sat --wait

stop ground
echo 'confine = no' >>"$work/ground/config"
start ground
check "confine = no is said in the log" grep -q "not confined, as the config says" "$work/ground.log"
stop ground
sed -i 's/^confine = no/confine = maybe/' "$work/ground/config"
check_exit 1 "another value is refused" "$build/skyferryd" --home "$work/ground"
says "expected auto, yes or no" && ok "with what is accepted" || fail "without what is accepted"
stop sat

if [[ $(id -u) != 0 ]]; then
    skip "becoming the owner of a home needs root"
elif ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$build/skyferryd"; then
    skip "the programs are where other users cannot reach them"
else
    mkdir "$work/other"
    chown 65534:65534 "$work/other"
    setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$build/skyferry" --home "$work/other/home" init --name other >/dev/null 2>&1
    ln -s "$work/other/home" "$work/owned"
    ports[owned]=$(free_port)
    start owned
    check_equal "started by root it is the owner of the home" \
        "$(sed -n 's/^Uid:[[:space:]]*//p' "/proc/${pids[owned]}/status" | tr '\t' ' ')" \
        "65534 65534 65534 65534"
    check_equal "and so is all it makes" \
        "$(find "$work/other/home" ! -uid 65534 | wc -l)" 0
    stop owned
fi
finish
