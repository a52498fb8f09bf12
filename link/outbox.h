/*
 * outbox.h - the objects offered to one peer: what goes into the next
 * datagram, and what must go again.
 *
 * State grows with what is in flight or missing, never with an object's size:
 * a run of segments sent one after the other is one extent, whatever its
 * length, and what the peer has is not remembered at all. There is no timer
 * and no list entry per segment.
 *
 * Order: the object of the lowest priority number (among equals that of the
 * lowest rank, among equals of these the one offered first); within it what is known to be lost, lowest address first,
 * then new segments. A better priority overtakes at the next datagram. While a
 * bundle is being read, whatever else may go goes.
 *
 * Loss: a range that a report shows missing is lost if it was last sent before
 * the newest datagram the report covers, minus a tolerance for reordering. A
 * range once reported and now missing again is sent again.
 *
 * Where nothing comes back, whatever was offered goes round and round, in the
 * order of sending, until it is withdrawn or the caller says what is kept:
 * nobody goes a second time before everybody went once.
 *
 * Repair: segments that would be missed only when nothing else is left to do are
 * followed by rows that stand in for their losses; see outbox_repair.c.
 *
 * The tail: when nothing is new and nothing known lost, yet something is not
 * confirmed, the last unconfirmed segments are sent once more after a probe
 * time, and the peer is asked to report. It never stops doing so by itself.
 *
 * Sans-I/O, not thread-safe, one per peer.
 */
#ifndef SF_LINK_OUTBOX_H
#define SF_LINK_OUTBOX_H

#include "base/range_set.h"
#include "base/status.h"
#include "base/time.h"
#include "link/objects.h"

struct sf_outbox;
struct sf_report;

enum {
    SF_OUTBOX_WINDOW_BUNDLES_MAX = 128, /* bundles borrowed at a time, whatever their size */
    SF_OUTBOX_EXTENTS_DEFAULT = 1 << 18,
    SF_OUTBOX_READY_RANGES_MAX = 4096, /* scattered runs of bundles that may fly, per object */
};

struct sf_outbox_config {
    size_t window_bytes; /* bundles borrowed at a time; at least two are. 0 = 16 MiB */
    size_t extents_max;  /* runs in flight or missing; new data waits beyond. 0 = default */
    bool no_return;      /* nothing ever comes back: send every segment again and again */
};

/* Returns SF_OK, SF_EINVAL or SF_ENOMEM. */
SF_MUST_USE int sf_outbox_open(
    const struct sf_outbox_config *config, struct sf_outbox **ret_outbox);
void sf_outbox_close(struct sf_outbox *outbox);

/* From now on datagrams belong to the session of `epoch`, greater than all before. */
void sf_outbox_session(struct sf_outbox *outbox, uint64_t epoch);

/*
 * Round trip as smoothed by the session layer, its variation, and the longest
 * time between the peer's reports is derived from it. Zero srtt = not known.
 */
void sf_outbox_set_rtt(struct sf_outbox *outbox, uint64_t srtt_ns, uint64_t rttvar_ns);

/* How fast segments may go, in IP bits a second, and when the contact ends (SF_NEVER: not known). */
void sf_outbox_set_rate(struct sf_outbox *outbox, uint64_t rate_bps);
void sf_outbox_set_contact_end(struct sf_outbox *outbox, sf_mono end);

/* --- Objects; see the functions of the same names in link.h --------------- */

/*
 * `handle` from 1 to SF_OBJECT_HANDLE_MAX is the caller's choice, not in use
 * and not used lately. With no_return, ask_map is ignored.
 * Returns SF_OK, SF_EINVAL, SF_EEXIST (handle, or transfer and kind), SF_ELIMIT, SF_ENOMEM.
 */
SF_MUST_USE int sf_outbox_offer(
    struct sf_outbox *outbox, const struct sf_link_object *object, uint32_t handle, sf_mono now);
SF_MUST_USE int sf_outbox_ready(
    struct sf_outbox *outbox, uint32_t handle, uint64_t from, uint64_t to);
SF_MUST_USE int sf_outbox_set_count(struct sf_outbox *outbox, uint32_t handle, uint64_t count);
SF_MUST_USE int sf_outbox_set_priority(struct sf_outbox *outbox, uint32_t handle, uint8_t priority);
SF_MUST_USE int sf_outbox_supply(
    struct sf_outbox *outbox, uint32_t handle, uint64_t index, const uint8_t *bytes);
SF_MUST_USE int sf_outbox_unsupply(struct sf_outbox *outbox, uint32_t handle, uint64_t index);
void sf_outbox_withdraw(struct sf_outbox *outbox, uint32_t handle);

/*
 * With no_return: bundles [from, to) are kept by the peer, as something else
 * than its reports says; they do not go again. SF_OK, SF_ENOENT, SF_ELIMIT (too scattered).
 */
SF_MUST_USE int sf_outbox_kept(
    struct sf_outbox *outbox, uint32_t handle, uint64_t from, uint64_t to);

/* With no_return: rounds follow each other at once, or after ever longer pauses. */
void sf_outbox_set_eager(struct sf_outbox *outbox, bool is_eager);

/*
 * Whole bundles the peer's link has, by its latest report. NULL if the handle
 * is unknown or no map came yet. Valid until the next call.
 */
const struct sf_range_set *sf_outbox_peer_has(struct sf_outbox *outbox, uint32_t handle);

/* --- Datagrams ------------------------------------------------------------ */

/*
 * Append what should go next to the datagram that will carry `counter` in the
 * current session; counters only grow. Announcements first, then at most one
 * segment, which fills the rest of the datagram.
 *
 * Returns whether anything was written. False: nothing before the deadline.
 */
bool sf_outbox_fill(
    struct sf_outbox *outbox, struct sf_message_writer *writer, uint64_t counter, sf_mono now);

/*
 * From now on segments say how long they are, so that PADDING may follow and every
 * datagram can be of one size.
 */
void sf_outbox_set_covered(struct sf_outbox *outbox, bool is_covered);

/*
 * Append FILLER, and PADDING up to the size of a datagram with a whole segment, or if covered
 * to all there is room for. It counts as sent, so that what was lost before it is found.
 *
 * Returns how many bytes of a segment it stands for; 0 and nothing written: no room, or dark.
 */
size_t sf_outbox_filler(
    struct sf_outbox *outbox, struct sf_message_writer *writer, uint64_t counter, sf_mono now);

/*
 * Take a REPORT; `reader` stands behind the type byte and is moved past it.
 * Returns SF_OK (also for a late or repeated report, which changes nothing) or
 * SF_EFORMAT: malformed, or it speaks of datagrams or bytes that never were.
 */
SF_MUST_USE int sf_outbox_report(
    struct sf_outbox *outbox, struct sf_message_reader *reader, sf_mono now);

/* Whether datagrams of the size that segments are sent in come through, by all reports so far. */
enum sf_outbox_passage {
    SF_OUTBOX_PASSAGE_UNKNOWN,
    SF_OUTBOX_PASSAGE_OPEN,     /* one came through */
    SF_OUTBOX_PASSAGE_DOUBTFUL, /* shorter ones do not, and none of that size went */
    SF_OUTBOX_PASSAGE_SHUT,     /* none did for long, and other datagrams do */
};

/* The answer. After OPEN and SHUT it begins anew. */
enum sf_outbox_passage sf_outbox_passage(struct sf_outbox *outbox);

/* The head of the newest report taken in; its number is 0 before the first. */
const struct sf_report *sf_outbox_newest_report(const struct sf_outbox *outbox);

/*
 * The peer began a new life: it knows nothing of what was announced to the old
 * one. Objects it has not kept are announced anew, and wait for its answer.
 */
void sf_outbox_forgotten(struct sf_outbox *outbox, sf_mono now);

/* Nothing is due while paused; resume moves every time by the length of the pause. */
void sf_outbox_pause(struct sf_outbox *outbox, sf_mono now);
void sf_outbox_resume(struct sf_outbox *outbox, sf_mono now);

/* When sf_outbox_fill() may have something; 0 = now, SF_NEVER = only after a call. */
sf_mono sf_outbox_deadline(const struct sf_outbox *outbox);

/* --- Events and figures ----------------------------------------------------- */

enum sf_outbox_event_kind {
    SF_OUTBOX_WANT,     /* handle, index */
    SF_OUTBOX_RELEASE,  /* handle, index */
    SF_OUTBOX_MAP,      /* handle: the first map of it came */
    SF_OUTBOX_RECEIVED, /* handle: the peer's node kept all of it, and the count is final; with
                           no_return: all of it was sent once */
    SF_OUTBOX_DECLINED, /* handle: nothing more of it is sent until it is offered anew */
};

struct sf_outbox_event {
    enum sf_outbox_event_kind kind;
    uint32_t handle;
    uint64_t index;
};

bool sf_outbox_event(struct sf_outbox *outbox, struct sf_outbox_event *ret_event);

struct sf_outbox_stats {
    uint64_t data_bytes;   /* segment bytes, first time and again */
    uint64_t resent_bytes; /* of these, again */
    uint64_t probe_bytes;  /* of these, at the tail */
    uint64_t row_bytes;    /* repair, beside these */
    uint64_t reports;      /* taken in */
    size_t objects;
    size_t extents; /* runs in flight or missing, now */
    size_t extents_peak;
    size_t memory_bytes; /* all that is allocated */
};

void sf_outbox_stats(const struct sf_outbox *outbox, struct sf_outbox_stats *ret_stats);

#endif
