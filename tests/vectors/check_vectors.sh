#!/bin/sh
# The golden vectors must be what the code makes today, byte for byte, and the independent
# reader must come to the verdicts that stand in them.
set -eu

python=${PYTHON3:-/usr/bin/python3}
here=${srcdir:-.}/tests/vectors
folder=$(mktemp -d "${TMPDIR:-/tmp}/skyferry-vectors.XXXXXX")
trap 'rm -rf "$folder"' EXIT

./tests/vectors/make_vectors "$folder"
for made in "$folder"/*.txt; do
    if ! cmp "$made" "$here/$(basename "$made")"; then
        echo "the format has changed: see tests/vectors/make_vectors.c"
        exit 1
    fi
done

if ! "$python" -c 'import cbor2, cryptography, zstandard' 2>/dev/null; then
    echo "SKIP: $python lacks cbor2, cryptography or zstandard (python3-cbor2, python3-cryptography, python3-zstandard)"
    exit 77
fi
"$python" "$here/reader.py" vectors "$here"
