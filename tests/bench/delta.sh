#!/bin/bash
# delta.sh - what the next version of weights is on the wire, against the one before: a small
# transformer that is trained here and then fine-tuned, its attention alone or all of it; and the
# same weights with a longer header, in another order, and with 1.2 % of the numbers moved.
#
#     tests/bench/delta.sh [FOLDER]   from a build folder, or with SKYFERRY_BUILD
#
# Needs python3-numpy (scripts/deps bench), and some minutes: with the reference BLAS about ten, with
# OpenBLAS one. FOLDER keeps what is trained. The figures are those of this pair, which is small and
# was trained for a few hundred steps. A measurement does not pass or fail.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${SKYFERRY_BUILD:-$PWD}
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/skyferry-delta-XXXXXX")}
python=/usr/bin/python3
mkdir -p "$folder"
[[ $# -gt 0 ]] || trap 'rm -rf "$folder"' EXIT

if ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "SKIP $python has no numpy (scripts/deps bench)"
    exit 0
fi
if [[ ! -e $folder/full.safetensors ]]; then
    echo "== training"
    "$python" "$here/train_pair.py" "$folder"
fi

# estimate NAME BASE: what it is on the wire, by type and codec.
estimate() {
    echo "== $1"
    "$build/skyferry" --home "$folder/none" estimate "$folder/$1.safetensors" --base "$2"
}

for name in attention full; do
    estimate "$name" "$folder/base.safetensors"
done
# The variants are of ten times those tensors: in small files frames and bundles are small.
"$python" - "$folder/base.safetensors" "$folder/large.safetensors" <<'END'
import json, struct, sys

with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = file.read()
copies, table = 10, {}
for copy in range(copies):
    for key, entry in header.items():
        places = [copy * len(data) + place for place in entry["data_offsets"]]
        table["%02d.%s" % (copy, key)] = dict(entry, data_offsets=places)
head = json.dumps(table).encode()
with open(sys.argv[2], "wb") as file:
    file.write(struct.pack("<Q", len(head)) + head + data * copies)
END
"$python" "$here/vary_weights.py" "$folder/large.safetensors" "$folder"
for name in header order moved; do
    estimate "$name" "$folder/large.safetensors"
done
