/*
 * track.h - following a transfer at the daemon: asking, drawing how far it
 * is, and judging how it ended.
 */
#ifndef SF_APP_TRACK_H
#define SF_APP_TRACK_H

#include "app/cli.h"
#include "app/progress.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SF_TRACK_RECIPIENTS_MAX = 32,
    SF_TRACK_ID_BYTES = 33, /* of a transfer's id as text, with the NUL */
};

#define SF_TRACK_STEP_NS      (250 * SF_MS)  /* between two looks, if nothing happens */
#define SF_TRACK_STEP_MIN_NS  (5 * SF_MS)    /* ... and if very much does */
#define SF_TRACK_STALL_NS     (5 * SF_SEC)   /* then a standstill is said */
#define SF_TRACK_RECONNECT_NS (300 * SF_SEC) /* how long a lost daemon is waited for */

/* What is drawn. Zero it; set `screen.out`. */
struct sf_track {
    struct sf_screen screen;
    struct sf_meter seal;
    struct {
        uint64_t bytes; /* as far as it had come */
        sf_mono at;     /* when that last changed */
    } recipients[SF_TRACK_RECIPIENTS_MAX];
    bool knows_events;
    uint64_t event_next; /* of the daemon's events: the one to wait for */
};

/*
 * Draw the state of `transfer` (an object of docs/CONTROL.md), replacing what
 * was drawn before: how far sealing is, and with `each` every recipient.
 */
void sf_track_draw(struct sf_track *track, const struct sf_cli *cli, const json_t *transfer,
    bool each, sf_mono now);

/* GET one transfer by its id or a beginning of it. As sf_client_do(); the reference is new. */
SF_MUST_USE int sf_track_get(
    struct sf_client *client, const char *id, json_t **ret_transfer, struct sf_client_error *error);

/* Whether nothing will change any more: done, failed or cancelled. */
bool sf_track_is_ended(const json_t *transfer);

/*
 * The exit code of a transfer as it stands: DONE only when every recipient has
 * signed for the whole; NOT_YET while it is open; INTEGRITY, REFUSED or FAILED.
 */
enum sf_exit sf_track_exit(const json_t *transfer);

/* Say on standard error how an ended transfer ended, and for whom. */
void sf_track_say_end(const struct sf_cli *cli, const json_t *transfer);

/* Sealed bytes in all (at most, while sealing goes on), 0 if not known. */
uint64_t sf_track_sealed_bytes(const json_t *transfer);

/* The monotonic clock. */
sf_mono sf_track_now(void);

/*
 * Let SIGINT, SIGTERM and SIGHUP end waiting instead of the program, so that it
 * can say what becomes of the transfer.
 */
void sf_track_catch_signals(void);
/* The signal that came, or 0. */
int sf_track_signal(void);
/* Sleep; returns early when a signal comes. */
void sf_track_sleep(uint64_t span_ns);

/*
 * Wait between two looks: until something happens at the daemon that had not when
 * this was last called, or for SF_TRACK_STEP_NS. So an end is seen at once, and a
 * transfer in which nothing happens is not asked for all the time. The first call
 * only finds out where the daemon's events stand, and returns.
 */
void sf_track_wait(struct sf_track *track, struct sf_client *client);

#endif
