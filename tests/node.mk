# Tests of node/.

node_tests = tests/unit/test_node tests/unit/test_node_custody tests/unit/test_node_refusal \
	tests/unit/test_node_delta tests/unit/test_node_restart tests/unit/test_node_review tests/unit/test_node_hostile \
	tests/unit/test_node_contacts tests/unit/test_node_room tests/unit/test_node_rate \
	tests/unit/test_node_ladder tests/unit/test_node_memory tests/unit/test_node_revoke \
	tests/unit/test_negative tests/unit/test_node_copies
check_PROGRAMS += $(node_tests)
TESTS += $(node_tests)

NODE_LIBS = node/libnode.a link/liblink.a store/libstore.a bundle/libbundle.a base/libbase.a \
	$(URING_LIBS) $(ISAL_LIBS) $(CBOR_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS)

# Its allocations can be made to fail.
check_PROGRAMS += tests/unit/test_node_records
TESTS += tests/unit/test_node_records
tests_unit_test_node_records_SOURCES = \
	tests/unit/test_node_records.c tests/unit/node_unfinished.h tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_records_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)
tests_unit_test_node_records_LDFLAGS = $(AM_LDFLAGS) $(SIM_MEMORY_WRAP)

check_PROGRAMS += tests/unit/test_node_asked
TESTS += tests/unit/test_node_asked
tests_unit_test_node_asked_SOURCES = \
	tests/unit/test_node_asked.c tests/unit/node_unfinished.h tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_asked_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_SOURCES = tests/unit/test_node.c tests/unit/check.h
tests_unit_test_node_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_custody_SOURCES = \
	tests/unit/test_node_custody.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_custody_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_refusal_SOURCES = \
	tests/unit/test_node_refusal.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_refusal_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_delta_SOURCES = \
	tests/unit/test_node_delta.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_delta_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)
tests_unit_test_node_restart_SOURCES = \
	tests/unit/test_node_restart.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_restart_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_rate_SOURCES = tests/unit/test_node_rate.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_rate_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_contacts_SOURCES = \
	tests/unit/test_node_contacts.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_contacts_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_ladder_SOURCES = \
	tests/unit/test_node_ladder.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_ladder_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_negative_SOURCES = tests/unit/test_negative.c \
	tests/unit/negative_lab.c tests/unit/negative_lab.h \
	tests/unit/negative_tries.c tests/unit/negative_tries.h tests/unit/check.h
tests_unit_test_negative_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_copies_SOURCES = \
	tests/unit/test_node_copies.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_copies_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_revoke_SOURCES = \
	tests/unit/test_node_revoke.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_revoke_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_memory_SOURCES = \
	tests/unit/test_node_memory.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_memory_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_room_SOURCES = \
	tests/unit/test_node_room.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_room_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

tests_unit_test_node_review_SOURCES = \
	tests/unit/test_node_review.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_review_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_node_disk
TESTS += tests/unit/test_node_disk
tests_unit_test_node_disk_SOURCES = \
	tests/unit/test_node_disk.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_disk_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_node_cover
TESTS += tests/unit/test_node_cover
tests_unit_test_node_cover_SOURCES = \
	tests/unit/test_node_cover.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_cover_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

# Power cuts and failing operations over a whole transfer; `tests/crash/crash_node full` is the long
# form.
check_PROGRAMS += tests/crash/crash_node
TESTS += tests/crash/crash_node
tests_crash_crash_node_SOURCES = tests/crash/crash_node.c
tests_crash_crash_node_LDFLAGS = $(AM_LDFLAGS) $(SIM_MEMORY_WRAP)
tests_crash_crash_node_LDADD = sim/libsim.a $(NODE_LIBS)
EXTRA_DIST += tests/fuzz/corpus/records

# Rates that find themselves, alone and beside others; `tests/sim/rates full` tries more, and
# `tests/sim/rates draw DIR` draws them.
check_PROGRAMS += tests/sim/rates
TESTS += tests/sim/rates
tests_sim_rates_SOURCES = tests/sim/rates.c tests/sim/shared.c tests/sim/shared.h
tests_sim_rates_LDADD = sim/libsim.a $(NODE_LIBS) -lm

tests_unit_test_node_hostile_SOURCES = \
	tests/unit/test_node_hostile.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_hostile_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_records
tests_fuzz_fuzz_records_SOURCES = tests/fuzz/fuzz_records.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_records_LDADD = $(NODE_LIBS)
tests_fuzz_fuzz_records_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
if !FUZZING
TESTS += tests/fuzz/fuzz_records
endif

# How long each kind of path may take; `tests/sim/budgets full` runs the sizes of the figures.
check_PROGRAMS += tests/sim/budgets
TESTS += tests/sim/budgets
tests_sim_budgets_SOURCES = tests/sim/budgets.c
tests_sim_budgets_LDADD = sim/libsim.a $(NODE_LIBS)

# 700 GB in 668,000 bundles; `tests/sim/scale full` lets all of them cross.
check_PROGRAMS += tests/sim/scale
TESTS += tests/sim/scale
tests_sim_scale_SOURCES = tests/sim/scale.c
tests_sim_scale_LDADD = sim/libsim.a $(NODE_LIBS)
