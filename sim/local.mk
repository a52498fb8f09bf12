noinst_LIBRARIES += sim/libsim.a
sim_libsim_a_SOURCES = \
	%D%/clock.c %D%/clock.h \
	%D%/contacts.c %D%/contacts.h \
	%D%/disk.c %D%/disk.h %D%/disk_state.h \
	%D%/disk_probe.c \
	%D%/image.c %D%/image.h \
	%D%/nat.c %D%/nat.h \
	%D%/path.c %D%/path.h \
	%D%/profile.c %D%/profile.h \
	%D%/scenario.c %D%/scenario.h \
	%D%/tree.c %D%/tree.h \
	%D%/tree_whole.c \
	%D%/value.c %D%/value.h \
	%D%/whatif.c %D%/whatif.h \
	%D%/world.c %D%/world.h
