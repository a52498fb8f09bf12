#!/bin/bash
# What is in the page cache stays there: a file that is sent or received goes past it, so that
# what others have in it is not lost. Counted in pages, of the source, the spool and the inbox.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/faults.sh"

bytes=64000000
left_max=$((bytes / 16))

# pages COMMAND FILE...: `count` the bytes of the files that are in the page cache, `drop` them, or
# see whether the kernel can `read` one past it.
pages() {
    /usr/bin/python3 - "$@" <<'PYTHON'
import ctypes
import mmap
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
RWF_DONTCACHE = 0x80
total = 0
for path in sys.argv[2:]:
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    if sys.argv[1] == "drop":
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    elif sys.argv[1] == "read":
        os.preadv(fd, [bytearray(mmap.PAGESIZE)], 0, RWF_DONTCACHE)
    elif size > 0:
        there = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        if at == ctypes.c_void_p(-1).value or libc.mincore(at, size, there) != 0:
            sys.exit("cannot look at the pages of " + path)
        total += sum(page & 1 for page in there.raw) * mmap.PAGESIZE
    os.close(fd)
print(total)
PYTHON
}

# cached FILE...: how many bytes of them are in the page cache.
cached() {
    pages count "$@"
}

spooled() {
    find "$work/$1/spool" "$work/$1/staging" -type f
}

# few FILE...: whether little of them is in the page cache.
few() {
    local left
    left=$(cached "$@") || return 1
    echo "$left bytes are there"
    [[ $left -le $left_max ]]
}

if [[ $(stat -f -c %T "$work") == tmpfs ]]; then
    skip "files here are nowhere but in memory"
    finish
fi
two_nodes
inbox=$work/sat/inbox/ground
head -c "$bytes" /dev/urandom >"$work/file.bin"
check "the source is on the disk" pages drop "$work/file.bin"
check "and nowhere else" few "$work/file.bin"

if pages read "$work/file.bin" >/dev/null 2>&1; then
    can_read_past=1
else
    can_read_past=0
    skip "this kernel or file system reads through the page cache alone (Linux 6.14)"
fi
pages drop "$work/file.bin" >/dev/null

stop sat
id=$(cli ground send "$work/file.bin" --to sat 2>/dev/null)
check "it is in custody" within 60 is_state ground "$id" custody
[[ $can_read_past == 0 ]] || check "the source did not stay in the page cache" few "$work/file.bin"
mapfile -t files < <(spooled ground)
check "there is a spool" test "${#files[@]}" -gt 0
check "nor did what was spooled" few "${files[@]}"
start sat
check "it is delivered" cli ground status "$id" --wait
check "to the byte" same_sha256 "$work/file.bin" "$inbox/file.bin"

# That comparison read both. Once more, and nobody looks inside.
pages drop "$work/file.bin" "$inbox/file.bin" >/dev/null
check "it is sent again" cli ground send "$work/file.bin" --as again.bin --to sat --wait
[[ $can_read_past == 0 ]] || check "the source is not in the page cache" few "$work/file.bin"
check "nor is what came" few "$inbox/again.bin"
check "and that is it" same_sha256 "$work/file.bin" "$inbox/again.bin"

# What somebody uses stays: the comparison read all of it.
check "the source is in the page cache now" test "$(cached "$work/file.bin")" -gt $((bytes / 2))
check "it is sent a third time" cli ground send "$work/file.bin" --as third.bin --to sat --wait
check "the source is there still" test "$(cached "$work/file.bin")" -gt $((bytes / 2))
finish
