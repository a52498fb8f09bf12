/*
 * when.h - moments, as people write them.
 */
#ifndef SF_APP_WHEN_H
#define SF_APP_WHEN_H

#include "base/status.h"
#include "base/time.h"

#define SF_WHEN_FORM "a date in UTC, such as 2026-12-24T18:00Z, or a span from now, such as +6h"

/*
 * Parse a date in UTC (with a time or without, a Z behind it or not), seconds
 * since 1970, or, behind a plus, a span from `now`. SF_EFORMAT; also for moments before 1970.
 */
SF_MUST_USE int sf_when_parse(const char *text, struct sf_wall now, struct sf_wall *ret_when);

#endif
