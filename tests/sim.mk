# Tests of sim/.

sim_tests = tests/unit/test_sim_disk tests/unit/test_clock tests/unit/test_path \
	tests/unit/test_profile
check_PROGRAMS += $(sim_tests)
TESTS += $(sim_tests)

tests_unit_test_sim_disk_SOURCES = \
	tests/unit/test_sim_disk.c tests/unit/check.h tests/unit/disk_steps.h
tests_unit_test_sim_disk_LDADD = \
	sim/libsim.a store/libstore.a base/libbase.a $(CUNIT_LIBS)

tests_unit_test_clock_SOURCES = tests/unit/test_clock.c tests/unit/check.h
tests_unit_test_clock_LDADD = sim/libsim.a base/libbase.a $(CUNIT_LIBS)

tests_unit_test_path_SOURCES = tests/unit/test_path.c tests/unit/check.h
tests_unit_test_path_LDADD = sim/libsim.a base/libbase.a $(CUNIT_LIBS)

tests_unit_test_profile_SOURCES = tests/unit/test_profile.c tests/unit/check.h
tests_unit_test_profile_LDADD = sim/libsim.a base/libbase.a $(CUNIT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_profile
tests_fuzz_fuzz_profile_SOURCES = tests/fuzz/fuzz_profile.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_profile_LDADD = sim/libsim.a base/libbase.a
tests_fuzz_fuzz_profile_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
if !FUZZING
TESTS += tests/fuzz/fuzz_profile
endif
EXTRA_DIST += tests/fuzz/corpus/profile

# What lives from seeds have shown.
check_PROGRAMS += tests/unit/test_node_lives
TESTS += tests/unit/test_node_lives
tests_unit_test_node_lives_SOURCES = \
	tests/unit/test_node_lives.c tests/unit/node_fixture.h tests/unit/check.h
tests_unit_test_node_lives_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS)

# Lives from seeds; `make seeds` lives 10,000.
dist_check_SCRIPTS += tests/sim/check_seeds.sh tests/sim/check_mutants.sh
TESTS += tests/sim/check_seeds.sh tests/sim/check_mutants.sh
sim_mutants = \
	tests/sim/mutants/forged-content-taken.patch \
	tests/sim/mutants/free-before-final.patch \
	tests/sim/mutants/fsync-error-ignored.patch \
	tests/sim/mutants/journal-not-synced.patch \
	tests/sim/mutants/loss-not-told.patch \
	tests/sim/mutants/receipt-before-sync.patch \
	tests/sim/mutants/replay-accepted.patch \
	tests/sim/mutants/slot-given-back-too-early.patch
EXTRA_DIST += tests/sim/regressions $(sim_mutants)
CLEANFILES += tests/sim/lives tests/sim/hashes
.PHONY: seeds
seeds: skyferry-sim$(EXEEXT)
	SF_SEEDS=1..10000 srcdir=$(srcdir) $(SHELL) $(srcdir)/tests/sim/check_seeds.sh

# Campaigns of about CAMPAIGN_SECONDS, which leave a line in tests/LEDGER of the source folder.
CAMPAIGN_SECONDS = 3600
campaign = srcdir=$(srcdir) $(srcdir)/tests/campaign
.PHONY: campaign-seeds campaign-fuzz campaign-kill campaign-cuts campaign-soak campaign-mutants campaign-crash
campaign-seeds: skyferry-sim$(EXEEXT)
	$(campaign) seeds $(CAMPAIGN_SECONDS)
campaign-fuzz:
	$(campaign) fuzz $(CAMPAIGN_SECONDS)
campaign-kill: skyferry$(EXEEXT) skyferryd$(EXEEXT) skyferry-sim$(EXEEXT)
	$(campaign) kill $(CAMPAIGN_SECONDS)
campaign-cuts: skyferry$(EXEEXT) skyferryd$(EXEEXT)
	$(campaign) cuts $(CAMPAIGN_SECONDS)
campaign-soak: skyferry$(EXEEXT) skyferryd$(EXEEXT) skyferry-sim$(EXEEXT)
	$(campaign) soak $(CAMPAIGN_SECONDS)
campaign-mutants:
	$(campaign) mutants $(CAMPAIGN_SECONDS)
campaign-crash: tests/crash/crash_store$(EXEEXT) tests/crash/crash_node$(EXEEXT)
	$(campaign) crash $(CAMPAIGN_SECONDS)
EXTRA_DIST += tests/campaign tests/LEDGER tests/mutate tests/mutate.alike tests/soak

# What-if: scenarios, the engines' answer and the fluid's.
whatif_tests = tests/unit/test_hollow tests/unit/test_scenario tests/unit/test_whatif \
	tests/unit/test_report_html tests/unit/test_schedule
check_PROGRAMS += $(whatif_tests)
TESTS += $(whatif_tests)

tests_unit_test_hollow_SOURCES = tests/unit/test_hollow.c tests/unit/check.h
tests_unit_test_hollow_LDADD = sim/libsim.a base/libbase.a $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CUNIT_LIBS)

tests_unit_test_scenario_SOURCES = tests/unit/test_scenario.c tests/unit/check.h
tests_unit_test_scenario_LDADD = sim/libsim.a base/libbase.a $(CUNIT_LIBS)

tests_unit_test_whatif_SOURCES = tests/unit/test_whatif.c tests/unit/check.h
tests_unit_test_whatif_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS) -lm

tests_unit_test_report_html_SOURCES = tests/unit/test_report_html.c tests/unit/check.h
tests_unit_test_report_html_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS) -lm

tests_unit_test_schedule_SOURCES = tests/unit/test_schedule.c tests/unit/check.h
tests_unit_test_schedule_LDADD = sim/libsim.a $(NODE_LIBS) $(CUNIT_LIBS) -lm

check_PROGRAMS += tests/fuzz/fuzz_scenario tests/fuzz/fuzz_schedule
tests_fuzz_fuzz_scenario_SOURCES = tests/fuzz/fuzz_scenario.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_scenario_LDADD = sim/libsim.a $(NODE_LIBS) -lm
tests_fuzz_fuzz_scenario_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_schedule_SOURCES = tests/fuzz/fuzz_schedule.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_schedule_LDADD = sim/libsim.a $(NODE_LIBS) -lm
tests_fuzz_fuzz_schedule_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
if !FUZZING
TESTS += tests/fuzz/fuzz_scenario tests/fuzz/fuzz_schedule
endif
EXTRA_DIST += tests/fuzz/corpus/scenario tests/fuzz/corpus/schedule

dist_check_SCRIPTS += tests/e2e/sim_run.sh
TESTS += tests/e2e/sim_run.sh
EXTRA_DIST += tests/e2e/check_page.py

dist_check_SCRIPTS += tests/e2e/test_sim_link tests/e2e/test_sim_tun
TESTS += tests/e2e/test_sim_link tests/e2e/test_sim_tun

dist_doc_DATA += docs/SIMULATOR.md

# By hand, as root: what the real-time link can do, for which the counting program is, whether it
# agrees with virtual time, and what other programs do over it. make tests/bench/bench_sim_link
EXTRA_PROGRAMS += tests/bench/bench_sim_link
tests_bench_bench_sim_link_SOURCES = tests/bench/bench_sim_link.c
EXTRA_DIST += tests/bench/agree tests/bench/lab.py tests/bench/link tests/bench/peers \
	tests/bench/plot.py tests/bench/tools.py
