/*
 * test_address.c - where a peer may be sent what.
 */
#include "tests/unit/check.h"

#include "base/crypto.h"
#include "base/prng.h"
#include "link/address.h"

static struct sf_prng prng;
static struct sf_random random_source;
static struct sf_addresses addresses;
static const sf_mono now = 5 * SF_SEC;

static void
load(void)
{
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    sf_prng_init(&prng, 3);
    random_source = sf_prng_random(&prng);
    sf_addresses_init(&addresses);
}

static struct sf_addr
at(uint16_t port)
{
    return sf_addr_v4(0xc0000201, port);
}

static void
hear(uint16_t port, size_t bytes, bool is_newest)
{
    struct sf_addr from = at(port);

    sf_addresses_heard(&addresses, &from, bytes, is_newest, &random_source, now);
}

static void
test_nowhere(void)
{
    load();
    CHECK_EQ(sf_addresses_control(&addresses), SF_ADDRESS_NONE);
    CHECK(!sf_addresses_may_send(&addresses, SF_ADDRESS_NONE, 1));
    CHECK(!sf_addresses_may_send(&addresses, SF_ADDRESS_ENDPOINT, 1));
    CHECK_EQ(addresses.challenge_due, SF_NEVER);
}

static void
test_learnt_budget(void)
{
    load();
    hear(1, 1000, true);
    CHECK_EQ(sf_addresses_control(&addresses), SF_ADDRESS_LEARNT);
    CHECK_EQ(addresses.use, SF_ADDRESS_NONE);
    CHECK_EQ(addresses.challenge_due, now);
    CHECK(!sf_addresses_may_send(&addresses, SF_ADDRESS_LEARNT, 1001));
    CHECK(sf_addresses_may_send(&addresses, SF_ADDRESS_LEARNT, 1000));
    sf_addresses_sent(&addresses, SF_ADDRESS_LEARNT, 600);
    /* One datagram came in: one may go out, however short. */
    CHECK(!sf_addresses_may_send(&addresses, SF_ADDRESS_LEARNT, 1));
    hear(1, 50, false);
    CHECK(sf_addresses_may_send(&addresses, SF_ADDRESS_LEARNT, 450));
    CHECK(!sf_addresses_may_send(&addresses, SF_ADDRESS_LEARNT, 451));
}

static void
test_proof(void)
{
    uint8_t token[SF_MESSAGE_TOKEN_BYTES];

    load();
    hear(1, 1000, true);
    memcpy(token, addresses.token, sizeof(token));
    /* A token that was not sent yet proves nothing. */
    CHECK(!sf_addresses_answered(&addresses, token));
    sf_addresses_challenged(&addresses, now);
    token[0] ^= 1;
    CHECK(!sf_addresses_answered(&addresses, token));
    token[0] ^= 1;
    CHECK(sf_addresses_answered(&addresses, token));
    CHECK_EQ(addresses.use, SF_ADDRESS_PROVEN);
    CHECK(sf_addresses_may_send(&addresses, SF_ADDRESS_PROVEN, 1000000));
    CHECK(!sf_addresses_answered(&addresses, token));
    CHECK_EQ(addresses.challenge_due, SF_NEVER);
}

static void
test_old_token(void)
{
    uint8_t token[SF_MESSAGE_TOKEN_BYTES];

    load();
    hear(1, 1000, true);
    sf_addresses_challenged(&addresses, now);
    memcpy(token, addresses.token, sizeof(token));
    hear(2, 1000, true); /* another address: another token */
    sf_addresses_challenged(&addresses, now);
    CHECK(!sf_addresses_answered(&addresses, token));
    CHECK_EQ(addresses.use, SF_ADDRESS_NONE);
}

static void
test_bulk_stays(void)
{
    struct sf_addr endpoint = at(9);

    load();
    sf_addresses_set_endpoints(&addresses, &endpoint, 1);
    CHECK_EQ(addresses.use, SF_ADDRESS_ENDPOINT);
    hear(1, 1000, true);
    CHECK_EQ(addresses.use, SF_ADDRESS_ENDPOINT);
    sf_addresses_challenged(&addresses, now);
    CHECK(sf_addresses_answered(&addresses, addresses.token));
    CHECK_EQ(addresses.use, SF_ADDRESS_PROVEN);
    hear(9, 100, true);
    CHECK_EQ(addresses.use, SF_ADDRESS_ENDPOINT);
    hear(1, 100, false); /* what comes late moves nothing */
    CHECK_EQ(addresses.use, SF_ADDRESS_ENDPOINT);
    hear(1, 100, true);
    CHECK_EQ(addresses.use, SF_ADDRESS_PROVEN);
}

static void
test_late_learns_nothing(void)
{
    load();
    hear(1, 1000, false);
    CHECK_EQ(sf_addresses_control(&addresses), SF_ADDRESS_NONE);
}

static void
test_challenges_end(void)
{
    sf_mono last = 0;
    unsigned count = 0;

    load();
    hear(1, 1000, true);
    while (addresses.challenge_due != SF_NEVER) {
        CHECK(addresses.challenge_due >= last);
        last = addresses.challenge_due;
        sf_addresses_challenged(&addresses, last);
        count++;
    }
    CHECK_EQ(count, SF_ADDRESS_CHALLENGES_MAX);
    hear(1, 100, true);
    CHECK(addresses.challenge_due != SF_NEVER);
}

static void
test_endpoint_taken_away(void)
{
    struct sf_addr endpoint = at(9);

    load();
    sf_addresses_set_endpoints(&addresses, &endpoint, 1);
    CHECK(sf_addresses_trusts(&addresses, &endpoint));
    sf_addresses_set_endpoints(&addresses, NULL, 0);
    CHECK_EQ(sf_addresses_control(&addresses), SF_ADDRESS_NONE);
    CHECK(!sf_addresses_trusts(&addresses, &endpoint));
}

static void
test_several_endpoints(void)
{
    const struct sf_addr endpoints[] = {at(7), at(8), at(9)};
    const struct sf_addr fewer[] = {at(5), at(8)};
    const struct sf_addr *current = &addresses.paths[SF_ADDRESS_ENDPOINT].addr;

    load();
    sf_addresses_set_endpoints(&addresses, endpoints, 3);
    CHECK(sf_addr_equal(current, &endpoints[0]));
    for (unsigned i = 1; i < 7; i++) {
        sf_addresses_turn(&addresses);
        CHECK(sf_addr_equal(current, &endpoints[i % 3]));
        CHECK_EQ(addresses.use, SF_ADDRESS_ENDPOINT);
    }
    for (unsigned i = 0; i < 3; i++) {
        CHECK(sf_addresses_trusts(&addresses, &endpoints[i]));
    }
    /* The one that speaks is the one in use, without a challenge; what comes late moves nothing. */
    hear(9, 100, true);
    CHECK(sf_addr_equal(current, &endpoints[2]));
    hear(8, 100, false);
    CHECK(sf_addr_equal(current, &endpoints[2]));
    hear(8, 100, true);
    CHECK(sf_addr_equal(current, &endpoints[1]));
    CHECK_EQ(addresses.challenge_due, SF_NEVER);
    /* It stays so if the operator goes on naming it. */
    sf_addresses_set_endpoints(&addresses, fewer, 2);
    CHECK(sf_addr_equal(current, &endpoints[1]));
    CHECK(!sf_addresses_trusts(&addresses, &endpoints[0]));
    sf_addresses_set_endpoints(&addresses, fewer, 1);
    CHECK(sf_addr_equal(current, &fewer[0]));
    sf_addresses_turn(&addresses);
    CHECK(sf_addr_equal(current, &fewer[0]));
}

CHECK_MAIN("address", {"a peer nobody heard of is nowhere", test_nowhere},
    {"a learnt address gets no more bytes and datagrams than it brought", test_learnt_budget},
    {"an answered challenge proves the address it was sent to", test_proof},
    {"the token of another address proves nothing", test_old_token},
    {"bulk stays where it is until the new address is proven", test_bulk_stays},
    {"a datagram that was overtaken teaches no address", test_late_learns_nothing},
    {"challenges grow rarer and end until the address speaks again", test_challenges_end},
    {"an endpoint can be taken away", test_endpoint_taken_away},
    {"of several endpoints each has its turn, and the one that speaks stays",
        test_several_endpoints})
