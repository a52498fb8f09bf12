/*
 * limit.h - ceilings that peers share: `limit = 20Mbit on eth1 from 08:00 to
 * 18:00` in the config.
 *
 * Without `on` it counts for all peers, else for those bound to the interface.
 * Without hours it always holds; hours are of the local day, the second not
 * included, and may reach over midnight.
 */
#ifndef SF_APP_LIMIT_H
#define SF_APP_LIMIT_H

#include "app/mark.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { SF_LIMIT_MINUTES = 24 * 60 };

#define SF_LIMIT_FORM                                                                              \
    "RATE [on INTERFACE] [from HH:MM to HH:MM], such as 20Mbit on eth1 from 08:00 to 18:00; "      \
    "rates "                                                                                       \
    "from 1kbit to 100Gbit"

struct sf_limit {
    uint64_t rate_bps;
    char interface[SF_MARK_INTERFACE_BYTES_MAX + 1]; /* "" = all peers */
    bool has_hours;
    uint16_t from_minute, to_minute; /* of the day, [from, to) */
};

/* SF_OK or SF_EFORMAT. */
SF_MUST_USE int sf_limit_parse(const char *text, struct sf_limit *ret_limit);

/* Whether it holds at `minute` of the local day. */
bool sf_limit_holds(const struct sf_limit *limit, unsigned minute);

#endif
