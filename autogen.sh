#!/bin/sh
# Makes ./configure from configure.ac. Run it once after a fresh clone.
set -eu
cd "$(dirname "$0")"
exec autoreconf --force --install --warnings=all,no-obsolete
