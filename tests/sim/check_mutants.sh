#!/bin/bash
# Deliberate bugs in the custody rules, one patch each in tests/sim/mutants/: every patch is applied
# to a copy of the sources, what it changes is compiled, and the simulator must find it within 1,000
# seeds, by one of the invariants that the patch names.
#
#     tests/sim/check_mutants.sh [NAME...]    these alone
#     SF_JOBS=N                               so many seeds at once
set -u
build=$(cd "${SKYFERRY_BUILD:-$PWD}" && pwd)
srcdir=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
jobs=${SF_JOBS:-$(nproc)}
work=$(mktemp -d "${TMPDIR:-/tmp}/skyferry-mutants-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
unset MAKEFLAGS MAKELEVEL MFLAGS # this may run under a make of its own
export LLVM_PROFILE_FILE=/dev/null # no branch of ours is taken by a mutant

# variable NAME [WORD=VALUE...]: what a variable of the Makefile stands for.
variable() {
    # shellcheck disable=SC2016 # for make to expand
    printf 'include Makefile\nprint-variable:\n\t@echo $(%s)\n' "$1" |
        make --no-print-directory -s -C "$build" -f - print-variable "${@:2}"
}

# try PATCH: build the mutant and let it live until it fails.
try() {
    local patch=$1 name tree file object objects=() cc compile link status=0 found
    name=$(basename "$patch" .patch)
    tree=$work/$name
    mkdir -p "$tree"
    cp -r "$work/tree/." "$tree/"
    if ! patch -d "$tree" -p1 -F0 -s <"$patch"; then
        echo "$name: the patch does not apply any more; make it anew"
        return 1
    fi
    cc=$(variable CC)
    compile=$(variable COMPILE CC="$cc -I$tree")
    link=$(variable CCLD)
    cd "$build" || return 1
    while read -r file; do
        object=$tree/$(basename "$file" .c).o
        $compile -Wno-error -c "$tree/$file" -o "$object" || return 1
        objects+=("$object")
    done < <(sed -n 's|^+++ b/\(.*\.c\)$|\1|p' "$patch")
    [[ ${#objects[@]} -gt 0 ]] || { echo "$name: it changes nothing" && return 1; }
    # shellcheck disable=SC2046 # words
    $link $(variable AM_CFLAGS) $(variable CFLAGS) $(variable AM_LDFLAGS) $(variable LDFLAGS) \
        -o "$tree/skyferry-sim" $(variable skyferry_sim_OBJECTS) "${objects[@]}" \
        $(variable skyferry_sim_LDADD) $(variable LIBS) || return 1
    "$tree/skyferry-sim" test --seeds 1..1000 --jobs "$jobs" >"$tree/out" 2>"$tree/err" || status=$?
    found=$(sed -n 's/^seed \([0-9]*\) failed, \([^:]*\): .*/\2 \1/p' "$tree/err")
    if [[ $status != 1 || -z $found ]]; then
        echo "$name: not found in 1,000 seeds"
        tail -n 5 "$tree/err"
        return 1
    fi
    if ! sed -n 's/^Found by: //p' "$patch" | tr ' ' '\n' | grep -qx "${found% *}"; then
        echo "$name: found by ${found% *} at seed ${found#* }, which it does not name"
        return 1
    fi
    printf '%-28s found by %s at seed %s\n' "$name" "${found% *}" "${found#* }"
    rm -rf "$tree"
}

mkdir -p "$work/tree"
for room in base bundle store link node sim app; do
    mkdir -p "$work/tree/$room"
    cp "$srcdir/$room"/*.[ch] "$work/tree/$room/"
done
count=0
for patch in "$srcdir"/tests/sim/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    [[ $# == 0 || " $* " == *" $name "* ]] || continue
    count=$((count + 1))
    (try "$patch") || failed=$((failed + 1))
done
echo "$((count - failed)) of $count mutants found"
[[ $count -gt 0 && $failed == 0 ]]
