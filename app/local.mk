# What the programs share.
noinst_LIBRARIES += app/libapp.a
app_libapp_a_SOURCES = \
	%D%/config.c %D%/config.h \
	%D%/error.c %D%/error.h \
	%D%/home.c %D%/home.h \
	%D%/peers.c %D%/peers.h \
	%D%/submit_protocol.c %D%/submit_protocol.h \
	%D%/units.c %D%/units.h
