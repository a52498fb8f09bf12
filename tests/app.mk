# Tests of app/.

# The command line.
CLI_LDADD = app/libcli.a app/libapp.a base/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_cli tests/unit/test_walk
TESTS += tests/unit/test_cli tests/unit/test_walk
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c
tests_unit_test_cli_LDADD = $(CLI_LDADD) $(CUNIT_LIBS)
tests_unit_test_walk_SOURCES = tests/unit/test_walk.c
tests_unit_test_walk_LDADD = $(CLI_LDADD) $(CUNIT_LIBS)
