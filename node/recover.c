/*
 * recover.c - incoming transfers after a restart, and what no fact speaks for.
 *
 * Everything follows from the journal. A spool file, a secret or a staged
 * folder that no open transfer names is what a crash left between two steps;
 * nothing was ever promised about it, and it is removed.
 */
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIST_BYTES = 1 << 20 };

static struct sf_view
key_view(const struct inbound *in)
{
    return sf_view(in->key, sizeof(in->key));
}

static bool
is_open(const struct inbound *in)
{
    return in->record.phase < SF_IN_DONE;
}

/* Bundles were said to be held and their file is gone: say so, and ask for all of them again. */
static void
spool_is_lost(struct inbound *in)
{
    inbound_lost(in, 0, in->record.slots);
    in->record.verified = 0;
    in->record.punched = 0;
    sf_range_set_clear(&in->orphans);
    node_must(in->node, sf_journal_unset(in->node->journal, SF_TABLE_IN_ORPHAN, key_view(in)));
    inbound_make_spool(in);
}

static void
reopened(struct sf_spool_op *op)
{
    struct inbound *in = op->owner;

    in->is_busy = false;
    if (in->record.phase == SF_IN_DELIVERING) {
        /* All is staged; the bundles, kept or not, are not needed any more. */
        in->spool = op->status == SF_OK ? op->spool : NULL;
        deliver_resume(in);
        return;
    }
    if (op->status == SF_ENOENT) {
        spool_is_lost(in);
        return;
    }
    if (op->status != SF_OK) {
        inbound_refuse(in, SF_REFUSAL_NO_SPACE, "its spool file is damaged");
        return;
    }
    in->spool = op->spool;
    inbound_advance(in);
}

static void
restore_key(struct inbound *in)
{
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t cek[SF_CEK_BYTES];
    size_t bytes;

    vault_key_in(in, key);
    if (sf_vault_get(in->node->vault, key, cek, sizeof(cek), &bytes) == SF_OK &&
        bytes == sizeof(cek) && inbound_set_key(in, cek) == SF_OK) {
        in->is_key_stored = true;
    }
    sf_wipe(cek, sizeof(cek));
}

static int
restore_sets(struct inbound *in)
{
    const struct sf_journal *journal = in->node->journal;
    const struct sf_range_set *held = sf_journal_set_of(journal, SF_TABLE_IN_HELD, key_view(in));
    const struct sf_range_set *orphans =
        sf_journal_set_of(journal, SF_TABLE_IN_ORPHAN, key_view(in));
    int status = SF_OK;

    if (held != NULL) {
        status = sf_range_set_copy(&in->held, held);
    }
    if (status == SF_OK && orphans != NULL) {
        status = sf_range_set_copy(&in->orphans, orphans);
    }
    return status;
}

static int
restore(struct sf_node *node, struct sf_view key, const struct sf_record_in *record)
{
    struct sf_transfer_id id;
    struct sf_fingerprint sender;
    struct inbound *in;

    memcpy(id.b, key.data, sizeof(id.b));
    memcpy(sender.b, key.data + sizeof(id.b), sizeof(sender.b));
    in = inbound_create(node, &id, &sender);
    if (in == NULL) {
        return SF_ENOMEM;
    }
    in->record = *record;
    /* Names that are seen may have been lost with a sync that failed: what was verified was synced after. */
    in->is_unswept = record->verified == 0 && record->phase < SF_IN_DELIVERING;
    restore_key(in);
    if (!is_open(in)) {
        char label[256];

        if (history_open(node, sf_journal_get(node->journal, SF_TABLE_IN_LABEL, key), label) ==
            SF_OK) {
            deliver_name(in, label, in->delivered_as);
        }
        if (record->phase == SF_IN_REFUSED) {
            snprintf(in->why, sizeof(in->why), "%s",
                record->reason == SF_REFUSAL_NOT_ALLOWED
                    ? "its sender may not send here, or was revoked"
                    : sf_refusal_text((enum sf_refusal)record->reason));
        }
        in->want_freed = true;
        in->is_freed = !in->is_key_stored && in->seal == NULL;
        return SF_OK;
    }
    if (record->phase == SF_IN_RECEIVING && in->seal == NULL) {
        in->record.phase = SF_IN_ORPHANED;
        in->ask_at = 0; /* at once: the sender has no reason to grant it again by itself */
        node_say(node, SF_NODE_EVENT_WARNING, &in->id,
            "its key is lost in the vault; a new grant is asked for");
    } else if (record->phase == SF_IN_ORPHANED) {
        inbound_forget_key(in); /* no fact speaks for its grant, nor for its number */
    }
    in->is_recorded = in->record.phase >= SF_IN_RECEIVING;
    if (restore_sets(in) != SF_OK) {
        return SF_ENOMEM;
    }
    in->is_busy = true;
    in->spool_op = (struct sf_spool_op){
        .done = reopened,
        .owner = in,
        .transfer = in->local,
        .direction = SF_SPOOL_IN,
        .class_bytes = record->class_bytes,
        .slots = record->slots,
    };
    sf_spool_reopen(node->spools, &in->spool_op);
    return SF_OK;
}

/* --- What no fact speaks for ----------------------------------------------------------- */

static struct inbound *
find_local(struct sf_node *node, const uint8_t local[16])
{
    struct inbound *in = node->ins;

    while (in != NULL && (memcmp(in->local.b, local, 16) != 0 || !is_open(in))) {
        in = in->next;
    }
    return in;
}

static bool
is_wanted(struct sf_node *node, enum sf_spool_direction direction, const uint8_t id[16])
{
    struct sf_transfer_id transfer;
    const struct outbound *out;

    if (direction == SF_SPOOL_IN) {
        return find_local(node, id) != NULL;
    }
    memcpy(transfer.b, id, sizeof(transfer.b));
    out = outbound_find(node, &transfer);
    return out != NULL && out->record.phase != SF_OUT_DONE && out->record.reason == 0;
}

/* Removals that belong to no transfer. */
struct stray {
    struct flight flight;
    struct sf_node *node;
    struct sf_spool_op spool;
    struct sf_vault_op vault;
};

static void
stray_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct stray));
}

static void
stray_finish(struct stray *stray)
{
    stray->node->commits--;
    flight_end(&stray->flight);
    free(stray);
}

static struct stray *
stray_new(struct sf_node *node)
{
    struct stray *stray = calloc(1, sizeof(*stray));

    if (stray != NULL) {
        stray->node = node;
        node->commits++; /* counted with them: closing waits for it */
        flight_begin(&node->flights, &stray->flight, stray_drop);
    }
    return stray;
}

static void
unlinked(struct sf_spool_op *op)
{
    stray_finish(op->owner);
}

static void
sweep_spools(struct sf_node *node)
{
    size_t count;
    const struct sf_spool_file *files = sf_spools_list(node->spools, &count);

    for (size_t i = 0; i < count; i++) {
        struct stray *stray;

        if (is_wanted(node, files[i].direction, files[i].transfer.b)) {
            continue;
        }
        stray = stray_new(node);
        if (stray == NULL) {
            node_fail(node, SF_ENOMEM); /* the next start tries again */
            return;
        }
        stray->spool.done = unlinked;
        stray->spool.owner = stray;
        stray->spool.transfer = files[i].transfer;
        stray->spool.direction = files[i].direction;
        sf_spools_unlink(node->spools, &stray->spool);
    }
}

static void
erased(struct sf_vault_op *op)
{
    stray_finish(op->owner);
}

static void
sweep_vault(struct sf_node *node)
{
    uint8_t keys[64][SF_VAULT_KEY_BYTES];
    uint32_t cursor = 0;
    size_t count = 0;

    while (count < 64 && sf_vault_next(node->vault, &cursor, keys[count])) {
        if (keys[count][0] != LADDER_STATE && keys[count][0] != LADDER_PASSED &&
            !is_wanted(node, (enum sf_spool_direction)keys[count][0], keys[count] + 1)) {
            count++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct stray *stray = stray_new(node);

        if (stray == NULL) {
            node_fail(node, SF_ENOMEM);
            return;
        }
        stray->vault.done = erased;
        stray->vault.owner = stray;
        memcpy(stray->vault.key, keys[i], sizeof(keys[i]));
        sf_vault_erase(node->vault, &stray->vault, node->now);
    }
}

static void
stray_swept(struct inbound *in)
{
    in->is_sweeping = false;
    in->node->commits--;
    in->is_freed = true;
}

static bool
parse_hex(const char *text, uint8_t ret[16])
{
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32) {
        return false;
    }
    for (size_t i = 0; i < 16; i++) {
        unsigned byte;

        /* NOLINTNEXTLINE(cert-err34-c): two digits, which were looked at */
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        ret[i] = (uint8_t)byte;
    }
    return true;
}

/* A staged folder of a transfer that is not open: swept through an entry that vanishes with it. */
static void
sweep_stray(struct sf_node *node, const uint8_t local[16])
{
    static const struct sf_transfer_id none;
    static const struct sf_fingerprint nobody;
    struct inbound *in = inbound_create(node, &none, &nobody);

    if (in == NULL) {
        node_fail(node, SF_ENOMEM);
        return;
    }
    memcpy(in->local.b, local, sizeof(in->local.b));
    in->record.phase = SF_IN_REFUSED;
    in->want_freed = true;
    in->is_forgotten = true;
    in->is_sweeping = true;
    node->commits++;
    sweep_begin(in, stray_swept);
}

static int
sweep_staging(struct sf_node *node)
{
    uint8_t *names = malloc(LIST_BYTES);
    struct sf_disk_op op = {
        .kind = SF_DISK_LIST, .path = "staging", .data = names, .bytes = LIST_BYTES};
    int status = names == NULL ? SF_ENOMEM : sf_disk_run(node->disk, &op);

    for (size_t at = 0; status == SF_OK && at < op.ret_bytes;) {
        const char *name = (const char *)names + at;
        uint8_t local[16];

        at += strlen(name) + 1;
        if (parse_hex(name, local) && find_local(node, local) == NULL) {
            sweep_stray(node, local);
        }
    }
    free(names);
    return status;
}

int
inbound_recover(struct sf_node *node, struct sf_node_error *error)
{
    struct sf_journal_cursor cursor = {0};
    struct sf_view key;
    struct sf_view value;
    int status;

    while (sf_journal_next(node->journal, SF_TABLE_IN, &cursor, &key, &value)) {
        struct sf_record_in record;

        if (key.bytes != SF_PAIR_KEY_BYTES || sf_record_in_decode(value, &record) != SF_OK) {
            return node_error(error, SF_EFORMAT,
                "the journal holds an incoming transfer this version does not understand");
        }
        status = restore(node, key, &record);
        if (status != SF_OK) {
            return node_error(error, status, "an incoming transfer cannot be restored: %s",
                sf_status_text(status));
        }
    }
    sweep_spools(node);
    sweep_vault(node);
    status = sweep_staging(node);
    return status == SF_OK
               ? SF_OK
               : node_error(error, status, "the folder staging: %s", sf_status_text(status));
}
