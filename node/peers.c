/*
 * peers.c - who this node talks to: cards, keys for the link.
 */
#include "node/internal.h"

#include "link/rtt.h"

#include <stdio.h>

struct peer *
peer_of(struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    for (size_t i = 0; i < SF_NODE_PEERS_MAX; i++) {
        struct peer *peer = &node->peers[i];

        if (peer->used && sf_fingerprint_equal(&peer->conf.card.fingerprint, fingerprint)) {
            return peer;
        }
    }
    return NULL;
}

struct peer *
peer_named(struct sf_node *node, const char *name)
{
    for (size_t i = 0; i < SF_NODE_PEERS_MAX; i++) {
        if (node->peers[i].used && strcmp(node->peers[i].conf.name, name) == 0) {
            return &node->peers[i];
        }
    }
    return NULL;
}

unsigned
peer_number(const struct sf_node *node, const struct peer *peer)
{
    return (unsigned)(peer - node->peers);
}

static struct sf_view
fingerprint_view(const struct peer *peer)
{
    return sf_view(peer->conf.card.fingerprint.b, sizeof(peer->conf.card.fingerprint.b));
}

int
peer_save(struct sf_node *node, const struct peer *peer)
{
    uint8_t record[SF_RECORD_BYTES_MAX];
    size_t bytes = sf_record_peer_encode(&peer->record, record);

    return sf_journal_set(
        node->journal, SF_TABLE_PEER, fingerprint_view(peer), sf_view(record, bytes));
}

/*
 * The number of a start is greater than any that this state has used before, and
 * copies of it that meet the same peer come to other ones, or else the lot parts
 * them: so what is numbered behind it meets nothing that was ever sent.
 */
void
peers_rolled_back(struct sf_node *node)
{
    uint64_t least = (uint64_t)node->boot << 32 | node_lot(node);

    for (size_t i = 0; i < SF_NODE_PEERS_MAX; i++) {
        struct peer *peer = &node->peers[i];

        if (peer->used) {
            if (peer->record.number_next < least) {
                peer->record.number_next = least;
            }
            node_must(node, peer_save(node, peer));
        }
        if (peer->used && peer->conf.no_return) {
            ladder_rolled_back(node, peer); /* it cannot say so itself */
        }
    }
}

/* What is remembered of a path may be any number: the journal is only checked for form. */
static uint64_t
known_bps(const struct peer *peer)
{
    uint64_t bps = peer->record.found_bps;

    return bps <= SF_LINK_RATE_BPS_MAX ? bps : 0;
}

int
peer_link(struct sf_node *node, struct peer *peer)
{
    struct sf_link_peer config = {
        .fingerprint = peer->conf.card.fingerprint,
        .prekey_number = peer->conf.card.link_prekey.number,
        .has_endpoint = peer->conf.has_endpoint,
        .no_return = peer->conf.no_return,
        .endpoint = peer->conf.endpoint,
        .other_count = peer->conf.other_count,
        .pace = peer->conf.pace,
        .rate_bps = peer->conf.rate_bps,
        .max_bps = peer->conf.max_bps,
        .known_bps = known_bps(peer),
        .limits = peer->conf.limits,
        .mark = peer->conf.mark,
        .rtt_ns = peer->conf.rtt_ns,
        .epoch_seen = peer->record.epoch_in,
        .life_seen = peer->record.life_in,
    };
    int status;

    memcpy(config.static_pk, peer->conf.card.link_static_pk, sizeof(config.static_pk));
    memcpy(config.others, peer->conf.others, sizeof(config.others));
    memcpy(config.hint_key, peer->conf.card.hint_key, sizeof(config.hint_key));
    memcpy(config.prekey_pk, peer->conf.card.link_prekey.pk, sizeof(config.prekey_pk));
    if (peer->conf.has_psk) {
        memcpy(config.psk, peer->ladder.link, sizeof(config.psk));
    }
    status = sf_link_peer_set(node->link, peer_number(node, peer), &config);
    sf_wipe(&config, sizeof(config));
    return status;
}

bool
peer_take_card(struct sf_node *node, struct peer *peer, struct sf_view encoded)
{
    struct sf_card card;

    if (sf_card_decode(encoded, &card) != SF_OK || !sf_card_supersedes(&card, &peer->conf.card)) {
        return false;
    }
    if (sf_journal_set(node->journal, SF_TABLE_CARD, fingerprint_view(peer), encoded) != SF_OK) {
        return false; /* it will be sent again */
    }
    peer->conf.card = card;
    node_commit(node);
    if (peer_link(node, peer) != SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "peer %s: its new card cannot be used",
            peer->conf.name);
    }
    outbound_peer_changed(node, peer_number(node, peer));
    inbound_peer_changed(node, peer);
    return true;
}

const struct sf_card *
peers_find_card(void *context, const struct sf_fingerprint *fingerprint)
{
    const struct peer *peer = peer_of(context, fingerprint);

    return peer == NULL ? NULL : &peer->conf.card;
}

/* What the journal knows of a peer: a newer card perhaps, and its counters if it is new here. */
static int
restore(struct sf_node *node, struct peer *peer, bool is_new)
{
    struct sf_view key = fingerprint_view(peer);
    struct sf_view record = sf_journal_get(node->journal, SF_TABLE_PEER, key);
    struct sf_view encoded = sf_journal_get(node->journal, SF_TABLE_CARD, key);
    struct sf_card card;

    if (is_new) {
        peer->record = (struct sf_record_peer){.number_next = 1};
    }
    if (is_new && record.data != NULL && sf_record_peer_decode(record, &peer->record) != SF_OK) {
        return SF_EFORMAT;
    }
    if (encoded.data != NULL && sf_card_decode(encoded, &card) == SF_OK &&
        sf_card_supersedes(&card, &peer->conf.card)) {
        peer->conf.card = card;
    }
    return SF_OK;
}

static int
check(struct sf_node *node, const struct sf_node_peer *conf, struct sf_node_error *error)
{
    const struct peer *same = peer_of(node, &conf->card.fingerprint);

    if (!sf_name_is_valid(sf_view(conf->name, strnlen(conf->name, sizeof(conf->name))))) {
        return node_error(error, SF_EINVAL,
            "peer name '%.63s': use 1 to 63 of A-Z a-z 0-9 . _ - and do not start with . or -",
            conf->name);
    }
    if (sf_fingerprint_equal(&conf->card.fingerprint, &node->card.fingerprint)) {
        return node_error(error, SF_EINVAL,
            "peer %s: this is the node's own card; give the card of the other node", conf->name);
    }
    if (same != NULL && strcmp(same->conf.name, conf->name) != 0) {
        return node_error(error, SF_EEXIST, "peer %s: its card is already known as %s", conf->name,
            same->conf.name);
    }
    if (conf->rate_bps < SF_LINK_RATE_BPS_MIN || conf->rate_bps > SF_LINK_RATE_BPS_MAX) {
        return node_error(error, SF_EINVAL,
            "peer %s: rate of %llu bit/s: it must be from 1kbit to 100Gbit", conf->name,
            (unsigned long long)conf->rate_bps);
    }
    if (conf->no_return && conf->pace != SF_LINK_PACE_FIXED) {
        return node_error(error, SF_EINVAL,
            "peer %s: where nothing comes back no rate can be found: give it one", conf->name);
    }
    if (conf->rtt_ns > SF_RTT_NS_MAX) {
        return node_error(error, SF_EINVAL,
            "peer %s: round trip of %llu s: it must be at most %llu s", conf->name,
            (unsigned long long)(conf->rtt_ns / SF_SEC),
            (unsigned long long)(SF_RTT_NS_MAX / SF_SEC));
    }
    return SF_OK;
}

static bool
has_open_transfers(struct sf_node *node, const struct peer *peer)
{
    const struct sf_fingerprint *fingerprint = &peer->conf.card.fingerprint;

    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        if (out->record.phase != SF_OUT_SEALING && out->record.phase != SF_OUT_CUSTODY) {
            continue;
        }
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            if (sf_fingerprint_equal(&out->to[i].fingerprint, fingerprint)) {
                return true;
            }
        }
    }
    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (sf_fingerprint_equal(&in->sender, fingerprint) && in->record.phase < SF_IN_DONE) {
            return true;
        }
    }
    return false;
}

static struct peer *
add(struct sf_node *node)
{
    for (unsigned i = 0; i < SF_NODE_PEERS_MAX; i++) {
        if (!node->peers[i].used) {
            node->peers[i] = (struct peer){.used = true};
            node->peer_order[node->peer_count++] = i;
            return &node->peers[i];
        }
    }
    return NULL;
}

/* Out of the list. */
static void
forget(struct sf_node *node, struct peer *peer)
{
    unsigned number = peer_number(node, peer);
    size_t at = 0;

    while (node->peer_order[at] != number) {
        at++;
    }
    memmove(&node->peer_order[at], &node->peer_order[at + 1],
        (node->peer_count - at - 1) * sizeof(node->peer_order[0]));
    node->peer_count--;
    contacts_drop(peer);
    sf_wipe(peer, sizeof(*peer));
}

void
peer_drop(struct sf_node *node, struct peer *peer)
{
    mail_drop_peer(node, peer_number(node, peer));
    arrive_drop_controls(node, peer_number(node, peer));
    sf_link_peer_remove(node->link, peer_number(node, peer));
    forget(node, peer);
}

int
sf_node_peer_set(struct sf_node *node, const struct sf_node_peer *conf, struct sf_node_error *error)
{
    struct peer *peer = peer_named(node, conf->name);
    struct peer before;
    bool is_new = peer == NULL;
    bool lacks_key = false;
    int status = check(node, conf, error);

    if (status != SF_OK) {
        return status;
    }
    if (!is_new && !sf_fingerprint_equal(&peer->conf.card.fingerprint, &conf->card.fingerprint)) {
        return node_error(error, SF_EEXIST,
            "peer %s exists with another key; remove it first if the new card is to be trusted",
            conf->name);
    }
    if (is_new && (peer = add(node)) == NULL) {
        return node_error(
            error, SF_ELIMIT, "peer %s: there are %d peers already", conf->name, SF_NODE_PEERS_MAX);
    }
    before = *peer;
    peer->conf = *conf;
    status = restore(node, peer, is_new);
    if (status == SF_OK && (status = ladder_set(node, peer)) == SF_ENOENT) {
        lacks_key = true;
    }
    if (status == SF_OK) {
        status = peer_link(node, peer);
    }
    if (status == SF_OK) {
        status = cover_set(node, peer, is_new);
    }
    if (status != SF_OK) {
        if (is_new) {
            forget(node, peer);
        } else {
            *peer = before;
        }
        if (lacks_key) {
            status = node_error(error, status,
                "peer %s: its pre-shared key is not in the vault any more; give it again: "
                "`skyferry "
                "peer add %s --psk FILE`",
                conf->name, conf->name);
        } else {
            status = node_error(error, status, "peer %s: %s", conf->name, sf_status_text(status));
        }
    } else {
        revoked_readmit(node, &peer->conf.card.fingerprint);
        outbound_peer_changed(node, peer_number(node, peer));
        inbound_peer_changed(node, peer);
    }
    sf_wipe(&before, sizeof(before));
    return status;
}

int
sf_node_peer_remove(struct sf_node *node, const char *name, struct sf_node_error *error)
{
    struct peer *peer = peer_named(node, name);

    if (peer == NULL) {
        return node_error(error, SF_ENOENT, "there is no peer %s", name);
    }
    if (has_open_transfers(node, peer)) {
        return node_error(error, SF_ESTATE,
            "peer %s still has open transfers; cancel them or wait for them first", name);
    }
    peer_drop(node, peer);
    return SF_OK;
}

bool
sf_node_peer_at(const struct sf_node *node, size_t index, struct sf_node_peer_info *ret_info)
{
    const struct peer *peer;

    if (index >= node->peer_count) {
        return false;
    }
    peer = &node->peers[node->peer_order[index]];
    memset(ret_info, 0, sizeof(*ret_info));
    ret_info->peer = peer->conf;
    sf_wipe(ret_info->peer.psk, sizeof(ret_info->peer.psk));
    ret_info->cover_day_bytes =
        peer->cover.day == node->wall.ms / DAY_MS ? peer->cover.day_bytes : 0;
    ret_info->is_psk_kept = peer->conf.has_psk && peer->ladder.is_durable;
    if (sf_link_peer_stats(node->link, peer_number(node, peer), &ret_info->link) != SF_OK) {
        memset(&ret_info->link, 0, sizeof(ret_info->link));
    }
    return true;
}

int
sf_node_limit(struct sf_node *node, unsigned limit, uint64_t rate_bps)
{
    return sf_link_limit(node->link, limit, rate_bps);
}

/* Differs enough to be worth a record. */
static bool
is_news(uint64_t found_bps, uint64_t known_bps)
{
    uint64_t off = found_bps > known_bps ? found_bps - known_bps : known_bps - found_bps;

    return found_bps != 0 && off > known_bps / 8;
}

void
peers_tick(struct sf_node *node)
{
    struct sf_link_peer_stats stats;

    if (node->now < node->rates_at) {
        return;
    }
    node->rates_at = node->now + RATES_EVERY;
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[node->peer_order[i]];

        if (peer->conf.pace == SF_LINK_PACE_FIXED ||
            sf_link_peer_stats(node->link, node->peer_order[i], &stats) != SF_OK ||
            !is_news(stats.found_bps, peer->record.found_bps)) {
            continue;
        }
        peer->record.found_bps = stats.found_bps;
        node_must(node, peer_save(node, peer));
        node_commit(node);
    }
}

int
sf_node_peer_reset(struct sf_node *node, const char *name, struct sf_node_error *error)
{
    struct peer *peer = peer_named(node, name);
    uint64_t boot;
    int status;

    if (peer == NULL) {
        return node_error(error, SF_ENOENT, "there is no peer %s", name);
    }
    if (peer->resets == RESETS_MAX) {
        return node_error(error, SF_ELIMIT,
            "%d resets with %s are the most in one run: start skyferryd anew for more", RESETS_MAX,
            name);
    }
    /* As if the peer had said that it has seen as many starts more. */
    peer->resets++;
    boot = node->boot_began + (uint64_t)peer->resets * BOOTS_RESET - 2;
    status = sf_link_restored(
        node->link, peer_number(node, peer), boot > UINT32_MAX ? UINT64_MAX : boot << 32);
    if (status != SF_OK) {
        return node_error(error, status,
            "no number is left for new sessions with %s: make new keys for this node", name);
    }
    node_drain(node);
    return SF_OK;
}
