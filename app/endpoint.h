/*
 * endpoint.h - where a node is reached, as people write it: HOST:PORT, one or several.
 */
#ifndef SF_APP_ENDPOINT_H
#define SF_APP_ENDPOINT_H

#include "base/status.h"
#include "link/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_ENDPOINT_HOST_BYTES_MAX = 253,
    SF_ENDPOINT_BYTES_MAX = SF_ENDPOINT_HOST_BYTES_MAX + 8, /* [host]:port */
    SF_ENDPOINTS_MAX = 4,
    SF_ENDPOINTS_BYTES_MAX = SF_ENDPOINTS_MAX * (SF_ENDPOINT_BYTES_MAX + 2), /* ", " between them */
};

#define SF_ENDPOINT_FORM  "HOST:PORT, such as 192.0.2.7:7272, [2001:db8::7]:7272 or sat.example:7272"
#define SF_ENDPOINTS_FORM SF_ENDPOINT_FORM ", or up to four of them with commas between"

/* A numeric address or a name to be looked up. */
struct sf_endpoint {
    char host[SF_ENDPOINT_HOST_BYTES_MAX + 1]; /* without brackets; "" = nowhere */
    uint16_t port;
};

/* In the order to try them, no two alike. */
struct sf_endpoints {
    struct sf_endpoint list[SF_ENDPOINTS_MAX];
    size_t count;
};

/*
 * Parse and print HOST:PORT. Brackets are needed around an IPv6 address. Port
 * 0 is refused. SF_EFORMAT; nothing is looked up. "none" and "" mean nowhere.
 */
SF_MUST_USE int sf_endpoint_parse(const char *text, struct sf_endpoint *ret_endpoint);
void sf_endpoint_print(
    const struct sf_endpoint *endpoint, char ret_text[SF_ENDPOINT_BYTES_MAX + 1]);

/* Whether the host is an address as it stands; then no look-up is needed. */
bool sf_endpoint_numeric(const struct sf_endpoint *endpoint, struct sf_addr *ret_addr);

bool sf_endpoint_equal(const struct sf_endpoint *a, const struct sf_endpoint *b);

/* The same of a list with commas, blanks around them; "none" and "" are an empty one. SF_EFORMAT. */
SF_MUST_USE int sf_endpoints_parse(const char *text, struct sf_endpoints *ret_endpoints);
void sf_endpoints_print(
    const struct sf_endpoints *endpoints, char ret_text[SF_ENDPOINTS_BYTES_MAX + 1]);

#endif
