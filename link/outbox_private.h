/*
 * outbox_private.h - what the files of the outbox share: outbox.c (objects and
 * events), outbox_fill.c (what goes next), outbox_repair.c (what follows it to
 * stand in for losses), outbox_report.c (what came back), outbox_round.c (what
 * goes again where nothing comes back), window.c (bundles
 * borrowed from the caller).
 */
#ifndef SF_LINK_OUTBOX_PRIVATE_H
#define SF_LINK_OUTBOX_PRIVATE_H

#include "link/extents.h"
#include "link/outbox.h"
#include "link/repair.h"
#include "link/report.h"

enum {
    SF_OUTBOX_SESSIONS_MAX = 8,  /* sessions whose counters reports may still name */
    SF_OUTBOX_MARKS_MAX = 512,   /* remembered moments of sending; a power of two */
    SF_OUTBOX_EVENTS_MAX = 2048, /* more than can wait at a time; see outbox.c */
    SF_OUTBOX_COUNTER_BITS = 40, /* of a datagram number, within a session */
};

/* The block that segments of an object are sent of, and the rows that shall follow them. */
struct sf_outgoing_block {
    uint64_t index; /* of the bundle */
    struct sf_repair_block at;
    unsigned segments; /* gone since it was entered, first time or again */
    unsigned rows;     /* still to go */
};

/* An object on offer. Addresses are bytes of the object. */
struct sf_outgoing {
    struct sf_outbox *outbox;
    struct sf_link_object object;
    uint32_t handle;
    uint64_t number; /* of offers: the order among equal priorities */
    struct sf_range_set ready;
    struct sf_range_set peer_has; /* built when asked for */
    struct sf_extents extents;    /* not confirmed, below `next` */
    uint64_t next;                /* nothing from here on was sent */
    uint64_t mapped;              /* the peer's map is known up to here */
    size_t window_hit;            /* where the last bundle was found */
    struct sf_outgoing_block block;
    uint8_t row_next; /* number of the next row, whatever its block */

    uint8_t revision;
    bool is_known;  /* the peer answered to this revision */
    bool was_known; /* ... to any */
    bool is_mapped; /* a whole map came */
    bool is_declined;
    bool is_paused;  /* the peer has no room */
    bool is_unknown; /* the peer forgot it: nothing goes before it knows it again */
    bool is_kept;    /* the peer's node kept all of it */
    bool is_ended;   /* RECEIVED was told */
    bool is_idle;    /* nothing of it can go before something happens */

    sf_mono announce_at;
    uint64_t announce_gap;
    uint64_t announce_segments; /* also once so many segments went unanswered */
    uint64_t segments;
    sf_mono sent;           /* its last segment, or probe */
    uint8_t probe_doubling; /* unanswered probes */

    /* Where nothing comes back. */
    uint32_t rounds;  /* how often all of it went */
    sf_mono round_at; /* the next begins; SF_NEVER: it runs */
};

enum sf_window_state { SF_WINDOW_FREE, SF_WINDOW_WANTED, SF_WINDOW_LOADED };

/* A bundle borrowed, or asked for. */
struct sf_window_entry {
    struct sf_outgoing *object;
    uint64_t index;
    const uint8_t *bytes;
    uint64_t used; /* tick of its last use */
    enum sf_window_state state;
};

struct sf_window {
    struct sf_window_entry entries[SF_OUTBOX_WINDOW_BUNDLES_MAX];
    uint64_t tick;
    size_t bytes_max;
    size_t bytes; /* wanted and loaded */
    size_t count;
    size_t wanted;
};

struct sf_outbox_mark {
    uint64_t seq;  /* datagram sent ... */
    sf_mono at;    /* ... at; all before the next mark went ... */
    sf_mono until; /* ... before */
};

struct sf_outbox_session {
    uint64_t epoch;
    uint64_t base;    /* number of its counter 0 */
    uint64_t counter; /* highest used */
    bool is_used;
};

struct sf_outbox_farewell {
    uint32_t handle;
    sf_mono at;
    uint64_t gap;
};

enum { SF_OUTBOX_LARGE_MAX = 8 };

/* Datagrams that are larger than every path must take, since something was confirmed. */
struct sf_outbox_large {
    uint64_t confirms; /* when counting began */
    unsigned count;
    uint64_t epoch; /* of the SF_OUTBOX_LARGE_MAX-th, and its counter */
    uint64_t counter;
};

struct sf_outbox {
    bool no_return;
    bool is_eager; /* rounds follow each other at once */
    bool is_dark;
    sf_mono dark_since;
    sf_mono now; /* latest time given */
    uint64_t srtt_ns;
    uint64_t rttvar_ns;
    uint64_t rate_bps;
    sf_mono first_sent;         /* when it began to send; 0: not yet */
    sf_mono contact_end;        /* SF_NEVER: not known */
    struct sf_report_loss loss; /* of late, halved now and then */
    size_t symbol_bytes;        /* of a whole segment: what a datagram without control holds */
    size_t head_bytes;          /* of the last segment, before its bytes */
    bool is_covered;            /* segments say how long they are */
    struct sf_outbox_large large;

    struct sf_outgoing *objects[SF_LINK_OBJECTS_MAX]; /* in the order of sending */
    size_t object_count;
    size_t first_active; /* all before it are idle */
    uint64_t offers;
    sf_mono timer;  /* of announcements, farewells and probes, while nothing else can go */
    bool is_idle;   /* nothing can go before the timer */
    bool is_asking; /* the next datagram asks for a report */

    struct sf_extent_store store;
    struct sf_window window;

    struct sf_outbox_farewell farewells[SF_LINK_OBJECTS_MAX];
    size_t farewell_count;

    struct sf_outbox_event events[SF_OUTBOX_EVENTS_MAX];
    size_t event_first;
    size_t event_count;

    struct sf_outbox_session sessions[SF_OUTBOX_SESSIONS_MAX];
    uint64_t session_count; /* ever */
    struct sf_outbox_mark marks[SF_OUTBOX_MARKS_MAX];
    size_t mark_count;
    uint64_t mark_gap; /* time between marks; doubles when they run out */

    struct sf_report newest; /* head of the newest report taken in; number 0 = none yet */
    struct sf_outbox_stats stats;
};

/* --- outbox.c -------------------------------------------------------------------- */

struct sf_outgoing *sf_outgoing_find(const struct sf_outbox *outbox, uint32_t handle);

/* One past the object's last byte, as far as is known. */
static inline uint64_t
sf_outgoing_end(const struct sf_outgoing *object)
{
    return (object->object.first + object->object.count) * object->object.class_bytes;
}

/* Something of it may be able to go now. */
void sf_outgoing_wake(struct sf_outgoing *object);

/* The same for all objects. */
void sf_outbox_wake(struct sf_outbox *outbox);

/* Announce it, not before `at`, and again until the peer answers. */
void sf_outgoing_announce(struct sf_outgoing *object, sf_mono at);

void sf_outbox_tell(
    struct sf_outbox *outbox, enum sf_outbox_event_kind kind, uint32_t handle, uint64_t index);

/* Find its place among the objects again, after what decides it has changed. */
void sf_outgoing_place_again(struct sf_outgoing *object);

/* --- outbox_fill.c ----------------------------------------------------------------- */

/* The first bundle at or behind `index` that may fly; false if there is none yet. */
bool sf_outgoing_find_ready(const struct sf_outgoing *object, uint64_t index, uint64_t *ret_index);

/* --- outbox_round.c ---------------------------------------------------------------- */

/* A segment went: if it was the last one that may go, plan the next round. */
void sf_outgoing_count_round(struct sf_outgoing *object, sf_mono now);

/* Begin the round if it is time. */
void sf_outgoing_begin_round(struct sf_outgoing *object, sf_mono now);

/* --- window.c -------------------------------------------------------------------- */

/* The bundle's bytes if they are here; else NULL. */
const uint8_t *sf_window_bytes(struct sf_outgoing *object, uint64_t index);

/*
 * Ask for a bundle if it is neither here nor asked for. Others that were not
 * used for the longest time make room. False: no room now.
 */
bool sf_window_want(struct sf_outgoing *object, uint64_t index);

/* How many bundles of the object's class may be here at a time; at least 2. */
size_t sf_window_bundles(const struct sf_outgoing *object);

struct sf_window_entry *sf_window_find(struct sf_outgoing *object, uint64_t index);
void sf_window_drop(struct sf_outbox *outbox, struct sf_window_entry *entry);
void sf_window_drop_object(struct sf_outgoing *object);

/* --- outbox_fill.c ------------------------------------------------------------------ */

/* Whether the peer's word allows segments of it to go. */
bool sf_outgoing_is_sendable(const struct sf_outgoing *object);

/* --- outbox_repair.c ---------------------------------------------------------------- */

/* What is lost on the path: as of one nobody knows; and what a new report adds to it. */
void sf_outbox_loss_init(struct sf_outbox *outbox);
void sf_outbox_loss_report(struct sf_outbox *outbox, const struct sf_report *report);

/*
 * How many rows make up for what will be lost of `segments` and of themselves, so
 * that of `blocks` like this one hardly any lacks a row.
 */
unsigned sf_outbox_rows(const struct sf_report_loss *loss, unsigned segments, uint64_t blocks);

bool sf_outgoing_is_in_block(const struct sf_outgoing *object, uint64_t address);

/* A segment at `address` goes: its block is the one being sent from now on. */
void sf_outgoing_note_block(struct sf_outgoing *object, uint64_t address);

/* Nothing more of the block goes for now: what went of it is followed by rows if it is exposed. */
void sf_outgoing_leave_block(struct sf_outgoing *object);

/* Append a row of the block being sent; false if it does not fit, or cannot be made any more. */
bool sf_outgoing_write_row(struct sf_outgoing *object, struct sf_message_writer *writer);

/* --- outbox_report.c --------------------------------------------------------------- */

/* Datagram `seq` leaves at `now`. */
void sf_outbox_mark_sent(struct sf_outbox *outbox, uint64_t seq, sf_mono now);

/* How long an answer to something just sent may take. */
uint64_t sf_outbox_probe_ns(const struct sf_outbox *outbox);

/* The longest time between reports of the peer while data arrives. */
uint64_t sf_outbox_report_ns(const struct sf_outbox *outbox);

#endif
