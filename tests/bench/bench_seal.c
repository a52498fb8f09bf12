/*
 * bench_seal.c - how fast bundles are sealed and opened, next to the primitives they are made of.
 *
 * Run by hand; prints times per call and throughput on one core. Never part of
 * `make check`: a measurement does not pass or fail.
 */
#include "bundle/envelope.h"
#include "tests/unit/people.h"

#include <time.h>

enum { ROUNDS = 200 };

static uint8_t object[4 << 20];
static uint8_t saved[4 << 20];

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
report(const char *what, size_t bytes, size_t rounds, double elapsed)
{
    printf("%-28s %8zu bytes %9.1f us %8.1f MB/s\n", what, bytes, elapsed / (double)rounds * 1e6,
        (double)bytes * (double)rounds / elapsed / 1e6);
}

static void
bench_primitives(size_t bytes)
{
    const uint8_t key[32] = {1};
    const struct sf_view data = sf_view(object, bytes);
    uint8_t out[SF_SIGNATURE_BYTES];
    double start = seconds();

    for (size_t i = 0; i < ROUNDS; i++) {
        sf_hmac_sha256(sf_view(key, sizeof(key)), &data, 1, out);
    }
    report("HMAC-SHA-256", bytes, ROUNDS, seconds() - start);
    start = seconds();
    for (size_t i = 0; i < ROUNDS; i++) {
        sf_aead_seal_detached(key, key, sf_view(NULL, 0), data, object, out);
    }
    report("ChaCha20-Poly1305", bytes, ROUNDS, seconds() - start);
}

static void
bench_signatures(const struct people *people)
{
    uint8_t signature[SF_SIGNATURE_BYTES];
    double start = seconds();
    int status = SF_OK;

    for (size_t i = 0; i < ROUNDS; i++) {
        sf_sign(people->identities[0]->sign_sk, sf_view(object, 150), signature);
    }
    report("Ed25519 sign", 150, ROUNDS, seconds() - start);
    start = seconds();
    for (size_t i = 0; i < ROUNDS; i++) {
        status |= sf_verify(people->cards[0].sign_pk, sf_view(object, 150), signature);
    }
    report("Ed25519 verify", 150, ROUNDS, seconds() - start);
    sf_assert(status == SF_OK);
}

static void
bench_envelope(const struct people *people, size_t class_bytes)
{
    const uint8_t cek[SF_CEK_BYTES] = {1};
    const struct sf_transfer_id transfer = {{2}};
    struct sf_envelope_expect expect = {.signer_pk = people->cards[0].sign_pk,
        .signer_fingerprint = &people->cards[0].fingerprint,
        .kind = SF_KIND_DATA};
    struct sf_seal seal;
    struct sf_view content;
    uint8_t siv[SF_SIV_BYTES];
    double elapsed = 0;
    double start = seconds();
    int status = SF_OK;

    sf_seal_init(&seal, cek, &transfer);
    for (size_t i = 0; i < ROUNDS; i++) {
        status |= sf_envelope_seal(&seal, people->identities[0], SF_KIND_DATA, 0, object,
            class_bytes, sf_envelope_capacity(class_bytes), siv);
    }
    report("seal", class_bytes, ROUNDS, seconds() - start);
    memcpy(saved, object, class_bytes);
    for (size_t i = 0; i < ROUNDS; i++) {
        memcpy(object, saved, class_bytes);
        start = seconds();
        status |=
            sf_envelope_open(&seal, &expect, sf_view(object, class_bytes), object, &content, siv);
        elapsed += seconds() - start;
    }
    report("open", class_bytes, ROUNDS, elapsed);
    sf_assert(status == SF_OK);
}

int
main(void)
{
    struct people people;

    people_open(&people, 1, 1);
    printf("bulk: %s\n", sf_crypto_bulk_name());
    bench_signatures(&people);
    for (unsigned i = 0; i < SF_ENVELOPE_CLASSES; i++) {
        bench_primitives(sf_envelope_class(i));
        bench_envelope(&people, sf_envelope_class(i));
    }
    people_close(&people);
    return EXIT_SUCCESS;
}
