#include "sim/memory.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/*
 * The linker (--wrap) gives these names to the C library's functions and takes
 * the others for calls of them. Weak: a program linked without it has none.
 */
/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_malloc(size_t bytes) __attribute__((weak));
void *__real_calloc(size_t count, size_t bytes) __attribute__((weak));
void *__real_realloc(void *memory, size_t bytes) __attribute__((weak));
void *__real_aligned_alloc(size_t align, size_t bytes) __attribute__((weak));
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
/* NOLINTEND(bugprone-reserved-identifier) */

static _Thread_local struct sf_sim_memory *account;

bool
sf_sim_memory_is_there(void)
{
    return __real_malloc != NULL;
}

struct sf_sim_memory *
sf_sim_memory_enter(struct sf_sim_memory *memory)
{
    struct sf_sim_memory *before = account;

    account = memory;
    return before;
}

static bool
has_run_out(void)
{
    uint64_t call;

    if (account == NULL) {
        return false;
    }
    call = account->calls++;
    if (call < account->fail_at || call - account->fail_at >= account->fails) {
        return false;
    }
    account->failed++;
    errno = ENOMEM;
    return true;
}

void *
__wrap_malloc(size_t bytes)
{
    return has_run_out() ? NULL : __real_malloc(bytes);
}

void *
__wrap_calloc(size_t count, size_t bytes)
{
    return has_run_out() ? NULL : __real_calloc(count, bytes);
}

void *
__wrap_realloc(void *memory, size_t bytes)
{
    return has_run_out() ? NULL : __real_realloc(memory, bytes);
}

void *
__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return has_run_out() ? NULL : __real_aligned_alloc(align, bytes);
}
