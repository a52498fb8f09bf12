#!/bin/sh
# The cipher that hides nothing (sim/hollow.h) stands in the simulator alone: no other program has
# a symbol of it, strong or weak, so that nothing can choose it there.
set -eu

if ! command -v nm >/dev/null; then
    echo "SKIP: there is no nm here"
    exit 77
fi
symbols() {
    { nm "$1" && nm -D "$1"; } | grep hollow
}
if ! symbols skyferry-sim | grep -q ' T sf_hollow_init$'; then
    echo "skyferry-sim has no sf_hollow_init: what is looked for has another name"
    exit 1
fi
for program in skyferryd skyferry; do
    if symbols "$program"; then
        echo "$program has symbols of the hollow cipher"
        exit 1
    fi
done
