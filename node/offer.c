/*
 * offer.c - what is put before recipients, and when: grants, the array of
 * bundles, cancels; and what the link says of them.
 */
#include "node/outbound.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    UNREADABLE_TIMES = 3, /* so often a bundle is read before it is given up */
    OFFERS_MAX = 128,     /* transfers on offer to one peer; its letters need room as well */
};

#define CANCEL_AGAIN (60 * SF_SEC) /* a cancel that nobody answered */

void
out_withdraw(struct outbound *out, struct out_to *to)
{
    if (to->data_handle != 0) {
        sf_link_withdraw(out->node->link, to->data_handle);
        cache_withdrawn(out->node, out, to->data_handle);
        to->data_handle = 0;
    }
}

/* The next try comes after twice the wait of the last. */
sf_mono
out_back_off(const struct outbound *out, uint64_t *wait_ns)
{
    *wait_ns = *wait_ns < RETRY_FIRST ? RETRY_FIRST : *wait_ns * 2;
    if (*wait_ns > RETRY_LAST) {
        *wait_ns = RETRY_LAST;
    }
    return sf_mono_add(out->node->now, *wait_ns);
}

/* A fresh grant for one recipient, to its newest prekey; under `rung` where there is a ladder. */
static void
post_grant(
    struct outbound *out, struct out_to *to, struct peer *peer, const struct ladder_rung *rung)
{
    struct sf_node *node = out->node;
    struct sf_grant_recipient recipient = {
        .card = &peer->conf.card, .has_psk = rung != NULL, .number = to->record.number};
    struct sf_grant_config config = {
        .identity = node->identity,
        .transfer = out->id,
        .cek = out->seal->cek,
        .class_bytes = out->record.class_bytes,
        .slots = out->record.slots,
        .recipients = &recipient,
        .recipient_count = 1,
    };
    struct mail_item item = {
        .peer = peer_number(node, peer),
        .kind = SF_KIND_GRANT,
        .id = out->id,
        .subject = out->id,
        .topic = MAIL_GRANT,
    };
    uint8_t object[SF_GRANT_BYTES_MAX];
    size_t bytes;

    if (rung != NULL) {
        recipient.rung = rung->number;
        memcpy(recipient.psk, rung->psk, sizeof(recipient.psk));
    }
    if (sf_grant_seal(&config, &node->config.random, object, sizeof(object), &bytes) != SF_OK) {
        snprintf(to->why, sizeof(to->why), "no grant can be made for its card");
    } else {
        item.bytes = sf_view(object, bytes);
        if (mail_post(node, &item) != SF_OK) {
            snprintf(to->why, sizeof(to->why), "too much mail waits for it");
        }
    }
    to->grant_issue = peer->conf.card.issue;
    sf_wipe(&recipient, sizeof(recipient));
}

struct rung_note {
    struct flight flight;
    struct sf_node *node;
    struct sf_transfer_id id;
    struct sf_fingerprint fingerprint;
};

static void
rung_taken(void *owner, const struct ladder_rung *rung)
{
    struct rung_note *note = owner;
    struct outbound *out = outbound_find(note->node, &note->id);
    struct peer *peer = peer_of(note->node, &note->fingerprint);

    for (uint32_t i = 0; out != NULL && i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (!sf_fingerprint_equal(&to->fingerprint, &note->fingerprint)) {
            continue;
        }
        to->is_granting = false;
        if (rung != NULL && peer != NULL && out->seal != NULL && out_to_is_open(to) &&
            out_is_open(out)) {
            to->record.rung = rung->number; /* for the receipt that shows it was opened */
            node_must(note->node, outbound_save_to(out, to));
            post_grant(out, to, peer, rung);
        }
    }
    flight_end(&note->flight);
    free(note);
}

static void
rung_note_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct rung_note));
}

/* Grant under a rung that was never used before, as soon as it can never be used again. */
static void
grant_on_ladder(struct outbound *out, struct out_to *to, struct peer *peer)
{
    struct rung_note *note = malloc(sizeof(*note));

    if (note == NULL) {
        return;
    }
    *note = (struct rung_note){.node = out->node, .id = out->id, .fingerprint = to->fingerprint};
    if (ladder_reserve(out->node, peer, rung_taken, note) != SF_OK) {
        free(note);
        return;
    }
    to->is_granting = true;
    flight_begin(&out->node->flights, &note->flight, rung_note_drop);
}

/* Where nothing comes back the link cannot know what receipts say that came another way. */
void
out_spare_held(struct outbound *out, const struct out_to *to)
{
    const struct peer *peer = peer_of(out->node, &to->fingerprint);

    if (to->data_handle == 0 || peer == NULL || !peer->conf.no_return) {
        return;
    }
    for (size_t i = 0; i < to->receipts.held.count; i++) {
        const struct sf_range *range = &to->receipts.held.ranges[i];

        if (sf_link_kept(out->node->link, to->data_handle, range->from, range->to) != SF_OK) {
            return; /* too scattered: what is sent for nothing does no harm */
        }
    }
}

static void
offer_data(struct outbound *out, struct out_to *to, const struct peer *peer)
{
    struct sf_link_object object = {
        .transfer = out->id,
        .kind = SF_KIND_DATA,
        .priority = out->record.priority == 0 ? 1 : out->record.priority,
        .rank = out_rank(out),
        .count = out->record.count != 0 ? out->record.count : out->record.slots,
        .is_count_final = out->record.count != 0,
        .class_bytes = out->record.class_bytes,
        .ask_map = (out->restarted || to->was_offered) && !peer->conf.no_return,
    };
    struct sf_node *node = out->node;

    if (sf_link_offer(node->link, peer_number(node, peer), &object, &to->data_handle) != SF_OK) {
        to->data_handle = 0;
        to->retry_at = sf_mono_add(node->now, RETRY_FIRST);
        return;
    }
    to->was_offered = true;
    for (size_t i = 0; i < out->sealed.count; i++) {
        const struct sf_range *range = &out->sealed.ranges[i];

        if (sf_link_ready(node->link, to->data_handle, range->from, range->to) != SF_OK) {
            out_withdraw(out, to);
            to->retry_at = sf_mono_add(node->now, RETRY_FIRST);
            return;
        }
    }
    out_spare_held(out, to);
}

/* Until a receipt shows that it was opened a grant is given again, less and less often. */
static void
grant_if_due(struct outbound *out, struct out_to *to, struct peer *peer)
{
    if (to->record.opened || out->seal == NULL || out->node->now < to->grant_at) {
        return;
    }
    if (peer->conf.has_psk && !ladder_may_grant(peer)) {
        to->grant_at = SF_NEVER; /* until the peer is there: a rung is used only once */
        return;
    }
    to->grant_at = out_back_off(out, &to->grant_ns);
    if (to->is_granting ||
        mail_is_waiting(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT)) {
        return;
    }
    if (peer->conf.has_psk) {
        grant_on_ladder(out, to, peer);
    } else {
        post_grant(out, to, peer, NULL);
    }
}

/*
 * Whether one more transfer may be put on offer to that peer; the least urgent
 * of those that are gives way to a more urgent one.
 */
static bool
may_offer(struct outbound *out, const struct out_to *to)
{
    struct outbound *last = NULL;
    struct out_to *last_to = NULL;
    size_t count = 0;

    for (struct outbound *at = out->node->outs; at != NULL; at = at->next) {
        for (uint32_t i = 0; i < at->record.recipient_count; i++) {
            if (at->to[i].data_handle != 0 &&
                sf_fingerprint_equal(&at->to[i].fingerprint, &to->fingerprint)) {
                count++;
                if (last == NULL || !out_is_before(at, last)) {
                    last = at;
                    last_to = &at->to[i];
                }
            }
        }
    }
    if (count < OFFERS_MAX) {
        return true;
    }
    if (!out_is_before(out, last)) {
        return false;
    }
    out_withdraw(last, last_to);
    last_to->retry_at = sf_mono_add(out->node->now, RETRY_FIRST);
    return true;
}

void
out_offer_to(struct outbound *out, struct out_to *to)
{
    struct peer *peer = peer_of(out->node, &to->fingerprint);

    if (peer == NULL || !peer->conf.may_receive || !out_to_is_open(to) ||
        (to->is_paused && to->retry_at != SF_NEVER) || to->data_handle != 0 || out->spool == NULL ||
        !out->is_begun) {
        return;
    }
    if (!may_offer(out, to)) {
        to->retry_at = sf_mono_add(out->node->now, RETRY_FIRST);
        return;
    }
    to->retry_at = SF_NEVER;
    grant_if_due(out, to, peer);
    offer_data(out, to, peer);
}

void
outbound_offer(struct outbound *out)
{
    if (!out_is_open(out)) {
        return;
    }
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        out_offer_to(out, &out->to[i]);
    }
}

static void
post_cancel(const struct outbound *out, struct peer *peer)
{
    struct sf_cancel cancel = {
        .by = out->node->card.fingerprint,
        .transfer = out->id,
        .reason = (enum sf_cancel_reason)out->record.reason,
    };
    uint8_t encoded[SF_CANCEL_BYTES_MAX];
    size_t bytes;

    if (sf_cancel_encode(&cancel, out->node->identity, encoded, sizeof(encoded), &bytes) == SF_OK) {
        int status = mail_letter(
            out->node, peer, SF_LETTER_CANCEL, sf_view(encoded, bytes), &out->id, MAIL_CANCEL);

        if (status != SF_OK) {
            node_say(out->node, SF_NODE_EVENT_WARNING, &out->id,
                "the cancel cannot be sent yet: %s", sf_status_text(status));
        }
    }
}

/* Tell every recipient that has not answered yet. */
void
out_tell_cancelled(struct outbound *out)
{
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];
        struct peer *peer = peer_of(out->node, &to->fingerprint);

        if (to->record.phase != SF_TO_CANCELLING || peer == NULL) {
            continue;
        }
        to->retry_at = sf_mono_add(out->node->now, CANCEL_AGAIN); /* the answer may be lost */
        if (!mail_is_waiting(out->node, peer_number(out->node, peer), &out->id, MAIL_CANCEL)) {
            post_cancel(out, peer);
        }
    }
}

void
outbound_peer_changed(struct sf_node *node, unsigned number)
{
    const struct sf_fingerprint *fingerprint = &node->peers[number].conf.card.fingerprint;

    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            struct out_to *to = &out->to[i];

            if (!sf_fingerprint_equal(&to->fingerprint, fingerprint)) {
                continue;
            }
            to->grant_at = 0;
            to->grant_ns = 0;
            if (to->record.phase == SF_TO_CANCELLING) {
                out_tell_cancelled(out);
            } else if (out_is_open(out)) {
                out_offer_to(out, to);
            }
        }
    }
}

void
outbound_sealed(struct outbound *out, uint64_t index)
{
    node_must(out->node, sf_range_set_add(&out->sealed, index, index + 1));
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (to->data_handle != 0 &&
            sf_link_ready(out->node->link, to->data_handle, index, index + 1) != SF_OK) {
            /* Too scattered for the link just now: offer the whole again later. */
            out_withdraw(out, to);
            to->retry_at = sf_mono_add(out->node->now, RETRY_FIRST);
        }
    }
}

static struct outbound *
find_handle(struct sf_node *node, uint32_t handle, struct out_to **ret_to)
{
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            if (out->to[i].data_handle == handle && handle != 0) {
                *ret_to = &out->to[i];
                return out;
            }
        }
    }
    return NULL;
}

bool
outbound_want(struct sf_node *node, uint32_t handle, uint64_t index)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return false;
    }
    cache_want(node, out, handle, index);
    return true;
}

bool
outbound_release(struct sf_node *node, uint32_t handle, uint64_t index)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return false;
    }
    cache_release(node, out, handle, index);
    return true;
}

bool
outbound_map(struct sf_node *node, uint32_t handle)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);
    const struct sf_range_set *has = sf_link_peer_has(node->link, handle);

    if (out == NULL) {
        return false;
    }
    to->link_has = has == NULL ? 0 : sf_range_set_total(has);
    return true;
}

void
outbound_received(struct sf_node *node, uint32_t handle)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);
    const struct peer *peer;

    if (out == NULL) {
        return;
    }
    peer = peer_of(node, &to->fingerprint);
    to->link_has = out->record.count;
    if (peer != NULL && peer->conf.no_return) {
        return; /* it went once, and goes again until a receipt is brought */
    }
    to->was_received = true;
    out_withdraw(out, to);
    /* Its FINAL may be lost with a crash there; announcing it again makes it answer. */
    if (to->retry_ns < FINAL_FIRST) {
        to->retry_ns = FINAL_FIRST / 2;
    }
    to->retry_at = out_back_off(out, &to->retry_ns);
}

void
outbound_declined(struct sf_node *node, uint32_t handle)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return;
    }
    /* Why is in a signed receipt, now or soon; until it says "for good", ask again. */
    out_withdraw(out, to);
    to->retry_ns = to->retry_ns == 0 ? RETRY_FIRST : to->retry_ns;
    to->retry_at = sf_mono_add(node->now, to->retry_ns);
}

/*
 * A bundle in custody cannot be read. Disks have bad moments, so it is tried
 * again; then custody is lost, and everybody is told.
 */
void
outbound_unreadable(struct sf_node *node, uint32_t handle, uint64_t index)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);
    char why[128];

    if (out == NULL) {
        return;
    }
    if (sf_link_unsupply(node->link, handle, index) == SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, &out->id,
            "bundle %llu does not read back from the spool as it was sealed",
            (unsigned long long)index);
    }
    out->unreadable_times = out->unreadable == index ? out->unreadable_times + 1 : 1;
    out->unreadable = index;
    if (out->unreadable_times >= UNREADABLE_TIMES) {
        snprintf(why, sizeof(why),
            "bundle %llu in the spool is damaged: the disk did not keep it; send it again",
            (unsigned long long)index);
        outbound_fail(out, SF_CANCEL_CUSTODY_LOST, why);
        return;
    }
    out_withdraw(out, to);
    to->retry_at = sf_mono_add(node->now, RETRY_FIRST);
}

void
out_retry(struct outbound *out, struct out_to *to)
{
    struct peer *peer = peer_of(out->node, &to->fingerprint);

    if (peer != NULL && contacts_are_silent(peer)) {
        return; /* whatever is due waits for the next contact */
    }
    if (peer != NULL && out_is_open(out) && out_to_is_open(to) &&
        (to->data_handle != 0 || to->was_received)) {
        grant_if_due(out, to, peer);
    }
    if (to->retry_at > out->node->now) {
        return;
    }
    to->retry_at = SF_NEVER;
    if (to->record.phase == SF_TO_CANCELLING) {
        out_tell_cancelled(out);
    } else if (out_is_open(out)) {
        out_offer_to(out, to); /* paused or not: it is asked again */
    }
}
