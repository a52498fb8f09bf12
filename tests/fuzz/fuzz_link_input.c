/*
 * fuzz_link_input.c - what strangers and copyists may send: the input is a row
 * of steps, each an op, a count and that many bytes.
 *
 *   0  the bytes as a datagram from a stranger
 *   1  the bytes as a datagram from the peer's address
 *   2  a datagram the peer sent (first byte which), from a stranger; further
 *      pairs of bytes change it (where, what)
 *   3  the same from the peer's address
 *   4  time passes, 2 to the first byte nanoseconds
 *   5  the engines talk to each other
 *
 * Whatever happens, the stranger gets no more bytes than it sent.
 */
#include "tests/fuzz/link_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct fixture fixture;

static void
give(struct fixture *f, bool is_stranger, uint8_t *dgram, size_t bytes)
{
    const struct sf_addr *from = is_stranger ? &f->stranger : &f->addrs[FIXTURE_PEER];

    f->stranger_in += is_stranger ? bytes : 0;
    sf_link_input(f->links[FIXTURE_OWN], from, dgram, bytes, f->now);
    fixture_pump(f, FIXTURE_OWN, false);
}

static void
give_copy(struct fixture *f, bool is_stranger, const uint8_t *data, size_t bytes)
{
    uint8_t dgram[1500];
    size_t which = data[0] % f->tape_count;
    size_t dgram_bytes = f->tape[which].bytes;

    memcpy(dgram, f->tape[which].data, dgram_bytes);
    for (size_t i = 1; i + 2 < bytes; i += 3) {
        dgram[sf_get_be16(data + i) % dgram_bytes] ^= data[i + 2];
    }
    give(f, is_stranger, dgram, dgram_bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fixture *f = &fixture;
    uint8_t dgram[256];

    fixture_open(f);
    while (bytes >= 2) {
        unsigned op = data[0] % 6;
        size_t count = data[1] < bytes - 2 ? data[1] : bytes - 2;

        data += 2;
        bytes -= 2;
        if (op <= 1) {
            memcpy(dgram, data, count);
            give(f, op == 0, dgram, count);
        } else if (op <= 3 && count > 0) {
            give_copy(f, op == 2, data, count);
        } else if (op == 4 && count > 0) {
            f->now += UINT64_C(1) << (data[0] % 48);
            fixture_pump(f, FIXTURE_OWN, false);
        } else if (op == 5) {
            fixture_pump(f, FIXTURE_PEER, true);
            fixture_pump(f, FIXTURE_OWN, true);
        }
        (void)sf_link_deadline(f->links[FIXTURE_OWN]);
        data += count;
        bytes -= count;
    }
    fixture_close(f);
    return 0;
}
