/*
 * flood.c - seen openers, and token buckets in integers.
 */
#include "link/flood.h"

#include "base/bytes.h"

#define PREFIX_COST_NS (SF_SEC / SF_FLOOD_PREFIX_PER_SEC)
#define ALL_COST_NS    (SF_SEC / SF_FLOOD_ALL_PER_SEC)

void
sf_flood_init(struct sf_flood *flood, const struct sf_random *random, sf_mono now)
{
    memset(flood, 0, sizeof(*flood));
    sf_random_fill(random, &flood->salt, sizeof(flood->salt));
    flood->all.credit_ns = SF_SEC;
    flood->all.last = now;
}

/* --- Openers seen ------------------------------------------------------------- */

/* A mac is the output of a keyed hash, so any of its bits serve as an index. Zero means empty. */
static uint64_t
tag_of(const uint8_t mac[16])
{
    return sf_get_be64(mac) | 1;
}

static size_t
set_of(const uint8_t mac[16])
{
    return sf_get_be32(mac + 8) % SF_FLOOD_SEEN_SETS;
}

bool
sf_flood_has_seen(const struct sf_flood *flood, const uint8_t mac[16])
{
    const uint64_t *set = flood->seen[set_of(mac)];
    uint64_t tag = tag_of(mac);

    for (unsigned i = 0; i < SF_FLOOD_SEEN_WAYS; i++) {
        if (set[i] == tag) {
            return true;
        }
    }
    return false;
}

void
sf_flood_see(struct sf_flood *flood, const uint8_t mac[16])
{
    size_t set = set_of(mac);
    uint8_t way = flood->seen_next[set];

    flood->seen[set][way] = tag_of(mac);
    flood->seen_next[set] = (uint8_t)((way + 1) % SF_FLOOD_SEEN_WAYS);
}

/* --- Token buckets ------------------------------------------------------------ */

static void
refill(struct sf_flood_bucket *bucket, sf_mono now)
{
    uint64_t passed = now > bucket->last ? now - bucket->last : 0;

    bucket->last = now > bucket->last ? now : bucket->last;
    bucket->credit_ns = passed >= SF_SEC - bucket->credit_ns ? SF_SEC : bucket->credit_ns + passed;
}

/* The /24 of a mapped IPv4 address or the /56 of any other; never zero. */
static uint64_t
prefix_of(const struct sf_addr *addr)
{
    if (sf_addr_is_v4(addr)) {
        return UINT64_C(1) << 32 | sf_get_be32(addr->ip + 12) >> 8;
    }
    return sf_get_be64(addr->ip) >> 8 | UINT64_C(1) << 63;
}

static struct sf_flood_bucket *
bucket_of(struct sf_flood *flood, uint64_t prefix, sf_mono now)
{
    uint64_t mixed = (prefix ^ flood->salt) * UINT64_C(0x9e3779b97f4a7c15);
    struct sf_flood_bucket *bucket = &flood->prefixes[(mixed >> 32) % SF_FLOOD_PREFIXES];

    if (bucket->prefix != prefix) {
        /* Two prefixes that share a bucket both start full: the limit in all still holds. */
        bucket->prefix = prefix;
        bucket->credit_ns = SF_SEC;
        bucket->last = now;
    }
    return bucket;
}

bool
sf_flood_admit(struct sf_flood *flood, const struct sf_addr *from, bool is_trusted, sf_mono now)
{
    uint64_t reserve = is_trusted ? 0 : SF_FLOOD_RESERVED * ALL_COST_NS;
    struct sf_flood_bucket *bucket = bucket_of(flood, prefix_of(from), now);

    refill(&flood->all, now);
    refill(bucket, now);
    if (bucket->credit_ns < PREFIX_COST_NS || flood->all.credit_ns < reserve + ALL_COST_NS) {
        return false;
    }
    bucket->credit_ns -= PREFIX_COST_NS;
    flood->all.credit_ns -= ALL_COST_NS;
    return true;
}
