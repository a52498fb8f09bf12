/*
 * doctor.h - the checks of `skyferry doctor`.
 */
#ifndef SF_APP_DOCTOR_H
#define SF_APP_DOCTOR_H

#include "app/cli.h"

#include <jansson.h>
#include <stdbool.h>

enum sf_doctor_level {
    SF_DOCTOR_OK,
    SF_DOCTOR_NOTE, /* good to know */
    SF_DOCTOR_WARN, /* works, but worse than it could */
    SF_DOCTOR_FAIL, /* must be mended */
};

struct sf_doctor {
    struct sf_cli *cli;
    json_t *checks; /* for --json, else NULL and findings are printed at once */
    bool has_color;
    enum sf_doctor_level worst;
    /* What the checks of the node found for those of the machine. */
    uint64_t reserve_bytes;
    uint64_t rate_bps_max; /* towards the fastest peer */
};

/* Report one finding; `advice` says what to do, in lines, or is NULL. */
void sf_doctor_report(struct sf_doctor *doctor, enum sf_doctor_level level, const char *subject,
    const char *advice, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The home, its keys, settings and peers, and the daemon. */
void sf_doctor_node(struct sf_doctor *doctor);

/* Who of the peers answers, and what keeps the others; of `only`, or (NULL) of all. */
void sf_doctor_peers(struct sf_doctor *doctor, const char *only);

/* The disk, io_uring, the clock, the network and limits. */
void sf_doctor_machine(struct sf_doctor *doctor);

#endif
