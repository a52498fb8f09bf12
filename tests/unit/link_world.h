/*
 * link_world.h - a few link engines in virtual time, for tests: a lossy
 * channel between them, an application at each that answers every event and
 * checks every byte, and counters of what went where.
 *
 * An end can be moved to another address, restarted, rolled back, and made
 * deaf. Datagrams can be recorded and sent again from anywhere.
 */
#ifndef SF_TESTS_UNIT_LINK_WORLD_H
#define SF_TESTS_UNIT_LINK_WORLD_H

#include "base/prng.h"
#include "link/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WORLD_ENDS_MAX = 3,
    WORLD_OBJECTS_MAX = 8,
    WORLD_TAPE_MAX = 4096,
    WORLD_ADDRESSES_MAX = 32,
};

struct channel {
    uint64_t delay_ns;
    uint64_t jitter_ns; /* added at random: reorders */
    uint32_t loss_ppm;
    uint32_t dup_ppm;
    uint32_t corrupt_ppm;
    bool is_dark;     /* everything is lost */
    size_t mtu_bytes; /* IP bytes: larger datagrams are lost; 0 = none are */
    size_t
        device_bytes; /* IP bytes: larger ones do not leave the host, which says so; 0 = any do */

    /* A line and the queue before it, if rate_bps is not 0. */
    uint64_t rate_bps;
    uint64_t queue_ns; /* of line time: what does not fit is lost */
    uint64_t mark_ns;  /* a longer queue marks with CE; 0 = none does */
    sf_mono line_free;
    uint64_t waited_ns; /* by the last one that was let in */
};

/* What one end has of one object. */
struct world_object {
    bool is_used;
    unsigned peer; /* incoming: who offers it */
    uint32_t handle;
    struct sf_link_object object;
    struct sf_range_set kept;
    bool is_received; /* outgoing: RECEIVED came */
    bool is_declined;
    bool is_mapped;
    unsigned wants;
    unsigned lent;     /* outgoing: bundles supplied and not released */
    uint64_t bundles;  /* incoming: BUNDLE events */
    uint8_t **spilled; /* incoming: by index */
};

struct end {
    struct sf_link *link;
    unsigned number;
    uint8_t static_sk[32], static_pk[32], hint_key[32];
    struct sf_fingerprint fingerprint;
    uint32_t prekey_number;
    uint32_t prekey_oldest; /* those below are gone */
    uint32_t boot;
    struct sf_lives lives; /* of the last starts up to `boot` */
    unsigned news[9];      /* how often each enum sf_link_news was told */
    struct sf_addr addr;
    struct sf_addr forged; /* if its port is set: what its datagrams seem to come from */
    uint64_t epoch_seen[WORLD_ENDS_MAX]; /* durable, by the other end's number, */
    uint64_t life_seen[WORLD_ENDS_MAX];  /* ... and the life of it */
    uint64_t rate_bps;
    enum sf_link_pace pace;
    uint64_t known_bps;
    uint32_t limits;
    uint16_t mtu, mtu_blind;
    size_t pool_bytes;
    bool has_endpoint[WORLD_ENDS_MAX];
    struct sf_addr aliases[2]; /* where others are told to call it, before `addr`... */
    unsigned alias_count;      /* ...and nobody is, but where it moved to */
    bool no_return[WORLD_ENDS_MAX];
    uint64_t rtt_ns[WORLD_ENDS_MAX];
    uint8_t psk[WORLD_ENDS_MAX][32];
    uint32_t knows_prekey[WORLD_ENDS_MAX]; /* of the other's card */
    uint64_t durable_ns;                   /* how long an epoch takes to be durable */
    bool is_boot_lost;                     /* what STALE asks for never becomes durable */
    bool ignores_cards;
    bool declines;

    struct world_object out[WORLD_OBJECTS_MAX];
    struct world_object in[WORLD_OBJECTS_MAX];
    struct {
        bool is_due;
        unsigned peer;
        uint64_t epoch, life;
        sf_mono at;
    } durable;
    unsigned ups, downs, stales, copies, mismatches, outsides, narrows, addresses, cards, epochs,
        gone;
    uint64_t stale_epoch;
    uint64_t wrong_bytes; /* bundles with other content than was offered */
};

/* A datagram on its way, or on the tape. */
struct packet {
    sf_mono at;
    uint64_t order;
    struct sf_addr from, to;
    bool is_marked;
    size_t bytes;
    uint8_t *data;
};

/* What went to one address, and what came from it. UDP payload. */
struct world_address {
    struct sf_addr addr;
    uint64_t out_bytes, out_dgrams; /* from engines, to it */
    uint64_t in_bytes, in_dgrams;
    bool is_ends; /* it was that of an end when something went there, or in an end's books */
};

struct world {
    sf_mono now;
    struct sf_prng prng;
    struct sf_prng key_prng;
    struct sf_random random;
    struct end ends[WORLD_ENDS_MAX];
    unsigned end_count;
    struct channel channels[WORLD_ENDS_MAX]; /* by the sending end */
    struct packet *packets;                  /* a heap */
    size_t packet_count, packet_max;
    uint64_t order;
    struct world_address addresses[WORLD_ADDRESSES_MAX];
    size_t address_count;
    uint64_t sent_bytes[WORLD_ENDS_MAX]; /* UDP payload, by end */
    uint64_t sent_dgrams[WORLD_ENDS_MAX];
    uint64_t sent_large[WORLD_ENDS_MAX]; /* datagrams above 600 bytes that are no openers */
    bool is_taping;
    struct packet tape[WORLD_TAPE_MAX];
    size_t tape_count;
    uint64_t idle_calls; /* deadlines that had passed and yet nothing came: must stay small */
};

/* Two or three ends that know each other's cards; links are not open yet. */
void world_init(struct world *world, uint64_t seed, unsigned end_count);
/* Somebody named this address for a peer beside the ends' books, by a contact. */
void world_authorise(struct world *world, const struct sf_addr *addr);

/* Whatever was tried: no address that is none of an end's has got more bytes than came from it. */
void world_fini(struct world *world);

/* Open (or open again, with boot + 1) the link of an end and add its peers. */
void world_open(struct world *world, unsigned end);
void world_close(struct world *world, unsigned end);

/* Bring peer `other` of `end` in line with the fields of the end. */
void world_set_peer(struct world *world, unsigned end, unsigned other);

/* A new prekey for `end`; `keep` earlier ones stay. Gives the new card to its link. */
void world_rotate(struct world *world, unsigned end, unsigned keep);

/* Offer object `slot` from `end` to `other`: `count` bundles, all ready. */
void world_offer(struct world *world, unsigned end, unsigned other, unsigned slot, uint64_t count,
    uint32_t class_bytes);

/* Offer it anew after a restart of `end`, asking for the map first. */
void world_offer_again(struct world *world, unsigned end, unsigned other, unsigned slot);

/* Let time pass for `span`, or until `slot` from `end` is received. Returns whether it is. */
void world_run(struct world *world, uint64_t span_ns);
bool world_deliver(struct world *world, unsigned end, unsigned slot, uint64_t span_ns);

/* Let the engine of `end` say what it has to say now, without letting time pass. */
void world_pump(struct world *world, unsigned end);

/* Send bytes from anywhere to an end; they arrive at once. */
void world_inject(struct world *world, unsigned end, const struct sf_addr *from,
    const uint8_t *data, size_t bytes);

/* Bytes sent by engines to `addr`, and by it. */
const struct world_address *world_address(const struct world *world, const struct sf_addr *addr);

/* How many bundles of object `slot` the other end kept, found by transfer. */
uint64_t world_kept(const struct world *world, unsigned end, unsigned slot, unsigned other);

void world_peer_stats(
    const struct world *world, unsigned end, unsigned other, struct sf_link_peer_stats *stats);

#endif
