/*
 * outbox_report.c - what the peer says it has, and what follows from it.
 *
 * The horizon decides between late and lost: of what a report shows missing,
 * everything sent up to the horizon is lost. It is the newest datagram the
 * report covers, put back by the tolerance for reordering; the time the peer
 * waited after that datagram counts towards the tolerance. Moments of sending
 * are remembered in a few hundred marks, whose spacing adapts to the round
 * trip, so an old report is judged by its own time and not by ours.
 */
#include "base/assert.h"
#include "link/outbox_private.h"

#define TOLERANCE_NS_MIN  (5 * SF_MS)
#define REPORT_NS_MIN     (10 * SF_MS)
#define REPORT_NS_MAX     (100 * SF_MS)
#define PROBE_NS_UNKNOWN  SF_SEC
#define MARK_GAP_NS_MIN   (100 * SF_US)
#define MARKS_PER_RTT     64
#define FAREWELL_NS_FIRST (100 * SF_MS)

/* Lost in a row: chance seldom does that, and costs little if it does. */
enum { SHUT_SEGMENTS = 4 };

/* --- Time ----------------------------------------------------------------------------- */

uint64_t
sf_outbox_report_ns(const struct sf_outbox *outbox)
{
    uint64_t quarter = outbox->srtt_ns / 4;

    if (outbox->srtt_ns == 0 || quarter > REPORT_NS_MAX) {
        return REPORT_NS_MAX;
    }
    return quarter < REPORT_NS_MIN ? REPORT_NS_MIN : quarter;
}

static uint64_t
tolerance(const struct sf_outbox *outbox)
{
    uint64_t part = outbox->srtt_ns / 8;

    return part > TOLERANCE_NS_MIN ? part : TOLERANCE_NS_MIN;
}

uint64_t
sf_outbox_probe_ns(const struct sf_outbox *outbox)
{
    if (outbox->srtt_ns == 0) {
        return PROBE_NS_UNKNOWN;
    }
    return outbox->srtt_ns + 4 * outbox->rttvar_ns + sf_outbox_report_ns(outbox) +
           tolerance(outbox);
}

/* Drop every other mark: they lasted too short a time. */
static void
thin_marks(struct sf_outbox *outbox)
{
    size_t kept = 0;

    for (size_t i = 0; i < outbox->mark_count; i += 2) {
        struct sf_outbox_mark mark = outbox->marks[i];

        if (i + 2 < outbox->mark_count) {
            mark.until = outbox->marks[i + 2].at;
        }
        outbox->marks[kept++] = mark;
    }
    outbox->mark_count = kept;
    outbox->mark_gap *= 2;
}

void
sf_outbox_mark_sent(struct sf_outbox *outbox, uint64_t seq, sf_mono now)
{
    if (outbox->first_sent == 0) {
        outbox->first_sent = now;
    }
    if (outbox->mark_count > 0 && now < outbox->marks[outbox->mark_count - 1].until) {
        return;
    }
    if (outbox->mark_count == SF_OUTBOX_MARKS_MAX) {
        thin_marks(outbox);
    }
    outbox->marks[outbox->mark_count++] =
        (struct sf_outbox_mark){.seq = seq, .at = now, .until = sf_mono_add(now, outbox->mark_gap)};
}

/* The last mark that `is_by_time` says is not later than time or number; -1 if none. */
static size_t
marks_until(const struct sf_outbox *outbox, uint64_t seq, sf_mono at)
{
    size_t low = 0;
    size_t high = outbox->mark_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (outbox->marks[middle].seq <= seq && outbox->marks[middle].at <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Marks before the first `count` will not be asked for again. */
static void
drop_marks(struct sf_outbox *outbox, size_t count)
{
    uint64_t gap = outbox->srtt_ns / MARKS_PER_RTT;

    sf_assert(count <= outbox->mark_count);
    if (count > 0) {
        outbox->mark_count -= count;
        /* cppcheck-suppress pointerOutOfBoundsCond; there are as many */
        memmove(outbox->marks, outbox->marks + count, outbox->mark_count * sizeof(*outbox->marks));
    }
    if (outbox->mark_count < SF_OUTBOX_MARKS_MAX / 4) {
        outbox->mark_gap = gap > MARK_GAP_NS_MIN ? gap : MARK_GAP_NS_MIN;
    }
}

/* The newest datagram of which it is certain that it came or was lost; 0 = none. */
static uint64_t
horizon_of(struct sf_outbox *outbox, uint64_t covered, uint64_t held_ns)
{
    size_t count = marks_until(outbox, covered, SF_NEVER);
    const struct sf_outbox_mark *mark;
    uint64_t waited = tolerance(outbox);
    uint64_t horizon;
    sf_mono at;

    if (count == 0) {
        return 0;
    }
    at = sf_mono_add(outbox->marks[count - 1].at, held_ns);
    at = at > waited ? at - waited : 0;
    count = marks_until(outbox, covered, at);
    if (count == 0) {
        return 0;
    }
    mark = &outbox->marks[count - 1];
    horizon = mark->seq;
    if (at >= mark->until) {
        horizon = count < outbox->mark_count ? outbox->marks[count].seq - 1 : covered;
    }
    drop_marks(outbox, count - 1);
    return horizon < covered ? horizon : covered;
}

/* --- Sections -------------------------------------------------------------------------- */

/* The peer has [from, to), where something before may be unsent by us so far. */
static void
take_received(struct sf_outgoing *object, uint32_t *at, uint64_t from, uint64_t to)
{
    uint64_t end = sf_outgoing_end(object);

    to = to < end ? to : end;
    if (from >= to) {
        return;
    }
    *at = sf_extents_confirm(&object->extents, *at, from, to);
    if (to > object->next) {
        /* It has more than we sent since we started: what lies between is to be sent. */
        if (from > object->next && !sf_extents_skip(&object->extents, object->next, from)) {
            return;
        }
        object->next = to;
        *at = object->extents.last;
    }
}

static void
take_map(struct sf_outgoing *object, const struct sf_report_section *section,
    struct sf_report_decoder *decoder, uint64_t horizon)
{
    struct sf_range received;
    uint64_t missing;
    uint64_t at_address = section->base;
    uint64_t sent_end = object->next; /* what lies beyond was not sent, so cannot be lost */
    uint32_t at = SF_EXTENT_NONE;

    while (sf_report_next_run(decoder, &received, &missing)) {
        take_received(object, &at, received.from, received.to);
        at_address = received.to;
        if (missing > 0 && at_address < sent_end) {
            uint64_t to = at_address + missing < sent_end ? at_address + missing : sent_end;

            at = sf_extents_missing(&object->extents, at, at_address, to, horizon);
        }
    }
    if (section->is_last && at_address < sent_end) {
        sf_extents_missing(&object->extents, at, at_address, sent_end, horizon);
    }
    if (section->base <= object->mapped) {
        object->mapped = at_address > object->mapped ? at_address : object->mapped;
        if (section->is_last && !object->is_mapped) {
            object->is_mapped = true;
            sf_outbox_tell(object->outbox, SF_OUTBOX_MAP, object->handle, 0);
        }
    }
}

static void
take_kept(struct sf_outgoing *object)
{
    object->is_kept = true;
    sf_extents_clear(&object->extents);
    object->next = sf_outgoing_end(object);
    if (!object->is_ended) {
        object->is_ended = true;
        sf_outbox_tell(object->outbox, SF_OUTBOX_RECEIVED, object->handle, 0);
    }
}

static void
take_decline(struct sf_outgoing *object)
{
    object->is_known = true;
    if (!object->is_declined) {
        object->is_declined = true;
        sf_extents_clear(&object->extents);
        sf_outbox_tell(object->outbox, SF_OUTBOX_DECLINED, object->handle, 0);
    }
}

static void
take_section(struct sf_outgoing *object, const struct sf_report_section *section,
    struct sf_report_decoder *decoder, uint64_t horizon)
{
    bool is_current = section->revision == object->revision;

    if (object->is_declined) {
        return;
    }
    switch (section->state) {
    case SF_REPORT_UNKNOWN:
        /* It lost the object, or never heard of it: announce it anew. */
        object->is_unknown = object->was_known;
        object->is_kept = false;
        sf_outgoing_announce(object, object->outbox->now);
        return;
    case SF_REPORT_DECLINED:
        take_decline(object);
        return;
    case SF_REPORT_HEARD:
        break;
    case SF_REPORT_MAP:
        object->is_paused = section->is_paused;
        object->is_kept = false;
        take_map(object, section, decoder, horizon);
        if (section->is_kept && is_current && object->object.is_count_final) {
            take_kept(object);
        }
        break;
    }
    object->is_unknown = false;
    object->was_known = true;
    if (is_current && (object->is_mapped || !object->object.ask_map)) {
        object->is_known = true;
    }
}

/* The peer speaks of something we withdrew, or of which we know nothing. */
static void
take_stray(struct sf_outbox *outbox, const struct sf_report_section *section)
{
    size_t i = 0;

    while (i < outbox->farewell_count && outbox->farewells[i].handle != section->handle) {
        i++;
    }
    if (section->state == SF_REPORT_UNKNOWN || section->state == SF_REPORT_DECLINED) {
        if (i < outbox->farewell_count) {
            outbox->farewells[i] = outbox->farewells[--outbox->farewell_count];
        }
    } else if (i == outbox->farewell_count && i < SF_LINK_OBJECTS_MAX) {
        outbox->farewells[outbox->farewell_count++] = (struct sf_outbox_farewell){
            .handle = section->handle, .at = outbox->now, .gap = FAREWELL_NS_FIRST};
        outbox->timer = 0;
    }
}

/* The newest session, if the report speaks of the same boot of ours; else NULL. */
static const struct sf_outbox_session *
session_of(const struct sf_outbox *outbox, uint64_t epoch)
{
    const struct sf_outbox_session *newest;

    if (outbox->session_count == 0) {
        return NULL;
    }
    newest = &outbox->sessions[(outbox->session_count - 1) % SF_OUTBOX_SESSIONS_MAX];
    if (newest->epoch >> 32 != epoch >> 32) {
        return NULL;
    }
    for (size_t i = 0; i < SF_OUTBOX_SESSIONS_MAX; i++) {
        if (outbox->sessions[i].epoch == epoch) {
            return &outbox->sessions[i];
        }
    }
    return NULL;
}

/*
 * Whether a later datagram was seen there than some large ones, and nothing of
 * what is under way has come since they began. Rows and pieces are no whole segments.
 */
static bool
is_large_in_vain(struct sf_outbox *outbox)
{
    struct sf_outbox_large *large = &outbox->large;

    if (large->confirms != outbox->store.confirms) {
        large->confirms = outbox->store.confirms;
        large->count = 0;
    }
    if (large->count < SF_OUTBOX_LARGE_MAX || outbox->newest.epoch != large->epoch ||
        outbox->newest.counter <= large->counter) {
        return false;
    }
    large->count = 0;
    return true;
}

enum sf_outbox_passage
sf_outbox_passage(struct sf_outbox *outbox)
{
    struct sf_extent_store *store = &outbox->store;
    enum sf_outbox_passage passage = SF_OUTBOX_PASSAGE_UNKNOWN;

    if (store->watched_came > 0) {
        passage = SF_OUTBOX_PASSAGE_OPEN;
    } else if (store->watched_lost >= SHUT_SEGMENTS || is_large_in_vain(outbox)) {
        passage = SF_OUTBOX_PASSAGE_SHUT;
    } else if (store->watched_lost + store->watched_ends_lost >= SHUT_SEGMENTS) {
        return SF_OUTBOX_PASSAGE_DOUBTFUL;
    }
    if (passage != SF_OUTBOX_PASSAGE_UNKNOWN) {
        sf_extent_store_watch(store, store->watched);
    }
    return passage;
}

const struct sf_report *
sf_outbox_newest_report(const struct sf_outbox *outbox)
{
    return &outbox->newest;
}

int
sf_outbox_report(struct sf_outbox *outbox, struct sf_message_reader *reader, sf_mono now)
{
    const struct sf_outbox_session *session;
    struct sf_report_decoder decoder;
    struct sf_report_section section;
    struct sf_report report;
    uint64_t counter;
    uint64_t horizon = 0;
    int status = sf_report_decode(reader, &report, &decoder);

    if (status != SF_OK) {
        return status;
    }
    session = session_of(outbox, report.epoch);
    if (session == NULL || report.number <= outbox->newest.number || outbox->no_return) {
        return SF_OK; /* late, or about handles of another life */
    }
    outbox->now = now;
    sf_outbox_loss_report(outbox, &report);
    outbox->newest = report;
    outbox->stats.reports++;
    if (session->is_used) {
        counter = report.counter < session->counter ? report.counter : session->counter;
        horizon = horizon_of(outbox, session->base + counter,
            report.held_us < SF_NEVER / SF_US ? report.held_us * SF_US : SF_NEVER);
    }
    while (sf_report_next_section(&decoder, &section)) {
        struct sf_outgoing *object = sf_outgoing_find(outbox, section.handle);

        if (object == NULL) {
            take_stray(outbox, &section);
        } else {
            if (object->extents.count > 0) {
                object->probe_doubling = 0;
            }
            take_section(object, &section, &decoder, horizon);
        }
    }
    sf_outbox_wake(outbox);
    return SF_OK;
}
