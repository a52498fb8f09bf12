#!/bin/bash
# bench.sh - how fast it is here: sealing beside the primitives it is made of, and
# a file from `send` to FINAL over loopback beside scp of the same file; and how much of a core
# both ends take for each GB, beside the parts that it cannot be done without.
#
#     tests/bench/bench.sh [MIB [ROUNDS]]   from a build folder, or with SKYFERRY_BUILD
#
# 1024 MiB and 3 rounds by default; a median stands beside each round. The rate of the peer is set
# to 1, 2 and 20 Gbit/s.
#
# A measurement does not pass or fail. scp talks to an sshd of its own, begun here
# on a free port with keys of its own (scripts/deps bench installs both).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${SKYFERRY_BUILD:-$PWD}
mib=${1:-1024}
rounds=${2:-3}
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

# took BEGAN: note the milliseconds since then as one more round.
took() {
    times+=($((($(now) - $1) / 1000000)))
}

# median NAME: MB/s of the file by the middle one of the rounds noted, and all of them.
median() {
    local sorted middle
    mapfile -t sorted < <(printf '%s\n' "${times[@]}" | sort -n)
    middle=${sorted[$((${#sorted[@]} / 2))]}
    printf '%-28s %6d MB/s   ms: %s\n' "$1" $((mib * 1048576 / (middle * 1000 + 1))) "${times[*]}"
    times=()
}
times=()

# taken: processor seconds of both daemons so far, in hundredths: sender and receiver.
taken() {
    awk '{print $14 + $15}' "/proc/${pids[0]}/stat" "/proc/${pids[1]}/stat" | tr '\n' ' '
}

# share BEFORE AFTER: what they took for each GB of the rounds between.
share() {
    echo "$1 $2" | awk -v gb="$(((mib * 1048576 * rounds) / 1000))" -v parts="$parts" '{
        gb /= 1e6
        a = ($3 - $1) / 100 / gb; b = ($4 - $2) / 100 / gb
        printf "%-28s %.2f + %.2f = %.2f processor s for each GB, %.2f times the parts\n", "",
            a, b, a + b, (a + b) / parts }'
}

node() {
    "$build/skyferry" --home "$work/$1" "${@:2}"
}

echo "== sealing, one core"
make -s -C "$build" tests/bench/bench_seal tests/bench/bench_parts
"$build/tests/bench/bench_seal"

echo "== the parts of a transfer, each alone"
"$build/tests/bench/bench_parts" "$work" | tee "$work/parts.txt"
parts=$(awk '/the parts together/ {print $4}' "$work/parts.txt")

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
for rate in 1Gbit 2Gbit 20Gbit; do
    node ground peer add sat --rate "$rate" 2>/dev/null
    before=$(taken)
    for ((round = 0; round < rounds; round++)); do
        began=$(now)
        node ground send "$work/file" --to sat --wait >/dev/null 2>&1
        took "$began"
        cmp "$work/file" "$work/sat/inbox/ground/file"
        # The next measurement does not wait for this one's writes.
        rm -rf "$work/sat/inbox/ground/file"
        sync
    done
    median "skyferry at $rate, to FINAL"
    share "$before" "$(taken)"
done

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
copy() {
    scp -q -P "$port" -i "$work/user" -o IdentitiesOnly=yes -o UserKnownHostsFile=/dev/null \
        -o StrictHostKeyChecking=no -o LogLevel=ERROR "$work/file" "127.0.0.1:$work/copy"
}
synced=()
for ((round = 0; round < rounds; round++)); do
    rm -f "$work/copy"
    sync
    began=$(now)
    if ! copy; then
        echo "SKIP: scp did not get through: $(tail -n 1 "$work/sshd.log")"
        exit 0
    fi
    took "$began"
    sync "$work/copy"
    synced+=($((($(now) - began) / 1000000)))
    cmp "$work/file" "$work/copy"
done
median "scp"
times=("${synced[@]}")
median "scp, then sync"
