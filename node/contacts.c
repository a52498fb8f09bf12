/*
 * contacts.c - where in its contact plan each peer stands, what that allows
 * the link, and what each contact carried.
 */
#include "node/contacts.h"

#include "node/internal.h"
#include "node/outbound.h"

#include <stdlib.h>

/* Counters of a peer's link, since it was added. */
struct counts {
    uint64_t bytes_out, bytes_in, bundles_out, bundles_in;
};

/* A contact that has begun. While it is the latest its figures are still counted. */
struct past {
    struct sf_node_contact contact;
    struct counts before; /* the latest: what was counted when it began */
    struct sf_node_carried carried;
};

struct contacts {
    struct sf_node_contact *list; /* by start */
    size_t count;
    size_t at;     /* the first that has not ended */
    bool is_known; /* `at` and `is_open` hold, and the link was told */
    bool is_open;
    sf_mono due;      /* of the next look */
    sf_mono end_told; /* to the link, of the contact that is on */
    sf_mono tail;     /* after one: until then what was under way comes in */

    struct past past[SF_NODE_CONTACTS_PAST_MAX]; /* a ring */
    size_t past_first, past_count;
    bool is_counting; /* into the latest */
};

enum { HEADS_BYTES = 28 + 28 + 10 }; /* of a datagram of bulk: IP and UDP, session, segment */

/* The wall's milliseconds are cut off: what must have happened by then is aimed a little earlier. */
#define WALL_STEP SF_MS
#define END_MOVED (2 * SF_MS) /* the clock moved: the link is told */
#define TAIL      (60 * SF_SEC) /* after a contact and two light times what comes in is no longer its */

/* --- Time ------------------------------------------------------------------------- */

/* The moment of the monotonic clock at which the wall will show `t`, by the clocks as they are. */
static sf_mono
mono_of(const struct sf_node *node, struct sf_wall t)
{
    uint64_t span;

    if (t.ms <= node->wall.ms) {
        uint64_t ago = (uint64_t)(node->wall.ms - t.ms);

        return ago > node->now / SF_MS ? 0 : node->now - ago * SF_MS;
    }
    span = (uint64_t)t.ms - (uint64_t)node->wall.ms;
    return span > SF_NEVER / SF_MS ? SF_NEVER : sf_mono_add(node->now, span * SF_MS);
}

/* What the wall showed, or would have, at `t`. */
static int64_t
wall_of(const struct sf_node *node, sf_mono t)
{
    return t < node->wall_at ? node->wall.ms - (int64_t)((node->wall_at - t) / SF_MS)
                             : node->wall.ms + (int64_t)((t - node->wall_at) / SF_MS);
}

/* The first contact that ends after `t`. */
static size_t
find_at(const struct contacts *contacts, struct sf_wall t)
{
    size_t low = 0;
    size_t high = contacts->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (contacts->list[middle].end.ms <= t.ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* --- What was carried ---------------------------------------------------------------- */

static struct past *
latest(struct contacts *contacts)
{
    size_t last = (contacts->past_first + contacts->past_count - 1) % SF_NODE_CONTACTS_PAST_MAX;

    return contacts->past_count == 0 ? NULL : &contacts->past[last];
}

static struct counts
count_now(const struct sf_node *node, const struct peer *peer, struct sf_link_peer_stats *ret_stats)
{
    if (sf_link_peer_stats(node->link, peer_number(node, peer), ret_stats) != SF_OK) {
        memset(ret_stats, 0, sizeof(*ret_stats));
    }
    return (struct counts){
        ret_stats->bytes_out, ret_stats->bytes_in, peer->bundles_out, peer->bundles_in};
}

/* The figures of the latest contact so far. */
static struct sf_node_carried
carried_so_far(const struct sf_node *node, const struct peer *peer, const struct past *past)
{
    struct sf_link_peer_stats stats;
    struct counts counts = count_now(node, peer, &stats);
    struct sf_node_carried carried = {
        .bytes_out = counts.bytes_out - past->before.bytes_out,
        .bytes_in = counts.bytes_in - past->before.bytes_in,
        .bundles_out = counts.bundles_out - past->before.bundles_out,
        .bundles_in = counts.bundles_in - past->before.bundles_in,
    };

    if (stats.reach_heard != 0) {
        int64_t heard = wall_of(node, stats.reach_heard);

        /* A piece of a pass that began with the one before it. */
        carried.heard.ms = heard > past->contact.start.ms ? heard : past->contact.start.ms;
    }
    return carried;
}

/* What comes from now on is no longer the latest contact's. */
static void
stop_counting(const struct sf_node *node, struct peer *peer)
{
    struct contacts *contacts = peer->contacts;

    if (contacts->is_counting) {
        struct past *past = latest(contacts);

        sf_assert(past != NULL);
        past->carried = carried_so_far(node, peer, past);
        contacts->is_counting = false;
    }
}

static void
start_counting(const struct sf_node *node, struct peer *peer, const struct sf_node_contact *contact)
{
    struct contacts *contacts = peer->contacts;
    struct past *past = latest(contacts);
    struct sf_link_peer_stats stats;

    if (past != NULL && contacts->is_counting && past->contact.start.ms == contact->start.ms) {
        past->contact = *contact; /* the same: a new plan, or a clock that went back and forth */
        return;
    }
    stop_counting(node, peer);
    if (contacts->past_count == SF_NODE_CONTACTS_PAST_MAX) {
        contacts->past_first = (contacts->past_first + 1) % SF_NODE_CONTACTS_PAST_MAX;
        contacts->past_count--;
    }
    contacts->past_count++;
    past = latest(contacts);
    sf_assert(past != NULL);
    *past = (struct past){.contact = *contact, .before = count_now(node, peer, &stats)};
    contacts->is_counting = true;
}

/* --- The link is told ------------------------------------------------------------------ */

static void
tell_link(struct sf_node *node, struct peer *peer, const struct sf_link_reach *reach)
{
    node_must(node, sf_link_set_reach(node->link, peer_number(node, peer), reach, node->now));
}

static sf_mono
last_moment(const struct sf_node *node, const struct sf_node_contact *contact)
{
    sf_mono end = mono_of(node, contact->end);

    return end == SF_NEVER || end < WALL_STEP ? end : end - WALL_STEP;
}

static void
tell_contact(struct sf_node *node, struct peer *peer, const struct sf_node_contact *contact)
{
    struct sf_link_reach reach = {
        .kind = SF_LINK_REACH_CONTACT,
        .end = last_moment(node, contact),
        .rate_bps = contact->rate_bps,
        .rtt_ns = 2 * contact->light_ns,
        .has_endpoint = contact->has_endpoint,
        .endpoint = contact->endpoint,
        .no_return = contact->no_return,
    };

    peer->contacts->end_told = reach.end;
    tell_link(node, peer, &reach);
}

static void
contact_begins(struct sf_node *node, struct peer *peer)
{
    const struct sf_node_contact *contact = &peer->contacts->list[peer->contacts->at];

    start_counting(node, peer, contact);
    tell_contact(node, peer, contact);
    node_say_peer(node, peer, "contact begins");
}

static void
contact_ends(struct sf_node *node, struct peer *peer, bool was_open)
{
    struct contacts *contacts = peer->contacts;
    const struct past *past = latest(contacts);
    struct sf_link_reach reach = {
        .kind = contacts->at < contacts->count ? SF_LINK_REACH_SILENT : SF_LINK_REACH_CALLED};

    contacts->tail = sf_mono_add(node->now, TAIL + (past == NULL ? 0 : 2 * past->contact.light_ns));
    reach.end = contacts->tail;
    tell_link(node, peer, &reach);
    if (was_open) {
        node_say_peer(node, peer, "contact ends");
    }
    if (reach.kind == SF_LINK_REACH_CALLED) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL,
            "peer %s: its contact plan has ended: it is sent to when it calls; give it a new plan",
            peer->conf.name);
    }
}

/* A contact that is on ends at another moment of the monotonic clock than the link was told. */
static void
follow_clock(struct sf_node *node, struct peer *peer)
{
    struct contacts *contacts = peer->contacts;
    const struct sf_node_contact *contact = &contacts->list[contacts->at];
    sf_mono end = last_moment(node, contact);
    uint64_t moved = end > contacts->end_told ? end - contacts->end_told : contacts->end_told - end;

    if (moved > END_MOVED) {
        tell_contact(node, peer, contact);
    }
}

static void
place(struct contacts *contacts, struct sf_wall now)
{
    contacts->at = find_at(contacts, now);
    contacts->is_open =
        contacts->at < contacts->count && contacts->list[contacts->at].start.ms <= now.ms;
}

/* Find out where in its plan the peer stands, and when that changes. */
static void
step(struct sf_node *node, struct peer *peer)
{
    struct contacts *contacts = peer->contacts;
    size_t was_at = contacts->at;
    bool was_open = contacts->is_open;
    bool has_changed;

    place(contacts, node->wall);
    has_changed = !contacts->is_known || contacts->at != was_at || contacts->is_open != was_open;
    was_open = was_open && contacts->is_known;
    contacts->is_known = true;
    if (has_changed && contacts->is_open) {
        contact_begins(node, peer);
    } else if (has_changed) {
        contact_ends(node, peer, was_open);
    } else if (contacts->is_open) {
        follow_clock(node, peer);
    }
    contacts->due = SF_NEVER;
    if (contacts->at < contacts->count) {
        const struct sf_node_contact *contact = &contacts->list[contacts->at];

        contacts->due = mono_of(node, contacts->is_open ? contact->end : contact->start);
    }
    if (!contacts->is_open && contacts->is_counting) {
        if (node->now >= contacts->tail) {
            stop_counting(node, peer);
        } else {
            contacts->due = sf_mono_min(contacts->due, contacts->tail);
        }
    }
}

void
contacts_tick(struct sf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[node->peer_order[i]];

        if (peer->contacts != NULL) {
            step(node, peer);
        }
    }
}

sf_mono
contacts_deadline(const struct sf_node *node)
{
    sf_mono deadline = SF_NEVER;

    for (size_t i = 0; i < node->peer_count; i++) {
        const struct peer *peer = &node->peers[node->peer_order[i]];

        if (peer->contacts != NULL) {
            deadline = sf_mono_min(deadline, peer->contacts->due);
        }
    }
    return deadline;
}

bool
contacts_are_silent(const struct peer *peer)
{
    const struct contacts *contacts = peer->contacts;

    return contacts != NULL && contacts->is_known && !contacts->is_open &&
           contacts->at < contacts->count;
}

bool
contacts_have_ended(const struct peer *peer)
{
    const struct contacts *contacts = peer->contacts;

    return contacts != NULL && contacts->is_known && contacts->at == contacts->count;
}

void
contacts_bundle_came(struct sf_node *node, unsigned peer)
{
    if (peer < SF_NODE_PEERS_MAX) {
        node->peers[peer].bundles_in++;
    }
}

void
contacts_drop(struct peer *peer)
{
    if (peer->contacts != NULL) {
        free(peer->contacts->list);
        free(peer->contacts);
        peer->contacts = NULL;
    }
}

/* --- Setting a plan --------------------------------------------------------------------- */

static int
check_contact(
    const char *name, const struct sf_node_contact *contacts, size_t i, struct sf_node_error *error)
{
    const struct sf_node_contact *contact = &contacts[i];
    const char *what = NULL;

    if (contact->start.ms < 0 || contact->end.ms <= contact->start.ms) {
        what = "it must end after it starts, and not before 1970";
    } else if (contact->rate_bps < SF_LINK_RATE_BPS_MIN ||
               contact->rate_bps > SF_LINK_RATE_BPS_MAX) {
        what = "its rate must be from 1kbit to 100Gbit";
    } else if (contact->light_ns > SF_LINK_RTT_NS_MAX / 2) {
        what = "its light time must be at most two hours";
    } else if (i > 0 && contacts[i - 1].end.ms > contact->start.ms) {
        what = "it begins before the one before it has ended";
    }
    if (what == NULL) {
        return SF_OK;
    }
    return node_error(error, SF_EINVAL, "peer %s: contact %zu, at %lld ms, %llu bit/s: %s", name,
        i + 1, (long long)contact->start.ms, (unsigned long long)contact->rate_bps, what);
}

static bool
is_same_plan(const struct contacts *contacts, const struct sf_node_contact *list, size_t count)
{
    if (contacts->count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct sf_node_contact *a = &contacts->list[i];
        const struct sf_node_contact *b = &list[i];

        if (a->start.ms != b->start.ms || a->end.ms != b->end.ms || a->rate_bps != b->rate_bps ||
            a->light_ns != b->light_ns || a->has_endpoint != b->has_endpoint ||
            a->no_return != b->no_return ||
            (a->has_endpoint && !sf_addr_equal(&a->endpoint, &b->endpoint))) {
            return false;
        }
    }
    return true;
}

int
sf_node_contacts_set(struct sf_node *node, const char *name, const struct sf_node_contact *contacts,
    size_t count, struct sf_node_error *error)
{
    struct peer *peer = peer_named(node, name);
    struct sf_node_contact *list;

    if (peer == NULL) {
        return node_error(error, SF_ENOENT, "there is no peer %s", name);
    }
    if (count == 0) {
        return node_error(error, SF_EINVAL, "peer %s: a plan without a contact is none", name);
    }
    if (count > SF_NODE_CONTACTS_MAX) {
        return node_error(error, SF_ELIMIT, "peer %s: %zu contacts are more than the %d of a plan",
            name, count, SF_NODE_CONTACTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (check_contact(name, contacts, i, error) != SF_OK) {
            return error->status;
        }
    }
    if (peer->contacts != NULL && is_same_plan(peer->contacts, contacts, count)) {
        return SF_OK;
    }
    list = malloc(count * sizeof(*list));
    if (list == NULL) {
        return node_error(error, SF_ENOMEM, "peer %s: no memory for its plan", name);
    }
    memcpy(list, contacts, count * sizeof(*list));
    if (peer->contacts == NULL && (peer->contacts = calloc(1, sizeof(*peer->contacts))) == NULL) {
        free(list);
        return node_error(error, SF_ENOMEM, "peer %s: no memory for its plan", name);
    }
    free(peer->contacts->list);
    peer->contacts->list = list;
    peer->contacts->count = count;
    peer->contacts->is_known = false;
    peer->contacts->due = 0;
    place(peer->contacts, node->wall);
    return SF_OK;
}

int
sf_node_contacts_clear(struct sf_node *node, const char *name, struct sf_node_error *error)
{
    static const struct sf_link_reach always = {.kind = SF_LINK_REACH_ALWAYS};
    struct peer *peer = peer_named(node, name);

    if (peer == NULL) {
        return node_error(error, SF_ENOENT, "there is no peer %s", name);
    }
    if (peer->contacts != NULL) {
        contacts_drop(peer);
        tell_link(node, peer, &always);
    }
    return SF_OK;
}

/* --- What people are shown ---------------------------------------------------------------- */

static struct peer *
planned(const struct sf_node *node, const char *name)
{
    /* Looking does not change it; the list of peers is searched by functions that may. */
    struct peer *peer = peer_named((struct sf_node *)(uintptr_t)node, name);

    return peer != NULL && peer->contacts != NULL ? peer : NULL;
}

bool
sf_node_contact_past(const struct sf_node *node, const char *name, size_t index,
    struct sf_node_contact *ret_contact, struct sf_node_carried *ret_carried)
{
    const struct peer *peer = planned(node, name);
    const struct contacts *contacts;
    const struct past *past;

    if (peer == NULL || index >= peer->contacts->past_count) {
        return false;
    }
    contacts = peer->contacts;
    past = &contacts->past[(contacts->past_first + contacts->past_count - 1 - index) %
                           SF_NODE_CONTACTS_PAST_MAX];
    *ret_contact = past->contact;
    *ret_carried =
        index == 0 && contacts->is_counting ? carried_so_far(node, peer, past) : past->carried;
    return true;
}

bool
sf_node_contact_next(
    const struct sf_node *node, const char *name, size_t index, struct sf_node_contact *ret_contact)
{
    const struct peer *peer = planned(node, name);
    size_t first;

    if (peer == NULL) {
        return false;
    }
    first = peer->contacts->at + (peer->contacts->is_open ? 1 : 0);
    if (index >= peer->contacts->count - first) {
        return false;
    }
    *ret_contact = peer->contacts->list[first + index];
    return true;
}

size_t
sf_node_contacts_to_come(const struct sf_node *node, const char *name)
{
    const struct peer *peer = planned(node, name);

    return peer == NULL
               ? 0
               : peer->contacts->count - peer->contacts->at - (peer->contacts->is_open ? 1 : 0);
}

enum sf_node_contacts_state
sf_node_contacts_state(const struct sf_node *node, const char *name)
{
    const struct peer *peer = planned(node, name);

    if (peer == NULL) {
        return SF_NODE_CONTACTS_NONE;
    }
    if (peer->contacts->is_open) {
        return SF_NODE_CONTACTS_OPEN;
    }
    return contacts_have_ended(peer) ? SF_NODE_CONTACTS_ENDED : SF_NODE_CONTACTS_AWAIT;
}

/* Milliseconds that `bytes` take at a rate, rounded up; INT64_MAX if that is for ever. */
static int64_t
line_ms(uint64_t bytes, uint64_t rate_bps)
{
    /* Bytes of all the transfers there may be are below 2^63; at 1 kbit/s a bit is a millisecond. */
    unsigned __int128 ms = ((unsigned __int128)bytes * 8000 + rate_bps - 1) / rate_bps;

    return ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
}

int
sf_node_contacts_arrival(const struct sf_node *node, const char *name, uint64_t bytes,
    struct sf_wall now, struct sf_wall *ret_arrival)
{
    const struct peer *peer = planned(node, name);
    const struct contacts *contacts;

    if (peer == NULL) {
        return SF_ENOENT;
    }
    contacts = peer->contacts;
    for (size_t i = find_at(contacts, now); i < contacts->count; i++) {
        const struct sf_node_contact *contact = &contacts->list[i];
        int64_t from = contact->start.ms > now.ms ? contact->start.ms : now.ms;
        int64_t span = contact->end.ms - from;
        int64_t needed = line_ms(bytes, contact->rate_bps);

        if (needed <= span) {
            ret_arrival->ms = from + needed + (int64_t)(contact->light_ns / SF_MS);
            return SF_OK;
        }
        bytes -= (uint64_t)((unsigned __int128)contact->rate_bps * (uint64_t)span / 8000);
    }
    *ret_arrival = contacts->list[contacts->count - 1].end;
    return SF_ELIMIT;
}

/* Sealed bytes of `out` that the recipient does not have yet, as far as is known here. */
static uint64_t
left_of(const struct outbound *out, const struct out_to *to)
{
    uint64_t count = out->record.count != 0 ? out->record.count : out->record.slots;
    uint64_t held = sf_range_set_total(&to->receipts.held);

    held = to->link_has > held ? to->link_has : held;
    return count > held ? (count - held) * out->record.class_bytes : 0;
}

/* On the wire: every datagram has its heads, of a size that is found as it goes. */
static uint64_t
on_wire(const struct sf_node *node, const struct peer *peer, uint64_t sealed_bytes)
{
    struct sf_link_peer_stats link;
    bool is_known = sf_link_peer_stats(node->link, peer_number(node, peer), &link) == SF_OK &&
                    link.mtu_bytes != 0;
    uint64_t mtu = is_known ? link.mtu_bytes : (uint64_t)SF_LINK_MTU_DEFAULT;
    uint64_t carried = (mtu - HEADS_BYTES) / 16 * 16;

    return (uint64_t)((unsigned __int128)sealed_bytes * mtu / carried);
}

int
sf_node_contacts_eta(const struct sf_node *node, const char *name, const struct sf_transfer_id *id,
    struct sf_wall now, struct sf_wall *ret_arrival)
{
    const struct peer *peer = planned(node, name);
    const struct outbound *asked = node->outs;
    uint64_t bytes = 0;
    bool is_open = false;

    while (asked != NULL && !sf_transfer_equal(&asked->id, id)) {
        asked = asked->next;
    }
    if (peer == NULL || asked == NULL) {
        return SF_ENOENT;
    }
    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        bool goes_before = out_is_before(out, asked) || (!out_is_before(asked, out) && !is_open);

        if (out->record.phase != SF_OUT_SEALING && out->record.phase != SF_OUT_CUSTODY) {
            continue;
        }
        for (uint32_t i = 0; i < out->record.recipient_count && (goes_before || out == asked);
             i++) {
            const struct out_to *to = &out->to[i];

            if (sf_fingerprint_equal(&to->fingerprint, &peer->conf.card.fingerprint) &&
                (to->record.phase == SF_TO_OPEN || to->record.phase == SF_TO_VERIFIED)) {
                bytes += left_of(out, to);
                is_open |= out == asked;
            }
        }
    }
    return is_open
               ? sf_node_contacts_arrival(node, name, on_wire(node, peer, bytes), now, ret_arrival)
               : SF_ENOENT;
}
