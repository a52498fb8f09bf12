/*
 * report.h - what a receiver has, as it tells the sender.
 *
 * A REPORT message is complete in itself: one that arrives makes up for all
 * that were lost before it. It covers the datagrams up to the highest counter
 * received and speaks of some or all incoming objects, in sections. What it
 * does not mention it says nothing about.
 *
 *   u16       bytes that follow
 *   u64       number: grows with every report of this receiver, over restarts
 *   u64       epoch of the sender's session that the next field counts; 0 = none heard
 *   varint    highest counter received in it
 *   varint    microseconds since that datagram arrived
 *   varint    IP bytes received from this peer since its last restart or ours
 *   varint    IP bytes a second received lately
 *   varint    microseconds of the receiver's clock, modulo 2^32, when that datagram arrived
 *   varint    datagrams received with the mark CE (RFC 3168) since its last restart or ours
 *   varint    datagrams received in the epoch
 *   varint    of it, those missing between received ones, but for gaps of more than 128
 *   varint    how many gaps they make
 *   sections, to the end:
 *     u8      flags: bits 0-1 state, bit 2 LAST, bit 3 KEPT, others zero
 *             state 0 UNKNOWN  this handle means nothing here
 *                   1 HEARD    announced, not yet decided on
 *                   2 DECLINED not wanted
 *                   3 MAP      accepted; the fields after `revision` follow
 *     varint  handle
 *     u8      revision of the newest announcement (HEARD and MAP only)
 *   and for MAP:
 *     u8      1 if paused for want of room, else 0
 *     varint  base: address / 16
 *     then runs, from base on: varint received / 16, varint missing after it / 16;
 *             a missing of 0 ends the section
 *
 * Only the first run may be of length 0. With LAST nothing behind the last run
 * is received; without, the report was full there and more will follow. KEPT:
 * the count is final and the receiver's node kept every bundle.
 *
 * Pure functions over the caller's memory.
 */
#ifndef SF_LINK_REPORT_H
#define SF_LINK_REPORT_H

#include "base/range_set.h"
#include "base/status.h"
#include "link/objects.h"

enum {
    SF_REPORT_HEAD_BYTES_MAX = 1 + 2 + 8 + 8 + 9 * SF_MESSAGE_VARINT_BYTES_MAX,
    SF_REPORT_SECTION_BYTES_MAX = 1 + 3 + 1 + 1 + 6 + 6 + 1, /* with one run */
    SF_REPORT_BYTES_MAX = 8192, /* of one message; no datagram holds more */
};

enum sf_report_state {
    SF_REPORT_UNKNOWN = 0,
    SF_REPORT_HEARD = 1,
    SF_REPORT_DECLINED = 2,
    SF_REPORT_MAP = 3,
};

enum { SF_REPORT_GAP_MAX = 128 }; /* datagrams; a longer gap is an outage, no matter of chance */

/* What a session's counters tell of the path, in datagrams since the session began. */
struct sf_report_loss {
    uint64_t received;
    uint64_t lost;
    uint64_t gaps; /* in which they were lost */
};

struct sf_report {
    uint64_t number;
    uint64_t epoch;    /* 0 = nothing heard: the next two and arrived_us mean nothing */
    uint64_t counter;  /* highest received in `epoch` */
    uint64_t held_us;  /* since that one arrived */
    uint64_t ip_bytes; /* < 2^63, as the other counts */
    uint64_t bytes_per_second;
    uint32_t arrived_us; /* when that one arrived, by the receiver's clock; wraps around */
    uint64_t ce_dgrams;  /* that came with the mark of a congested router */
    struct sf_report_loss loss;
};

struct sf_report_section {
    enum sf_report_state state;
    bool is_last;
    bool is_kept;
    bool is_paused;
    uint8_t revision;
    uint32_t handle;
    uint64_t base; /* bytes; a multiple of SF_OBJECT_UNIT */
};

/* --- Writing ---------------------------------------------------------------- */

/* Ranges received are added in order; the section ends early when the room is gone. */
struct sf_report_encoder {
    struct sf_message_writer *writer;
    size_t begin;      /* of the message */
    size_t section;    /* of the map section being written */
    uint64_t run_from; /* received run not yet written */
    uint64_t run_to;
};

/* False, and nothing written, if not even the head fits. */
bool sf_report_begin(struct sf_report_encoder *encoder, struct sf_message_writer *writer,
    const struct sf_report *report);

/* A section without a map. False, and nothing written, if it does not fit. */
bool sf_report_state_section(struct sf_report_encoder *encoder, uint32_t handle,
    enum sf_report_state state, uint8_t revision);

/*
 * Begin a MAP section from `head` (handle, revision, is_paused and base).
 * False, and nothing written, if it may not fit. Then add received ranges in
 * bytes, ascending and apart; false from add means that the range is not in
 * and the section must end.
 */
bool sf_report_map_begin(struct sf_report_encoder *encoder, const struct sf_report_section *head);
bool sf_report_map_add(struct sf_report_encoder *encoder, uint64_t from, uint64_t to);

/* Takes is_last and is_kept from `head`. Returns where the section ends. */
uint64_t sf_report_map_end(struct sf_report_encoder *encoder, const struct sf_report_section *head);

/* The message is complete. */
void sf_report_end(struct sf_report_encoder *encoder);

/* --- Reading ----------------------------------------------------------------- */

struct sf_report_decoder {
    struct sf_message_reader reader;
    uint64_t at;    /* where the next run begins */
    bool is_in_map; /* runs of the current section are left */
};

/*
 * Read the head and check every section, hole and limit of the message behind
 * the type byte; `reader` is moved past it. Nothing needs to be checked again.
 * Returns SF_OK, or SF_EFORMAT with the outputs untouched.
 */
SF_MUST_USE int sf_report_decode(struct sf_message_reader *reader, struct sf_report *ret_report,
    struct sf_report_decoder *ret_decoder);

/* The next section; skips runs of the one before that were not taken. */
bool sf_report_next_section(
    struct sf_report_decoder *decoder, struct sf_report_section *ret_section);

/*
 * The next run of the current section: [from, to) is received (it may be
 * empty), then `missing` bytes are not; 0 means that the section ends at `to`.
 */
bool sf_report_next_run(
    struct sf_report_decoder *decoder, struct sf_range *ret_received, uint64_t *ret_missing);

#endif
