/*
 * session.c - sealing, opening and finding one-way sessions.
 */
#include "link/session.h"

#include "base/assert.h"

/* --- Replay ----------------------------------------------------------------- */

void
sf_replay_init(struct sf_replay *replay)
{
    memset(replay, 0, sizeof(*replay));
}

bool
sf_replay_is_new(const struct sf_replay *replay, uint64_t counter)
{
    uint64_t slot = counter % SF_REPLAY_WINDOW;

    if (counter >= replay->next) {
        return true;
    }
    if (replay->next - counter > SF_REPLAY_WINDOW) {
        return false;
    }
    return (replay->bits[slot / 64] >> (slot % 64) & 1) == 0;
}

void
sf_replay_mark(struct sf_replay *replay, uint64_t counter)
{
    uint64_t slot = counter % SF_REPLAY_WINDOW;

    if (counter >= replay->next) {
        if (counter - replay->next >= SF_REPLAY_WINDOW) {
            memset(replay->bits, 0, sizeof(replay->bits));
        } else {
            /* The ring's slots between the old and the new highest start anew. */
            for (uint64_t c = replay->next; c < counter; c++) {
                uint64_t s = c % SF_REPLAY_WINDOW;

                replay->bits[s / 64] &= ~(UINT64_C(1) << (s % 64));
            }
        }
        replay->next = counter + 1;
    }
    replay->bits[slot / 64] |= UINT64_C(1) << (slot % 64);
}

/* --- Datagrams -------------------------------------------------------------- */

static void
make_nonce(uint64_t counter, uint8_t ret_nonce[SF_AEAD_NONCE_BYTES])
{
    memset(ret_nonce, 0, 4);
    for (unsigned i = 0; i < 8; i++) {
        ret_nonce[4 + i] = (uint8_t)(counter >> (8 * i));
    }
}

int
sf_session_seal(
    struct sf_session_out *session, uint8_t *dgram, size_t plain_bytes, uint64_t *ret_counter)
{
    uint8_t nonce[SF_AEAD_NONCE_BYTES];
    uint8_t *text = dgram + SF_SESSION_HEAD_BYTES;

    sf_assert(session->is_open);
    if (session->counter >= SF_SESSION_COUNTER_LIMIT) {
        return SF_ELIMIT;
    }
    sf_put_be32(dgram, session->id);
    sf_put_be64(dgram + 4, session->counter);
    make_nonce(session->counter, nonce);
    sf_aead_seal(session->key, nonce, sf_view(dgram, SF_SESSION_HEAD_BYTES),
        sf_view(text, plain_bytes), text);
    *ret_counter = session->counter++;
    return SF_OK;
}

void
sf_session_out_fini(struct sf_session_out *session)
{
    sf_wipe(session, sizeof(*session));
}

/* --- The table --------------------------------------------------------------- */

static struct sf_session_in **
bucket_of(struct sf_session_table *table, uint32_t id)
{
    /* Ids are random, chosen by peers that proved who they are: the low bits will do. */
    return &table->buckets[id % SF_SESSION_TABLE_BUCKETS];
}

int
sf_session_table_add(struct sf_session_table *table, struct sf_session_in *session)
{
    struct sf_session_in **bucket = bucket_of(table, session->id);
    unsigned same = 0;

    sf_assert(session->state != SF_SESSION_FREE && session->id != 0);
    for (const struct sf_session_in *s = *bucket; s != NULL; s = s->next) {
        same += s->id == session->id ? 1 : 0;
    }
    if (same >= SF_SESSION_CANDIDATES_MAX) {
        return SF_ELIMIT;
    }
    session->next = *bucket;
    *bucket = session;
    return SF_OK;
}

void
sf_session_table_remove(struct sf_session_table *table, struct sf_session_in *session)
{
    struct sf_session_in **link = bucket_of(table, session->id);

    if (session->state == SF_SESSION_FREE) {
        return;
    }
    while (*link != NULL && *link != session) {
        link = &(*link)->next;
    }
    if (*link == session) {
        *link = session->next;
    }
    sf_wipe(session, sizeof(*session));
    session->state = SF_SESSION_FREE;
}

int
sf_session_table_open(struct sf_session_table *table, struct sf_view dgram, uint8_t *out,
    struct sf_session_in **ret_session, uint64_t *ret_counter)
{
    uint8_t nonce[SF_AEAD_NONCE_BYTES];
    struct sf_view head, sealed;
    uint64_t counter;
    uint32_t id;
    int status = SF_ENOENT;

    if (dgram.bytes < SF_SESSION_OVERHEAD_BYTES) {
        return SF_EFORMAT;
    }
    id = sf_get_be32(dgram.data);
    counter = sf_get_be64(dgram.data + 4);
    head = sf_view(dgram.data, SF_SESSION_HEAD_BYTES);
    sealed = sf_view(dgram.data + SF_SESSION_HEAD_BYTES, dgram.bytes - SF_SESSION_HEAD_BYTES);
    if (id == 0 || counter >= SF_SESSION_COUNTER_LIMIT) {
        return SF_EFORMAT;
    }
    make_nonce(counter, nonce);
    for (struct sf_session_in *s = *bucket_of(table, id); s != NULL; s = s->next) {
        if (s->id != id) {
            continue;
        }
        /* The window is asked first: a replay costs no decryption. */
        if (!sf_replay_is_new(&s->replay, counter)) {
            status = status == SF_ENOENT ? SF_EEXIST : status;
            continue;
        }
        if (sf_aead_open(s->key, nonce, head, sealed, out) == SF_OK) {
            sf_replay_mark(&s->replay, counter);
            *ret_session = s;
            *ret_counter = counter;
            return SF_OK;
        }
        status = SF_EAUTH;
    }
    return status;
}
