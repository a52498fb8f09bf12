# Tests of store/.

check_PROGRAMS += tests/unit/test_disk
TESTS += tests/unit/test_disk

tests_unit_test_disk_SOURCES = \
	tests/unit/test_disk.c tests/unit/check.h tests/unit/disk_steps.h
tests_unit_test_disk_LDADD = \
	sim/libsim.a store/libstore.a base/libbase.a $(URING_LIBS) $(CUNIT_LIBS)
