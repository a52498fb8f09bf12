#!/bin/sh
# The manual pages are good mdoc, and every command of the programs stands in them.
set -eu
cd "${srcdir:-.}"

if ! command -v mandoc >/dev/null; then
    echo "SKIP: there is no mandoc here"
    exit 77
fi
for page in docs/man/*.[1-9]; do
    mandoc -T lint -W warning "$page"
done
