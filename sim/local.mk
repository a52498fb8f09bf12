noinst_LIBRARIES += sim/libsim.a
sim_libsim_a_SOURCES = \
	%D%/attacker.c \
	%D%/checker.c %D%/checker.h \
	%D%/checker_link.c \
	%D%/clock.c %D%/clock.h \
	%D%/contacts.c %D%/contacts.h \
	%D%/depot.c %D%/depot.h \
	%D%/disk.c %D%/disk.h %D%/disk_state.h \
	%D%/disk_probe.c \
	%D%/faults.c %D%/faults.h \
	%D%/fluid.c %D%/fluid.h \
	%D%/hollow.c %D%/hollow.h \
	%D%/image.c %D%/image.h \
	%D%/life.c %D%/life.h %D%/life_state.h \
	%D%/life_faults.c \
	%D%/life_work.c \
	%D%/memory.c %D%/memory.h \
	%D%/nat.c %D%/nat.h \
	%D%/path.c %D%/path.h \
	%D%/plot.c %D%/plot.h \
	%D%/profile.c %D%/profile.h \
	%D%/report_html.c %D%/report_html.h \
	%D%/scenario.c %D%/scenario.h \
	%D%/schedule.c %D%/schedule.h \
	%D%/stage.c %D%/stage.h \
	%D%/trace.c %D%/trace.h \
	%D%/traitor.c \
	%D%/tree.c %D%/tree.h \
	%D%/tree_whole.c \
	%D%/value.c %D%/value.h \
	%D%/whatif.c %D%/whatif.h \
	%D%/world.c %D%/world.h %D%/world_state.h \
	%D%/world_net.c \
	%D%/world_send.c

# Programs in which allocations of simulated nodes can fail (sim/memory.h).
SIM_MEMORY_WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

# The profiles are installed as they are, and the program carries them.
sim_profiles = \
	%D%/profiles/bgan.profile \
	%D%/profiles/clean.profile \
	%D%/profiles/edge-4g-cgnat.profile \
	%D%/profiles/geo-vsat.profile \
	%D%/profiles/hostile.profile \
	%D%/profiles/iridium-certus.profile \
	%D%/profiles/leo-optical.profile \
	%D%/profiles/leo-pass.profile \
	%D%/profiles/lunar.profile \
	%D%/profiles/mars-relay.profile \
	%D%/profiles/oneweb.profile \
	%D%/profiles/starlink.profile \
	%D%/profiles/thin-return.profile
profilesdir = $(pkgdatadir)/profiles
dist_profiles_DATA = $(sim_profiles)
nodist_sim_libsim_a_SOURCES = sim/profiles.c
CLEANFILES += sim/profiles.c
EXTRA_DIST += %D%/profiles.awk
sim/profiles.c: $(sim_profiles) %D%/profiles.awk
	$(AM_V_GEN)$(MKDIR_P) sim && \
	LC_ALL=C $(AWK) -f $(srcdir)/sim/profiles.awk \
		`for p in $(sim_profiles); do \
			if test -f "$$p"; then echo "$$p"; else echo "$(srcdir)/$$p"; fi; done` > $@.tmp && \
	mv $@.tmp $@
