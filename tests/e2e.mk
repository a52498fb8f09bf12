# The hard cases of the real programs: kills, bad paths, full disks, flipped bits, memory, the page
# cache, sources that change. SKYFERRY_E2E_FULL=1 takes the sizes that are too long for every day.
E2E_FAULT_TESTS = \
	tests/e2e/cache.sh \
	tests/e2e/flips.sh \
	tests/e2e/full.sh \
	tests/e2e/kept.sh \
	tests/e2e/kill.sh \
	tests/e2e/lossy.sh \
	tests/e2e/memory.sh \
	tests/e2e/privacy.sh \
	tests/e2e/source.sh
dist_check_SCRIPTS += $(E2E_FAULT_TESTS)
TESTS += $(E2E_FAULT_TESTS)
EXTRA_DIST += tests/e2e/faults.sh tests/e2e/namespaces.sh
