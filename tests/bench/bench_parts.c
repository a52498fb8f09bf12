/*
 * bench_parts.c - what each GB of a transfer costs in the parts it cannot do without, each
 * alone: hashes, ciphers, signatures, reads and writes of the disk, datagrams through the
 * kernel. Processor seconds of this process, system calls included.
 *
 *     bench_parts FOLDER     a file of 256 MiB is made there, and removed
 *
 * The last line is their sum for both ends, for tests/bench/bench.sh to hold against what the
 * daemons took in the same run. Bundles are of 4 MiB, datagrams of 1,400 IP bytes. Run by hand;
 * a measurement does not pass or fail.
 */
#include <config.h>

#include "base/assert.h"
#include "base/crypto.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
    BUNDLE = 4 << 20,
    BUNDLES = 64,
    ALIGN = 4096,
    DGRAM_BYTES = 1372, /* of 1,400 with the heads of IPv4 and UDP, */
    DATA_BYTES = 1334,  /* ... and of a bundle in them */
    TRAIN = 16,         /* datagrams in one call: what 1 Gbit/s gives in 180 us */
    DGRAMS = 200000,
};

static uint8_t *bundle;
static uint8_t dgram[DGRAM_BYTES];
static double sum_s;

static double
processor_seconds(void)
{
    struct rusage usage;

    sf_assert(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* `times` of it belong to a transfer. */
static void
tell(const char *what, unsigned times, double seconds, double bytes)
{
    double each = seconds / bytes * 1e9;

    printf("%-34s %u x %6.3f s for each GB\n", what, times, each);
    sum_s += times * each;
}

/* --- Hashes, ciphers, signatures ---------------------------------------------------------- */

static void
part_ciphers(void)
{
    const uint8_t key[SF_AEAD_KEY_BYTES] = {1};
    const struct sf_view data = sf_view(bundle, BUNDLE);
    const double bytes = (double)BUNDLE * BUNDLES;
    uint8_t digest[SF_SHA256_BYTES];
    uint8_t tag[SF_AEAD_TAG_BYTES];
    int status = SF_OK;
    double start = processor_seconds();

    for (unsigned i = 0; i < BUNDLES; i++) {
        sf_sha256(data, digest);
    }
    tell("SHA-256 of the file", 2, processor_seconds() - start, bytes);
    start = processor_seconds();
    for (unsigned i = 0; i < BUNDLES; i++) {
        sf_hmac_sha256(sf_view(key, sizeof(key)), &data, 1, digest);
    }
    tell("HMAC-SHA-256 of a bundle", 2, processor_seconds() - start, bytes);
    start = processor_seconds();
    for (unsigned i = 0; i < BUNDLES; i++) {
        sf_aead_seal_detached(key, key, sf_view(NULL, 0), data, bundle, tag);
    }
    tell("ChaCha20-Poly1305 of a bundle", 2, processor_seconds() - start, bytes);
    start = processor_seconds();
    for (unsigned i = 0; i < BUNDLES; i++) {
        status |= sf_aead_check(key, key, sf_view(NULL, 0), data, tag);
    }
    sf_assert(status == SF_OK);
    tell("its tag alone, read back", 1, processor_seconds() - start, bytes);
    start = processor_seconds();
    for (unsigned i = 0; i < DGRAMS; i++) {
        sf_aead_seal_detached(
            key, key, sf_view(key, 12), sf_view(dgram, DGRAM_BYTES - 28), dgram, tag);
    }
    tell("ChaCha20-Poly1305 of datagrams", 2, processor_seconds() - start,
        (double)DGRAMS * DATA_BYTES);
}

static void
part_signatures(void)
{
    const uint8_t seed[SF_SIGN_SEED_BYTES] = {1};
    uint8_t pk[SF_SIGN_PUBLIC_BYTES];
    uint8_t sk[SF_SIGN_SECRET_BYTES];
    uint8_t signature[SF_SIGNATURE_BYTES];
    int status = SF_OK;
    double start;

    sf_sign_keypair(seed, pk, sk);
    start = processor_seconds();
    for (unsigned i = 0; i < BUNDLES; i++) {
        sf_sign(sk, sf_view(bundle, 150), signature);
        status |= sf_verify(pk, sf_view(bundle, 150), signature);
        status |= sf_verify(pk, sf_view(bundle, 150), signature);
    }
    sf_assert(status == SF_OK);
    tell("Ed25519: signed once, checked twice", 1, processor_seconds() - start,
        (double)BUNDLE * BUNDLES);
}

/* --- The disk ------------------------------------------------------------------------------ */

static int
open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_DIRECT, 0600);

    if (fd < 0) {
        fd = open(path, flags | O_CLOEXEC, 0600); /* no O_DIRECT there */
    }
    sf_assert(fd >= 0);
    return fd;
}

static void
part_disk(const char *folder)
{
    char path[4096];
    const double bytes = (double)BUNDLE * BUNDLES;
    double start;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/parts", folder);
    fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    start = processor_seconds();
    for (unsigned i = 0; i < BUNDLES; i++) {
        sf_assert(pwrite(fd, bundle, BUNDLE, (off_t)i * BUNDLE) == BUNDLE);
    }
    sf_assert(fdatasync(fd) == 0);
    tell("written past the cache, synced", 3, processor_seconds() - start, bytes);
    start = processor_seconds();
    for (unsigned i = 0; i < BUNDLES; i++) {
        sf_assert(pread(fd, bundle, BUNDLE, (off_t)i * BUNDLE) == BUNDLE);
    }
    tell("read past the cache", 2, processor_seconds() - start, bytes);
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    sf_assert(fd >= 0);
    for (unsigned round = 0; round < 2; round++) { /* the first one brings it into the cache */
        start = processor_seconds();
        for (unsigned i = 0; i < BUNDLES; i++) {
            sf_assert(pread(fd, bundle, BUNDLE, (off_t)i * BUNDLE) == BUNDLE);
        }
    }
    tell("the source, read from the cache", 1, processor_seconds() - start, bytes);
    close(fd);
    (void)unlink(path);
}

/* --- The kernel's datagrams ---------------------------------------------------------------- */

/* Trains from one socket to another on the loopback interface, each taken as it came. */
static void
part_datagrams(void)
{
    static uint8_t train[TRAIN * DGRAM_BYTES];
    static uint8_t room[1 << 16];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t to_bytes = sizeof(to);
    int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int segment = DGRAM_BYTES;
    int on = 1;
    double start;
    size_t taken = 0;

    sf_assert(out >= 0 && in >= 0);
    sf_assert(bind(in, (struct sockaddr *)&to, sizeof(to)) == 0);
    sf_assert(getsockname(in, (struct sockaddr *)&to, &to_bytes) == 0);
    if (setsockopt(out, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) != 0 ||
        setsockopt(in, SOL_UDP, UDP_GRO, &on, sizeof(on)) != 0) {
        printf("SKIP: no segmentation offload for datagrams here\n");
        close(out);
        close(in);
        return;
    }
    start = processor_seconds();
    for (unsigned i = 0; i < DGRAMS / TRAIN; i++) {
        ssize_t got = sendto(out, train, sizeof(train), 0, (struct sockaddr *)&to, to_bytes);

        sf_assert(got == (ssize_t)sizeof(train));
        while ((got = recv(in, room, sizeof(room), MSG_DONTWAIT)) > 0) {
            taken += (size_t)got;
        }
    }
    tell("datagrams sent and taken", 1, processor_seconds() - start,
        (double)taken / DGRAM_BYTES * DATA_BYTES);
    close(out);
    close(in);
}

int
main(int argc, char **argv)
{
    sf_assert(argc == 2 && sf_crypto_init() == SF_OK);
    bundle = aligned_alloc(ALIGN, BUNDLE);
    sf_assert(bundle != NULL);
    memset(bundle, 0x5a, BUNDLE);
    part_ciphers();
    part_signatures();
    part_disk(argv[1]);
    part_datagrams();
    printf("%-34s     %6.3f s for each GB, both ends\n", "the parts together", sum_s);
    free(bundle);
    return EXIT_SUCCESS;
}
