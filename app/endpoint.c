/*
 * endpoint.c - HOST:PORT, and lists of them.
 */
#include "app/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { PORT_DIGITS_MAX = 5 };

static bool
is_host_name(const char *host)
{
    size_t bytes =
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");

    return bytes > 0 && host[bytes] == '\0' && host[0] != '-' && host[0] != '.';
}

static bool
parse_port(const char *text, uint16_t *ret_port)
{
    uint32_t port = 0;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > PORT_DIGITS_MAX || text[digits] != '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        port = port * 10 + (uint32_t)(*text - '0');
    }
    if (port == 0 || port > UINT16_MAX) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

int
sf_endpoint_parse(const char *text, struct sf_endpoint *ret_endpoint)
{
    struct sf_endpoint endpoint = {.port = 0};
    const char *colon = strrchr(text, ':');
    struct in6_addr ip6;
    size_t bytes;

    if (*text == '\0' || strcmp(text, "none") == 0) {
        *ret_endpoint = endpoint;
        return SF_OK;
    }
    if (colon == NULL || !parse_port(colon + 1, &endpoint.port)) {
        return SF_EFORMAT;
    }
    bytes = (size_t)(colon - text);
    if (*text == '[') {
        if (bytes < 2 || text[bytes - 1] != ']' || bytes - 2 > SF_ENDPOINT_HOST_BYTES_MAX) {
            return SF_EFORMAT;
        }
        memcpy(endpoint.host, text + 1, bytes - 2);
        if (inet_pton(AF_INET6, endpoint.host, &ip6) != 1) {
            return SF_EFORMAT;
        }
    } else {
        if (bytes > SF_ENDPOINT_HOST_BYTES_MAX) {
            return SF_EFORMAT;
        }
        memcpy(endpoint.host, text, bytes);
        if (!is_host_name(endpoint.host)) {
            return SF_EFORMAT;
        }
    }
    *ret_endpoint = endpoint;
    return SF_OK;
}

void
sf_endpoint_print(const struct sf_endpoint *endpoint, char ret_text[SF_ENDPOINT_BYTES_MAX + 1])
{
    bool is_v6 = strchr(endpoint->host, ':') != NULL;

    if (endpoint->host[0] == '\0') {
        memcpy(ret_text, "none", sizeof("none"));
        return;
    }
    (void)snprintf(ret_text, SF_ENDPOINT_BYTES_MAX + 1, "%s%s%s:%u", is_v6 ? "[" : "",
        endpoint->host, is_v6 ? "]" : "", (unsigned)endpoint->port);
}

bool
sf_endpoint_numeric(const struct sf_endpoint *endpoint, struct sf_addr *ret_addr)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, endpoint->host, &v4) == 1) {
        *ret_addr = sf_addr_v4(ntohl(v4.s_addr), endpoint->port);
        return true;
    }
    if (inet_pton(AF_INET6, endpoint->host, &v6) == 1) {
        memcpy(ret_addr->ip, &v6, sizeof(ret_addr->ip));
        ret_addr->port = endpoint->port;
        return true;
    }
    return false;
}

bool
sf_endpoint_equal(const struct sf_endpoint *a, const struct sf_endpoint *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* --- Several ---------------------------------------------------------------------- */

/* The piece of a list from `text` on up to its comma or end, blanks around it taken off. */
static bool
cut_piece(const char *text, char ret_piece[SF_ENDPOINT_BYTES_MAX + 1])
{
    size_t bytes;

    text += strspn(text, " \t");
    bytes = strcspn(text, ",");
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t')) {
        bytes--;
    }
    if (bytes == 0 || bytes > SF_ENDPOINT_BYTES_MAX) {
        return false;
    }
    memcpy(ret_piece, text, bytes);
    ret_piece[bytes] = '\0';
    return true;
}

static bool
has(const struct sf_endpoints *endpoints, const struct sf_endpoint *endpoint)
{
    bool is_there = false;

    for (size_t i = 0; i < endpoints->count; i++) {
        is_there |= sf_endpoint_equal(&endpoints->list[i], endpoint);
    }
    return is_there;
}

int
sf_endpoints_parse(const char *text, struct sf_endpoints *ret_endpoints)
{
    struct sf_endpoints endpoints = {.count = 0};
    const char *at = text;

    if (*text == '\0' || strcmp(text, "none") == 0) {
        *ret_endpoints = endpoints;
        return SF_OK;
    }
    while (at != NULL) {
        char piece[SF_ENDPOINT_BYTES_MAX + 1];
        struct sf_endpoint endpoint;

        if (endpoints.count == SF_ENDPOINTS_MAX || !cut_piece(at, piece) ||
            sf_endpoint_parse(piece, &endpoint) != SF_OK || endpoint.host[0] == '\0' ||
            has(&endpoints, &endpoint)) {
            return SF_EFORMAT;
        }
        endpoints.list[endpoints.count++] = endpoint;
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    *ret_endpoints = endpoints;
    return SF_OK;
}

void
sf_endpoints_print(const struct sf_endpoints *endpoints, char ret_text[SF_ENDPOINTS_BYTES_MAX + 1])
{
    size_t bytes = 0;

    (void)snprintf(ret_text, SF_ENDPOINTS_BYTES_MAX + 1, "none");
    for (size_t i = 0; i < endpoints->count; i++) {
        char one[SF_ENDPOINT_BYTES_MAX + 1];

        sf_endpoint_print(&endpoints->list[i], one);
        bytes += (size_t)snprintf(
            ret_text + bytes, SF_ENDPOINTS_BYTES_MAX + 1 - bytes, "%s%s", i > 0 ? ", " : "", one);
    }
}
