/*
 * whatif.h - what becomes of a scenario: when the file is there, in how many
 * contacts, at which goodput, or why never.
 *
 * sf_whatif_run() lets the engines that ship play it out in virtual time;
 * sf_fluid_estimate() (fluid.h) fills the same result from a model. Memory for
 * the result does not grow with the time that is simulated; the disks of the
 * nodes stand in memory and do grow with the file, by little if hollow.h was
 * chosen before. Times are on the scenario's clock, in nanoseconds from its zero.
 */
#ifndef SF_SIM_WHATIF_H
#define SF_SIM_WHATIF_H

#include "base/time.h"
#include "sim/scenario.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_WHATIF_SAMPLES_MAX = 512,
    SF_WHATIF_CONTACTS_MAX = 4096, /* rows of the table, over all receivers */
    SF_WHATIF_TEXT_BYTES = 512,
};

enum sf_whatif_outcome {
    SF_WHATIF_DELIVERED, /* to every receiver */
    SF_WHATIF_LATE,      /* not within the time of the scenario */
    SF_WHATIF_NEVER,     /* proven: more time would not help, or a node gave up */
};

/* Sums over all receivers since the order, as they stand at `at`. */
struct sf_whatif_sample {
    sf_mono at;
    uint64_t sent_bytes;     /* IP bytes towards the receivers */
    uint64_t returned_bytes; /* IP bytes of the other direction */
    uint64_t sent_datagrams; /* the same, counted one by one */
    uint64_t lost_datagrams; /* of these: lost, dropped by a queue, damaged */
    uint64_t dark_datagrams; /* of these: sent while there was no contact */
    uint64_t data_bytes;     /* segment bytes sent, first time and again */
    uint64_t resent_bytes;   /* of these: again */
    uint64_t custody_bytes;  /* plaintext bytes sealed and durable at the sender */
    uint64_t received_bytes[SF_SCENARIO_RECEIVERS_MAX];  /* new segment bytes, each receiver */
    uint64_t delivered_bytes[SF_SCENARIO_RECEIVERS_MAX]; /* plaintext verified on its disk */
};

/* A contact of the way to one receiver, as far as it was used. */
struct sf_whatif_contact {
    unsigned receiver;
    sf_mono start;
    sf_mono end;         /* SF_NEVER: it does not end */
    uint64_t sent_bytes; /* IP bytes */
    uint64_t sent_datagrams;
    uint64_t lost_datagrams;
    uint64_t received_bytes; /* new segment bytes of what was sent in it */
    uint64_t resent_bytes;   /* segment bytes sent again in it */
    bool is_needed;          /* it began before the file was there */
};

struct sf_whatif_receiver {
    bool is_delivered;
    bool is_confirmed;    /* the sender has the signed FINAL */
    sf_mono delivered_at; /* the file stands in the inbox */
    sf_mono confirmed_at;
    uint64_t received_bytes;        /* new segment bytes */
    uint64_t compared_bytes;        /* of the delivered file, equal to the source; 0 in estimates */
    uint64_t contacts;              /* begun before it was delivered */
    uint64_t contacts_wasted;       /* of these: nothing new arrived */
    char why[SF_WHATIF_TEXT_BYTES]; /* it is not delivered; else "" */
};

struct sf_whatif {
    enum sf_whatif_outcome outcome;
    bool is_estimate;
    char why[SF_WHATIF_TEXT_BYTES]; /* LATE and NEVER: a sentence; else "" */
    sf_mono begin;                  /* the order */
    sf_mono custody_at;             /* SF_NEVER: it never was */
    sf_mono end;                    /* everything confirmed, or given up */
    uint64_t plain_bytes;
    uint64_t sealed_bytes; /* of all bundles, to each receiver */
    uint64_t bundles;
    uint32_t class_bytes;
    struct sf_whatif_receiver receivers[SF_SCENARIO_RECEIVERS_MAX];
    size_t receiver_count;
    struct sf_whatif_sample samples[SF_WHATIF_SAMPLES_MAX]; /* the first is at `begin` */
    size_t sample_count;
    struct sf_whatif_contact contacts[SF_WHATIF_CONTACTS_MAX]; /* in the order of their start */
    size_t contact_count;
    uint64_t contacts_cut; /* did not fit any more */
};

struct sf_whatif_progress {
    /* Called with every sample; `share_ppm` of the file has arrived. Returns false to give up. */
    bool (*tick)(void *context, sf_mono now, uint32_t share_ppm);
    void *context;
};

/*
 * Play out a checked `scenario` with the engines. `progress` may be NULL. Aborts
 * without memory. Returns SF_OK and the result; SF_ESTATE if `progress` gave up.
 */
SF_MUST_USE int sf_whatif_run(const struct sf_scenario *scenario,
    const struct sf_whatif_progress *progress, struct sf_whatif *ret_result);

/* Bits of plaintext a second, from the order to the last delivery; 0 if one is missing. */
uint64_t sf_whatif_goodput_bps(const struct sf_whatif *result);

#endif
