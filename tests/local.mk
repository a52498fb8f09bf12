# Tests of each room stand in a file of their own; their order does not matter.

# The driver that replays a corpus through a fuzz target when libFuzzer is not asked for.
FUZZ_REPLAY = tests/fuzz/replay.c

include tests/base.mk
include tests/bundle.mk
include tests/store.mk
include tests/link.mk
include tests/node.mk
include tests/sim.mk
include tests/app.mk
