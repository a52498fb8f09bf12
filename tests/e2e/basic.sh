#!/bin/bash
# A new user's first hour: two nodes, a file, a directory, odd names, and what
# is said when something is wrong.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

# --- Making nodes -----------------------------------------------------------

make_node ground
make_node sat
check "init makes a home for its owner alone" test "$(stat -c %a "$work/ground")" = 700
check "init makes keys for their owner alone" test "$(stat -c %a "$work/ground/keys")" = 600
check "init prints the card" grep -q '^skyferry-card-1:' "$work/ground.card"
cp "$work/ground/keys" "$work/keys.before"
check_exit 1 "init refuses to overwrite a node" cli ground init --name other
check "init left the keys as they were" cmp "$work/keys.before" "$work/ground/keys"
check_exit 2 "init refuses a bad name, by name" cli third init --name 'a b'
says "a b" || fail "the bad name is not named"
check "card needs no daemon" cli ground card --out "$work/again.card"
check "the card is that of init" cmp "$work/again.card" "$work/ground.card"

check_exit 1 "without a daemon status says how to start one" cli ground status
says "skyferryd --home" || fail "the message does not say how to start the daemon"
check_exit 1 "without a node it is said how to make one" cli nowhere status
says "init" || fail "the message does not say init"

# --- Peers ------------------------------------------------------------------

introduce ground sat
check "a peer is added without a daemon" grep -q sat <(cli ground peer list)
check_exit 2 "a peer needs a card" cli ground peer add third
head -c 100 "$work/sat.card" >"$work/cut.card"
check_exit 5 "a damaged card is refused" cli ground peer add third --card "$work/cut.card"
check_exit 2 "a rate without a unit is refused" cli ground peer add sat --rate 100
check_exit 4 "another node's card does not replace a peer's" \
    cli ground peer add sat --card "$work/ground.card"
start ground
start sat
check "a peer is added through the daemon, its card from standard input" \
    cli sat peer add ground --card - --endpoint "127.0.0.1:${ports[ground]}" <"$work/ground.card"

# --- A file and a directory -------------------------------------------------

head -c 3000000 /dev/urandom >"$work/model.bin"
chmod 755 "$work/model.bin"
touch -d '2020-02-02 02:02:02 UTC' "$work/model.bin"
check "a file is sent and waited for" cli ground send "$work/model.bin" --to sat --wait
check "the file arrived whole" same "$work/model.bin" "$work/sat/inbox/ground/model.bin"
if [[ -x $work/sat/inbox/ground/model.bin ]]; then
    ok "it is executable there too"
else
    skip "the receiver does not set the executable bit"
fi
if [[ $(stat -c %Y "$work/sat/inbox/ground/model.bin") == $(stat -c %Y "$work/model.bin") ]]; then
    ok "its time is that of the source"
else
    skip "the receiver does not set the time of the source"
fi

mkdir -p "$work/run 7/shards"
for i in 1 2 3; do
    head -c $((i * 700000)) /dev/urandom >"$work/run 7/shards/part-$i.safetensors"
done
echo '{"shards": 3}' >"$work/run 7/index.json"
check "a directory is sent" cli ground send "$work/run 7/" --to sat --wait
check "the directory arrived whole" same "$work/run 7" "$work/sat/inbox/ground/run 7"

check "two paths arrive in one named directory" \
    cli ground send "$work/model.bin" "$work/run 7" --as both --to sat --wait
check "the first of them is there" same "$work/model.bin" "$work/sat/inbox/ground/both/model.bin"
check "the second of them is there" same "$work/run 7" "$work/sat/inbox/ground/both/run 7"

check "the same name again is delivered" cli ground send "$work/model.bin" --to sat --wait
check "it did not replace the first one" \
    test "$(find "$work/sat/inbox/ground" -maxdepth 1 -name 'model.bin*' | wc -l)" = 2

# --- Odd names --------------------------------------------------------------

odd=$work/odd
mkdir "$odd"
echo 1 >"$odd/with blank"
echo 2 >"$odd/"$'with\nnewline'
echo 3 >"$odd/-dash"
echo 4 >"$odd/ümläut-模型"
echo 5 >"$odd/"$'not-utf8-\xff\xfe'
echo 6 >"$odd/..."
check "odd names are sent" cli ground send "$odd" --to sat --wait
check "odd names arrived as they are" same "$odd" "$work/sat/inbox/ground/odd"
cd "$odd" || exit 1
check "a name that begins with a dash is sent behind --" \
    cli ground send --to sat --wait -- -dash
check "it arrived under that name" same "$odd/-dash" "$work/sat/inbox/ground/-dash"
check "a name with a newline is sent" cli ground send $'with\nnewline' --to sat --wait
cd "$work" || exit 1
check "a name with a newline is listed on one line" \
    grep -qF 'with\nnewline' <(cli sat inbox)

# --- Looking ----------------------------------------------------------------

check "status lists transfers" cli ground status --all
if says "run 7"; then
    fail "status still names what is delivered, and its key is gone"
else
    ok "names of what is delivered go with the key"
fi
for command in 'status' 'inbox' 'peer list' 'card' 'audit show' 'audit verify' 'doctor'; do
    # shellcheck disable=SC2086
    cli ground $command --json >"$work/json" 2>/dev/null
    check "$command --json is JSON, with its version" /usr/bin/python3 -c \
        'import json, sys; assert json.load(open(sys.argv[1]))["skyferry"] == 1' "$work/json"
done
id=$(cli ground send "$work/run 7/index.json" --to sat 2>/dev/null)
check "send prints the id of the transfer" grep -qE '^[0-9a-f]{32}$' <<<"$id"
check "status --wait ends with the transfer" cli ground status "${id:0:8}" --wait
check "the audit log of the sender holds" cli ground audit verify
check "the audit log of the receiver holds" cli sat audit verify
check "the audit log tells of the delivery" grep -q "delivered" <(cli sat audit show "$id")

# --- Bad input --------------------------------------------------------------

check_exit 2 "an unknown command is a usage error" cli ground stauts
says 'status' || fail "the nearest command is not suggested"
check_exit 2 "an unknown option is a usage error" cli ground send x --too sat
says '--to' || fail "the nearest option is not suggested"
check_exit 2 "send needs a recipient" cli ground send "$work/model.bin"
check_exit 1 "an unknown peer is said" cli ground send "$work/model.bin" --to satt
says "did you mean 'sat'" || fail "the nearest peer is not suggested"
check_exit 1 "a missing file is said" cli ground send "$work/gone" --to sat
check_exit 1 "an unknown transfer is said" cli ground status 00000000
check_exit 1 "an unknown transfer cannot be cancelled" cli ground cancel 00000000
check_exit 1 "an unknown peer cannot be removed" cli ground peer remove nobody

# --- A log that was touched -------------------------------------------------

stop sat
sed -i '1s/"event":"[a-z]*"/"event":"nothing"/' "$work/sat/audit.log"
check_exit 5 "an edited audit log is found out" cli sat audit verify
says "line 1" || fail "the line is not named"
finish
