noinst_LIBRARIES += link/liblink.a

# Keys, datagrams, addresses.
link_liblink_a_SOURCES = \
	%D%/addr.h \
	%D%/address.c %D%/address.h \
	%D%/flood.c %D%/flood.h \
	%D%/link.h \
	%D%/message.c %D%/message.h \
	%D%/noise.c %D%/noise.h \
	%D%/object.h \
	%D%/opener.c %D%/opener.h \
	%D%/session.c %D%/session.h

