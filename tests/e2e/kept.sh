#!/bin/bash
# Copies of what was sent, on real file systems: where blocks can be shared a copy is a clone and takes
# none, where they cannot it is one all the same; and the oldest give way when what is sent needs the room.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

volume_bytes=$((320 << 20)) # the least that mkfs.xfs takes is 300 MiB

nothing() {
    skip "$1"
    rm -rf "$work"
    trap - EXIT
    exit 77
}
if [[ $(id -u) != 0 ]]; then
    nothing "only root can mount a file system of its own"
fi
if ! type mkfs.xfs filefrag >/dev/null 2>&1; then
    nothing "mkfs.xfs (xfsprogs) or filefrag (e2fsprogs) is missing"
fi

# home_on REFLINK: the home of ground is XFS, which shares blocks (1) or does not (0).
home_on() {
    truncate -s "$volume_bytes" "$work/image"
    mkdir -p "$work/ground"
    mkfs.xfs -q -f -m "reflink=$1" "$work/image" && mount -o loop "$work/image" "$work/ground" &&
        chmod 700 "$work/ground"
}
release() {
    if grep -qF " $work/ground " /proc/mounts; then
        umount "$work/ground" 2>/dev/null || umount -l "$work/ground"
    fi
    rm -f "$work/image"
}

# begin REFLINK: both nodes, and ground keeps copies.
begin() {
    home_on "$1" || return 1
    two_nodes
    stop ground
    echo "keep = 1GiB" >>"$work/ground/config"
    start ground
}
# copies ID: those of one transfer that are kept.
copies() {
    local found=("$work/ground/kept/$(cli ground status "$1" --json | json_id)"-*[0-9a-f])
    [[ -e ${found[0]} ]] && echo "${found[0]}"
}
json_id() {
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["transfer"]["id"])'
}
is_gone() {
    ! copies "$1"
}
# is_shared FILE: whether every one of its extents is another file's too.
is_shared() {
    sync -f "$1"
    filefrag -v "$1" | awk '/^ *[0-9]+:/ { all++; shared += /shared/ }
        END { exit !(all > 0 && shared == all) }'
}
# send NAME SOURCE: it arrives; `id` is its number.
send() {
    id=$(cli ground send "$2" --to sat --as "$1" 2>/dev/null)
    check "$1 arrives" cli ground status "$id" --wait
    check "and is what it was" cmp "$2" "$work/sat/inbox/ground/$1"
}

# --- Blocks that are shared --------------------------------------------------------------

if ! begin 1; then
    release
    nothing "no XFS can be mounted here (loop devices, or the kernel)"
fi
# Beside the copies, that it can be cloned at all.
head -c 20000000 /dev/urandom >"$work/ground/source"
send cloned "$work/ground/source"
check "a copy of it is kept" within 20 copies "$id"
copy=$(copies "$id")
check "which is what was sent" cmp "$work/ground/source" "$copy"
check "and takes no room: every block is the source's" is_shared "$copy"
printf 'x' | dd of="$work/ground/source" bs=1 seek=10000000 conv=notrunc status=none
check_exit 1 "what is written to the source later is not in the copy" cmp -s "$work/ground/source" "$copy"
check "the copy is a base" cli ground send "$work/ground/source" --to sat --as cloned --wait
check "and the next version right" cmp "$work/ground/source" "$work/sat/inbox/ground/cloned~"*

# --- From elsewhere, and when room is short ----------------------------------------------

rm "$work/ground/source" "$work"/ground/kept/*
for name in one two three; do
    head -c 20000000 /dev/urandom >"$work/$name"
done
send one "$work/one"
one=$id
send two "$work/two"
two=$id
check "copies of files from another file system are kept" within 20 copies "$two"
check_exit 1 "which share nothing" is_shared "$(copies "$two")"
check "and are what was sent" cmp "$work/two" "$(copies "$two")"
# What stays free of copies: the reserve of lib.sh, and a tenth.
least=$(((16 << 20) + $(stat -f -c '%b * %S / 10' "$work/ground")))
free() {
    echo $(($(stat -f -c '%a * %S' "$work/ground") - least))
}
fallocate -l $(($(free) - 12000000)) "$work/ground/ballast"
check "with 12 MB less than enough" test "$(free)" -lt 13000000
check "the copies are still there" copies "$one"
send three "$work/three"
check "20 MB had room" test -n "$id"
# Others may have gone with it: XFS gives back the blocks of removed files a little later.
check "for which the oldest copy gave way" within 20 is_gone "$one"
rm "$work/ground/ballast"

# --- Blocks that are not shared ----------------------------------------------------------

stop ground
stop sat
release
rm -rf "$work/sat" "$work"/*.card
check "a file system that shares no blocks" begin 0
head -c 4000000 /dev/urandom >"$work/ground/source"
send copied "$work/ground/source"
check "a copy is kept there too" within 20 copies "$id"
check "byte by byte" cmp "$work/ground/source" "$(copies "$id")"
check_exit 1 "with blocks of its own" is_shared "$(copies "$id")"
finish
