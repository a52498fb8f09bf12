#!/bin/sh
# The passes that skyferry-sim predicts must be those that python3-sgp4 and plain geometry give.
set -eu

python=${PYTHON3:-/usr/bin/python3}
here=${srcdir:-.}/tests/vectors
folder=$(mktemp -d "${TMPDIR:-/tmp}/skyferry-passes.XXXXXX")
trap 'rm -rf "$folder"' EXIT

./skyferry-sim passes --tle "$here/passes.tle" --from 2026-11-23 --days 2 --rate 100Mbit \
    --station 1:52.5,13.4,40,10 --station 2:78.23,15.39,450,5 --station 3:-33.15,-70.67,723,0 \
    --format ion > "$folder/plan"

if ! "$python" -c 'import sgp4.api' 2>/dev/null; then
    echo "SKIP: $python has no sgp4 (python3-sgp4)"
    exit 77
fi
"$python" "$here/passes.py" "$here/passes.tle" "$folder/plan" 1795392000 2 \
    1:52.5,13.4,40,10 2:78.23,15.39,450,5 3:-33.15,-70.67,723,0
