# Tests of store/.

check_PROGRAMS += tests/unit/test_disk
TESTS += tests/unit/test_disk

tests_unit_test_disk_SOURCES = \
	tests/unit/test_disk.c tests/unit/check.h tests/unit/disk_steps.h
tests_unit_test_disk_LDADD = \
	sim/libsim.a store/libstore.a base/libbase.a $(URING_LIBS) $(CUNIT_LIBS)

STORE_TEST_LIBS = sim/libsim.a store/libstore.a base/libbase.a $(URING_LIBS) $(SODIUM_LIBS) \
	$(CRYPTO_LIBS) $(CUNIT_LIBS)

JOURNAL_STEPS = tests/unit/journal_steps.h tests/unit/store_steps.h tests/unit/check.h

check_PROGRAMS += tests/unit/test_journal tests/unit/test_journal_recovery \
	tests/unit/test_journal_compaction tests/unit/test_spool tests/unit/test_vault \
	tests/unit/test_audit
TESTS += tests/unit/test_journal tests/unit/test_journal_recovery \
	tests/unit/test_journal_compaction tests/unit/test_spool tests/unit/test_vault \
	tests/unit/test_audit
check_PROGRAMS += tests/unit/test_fact tests/unit/test_audit_line
TESTS += tests/unit/test_fact tests/unit/test_audit_line
tests_unit_test_fact_SOURCES = tests/unit/test_fact.c tests/unit/check.h
tests_unit_test_fact_LDADD = store/libstore.a base/libbase.a $(CUNIT_LIBS)
tests_unit_test_audit_line_SOURCES = tests/unit/test_audit_line.c tests/unit/check.h
tests_unit_test_audit_line_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_journal_SOURCES = tests/unit/test_journal.c $(JOURNAL_STEPS)
tests_unit_test_journal_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_journal_recovery_SOURCES = tests/unit/test_journal_recovery.c $(JOURNAL_STEPS)
tests_unit_test_journal_recovery_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_journal_compaction_SOURCES = tests/unit/test_journal_compaction.c $(JOURNAL_STEPS)
tests_unit_test_journal_compaction_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c tests/unit/check.h tests/unit/store_steps.h
tests_unit_test_spool_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_vault_SOURCES = tests/unit/test_vault.c tests/unit/check.h tests/unit/store_steps.h
tests_unit_test_vault_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c tests/unit/check.h tests/unit/store_steps.h
tests_unit_test_audit_LDADD = $(STORE_TEST_LIBS)

# Power cuts and failing operations at every step; `tests/crash/crash_store full` is the long form.
check_PROGRAMS += tests/crash/crash_store
TESTS += tests/crash/crash_store
tests_crash_crash_store_SOURCES = \
	tests/crash/crash_store.c tests/crash/store_home.c tests/crash/store_home.h
tests_crash_crash_store_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_journal tests/fuzz/fuzz_vault tests/fuzz/fuzz_audit
tests_fuzz_fuzz_journal_SOURCES = \
	tests/fuzz/fuzz_journal.c tests/fuzz/store_pieces.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_journal_LDADD = $(STORE_TEST_LIBS)
tests_fuzz_fuzz_journal_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_vault_SOURCES = tests/fuzz/fuzz_vault.c tests/fuzz/store_pieces.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_vault_LDADD = $(STORE_TEST_LIBS)
tests_fuzz_fuzz_vault_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_audit_SOURCES = tests/fuzz/fuzz_audit.c tests/fuzz/store_pieces.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_audit_LDADD = $(STORE_TEST_LIBS)
tests_fuzz_fuzz_audit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
if !FUZZING
TESTS += tests/fuzz/fuzz_journal tests/fuzz/fuzz_vault tests/fuzz/fuzz_audit
endif
EXTRA_DIST += tests/fuzz/corpus/journal tests/fuzz/corpus/vault tests/fuzz/corpus/audit

# Writes the seeds of these corpora: tests/fuzz/make_corpus_store $(srcdir)/tests/fuzz/corpus
EXTRA_PROGRAMS += tests/fuzz/make_corpus_store
tests_fuzz_make_corpus_store_SOURCES = tests/fuzz/make_corpus_store.c tests/fuzz/store_pieces.h
tests_fuzz_make_corpus_store_LDADD = $(STORE_TEST_LIBS)
