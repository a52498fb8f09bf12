# What holds the house together: rooms, packages, form, words. And what is distributed beside
# the sources.

house_checks = \
	tests/house/check_deps.py \
	tests/house/check_format.sh \
	tests/house/check_hollow.sh \
	tests/house/check_includes.py \
	tests/house/check_man.sh \
	tests/house/check_mentions.py
dist_check_SCRIPTS += $(house_checks)
TESTS += $(house_checks)

.PHONY: check-format
check-format:
	$(AM_V_at)srcdir=$(srcdir) $(srcdir)/tests/house/check_format.sh

# Static analysis of all rooms; what is found is mended, or explained beside the code.
ANALYSE_FLAGS = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS)
.PHONY: analyse
analyse:
	srcdir='$(srcdir)' SF_ANALYSE_FLAGS='$(ANALYSE_FLAGS)' $(srcdir)/tests/analyse
EXTRA_DIST += .clang-tidy tests/analyse tests/races

# How many branches the tests took: in a build with --enable-coverage, after its make check; any other
# build makes one of its own.
.PHONY: coverage
if COVERAGE
coverage:
	$(srcdir)/tests/coverage
else
coverage:
	$(MKDIR_P) coverage
	test -f coverage/Makefile || (cd coverage && $(abs_srcdir)/configure --enable-coverage CC=clang CFLAGS='-O1 -g')
	rm -rf coverage/coverage
	$(MAKE) -C coverage check
	$(MAKE) -C coverage coverage
endif
clean-local:
	rm -rf coverage
EXTRA_DIST += tests/coverage

# The unit tests under valgrind's memcheck.
.PHONY: valgrind
valgrind: $(check_PROGRAMS)
	srcdir='$(srcdir)' $(srcdir)/tests/valgrind all
EXTRA_DIST += tests/valgrind

EXTRA_DIST += .ci/run tests/bench/bench.sh tests/bench/rates.sh scripts/demo scripts/demo.py scripts/deps scripts/test
EXTRA_DIST += \
	CHANGELOG.md CONTRIBUTING.md LICENSE README.md \
	docs/ARCHITECTURE.md docs/CODECS.md docs/CONTROL.md docs/PERFORMANCE.md docs/PROTOCOL.md \
	docs/SECURITY.md docs/SIMULATOR.md \
	docs/STORE.md docs/TESTING.md docs/images docs/protocol
