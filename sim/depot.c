#include "sim/depot.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>

enum {
    STEP_BYTES = 32,
    SIZES = SF_DEPOT_BYTES_MAX / STEP_BYTES + 1,
    SLAB_BYTES = 1 << 18,
};

struct spare {
    struct spare *next;
};

struct slab {
    struct slab *next; /* so that a leak checker finds them all */
    size_t used;
    _Alignas(16) uint8_t bytes[];
};

static struct spare *spares[SIZES]; /* by size, in steps */
static struct slab *slabs;

static size_t
steps_of(size_t bytes)
{
    sf_assert(bytes > 0);
    sf_assert(bytes <= SF_DEPOT_BYTES_MAX);
    return (bytes + STEP_BYTES - 1) / STEP_BYTES;
}

void *
sf_depot_take(size_t bytes)
{
    size_t steps = steps_of(bytes);
    struct spare *spare = spares[steps];
    struct slab *slab = slabs;
    uint8_t *fresh;

    if (spare != NULL) {
        spares[steps] = spare->next;
        return spare;
    }
    if (slab == NULL || SLAB_BYTES - slab->used < steps * STEP_BYTES) {
        slab = malloc(sizeof(*slab) + SLAB_BYTES);
        sf_assert(slab != NULL);
        slab->next = slabs;
        slab->used = 0;
        slabs = slab;
    }
    fresh = slab->bytes + slab->used;
    slab->used += steps * STEP_BYTES;
    return fresh;
}

void
sf_depot_give(void *memory, size_t bytes)
{
    struct spare *spare = memory;
    size_t steps = steps_of(bytes);

    spare->next = spares[steps];
    spares[steps] = spare;
}
