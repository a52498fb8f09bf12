/*
 * ladder.c - pre-shared keys that are used once and then gone.
 *
 * Two operators share a seed. From it follow the key of link sessions, which
 * stays, and one ladder for each direction (bundle/ladder.h). What is kept is the state of the lowest rung that was
 * not used yet, and nothing of that which leads back: not the seed, not the
 * states below. The keys of a few rungs that were passed over are kept on their
 * own, for grants that overtook each other on the way.
 *
 * The vault keeps all of it, since what is replaced there vanishes (STORE.md):
 *
 *   'P', peer   version (1), check of the seed (16), link key (32),
 *               rung (8) and state (32) of the ladder towards the peer,
 *               rung (8) and state (32) of the ladder from it
 *   'S', peer   version (1), then rung (8) and key (32) of each passed over
 *
 * A rung is used once. Towards the peer: the next state is durable before a
 * grant is sealed under a rung's key. From it: once its grant authenticates
 * the rung is passed for good, durably before the content key is. An older image
 * of this node does not know of the last rungs used: so the first grant after a
 * start leaves out as many as a lot says, and no grant is made before the peer is
 * heard, who may say that the state is old; then many more are left out, as when
 * it refuses a rung. On a link without return nobody says how far the other side
 * is behind: every start in the dark takes it further, so the receiver looks a
 * long way ahead, though seldom, as it does so before anything is proven.
 */
#include "node/internal.h"

#include "bundle/ladder.h"

#include <stdlib.h>

enum {
    VERSION = 1,
    STATE_BYTES = 1 + 16 + 32 + 2 * (8 + 32),
    PASSED_BYTES_MAX = 1 + LADDER_PASSED_MAX * (8 + 32),
    AHEAD_MAX = 4096,    /* rungs a grant may skip where receipts come back */
    REACH_MAX = 1 << 18, /* ... and where none do; looked for once in REACH_EVERY */
    STRIDE_MAX = 1024,   /* left out by the first grant after a start: so many, or fewer, by lot; */
    LEAP = 1024,         /* ... and when the peer has seen rungs that are not remembered here */
    LEAP_LIMIT = 2048,   /* neither where so many are ahead of what the peer has opened */
};

#define REACH_EVERY (60 * SF_SEC)
#define KEEP_AGAIN  (30 * SF_SEC) /* a new ladder for which the vault had no room */

/* --- At rest --------------------------------------------------------------------------- */

static void
vault_key(
    const struct sf_fingerprint *fingerprint, uint8_t kind, uint8_t ret_key[SF_VAULT_KEY_BYTES])
{
    ret_key[0] = kind;
    memcpy(ret_key + 1, fingerprint->b, SF_VAULT_KEY_BYTES - 1);
}

static uint8_t *
put_rung(uint8_t *at, uint64_t number, const uint8_t bytes[32])
{
    sf_put_be64(at, number);
    memcpy(at + 8, bytes, 32);
    return at + 40;
}

static const uint8_t *
take_rung(const uint8_t *at, uint64_t *ret_number, uint8_t ret_bytes[32])
{
    *ret_number = sf_get_be64(at);
    memcpy(ret_bytes, at + 8, 32);
    return at + 40;
}

/* One put into the vault on its way. */
struct save {
    struct flight flight;
    struct sf_node *node;
    struct sf_vault_op op;
    void (*done)(void *owner, int status);
    void *owner;
};

/* The power is gone: `done` will not come to free what it owns. */
static void
save_drop(struct flight *flight)
{
    struct save *save = FLIGHT_OF(flight, struct save);

    free(save->owner);
    free(save);
}

static void
saved(struct sf_vault_op *op)
{
    struct save *save = op->owner;
    void (*done)(void *owner, int status) = save->done;
    void *owner = save->owner;
    int status = op->status;

    flight_end(&save->flight);
    free(save);
    if (done != NULL) {
        done(owner, status);
    }
}

struct save_order {
    uint8_t kind;
    struct sf_view secret;
    void (*done)(void *owner, int status); /* may be NULL */
    void *owner;                           /* from malloc(); done() frees it */
};

static int
save(struct sf_node *node, const struct peer *peer, const struct save_order *order)
{
    struct save *put = calloc(1, sizeof(*put));

    if (put == NULL) {
        return SF_ENOMEM;
    }
    put->node = node;
    put->done = order->done;
    put->owner = order->owner;
    put->op = (struct sf_vault_op){.done = saved, .owner = put};
    vault_key(&peer->conf.card.fingerprint, order->kind, put->op.key);
    flight_begin(&node->flights, &put->flight, save_drop);
    sf_vault_put(node->vault, &put->op, order->secret, node->now);
    return SF_OK;
}

static int
save_state(struct sf_node *node, const struct peer *peer, void (*done)(void *owner, int status),
    void *owner)
{
    const struct ladder *ladder = &peer->ladder;
    uint8_t bytes[STATE_BYTES];
    uint8_t *at = bytes;
    int status;

    *at++ = VERSION;
    memcpy(at, ladder->check, sizeof(ladder->check));
    at += sizeof(ladder->check);
    memcpy(at, ladder->link, sizeof(ladder->link));
    at += sizeof(ladder->link);
    at = put_rung(at, ladder->out.number, ladder->out.state);
    at = put_rung(at, ladder->in.number, ladder->in.state);
    sf_assert(at == bytes + sizeof(bytes));
    status = save(
        node, peer, &(struct save_order){LADDER_STATE, sf_view(bytes, sizeof(bytes)), done, owner});
    sf_wipe(bytes, sizeof(bytes));
    return status;
}

static int
save_passed(struct sf_node *node, const struct peer *peer)
{
    const struct ladder *ladder = &peer->ladder;
    uint8_t bytes[PASSED_BYTES_MAX];
    uint8_t *at = bytes;
    int status;

    *at++ = VERSION;
    for (size_t i = 0; i < ladder->passed_count; i++) {
        at = put_rung(at, ladder->passed[i].number, ladder->passed[i].psk);
    }
    status = save(node, peer,
        &(struct save_order){LADDER_PASSED, sf_view(bytes, (size_t)(at - bytes)), NULL, NULL});
    sf_wipe(bytes, sizeof(bytes));
    return status;
}

static bool
load(const struct sf_node *node, const struct peer *peer, struct ladder *ret_ladder)
{
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t bytes[SF_VAULT_SECRET_BYTES_MAX];
    const uint8_t *at = bytes + 1;
    size_t count;
    bool is_there;

    memset(ret_ladder, 0, sizeof(*ret_ladder));
    vault_key(&peer->conf.card.fingerprint, LADDER_STATE, key);
    is_there = sf_vault_get(node->vault, key, bytes, sizeof(bytes), &count) == SF_OK &&
               count == STATE_BYTES && bytes[0] == VERSION;
    if (is_there) {
        memcpy(ret_ladder->check, at, sizeof(ret_ladder->check));
        at += sizeof(ret_ladder->check);
        memcpy(ret_ladder->link, at, sizeof(ret_ladder->link));
        at += sizeof(ret_ladder->link);
        at = take_rung(at, &ret_ladder->out.number, ret_ladder->out.state);
        (void)take_rung(at, &ret_ladder->in.number, ret_ladder->in.state);
        ret_ladder->is_there = true;
        ret_ladder->is_durable = true;
    }
    vault_key(&peer->conf.card.fingerprint, LADDER_PASSED, key);
    if (is_there && sf_vault_get(node->vault, key, bytes, sizeof(bytes), &count) == SF_OK &&
        count >= 1 && (count - 1) % 40 == 0 && bytes[0] == VERSION) {
        at = bytes + 1;
        for (size_t i = 0; i < (count - 1) / 40 && i < LADDER_PASSED_MAX; i++) {
            at = take_rung(at, &ret_ladder->passed[i].number, ret_ladder->passed[i].psk);
            ret_ladder->passed_count++;
        }
    }
    sf_wipe(bytes, sizeof(bytes));
    return is_there;
}

/* --- A seed comes ------------------------------------------------------------------------- */

struct begun {
    struct sf_node *node;
    struct sf_fingerprint fingerprint;
    uint8_t check[16];
};

static void
begun(void *owner, int status)
{
    struct begun *begun = owner;
    struct peer *peer = peer_of(begun->node, &begun->fingerprint);

    if (peer != NULL && peer->ladder.is_there &&
        memcmp(peer->ladder.check, begun->check, sizeof(begun->check)) == 0) {
        if (status == SF_OK) {
            peer->ladder.is_durable = true;
            outbound_peer_changed(begun->node, peer_number(begun->node, peer));
        } else {
            peer->ladder.keep_at = sf_mono_add(begun->node->now, KEEP_AGAIN);
            node_say(begun->node, SF_NODE_EVENT_WARNING, NULL,
                "the pre-shared key of %s cannot be kept in the vault (%s): no grant goes to it "
                "until it can",
                peer->conf.name, sf_status_text(status));
        }
    }
    free(begun);
}

/* Make both ladders durable; grants wait for that. */
static int
keep(struct sf_node *node, struct peer *peer)
{
    struct begun *owner = malloc(sizeof(*owner));

    if (owner == NULL) {
        return SF_ENOMEM;
    }
    *owner = (struct begun){.node = node, .fingerprint = peer->conf.card.fingerprint};
    memcpy(owner->check, peer->ladder.check, sizeof(owner->check));
    if (save_passed(node, peer) != SF_OK || save_state(node, peer, begun, owner) != SF_OK) {
        free(owner);
        return SF_ENOMEM;
    }
    peer->ladder.keep_at = SF_NEVER;
    return SF_OK;
}

static bool
waits_to_be_kept(const struct peer *peer)
{
    const struct ladder *ladder = &peer->ladder;

    return peer->used && ladder->is_there && !ladder->is_durable && ladder->keep_at != 0;
}

void
ladder_tick(struct sf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[node->peer_order[i]];

        if (waits_to_be_kept(peer) && node->now >= peer->ladder.keep_at) {
            node_must(node, keep(node, peer));
        }
    }
}

sf_mono
ladder_deadline(const struct sf_node *node)
{
    sf_mono deadline = SF_NEVER;

    for (size_t i = 0; i < node->peer_count; i++) {
        const struct peer *peer = &node->peers[node->peer_order[i]];

        if (waits_to_be_kept(peer)) {
            deadline = sf_mono_min(deadline, peer->ladder.keep_at);
        }
    }
    return deadline;
}

/* Begin both ladders of a seed that was not here before. */
static int
begin(struct sf_node *node, struct peer *peer, const uint8_t seed[32], const uint8_t check[16])
{
    struct ladder *ladder = &peer->ladder;

    memset(ladder, 0, sizeof(*ladder));
    memcpy(ladder->check, check, sizeof(ladder->check));
    sf_ladder_link_psk(seed, ladder->link);
    sf_ladder_begin(seed, &node->card.fingerprint, &peer->conf.card.fingerprint, &ladder->out);
    sf_ladder_begin(seed, &peer->conf.card.fingerprint, &node->card.fingerprint, &ladder->in);
    ladder->is_there = true;
    peer->record.rung_opened = 0;
    return keep(node, peer);
}

int
ladder_set(struct sf_node *node, struct peer *peer)
{
    static const uint8_t none[32];
    struct ladder *ladder = &peer->ladder;
    bool has_seed = !sf_ct_equal(peer->conf.psk, none, sizeof(none));
    uint8_t check[16];
    int status = SF_OK;

    if (!peer->conf.has_psk) {
        sf_wipe(ladder, sizeof(*ladder));
        return SF_OK;
    }
    if (!ladder->is_there) {
        (void)load(node, peer, ladder);
    }
    if (!has_seed) {
        return ladder->is_there ? SF_OK : SF_ENOENT;
    }
    sf_ladder_check(peer->conf.psk, check);
    if (!ladder->is_there || !sf_ct_equal(check, ladder->check, sizeof(check))) {
        status = begin(node, peer, peer->conf.psk, check);
    }
    sf_wipe(peer->conf.psk, sizeof(peer->conf.psk));
    return status;
}

/* --- Towards the peer ------------------------------------------------------------------------ */

struct reservation {
    struct sf_node *node;
    struct ladder_rung rung;
    void (*done)(void *owner, const struct ladder_rung *rung);
    void *owner;
};

static void
reserved(void *owner, int status)
{
    struct reservation *reservation = owner;

    reservation->done(reservation->owner, status == SF_OK ? &reservation->rung : NULL);
    sf_wipe(reservation, sizeof(*reservation));
    free(reservation);
}

bool
ladder_may_grant(const struct peer *peer)
{
    return peer->ladder.is_durable && (peer->up || peer->conf.no_return) &&
           (peer->conf.no_return || peer->ladder.out.number < peer->record.rung_opened + AHEAD_MAX);
}

static bool
may_leap(const struct peer *peer)
{
    return peer->conf.no_return || peer->ladder.out.number < peer->record.rung_opened + LEAP_LIMIT;
}

/*
 * By lot: an image of a node that was stopped, started twice, would else come to
 * the same rungs both times.
 */
static void
stride(struct sf_node *node, struct peer *peer)
{
    uint8_t lot[2];
    unsigned count;

    if (!may_leap(peer)) {
        return;
    }
    sf_random_fill(&node->config.random, lot, sizeof(lot));
    count = 1 + ((unsigned)lot[0] << 8 | lot[1]) % STRIDE_MAX;
    for (unsigned i = 0; i < count; i++) {
        sf_ladder_climb(&peer->ladder.out);
    }
}

int
ladder_reserve(struct sf_node *node, struct peer *peer,
    void (*done)(void *owner, const struct ladder_rung *rung), void *owner)
{
    struct ladder *ladder = &peer->ladder;
    struct reservation *reservation;
    int status;

    if (!ladder_may_grant(peer)) {
        return SF_ESTATE;
    }
    reservation = calloc(1, sizeof(*reservation));
    if (reservation == NULL) {
        return SF_ENOMEM;
    }
    if (!ladder->has_strode) {
        ladder->has_strode = true;
        stride(node, peer);
    }
    *reservation = (struct reservation){.node = node, .done = done, .owner = owner};
    reservation->rung.number = ladder->out.number;
    sf_ladder_psk(&ladder->out, reservation->rung.psk);
    sf_ladder_climb(&ladder->out);
    status = save_state(node, peer, reserved, reservation);
    if (status != SF_OK) {
        sf_wipe(reservation, sizeof(*reservation));
        free(reservation);
    }
    return status;
}

void
ladder_leap(struct sf_node *node, struct peer *peer)
{
    if (!peer->ladder.is_there || !may_leap(peer)) {
        return;
    }
    for (unsigned i = 0; i < LEAP; i++) {
        sf_ladder_climb(&peer->ladder.out);
    }
    node_must(node, save_state(node, peer, NULL, NULL));
}

void
ladder_rolled_back(struct sf_node *node, struct peer *peer)
{
    if (!peer->has_skipped) {
        peer->has_skipped = true;
        ladder_leap(node, peer);
    }
}

/* --- From the peer --------------------------------------------------------------------------- */

/* Whether it is worth the climb to look for a rung so far above. */
static bool
is_in_reach(const struct sf_node *node, struct ladder *ladder, uint64_t number)
{
    if (number < ladder->in.number || number - ladder->in.number >= REACH_MAX) {
        return false;
    }
    if (number - ladder->in.number < AHEAD_MAX) {
        return true;
    }
    if (node->now < ladder->reach_at) {
        return false;
    }
    ladder->reach_at = sf_mono_add(node->now, REACH_EVERY);
    return true;
}

bool
ladder_find(const struct sf_node *node, struct peer *peer, uint64_t number, uint8_t ret_psk[32])
{
    struct ladder *ladder = &peer->ladder;
    struct sf_rung rung;

    if (!ladder->is_there) {
        return false;
    }
    for (size_t i = 0; i < ladder->passed_count; i++) {
        if (ladder->passed[i].number == number) {
            memcpy(ret_psk, ladder->passed[i].psk, 32);
            return true;
        }
    }
    if (!is_in_reach(node, ladder, number)) {
        return false;
    }
    /* Nothing is proven yet: what is kept stays where it is. */
    rung = ladder->in;
    while (rung.number < number) {
        sf_ladder_climb(&rung);
    }
    sf_ladder_psk(&rung, ret_psk);
    sf_wipe(&rung, sizeof(rung));
    return true;
}

static void
forget_passed(struct ladder *ladder, size_t at)
{
    ladder->passed_count--;
    memmove(&ladder->passed[at], &ladder->passed[at + 1],
        (ladder->passed_count - at) * sizeof(ladder->passed[0]));
    sf_wipe(&ladder->passed[ladder->passed_count], sizeof(ladder->passed[0]));
}

static void
pass(struct ladder *ladder)
{
    if (ladder->passed_count == LADDER_PASSED_MAX) {
        forget_passed(ladder, 0); /* a grant under it is refused, and given again under another */
    }
    ladder->passed[ladder->passed_count].number = ladder->in.number;
    sf_ladder_psk(&ladder->in, ladder->passed[ladder->passed_count].psk);
    ladder->passed_count++;
    sf_ladder_climb(&ladder->in);
}

void
ladder_commit(struct sf_node *node, struct peer *peer, uint64_t number)
{
    struct ladder *ladder = &peer->ladder;
    size_t count = ladder->passed_count;
    uint64_t first = ladder->in.number;

    for (size_t i = 0; i < ladder->passed_count; i++) {
        if (ladder->passed[i].number == number) {
            forget_passed(ladder, i);
            break;
        }
    }
    if (number >= ladder->in.number && number - ladder->in.number < REACH_MAX) {
        while (number - ladder->in.number > LADDER_PASSED_MAX) {
            sf_ladder_climb(&ladder->in); /* its key would not stay among those passed over */
        }
        while (ladder->in.number < number) {
            pass(ladder);
        }
        sf_ladder_climb(&ladder->in);
        node_must(node, save_state(node, peer, NULL, NULL));
    }
    if (count != ladder->passed_count || ladder->in.number > first + 1) {
        node_must(node, save_passed(node, peer));
    }
}

/* --- The end of trust ---------------------------------------------------------------------- */

struct erasure {
    struct flight flight;
    struct sf_node *node;
    struct sf_vault_op op;
};

static void
erasure_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct erasure));
}

static void
erased(struct sf_vault_op *op)
{
    struct erasure *erasure = op->owner;

    if (op->status != SF_OK && op->status != SF_ENOENT) {
        node_say(erasure->node, SF_NODE_EVENT_WARNING, NULL,
            "what is left of a pre-shared key could not be erased: %s", sf_status_text(op->status));
    }
    flight_end(&erasure->flight);
    free(erasure);
}

static void
erase(struct sf_node *node, const struct sf_fingerprint *fingerprint, uint8_t kind)
{
    struct erasure *erasure;
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t bytes[SF_VAULT_SECRET_BYTES_MAX];
    size_t count;
    bool is_there;

    vault_key(fingerprint, kind, key);
    is_there = sf_vault_get(node->vault, key, bytes, sizeof(bytes), &count) == SF_OK;
    sf_wipe(bytes, sizeof(bytes));
    if (!is_there) {
        return;
    }
    erasure = calloc(1, sizeof(*erasure));
    if (erasure == NULL) {
        node_fail(node, SF_ENOMEM); /* the next start does it */
        return;
    }
    erasure->node = node;
    erasure->op = (struct sf_vault_op){.done = erased, .owner = erasure};
    memcpy(erasure->op.key, key, sizeof(key));
    flight_begin(&node->flights, &erasure->flight, erasure_drop);
    sf_vault_erase(node->vault, &erasure->op, node->now);
}

void
ladder_erase(struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    erase(node, fingerprint, LADDER_STATE);
    erase(node, fingerprint, LADDER_PASSED);
}
