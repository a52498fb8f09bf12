/*
 * letter.h - a short sealed message from one node to another: receipts, cancels,
 * refusals, cards.
 *
 * Built like a grant with a single entry (grant.h): HPKE to the recipient's
 * current prekey, the sender's signature inside, padded to 1, 4, 16 or 64 KiB. The
 * body is [version, sender, type, content]. From outside a letter cannot be told
 * from a grant of that size to one recipient.
 *
 * Letters are not protected against replay: what they carry is made so that a
 * repetition changes nothing. Thread-safe.
 */
#ifndef SF_BUNDLE_LETTER_H
#define SF_BUNDLE_LETTER_H

#include "base/bytes.h"
#include "base/random.h"
#include "base/status.h"
#include "bundle/card.h"
#include "bundle/identity.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_LETTER_BYTES_MAX = 64 << 10,
    SF_LETTER_CONTENT_BYTES_MAX = (64 << 10) - 512,
};

enum sf_letter_type {
    SF_LETTER_RECEIPT = 1,
    SF_LETTER_CANCEL = 2,
    SF_LETTER_REFUSED = 3,
    SF_LETTER_CARD = 4,
    SF_LETTER_TYPE_MAX = 4,
};

/*
 * Seal `content` for the node of card `to`; the object is the smallest control
 * class that holds it.
 *
 * Returns SF_OK and *ret_bytes; SF_EINVAL (type, or content empty or longer than
 * SF_LETTER_CONTENT_BYTES_MAX), SF_ELIMIT (bytes_max too small;
 * SF_LETTER_BYTES_MAX suffices), SF_EAUTH (the card's prekey is of low order),
 * SF_EIO (the fresh signature does not verify). `content` must not overlap `out`.
 */
SF_MUST_USE int sf_letter_seal(const struct sf_identity *identity, const struct sf_card *to,
    enum sf_letter_type type, struct sf_view content, const struct sf_random *random, uint8_t *out,
    size_t bytes_max, size_t *ret_bytes);

struct sf_letter {
    struct sf_fingerprint sender;
    enum sf_letter_type type;
    struct sf_view content; /* inside the object; valid as long as it is unchanged */
};

/*
 * Open a letter in place. Order of checks as for a grant.
 *
 * Returns SF_OK; SF_EFORMAT (not a letter), SF_ENOENT (not for this node: stay
 * silent), SF_ESTATE (sealed to a prekey that is gone: send the current card),
 * SF_EAUTH (unknown sender, or not authentic). *ret_letter is untouched unless
 * SF_OK. After SF_EFORMAT, SF_EAUTH or SF_OK the object's bytes have changed;
 * after SF_ENOENT and SF_ESTATE they are as they were.
 */
SF_MUST_USE int sf_letter_open(const struct sf_identity *identity,
    const struct sf_card_lookup *cards, uint8_t *object, size_t object_bytes,
    struct sf_letter *ret_letter);

#endif
