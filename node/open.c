/*
 * open.c - opening a node: what it is made of, one after the other; and closing.
 */
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Commit and wait: at start-up nothing else is to be done meanwhile. */
static int
commit_now(struct sf_node *node)
{
    node_commit(node);
    while (node->commits > 0 && node->health == SF_OK) {
        if (sf_journal_is_stalled(node->journal)) {
            return SF_ENOSPC;
        }
        if (!sf_disk_poll(node->disk)) {
            node->disk->wait(node->disk);
        }
    }
    return node->health;
}

enum { LIVES_BYTES = 4 + 8 * SF_LIVES_MAX };

int
lives_save(struct sf_node *node)
{
    uint8_t value[LIVES_BYTES];

    sf_put_be32(value, node->lives.boot);
    for (size_t i = 0; i < SF_LIVES_MAX; i++) {
        sf_put_be64(value + 4 + 8 * i, node->lives.life[i]);
    }
    return sf_journal_set(
        node->journal, SF_TABLE_NODE, sf_view("boot", 4), sf_view(value, sizeof(value)));
}

/* Count this start, durably, before anything is sent: link epochs are made of it. */
static int
count_start(struct sf_node *node)
{
    struct sf_view value = sf_journal_get(node->journal, SF_TABLE_NODE, sf_view("boot", 4));
    uint64_t life;
    int status;

    if (value.data != NULL && value.bytes != LIVES_BYTES) {
        return SF_EFORMAT;
    }
    if (value.data != NULL) {
        node->lives.boot = sf_get_be32(value.data);
        for (size_t i = 0; i < SF_LIVES_MAX; i++) {
            node->lives.life[i] = sf_get_be64(value.data + 4 + 8 * i);
        }
    }
    if (node->lives.boot >= UINT32_MAX - 1) {
        return SF_ELIMIT;
    }
    do {
        sf_random_fill(&node->config.random, &life, sizeof(life));
    } while (life == 0);
    sf_lives_begin(&node->lives, node->lives.boot + 1, life);
    node->boot = node->lives.boot;
    node->boot_began = node->boot;
    node->boot_told = node->boot;
    status = lives_save(node);
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
    struct sf_vault_config vault = {.disk = node->disk,
        .random = &node->config.random,
        .master = node->config.master,
        .ret_recovery = &recovery};
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
        .lives = node->lives,
        .mtu = (uint16_t)node->config.mtu_bytes,
        .mtu_blind = (uint16_t)node->config.mtu_blind_bytes,
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
    postponed_fini(node);
    mail_fini(node);
    coders_fini(&node->coders);
    sf_link_close(node->link);
    keyring_free(node);
    sf_identity_fini(node->identity);
    for (size_t i = 0; i < SF_NODE_PEERS_MAX; i++) {
        contacts_drop(&node->peers[i]);
    }
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
        if (out->is_busy || out->is_key_busy || cache_is_busy(out) ||
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

/*
 * Let come to an end what disk and workers still hold on to, whatever becomes of
 * it: they write into memory that is freed next.
 */
static void
settle(struct sf_node *node)
{
    bool any = true;

    while (any) {
        any = sf_workers_poll(node->workers);
        any |= sf_disk_poll(node->disk);
        if (!any) {
            node->disk->wait(node->disk);
            any = sf_disk_poll(node->disk);
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
            node->disk->wait(node->disk);
            /* Erased keys are awaited by a timer that will not come any more. */
            node->now = sf_mono_add(node->now, SF_SEC);
            sf_vault_tick(node->vault, node->now);
            /* Nor will room: what waits for it was promised to nobody. */
            sf_journal_give_up(node->journal);
            sf_audit_give_up(node->audit);
        }
    }
    if (node->health != SF_OK || !node->is_open) {
        settle(node);
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
    node->wall_at = now;
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
        node_error(error, status,
            status == SF_ENOSPC
                ? "the disk is full: not even the journal can be written; make room on the file "
                  "system of the home and start again, nothing is lost"
                : "the journal cannot be written: %s",
            sf_status_text(status));
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
