/*
 * node.c - opening and closing, the engine calls, and who gets which event of
 * the link.
 */
#include "node/internal.h"

#include "bundle/labels.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A restored copy is not older than so many starts; a peer that says so would use them up. */
enum { BOOTS_AHEAD_MAX = 1 << 16 };

/* --- Small services ---------------------------------------------------------- */

void
node_say(struct sf_node *node, enum sf_node_event_kind kind, const struct sf_transfer_id *transfer,
    const char *format, ...)
{
    struct event_ring *ring = node->events;
    struct sf_node_event *event;
    va_list arguments;

    if (ring->count == EVENTS_MAX) {
        ring->first = (ring->first + 1) % EVENTS_MAX;
        ring->count--;
    }
    event = &ring->events[(ring->first + ring->count++) % EVENTS_MAX];
    memset(event, 0, sizeof(*event));
    event->kind = kind;
    if (transfer != NULL) {
        event->transfer = *transfer;
    }
    va_start(arguments, format);
    vsnprintf(event->text, sizeof(event->text), format, arguments);
    va_end(arguments);
}

static void
say_peer(struct sf_node *node, const struct peer *peer, const char *text)
{
    struct event_ring *ring = node->events;

    node_say(node, SF_NODE_EVENT_PEER, NULL, "%s", text);
    memcpy(ring->events[(ring->first + ring->count - 1) % EVENTS_MAX].peer, peer->conf.name,
        sizeof(peer->conf.name));
}

bool
sf_node_event(struct sf_node *node, struct sf_node_event *ret_event)
{
    struct event_ring *ring = node->events;

    if (ring->count == 0) {
        return false;
    }
    *ret_event = ring->events[ring->first];
    ring->first = (ring->first + 1) % EVENTS_MAX;
    ring->count--;
    return true;
}

int
node_error(struct sf_node_error *error, int status, const char *format, ...)
{
    va_list arguments;

    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return status;
}

uint8_t *
buffer_alloc(size_t bytes)
{
    return aligned_alloc(
        SF_DISK_ALIGN, (bytes + SF_DISK_ALIGN - 1) / SF_DISK_ALIGN * SF_DISK_ALIGN);
}

/* --- Commits of the node's own ----------------------------------------------- */

struct own_commit {
    struct flight flight;
    struct sf_commit commit;
    struct sf_node *node;
    void (*done)(void *owner);
    void *owner;
};

static void
committed(struct sf_commit *commit)
{
    struct own_commit *own = commit->owner;
    struct sf_node *node = own->node;
    void (*done)(void *owner) = own->done;
    void *owner = own->owner;
    int status = commit->status;

    node->commits--;
    flight_end(&own->flight);
    free(own);
    if (status != SF_OK) {
        node->health = SF_EIO;
    } else if (done != NULL) {
        done(owner);
    }
}

static void
own_commit_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct own_commit));
}

void
node_commit_then(struct sf_node *node, void (*done)(void *owner), void *owner)
{
    struct own_commit *own = malloc(sizeof(*own));

    if (own == NULL) {
        /* Without it nobody would learn that the fact is durable: stop rather than guess. */
        node->health = SF_ENOMEM;
        return;
    }
    *own = (struct own_commit){
        .commit = {.done = committed, .owner = own},
        .node = node,
        .done = done,
        .owner = owner,
    };
    flight_begin(&node->flights, &own->flight, own_commit_drop);
    node->commits++;
    sf_journal_commit(node->journal, &own->commit);
}

void
node_commit(struct sf_node *node)
{
    node_commit_then(node, NULL, NULL);
}

/* --- Keys at rest -------------------------------------------------------------- */

void
vault_key_out(const struct sf_transfer_id *id, uint8_t ret_key[SF_VAULT_KEY_BYTES])
{
    ret_key[0] = SF_SPOOL_OUT;
    memcpy(ret_key + 1, id->b, sizeof(id->b));
}

void
vault_key_in(const struct inbound *in, uint8_t ret_key[SF_VAULT_KEY_BYTES])
{
    ret_key[0] = SF_SPOOL_IN;
    memcpy(ret_key + 1, in->local.b, sizeof(in->local.b));
}

static void
derive(struct sf_view secret, struct sf_view label, struct sf_view about, uint8_t ret_key[32])
{
    const struct sf_view info[] = {label, about};

    sf_hkdf_sha256(secret, sf_view(NULL, 0), info, 2, ret_key, 32);
}

/* Nonce (12), sealed name, tag (16). A key seals few names, so nonces are drawn at random. */
static size_t
name_seal(
    struct sf_node *node, uint8_t key[32], const char *name, uint8_t out[LABEL_SEALED_BYTES_MAX])
{
    size_t bytes = strlen(name);

    sf_random_fill(&node->config.random, out, SF_AEAD_NONCE_BYTES);
    sf_aead_seal(key, out, sf_view(NULL, 0), sf_view(name, bytes), out + SF_AEAD_NONCE_BYTES);
    sf_wipe(key, 32);
    return SF_AEAD_NONCE_BYTES + bytes + SF_AEAD_TAG_BYTES;
}

static int
name_open(uint8_t key[32], struct sf_view sealed, char ret_name[256])
{
    uint8_t text[256];
    size_t bytes;
    int status;

    if (sealed.data == NULL || sealed.bytes < SF_AEAD_NONCE_BYTES + SF_AEAD_TAG_BYTES ||
        sealed.bytes > LABEL_SEALED_BYTES_MAX) {
        sf_wipe(key, 32);
        return SF_EFORMAT;
    }
    bytes = sealed.bytes - SF_AEAD_NONCE_BYTES - SF_AEAD_TAG_BYTES;
    status = sf_aead_open(key, sealed.data, sf_view(NULL, 0),
        sf_view(sealed.data + SF_AEAD_NONCE_BYTES, bytes + SF_AEAD_TAG_BYTES), text);
    sf_wipe(key, 32);
    if (status == SF_OK) {
        memcpy(ret_name, text, bytes);
        ret_name[bytes] = '\0';
    }
    return status;
}

size_t
label_seal(struct sf_node *node, const struct sf_seal *seal, const char *label,
    uint8_t out[LABEL_SEALED_BYTES_MAX])
{
    uint8_t key[32];

    derive(sf_view(seal->cek, SF_CEK_BYTES), SF_LABEL_VIEW(SF_LABEL_NAME),
        sf_view(seal->transfer.b, sizeof(seal->transfer.b)), key);
    return name_seal(node, key, label, out);
}

int
label_open(const struct sf_seal *seal, struct sf_view sealed, char ret_label[256])
{
    uint8_t key[32];

    derive(sf_view(seal->cek, SF_CEK_BYTES), SF_LABEL_VIEW(SF_LABEL_NAME),
        sf_view(seal->transfer.b, sizeof(seal->transfer.b)), key);
    return name_open(key, sealed, ret_label);
}

static void
history_key(const struct sf_node *node, uint8_t ret_key[32])
{
    derive(sf_view(node->identity->sign_seed, SF_SIGN_SEED_BYTES), SF_LABEL_VIEW(SF_LABEL_HISTORY),
        sf_view(NULL, 0), ret_key);
}

size_t
history_seal(struct sf_node *node, const char *name, uint8_t out[LABEL_SEALED_BYTES_MAX])
{
    uint8_t key[32];

    history_key(node, key);
    return name_seal(node, key, name, out);
}

int
history_open(const struct sf_node *node, struct sf_view sealed, char ret_name[256])
{
    uint8_t key[32];

    history_key(node, key);
    return name_open(key, sealed, ret_name);
}

/* --- Opening --------------------------------------------------------------------- */

/* Commit and wait: at start-up nothing else is to be done meanwhile. */
static int
commit_now(struct sf_node *node)
{
    node_commit(node);
    while (node->commits > 0 && node->health == SF_OK) {
        if (!sf_disk_poll(node->disk)) {
            node->disk->wait(node->disk);
        }
    }
    return node->health;
}

/* Count this start, durably, before anything is sent: link epochs are made of it. */
static int
count_start(struct sf_node *node)
{
    struct sf_view key = sf_view("boot", 4);
    struct sf_view value = sf_journal_get(node->journal, SF_TABLE_NODE, key);
    uint8_t boot[4];
    int status;

    node->boot = value.bytes == 4 ? sf_get_be32(value.data) + 1 : 1;
    node->boot_began = node->boot;
    sf_put_be32(boot, node->boot);
    status = sf_journal_set(node->journal, SF_TABLE_NODE, key, sf_view(boot, sizeof(boot)));
    return status != SF_OK ? status : commit_now(node);
}

static int
sign_head(void *context, struct sf_view message, uint8_t ret_signature[64])
{
    const struct sf_node *node = context;

    sf_sign(node->identity->sign_sk, message, ret_signature);
    return SF_OK;
}

static int
recovery_error(
    struct sf_node_error *error, const char *file, int status, const struct sf_recovery *recovery)
{
    if (status == SF_EFORMAT) {
        return node_error(error, status,
            "%s is damaged at byte %llu: %s; nothing was changed. Restore it from a backup, or "
            "move the home away and start with new transfers",
            file, (unsigned long long)recovery->offset,
            recovery->text == NULL ? "unknown form" : recovery->text);
    }
    return node_error(error, status, "%s cannot be opened: %s", file, sf_status_text(status));
}

static int
open_store(struct sf_node *node, struct sf_node_error *error)
{
    struct sf_recovery recovery = {0};
    struct sf_journal_config journal = {.disk = node->disk, .ret_recovery = &recovery};
    struct sf_spools_config spools = {
        .disk = node->disk, .reserve_bytes = node->config.reserve_bytes};
    struct sf_vault_config vault = {
        .disk = node->disk, .random = &node->config.random, .ret_recovery = &recovery};
    struct sf_audit_config audit = {.disk = node->disk,
        .origin = node->identity->name,
        .sign = sign_head,
        .sign_context = node,
        .ret_recovery = &recovery};
    int status = sf_journal_open(&journal, &node->journal);

    if (status != SF_OK) {
        return recovery_error(error, "journal", status, &recovery);
    }
    if (recovery.cut_bytes > 0) {
        node_say(node, SF_NODE_EVENT_NOTICE, NULL, "journal: %s (%llu bytes)", recovery.text,
            (unsigned long long)recovery.cut_bytes);
    }
    spools.journal = node->journal;
    status = sf_spools_open(&spools, &node->spools);
    if (status != SF_OK) {
        return node_error(error, status, "spool: %s", sf_status_text(status));
    }
    status = sf_vault_open(&vault, &node->vault);
    if (status != SF_OK) {
        return recovery_error(error, "vault", status, &recovery);
    }
    memcpy(audit.public_key, node->identity->sign_pk, sizeof(audit.public_key));
    status = sf_audit_open(&audit, &node->audit);
    return status == SF_OK ? SF_OK : recovery_error(error, "audit.log", status, &recovery);
}

static int
open_link(struct sf_node *node, struct sf_node_error *error)
{
    uint8_t card[SF_CARD_BYTES_MAX];
    size_t card_bytes;
    struct sf_link_config config = {
        .fingerprint = node->card.fingerprint,
        .prekey = keyring_link_prekey,
        .context = node,
        .random = &node->config.random,
        .boot = node->boot,
        .mtu = (uint16_t)node->config.mtu_bytes,
        .now = node->now,
    };
    int status;

    memcpy(config.static_sk, node->identity->link_static_sk, sizeof(config.static_sk));
    memcpy(config.static_pk, node->identity->link_static_pk, sizeof(config.static_pk));
    memcpy(config.hint_key, node->identity->hint_key, sizeof(config.hint_key));
    status = sf_link_open(&config, &node->link);
    sf_wipe(&config, sizeof(config));
    if (status == SF_OK) {
        status = sf_card_encode(node->identity, card, sizeof(card), &card_bytes);
    }
    if (status == SF_OK) {
        status =
            sf_link_set_card(node->link, sf_view(card, card_bytes), node->card.link_prekey.number);
    }
    return status == SF_OK ? SF_OK
                           : node_error(error, status, "the link: %s", sf_status_text(status));
}

static int
make_folders(struct sf_node *node, struct sf_node_error *error)
{
    static const struct {
        const char *path;
        uint32_t flags;
    } folders[] = {{"staging", 0}, {"inbox", SF_DISK_SHARED}};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct sf_disk_op op = {
            .kind = SF_DISK_MKDIR, .path = folders[i].path, .flags = folders[i].flags};
        int status = sf_disk_run(node->disk, &op);

        if (status != SF_OK && status != SF_EEXIST) {
            return node_error(
                error, status, "the folder %s: %s", folders[i].path, sf_status_text(status));
        }
    }
    struct sf_disk_op sync = {.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT};
    int status = sf_disk_run(node->disk, &sync);

    return status == SF_OK
               ? SF_OK
               : node_error(error, status, "the home cannot be synced: %s", sf_status_text(status));
}

static void
release(struct sf_node *node)
{
    flight_drop_all(&node->flights);
    cache_fini(node);
    outbound_fini(node);
    inbound_fini(node);
    mail_fini(node);
    sf_link_close(node->link);
    keyring_free(node);
    sf_identity_fini(node->identity);
    sf_wipe(node->peers, sizeof(node->peers));
    free(node->events);
    free(node);
}

void
sf_node_drop(struct sf_node *node)
{
    if (node == NULL) {
        return;
    }
    if (node->audit != NULL) {
        sf_audit_drop(node->audit);
    }
    if (node->vault != NULL) {
        sf_vault_drop(node->vault);
    }
    if (node->spools != NULL) {
        sf_spools_drop(node->spools);
    }
    if (node->journal != NULL) {
        sf_journal_drop(node->journal);
    }
    release(node);
}

static bool
is_quiet(const struct sf_node *node)
{
    if (node->commits > 0 || node->audit_commits > 0 || node->flights != NULL ||
        !keyring_is_idle(node)) {
        return false;
    }
    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        if (out->is_busy || out->is_key_busy || cache_is_busy(node, out) ||
            (out->intake != NULL && !intake_is_idle(out->intake))) {
            return false;
        }
    }
    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in->is_busy || in->is_key_busy || in->is_sweeping || in->arrivals > 0 ||
            in->fetches > 0 || !deliver_is_idle(in) ||
            (in->decoder != NULL && !decoder_is_idle(in->decoder))) {
            return false;
        }
    }
    return true;
}

/* What waits for more to come will not get it; what was decoded is decoded again. */
static void
stop_incoming(struct sf_node *node)
{
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        arrive_drop(in);
        if (in->decoder != NULL) {
            decoder_stop(in->decoder);
        }
    }
}

void
sf_node_close(struct sf_node *node)
{
    if (node == NULL) {
        return;
    }
    node->is_closing = true;
    while (node->is_open && !is_quiet(node) && node->health == SF_OK) {
        stop_incoming(node);
        bool any = sf_workers_poll(node->workers);

        any |= sf_disk_poll(node->disk);
        if (!any) {
            /* Erased keys are awaited by a timer that will not come any more. */
            node->now = sf_mono_add(node->now, SF_SEC);
            sf_vault_tick(node->vault, node->now);
        }
    }
    if (node->health != SF_OK) {
        sf_node_drop(node);
        return;
    }
    if (node->audit != NULL) {
        sf_audit_close(node->audit);
    }
    if (node->vault != NULL) {
        sf_vault_close(node->vault);
    }
    if (node->spools != NULL) {
        sf_spools_close(node->spools);
    }
    if (node->journal != NULL) {
        sf_journal_close(node->journal);
    }
    release(node);
}

int
sf_node_open(const struct sf_node_config *config, sf_mono now, struct sf_wall wall,
    struct sf_node **ret_node, struct sf_node_error *error)
{
    struct sf_node *node = calloc(1, sizeof(*node));
    int status;

    if (node == NULL || (node->events = calloc(1, sizeof(*node->events))) == NULL) {
        free(node);
        return node_error(error, SF_ENOMEM, "out of memory");
    }
    node->config = *config;
    node->disk = config->disk;
    node->workers = config->workers;
    node->now = now;
    node->wall = wall;
    status = sf_crypto_init();
    if (status != SF_OK) {
        node_error(error, status, "the system gives no random bytes");
    }
    if (status == SF_OK) {
        status = keyring_load(node, error);
    }
    if (status == SF_OK) {
        status = open_store(node, error);
    }
    if (status == SF_OK && (status = count_start(node)) != SF_OK) {
        node_error(error, status, "the journal cannot be written: %s", sf_status_text(status));
    }
    if (status == SF_OK) {
        status = make_folders(node, error);
    }
    if (status == SF_OK) {
        status = open_link(node, error);
    }
    if (status == SF_OK) {
        status = outbound_recover(node, error);
    }
    if (status == SF_OK) {
        status = inbound_recover(node, error);
    }
    if (status != SF_OK) {
        sf_node_close(node);
        return status;
    }
    node->is_open = true;
    *ret_node = node;
    return SF_OK;
}

const struct sf_card *
sf_node_card(const struct sf_node *node)
{
    return &node->card;
}

int
sf_node_health(const struct sf_node *node)
{
    if (node->health != SF_OK) {
        return node->health;
    }
    if (sf_journal_failed(node->journal) || sf_vault_failed(node->vault) ||
        sf_audit_failed(node->audit)) {
        return SF_EIO;
    }
    return SF_OK;
}

/* --- Events of the link -------------------------------------------------------------- */

struct epoch_note {
    struct flight flight;
    struct sf_node *node;
    unsigned peer;
    uint64_t epoch;
};

static void
epoch_durable(void *owner)
{
    struct epoch_note *note = owner;

    sf_link_epoch_durable(note->node->link, note->peer, note->epoch);
    flight_end(&note->flight);
    free(note);
}

static void
epoch_note_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct epoch_note));
}

/* The highest epoch accepted from a peer must survive before its session is used. */
static void
note_epoch(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];
    struct epoch_note *note = malloc(sizeof(*note));

    if (note == NULL) {
        return; /* the opener is repeated */
    }
    *note = (struct epoch_note){.node = node, .peer = event->peer, .epoch = event->epoch};
    if (event->epoch > peer->record.epoch_in) {
        peer->record.epoch_in = event->epoch;
    }
    if (peer_save(node, peer) != SF_OK) {
        free(note);
        return;
    }
    flight_begin(&node->flights, &note->flight, epoch_note_drop);
    node_commit_then(node, epoch_durable, note);
}

/* A peer has seen higher epochs of ours than we know of: our state was rolled back. */
static void
note_stale(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];
    uint64_t boot = (event->epoch >> 32) + 1; /* above what was used before */
    uint8_t value[4];

    node_say(node, SF_NODE_EVENT_WARNING, NULL,
        "peer %s has seen later sessions of this node than the node remembers: its state was "
        "restored from an older copy",
        peer->conf.name);
    peer_rolled_back(node, peer);
    node_commit(node);
    if (boot <= node->boot) {
        return;
    }
    if (boot - node->boot_began > BOOTS_AHEAD_MAX) {
        record_peer(node, "stale_rejected", peer, "it claims sessions of too many starts ahead");
        return;
    }
    node->boot = (uint32_t)boot;
    sf_put_be32(value, node->boot);
    node_must(
        node, sf_journal_set(node->journal, SF_TABLE_NODE, sf_view("boot", 4), sf_view(value, 4)));
    peers_rolled_back(node);
    inbound_rolled_back(node);
    node_commit(node);
}

/* Somebody calls in a peer's name and cannot prove it: said once an hour, answered never. */
static void
note_mismatch(struct sf_node *node, struct peer *peer)
{
    static const char why[] =
        "calls in its name do not authenticate: the pre-shared keys differ, or they are forged";

    if (peer->mismatch_at != 0 && node->now < sf_mono_add(peer->mismatch_at, MISMATCH_EVERY)) {
        return;
    }
    peer->mismatch_at = node->now;
    record_peer(node, "call_rejected", peer, why);
    node_say(node, SF_NODE_EVENT_WARNING, NULL, "peer %s: %s", peer->conf.name, why);
}

static void
peer_event(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];

    switch (event->kind) {
    case SF_LINK_UP:
        peer->up = true;
        say_peer(node, peer, "up");
        outbound_peer_changed(node, event->peer);
        break;
    case SF_LINK_DOWN:
        peer->up = false;
        say_peer(node, peer, "dark");
        break;
    case SF_LINK_ADDRESS:
        say_peer(node, peer, "address proven");
        break;
    case SF_LINK_EPOCH:
        note_epoch(node, event);
        break;
    case SF_LINK_STALE:
        note_stale(node, event);
        break;
    case SF_LINK_MISMATCH:
        note_mismatch(node, peer);
        break;
    case SF_LINK_CARD:
        if (peer_take_card(node, peer, event->bytes)) {
            say_peer(node, peer, "new card");
        }
        break;
    default:
        break;
    }
}

void
node_link_event(struct sf_node *node, const struct sf_link_event *event)
{
    switch (event->kind) {
    case SF_LINK_WANT:
        if (!mail_want(node, event->handle, event->index)) {
            (void)outbound_want(node, event->handle, event->index);
        }
        break;
    case SF_LINK_RELEASE:
        (void)outbound_release(node, event->handle, event->index);
        break;
    case SF_LINK_MAP:
        (void)outbound_map(node, event->handle);
        break;
    case SF_LINK_RECEIVED:
        if (!mail_received(node, event->handle)) {
            outbound_received(node, event->handle);
        }
        break;
    case SF_LINK_DECLINED:
        if (!mail_received(node, event->handle)) {
            outbound_declined(node, event->handle);
        }
        break;
    case SF_LINK_OBJECT:
        inbound_object(node, event);
        break;
    case SF_LINK_COUNT:
        inbound_count(node, event);
        break;
    case SF_LINK_BUNDLE:
        inbound_bundle(node, event);
        break;
    case SF_LINK_SPILL:
        inbound_spill(node, event);
        break;
    case SF_LINK_LOAD:
        inbound_load(node, event);
        break;
    case SF_LINK_GONE:
        inbound_gone(node, event);
        break;
    default:
        if (event->peer < SF_NODE_PEERS_MAX && node->peers[event->peer].used) {
            peer_event(node, event);
        }
        break;
    }
}

static void
drain(struct sf_node *node)
{
    struct sf_link_event event;

    while (sf_link_event(node->link, &event)) {
        node_link_event(node, &event);
    }
}

/* --- The engine ----------------------------------------------------------------------- */

void
sf_node_input(
    struct sf_node *node, const struct sf_addr *from, uint8_t *datagram, size_t bytes, sf_mono now)
{
    node->now = now;
    sf_link_input(node->link, from, datagram, bytes, now);
    drain(node);
}

bool
sf_node_output(struct sf_node *node, struct sf_addr *ret_to, uint8_t *datagram, size_t bytes_max,
    size_t *ret_bytes, sf_mono now)
{
    bool any;

    node->now = now;
    any = sf_link_output(node->link, ret_to, datagram, bytes_max, ret_bytes, now);
    drain(node);
    return any;
}

void
sf_node_tick(struct sf_node *node, sf_mono now, struct sf_wall wall)
{
    node->now = now;
    node->wall = wall;
    drain(node);
    keyring_tick(node);
    sf_vault_tick(node->vault, now);
    outbound_tick(node);
    inbound_tick(node);
    drain(node);
}

sf_mono
sf_node_deadline(const struct sf_node *node)
{
    sf_mono deadline = sf_link_deadline(node->link);

    deadline = sf_mono_min(deadline, keyring_deadline(node));
    deadline = sf_mono_min(deadline, sf_vault_deadline(node->vault));
    deadline = sf_mono_min(deadline, outbound_deadline(node));
    return sf_mono_min(deadline, inbound_deadline(node));
}
