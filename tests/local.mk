# Tests of each room stand in a file of their own; their order does not matter.

# Fuzz targets bring libFuzzer's main when it is asked for; else a driver of our own replays
# the corpus through them, and they are tests (`if !FUZZING` around TESTS).
if FUZZING
FUZZ_REPLAY =
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_REPLAY = tests/fuzz/replay.c
FUZZ_LINK =
endif

include tests/base.mk
include tests/bundle.mk
include tests/store.mk
include tests/link.mk
include tests/node.mk
include tests/sim.mk
include tests/app.mk
include tests/e2e.mk
include tests/house.mk
