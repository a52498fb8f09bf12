#include "base/prng.h"

/* Golden-ratio increment of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static const uint64_t SPLITMIX_STEP = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t
splitmix(uint64_t *state)
{
    uint64_t z = *state += SPLITMIX_STEP;

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t
rotate_left(uint64_t value, unsigned int by)
{
    return value << by | value >> (64 - by);
}

void
sf_prng_init(struct sf_prng *prng, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        prng->state[i] = splitmix(&seed);
    }
}

void
sf_prng_init_stream(struct sf_prng *prng, uint64_t seed, uint64_t stream)
{
    uint64_t mixed = splitmix(&seed);

    mixed ^= splitmix(&stream);
    sf_prng_init(prng, mixed);
}

uint64_t
sf_prng_u64(struct sf_prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t
sf_prng_below(struct sf_prng *prng, uint64_t bound)
{
    uint64_t unfair; /* this many of the lowest values would come up once too often */
    uint64_t value;

    if (bound == 0) {
        return 0;
    }
    unfair = (UINT64_MAX - bound + 1) % bound;
    do {
        value = sf_prng_u64(prng);
    } while (value < unfair);
    return value % bound;
}

bool
sf_prng_chance(struct sf_prng *prng, uint32_t ppm)
{
    return sf_prng_below(prng, SF_PRNG_PPM) < ppm;
}

void
sf_prng_fill(struct sf_prng *prng, void *out, size_t bytes)
{
    uint8_t *to = out;

    /* Byte by byte from the low end, so the stream does not depend on the machine. */
    while (bytes > 0) {
        uint64_t value = sf_prng_u64(prng);

        for (size_t i = 0; i < 8 && bytes > 0; i++, bytes--) {
            *to++ = (uint8_t)(value >> (8 * i));
        }
    }
}

static void
fill(void *context, void *out, size_t bytes)
{
    sf_prng_fill(context, out, bytes);
}

struct sf_random
sf_prng_random(struct sf_prng *prng)
{
    return (struct sf_random){fill, prng};
}
