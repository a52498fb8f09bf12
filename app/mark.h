/*
 * mark.h - how datagrams to a peer look to the networks on the way, and
 * through which interface they leave.
 *
 * A DSCP (RFC 2474) by name or number; where the rate is found, also that the
 * path may mark instead of dropping (ECT(0), RFC 3168). The two and the
 * interface's index fit one number, which the engine carries for us with each
 * datagram.
 */
#ifndef SF_APP_MARK_H
#define SF_APP_MARK_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_MARK_INTERFACE_BYTES_MAX = 15, /* of a name, without the NUL */
    SF_MARK_TEXT_BYTES = 16,
    SF_MARK_DSCP_LE = 1, /* lower effort: RFC 8622 */
};

#define SF_MARK_DSCP_FORM      "a DSCP: le, cs0 to cs7, af11 to af43, va, ef, or 0 to 63"
#define SF_MARK_INTERFACE_FORM "the name of an interface, such as eth1, or none"

/* Parse a DSCP. SF_EFORMAT. */
SF_MUST_USE int sf_mark_dscp_parse(const char *text, uint8_t *ret_dscp);

/* "le", "af11", ...; the number of one without a name. */
void sf_mark_dscp_print(uint8_t dscp, char ret_text[SF_MARK_TEXT_BYTES]);

/* Whether `text` may name an interface; "none" becomes "". SF_EFORMAT. */
SF_MUST_USE int sf_mark_interface_parse(
    const char *text, char ret_name[SF_MARK_INTERFACE_BYTES_MAX + 1]);

/* What a datagram carries. Bound without an index: its interface is not there; it is not sent. */
struct sf_mark {
    uint8_t dscp;
    bool is_ect;   /* it may be marked on the way: whoever sends it slows down then */
    bool is_bound; /* to `index` */
    uint32_t index;
};

uint32_t sf_mark_encode(const struct sf_mark *mark);
struct sf_mark sf_mark_decode(uint32_t code);

#endif
