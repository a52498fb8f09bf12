#include "sim/trace.h"

#include "sim/image.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
sf_trace_init(struct sf_trace *trace, void (*line)(void *context, const char *text), void *context)
{
    *trace =
        (struct sf_trace){.hash = UINT64_C(0xcbf29ce484222325), .line = line, .context = context};
}

/* "    12.345678 ..."; returns where the words begin. */
static size_t
begin(char text[SF_TRACE_LINE_BYTES], sf_mono now)
{
    int bytes = snprintf(text, SF_TRACE_LINE_BYTES, "%8" PRIu64 ".%06" PRIu64 " ", now / SF_SEC,
        now % SF_SEC / SF_US);

    return bytes < 0 ? 0 : (size_t)bytes;
}

static void
mix(struct sf_trace *trace, const void *data, size_t bytes)
{
    trace->hash = sf_sim_hash(trace->hash, data, bytes);
}

/* Byte by byte from the lowest on: the same on every machine. */
static void
mix_number(struct sf_trace *trace, uint64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
    mix(trace, bytes, sizeof(bytes));
}

void
sf_trace_say(struct sf_trace *trace, sf_mono now, const char *format, ...)
{
    char text[SF_TRACE_LINE_BYTES];
    size_t words = begin(text, now);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + words, sizeof(text) - words, format, arguments);
    va_end(arguments);
    trace->events++;
    mix(trace, text, strlen(text));
    if (trace->line != NULL) {
        trace->line(trace->context, text);
    }
}

void
sf_trace_count(
    struct sf_trace *trace, sf_mono now, uint32_t kind, const uint64_t *numbers, size_t count)
{
    trace->events++;
    mix_number(trace, now);
    mix_number(trace, kind);
    for (size_t i = 0; i < count; i++) {
        mix_number(trace, numbers[i]);
    }
}

void
sf_trace_explain(struct sf_trace *trace, sf_mono now, const char *format, ...)
{
    char text[SF_TRACE_LINE_BYTES];
    size_t words;
    va_list arguments;

    if (trace->line == NULL) {
        return;
    }
    words = begin(text, now);
    va_start(arguments, format);
    vsnprintf(text + words, sizeof(text) - words, format, arguments);
    va_end(arguments);
    trace->line(trace->context, text);
}
