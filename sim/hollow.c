#include "sim/hollow.h"

#include "base/crypto.h"
#include "base/crypto_bulk.h"

#include <string.h>

/*
 * The sum under all of it. A stream is taken in blocks of 64 bytes: every block
 * of its first WHOLE_BYTES, and after these the first one of every SPARSE_BYTES,
 * since what follows in bulk is zeros. How the stream is cut into calls does not
 * matter, and its length always counts.
 */
enum {
    BLOCK_BYTES = 64,
    BLOCK_WORDS = BLOCK_BYTES / 8,
    LANES = 4,
    WHOLE_BYTES = 16384, /* more than any datagram */
    SPARSE_BYTES = 4096,
};

struct sum {
    uint64_t lanes[LANES];
    uint64_t bytes;
    uint8_t block[BLOCK_BYTES]; /* bytes % BLOCK_BYTES of it are filled */
};

_Static_assert(sizeof(struct sum) <= sizeof(struct sf_sha256), "a sum fits where a hash does");

static struct sum *
sum_of(struct sf_sha256 *hash)
{
    return (struct sum *)(void *)hash->opaque;
}

static uint64_t
turn(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void
sum_init(struct sum *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i < LANES; i++) {
        sum->lanes[i] = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
    }
}

/* Every step can be undone, so two streams that differ in one block differ afterwards. */
static void
sum_block(struct sum *sum, const uint8_t *block)
{
    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        uint64_t word;

        memcpy(&word, block + i * sizeof(word), sizeof(word));
        sum->lanes[i % LANES] =
            turn(sum->lanes[i % LANES] ^ word, 29) * UINT64_C(0xbf58476d1ce4e5b9);
    }
}

static bool
is_taken(uint64_t block_at)
{
    return block_at < WHOLE_BYTES || block_at % SPARSE_BYTES == 0;
}

static void
sum_add(struct sum *sum, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        size_t filled = (size_t)(sum->bytes % BLOCK_BYTES);
        size_t take = BLOCK_BYTES - filled < bytes ? BLOCK_BYTES - filled : bytes;
        uint64_t block_at = sum->bytes - filled;

        if (!is_taken(block_at)) {
            uint64_t rest = SPARSE_BYTES - sum->bytes % SPARSE_BYTES;

            take = rest < bytes ? (size_t)rest : bytes;
        } else if (take == BLOCK_BYTES) {
            sum_block(sum, data);
        } else {
            memcpy(sum->block + filled, data, take);
            if (filled + take == BLOCK_BYTES) {
                sum_block(sum, sum->block);
            }
        }
        sum->bytes += take;
        data += take;
        bytes -= take;
    }
}

/* `words` words that depend on all that was taken and on the length. */
static void
sum_end(struct sum *sum, uint64_t *ret_words, size_t words)
{
    size_t filled = (size_t)(sum->bytes % BLOCK_BYTES);
    uint64_t state = sum->bytes;

    if (is_taken(sum->bytes - filled)) {
        memset(sum->block + filled, 0, BLOCK_BYTES - filled);
        sum_block(sum, sum->block);
    }
    for (size_t i = 0; i < LANES + words; i++) {
        state = (state ^ sum->lanes[i % LANES]) * UINT64_C(0x94d049bb133111eb);
        state ^= state >> 31;
        if (i >= LANES) {
            ret_words[i - LANES] = state;
        }
    }
}

/* --- SHA-256 -------------------------------------------------------------------- */

static bool
init(void)
{
    return true;
}

static void
hash_init(struct sf_sha256 *hash)
{
    sum_init(sum_of(hash));
}

static void
hash_update(struct sf_sha256 *hash, const void *data, size_t bytes)
{
    sum_add(sum_of(hash), data, bytes);
}

static void
hash_final(struct sf_sha256 *hash, uint8_t *ret_digest)
{
    uint64_t words[SF_SHA256_BYTES / 8];

    sum_end(sum_of(hash), words, SF_SHA256_BYTES / 8);
    memcpy(ret_digest, words, sizeof(words));
}

/* --- ChaCha20-Poly1305 ---------------------------------------------------------- */

/*
 * The tag tells keys, nonces, lengths and beginnings apart. It does not look at
 * the bytes behind: whoever damages something under way breaks its tag
 * (sf_hollow_damage), which has the same effect wherever the bit is.
 */
enum { HEAD_BYTES = 32 };

static void
put_head(uint64_t *words, struct sf_view of)
{
    if (of.bytes > 0) {
        memcpy(words, of.data, of.bytes < HEAD_BYTES ? of.bytes : HEAD_BYTES);
    }
}

static void
make_tag(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view text,
    uint8_t *ret_tag)
{
    uint64_t words[(SF_AEAD_KEY_BYTES + 16 + 2 * HEAD_BYTES) / 8] = {0};
    uint64_t state[2] = {ad.bytes, text.bytes};

    memcpy(words, key, SF_AEAD_KEY_BYTES);
    memcpy(words + 4, nonce, SF_AEAD_NONCE_BYTES);
    put_head(words + 6, ad);
    put_head(words + 10, text);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        state[i % 2] = turn((state[i % 2] ^ words[i]) * UINT64_C(0x94d049bb133111eb), 31);
    }
    memcpy(ret_tag, state, SF_AEAD_TAG_BYTES);
}

static void
aead_seal(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view plain,
    uint8_t *out, uint8_t *ret_tag)
{
    make_tag(key, nonce, ad, plain, ret_tag);
    if (out != plain.data && plain.bytes > 0) {
        memmove(out, plain.data, plain.bytes);
    }
}

static bool
aead_check(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag)
{
    uint8_t expected[SF_AEAD_TAG_BYTES];

    make_tag(key, nonce, ad, cipher, expected);
    return memcmp(expected, tag, sizeof(expected)) == 0;
}

static bool
aead_open(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag, uint8_t *out)
{
    if (!aead_check(key, nonce, ad, cipher, tag)) {
        return false;
    }
    if (out != cipher.data && cipher.bytes > 0) {
        memmove(out, cipher.data, cipher.bytes);
    }
    return true;
}

/* --- Ed25519 --------------------------------------------------------------------- */

static void
make_signature(const uint8_t *pk, struct sf_view message, uint8_t *ret_signature)
{
    uint64_t words[SF_SIGNATURE_BYTES / 8];
    struct sum sum;

    sum_init(&sum);
    sum_add(&sum, pk, SF_SIGN_PUBLIC_BYTES);
    sum_add(&sum, message.data, message.bytes);
    sum_end(&sum, words, SF_SIGNATURE_BYTES / 8);
    memcpy(ret_signature, words, sizeof(words));
}

static void
sign(const uint8_t *sk, struct sf_view message, uint8_t *ret_signature)
{
    /* The second half of a secret key is the public one. */
    make_signature(sk + SF_SIGN_SEED_BYTES, message, ret_signature);
}

static bool
verify(const uint8_t *pk, struct sf_view message, const uint8_t *signature)
{
    uint8_t expected[SF_SIGNATURE_BYTES];

    make_signature(pk, message, expected);
    return memcmp(expected, signature, sizeof(expected)) == 0;
}

/* --- Choosing it ------------------------------------------------------------------ */

static const struct sf_crypto_hollow suite = {
    .bulk =
        {
            .name = "none (hollow)",
            .init = init,
            .sha256_init = hash_init,
            .sha256_update = hash_update,
            .sha256_final = hash_final,
            .aead_seal = aead_seal,
            .aead_open = aead_open,
            .aead_check = aead_check,
        },
    .sign = sign,
    .verify = verify,
};

const struct sf_crypto_hollow *sf_crypto_hollow;

int
sf_hollow_init(void)
{
    if (sf_crypto_hollow == NULL && sf_crypto_is_ready()) {
        return SF_ESTATE;
    }
    sf_crypto_hollow = &suite;
    return sf_crypto_init();
}

bool
sf_hollow_is_chosen(void)
{
    return sf_crypto_hollow != NULL;
}

void
sf_hollow_damage(uint32_t *flip_bit, size_t bytes)
{
    if (sf_crypto_hollow != NULL && bytes >= SF_AEAD_TAG_BYTES) {
        *flip_bit = (uint32_t)(bytes - SF_AEAD_TAG_BYTES) * 8 + *flip_bit % (SF_AEAD_TAG_BYTES * 8);
    }
}

void
sf_hollow_generate(void *context, uint64_t offset, uint8_t *out, size_t bytes)
{
    (void)context;
    (void)offset;
    memset(out, 0, bytes);
}
