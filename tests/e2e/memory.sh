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

# CPU seconds of each thread of the sender, in ticks, most first.
threads() {
    sed 's/.*) //' "/proc/${pids[ground]}"/task/*/stat | awk '{print $12 + $13}' | sort -nr
}

stop sat
if (($(nproc) < 2)); then
    skip "there is one core"
else
    cat "$work/small.bin" "$work/small.bin" "$work/small.bin" >"$work/seal.bin"
    for attempt in 1 2 3 4 5; do
        stop ground
        start ground
        began=$(date +%s%N)
        before=$(ticks ground)
        cli ground send "$work/seal.bin" --as "seal-$attempt" --to sat >"$work/seal.id" 2>/dev/null
        wall=$((($(date +%s%N) - began) / 10000000))
        used=$(($(ticks ground) - before))
        mapfile -t each < <(threads)
        cli ground cancel "$(cat "$work/seal.id")" 2>/dev/null
        echo "sealing 300 MB: $used ticks of CPU in $wall of wall; by thread: ${each[*]}"
        # Two threads that shared the work evenly, and ran at the same time.
        if ((used * 10 > wall * 15)) || ((each[1] * 2 > each[0] && attempt == 5)); then
            break
        fi
    done
    check "sealing is shared among the cores" test $((each[1] * 2)) -gt "${each[0]}"
    if ((used * 10 > wall * 15)); then
        ok "and takes more than one and a half of them"
    else
        skip "other work, or the disk, leaves sealing less than one and a half cores here"
    fi
fi
finish
