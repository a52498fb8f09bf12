/*
 * plan.h - the contact plan of one peer, as the operator gave it: the file
 * peers/NAME.plan.
 *
 *     # ground stations 1 and 2, satellite 25544
 *     from = 1,2
 *     to = 25544
 *     gateway = 1=192.0.2.1:7272
 *     gateway = 2=gw.example:7272
 *     format = ion
 *     reference = 1795392000
 *     ---
 *     a contact +0 +600 1 25544 2500000
 *
 * `from` are the nodes of the plan that stand for this node, `to` those that
 * stand for the peer; each pair of them is a way. A gateway is where the peer
 * is reached by the ways of that node; other ways go to the peer's endpoint.
 * The plan itself follows the line ---, as ION or HDTN read it; `reference` is
 * what its relative times count from, in seconds since 1970.
 *
 * The daemon reads it at start, at SIGHUP and for PUT; the command line writes
 * it while no daemon runs, under the home's lock.
 */
#ifndef SF_APP_PLAN_H
#define SF_APP_PLAN_H

#include "app/error.h"
#include "app/home.h"
#include "app/peers.h"
#include "base/bytes.h"
#include "link/contact_ways.h"

enum {
    SF_PLAN_ENDS_MAX = 16,            /* nodes on each side; SF_CONTACT_WAYS_MAX pairs of them */
    SF_PLAN_GATEWAYS_MAX = 16,        /* of one peer */
    SF_PLAN_FILE_BYTES_MAX = 8 << 20, /* 65,536 contacts in the longest usual lines */
    SF_PLAN_HEAD_BYTES_MAX = 16 << 10,
    SF_PLAN_NONE = UINT32_MAX, /* a way without a gateway */
};

#define SF_PLAN_NODE_FORM    "a node of the plan, such as 25544, or several: 1,2"
#define SF_PLAN_GATEWAY_FORM "NODE=HOST:PORT, such as 1=192.0.2.1:7272"

struct sf_plan_gateway {
    char node[SF_CONTACT_NAME_BYTES];
    struct sf_endpoint endpoint;
};

struct sf_plan {
    struct sf_plan_gateway gateways[SF_PLAN_GATEWAYS_MAX];
    size_t gateway_count;
    uint32_t way_gateway[SF_CONTACT_WAYS_MAX]; /* index, or SF_PLAN_NONE */
    struct sf_contact_leg *legs;               /* in order of time */
    size_t leg_count;
};

/* Parse NODE=HOST:PORT. SF_EFORMAT. */
SF_MUST_USE int sf_plan_gateway_parse(const char *text, struct sf_plan_gateway *ret_gateway);

/*
 * Parse a plan file. `file` is for messages.
 *
 * Returns SF_OK, and the caller ends with sf_plan_fini(); SF_EFORMAT, SF_ELIMIT
 * or SF_ENOMEM with file, line, value and what is accepted in *error.
 */
SF_MUST_USE int sf_plan_parse(
    const char *file, struct sf_view text, struct sf_plan *ret_plan, struct sf_app_error *error);
void sf_plan_fini(struct sf_plan *plan);

/*
 * The text of peers/NAME.plan in fresh memory, or SF_ENOENT; errors as
 * sf_home_read_file(), SF_ENOMEM.
 */
SF_MUST_USE int sf_plan_read(const struct sf_home *home, const char *peer, uint8_t **ret_text,
    size_t *ret_bytes, struct sf_app_error *error);

/* Write or remove it, durably. Errors as sf_home_write_file() and sf_home_remove_file(). */
SF_MUST_USE int sf_plan_write(
    const struct sf_home *home, const char *peer, struct sf_view text, struct sf_app_error *error);
SF_MUST_USE int sf_plan_remove(
    const struct sf_home *home, const char *peer, struct sf_app_error *error);

/* Its name below the home. */
enum { SF_PLAN_PATH_BYTES = 128 };
void sf_plan_path(const char *peer, char ret_path[SF_PLAN_PATH_BYTES]);

#endif
