/*
 * depot.h - memory for very many small things that stay for long.
 *
 * A simulated disk keeps a few hundred bytes of every bundle for as long as the
 * run takes. Were they taken from the heap, among the buffers of a megabyte that
 * nodes take and give back, they would pin the holes between them, and the heap
 * would grow although nothing is kept. Here they stand in slabs of their own,
 * which are used again for things of the same size and never given back. One for
 * the whole process; not thread-safe.
 */
#ifndef SF_SIM_DEPOT_H
#define SF_SIM_DEPOT_H

#include <stddef.h>

enum { SF_DEPOT_BYTES_MAX = 4224 };

/* 1 to SF_DEPOT_BYTES_MAX bytes, aligned to 16. Aborts without memory. */
void *sf_depot_take(size_t bytes);

/* Give back what was taken with this size. */
void sf_depot_give(void *memory, size_t bytes);

#endif
