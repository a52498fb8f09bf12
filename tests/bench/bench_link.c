/*
 * bench_link.c - what the link engine costs: two whole engines, with sessions,
 * sealing and reports, hand each other datagrams of 1,400 IP bytes, without
 * disks and sockets. Run by hand: tests/bench/bench_link [MEGABYTES [LOSS IN PER CENT]]
 *
 * Sender and receiver are timed on their own, in processor time, so neither
 * waits for the other and other programs do not count. The same bytes are then
 * sealed and opened by the bare cipher in the same run: the ratio tells what
 * the engine adds, on any machine.
 */
#include "base/assert.h"
#include "base/crypto.h"
#include "base/prng.h"
#include "link/link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MIB = 1024 * 1024,
    BATCH = 512,
    ROOM = 1372,     /* UDP payload of 1,400 IP bytes */
    HEAD_BYTES = 12, /* of a session: id and counter */
    IP_UDP_BYTES = 28,
    SENDER = 0,
    RECEIVER = 1,
};

#define RATE_BPS UINT64_C(20000000000) /* simulated: more than either side can do */
#define DELAY_NS (10 * SF_MS)

struct side {
    struct sf_link *link;
    struct sf_addr addr;
    double seconds; /* of processor time */
    uint64_t dgrams;
    uint64_t ip_bytes;
};

static struct side sides[2];
static struct sf_prng prng;
static struct sf_random random_source;
static sf_mono now = 100 * SF_SEC;
static uint8_t bundle[MIB];
static uint8_t dgrams[BATCH][ROOM];
static size_t dgram_bytes[BATCH];
static bool is_done;
static uint64_t bundles_received;

static double
processor_seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- Two engines ----------------------------------------------------------------------- */

static void
secret(unsigned who, unsigned what, uint8_t ret_sk[32])
{
    memset(ret_sk, 0x10 + (int)(who * 16 + what), 32);
}

static bool
prekey(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32])
{
    secret(*(const unsigned *)context, 1, ret_sk);
    sf_x25519_public(ret_pk, ret_sk);
    return number == 1;
}

static void
open_side(unsigned who)
{
    static const unsigned names[2] = {SENDER, RECEIVER};
    struct sf_link_config config = {.prekey = prekey,
        .context = (void *)(uintptr_t)&names[who],
        .random = &random_source,
        .lives = {.boot = 1, .life = {1 + who}},
        .now = now};
    struct sf_link_peer peer = {.prekey_number = 1,
        .has_endpoint = true,
        .endpoint = sides[1 - who].addr,
        .rate_bps = RATE_BPS,
        .rtt_ns = 2 * DELAY_NS};
    uint8_t sk[32];

    memset(config.fingerprint.b, (int)who + 1, 32);
    memset(config.hint_key, (int)who + 1, 32);
    secret(who, 0, config.static_sk);
    sf_x25519_public(config.static_pk, config.static_sk);
    memset(peer.fingerprint.b, (int)(1 - who) + 1, 32);
    memset(peer.hint_key, (int)(1 - who) + 1, 32);
    secret(1 - who, 0, sk);
    sf_x25519_public(peer.static_pk, sk);
    secret(1 - who, 1, sk);
    sf_x25519_public(peer.prekey_pk, sk);
    sf_assert(sf_link_open(&config, &sides[who].link) == SF_OK);
    sf_assert(sf_link_set_card(sides[who].link, sf_view("card", 4), 1) == SF_OK);
    sf_assert(sf_link_peer_set(sides[who].link, 1 - who, &peer) == SF_OK);
}

static void
on_event(struct sf_link *link, const struct sf_link_event *event)
{
    switch (event->kind) {
    case SF_LINK_EPOCH:
        sf_link_epoch_durable(link, event->peer, event->epoch);
        break;
    case SF_LINK_WANT:
        sf_assert(sf_link_supply(link, event->handle, event->index, bundle) == SF_OK);
        break;
    case SF_LINK_OBJECT:
        sf_assert(sf_link_accept(link, event->peer, event->handle, NULL) == SF_OK);
        break;
    case SF_LINK_BUNDLE:
        sf_assert(sf_link_received(link, event->peer, event->handle, event->index, SF_LINK_KEEP) ==
                  SF_OK);
        sf_link_buffer_return(link, event->buffer);
        bundles_received++;
        break;
    case SF_LINK_RECEIVED:
        is_done = true;
        break;
    default:
        break;
    }
}

static void
take_events(struct sf_link *link)
{
    struct sf_link_event event;

    while (sf_link_event(link, &event)) {
        on_event(link, &event);
    }
}

/* All that one side may send now, up to a batch; it is on its clock. */
static size_t
send_batch(struct side *side, size_t most)
{
    double start = processor_seconds();
    size_t count = 0;
    struct sf_addr to;

    while (count < most &&
           sf_link_output(side->link, &to, dgrams[count], ROOM, &dgram_bytes[count], now)) {
        take_events(side->link);
        side->dgrams++;
        side->ip_bytes += dgram_bytes[count++] + IP_UDP_BYTES;
        now += ROOM * 8 * SF_SEC / RATE_BPS;
    }
    take_events(side->link);
    side->seconds += processor_seconds() - start;
    return count;
}

static void
take_batch(struct side *side, const struct sf_addr *from, size_t count, unsigned loss_percent)
{
    double start = processor_seconds();

    for (size_t i = 0; i < count; i++) {
        if (loss_percent == 0 || sf_prng_below(&prng, 100) >= loss_percent) {
            sf_link_input(side->link, from, dgrams[i], dgram_bytes[i], now);
            take_events(side->link);
        }
    }
    side->seconds += processor_seconds() - start;
}

/* --- The cipher alone -------------------------------------------------------------------- */

static void
bare_cipher(uint64_t count, double *ret_seal, double *ret_open)
{
    static uint8_t text[ROOM];
    static uint8_t sealed[ROOM];
    uint8_t key[SF_AEAD_KEY_BYTES] = {1};
    uint8_t nonce[SF_AEAD_NONCE_BYTES] = {0};
    size_t bytes = ROOM - HEAD_BYTES - SF_AEAD_TAG_BYTES;
    double start = processor_seconds();
    double middle;

    for (uint64_t i = 0; i < count; i++) {
        sf_aead_seal(
            key, nonce, sf_view(sealed, HEAD_BYTES), sf_view(text, bytes), sealed + HEAD_BYTES);
    }
    middle = processor_seconds();
    for (uint64_t i = 0; i < count; i++) {
        sf_assert(sf_aead_open(key, nonce, sf_view(sealed, HEAD_BYTES),
                      sf_view(sealed + HEAD_BYTES, ROOM - HEAD_BYTES), text) == SF_OK);
    }
    *ret_seal = middle - start;
    *ret_open = processor_seconds() - middle;
}

static void
tell(const char *name, const struct side *side, uint64_t ip_bytes, double cipher)
{
    printf(
        "%-9s %6.2f Gbit/s per core; %4.0f ns a datagram, of which the cipher %4.0f: %.2f times\n",
        name, (double)ip_bytes * 8 / side->seconds / 1e9,
        side->seconds * 1e9 / (double)sides[SENDER].dgrams,
        cipher * 1e9 / (double)sides[SENDER].dgrams, side->seconds / cipher);
}

int
main(int argc, char **argv)
{
    uint64_t bundles = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    unsigned loss = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    struct sf_link_object object = {
        .kind = 1, .count = bundles, .is_count_final = true, .class_bytes = MIB, .ready = bundles};
    uint32_t handle;
    double seal;
    double open;

    if (bundles == 0 || loss > 99) {
        fprintf(stderr, "usage: bench_link [MEGABYTES [LOSS IN PER CENT]]\n");
        return 2;
    }
    sf_assert(sf_crypto_init() == SF_OK);
    sf_prng_init(&prng, 1);
    random_source = sf_prng_random(&prng);
    sf_prng_fill(&prng, bundle, sizeof(bundle));
    for (unsigned who = 0; who < 2; who++) {
        sides[who].addr = sf_addr_v4(0x0a000001 + who, 1);
    }
    open_side(SENDER);
    open_side(RECEIVER);
    sf_assert(sf_link_offer(sides[SENDER].link, RECEIVER, &object, &handle) == SF_OK);
    while (!is_done) {
        size_t count = send_batch(&sides[SENDER], BATCH);

        take_batch(&sides[RECEIVER], &sides[SENDER].addr, count, loss);
        count = send_batch(&sides[RECEIVER], BATCH);
        take_batch(&sides[SENDER], &sides[RECEIVER].addr, count, 0);
        now += count == 0 ? SF_MS / 4 : 0;
    }
    sf_assert(bundles_received == bundles);
    bare_cipher(sides[SENDER].dgrams, &seal, &open);
    printf("%" PRIu64 " datagrams of 1,400 IP bytes, %u %% lost, %" PRIu64
           " datagrams back, cipher by %s\n",
        sides[SENDER].dgrams, loss, sides[RECEIVER].dgrams, sf_crypto_bulk_name());
    tell("sender", &sides[SENDER], sides[SENDER].ip_bytes, seal);
    tell("receiver", &sides[RECEIVER], sides[SENDER].ip_bytes * (100 - loss) / 100, open);
    sf_link_close(sides[SENDER].link);
    sf_link_close(sides[RECEIVER].link);
    return 0;
}
