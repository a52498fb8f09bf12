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

work, count, size = sys.argv[1], 6, 8000000
random.seed(12)
# Exponents as trained weights have them: most of one size, fewer of each smaller one.
exponents = bytes([0x3c] * 90 + [0x3b] * 90 + [0x3a] * 40 + [0xbc] * 16 + [0xbb] * 16 + [0xba] * 4)
tensors = {}
for layer in range(count):
    data = bytearray(size)
    data[0::2] = random.randbytes(size // 2)
    data[1::2] = random.randbytes(size // 2).translate(exponents)
    tensors["model.layers.%d.weight" % layer] = bytes(data)

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

names = list(tensors)
save("v1", tensors, names, None)
save("header", tensors, names[::-1], {"note": "x" * 3000, "format": "pt"})
save("order", {key: tensors[key] for key in (names[3:] + names[:3])}, names, None)
moved = {}
for key, data in tensors.items():
    data = bytearray(data)
    for number in random.sample(range(size // 2), size // 2 * 12 // 1000):
        low = data[2 * number]
        data[2 * number] = low - 1 if low == 255 else low + 1
    moved[key] = bytes(data)
save("moved", moved, names, None)
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

spools_are_empty() {
    [[ -z $(find "$work/ground/spool" "$work/sat/spool" "$work/sat/staging" -type f) ]]
}
check "the spools are empty again, the whole's among them" within 30 spools_are_empty
finish
