#!/bin/bash
# Files of every kind arrive to the byte; what is no file is refused by name.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

two_nodes
inbox=$work/sat/inbox/ground
if [[ $full == 1 ]]; then
    random_bytes=$((1 << 30))
    sparse=5G
    cli_limit=900
else
    random_bytes=$((64 << 20))
    sparse=1G
    cli_limit=240
fi

# --- Sizes ------------------------------------------------------------------

head -c "$random_bytes" /dev/urandom >"$work/random.bin"
check "$((random_bytes >> 20)) MiB of random bytes are sent" \
    cli ground send "$work/random.bin" --to sat --wait
check "they arrived to the byte" cmp "$work/random.bin" "$inbox/random.bin"
rm -f "$work/random.bin" "$inbox/random.bin"

: >"$work/empty"
check "an empty file is sent" cli ground send "$work/empty" --to sat --wait
check "it arrived, empty" test -f "$inbox/empty" -a ! -s "$inbox/empty"

for bytes in 1 15 16 17 4095 4096 4097 65535 65536 1048575 1048576 1048577; do
    mkdir -p "$work/sizes"
    head -c "$bytes" /dev/urandom >"$work/sizes/$bytes"
done
check "files around every boundary are sent" cli ground send "$work/sizes" --to sat --wait
check "each arrived to the byte" same "$work/sizes" "$inbox/sizes"

# Bytes that ground has sent so far.
bytes_out() {
    cli ground peer list --json | /usr/bin/python3 -c \
        'import json, sys; print(json.load(sys.stdin)["peers"][0]["link"]["bytes_out"])'
}

truncate -s "$sparse" "$work/sparse"
printf 'data' | dd of="$work/sparse" bs=1 seek=300000000 conv=notrunc status=none
before=$(bytes_out)
check "a sparse file of $sparse is sent" cli ground send "$work/sparse" --to sat --wait
check "it arrived to the byte" cmp "$work/sparse" "$inbox/sparse"
check "its zeros did not travel" test "$(($(bytes_out) - before))" -lt 20000000
rm -f "$work/sparse" "$inbox/sparse"

# --- A model in shards ------------------------------------------------------

shards=$work/llama-3-8b
mkdir "$shards"
for i in 1 2 3 4; do
    head -c 5000000 /dev/urandom >"$shards/model-0000$i-of-00004.safetensors"
    head -c 300000 /dev/zero >>"$shards/model-0000$i-of-00004.safetensors"
done
echo '{"weight_map": {}}' >"$shards/model.safetensors.index.json"
echo '{"architectures": ["Llama"]}' >"$shards/config.json"
mkdir -p "$shards/original/tokenizer"
echo words >"$shards/original/tokenizer/vocab.txt"
check "shards are sent with the JSON beside them" cli ground send "$shards" --to sat --wait
check "they arrived as one directory" same "$shards" "$inbox/llama-3-8b"

mkdir "$work/many"
for i in $(seq 1 300); do
    echo "$i" >"$work/many/$i"
done
check "300 small files are sent" cli ground send "$work/many" --to sat --wait
check "all of them arrived" same "$work/many" "$inbox/many"

# --- What is refused --------------------------------------------------------

# refused WHAT TEXT PATH...: exit 4, and the refusal holds TEXT.
refused() {
    local what=$1 text=$2
    shift 2
    check_exit 4 "$what is refused" cli ground send --to sat -- "$@"
    if says "$text"; then
        ok "the refusal names it: $text"
    else
        fail "the refusal does not say '$text'"
        cat "$work/check.out"
    fi
}

mkdir "$work/bad"
echo x >"$work/bad/file"
ln -s /etc/passwd "$work/bad/link"
refused "a link in a directory" "bad/link: is a symbolic link" "$work/bad"
refused "a link itself" "bad/link: is a symbolic link" "$work/bad/link"
rm "$work/bad/link"
ln -s bad "$work/badlink"
refused "a link to a directory" "badlink/: is a symbolic link" "$work/badlink/"
mkfifo "$work/bad/pipe"
refused "a pipe" "bad/pipe: is a pipe" "$work/bad"
rm "$work/bad/pipe"
/usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$work/bad/socket"
refused "a socket" "bad/socket: is a socket" "$work/bad"
rm "$work/bad/socket"
refused "a device" "/dev/null: is a device" /dev/null
refused ".." "..: has no name of its own" ..
refused "the way up" "bad/..: has no name of its own" "$work/bad/.."
refused "the root" "/: has no name of its own" /
refused "the node's own home" "own home" "$work/ground"
check_exit 4 "two files of one name are refused" \
    cli ground send "$work/bad/file" "$work/sizes/../bad/file" --to sat
check_exit 1 "a directory without files is refused" cli ground send "$(mktemp -d -p "$work")" --to sat

# --- A caller that does not keep to the rules --------------------------------

# submit PATH KIND: hand a descriptor of KIND over under PATH; prints what the daemon answers.
submit() {
    /usr/bin/python3 - "$work/ground/submit.sock" "$1" "$2" "$work/bad/file" <<'PYTHON'
import array, os, socket, struct, sys

path, name, kind, file = sys.argv[1:5]
fd = {"file": lambda: os.open(file, os.O_RDONLY),
      "written": lambda: os.open(file, os.O_WRONLY),
      "directory": lambda: os.open("/", os.O_RDONLY),
      "device": lambda: os.open("/dev/zero", os.O_RDONLY),
      "pipe": lambda: os.pipe()[0]}[kind]()
label, peer, name = b"label", b"sat", os.fsencode(name)
daemon = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
daemon.settimeout(20)
daemon.connect(path)
try:
    daemon.send(struct.pack(">BBBBq16sIB", 1, 2, 0, 128, 0, bytes(16), 1, 1) +
                bytes([len(peer)]) + peer + bytes([len(label)]) + label)
    daemon.sendmsg([struct.pack(">BBBBqH", 2, 2, 1, 0, int(os.fstat(fd).st_mtime), len(name)) + name],
                   [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    daemon.send(struct.pack(">BB", 3, 2))
except (BrokenPipeError, ConnectionResetError):
    pass
try:
    answer = daemon.recv(65536)
except ConnectionResetError:  # told once, for what was not read
    answer = daemon.recv(65536)
print("taken" if answer[0] == 4 else "refused: " + answer[3:].decode())
PYTHON
}

check "a well-made hand-over is taken" grep -q ^taken <(submit good file)
for name in ../evil /etc/evil a/../../evil a//b . "" a/; do
    check "the name '$name' is refused inside a transfer" grep -q ^refused <(submit "$name" file)
done
for kind in written directory device pipe; do
    check "a descriptor of a $kind is refused" grep -q ^refused <(submit name "$kind")
done
check "the daemon is still there" answers ground

check "nothing of it was taken" test -z "$(find "$inbox" -name 'link*' -o -name 'pipe*')"
finish
