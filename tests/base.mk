# Tests of base/.

check_PROGRAMS += tests/unit/test_range_set tests/unit/test_prng
TESTS += tests/unit/test_range_set tests/unit/test_prng

tests_unit_test_range_set_SOURCES = tests/unit/test_range_set.c tests/unit/check.h
tests_unit_test_range_set_LDADD = base/libbase.a $(CUNIT_LIBS)

tests_unit_test_prng_SOURCES = tests/unit/test_prng.c tests/unit/check.h
tests_unit_test_prng_LDADD = base/libbase.a $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_crypto tests/unit/test_master
TESTS += tests/unit/test_crypto tests/unit/test_master
tests_unit_test_master_SOURCES = tests/unit/test_master.c tests/unit/check.h
tests_unit_test_master_LDADD = base/libbase.a $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CUNIT_LIBS)
tests_unit_test_crypto_SOURCES = tests/unit/test_crypto.c tests/hex.h tests/unit/check.h
tests_unit_test_crypto_LDADD = base/libbase.a $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CUNIT_LIBS)
