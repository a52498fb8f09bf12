# Tests of sim/.

check_PROGRAMS += tests/unit/test_sim_disk
TESTS += tests/unit/test_sim_disk

tests_unit_test_sim_disk_SOURCES = \
	tests/unit/test_sim_disk.c tests/unit/check.h tests/unit/disk_steps.h
tests_unit_test_sim_disk_LDADD = \
	sim/libsim.a store/libstore.a base/libbase.a $(CUNIT_LIBS)
