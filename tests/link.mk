# Tests of link/.

EXTRA_DIST += tests/unit/link_world.h
LINK_LDADD = link/liblink.a base/libbase.a $(ISAL_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_noise
TESTS += tests/unit/test_noise
tests_unit_test_noise_SOURCES = tests/unit/test_noise.c
tests_unit_test_noise_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_opener
TESTS += tests/unit/test_opener
tests_unit_test_opener_SOURCES = tests/unit/test_opener.c
tests_unit_test_opener_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_session
TESTS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c
tests_unit_test_session_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_address
TESTS += tests/unit/test_address
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_flood
TESTS += tests/unit/test_flood
tests_unit_test_flood_SOURCES = tests/unit/test_flood.c
tests_unit_test_flood_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_message
TESTS += tests/unit/test_message
tests_unit_test_message_SOURCES = tests/unit/test_message.c
tests_unit_test_message_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_link
TESTS += tests/unit/test_link
tests_unit_test_link_SOURCES = tests/unit/test_link.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_link_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_link_guard tests/unit/test_lives
TESTS += tests/unit/test_link_guard tests/unit/test_lives
tests_unit_test_lives_SOURCES = tests/unit/test_lives.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_lives_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)
tests_unit_test_link_guard_SOURCES = tests/unit/test_link_guard.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_link_guard_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_link_address
TESTS += tests/unit/test_link_address
tests_unit_test_link_address_SOURCES = tests/unit/test_link_address.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_link_address_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_path_mtu
TESTS += tests/unit/test_path_mtu
tests_unit_test_path_mtu_SOURCES = tests/unit/test_path_mtu.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_path_mtu_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

# Fuzz targets.
EXTRA_DIST += tests/fuzz/link_fixture.h tests/fuzz/corpus/opener tests/fuzz/corpus/datagram \
	tests/fuzz/corpus/link_input

check_PROGRAMS += tests/fuzz/fuzz_opener
tests_fuzz_fuzz_opener_SOURCES = tests/fuzz/fuzz_opener.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_opener_LDADD = $(LINK_LDADD)
tests_fuzz_fuzz_opener_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_datagram
tests_fuzz_fuzz_datagram_SOURCES = tests/fuzz/fuzz_datagram.c tests/fuzz/link_fixture.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_datagram_LDADD = $(LINK_LDADD)
tests_fuzz_fuzz_datagram_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_link_input
tests_fuzz_fuzz_link_input_SOURCES = tests/fuzz/fuzz_link_input.c tests/fuzz/link_fixture.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_link_input_LDADD = $(LINK_LDADD)
tests_fuzz_fuzz_link_input_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

if !FUZZING
TESTS += tests/fuzz/fuzz_opener tests/fuzz/fuzz_datagram tests/fuzz/fuzz_link_input
endif

# Writes the seeds of these corpora: tests/fuzz/make_corpus_link $(srcdir)/tests/fuzz/corpus
EXTRA_PROGRAMS += tests/fuzz/make_corpus_link
tests_fuzz_make_corpus_link_SOURCES = tests/fuzz/make_corpus_link.c tests/fuzz/link_fixture.h
tests_fuzz_make_corpus_link_LDADD = $(LINK_LDADD)

check_PROGRAMS += tests/unit/test_pacer
TESTS += tests/unit/test_pacer
tests_unit_test_pacer_SOURCES = tests/unit/test_pacer.c
tests_unit_test_pacer_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_pool
TESTS += tests/unit/test_pool
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c
tests_unit_test_pool_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_extents
TESTS += tests/unit/test_extents
tests_unit_test_extents_SOURCES = tests/unit/test_extents.c
tests_unit_test_extents_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_report
TESTS += tests/unit/test_report
tests_unit_test_report_SOURCES = tests/unit/test_report.c
tests_unit_test_report_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_objects
TESTS += tests/unit/test_objects
tests_unit_test_objects_SOURCES = tests/unit/test_objects.c tests/unit/object_pair.c tests/unit/object_pair.h
tests_unit_test_objects_LDADD = $(LINK_LDADD) $(CUNIT_LIBS) -lm

check_PROGRAMS += tests/unit/test_object_lies
TESTS += tests/unit/test_object_lies
tests_unit_test_object_lies_SOURCES = tests/unit/test_object_lies.c tests/unit/object_pair.h
tests_unit_test_object_lies_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

EXTRA_DIST += tests/fuzz/corpus/report tests/fuzz/corpus/object_messages

check_PROGRAMS += tests/fuzz/fuzz_report
tests_fuzz_fuzz_report_SOURCES = tests/fuzz/fuzz_report.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_report_LDADD = $(LINK_LDADD)
tests_fuzz_fuzz_report_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_object_messages
tests_fuzz_fuzz_object_messages_SOURCES = tests/fuzz/fuzz_object_messages.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_object_messages_LDADD = $(LINK_LDADD)
tests_fuzz_fuzz_object_messages_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

if !FUZZING
TESTS += tests/fuzz/fuzz_report tests/fuzz/fuzz_object_messages
endif

# Writes the seeds of these corpora: tests/fuzz/make_corpus_objects $(srcdir)/tests/fuzz/corpus
EXTRA_PROGRAMS += tests/fuzz/make_corpus_objects
tests_fuzz_make_corpus_objects_SOURCES = tests/fuzz/make_corpus_objects.c
tests_fuzz_make_corpus_objects_LDADD = $(LINK_LDADD)

# Datagrams a second, by hand: make tests/bench/bench_link tests/bench/bench_link_objects
EXTRA_PROGRAMS += tests/bench/bench_link tests/bench/bench_link_objects
tests_bench_bench_link_SOURCES = tests/bench/bench_link.c
tests_bench_bench_link_LDADD = $(LINK_LDADD)
tests_bench_bench_link_objects_SOURCES = tests/bench/bench_link_objects.c
tests_bench_bench_link_objects_LDADD = $(LINK_LDADD)

# Contact plans, orbits and passes.
CONTACT_LDADD = link/liblink.a base/libbase.a $(JANSSON_LIBS) -lm
contact_tests = tests/unit/test_contact tests/unit/test_contact_ways tests/unit/test_orbit \
	tests/unit/test_passes tests/unit/test_sgp4
check_PROGRAMS += $(contact_tests)
TESTS += $(contact_tests)
tests_unit_test_contact_SOURCES = tests/unit/test_contact.c
tests_unit_test_contact_LDADD = $(CONTACT_LDADD) $(CUNIT_LIBS)
tests_unit_test_contact_ways_SOURCES = tests/unit/test_contact_ways.c
tests_unit_test_contact_ways_LDADD = $(CONTACT_LDADD) $(CUNIT_LIBS)
tests_unit_test_orbit_SOURCES = tests/unit/test_orbit.c
tests_unit_test_orbit_LDADD = $(CONTACT_LDADD) $(CUNIT_LIBS)
tests_unit_test_passes_SOURCES = tests/unit/test_passes.c
tests_unit_test_passes_LDADD = $(CONTACT_LDADD) $(CUNIT_LIBS)
tests_unit_test_sgp4_SOURCES = tests/unit/test_sgp4.c
tests_unit_test_sgp4_LDADD = $(CONTACT_LDADD) $(CUNIT_LIBS)

dist_check_SCRIPTS += tests/vectors/check_passes.sh tests/e2e/test_sim_passes
TESTS += tests/vectors/check_passes.sh tests/e2e/test_sim_passes
EXTRA_DIST += tests/vectors/passes.py tests/vectors/sgp4.txt tests/vectors/passes.tle

contact_fuzz = tests/fuzz/fuzz_contact_hdtn tests/fuzz/fuzz_contact_ion tests/fuzz/fuzz_orbit
check_PROGRAMS += $(contact_fuzz)
tests_fuzz_fuzz_contact_hdtn_SOURCES = tests/fuzz/fuzz_contact_hdtn.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_contact_hdtn_LDADD = $(CONTACT_LDADD)
tests_fuzz_fuzz_contact_hdtn_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_contact_ion_SOURCES = tests/fuzz/fuzz_contact_ion.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_contact_ion_LDADD = $(CONTACT_LDADD)
tests_fuzz_fuzz_contact_ion_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_orbit_SOURCES = tests/fuzz/fuzz_orbit.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_orbit_LDADD = $(CONTACT_LDADD)
tests_fuzz_fuzz_orbit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
if !FUZZING
TESTS += $(contact_fuzz)
endif
EXTRA_DIST += tests/fuzz/corpus/contact_hdtn tests/fuzz/corpus/contact_ion tests/fuzz/corpus/orbit

# How fast.
check_PROGRAMS += tests/unit/test_link_rate
TESTS += tests/unit/test_link_rate
tests_unit_test_link_rate_SOURCES = tests/unit/test_link_rate.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_link_rate_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_link_cover
TESTS += tests/unit/test_link_cover
tests_unit_test_link_cover_SOURCES = tests/unit/test_link_cover.c tests/unit/link_world.c tests/unit/link_world.h
tests_unit_test_link_cover_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_rate
TESTS += tests/unit/test_rate
tests_unit_test_rate_SOURCES = tests/unit/test_rate.c
tests_unit_test_rate_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_repair
TESTS += tests/unit/test_repair
tests_unit_test_repair_SOURCES = tests/unit/test_repair.c tests/unit/check.h
tests_unit_test_repair_LDADD = $(LINK_LDADD) $(CUNIT_LIBS)
