/*
 * record.c - what goes into the audit log: who, to whom, which transfer, what
 * it was by its digests, when, and how it ended. No file name ever does.
 */
#include "node/internal.h"

#include "bundle/receipt.h"

#include <stdio.h>

enum {
    FILES_LISTED_MAX = 64, /* more are covered by the digest over all of them */
    RECORDS_MAX = 64,      /* that a peer can cause at once, and then one each RECORD_EVERY */
};

static void
durable(struct sf_commit *commit)
{
    struct sf_node *node = commit->owner;

    node->audit_commits--;
    if (commit->status != SF_OK) {
        node_fail(node, SF_EIO);
    } else if (node->audit_again) {
        node->audit_again = false;
        node->audit_commits++;
        sf_audit_commit_head(node->audit, &node->audit_commit);
    }
}

static void
append(struct sf_node *node, struct sf_audit_entry *entry)
{
    if (sf_audit_append(node->audit, entry) != SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "an audit record could not be written");
        node_fail(node, SF_EIO);
        return;
    }
    if (node->audit_commits > 0) {
        node->audit_again = true; /* one commit at a time; this record goes with the next */
        return;
    }
    node->audit_commits++;
    node->audit_commit = (struct sf_commit){.done = durable, .owner = node};
    sf_audit_commit_head(node->audit, &node->audit_commit);
}

static void
begin(struct sf_node *node, struct sf_audit_entry *entry, const char *event, const char *why)
{
    sf_audit_entry_init(entry, event);
    sf_audit_entry_signed(entry, "time_ms", node->wall.ms);
    if (why != NULL) {
        sf_audit_entry_text(entry, "why", sf_view(why, strlen(why)));
    }
}

static void
add_node(struct sf_node *node, struct sf_audit_entry *entry, const char *name, const char *key_name,
    const struct sf_fingerprint *fingerprint)
{
    const struct peer *peer = peer_of(node, fingerprint);

    if (peer != NULL) {
        sf_audit_entry_text(entry, name, sf_view(peer->conf.name, strlen(peer->conf.name)));
    }
    sf_audit_entry_hex(entry, key_name, sf_view(fingerprint->b, sizeof(fingerprint->b)));
}

static void
add_files(struct sf_audit_entry *entry, const struct sf_file_digest *files, uint32_t count)
{
    char name[32] = "sha256";

    for (uint32_t i = 0; i < count && count <= FILES_LISTED_MAX; i++) {
        if (i > 0) {
            snprintf(name, sizeof(name), "sha256_%u", i + 1);
        }
        sf_audit_entry_hex(entry, name, sf_view(files[i].sha256, sizeof(files[i].sha256)));
    }
}

void
record_out(struct outbound *out, const char *event, const struct out_to *to, const char *why)
{
    struct sf_node *node = out->node;
    struct sf_audit_entry entry;

    begin(node, &entry, event, why);
    sf_audit_entry_text(&entry, "direction", sf_view("out", 3));
    sf_audit_entry_hex(&entry, "transfer", sf_view(out->id.b, sizeof(out->id.b)));
    for (uint32_t i = 0, n = 0; i < out->record.recipient_count; i++) {
        char name[24] = "to";
        char key_name[24] = "to_key";

        if (to != NULL && to != &out->to[i]) {
            continue;
        }
        if (++n > 1) {
            snprintf(name, sizeof(name), "to_%u", n);
            snprintf(key_name, sizeof(key_name), "to_key_%u", n);
        }
        add_node(node, &entry, name, key_name, &out->to[i].fingerprint);
    }
    sf_audit_entry_number(&entry, "bytes", out->record.plain_bytes);
    sf_audit_entry_number(&entry, "files", out->record.file_count);
    sf_audit_entry_number(
        &entry, "sealed_bytes", out->record.count * (uint64_t)out->record.class_bytes);
    if (out->has_manifest) {
        sf_audit_entry_hex(&entry, "manifest", sf_view(out->manifest.b, 32));
        sf_audit_entry_hex(&entry, "files_digest", sf_view(out->files_digest.b, 32));
    }
    if (out->has_manifest && out->files != NULL && out->record.file_count <= FILES_LISTED_MAX) {
        struct sf_file_digest files[FILES_LISTED_MAX];

        for (uint32_t i = 0; i < out->record.file_count; i++) {
            memcpy(files[i].sha256, out->files[i].sha256.b, 32);
        }
        add_files(&entry, files, (uint32_t)out->record.file_count);
    }
    append(node, &entry);
}

void
record_in(struct inbound *in, const char *event, const char *why)
{
    struct sf_node *node = in->node;
    struct sf_view receipt =
        sf_journal_get(node->journal, SF_TABLE_IN_RECEIPT, sf_view(in->key, sizeof(in->key)));
    struct sf_audit_entry entry;
    struct sf_receipt decoded;

    begin(node, &entry, event, why);
    sf_audit_entry_text(&entry, "direction", sf_view("in", 2));
    sf_audit_entry_hex(&entry, "transfer", sf_view(in->id.b, sizeof(in->id.b)));
    add_node(node, &entry, "from", "from_key", &in->sender);
    sf_audit_entry_number(
        &entry, "sealed_bytes", in->record.count * (uint64_t)in->record.class_bytes);
    if (receipt.data != NULL && sf_receipt_decode(receipt, node->identity->sign_pk,
                                    &node->card.fingerprint, &decoded) == SF_OK) {
        uint64_t bytes = 0;

        for (uint32_t i = 0; decoded.files != NULL && i < decoded.file_count; i++) {
            bytes += decoded.files[i].bytes;
        }
        sf_audit_entry_number(&entry, "bytes", bytes);
        sf_audit_entry_number(&entry, "files", decoded.file_count);
        if (decoded.has_manifest) {
            sf_audit_entry_hex(&entry, "manifest", sf_view(decoded.manifest.b, 32));
            sf_audit_entry_hex(&entry, "files_digest", sf_view(decoded.files_digest.b, 32));
        }
        if (decoded.files != NULL) {
            add_files(&entry, decoded.files, decoded.file_count);
        }
        sf_receipt_fini(&decoded);
    }
    append(node, &entry);
}

bool
record_may(struct peer *peer, sf_mono now)
{
    uint64_t spans = (now - peer->records_at) / RECORD_EVERY;

    peer->records -= spans < peer->records ? (unsigned)spans : peer->records;
    peer->records_at = sf_mono_add(peer->records_at, spans * RECORD_EVERY);
    if (peer->records == RECORDS_MAX) {
        peer->omitted++;
        return false;
    }
    peer->records++;
    return true;
}

void
record_peer(struct sf_node *node, const char *event, struct peer *peer, const char *why)
{
    struct sf_audit_entry entry;

    if (!record_may(peer, node->now)) {
        return;
    }
    begin(node, &entry, event, why);
    add_node(node, &entry, "peer", "peer_key", &peer->conf.card.fingerprint);
    if (peer->omitted > 0) {
        sf_audit_entry_number(&entry, "omitted", peer->omitted);
        peer->omitted = 0;
    }
    append(node, &entry);
}

void
record_operator(struct sf_node *node, const char *event, const struct sf_fingerprint *fingerprint,
    uint64_t ended)
{
    struct sf_audit_entry entry;

    begin(node, &entry, event, NULL);
    add_node(node, &entry, "peer", "peer_key", fingerprint);
    sf_audit_entry_number(&entry, "transfers_ended", ended);
    append(node, &entry);
}
