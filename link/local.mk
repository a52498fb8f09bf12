noinst_LIBRARIES += link/liblink.a

# Keys, datagrams, addresses; and the engine.
link_liblink_a_SOURCES = \
	%D%/addr.h \
	%D%/address.c %D%/address.h \
	%D%/core.h \
	%D%/flood.c %D%/flood.h \
	%D%/input.c \
	%D%/link.c %D%/link.h \
	%D%/message.c %D%/message.h \
	%D%/noise.c %D%/noise.h \
	%D%/object.h \
	%D%/opener.c %D%/opener.h \
	%D%/output.c \
	%D%/peer.c \
	%D%/session.c %D%/session.h

# Objects, segments, reports.
link_liblink_a_SOURCES += \
	%D%/extents.c %D%/extents.h \
	%D%/inbox.c %D%/inbox.h %D%/inbox_private.h \
	%D%/inbox_report.c \
	%D%/objects.c %D%/objects.h \
	%D%/outbox.c %D%/outbox.h %D%/outbox_private.h \
	%D%/outbox_fill.c \
	%D%/outbox_report.c \
	%D%/pacer.c %D%/pacer.h \
	%D%/partial.c \
	%D%/pool.c %D%/pool.h \
	%D%/report.c %D%/report.h \
	%D%/rtt.c %D%/rtt.h \
	%D%/window.c
