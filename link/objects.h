/*
 * objects.h - the inner half of the datagram engine: how objects cross a path
 * that loses, repeats and reorders, without knowing of keys or addresses.
 *
 *   outbox.h  what is offered to one peer: cuts bundles into segments, decides
 *             what goes next, repairs what reports say is missing
 *   inbox.h   what one peer offers: assembles segments, says what arrived
 *   report.h  the receiver's words, byte by byte
 *   repair.h  symbols that stand in for lost ones
 *   pool.h    the memory in which all inboxes assemble bundles
 *   rtt.h     smoothed round-trip time
 *   pacer.h   when the next datagram may leave
 *
 * What the session layer (link.c) does with them, for each peer:
 *
 *   sending: when the pacer allows a datagram, it lets sf_inbox_fill() and then
 *     sf_outbox_fill() append messages to the datagram's plaintext, telling the
 *     latter the counter the datagram will carry. DATA is always the last
 *     message. A datagram that was filled and then not sent counts as lost.
 *     If neither had anything, sf_outbox_filler() makes one that stands for bulk.
 *   new session: sf_outbox_session() with its epoch, before its first datagram.
 *   receiving: for each authentic, not replayed datagram sf_inbox_datagram()
 *     first; then for each message of a type below the matching call with a
 *     reader that stands behind the type byte:
 *       DATA, DATA_SIZED, REPAIR, OBJECT, WITHDRAWN, ASK, FILLER -> sf_inbox_message()
 *       REPORT                                                   -> sf_outbox_report()
 *     SF_EFORMAT from one of them ends the reading of the datagram.
 *   dark: sf_outbox_pause() when the peer stopped answering, resume() when it
 *     is heard again. In between nothing is due and nothing is given up.
 *   waking: sf_outbox_deadline() and sf_inbox_deadline().
 *
 * Bodies of the messages (types and primitives in message.h):
 *
 *   DATA        varint handle, varint address / 16, bytes to the end
 *   DATA_SIZED  varint handle, varint address / 16, varint bytes, bytes
 *   OBJECT      varint handle, u8 revision, u8 flags, u8 kind, transfer (16),
 *               varint first, varint count, varint class_bytes / 16
 *               flags: 1 count is final, 2 the map is asked for; others zero
 *   WITHDRAWN   varint handle
 *   ASK         nothing: report at once
 *   FILLER      nothing: stands for a segment, and is reported as one is; PADDING follows
 *   REPAIR      varint handle, varint address of a block / 16, u8 symbols in it
 *               less one, varint bytes of a symbol / 16, u8 row, the row's bytes
 *   REPORT      see report.h
 *
 * Handles are chosen by the sender of the object, from 1 to
 * SF_OBJECT_HANDLE_MAX, and mean something within one boot of it.
 */
#ifndef SF_LINK_OBJECTS_H
#define SF_LINK_OBJECTS_H

#include "base/bytes.h"
#include "base/status.h"
#include "link/message.h"
#include "link/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_OBJECT_UNIT = 16,                  /* addresses and lengths on the wire are multiples */
    SF_OBJECT_HANDLE_MAX = (1 << 21) - 1, /* three bytes of a varint */
    SF_OBJECT_DATA_HEAD_MAX = 1 + 3 + 6,  /* type, handle, address / 16 */
    SF_OBJECT_SIZED_HEAD_MAX = SF_OBJECT_DATA_HEAD_MAX + 2,
    SF_OBJECT_REPAIR_HEAD_MAX = 1 + 3 + 6 + 1 + 2 + 1,
    SF_OBJECT_MESSAGE_MAX = 1 + 3 + 3 + 16 + 6 + 6 + 3, /* bytes of an OBJECT message */
};

/* An announcement as it stands on the wire. */
struct sf_object_notice {
    uint32_t handle;
    uint8_t revision; /* grows (mod 256) with every change; reports repeat it */
    bool ask_map;
    struct sf_link_object object; /* without priority, ready and ask_map */
};

/* A segment as it stands on the wire. */
struct sf_object_segment {
    uint32_t handle;
    uint64_t address; /* a multiple of SF_OBJECT_UNIT */
    struct sf_view bytes;
};

/* A repair segment: row `row` of the block of `symbols` symbols that begins at `address`. */
struct sf_object_repair {
    uint32_t handle;
    uint64_t address;
    unsigned symbols;     /* 1 .. SF_REPAIR_SYMBOLS_MAX */
    unsigned row;         /* below SF_REPAIR_ROWS_MAX */
    struct sf_view bytes; /* as many as a symbol has */
};

/*
 * Whether `object` keeps within the limits of object.h: a class that is a
 * multiple of SF_OBJECT_UNIT between the two bounds, at least one slot, its
 * last byte below SF_LINK_OBJECT_BYTES_MAX. SF_OK or SF_EINVAL.
 */
SF_MUST_USE int sf_object_check(const struct sf_link_object *object);

/* Append an OBJECT message; false, and nothing written, if it does not fit. */
bool sf_object_notice_encode(
    struct sf_message_writer *writer, const struct sf_object_notice *notice);

/* Read what follows the type byte. SF_OK, or SF_EFORMAT with *ret_notice untouched. */
SF_MUST_USE int sf_object_notice_decode(
    struct sf_message_reader *reader, struct sf_object_notice *ret_notice);

/*
 * Read what follows the type byte of DATA or DATA_SIZED; the bytes point into
 * the reader's memory. SF_OK, or SF_EFORMAT (also for an empty segment, or one
 * that is not a multiple of SF_OBJECT_UNIT) with *ret_segment untouched.
 */
SF_MUST_USE int sf_object_segment_decode(struct sf_message_reader *reader,
    enum sf_message_type type, struct sf_object_segment *ret_segment);

/*
 * REPAIR: the head goes to the writer, behind it come `symbol_bytes` that the
 * caller writes. NULL, and nothing written, if it does not fit.
 */
uint8_t *sf_object_repair_encode(
    struct sf_message_writer *writer, const struct sf_object_repair *repair, size_t symbol_bytes);

/* Read what follows the type byte. SF_OK, or SF_EFORMAT with *ret_repair untouched. */
SF_MUST_USE int sf_object_repair_decode(
    struct sf_message_reader *reader, struct sf_object_repair *ret_repair);

/* WITHDRAWN: false if it does not fit; SF_OK or SF_EFORMAT. */
bool sf_object_withdrawn_encode(struct sf_message_writer *writer, uint32_t handle);
SF_MUST_USE int sf_object_withdrawn_decode(struct sf_message_reader *reader, uint32_t *ret_handle);

#endif
