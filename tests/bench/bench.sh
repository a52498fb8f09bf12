#!/bin/bash
# bench.sh - how fast it is here: sealing beside the primitives it is made of, and
# a file from `send` to FINAL over loopback beside scp of the same file.
#
#     tests/bench/bench.sh [MIB]     from a build folder, or with SKYFERRY_BUILD; 1024 MiB by default
#
# A measurement does not pass or fail. scp talks to an sshd of its own, begun here
# on a free port with keys of its own (scripts/deps bench installs both).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${SKYFERRY_BUILD:-$PWD}
mib=${1:-1024}
sshd=${SSHD:-/usr/sbin/sshd}
python=/usr/bin/python3
work=$(mktemp -d "${TMPDIR:-/tmp}/skyferry-bench-XXXXXX")
pids=()

clean_up() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

now() {
    date +%s%N
}

# rate NAME BEGAN: MB/s of the file since then, and how often the CPU was asked for it.
rate() {
    local ns=$(($(now) - $2))
    printf '%-28s %6d MB/s   %6d ms\n' "$1" $((mib * 1048576 * 1000 / ns)) $((ns / 1000000))
}

node() {
    "$build/skyferry" --home "$work/$1" "${@:2}"
}

echo "== sealing, one core"
make -s -C "$build" tests/bench/bench_seal
"$build/tests/bench/bench_seal"

echo "== $mib MiB of random bytes over loopback"
head -c $((mib * 1048576)) /dev/urandom >"$work/file"
for name in ground sat; do
    node "$name" init --name "$name" >"$work/$name.card" 2>/dev/null
    echo 'reserve = 16MiB' >>"$work/$name/config"
    "$python" "$top/scripts/demo.py" port >"$work/$name.port"
done
for pair in "ground sat" "sat ground"; do
    read -r name peer <<<"$pair"
    node "$name" peer add "$peer" --card "$work/$peer.card" \
        --endpoint "127.0.0.1:$(cat "$work/$peer.port")" --rate 20Gbit 2>/dev/null
done
for name in ground sat; do
    "$build/skyferryd" --home "$work/$name" --listen "127.0.0.1:$(cat "$work/$name.port")" \
        >"$work/$name.log" 2>&1 &
    pids+=($!)
    until node "$name" status --json >/dev/null 2>&1; do
        sleep 0.1
    done
done
began=$(now)
node ground send "$work/file" --to sat --wait >/dev/null 2>&1
rate "skyferry, send to FINAL" "$began"
cmp "$work/file" "$work/sat/inbox/ground/file"
# The next measurement does not wait for this one's writes.
rm -rf "$work/sat/inbox"
sync

if [[ ! -x $sshd ]] || ! command -v scp >/dev/null; then
    echo "SKIP: there is no $sshd or no scp to compare with (scripts/deps bench)"
    exit 0
fi
ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/user"
cp "$work/user.pub" "$work/authorized"
port=$("$python" "$top/scripts/demo.py" port)
cat >"$work/sshd.conf" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
CONFIG
[[ $(id -u) != 0 ]] || mkdir -p /run/sshd
"$sshd" -D -e -f "$work/sshd.conf" 2>"$work/sshd.log" &
pids+=($!)
sleep 1
began=$(now)
if ! scp -q -P "$port" -i "$work/user" -o IdentitiesOnly=yes -o UserKnownHostsFile=/dev/null \
    -o StrictHostKeyChecking=no -o LogLevel=ERROR "$work/file" "127.0.0.1:$work/copy"; then
    echo "SKIP: scp did not get through: $(tail -n 1 "$work/sshd.log")"
    exit 0
fi
rate "scp" "$began"
cmp "$work/file" "$work/copy"
began=$(now)
sync "$work/copy"
rate "  (and its sync alone)" "$began"
