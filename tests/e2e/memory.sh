#!/bin/bash
# What the daemons take: memory that has a bound and does not grow with the
# file, no CPU while nothing is to be done, all cores while there is.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

limit_kib=$((128 << 10))
large=1G
cli_limit=240
if [[ $full == 1 ]]; then
    large=5G
    cli_limit=900
fi
if [[ $("$build/skyferryd" --help 2>&1; nm -D "$build/skyferryd" 2>/dev/null) == *asan* ]]; then
    skip "sanitizers take memory of their own"
    rm -rf "$work"
    trap - EXIT
    exit 77
fi

# peak NODE: the most it had resident, in KiB.
peak() {
    awk '/^VmHWM/ {print $2}' "/proc/${pids[$1]}/status"
}

# ticks NODE: CPU time it has used, in clock ticks (a hundredth of a second).
ticks() {
    sed 's/.*) //' "/proc/${pids[$1]}/stat" | awk '{print $12 + $13}'
}

# --- Memory -----------------------------------------------------------------

two_nodes
cli ground peer add sat --rate 2Gbit 2>/dev/null
inbox=$work/sat/inbox/ground
head -c 100000000 /dev/urandom >"$work/small.bin"
check "100 MB are sent" cli ground send "$work/small.bin" --to sat --wait
declare -A small=()
for node in ground sat; do
    small[$node]=$(peak "$node")
    check "$node took at most 128 MiB for them: $((${small[$node]} >> 10))" \
        test "${small[$node]}" -le "$limit_kib"
done
stop ground
stop sat
start ground
start sat
rm -f "$inbox/small.bin"
truncate -s "$large" "$work/large.bin"
head -c 20000000 /dev/urandom | dd of="$work/large.bin" bs=1M seek=500 conv=notrunc status=none
check "a sparse file of $large is sent" cli ground send "$work/large.bin" --to sat --wait
if [[ $full == 1 ]]; then
    # The same length, but every byte travels.
    head -c 2000000000 /dev/urandom >"$work/dense.bin"
    check "2 GB of random bytes are sent" cli ground send "$work/dense.bin" --to sat --wait
    check "they arrived to the byte" cmp "$work/dense.bin" "$inbox/dense.bin"
    rm -f "$work/dense.bin" "$inbox/dense.bin"
fi
for node in ground sat; do
    most=$(peak "$node")
    check "$node took at most 128 MiB for that: $((most >> 10))" test "$most" -le "$limit_kib"
    # Once more what the pools had not touched yet, no more.
    check "about as much as for the small one" test "$most" -le $((${small[$node]} + (48 << 10)))
done
check "the sparse file arrived" test "$(stat -c %s "$inbox/large.bin")" = "$(stat -c %s "$work/large.bin")"
rm -f "$work/large.bin" "$inbox/large.bin"

if [[ $full == 1 ]]; then
    # Very many at once, in both directions: they take turns.
    cli sat peer add ground --rate 2Gbit 2>/dev/null
    head -c 40000000 /dev/urandom >"$work/one.bin"
    many=()
    for i in $(seq 16); do
        many+=("ground $(cli ground send "$work/one.bin" --as "many-$i" --to sat 2>/dev/null)")
        many+=("sat $(cli sat send "$work/one.bin" --as "many-$i" --to ground 2>/dev/null)")
    done
    late=0
    for one in "${many[@]}"; do
        cli "${one% *}" status "${one#* }" --wait >/dev/null 2>&1 || late=$((late + 1))
    done
    check "sixteen files each way at once arrive" test "$late" = 0
    check "to the byte" cmp "$work/one.bin" "$inbox/many-16"
    for node in ground sat; do
        most=$(peak "$node")
        check "$node took at most 128 MiB for all of them: $((most >> 10))" \
            test "$most" -le "$limit_kib"
    done
    rm -rf "$inbox" "$work/ground/inbox/sat" "$work/one.bin"
fi

# --- Nothing to do ------------------------------------------------------------

sleep 1
idle_s=3
[[ $full == 0 ]] || idle_s=10
before_ground=$(ticks ground)
before_sat=$(ticks sat)
sleep "$idle_s"
check "an idle sender takes no CPU" test $(($(ticks ground) - before_ground)) -le 1
check "an idle receiver takes no CPU" test $(($(ticks sat) - before_sat)) -le 1

# --- All cores ------------------------------------------------------------------

# wanted: the time in ms that each thread of the sealer ran or waited for a core, most first. So
# other work on the machine does not matter.
wanted() {
    awk '{print int(($1 + $2) / 1000000)}' "/proc/${pids[sealer]}"/task/*/schedstat | sort -nr
}

# In memory, if there is a place: it is not the disk that is measured here.
memory=
if [[ -d /dev/shm && -w /dev/shm && $(df --output=avail -k /dev/shm | tail -n 1) -gt 2000000 ]]; then
    memory=$(mktemp -d /dev/shm/skyferry-e2e-XXXXXX)
    trap 'rm -rf "$memory"; fail "the test itself broke off"; finish' EXIT
    ln -s "$memory" "$work/sealer"
fi
stop ground
stop sat
if (($(nproc) < 2)); then
    skip "there is one core"
else
    make_node sealer
    introduce sealer sat
    for _ in 1 2 3 4; do
        cat "$work/small.bin"
    done >"${memory:-$work}/seal.bin"
    for attempt in 1 2 3; do
        start sealer
        began=$(date +%s%N)
        cli sealer send "${memory:-$work}/seal.bin" --as "seal-$attempt" --to sat \
            >"$work/seal.id" 2>/dev/null
        wall=$((($(date +%s%N) - began) / 1000000))
        mapfile -t each < <(wanted)
        all=0
        for one in "${each[@]}"; do
            all=$((all + one))
        done
        cli sealer cancel "$(cat "$work/seal.id")" 2>/dev/null
        stop sealer
        echo "sealing 400 MB: $wall ms, of cores wanted $all ms; by thread: ${each[*]}"
        if ((all * 10 > wall * 15)); then
            break
        fi
    done
    # Of the three that took most, one is the loop and two seal.
    check "sealing is shared among threads" test $((each[2] * 3)) -gt "${each[0]}"
    if ((all * 10 > wall * 15)); then
        ok "and would take more than one and a half cores"
    elif [[ -n $memory ]]; then
        fail "and would take more than one and a half cores"
    else
        skip "a disk in between: how many cores sealing would take is not to be seen"
    fi
fi
rm -rf "$memory"
finish
