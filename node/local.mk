noinst_LIBRARIES += node/libnode.a
node_libnode_a_SOURCES = \
	%D%/arrive.c \
	%D%/bases.c %D%/bases.h \
	%D%/cache.c \
	%D%/coders.c \
	%D%/commits.c \
	%D%/contacts.c %D%/contacts.h \
	%D%/cover.c \
	%D%/courier.c \
	%D%/decode.c %D%/decode.h \
	%D%/decode_frame.c \
	%D%/deliver.c \
	%D%/ended.c \
	%D%/events.c \
	%D%/fetch.c \
	%D%/flight.h \
	%D%/inbound.c %D%/inbound.h \
	%D%/inbound_end.c \
	%D%/info.c \
	%D%/inspect.c %D%/inspect.h \
	%D%/intake.c %D%/intake.h \
	%D%/intake_open.c \
	%D%/intake_read.c \
	%D%/internal.h \
	%D%/keyring.c \
	%D%/ladder.c \
	%D%/links.c \
	%D%/mail.c \
	%D%/names.c \
	%D%/node.c %D%/node.h \
	%D%/offer.c \
	%D%/open.c \
	%D%/outbound.c %D%/outbound.h \
	%D%/peers.c \
	%D%/post.c \
	%D%/postponed.c \
	%D%/receipt.c \
	%D%/record.c \
	%D%/recover.c \
	%D%/revoke.c \
	%D%/room.c \
	%D%/schema.c %D%/schema.h \
	%D%/send.c \
	%D%/staging.c %D%/staging.h %D%/staging_private.h \
	%D%/staging_build.c %D%/staging_write.c \
	%D%/settle.c \
	%D%/sweep.c \
	%D%/turns.c \
	%D%/whole.c %D%/whole.h
