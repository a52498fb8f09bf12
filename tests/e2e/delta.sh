#!/bin/bash
# Only what changed, with the real programs: the next versions of a file of weights go against one
# that was sent before, as few bytes as docs/CODECS.md says; and when the recipient has lost or
# changed that one, or either daemon is killed, the file is right all the same, with nobody's help.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

# Safetensors of 48 MB of bf16: v1; the same with a longer header and its keys in another order;
# with its tensors in another order; and with 1.2 % of the numbers moved by one unit in the last place.
/usr/bin/python3 - "$work" <<'END'
import json, random, struct, sys

work, count = sys.argv[1], 6
random.seed(12)
# Exponents as trained weights have them: most of one size, fewer of each smaller one.
exponents = bytes([0x3c] * 90 + [0x3b] * 90 + [0x3a] * 40 + [0xbc] * 16 + [0xbb] * 16 + [0xba] * 4)

def save(name, tensors, keys, extra):
    header, offset = {}, 0
    places = {}
    for key, data in tensors.items():
        places[key] = {"dtype": "BF16", "shape": [len(data) // 2],
                       "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    if extra:
        header["__metadata__"] = extra
    header.update((key, places[key]) for key in keys)
    head = json.dumps(header).encode()
    with open("%s/%s" % (work, name), "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + b"".join(tensors.values()))

def make(prefix, size):
    tensors = {}
    for layer in range(count):
        data = bytearray(size)
        data[0::2] = random.randbytes(size // 2)
        data[1::2] = random.randbytes(size // 2).translate(exponents)
        tensors["model.layers.%d.weight" % layer] = bytes(data)
    names = list(tensors)
    save(prefix + "v1", tensors, names, None)
    save(prefix + "header", tensors, names[::-1], {"note": "x" * 3000, "format": "pt"})
    save(prefix + "order", {key: tensors[key] for key in (names[3:] + names[:3])}, names, None)
    moved = {}
    for key, data in tensors.items():
        data = bytearray(data)
        for number in random.sample(range(size // 2), size // 2 * 12 // 1000):
            low = data[2 * number]
            data[2 * number] = low - 1 if low == 255 else low + 1
        moved[key] = bytes(data)
    save(prefix + "moved", moved, names, None)

make("", 8000000)
make("small-", 2600000)
END

# json FIELD: a number of a transfer's JSON on standard input.
json() {
    /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["transfer"][sys.argv[1]])' "$1"
}

# check_next NAME MOST: it is sent against v1, arrives, is sealed to at most MOST hundredths of a
# percent, grant and all, and to what `estimate` said.
check_next() {
    local id said sealed plain
    said=$(cli ground estimate "$work/$1" --base "$work/v1" --json |
        /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["sealed_bytes"])')
    id=$(cli ground send "$work/$1" --base "$work/v1" --to sat 2>/dev/null)
    check "$1 arrives" cli ground status "$id" --wait
    check "$1 is what it was" same "$work/$1" "$work/sat/inbox/ground/$1"
    sealed=$(($(cli ground status "$id" --json | json sealed_bytes) + 1024))
    plain=$(stat -c %s "$work/$1")
    check "$1: sealed to $((sealed * 10000 / plain)) hundredths of a percent, at most $2" \
        test $((sealed * 10000)) -le $((plain * $2))
    check "$1: estimate said $said" test "$said" = "$sealed"
    check "$1: status says that it had a base" cli ground status "$id"
    says "only what changed" || fail "it says so"
}

# count NODE: the transfers it shows.
count() {
    cli "$1" status --all --json 2>/dev/null | /usr/bin/python3 -c 'import json, sys
print(len(json.load(sys.stdin)["transfers"]))'
}

two_nodes
check_exit 1 "what was never sent is no base" \
    cli ground send "$work/moved" --base "$work/v1" --to sat
says "sat has not signed for this base" || fail "and it says who lacks it"
id=$(cli ground send "$work/v1" --to sat 2>/dev/null)
check "v1 arrives" cli ground status "$id" --wait

check_next header 50
check_next order 50
check_next moved 120

# --- The base is gone, or another ---------------------------------------------------

mkdir "$work/folder"
cp "$work/v1" "$work/folder/moved"
check_exit 4 "a directory is no base of a file" \
    cli ground send "$work/moved" --base "$work/folder" --to sat
check_exit 2 "a key that is forgotten cannot grant the whole" \
    cli ground send "$work/moved" --base "$work/v1" --forget-key --to sat

before=$(count ground)
printf 'x' | dd of="$work/sat/inbox/ground/v1" bs=1 seek=30000000 conv=notrunc status=none
check "a base that was changed costs the whole" \
    cli ground send "$work/moved" --base "$work/v1" --to sat --as changed --wait
check "the file is right" same "$work/moved" "$work/sat/inbox/ground/changed"
check "two transfers were made of it" test "$(count ground)" = $((before + 2))

rm "$work/sat/inbox/ground/v1"
stop sat
id=$(cli ground send "$work/moved" --base "$work/v1" --to sat --as gone 2>/dev/null)
check "it is in custody while the recipient is away" is_state ground "$id" custody
stop ground KILL
rm "$work/v1" # nothing more is needed of it, nor of what is sent
mv "$work/moved" "$work/kept"
start ground
start sat
check "a base that is gone costs the whole, after a kill and without the files" \
    cli ground status "$id" --wait
check "the file is right" same "$work/kept" "$work/sat/inbox/ground/gone"

# --- Kills in the middle --------------------------------------------------------------

check "a row of versions: the last is a base itself" \
    cli ground send "$work/order" --base "$work/kept" --to sat --as row --wait
check "the file is right" same "$work/order" "$work/sat/inbox/ground/row"
for round in 1 2 3; do
    id=$(cli ground send "$work/header" --base "$work/kept" --to sat --as "round$round" 2>/dev/null)
    sleep "0.$((round * 7 % 10))"
    stop sat KILL
    start sat
    check "round $round: it arrives though the receiver was killed" cli ground status "$id" --wait
    check "the file is right" same "$work/header" "$work/sat/inbox/ground/round$round"
done

# --- What the recipient has is found ----------------------------------------------------

# kept: how many copies there are.
kept() {
    find "$work/ground/kept" -type f ! -name '*.part' 2>/dev/null | wc -l
}
has_kept() {
    test "$(kept)" = "$1"
}
# sealed ID: what a transfer was sealed to, its grant with it.
sealed() {
    echo $(($(cli ground status "$1" --json | json sealed_bytes) + 1024))
}
# forget_copies: as if nothing had been kept.
forget_copies() {
    rm -f "$work"/ground/kept/*
}
# send_whole SENTENCE ARGUMENTS...: it arrives, and not as what changed.
send_whole() {
    local id
    id=$(cli ground send "${@:2}" 2>"$work/send.err")
    check "$1" cli ground status "$id" --wait
    ! says "only what changed" || fail "as a whole"
    check_exit 1 "and says nothing else" grep -q "as what changed" "$work/send.err"
}

# The same versions, a third as long: there are many from here on.
for file in order header moved; do
    mv "$work/small-$file" "$work/$file"
done
mv "$work/moved" "$work/kept"
check "nothing is kept where nobody asked for it" has_kept 0
stop ground
echo "keep = 1GiB" >>"$work/ground/config"
start ground
cp "$work/order" "$work/model"
id=$(cli ground send "$work/model" --to sat 2>/dev/null)
check "the first version arrives" cli ground status "$id" --wait
check "a copy of it was kept" within 20 has_kept 1
first=$id
cp "$work/header" "$work/model"
said=$(cli ground estimate "$work/model" --to sat --json |
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["sealed_bytes"])')
id=$(cli ground send "$work/model" --to sat 2>/dev/null)
check "the next one of that name arrives" cli ground status "$id" --wait
says "only what changed" || fail "and as what changed, though nobody said so"
check "it is what it was" same "$work/model" "$work/sat/inbox/ground/model~${id:0:8}"
check "estimate said the same, $said" test "$said" = "$(sealed "$id")"
check "less than a fiftieth of the file" test $((said * 50)) -lt "$(stat -c %s "$work/model")"
check "that one is kept as well" within 20 has_kept 2
send_whole "the same with --base none" "$work/model" --base none --to sat
send_whole "the same with --forget-key" "$work/model" --forget-key --to sat
check "of which nothing is kept" has_kept 3
id=$(cli ground send "$work/model" --base "${first:0:8}" --to sat 2>/dev/null)
check "an earlier transfer is named as the base" cli ground status "$id" --wait
says "only what changed" || fail "and it is"
check "the file is right" same "$work/model" "$work/sat/inbox/ground/model~${id:0:8}"
check "it is what estimate says" test "$(sealed "$id")" = "$(cli ground estimate "$work/model" \
    --base "$first" --to sat --json |
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["sealed_bytes"])')"
check_exit 1 "a transfer that does not exist is no base" \
    cli ground send "$work/model" --base 0123456789abcdef --to sat
says "neither a file nor a transfer" || fail "and it says so"
check_exit 2 "a transfer as the base needs somebody who got it" \
    cli ground estimate "$work/model" --base "$first"

# What the sender has kept is not what was sent: it is not used. Nor is it missed.
for copy in "$work"/ground/kept/*; do
    printf 'x' | dd of="$copy" bs=1 seek=2000000 conv=notrunc status=none
done
send_whole "copies that were altered are not used" "$work/model" --to sat
check_exit 1 "nor when they are asked for" cli ground send "$work/model" --base "$first" --to sat
forget_copies
send_whole "nor missed when they are gone" "$work/model" --to sat
check "the last one is kept" within 20 has_kept 1
rm -f "$work"/sat/inbox/ground/model*
id=$(cli ground send "$work/model" --to sat 2>/dev/null)
check "who has lost the base gets the whole, nobody having said a word" \
    cli ground status "$id" --wait
check "the file is right" same "$work/model" "$work/sat/inbox/ground/model"

# --- Restarts -----------------------------------------------------------------------------

: >"$work/ground/kept/$(printf '0%.0s' {1..32})-00000000-$(printf '0%.0s' {1..32})-$(printf '0%.0s' {1..32})-0000.part"
stop ground KILL
sed -i 's/^keep = .*/keep = 40MByte/' "$work/ground/config"
start ground
check_exit 1 "a copy that was not finished is gone after a start" \
    compgen -G "$work/ground/kept/*.part"
check "two of 16 MB fit into 40 MB" has_kept 2
cp "$work/kept" "$work/model"
id=$(cli ground send "$work/model" --to sat 2>/dev/null)
stop sat KILL
stop ground KILL
start ground
start sat
check "after a kill of both it arrives" cli ground status "$id" --wait
says "only what changed" || fail "as what changed"
check "the file is right" same "$work/model" "$work/sat/inbox/ground/model~${id:0:8}"
fits() {
    test "$(du -bc "$work"/ground/kept/* | tail -n 1 | cut -f 1)" -le 40000000
}
check "the copies stay within their quota" fits

# --- Several recipients -------------------------------------------------------------------

make_node edge
cli edge peer add ground --card "$work/ground.card" 2>/dev/null
cli ground peer add edge --card "$work/edge.card" --endpoint "127.0.0.1:${ports[edge]}" \
    --rate 400Mbit 2>/dev/null
start edge
cp "$work/header" "$work/model"
cli ground send "$work/model" --to sat,edge --json >"$work/two" 2>/dev/null
check "two recipients of whom one has a version get transfers of their own" \
    /usr/bin/python3 -c 'import json, sys
list = json.load(open(sys.argv[1]))["transfers"]
sys.exit([[t["has_base"], [r["name"] for r in t["recipients"]]] for t in list] !=
         [[True, ["sat"]], [False, ["edge"]]])' "$work/two"
while read -r id; do
    check "each arrives" cli ground status "$id" --wait
done < <(/usr/bin/python3 -c 'import json, sys
print(*[t["id"] for t in json.load(open(sys.argv[1]))["transfers"]], sep="\n")' "$work/two")
check "at the one" same "$work/model" "$work/edge/inbox/ground/model"
forget_copies
cp "$work/order" "$work/model"
check "both get the next one together" cli ground send "$work/model" --base none --to sat,edge --wait
check "and it is kept once" within 20 has_kept 1
cp "$work/kept" "$work/model"
id=$(cli ground send "$work/model" --to sat,edge 2>/dev/null)
check "then the one after that goes to both as one transfer" test "${#id}" = 32
check "and arrives" cli ground status "$id" --wait
says "only what changed" || fail "as what changed"
check "the file is right" same "$work/model" "$work/edge/inbox/ground/model~${id:0:8}"

# --- What is kept -------------------------------------------------------------------------

check "nobody else may look at the copies" test "$(stat -c %a "$work/ground/kept")" = 700
head -c 1000000 "$work/order" >"$work/small"
before=$(kept)
check "a small file arrives" cli ground send "$work/small" --to sat --wait
check "and is not kept" has_kept "$before"
stop ground
sed -i 's/^keep = .*/keep = 0/' "$work/ground/config"
start ground
check "with keep = 0 nothing is" has_kept 0
send_whole "and what is sent goes as a whole" "$work/model" --to sat

spools_are_empty() {
    [[ -z $(find "$work/ground/spool" "$work/sat/spool" "$work/sat/staging" -type f) ]]
}
check "the spools are empty again, the whole's among them" within 30 spools_are_empty
finish
