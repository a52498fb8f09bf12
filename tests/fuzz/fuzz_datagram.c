/*
 * fuzz_datagram.c - what an authentic but hostile peer may say: the input is a
 * row of plaintexts, each behind its length (u16), sealed with a session the
 * engine accepts. The highest bit of the length lets a second pass before it,
 * the next bit sends it on a session to the static key.
 */
#include "tests/fuzz/link_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct fixture fixture;

/* A session to the engine's static key, as the fallback opens it. */
static void
open_fallback(struct fixture *f)
{
    struct sf_peer *peer = f->links[FIXTURE_PEER]->peers[FIXTURE_OWN];

    peer->unanswered = 1;
    sf_peer_call(f->links[FIXTURE_PEER], peer, f->now);
    sf_assert(peer->opening.which == SF_OUT_STATIC);
    sf_link_input(f->links[FIXTURE_OWN], &f->addrs[FIXTURE_PEER], peer->opening.dgram,
        SF_OPENER_BYTES, f->now);
    fixture_pump(f, FIXTURE_OWN, false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fixture *f = &fixture;
    uint8_t dgram[1500];
    struct sf_session_out *outs;
    bool has_fallback = false;

    fixture_open(f);
    outs = f->links[FIXTURE_PEER]->peers[FIXTURE_OWN]->out;
    while (bytes >= 2) {
        unsigned head = sf_get_be16(data);
        size_t plain = head & 0x0fff;
        enum sf_out out = (head & 0x4000) != 0 ? SF_OUT_STATIC : SF_OUT_DATA;
        uint64_t counter;

        data += 2;
        bytes -= 2;
        plain = plain < bytes ? plain : bytes;
        plain = plain < 1400 ? plain : 1400;
        if (out == SF_OUT_STATIC && !has_fallback) {
            open_fallback(f);
            has_fallback = true;
        }
        if (!outs[out].is_open) {
            break;
        }
        f->now += (head & 0x8000) != 0 ? SF_SEC : 10 * SF_US;
        memcpy(dgram + SF_SESSION_HEAD_BYTES, data, plain);
        sf_assert(sf_session_seal(&outs[out], dgram, plain, &counter) == SF_OK);
        sf_link_input(f->links[FIXTURE_OWN], &f->addrs[FIXTURE_PEER], dgram,
            plain + SF_SESSION_OVERHEAD_BYTES, f->now);
        fixture_pump(f, FIXTURE_OWN, false);
        (void)sf_link_deadline(f->links[FIXTURE_OWN]);
        data += plain;
        bytes -= plain;
    }
    fixture_close(f);
    return 0;
}
