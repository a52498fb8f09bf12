/*
 * trace.h - what happened in a run, as one number and, on request, as text.
 *
 * Every event goes into the hash. Text costs far more, so it is made only while
 * somebody listens: a run that failed is played again for its trace.
 */
#ifndef SF_SIM_TRACE_H
#define SF_SIM_TRACE_H

#include "base/time.h"

#include <stddef.h>
#include <stdint.h>

enum { SF_TRACE_LINE_BYTES = 640 };

struct sf_trace {
    uint64_t hash;
    uint64_t events;
    void (*line)(void *context, const char *text); /* NULL: nobody listens */
    void *context;
};

void sf_trace_init(
    struct sf_trace *trace, void (*line)(void *context, const char *text), void *context);

/* Something that is told in words, which are part of the hash. */
__attribute__((format(printf, 3, 4))) void sf_trace_say(
    struct sf_trace *trace, sf_mono now, const char *format, ...);

/* Something that happens so often that it is counted in numbers; `kind` says what it is. */
void sf_trace_count(
    struct sf_trace *trace, sf_mono now, uint32_t kind, const uint64_t *numbers, size_t count);

/* Words for the listener alone, about what was just counted. */
__attribute__((format(printf, 3, 4))) void sf_trace_explain(
    struct sf_trace *trace, sf_mono now, const char *format, ...);

#endif
