/*
 * mail.c - grants and letters on their way: objects of one small bundle each.
 *
 * Mail lives in memory only. What it says follows from durable facts, so after
 * a restart it is written anew; what it carries is harmless when repeated.
 */
#include "node/internal.h"

#include <stdlib.h>

enum {
    MAILS_MAX = 4096, /* waiting, for all peers */
    MAILS_PER_PEER_MAX = 128,
};

struct mail {
    unsigned peer;
    struct sf_transfer_id subject;
    unsigned topic;
    uint32_t handle;
    uint8_t *bytes;
    struct mail *next;
};

static void
unlink_and_free(struct mail **at)
{
    struct mail *mail = *at;

    *at = mail->next;
    free(mail->bytes);
    free(mail);
}

static struct mail **
find(struct sf_node *node, unsigned peer, const struct sf_transfer_id *subject, unsigned topic)
{
    struct mail **at = &node->mails;

    while (*at != NULL && ((*at)->peer != peer || (*at)->topic != topic ||
                              !sf_transfer_equal(&(*at)->subject, subject))) {
        at = &(*at)->next;
    }
    return at;
}

static struct mail **
find_handle(struct sf_node *node, uint32_t handle)
{
    struct mail **at = &node->mails;

    while (*at != NULL && (*at)->handle != handle) {
        at = &(*at)->next;
    }
    return at;
}

static bool
is_full(const struct sf_node *node, unsigned peer)
{
    size_t all = 0;
    size_t to_peer = 0;

    for (const struct mail *mail = node->mails; mail != NULL; mail = mail->next) {
        all++;
        to_peer += mail->peer == peer;
    }
    return all >= MAILS_MAX || to_peer >= MAILS_PER_PEER_MAX;
}

int
mail_post(struct sf_node *node, const struct mail_item *item)
{
    struct sf_link_object object = {
        .transfer = item->id,
        .kind = (uint8_t)item->kind,
        .priority = 0,
        .count = 1,
        .is_count_final = true,
        .class_bytes = (uint32_t)item->bytes.bytes,
        .ready = 1,
    };
    struct mail *mail;
    int status;

    mail_drop(node, item->peer, &item->subject, item->topic);
    if (is_full(node, item->peer)) {
        return SF_ELIMIT;
    }
    mail = calloc(1, sizeof(*mail));
    if (mail == NULL || (mail->bytes = malloc(item->bytes.bytes)) == NULL) {
        free(mail);
        return SF_ENOMEM;
    }
    memcpy(mail->bytes, item->bytes.data, item->bytes.bytes);
    mail->peer = item->peer;
    mail->subject = item->subject;
    mail->topic = item->topic;
    status = sf_link_offer(node->link, item->peer, &object, &mail->handle);
    if (status != SF_OK) {
        free(mail->bytes);
        free(mail);
        return status;
    }
    mail->next = node->mails;
    node->mails = mail;
    return SF_OK;
}

void
mail_drop(struct sf_node *node, unsigned peer, const struct sf_transfer_id *subject, unsigned topic)
{
    struct mail **at = find(node, peer, subject, topic);

    if (*at != NULL) {
        sf_link_withdraw(node->link, (*at)->handle);
        unlink_and_free(at);
    }
}

void
mail_drop_peer(struct sf_node *node, unsigned peer)
{
    struct mail **at = &node->mails;

    while (*at != NULL) {
        if ((*at)->peer == peer) {
            sf_link_withdraw(node->link, (*at)->handle);
            unlink_and_free(at);
        } else {
            at = &(*at)->next;
        }
    }
}

bool
mail_is_waiting(
    const struct sf_node *node, unsigned peer, const struct sf_transfer_id *subject, unsigned topic)
{
    return *find((struct sf_node *)(uintptr_t)node, peer, subject, topic) != NULL;
}

bool
mail_want(struct sf_node *node, uint32_t handle, uint64_t index)
{
    struct mail *mail = *find_handle(node, handle);

    if (mail == NULL) {
        return false;
    }
    if (sf_link_supply(node->link, handle, index, mail->bytes) != SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "a letter was asked for twice");
    }
    return true;
}

bool
mail_received(struct sf_node *node, uint32_t handle)
{
    struct mail **at = find_handle(node, handle);

    if (*at == NULL) {
        return false;
    }
    sf_link_withdraw(node->link, handle);
    unlink_and_free(at);
    return true;
}

void
mail_fini(struct sf_node *node)
{
    while (node->mails != NULL) {
        unlink_and_free(&node->mails);
    }
}

int
mail_letter(struct sf_node *node, struct peer *peer, enum sf_letter_type type,
    struct sf_view content, const struct sf_transfer_id *subject, unsigned topic)
{
    struct mail_item item = {
        .peer = peer_number(node, peer),
        .kind = SF_KIND_LETTER,
        .subject = *subject,
        .topic = topic,
    };
    uint8_t *object = malloc(SF_LETTER_BYTES_MAX);
    size_t bytes;
    int status;

    if (object == NULL) {
        return SF_ENOMEM;
    }
    /* On the link a letter has a name of its own, so that nothing ties it to a transfer. */
    sf_random_fill(&node->config.random, item.id.b, sizeof(item.id.b));
    status = sf_letter_seal(node->identity, &peer->conf.card, type, content, &node->config.random,
        object, SF_LETTER_BYTES_MAX, &bytes);
    if (status == SF_OK) {
        item.bytes = sf_view(object, bytes);
        status = mail_post(node, &item);
    }
    free(object);
    return status;
}
