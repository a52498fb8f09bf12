/*
 * traitor.c - a lawful recipient who knows the content key of a transfer, and
 * makes bundles of it for another recipient.
 *
 * Only the sender's session could carry them, which it does not have: so they
 * are put before the very check that every bundle passes on its way to being
 * held, and change nothing. Each is sealed under the right key at its place, and what
 * is wrong lies inside. What the sender sealed must pass the same check.
 */
#include "sim/life_state.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "bundle/cose.h"
#include "bundle/envelope.h"
#include "bundle/labels.h"
#include "node/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES_PPM = 100000, /* after an event; most find nobody to betray */
    /* Of the outer header; see the table in bundle/envelope.h. */
    AT_ID = 22,
    AT_IV = 40,
    AT_SIV = 59,
};

enum lie { LIE_SIGNER, LIE_CONTENT, LIE_PLACE, LIE_SIV, LIES };

static const char *const lies[LIES] = {"a signature of its own",
    "other content under siv and signature", "what was signed for another place",
    "a siv of its own"};

/* A bundle, as its sender sealed it, and room for what is made of it. */
struct work {
    struct life_sent *sent;
    unsigned traitor;
    unsigned victim;
    struct sf_seal seal;
    struct sf_inspect_keys keys;
    uint64_t index;
    uint64_t other;
    uint32_t class_bytes;
    uint8_t *object;
    uint8_t *plain; /* signature, content and padding stand where they do in the object */
};

static uint64_t
pick(struct life *life, uint64_t below)
{
    return sf_faults_pick(&life->faults, SF_FAULT_FORGE, below);
}

/* --- What it can do ------------------------------------------------------------------------- */

struct bundle_keys {
    uint8_t key[SF_AEAD_KEY_BYTES];
    uint8_t iv[SF_AEAD_NONCE_BYTES];
};

/* As docs/protocol/01-sealed.md has it; whoever has the content key can. */
static void
derive(const struct sf_seal *seal, uint64_t index, const uint8_t siv[SF_SIV_BYTES],
    struct bundle_keys *ret_keys)
{
    uint8_t place[sizeof(seal->transfer.b) + 1 + 8];
    const struct sf_view info[] = {SF_LABEL_VIEW(SF_LABEL_BUNDLE), sf_view(place, sizeof(place))};
    uint8_t out[SF_AEAD_KEY_BYTES + SF_AEAD_NONCE_BYTES];

    memcpy(place, seal->transfer.b, sizeof(seal->transfer.b));
    place[sizeof(seal->transfer.b)] = SF_KIND_DATA;
    sf_put_be64(place + sizeof(seal->transfer.b) + 1, index);
    sf_hkdf_sha256(
        sf_view(seal->cek, SF_CEK_BYTES), sf_view(siv, SF_SIV_BYTES), info, 2, out, sizeof(out));
    memcpy(ret_keys->key, out, sizeof(ret_keys->key));
    memcpy(ret_keys->iv, out + SF_AEAD_KEY_BYTES, sizeof(ret_keys->iv));
}

static size_t
head_bytes(const struct work *work)
{
    return sf_envelope_content_offset(work->class_bytes) - SF_SIGNATURE_BYTES;
}

/* Bundle `index` as its sender sealed it: into work->object, and opened into work->plain. */
static bool
open_true(struct life *life, struct work *work, uint64_t index)
{
    static const struct sf_view ad = {sf_cose_seal_ad, sizeof(sf_cose_seal_ad)};
    struct sf_sim_disk *disk = sf_world_disk(life->world, work->sent->from);
    size_t head = head_bytes(work);
    struct bundle_keys keys;
    char path[64] = "spool/";
    size_t bytes;

    for (size_t i = 0; i < sizeof(work->sent->id.b); i++) {
        snprintf(path + 6 + 2 * i, 3, "%02x", work->sent->id.b[i]);
    }
    snprintf(path + 6 + 2 * sizeof(work->sent->id.b), 5, ".out");
    if (sf_sim_disk_get(disk, path, index * work->class_bytes, work->object, work->class_bytes,
            &bytes) != SF_OK ||
        bytes != work->class_bytes) {
        return false;
    }
    derive(&work->seal, index, work->object + AT_SIV, &keys);
    return sf_aead_open(keys.key, keys.iv, ad,
               sf_view(work->object + head, work->class_bytes - head), work->plain + head) == SF_OK;
}

/* Seal work->plain, whatever it is, for the place of work->index under `siv`. */
static void
seal_as(struct work *work, const uint8_t siv[SF_SIV_BYTES])
{
    static const struct sf_view ad = {sf_cose_seal_ad, sizeof(sf_cose_seal_ad)};
    size_t head = head_bytes(work);
    struct bundle_keys keys;

    derive(&work->seal, work->index, siv, &keys);
    sf_envelope_id(&work->seal, SF_KIND_DATA, work->index, work->object + AT_ID);
    memcpy(work->object + AT_IV, keys.iv, sizeof(keys.iv));
    memmove(work->object + AT_SIV, siv, SF_SIV_BYTES);
    sf_aead_seal(keys.key, keys.iv, ad,
        sf_view(work->plain + head, work->class_bytes - head - SF_AEAD_TAG_BYTES),
        work->object + head);
}

/* False: there is nothing to make it of. */
static bool
forge(struct life *life, struct work *work, enum lie lie)
{
    size_t content = sf_envelope_content_offset(work->class_bytes);
    size_t room = sf_envelope_capacity(work->class_bytes);
    uint8_t siv[SF_SIV_BYTES];

    if (!open_true(life, work, lie == LIE_PLACE ? work->other : work->index)) {
        return false;
    }
    memcpy(siv, work->object + AT_SIV, sizeof(siv));
    switch (lie) {
    case LIE_SIGNER:
        memcpy(work->object + content, work->plain + content, room);
        return sf_envelope_seal(&work->seal, work->keys.identity, SF_KIND_DATA, work->index,
                   work->object, work->class_bytes, room, siv) == SF_OK;
    case LIE_CONTENT:
        work->plain[content + pick(life, room)] ^= 1;
        break;
    case LIE_SIV:
        siv[pick(life, sizeof(siv))] ^= 1;
        break;
    default:
        break;
    }
    seal_as(work, siv);
    return true;
}

/* --- Whom it betrays ------------------------------------------------------------------------ */

static int
would_hold(struct life *life, struct work *work)
{
    return sf_inspect_would_hold(sf_world_node(life->world, work->victim), &work->sent->id,
        &life->nodes[work->sent->from].fingerprint, work->index,
        sf_view(work->object, work->class_bytes), work->plain);
}

static void
betray(struct life *life, struct work *work)
{
    enum lie lie = (enum lie)pick(life, LIES);
    int status;

    if (lie == LIE_PLACE && work->other == work->index) {
        return;
    }
    /* The victim is waiting for it, and what was truly sealed there would be taken. */
    if (!open_true(life, work, work->index) || would_hold(life, work) != SF_OK ||
        !forge(life, work, lie)) {
        return;
    }
    sf_assert(sf_envelope_check(&work->seal, SF_KIND_DATA, work->index,
                  sf_view(work->object, work->class_bytes)) == SF_OK);
    status = would_hold(life, work);
    life->result->faults[SF_FAULT_FORGE]++;
    sf_trace_explain(&life->trace, sf_world_now(life->world),
        "[%s] makes bundle %" PRIu64 " of %s for %s: %s", life->nodes[work->traitor].name,
        work->index, work->sent->label, life->nodes[work->victim].name, lies[lie]);
    if (status != SF_EAUTH) {
        life_fail(life, "I3", "%s would take bundle %" PRIu64 " of %s from %s, with %s (%s)",
            life->nodes[work->victim].name, work->index, work->sent->label,
            life->nodes[work->traitor].name, lies[lie], sf_status_text(status));
    }
}

/* A transfer with two recipients who have its key, of whom one turns on the other. */
static bool
choose(struct life *life, struct work *work)
{
    struct life_sent *sent = &life->sent[pick(life, LIFE_TRANSFERS_MAX)];
    unsigned first = (unsigned)pick(life, LIFE_NODES_MAX);
    struct sf_inspect_out out;

    if (sent >= life->sent + life->sent_count || sent->is_forgotten || sent->to_count < 2 ||
        sf_world_node(life->world, sent->from) == NULL ||
        !sf_inspect_out(sf_world_node(life->world, sent->from), &sent->id, &out) ||
        sf_range_set_total(out.sealed) == 0) {
        return false;
    }
    work->sent = sent;
    work->traitor = sent->to[first % sent->to_count];
    work->victim = sent->to[(first + 1) % sent->to_count];
    work->class_bytes = out.class_bytes;
    work->index = pick(life, sf_range_set_total(out.sealed));
    work->other = pick(life, sf_range_set_total(out.sealed));
    return sf_inspect_keys(sf_world_node(life->world, work->traitor), &sent->id,
        &life->nodes[sent->from].fingerprint, &work->keys);
}

static void
try_one(struct life *life)
{
    struct work work = {0};

    if (!choose(life, &work)) {
        return;
    }
    sf_seal_init(&work.seal, work.keys.cek, &work.sent->id);
    work.object = malloc(work.class_bytes);
    work.plain = malloc(work.class_bytes);
    sf_assert(work.object != NULL && work.plain != NULL);
    betray(life, &work);
    free(work.object);
    free(work.plain);
    sf_seal_fini(&work.seal);
}

void
traitor_stepped(struct life *life)
{
    if (!life_is_over(life) && sf_faults_strikes(&life->faults, SF_FAULT_FORGE, TRIES_PPM)) {
        try_one(life);
    }
}
