# Tests of app/.
APP_TEST_LIBS = app/libapp.a bundle/libbundle.a base/libbase.a $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(CBOR_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(CUNIT_LIBS)

APP_TESTS = \
	tests/unit/test_confine \
	tests/unit/test_config \
	tests/unit/test_home \
	tests/unit/test_kept \
	tests/unit/test_limit \
	tests/unit/test_peers \
	tests/unit/test_plan \
	tests/unit/test_submit_protocol \
	tests/unit/test_threads \
	tests/unit/test_udp \
	tests/unit/test_units
check_PROGRAMS += $(APP_TESTS)
TESTS += $(APP_TESTS)

tests_unit_test_confine_SOURCES = tests/unit/test_confine.c tests/unit/check.h app/confine.c app/confine.h
tests_unit_test_confine_LDADD = $(APP_TEST_LIBS) $(SECCOMP_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/check.h
tests_unit_test_config_LDADD = $(APP_TEST_LIBS)
tests_unit_test_kept_SOURCES = tests/unit/test_kept.c tests/unit/check.h
tests_unit_test_kept_LDADD = $(APP_TEST_LIBS)
tests_unit_test_limit_SOURCES = tests/unit/test_limit.c tests/unit/check.h
tests_unit_test_limit_LDADD = $(APP_TEST_LIBS)
tests_unit_test_home_SOURCES = tests/unit/test_home.c tests/unit/check.h
tests_unit_test_home_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fsync
tests_unit_test_home_LDADD = $(APP_TEST_LIBS)
tests_unit_test_peers_SOURCES = tests/unit/test_peers.c tests/unit/check.h
tests_unit_test_peers_LDADD = $(APP_TEST_LIBS)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c tests/unit/check.h
tests_unit_test_plan_LDADD = app/libapp.a link/liblink.a $(APP_TEST_LIBS) $(JANSSON_LIBS)
tests_unit_test_submit_protocol_SOURCES = tests/unit/test_submit_protocol.c tests/unit/check.h
tests_unit_test_submit_protocol_LDADD = $(APP_TEST_LIBS)
tests_unit_test_threads_SOURCES = tests/unit/test_threads.c tests/unit/check.h
tests_unit_test_threads_LDADD = $(APP_TEST_LIBS)
tests_unit_test_udp_SOURCES = tests/unit/test_udp.c tests/unit/check.h
tests_unit_test_udp_LDADD = $(APP_TEST_LIBS)
tests_unit_test_units_SOURCES = tests/unit/test_units.c tests/unit/check.h
tests_unit_test_units_LDADD = $(APP_TEST_LIBS)

# Fuzz targets.
check_PROGRAMS += tests/fuzz/fuzz_config tests/fuzz/fuzz_plan tests/fuzz/fuzz_submit
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_config_LDADD = $(APP_TEST_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_plan_SOURCES = tests/fuzz/fuzz_plan.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_plan_LDADD = app/libapp.a link/liblink.a $(APP_TEST_LIBS) $(JANSSON_LIBS)
tests_fuzz_fuzz_plan_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_submit_SOURCES = tests/fuzz/fuzz_submit.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_submit_LDADD = $(APP_TEST_LIBS)
tests_fuzz_fuzz_submit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
if !FUZZING
TESTS += tests/fuzz/fuzz_config tests/fuzz/fuzz_plan tests/fuzz/fuzz_submit
endif
EXTRA_DIST += tests/fuzz/corpus/config tests/fuzz/corpus/plan tests/fuzz/corpus/submit

# The command line.
CLI_TEST_LIBS = app/libcli.a app/libapp.a base/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) \
	$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CUNIT_LIBS)
check_PROGRAMS += tests/unit/test_bases tests/unit/test_cli tests/unit/test_walk
TESTS += tests/unit/test_bases tests/unit/test_cli tests/unit/test_walk
tests_unit_test_bases_SOURCES = tests/unit/test_bases.c tests/unit/check.h
tests_unit_test_bases_LDADD = $(CLI_TEST_LIBS)
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c tests/unit/check.h
tests_unit_test_cli_LDADD = $(CLI_TEST_LIBS)
tests_unit_test_walk_SOURCES = tests/unit/test_walk.c tests/unit/check.h
tests_unit_test_walk_LDADD = $(CLI_TEST_LIBS)

# The real programs, on loopback; each script says what it skips.
E2E_TESTS = \
	tests/e2e/daemon \
	tests/e2e/hostile \
	tests/e2e/basic.sh \
	tests/e2e/confine.sh \
	tests/e2e/contacts.sh \
	tests/e2e/cutoff \
	tests/e2e/doctor.sh \
	tests/e2e/files.sh \
	tests/e2e/gateways.sh \
	tests/e2e/mtu.sh \
	tests/e2e/custody.sh \
	tests/e2e/passphrase.sh \
	tests/e2e/peers.sh \
	tests/e2e/revoke.sh \
	tests/e2e/rollback.sh \
	tests/e2e/rate.sh \
	tests/e2e/secrecy.sh \
	tests/e2e/delta.sh \
	tests/e2e/weights.sh
dist_check_SCRIPTS += $(E2E_TESTS)
TESTS += $(E2E_TESTS)
EXTRA_DIST += tests/e2e/lib.sh tests/e2e/nodes.py
