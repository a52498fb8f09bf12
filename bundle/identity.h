/*
 * identity.h - the secret keys of a node, their file, and how they age.
 *
 * Long-lived: the Ed25519 signing key (its fingerprint is the node's name to
 * machines), the static X25519 link key, the hint key. Short-lived: *prekeys*,
 * to which grants and letters are sealed (a new one every 7 days, its secret
 * kept for 45), and *link prekeys*, to which sessions are opened (7 and 14), so
 * that a stolen node does not open past traffic. They age by accumulated run
 * time that the caller reports, never by a wall clock.
 *
 * A key file is deterministic CBOR: [body, SHA-256("skyferry-keys-1" || body)], where
 * body is a byte string holding [version, name, signing seed, link secret, hint key,
 * card issue, last number, prekeys, link prekeys], each prekey [number, secret, age in ms].
 *
 * Reading an identity is thread-safe; changing it is not.
 */
#ifndef SF_BUNDLE_IDENTITY_H
#define SF_BUNDLE_IDENTITY_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/master.h"
#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_DAY_MS UINT64_C(86400000)

enum {
    SF_NAME_BYTES_MAX = 63, /* of a node, without the NUL; [A-Za-z0-9._-], not starting with '.' */
    SF_HINT_KEY_BYTES = 32,
    SF_PREKEYS_MAX = 32,           /* of a ring: those that age in it, */
    SF_PREKEYS_RENEWED_MAX = 24,   /* ... and as many as it may hold when more are asked for */
    SF_PREKEY_NEW_DAYS = 7,        /* of run time, then a new one is made */
    SF_PREKEY_KEPT_DAYS = 45,      /* of run time, then its secret is erased */
    SF_LINK_PREKEY_KEPT_DAYS = 14, /* the same for link prekeys */
    SF_PREKEYS_LEFT_OUT = 1 << 19, /* numbers, after a restore: as many, and more by lot */
    SF_IDENTITY_BYTES_MAX = 4096,  /* of a key file */
    SF_IDENTITY_SEALED_BYTES_MAX = SF_IDENTITY_BYTES_MAX + SF_MASTER_OVERHEAD_BYTES,
};

struct sf_prekey {
    uint32_t number; /* 1 and up, never used again; prekeys and link prekeys share one count */
    uint8_t sk[SF_X25519_BYTES];
    uint8_t pk[SF_X25519_BYTES];
    uint64_t age_ms; /* run time since it was made */
};

/* Oldest first: the last is the current one. */
struct sf_prekey_ring {
    struct sf_prekey keys[SF_PREKEYS_MAX];
    size_t count; /* at least 1 */
};

struct sf_identity {
    uint8_t sign_seed[SF_SIGN_SEED_BYTES];
    uint8_t sign_sk[SF_SIGN_SECRET_BYTES];
    uint8_t sign_pk[SF_SIGN_PUBLIC_BYTES];
    struct sf_fingerprint fingerprint; /* SHA-256("skyferry-node-1" || sign_pk) */
    uint8_t link_static_sk[SF_X25519_BYTES];
    uint8_t link_static_pk[SF_X25519_BYTES];
    uint8_t hint_key[SF_HINT_KEY_BYTES]; /* also on the card: recognises, does not open */
    struct sf_prekey_ring prekeys;
    struct sf_prekey_ring link_prekeys;
    uint32_t number_last; /* the highest prekey number given out */
    uint64_t card_issue;  /* grows whenever the card changes; 1 and up */
    char name[SF_NAME_BYTES_MAX + 1];
};

/* Whether `name` may be a node's name: 1 .. 63 bytes of [A-Za-z0-9._-], the first not '.' or '-'. */
bool sf_name_is_valid(struct sf_view name);

/* The fingerprint of the node that signs with the secret key of `sign_pk`. */
void sf_fingerprint_of(
    const uint8_t sign_pk[SF_SIGN_PUBLIC_BYTES], struct sf_fingerprint *ret_fingerprint);

/*
 * Make a new identity, in guarded memory; the caller releases it with
 * sf_identity_fini().
 *
 * Returns SF_OK, SF_EINVAL (name), SF_ENOMEM.
 */
SF_MUST_USE int sf_identity_generate(
    const struct sf_random *random, const char *name, struct sf_identity **ret_identity);

/*
 * Write the key file. It is secret: the caller wipes `out` after use.
 * Returns SF_OK and *ret_bytes, or SF_ELIMIT if bytes_max is too small
 * (SF_IDENTITY_BYTES_MAX always suffices).
 */
SF_MUST_USE int sf_identity_encode(
    const struct sf_identity *identity, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/*
 * Read a key file into guarded memory. The public keys are computed, so a file
 * cannot claim others.
 *
 * Returns SF_OK, SF_EFORMAT (not a key file), SF_ELIMIT (a name, count or number
 * beyond its limit), SF_EAUTH (the checksum does not match: a damaged disk),
 * SF_ENOMEM.
 */
SF_MUST_USE int sf_identity_decode(struct sf_view file, struct sf_identity **ret_identity);

/*
 * The same for a file that is sealed under `master` (base/master.h), or bare with
 * NULL: write at most SF_IDENTITY_SEALED_BYTES_MAX; read either, as the file is.
 * Errors as above; reading also SF_ESTATE: it is sealed and `master` is NULL.
 */
SF_MUST_USE int sf_identity_encode_sealed(const struct sf_identity *identity, const uint8_t *master,
    const struct sf_random *random, uint8_t *out, size_t *ret_bytes);
SF_MUST_USE int sf_identity_decode_sealed(
    struct sf_view file, const uint8_t *master, struct sf_identity **ret_identity);

/*
 * Let `elapsed_ms` of run time pass: make new prekeys when the current ones are
 * SF_PREKEY_NEW_DAYS old, erase those past their time, at most one of each kind
 * for each SF_PREKEY_NEW_DAYS that passed. The current prekey is never erased.
 *
 * Returns whether keys were made or erased: then the caller writes the key file
 * (before the new card goes out), and card_issue has grown if the card changed.
 * Ages change in any case; write the file now and then, for what is not written
 * ages again after a crash, which errs on the side of keeping.
 */
bool sf_identity_rotate(
    struct sf_identity *identity, const struct sf_random *random, uint64_t elapsed_ms);

/*
 * Make new prekeys of both kinds now, because somebody asked for it; the old ones
 * stay, age and are erased as ever, so what was sealed to them can be opened.
 * The caller writes the key file before the new card goes out.
 *
 * Returns SF_OK; SF_ELIMIT, and nothing changed, when a ring holds
 * SF_PREKEYS_RENEWED_MAX keys already, or the numbers are used up.
 */
SF_MUST_USE int sf_identity_renew(struct sf_identity *identity, const struct sf_random *random);

/*
 * The same after a restore from an older copy, whose node may have given out
 * numbers that this one does not know of: by lot so many are left out that they
 * meet neither those nor those of another copy. The card's issue becomes `issue_least`
 * at least. SF_OK or SF_ELIMIT.
 */
SF_MUST_USE int sf_identity_raise(
    struct sf_identity *identity, const struct sf_random *random, uint64_t issue_least);

/* The card gets a higher issue, `issue_least` at least, with the same keys. */
void sf_identity_reissue(struct sf_identity *identity, uint64_t issue_least);

/* The key of that number, or NULL if there never was one or it is erased. */
const struct sf_prekey *sf_prekey_find(const struct sf_prekey_ring *ring, uint32_t number);

/* The newest key of a ring. */
const struct sf_prekey *sf_prekey_current(const struct sf_prekey_ring *ring);

/* Wipe and free; NULL is allowed. */
void sf_identity_fini(struct sf_identity *identity);

#endif
