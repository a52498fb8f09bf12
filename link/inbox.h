/*
 * inbox.h - the objects one peer offers: assembles their segments in memory of
 * the pool and tells the peer what arrived.
 *
 * For each object there is the set of complete bundles and, for each partial
 * one, at most SF_LINK_RANGES_MAX ranges. A segment that would need more is
 * dropped and comes again. When the pool runs short, the partial bundle that
 * was not touched for the longest time is spilled to the caller and loaded
 * again when more of it arrives.
 *
 * Reports go out while data arrives, at every clamp(RTT / 4, 10 ms, 100 ms);
 * at once when an object is complete, when the peer asks and when something
 * must be refused; and ever more rarely while nothing changes.
 *
 * Incoming objects are known to the caller by a handle of the inbox's own,
 * which outlives the peer's restarts. Sans-I/O, not thread-safe, one per peer.
 */
#ifndef SF_LINK_INBOX_H
#define SF_LINK_INBOX_H

#include "base/range_set.h"
#include "base/status.h"
#include "base/time.h"
#include "link/objects.h"
#include "link/pool.h"

struct sf_inbox;

enum {
    SF_INBOX_DONE_RANGES_MAX = 8192, /* runs of complete bundles, per object */
    SF_INBOX_PARTIALS_MAX = 2048,    /* bundles begun and not complete, of one peer */
    SF_INBOX_PENDING_BUNDLES = 4,    /* begun before the caller accepted, per object */
};

struct sf_inbox_config {
    struct sf_pool *pool; /* shared by all inboxes; outlives them */
    uint32_t boot;        /* greater than at any start before: orders this node's reports */
};

/* Returns SF_OK or SF_ENOMEM. */
SF_MUST_USE int sf_inbox_open(const struct sf_inbox_config *config, struct sf_inbox **ret_inbox);

/* Frees everything but buffers the caller holds from events (sf_pool_return takes them). */
void sf_inbox_close(struct sf_inbox *inbox);

/* This node's boots had gone up to `boot` before its state was rolled back: number reports on. */
void sf_inbox_raise_boot(struct sf_inbox *inbox, uint32_t boot);

void sf_inbox_set_rtt(struct sf_inbox *inbox, uint64_t srtt_ns);

/* --- Datagrams ------------------------------------------------------------ */

/*
 * A datagram of the session `epoch` came in with `counter` and `ip_bytes` IP
 * bytes. Returns false if it belongs to an earlier boot of the peer: then its
 * messages must not be given to this inbox.
 */
bool sf_inbox_datagram(
    struct sf_inbox *inbox, uint64_t epoch, uint64_t counter, size_t ip_bytes, sf_mono now);

/* The datagram given last bore the mark CE of a router whose queue is long (RFC 3168). */
void sf_inbox_congested(struct sf_inbox *inbox);

/*
 * Take one message; `reader` stands behind the type byte and is moved past it.
 * Returns SF_OK (also when the message is of no use now) or SF_EFORMAT.
 */
SF_MUST_USE int sf_inbox_message(struct sf_inbox *inbox, enum sf_message_type type,
    struct sf_message_reader *reader, sf_mono now);

/* Append a REPORT if one is due. Returns whether anything was written. */
bool sf_inbox_fill(struct sf_inbox *inbox, struct sf_message_writer *writer, sf_mono now);

/* When sf_inbox_fill() has something; SF_NEVER = only after input. */
sf_mono sf_inbox_deadline(const struct sf_inbox *inbox);

/* Nothing is due while paused; resume makes a report due at once. */
void sf_inbox_pause(struct sf_inbox *inbox);
void sf_inbox_resume(struct sf_inbox *inbox, sf_mono now);

/* --- Objects; see the functions of the same names in link.h --------------- */

SF_MUST_USE int sf_inbox_accept(
    struct sf_inbox *inbox, uint32_t handle, const struct sf_range_set *have);
void sf_inbox_decline(struct sf_inbox *inbox, uint32_t handle);
SF_MUST_USE int sf_inbox_received(
    struct sf_inbox *inbox, uint32_t handle, uint64_t index, enum sf_link_verdict verdict);
SF_MUST_USE int sf_inbox_pause_object(struct sf_inbox *inbox, uint32_t handle);
SF_MUST_USE int sf_inbox_resume_object(struct sf_inbox *inbox, uint32_t handle);

/* Both take the buffer of their event back, also for an object that is gone. */
void sf_inbox_spilled(
    struct sf_inbox *inbox, uint32_t handle, uint64_t index, uint8_t *buffer, int status);
void sf_inbox_loaded(
    struct sf_inbox *inbox, uint32_t handle, uint64_t index, uint8_t *buffer, int status);

/* --- Events and figures ----------------------------------------------------- */

enum sf_inbox_event_kind {
    SF_INBOX_OBJECT, /* handle, object */
    SF_INBOX_COUNT,  /* handle, object */
    SF_INBOX_BUNDLE, /* handle, index, buffer: the caller's until sf_pool_return() */
    SF_INBOX_SPILL,  /* handle, index, buffer, ranges */
    SF_INBOX_LOAD,   /* handle, index, buffer, ranges */
    SF_INBOX_GONE,   /* handle */
};

struct sf_inbox_event {
    enum sf_inbox_event_kind kind;
    uint32_t handle;
    uint64_t index;
    struct sf_link_object object;
    uint8_t *buffer;
    size_t buffer_bytes;
    const struct sf_range_set *ranges; /* bytes within the bundle; until the next call */
};

bool sf_inbox_event(struct sf_inbox *inbox, struct sf_inbox_event *ret_event);

struct sf_inbox_stats {
    uint64_t dgrams;
    uint64_t ip_bytes;
    uint64_t ce_dgrams;     /* with the mark CE */
    uint64_t data_bytes;    /* segment bytes that were new */
    uint64_t rebuilt_bytes; /* bundle bytes that came by repair */
    uint64_t row_bytes;     /* of repair segments that were kept for a while */
    uint64_t again_bytes;   /* segment bytes that were there already */
    uint64_t dropped_bytes; /* no buffer, too many ranges, unknown or paused object */
    uint64_t reports;
    uint64_t report_bytes; /* of REPORT messages */
    uint64_t spills;
    uint64_t loads;
    size_t objects;
    size_t partials;
};

void sf_inbox_stats(const struct sf_inbox *inbox, struct sf_inbox_stats *ret_stats);

#endif
