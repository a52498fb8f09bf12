/*
 * room.c - how much a peer may have here, and what happens when there is no room.
 *
 * Three things can be short. A peer's quota: it is told to ask again, and what
 * it asked for is remembered for people (postponed.c). Room for what one
 * transfer decodes to: that transfer pauses (staging.c). And the last room of
 * all, in which the journal says what was freed: then nothing new is taken in,
 * neither from peers nor from people, until there is some.
 */
#include "node/inbound.h"

#include <stdio.h>

#define ROOM_EVERY (5 * SF_SEC)  /* a full disk is tried again */
#define REST_FIRST (500 * SF_MS) /* one that takes nothing: the first time, */
#define REST_LAST  (60 * SF_SEC) /* ... and at most */

/* --- Quotas ------------------------------------------------------------------- */

/*
 * What a transfer can make this node keep: its sealed bundles at first, its
 * plaintext in the end; in between bundles go as plaintext comes.
 */
static uint64_t
kept_bytes(const struct inbound *in)
{
    uint64_t sealed = in->record.slots * in->record.class_bytes;

    return in->plain_bytes > sealed ? in->plain_bytes : sealed;
}

/* Whether `peer` may have `bytes` more bytes here in one more transfer; else what is missing. */
static bool
fits_quota(const struct sf_node *node, const struct peer *peer, const struct inbound *except,
    uint64_t bytes, uint64_t *ret_need_bytes)
{
    uint64_t quota =
        peer->conf.quota_bytes != 0 ? peer->conf.quota_bytes : node->config.quota_bytes;
    uint64_t used = 0;
    size_t count = 0;

    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in == except || !sf_fingerprint_equal(&in->sender, &peer->conf.card.fingerprint)) {
            continue;
        }
        count += !in->is_freed || in->is_forgotten;
        if (in->record.phase < SF_IN_DONE) {
            used += kept_bytes(in);
        }
    }
    *ret_need_bytes = 0;
    if (quota != 0 && (used > quota || bytes > quota - used)) {
        *ret_need_bytes = used + bytes - quota;
        return false;
    }
    return count < INBOUND_MAX;
}

bool
room_for(struct sf_node *node, const struct peer *peer, uint64_t bytes, struct refusal *refusal)
{
    uint64_t known = postponed_bytes(node, &refusal->transfer, &peer->conf.card.fingerprint);

    refusal->retryable = true;
    refusal->bytes = known > bytes ? known : bytes;
    if (node->is_full) {
        refusal->reason = SF_REFUSAL_NO_SPACE;
        refusal->need_bytes = node->full_need_bytes + refusal->bytes;
        return false;
    }
    if (!fits_quota(node, peer, NULL, refusal->bytes, &refusal->need_bytes)) {
        refusal->reason = SF_REFUSAL_QUOTA;
        return false;
    }
    return true;
}

bool
room_for_plain(struct inbound *in, uint64_t plain_bytes)
{
    const struct peer *peer = peer_of(in->node, &in->sender);
    struct refusal refusal = {
        .transfer = in->id, .reason = SF_REFUSAL_QUOTA, .retryable = true, .bytes = plain_bytes};

    in->plain_bytes = plain_bytes;
    if (peer == NULL || fits_quota(in->node, peer, in, kept_bytes(in), &refusal.need_bytes)) {
        return true;
    }
    inbound_turn_away(in, &refusal, "what it decodes to is more than the quota leaves");
    return false;
}

/* --- One transfer pauses -------------------------------------------------------- */

bool
inbound_is_resting(const struct inbound *in)
{
    return in->paused != 0 || in->rest_at != 0;
}

static void
resume_link(struct inbound *in)
{
    if (!inbound_is_resting(in) && in->handle != 0 &&
        sf_link_resume(in->node->link, in->peer, in->handle) != SF_OK) {
        in->handle = 0;
    }
}

static void
pause_link(struct inbound *in)
{
    if (in->handle != 0 && sf_link_pause(in->node->link, in->peer, in->handle) != SF_OK) {
        in->handle = 0;
    }
}

void
inbound_pause(struct inbound *in, enum in_pause cause, uint64_t need_bytes)
{
    bool was_paused = in->paused != 0;

    if ((in->paused & (unsigned)cause) != 0) {
        return;
    }
    in->paused |= (unsigned)cause;
    in->need_bytes = need_bytes;
    snprintf(in->why, sizeof(in->why),
        "no room: %llu more bytes must become free on this disk; then it goes on by itself",
        (unsigned long long)need_bytes);
    in->receipt_due = true;
    in->receipt_at = 0;
    if (was_paused) {
        return;
    }
    pause_link(in);
    node_say(in->node, SF_NODE_EVENT_WARNING, &in->id, "paused: %s", in->why);
    record_in(in, "paused", in->why);
}

void
inbound_resume(struct inbound *in, enum in_pause cause)
{
    if ((in->paused & (unsigned)cause) == 0) {
        return;
    }
    in->paused &= ~(unsigned)cause;
    if (in->paused != 0) {
        return;
    }
    in->need_bytes = 0;
    in->why[0] = '\0';
    in->receipt_due = true;
    in->receipt_at = 0;
    resume_link(in);
    node_say(in->node, SF_NODE_EVENT_TRANSFER, &in->id, "goes on: there is room again");
}

/* --- A broken disk ------------------------------------------------------------------ */

void
inbound_rest(struct inbound *in, int status)
{
    uint64_t longer = in->rest_ns == 0 ? REST_FIRST : 2 * in->rest_ns;

    if (in->rest_at != 0) {
        return;
    }
    /* A medium that takes nothing would else have the sender send it all, over and over. */
    in->rest_ns = longer < REST_LAST ? longer : REST_LAST;
    in->rest_at = sf_mono_add(in->node->now, in->rest_ns);
    pause_link(in);
    if (in->rest_ns == REST_FIRST) {
        snprintf(in->why, sizeof(in->why),
            "what comes could not be stored (%s): it is tried again from time to time; see "
            "`skyferry doctor` about the disk",
            sf_status_text(status));
        node_say(in->node, SF_NODE_EVENT_WARNING, &in->id, "%s", in->why);
        record_in(in, "not_stored", in->why);
    }
}

void
inbound_rest_tick(struct inbound *in)
{
    if (in->rest_at != 0 && in->node->now >= in->rest_at) {
        in->rest_at = 0;
        resume_link(in);
    }
}

void
inbound_rested(struct inbound *in)
{
    if (in->rest_ns != 0 && in->rest_at == 0) {
        in->rest_ns = 0;
        if (in->paused == 0) {
            in->why[0] = '\0';
        }
    }
}

/* --- The whole node is full -------------------------------------------------------- */

static bool
is_tight(const struct sf_node *node, uint64_t *ret_need_bytes)
{
    uint64_t journal = 0;
    uint64_t audit = 0;
    bool is_journal = sf_journal_is_tight(node->journal, &journal);
    bool is_audit = sf_audit_is_tight(node->audit, &audit);

    *ret_need_bytes = node->config.reserve_bytes + journal + audit;
    return is_journal || is_audit || node->now < node->refused_until;
}

void
room_refused(struct sf_node *node)
{
    node->refused_until = sf_mono_add(node->now, ROOM_EVERY);
}

static void
become_full(struct sf_node *node)
{
    node->is_full = true;
    node_say(node, SF_NODE_EVENT_WARNING, NULL,
        "the disk is full: %llu more bytes must become free; until then nothing new is taken in",
        (unsigned long long)node->full_need_bytes);
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in_is_open(in) && in->record.phase != SF_IN_DELIVERING) {
            inbound_pause(in, IN_PAUSE_NODE, node->full_need_bytes);
        }
    }
}

static void
become_roomy(struct sf_node *node)
{
    node->is_full = false;
    node_say(node, SF_NODE_EVENT_NOTICE, NULL, "there is room on the disk again");
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        inbound_resume(in, IN_PAUSE_NODE);
    }
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        if (out->intake != NULL) {
            intake_step(out->intake);
        }
    }
}

void
room_tick(struct sf_node *node)
{
    bool tight = is_tight(node, &node->full_need_bytes);

    if (tight && node->now >= node->room_at) {
        node->room_at = sf_mono_add(node->now, ROOM_EVERY);
        sf_journal_retry(node->journal);
        sf_audit_retry(node->audit);
    }
    if (tight && !node->is_full) {
        become_full(node);
    } else if (!tight && node->is_full) {
        become_roomy(node);
    }
}

sf_mono
room_deadline(const struct sf_node *node)
{
    sf_mono deadline = node->is_full ? node->room_at : SF_NEVER;

    return node->now < node->refused_until ? sf_mono_min(deadline, node->refused_until) : deadline;
}

bool
sf_node_is_full(const struct sf_node *node, uint64_t *ret_need_bytes)
{
    *ret_need_bytes = node->is_full ? node->full_need_bytes : 0;
    return node->is_full;
}
