/*
 * cli_parts.h - into which transfers a `send` falls, by what its recipients have already.
 *
 * Recipients that have the same earlier version, which came to them by one transfer, share a
 * transfer of what changed; those that have none get the whole, in one of their own. `send` and
 * `estimate` ask here, so that the one says what the other does.
 */
#ifndef SF_APP_CLI_PARTS_H
#define SF_APP_CLI_PARTS_H

#include "app/bases.h"
#include "app/cli.h"
#include "app/submit_protocol.h"
#include "app/walk.h"

/* One transfer. */
struct sf_part {
    const char *recipients[SF_SUBMIT_RECIPIENTS_MAX];
    size_t recipient_count;
    struct sf_transfer_id by; /* where they got the base; zeros: there is none, or it is a file */
    struct sf_bases bases;    /* count 0: it goes for itself */
    bool is_found;            /* nobody asked for the base: without it the whole does as well */
};

struct sf_parts {
    struct sf_part list[SF_SUBMIT_RECIPIENTS_MAX];
    size_t count;
};

struct sf_parts_config {
    struct sf_cli *cli;
    struct sf_client *client;
    const struct sf_walk *walk;
    const char *base; /* of --base: a path, a transfer, "none"; NULL: what is found */
    const char *const *recipients;
    size_t recipient_count;              /* 0: there is only the base that was named */
    const struct sf_transfer_id *resume; /* or NULL */
};

/*
 * Make the parts, and open their bases; those of a file are not read yet. SF_EXIT_DONE, or another having said
 * why. The caller ends with sf_parts_fini() in every case.
 */
int sf_parts_make(const struct sf_parts_config *config, struct sf_parts *ret_parts);

/* Close what is open. Zeroed ones are allowed. */
void sf_parts_fini(struct sf_parts *parts);

#endif
