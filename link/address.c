/*
 * address.c - authorised, proven and learnt addresses.
 */
#include "link/address.h"

#include "base/assert.h"
#include "base/crypto.h"

void
sf_addresses_init(struct sf_addresses *addresses)
{
    memset(addresses, 0, sizeof(*addresses));
    addresses->use = SF_ADDRESS_NONE;
    addresses->challenge_due = SF_NEVER;
}

static bool
is_at(const struct sf_address *path, const struct sf_addr *addr)
{
    return path->is_set && sf_addr_equal(&path->addr, addr);
}

/* Which of the authorised addresses `addr` is; their count if none. */
static size_t
endpoint_of(const struct sf_addresses *addresses, const struct sf_addr *addr)
{
    size_t at = 0;

    while (at < addresses->endpoint_count && !sf_addr_equal(&addresses->endpoints[at], addr)) {
        at++;
    }
    return at;
}

static void
set_current(struct sf_addresses *addresses, const struct sf_addr *endpoint)
{
    addresses->paths[SF_ADDRESS_ENDPOINT] = (struct sf_address){.is_set = true, .addr = *endpoint};
}

void
sf_addresses_set_endpoints(
    struct sf_addresses *addresses, const struct sf_addr *endpoints, size_t count)
{
    struct sf_address *current = &addresses->paths[SF_ADDRESS_ENDPOINT];

    sf_assert(count <= SF_ADDRESS_ENDPOINTS_MAX);
    memset(addresses->endpoints, 0, sizeof(addresses->endpoints));
    addresses->endpoint_count = count;
    for (size_t i = 0; i < count; i++) {
        addresses->endpoints[i] = endpoints[i];
    }
    if (count == 0) {
        memset(current, 0, sizeof(*current));
        if (addresses->use == SF_ADDRESS_ENDPOINT) {
            addresses->use = SF_ADDRESS_NONE;
        }
    } else if (!current->is_set || endpoint_of(addresses, &current->addr) == count) {
        set_current(addresses, &endpoints[0]);
        addresses->use = SF_ADDRESS_ENDPOINT;
    }
}

void
sf_addresses_turn(struct sf_addresses *addresses)
{
    const struct sf_address *current = &addresses->paths[SF_ADDRESS_ENDPOINT];

    if (addresses->endpoint_count > 1) {
        size_t next = endpoint_of(addresses, &current->addr) + 1;

        set_current(
            addresses, &addresses->endpoints[next < addresses->endpoint_count ? next : (size_t)0]);
    }
}

static void
credit(struct sf_address *path, size_t bytes)
{
    path->in_bytes += bytes;
    path->in_dgrams++;
}

static void
learn(struct sf_addresses *addresses, const struct sf_addr *from, size_t bytes,
    const struct sf_random *random, sf_mono now)
{
    struct sf_address *path = &addresses->paths[SF_ADDRESS_LEARNT];

    memset(path, 0, sizeof(*path));
    path->is_set = true;
    path->addr = *from;
    credit(path, bytes);
    sf_random_fill(random, addresses->token, sizeof(addresses->token));
    addresses->challenges = 0;
    addresses->challenge_due = now;
}

void
sf_addresses_heard(struct sf_addresses *addresses, const struct sf_addr *from, size_t bytes,
    bool is_newest, const struct sf_random *random, sf_mono now)
{
    static const enum sf_address_path trusted[] = {SF_ADDRESS_ENDPOINT, SF_ADDRESS_PROVEN};
    struct sf_address *learnt = &addresses->paths[SF_ADDRESS_LEARNT];

    for (unsigned i = 0; i < 2; i++) {
        struct sf_address *path = &addresses->paths[trusted[i]];

        if (is_at(path, from)) {
            credit(path, bytes);
            if (is_newest) {
                addresses->use = trusted[i];
            }
            return;
        }
    }
    if (endpoint_of(addresses, from) < addresses->endpoint_count) {
        if (is_newest) {
            set_current(addresses, from);
            credit(&addresses->paths[SF_ADDRESS_ENDPOINT], bytes);
            addresses->use = SF_ADDRESS_ENDPOINT;
        }
        return;
    }
    if (is_at(learnt, from)) {
        credit(learnt, bytes);
        /* It speaks again: a challenge given up is taken up once more. */
        if (addresses->challenge_due == SF_NEVER) {
            addresses->challenges = 0;
            addresses->challenge_due = sf_mono_add(now, SF_ADDRESS_CHALLENGE_NS_MIN);
        }
        return;
    }
    if (is_newest) {
        learn(addresses, from, bytes, random, now);
    }
}

bool
sf_addresses_answered(struct sf_addresses *addresses, const uint8_t token[SF_MESSAGE_TOKEN_BYTES])
{
    struct sf_address *learnt = &addresses->paths[SF_ADDRESS_LEARNT];

    /* Before the first challenge the token is a number nobody else has seen. */
    if (!learnt->is_set || addresses->challenges == 0 ||
        !sf_ct_equal(token, addresses->token, SF_MESSAGE_TOKEN_BYTES)) {
        return false;
    }
    addresses->paths[SF_ADDRESS_PROVEN] = *learnt;
    addresses->use = SF_ADDRESS_PROVEN;
    memset(learnt, 0, sizeof(*learnt));
    addresses->challenge_due = SF_NEVER;
    addresses->challenges = 0;
    return true;
}

void
sf_addresses_leave(struct sf_addresses *addresses)
{
    memset(&addresses->paths[SF_ADDRESS_PROVEN], 0, sizeof(addresses->paths[0]));
    memset(&addresses->paths[SF_ADDRESS_LEARNT], 0, sizeof(addresses->paths[0]));
    addresses->challenge_due = SF_NEVER;
    addresses->challenges = 0;
    if (addresses->use != SF_ADDRESS_ENDPOINT) {
        addresses->use = SF_ADDRESS_NONE;
    }
}

bool
sf_addresses_may_send(const struct sf_addresses *addresses, enum sf_address_path path, size_t bytes)
{
    const struct sf_address *p;

    if (path == SF_ADDRESS_NONE || !addresses->paths[path].is_set) {
        return false;
    }
    if (path != SF_ADDRESS_LEARNT) {
        return true;
    }
    p = &addresses->paths[path];
    return p->out_dgrams < p->in_dgrams && p->in_bytes - p->out_bytes >= bytes;
}

void
sf_addresses_sent(struct sf_addresses *addresses, enum sf_address_path path, size_t bytes)
{
    struct sf_address *p;

    sf_assert(path != SF_ADDRESS_NONE);
    p = &addresses->paths[path];
    p->out_bytes += bytes;
    p->out_dgrams++;
    sf_assert(path != SF_ADDRESS_LEARNT || p->out_bytes <= p->in_bytes);
}

void
sf_addresses_challenged(struct sf_addresses *addresses, sf_mono now)
{
    uint64_t wait = SF_ADDRESS_CHALLENGE_NS_MIN << addresses->challenges;

    addresses->challenges++;
    addresses->challenge_due =
        addresses->challenges < SF_ADDRESS_CHALLENGES_MAX ? sf_mono_add(now, wait) : SF_NEVER;
}

void
sf_addresses_try(struct sf_addresses *addresses, enum sf_address_path path)
{
    sf_assert(path == SF_ADDRESS_ENDPOINT || path == SF_ADDRESS_PROVEN);
    if (addresses->paths[path].is_set) {
        addresses->use = path;
    }
}

enum sf_address_path
sf_addresses_control(const struct sf_addresses *addresses)
{
    if (addresses->use != SF_ADDRESS_NONE) {
        return addresses->use;
    }
    return addresses->paths[SF_ADDRESS_LEARNT].is_set ? SF_ADDRESS_LEARNT : SF_ADDRESS_NONE;
}

bool
sf_addresses_trusts(const struct sf_addresses *addresses, const struct sf_addr *addr)
{
    return endpoint_of(addresses, addr) < addresses->endpoint_count ||
           is_at(&addresses->paths[SF_ADDRESS_PROVEN], addr);
}
