#!/bin/sh
# Seals a whole transfer in several classes and has the independent reader open it; the
# files that come out must be the ones that went in. Then a changed byte must stop it.
set -eu

python=${PYTHON3:-/usr/bin/python3}
here=${srcdir:-.}/tests/vectors
make_transfer=./tests/vectors/make_transfer
folder=$(mktemp -d "${TMPDIR:-/tmp}/skyferry-reader.XXXXXX")
trap 'rm -rf "$folder"' EXIT

if ! "$python" -c 'import cbor2, cryptography, zstandard' 2>/dev/null; then
    echo "SKIP: $python lacks cbor2, cryptography or zstandard (python3-cbor2, python3-cryptography, python3-zstandard)"
    exit 77
fi

open_it() {
    "$python" "$here/reader.py" open "$1/receiver.keys" "$1/sender.card" "$1/grant" "$1/spool" "$2" - "$1/base"
}

for class in 16384 65536 1048576; do
    mkdir "$folder/$class"
    "$make_transfer" "$class" "$folder/$class"
    open_it "$folder/$class" "$folder/$class/out"
    (cd "$folder/$class/out" && sha256sum --quiet --strict -c ../SHA256SUMS)
    diff -r "$folder/$class/source" "$folder/$class/out"
done

# The reader must not be one that says yes to everything.
transfer=$folder/65536
for place in 0 60 100 3000 65535 200000; do
    cp "$transfer/spool" "$folder/kept"
    printf '\125' | dd of="$transfer/spool" bs=1 seek="$place" conv=notrunc status=none
    if cmp -s "$transfer/spool" "$folder/kept"; then
        printf '\126' | dd of="$transfer/spool" bs=1 seek="$place" conv=notrunc status=none
    fi
    if open_it "$transfer" "$folder/bad" 2>"$folder/said"; then
        echo "the reader took a spool with byte $place changed"
        exit 1
    fi
    grep -q '^reader: refused' "$folder/said"
    cp "$folder/kept" "$transfer/spool"
done
echo "a changed byte stops the reader"
