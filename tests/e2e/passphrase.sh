#!/bin/bash
# A node whose keys are sealed under a passphrase: who has it, who has not, and what the disk shows.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-.}/tests/e2e/lib.sh"

echo "correct horse battery" >"$work/right"
echo "wrong" >"$work/wrong"
unset SKYFERRY_PASSPHRASE_FILE CREDENTIALS_DIRECTORY
ports[ground]=$(free_port)
check "a node is made with a passphrase" \
    cli ground init --name ground --passphrase-file "$work/right"
grep '^skyferry-card-1:' "$work/check.out" >"$work/ground.card"
printf 'reserve = 16MiB\n' >>"$work/ground/config"
make_node sat

# with FILE COMMAND...: the passphrase from a file, no terminal.
with() {
    SKYFERRY_PASSPHRASE_FILE=$1 setsid --wait "${@:2}" </dev/null
}
card() {
    with "$1" "$build/skyferry" --home "$work/ground" card
}
check_exit 4 "without it nothing opens the keys" \
    setsid --wait "$build/skyferry" --home "$work/ground" card </dev/null
if says SKYFERRY_PASSPHRASE_FILE; then ok "and what to do is said"; else fail "not what to do"; fi
check_exit 4 "another one does not open them" card "$work/wrong"
check "the right one does" card "$work/right"
check "and it is the same node" test "$(card "$work/right")" = "$(cat "$work/ground.card")"
check_exit 1 "the daemon does not start without it" \
    setsid --wait "$build/skyferryd" --home "$work/ground" </dev/null

introduce ground sat
introduce sat ground
export SKYFERRY_PASSPHRASE_FILE=$work/right
start ground
unset SKYFERRY_PASSPHRASE_FILE
head -c 200000 /dev/urandom >"$work/model"
check "a file is in custody" cli ground send "$work/model" --to sat
check_exit 1 "a running daemon's keys are left alone" \
    with "$work/right" "$build/skyferry" --home "$work/ground" passphrase --new "$work/wrong"
stop ground KILL

# Magic numbers of key files in the clear: a bare KEK has version 1.
is_sealed() {
    /usr/bin/python3 - "$work/ground" <<'PYTHON'
import sys
home = sys.argv[1]
keys = open(home + "/keys", "rb").read()
kek = open(home + "/kek", "rb").read()
blocks = [kek[i:i + 4096] for i in range(0, len(kek), 4096) if kek[i]]
assert keys.startswith(b"skyferry-sealed\0")
assert blocks and all(b[16:20] == b"\0\0\0\2" and b[32:48] == b"skyferry-sealed\0" for b in blocks)
PYTHON
}
check "neither keys nor the vault's key stand on the disk in the clear" is_sealed

mkdir "$work/credentials"
cp "$work/right" "$work/credentials/skyferry.passphrase"
check "it is changed with the one before" \
    with "$work/right" "$build/skyferry" --home "$work/ground" passphrase --new "$work/wrong"
check_exit 4 "which opens nothing any more" card "$work/right"
cp "$work/wrong" "$work/credentials/skyferry.passphrase"
export CREDENTIALS_DIRECTORY=$work/credentials
start ground
unset CREDENTIALS_DIRECTORY
start sat
check "with the new one, as a credential, custody goes on and the file arrives" \
    within 60 same "$work/model" "$work/sat/inbox/ground/model"
stop ground
check "it is removed" \
    with "$work/wrong" "$build/skyferry" --home "$work/ground" passphrase --remove
start ground
ok "and the daemon starts without one"
stop ground
stop sat

check "a node of before gets one" \
    with /dev/null "$build/skyferry" --home "$work/sat" passphrase --new "$work/right"
export SKYFERRY_PASSPHRASE_FILE=$work/right
start sat
check "what was there before is there" test -f "$work/sat/inbox/ground/model"
stop sat
finish
