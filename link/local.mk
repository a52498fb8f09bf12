noinst_LIBRARIES += link/liblink.a

# Keys, datagrams, addresses; and the engine.
link_liblink_a_SOURCES = \
	%D%/addr.h \
	%D%/address.c %D%/address.h \
	%D%/core.h \
	%D%/flood.c %D%/flood.h \
	%D%/input.c \
	%D%/lives.c %D%/lives.h \
	%D%/link.c %D%/link.h \
	%D%/message.c %D%/message.h \
	%D%/noise.c %D%/noise.h \
	%D%/object.h \
	%D%/opener.c %D%/opener.h \
	%D%/output.c \
	%D%/peer.c \
	%D%/path_mtu.c %D%/path_mtu.h \
	%D%/peer_contact.c \
	%D%/peer_cover.c \
	%D%/peer_mtu.c \
	%D%/peer_rate.c \
	%D%/peer_session.c \
	%D%/peer_silence.c \
	%D%/peer_stale.c \
	%D%/session.c %D%/session.h

# Objects, segments, reports, repair. Users link $(ISAL_LIBS).
link_liblink_a_SOURCES += \
	%D%/curve.c %D%/curve.h \
	%D%/delivery.c %D%/delivery.h \
	%D%/extents.c %D%/extents.h \
	%D%/inbox.c %D%/inbox.h %D%/inbox_private.h \
	%D%/inbox_report.c \
	%D%/objects.c %D%/objects.h \
	%D%/outbox.c %D%/outbox.h %D%/outbox_private.h \
	%D%/outbox_fill.c \
	%D%/outbox_repair.c \
	%D%/outbox_report.c \
	%D%/outbox_round.c \
	%D%/pacer.c %D%/pacer.h \
	%D%/partial.c \
	%D%/partial_repair.c \
	%D%/pool.c %D%/pool.h \
	%D%/rate.c %D%/rate.h %D%/rate_private.h \
	%D%/rate_others.c \
	%D%/rate_path.c \
	%D%/repair.c %D%/repair.h \
	%D%/report.c %D%/report.h \
	%D%/rtt.c %D%/rtt.h \
	%D%/window.c

# Contact plans, orbits and passes: who hears whom when. Users link $(JANSSON_LIBS) and -lm.
link_liblink_a_SOURCES += \
	%D%/contact.c %D%/contact.h \
	%D%/contact_hdtn.c %D%/contact_hdtn.h \
	%D%/contact_ion.c %D%/contact_ion.h \
	%D%/contact_json.c %D%/contact_json.h \
	%D%/contact_orbit.c %D%/contact_orbit.h \
	%D%/contact_text.c %D%/contact_text.h \
	%D%/contact_ways.c %D%/contact_ways.h \
	%D%/passes.c %D%/passes.h \
	%D%/sgp4.c %D%/sgp4.h \
	%D%/sgp4_deep.c %D%/sgp4_deep.h
