/*
 * session.h - one-way sessions: keys, counters, replay, and finding them by id.
 *
 *   data datagram:  0 session id (4, not zero) | 4 counter (8) | 12 ciphertext | tag (16)
 *
 * The AEAD is ChaCha20-Poly1305 with the session's key; the nonce is four zero
 * bytes and the counter in little endian (Noise, section 12.3), the first 12
 * bytes are the associated data. Counters start at 0 and never repeat.
 */
#ifndef SF_LINK_SESSION_H
#define SF_LINK_SESSION_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_SESSION_HEAD_BYTES = 12,
    SF_SESSION_OVERHEAD_BYTES = SF_SESSION_HEAD_BYTES + SF_AEAD_TAG_BYTES,
    SF_REPLAY_WINDOW = 65536,      /* counters behind the highest that can still be taken */
    SF_SESSION_CANDIDATES_MAX = 4, /* sessions with the same id, each tried by AEAD */
    SF_SESSION_PER_PEER_MAX = 3,   /* incoming: one in use, one waiting, one living on */
};

#define SF_SESSION_REKEY_NS      (120 * SF_SEC) /* of sending with one key */
#define SF_SESSION_LIVES_ON_NS   (10 * SF_SEC)  /* an incoming session after its successor */
#define SF_SESSION_COUNTER_LIMIT (UINT64_C(1) << 40)

/* --- Replay ----------------------------------------------------------------- */

/* Which counters were seen: a ring of bits below the highest. */
struct sf_replay {
    uint64_t next; /* one above the highest seen */
    uint64_t bits[SF_REPLAY_WINDOW / 64];
};

void sf_replay_init(struct sf_replay *replay);

/* Neither seen nor too old to know? */
bool sf_replay_is_new(const struct sf_replay *replay, uint64_t counter);

/* Remember `counter`, which is new. Call it for authentic datagrams only. */
void sf_replay_mark(struct sf_replay *replay, uint64_t counter);

/* --- Outgoing --------------------------------------------------------------- */

struct sf_session_out {
    bool is_open;
    bool is_static; /* to the peer's static key: no bulk (docs/protocol/03-link.md) */
    bool is_heard;  /* the peer named its epoch */
    uint32_t id;
    uint8_t key[32];
    uint64_t counter; /* of the next datagram */
    uint64_t epoch;
    sf_mono opened;
};

/*
 * Seal the `plain_bytes` bytes that stand at dgram + SF_SESSION_HEAD_BYTES, in
 * place, into a datagram of plain_bytes + SF_SESSION_OVERHEAD_BYTES bytes.
 *
 * Returns SF_OK and the counter used, or SF_ELIMIT when the session has sealed
 * SF_SESSION_COUNTER_LIMIT datagrams: then it must not be used any more.
 */
SF_MUST_USE int sf_session_seal(
    struct sf_session_out *session, uint8_t *dgram, size_t plain_bytes, uint64_t *ret_counter);

/* Wipe the key and close. */
void sf_session_out_fini(struct sf_session_out *session);

/* --- Incoming --------------------------------------------------------------- */

enum sf_session_state {
    SF_SESSION_FREE,
    SF_SESSION_WAITING, /* its epoch is not yet durable */
    SF_SESSION_LIVE,
    SF_SESSION_OLD, /* a later one is live; ends at `expiry` */
};

struct sf_session_in {
    enum sf_session_state state;
    bool is_static;
    unsigned peer;
    uint32_t id;
    uint8_t key[32];
    uint64_t epoch;
    uint64_t life; /* of the peer */
    sf_mono expiry;
    struct sf_replay replay;
    struct sf_session_in *next; /* in the table's bucket */
};

enum { SF_SESSION_TABLE_BUCKETS = 256 };

/* Incoming sessions by id. Holds no memory of its own. */
struct sf_session_table {
    struct sf_session_in *buckets[SF_SESSION_TABLE_BUCKETS];
};

/* SF_OK, or SF_ELIMIT if SF_SESSION_CANDIDATES_MAX others have the same id. */
SF_MUST_USE int sf_session_table_add(struct sf_session_table *table, struct sf_session_in *session);

/* Take `session` out, wipe it, and make it FREE. Does nothing if it is. */
void sf_session_table_remove(struct sf_session_table *table, struct sf_session_in *session);

/*
 * Find the session that opens `dgram`, check the counter against its window,
 * and decrypt into `out` (dgram.bytes - SF_SESSION_OVERHEAD_BYTES bytes, not
 * overlapping). The counter is marked as seen.
 *
 * Returns SF_OK, *ret_session and *ret_counter; SF_EFORMAT if it is too short;
 * SF_ENOENT if no session has this id; SF_EEXIST if the counter was seen or is
 * behind the window of every session with this id; SF_EAUTH if none opens it.
 * On failure no session was changed.
 */
SF_MUST_USE int sf_session_table_open(struct sf_session_table *table, struct sf_view dgram,
    uint8_t *out, struct sf_session_in **ret_session, uint64_t *ret_counter);

#endif
