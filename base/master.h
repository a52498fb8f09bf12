/*
 * master.h - the one key that keeps the others at rest, and the passphrase that
 * opens it.
 *
 * A node's master key is 32 random bytes. It stands in the home in a file of
 * its own, sealed under a key that Argon2id (RFC 9106) makes of a passphrase;
 * `keys` and `kek` are sealed under keys that follow from it. So another
 * passphrase costs one small file, and who has the disk alone has nothing.
 *
 *   the file `master`, SF_MASTER_FILE_BYTES:
 *     0    "skyferry-master" and a zero
 *     16   u32  1: sealed under a passphrase; 0: bare, for a node without one
 *     20   u32  passes of Argon2id
 *     24   u64  its memory in bytes
 *     32   salt (16)
 *     48   master key (32), as ChaCha20-Poly1305 sealed it with bytes 0 .. 47 as
 *          associated data and a zero nonce: the key of each salt is used once
 *     80   tag (16); of a bare one, the beginning of SHA-256(bytes 0 .. 79)
 *
 *   what is sealed under it, SF_MASTER_OVERHEAD_BYTES more than the plaintext:
 *     0    "skyferry-sealed" and a zero
 *     16   salt (32), random
 *     48   ciphertext, tag (16); key = HKDF-SHA-256(ikm master key, salt,
 *          info "skyferry-at-rest-1" || purpose), nonce zero, associated data
 *          bytes 0 .. 47
 *
 * Pure functions, but for the time and the memory (64 MiB) that a passphrase takes.
 */
#ifndef SF_BASE_MASTER_H
#define SF_BASE_MASTER_H

#include "base/bytes.h"
#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_MASTER_BYTES = 32,
    SF_MASTER_FILE_BYTES = 96,
    SF_MASTER_OVERHEAD_BYTES = 64,
    SF_PASSPHRASE_BYTES_MAX = 1024,
};

/*
 * Write the file for `master`. An empty passphrase makes a bare one: no
 * protection, but what is sealed under the key stays as it is.
 * Returns SF_OK, SF_EINVAL (a passphrase over the limit), SF_ENOMEM.
 */
SF_MUST_USE int sf_master_encode(const uint8_t master[SF_MASTER_BYTES], struct sf_view passphrase,
    const struct sf_random *random, uint8_t ret_file[SF_MASTER_FILE_BYTES]);

/* Whether the file can be opened without a passphrase. */
bool sf_master_is_bare(struct sf_view file);

/*
 * Open the file. Returns SF_OK; SF_EAUTH, it is another passphrase or the file
 * was changed; SF_EFORMAT, it is no such file; SF_ELIMIT, it asks for more work
 * or memory than any version of this program does; SF_ENOMEM.
 */
SF_MUST_USE int sf_master_decode(
    struct sf_view file, struct sf_view passphrase, uint8_t ret_master[SF_MASTER_BYTES]);

/* What is to be sealed, and for what: a purpose never opens as another. */
struct sf_master_seal {
    const uint8_t *master; /* SF_MASTER_BYTES */
    const char *purpose;
    const struct sf_random *random;
};

/* Seal `plain` into plain.bytes + SF_MASTER_OVERHEAD_BYTES bytes at `out`, which must not overlap. */
void sf_master_seal(const struct sf_master_seal *seal, struct sf_view plain, uint8_t *out);

/* Whether the bytes begin as something sealed does. */
bool sf_master_is_sealed(struct sf_view bytes);

/*
 * Open into `out`, sealed.bytes - SF_MASTER_OVERHEAD_BYTES bytes, which must not
 * overlap. Returns SF_OK, SF_EFORMAT (nothing sealed), SF_EAUTH (another key or
 * purpose, or changed); then `out` is zero.
 */
SF_MUST_USE int sf_master_open(const uint8_t master[SF_MASTER_BYTES], const char *purpose,
    struct sf_view sealed, uint8_t *out);

#endif
