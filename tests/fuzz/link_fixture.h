/*
 * link_fixture.h - an engine that has heard a peer, for fuzz targets: the peer
 * is a second engine whose sessions the target may use to seal what it likes.
 *
 * The application at the engine answers every event, sometimes badly: some
 * objects are declined, some bundles asked for again, some reads fail.
 */
#ifndef SF_TESTS_FUZZ_LINK_FIXTURE_H
#define SF_TESTS_FUZZ_LINK_FIXTURE_H

#include "base/assert.h"
#include "base/crypto.h"
#include "base/prng.h"
#include "link/core.h"

#include <stdlib.h>
#include <string.h>

enum { FIXTURE_OWN = 0, FIXTURE_PEER = 1, FIXTURE_TAPE_MAX = 64 };

struct fixture {
    struct sf_prng prng;
    struct sf_random random;
    struct sf_link *links[2];
    struct sf_addr addrs[2];
    struct sf_addr stranger;
    sf_mono now;
    uint8_t lent[65536];
    uint64_t stranger_in, stranger_out; /* UDP payload at the stranger's address */
    struct {
        size_t bytes;
        uint8_t data[1500];
    } tape[FIXTURE_TAPE_MAX]; /* what the peer sent */
    size_t tape_count;
};

static inline void
fixture_secret(unsigned who, unsigned what, uint8_t ret_sk[32])
{
    memset(ret_sk, 0x10 + (int)(who * 16 + what), 32);
}

static inline bool
fixture_prekey(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32])
{
    fixture_secret(*(const unsigned *)context, 1, ret_sk);
    sf_x25519_public(ret_pk, ret_sk);
    return number == 1;
}

static inline void
fixture_open_link(struct fixture *f, unsigned who)
{
    static const unsigned names[2] = {0, 1};
    struct sf_link_config config = {.prekey = fixture_prekey,
        .context = (void *)(uintptr_t)&names[who],
        .random = &f->random,
        .lives = {.boot = 1, .life = {1 + who}},
        .pool_bytes = 8 << 20,
        .now = f->now};
    struct sf_link_peer peer = {.prekey_number = 1,
        .has_endpoint = true,
        .endpoint = f->addrs[1 - who],
        .rate_bps = 100000000};
    uint8_t sk[32];

    memset(config.fingerprint.b, (int)who + 1, 32);
    memset(config.hint_key, (int)who + 1, 32);
    fixture_secret(who, 0, config.static_sk);
    sf_x25519_public(config.static_pk, config.static_sk);
    memset(peer.fingerprint.b, (int)(1 - who) + 1, 32);
    memset(peer.hint_key, (int)(1 - who) + 1, 32);
    fixture_secret(1 - who, 0, sk);
    sf_x25519_public(peer.static_pk, sk);
    fixture_secret(1 - who, 1, sk);
    sf_x25519_public(peer.prekey_pk, sk);
    sf_assert(sf_link_open(&config, &f->links[who]) == SF_OK);
    sf_assert(sf_link_set_card(f->links[who], sf_view("card", 4), 1) == SF_OK);
    sf_assert(sf_link_peer_set(f->links[who], 1 - who, &peer) == SF_OK);
}

static inline void
fixture_on_event(struct fixture *f, struct sf_link *link, const struct sf_link_event *event)
{
    bool is_bad = (event->index ^ event->handle) % 5 == 4;
    int status = SF_OK;

    switch (event->kind) {
    case SF_LINK_EPOCH:
        sf_link_epoch_durable(link, event->peer, event->epoch);
        break;
    case SF_LINK_WANT:
        status = is_bad ? sf_link_unsupply(link, event->handle, event->index)
                        : sf_link_supply(link, event->handle, event->index, f->lent);
        sf_assert(status == SF_OK);
        break;
    case SF_LINK_OBJECT:
        if (event->object.kind % 5 == 4) {
            sf_link_decline(link, event->peer, event->handle);
        } else {
            sf_assert(sf_link_accept(link, event->peer, event->handle, NULL) == SF_OK);
        }
        break;
    case SF_LINK_BUNDLE:
        status = sf_link_received(
            link, event->peer, event->handle, event->index, is_bad ? SF_LINK_AGAIN : SF_LINK_KEEP);
        sf_assert(status == SF_OK || status == SF_ENOENT);
        sf_link_buffer_return(link, event->buffer);
        break;
    case SF_LINK_SPILL:
        sf_link_spilled(
            link, event->peer, event->handle, event->index, event->buffer, is_bad ? SF_EIO : SF_OK);
        break;
    case SF_LINK_LOAD:
        memset(event->buffer, 0, event->buffer_bytes);
        sf_link_loaded(
            link, event->peer, event->handle, event->index, event->buffer, is_bad ? SF_EIO : SF_OK);
        break;
    case SF_LINK_CARD:
        sf_assert(event->bytes.bytes > 0 && event->bytes.bytes <= SF_LINK_CARD_BYTES_MAX);
        break;
    default:
        break;
    }
}

/* Pull what `who` has to say; give it to the other, if `is_connected`. */
static inline void
fixture_pump(struct fixture *f, unsigned who, bool is_connected)
{
    uint8_t dgram[SF_LINK_DGRAM_BYTES_MAX];
    struct sf_link_event event;
    struct sf_addr to;
    size_t bytes;
    unsigned limit = 64;

    while (
        limit-- > 0 && sf_link_output(f->links[who], &to, dgram, sizeof(dgram), &bytes, f->now)) {
        if (sf_addr_equal(&to, &f->stranger)) {
            f->stranger_out += bytes;
        }
        if (who == FIXTURE_PEER && f->tape_count < FIXTURE_TAPE_MAX) {
            memcpy(f->tape[f->tape_count].data, dgram, bytes);
            f->tape[f->tape_count++].bytes = bytes;
        }
        if (is_connected && sf_addr_equal(&to, &f->addrs[1 - who])) {
            sf_link_input(f->links[1 - who], &f->addrs[who], dgram, bytes, f->now);
        }
    }
    while (sf_link_event(f->links[who], &event)) {
        fixture_on_event(f, f->links[who], &event);
    }
    sf_assert(f->stranger_out <= f->stranger_in);
}

/* Two engines that know each other, a transfer under way in both directions. */
static inline void
fixture_open(struct fixture *f)
{
    struct sf_link_object object = {
        .kind = 1, .count = 3, .is_count_final = true, .class_bytes = 4096, .ready = 3};
    uint32_t handle;

    sf_assert(sf_crypto_init() == SF_OK);
    memset(f, 0, sizeof(*f));
    sf_prng_init(&f->prng, 1);
    f->random = sf_prng_random(&f->prng);
    f->now = 100 * SF_SEC;
    f->addrs[0] = sf_addr_v4(0x0a000001, 1);
    f->addrs[1] = sf_addr_v4(0x0a000002, 2);
    f->stranger = sf_addr_v4(0x0a000003, 3);
    fixture_open_link(f, FIXTURE_OWN);
    fixture_open_link(f, FIXTURE_PEER);
    for (unsigned who = 0; who < 2; who++) {
        object.transfer.b[0] = (uint8_t)(who + 1);
        sf_assert(sf_link_offer(f->links[who], 1 - who, &object, &handle) == SF_OK);
    }
    for (unsigned i = 0; i < 6; i++) {
        fixture_pump(f, i % 2, true);
        f->now += 200 * SF_US;
    }
    sf_assert(f->links[FIXTURE_OWN]->peers[FIXTURE_PEER]->state == SF_LINK_STATE_UP);
}

static inline void
fixture_close(struct fixture *f)
{
    sf_link_close(f->links[0]);
    sf_link_close(f->links[1]);
}

#endif
