/*
 * memory.h - allocations of a simulated node that fail, as if memory had run out.
 *
 * The engines call malloc(), calloc(), realloc() and aligned_alloc(). In programs
 * that are linked with SIM_MEMORY_WRAP (sim/local.mk) these come here first,
 * and fail as the node's account says while one of its calls is being made.
 * Elsewhere, and in libraries that allocate by themselves, nothing changes.
 */
#ifndef SF_SIM_MEMORY_H
#define SF_SIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct sf_sim_memory {
    uint64_t calls;   /* allocations so far */
    uint64_t fail_at; /* the first call that fails, */
    uint64_t fails;   /* ... and how many from it on do */
    uint64_t failed;  /* so far */
};

/* Whether this program was linked so that allocations can fail. */
bool sf_sim_memory_is_there(void);

/*
 * From now on allocations of this thread count in `memory` and fail by it; NULL:
 * none do. Returns what held before, to be given back. `memory` stays the caller's.
 */
struct sf_sim_memory *sf_sim_memory_enter(struct sf_sim_memory *memory);

#endif
