#!/bin/bash
# Lives from seeds: those that once failed, then as many as `make check` has time for; all kinds of
# faults must have fired in them. The trace hashes are left in tests/sim/hashes of the build folder,
# to be compared with those of another compiler (scripts/test).
#
#     SF_SEEDS=A..B   other seeds
#     SF_JOBS=N       so many at once
set -u
build=${SKYFERRY_BUILD:-$PWD}
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
seeds=${SF_SEEDS:-1..200}
jobs=${SF_JOBS:-$(nproc)}
regressions=$(sed -n 's/^\([0-9][0-9]*\).*/\1/p' "$srcdir/tests/sim/regressions" | paste -sd ,)

[[ -n $regressions ]] || { echo "no seeds in tests/sim/regressions" && exit 1; }
mkdir -p "$build/tests/sim"
"$build/skyferry-sim" test --seeds "$regressions,$seeds" --jobs "$jobs" --every-fault \
    >"$build/tests/sim/lives" || exit 1
sed -n '/^$/,$p' "$build/tests/sim/lives"
sed -n 's/^\([0-9][0-9]* [0-9a-f]\{16\}\) .*/\1/p' "$build/tests/sim/lives" >"$build/tests/sim/hashes"
[[ $(wc -l <"$build/tests/sim/hashes") -ge 200 || -n ${SF_SEEDS:-} ]] || {
    echo "fewer hashes than seeds" && exit 1
}
