/*
 * when.c - dates and spans.
 */
#include "app/when.h"

#include "app/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MS = 1000 };

static int
parse_seconds(const char *text, struct sf_wall *ret_when)
{
    char *last;
    long long seconds;

    errno = 0;
    seconds = strtoll(text, &last, 10);
    if (*text < '0' || *text > '9' || *last != '\0' || errno != 0 || seconds > INT64_MAX / MS) {
        return SF_EFORMAT;
    }
    ret_when->ms = seconds * MS;
    return SF_OK;
}

static int
parse_span(const char *text, struct sf_wall now, struct sf_wall *ret_when)
{
    uint64_t span_ns;

    if (sf_units_duration_parse(text, &span_ns) != SF_OK) {
        return SF_EFORMAT;
    }
    ret_when->ms = now.ms + (int64_t)(span_ns / SF_MS);
    return SF_OK;
}

int
sf_when_parse(const char *text, struct sf_wall now, struct sf_wall *ret_when)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

    if (*text == '+') {
        return parse_span(text + 1, now, ret_when);
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);

        if (end != NULL && *end == 'Z') {
            end++;
        }
        if (end != NULL && *end == '\0' && parts.tm_year >= 70) {
            ret_when->ms = (int64_t)timegm(&parts) * MS;
            return SF_OK;
        }
    }
    return parse_seconds(text, ret_when);
}
