/*
 * path_mtu.h - the largest datagram that one path takes, found by trying.
 *
 * After RFC 8899 (DPLPMTUD): bulk goes in datagrams of a size that came through
 * before; larger ones are tried by probes, which carry nothing that would be
 * missed, one in a round trip. It begins with the floor, which every path must
 * take because openers have that size; tries the largest first, and then halves
 * what lies between the largest that came through and the smallest that did
 * not. Ten minutes after it has settled it tries the largest again.
 *
 * A path may come to take less than it did. Then nothing of that size comes
 * through while small datagrams do: the caller notices, and the search begins
 * anew from the floor, at which bulk goes on meanwhile. What routers say
 * about sizes (ICMP) is not listened to: anybody could say it.
 *
 * All sizes are UDP payloads. Arithmetic only; one for each address of a peer.
 */
#ifndef SF_LINK_PATH_MTU_H
#define SF_LINK_PATH_MTU_H

#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_PATH_MTU_FLOOR = 1200, /* that of an opener */
    SF_PATH_MTU_TRIES = 3,    /* as many probes of one size may be lost by chance */
    SF_PATH_MTU_PART = 64,    /* who knows the size to one part of so many has found it */
};

#define SF_PATH_MTU_RAISE_NS (600 * SF_SEC) /* RFC 8899's PMTU_RAISE_TIMER */

struct sf_path_mtu {
    size_t bytes;   /* came through, or the floor: what bulk may use */
    size_t top;     /* larger ones are not tried */
    size_t failed;  /* the smallest that did not come through; above top: none */
    bool is_narrow; /* not even the floor comes through */
    size_t probe;   /* the size being tried; 0 = none */
    unsigned lost;  /* its probes that were lost */
    unsigned sent;  /* its probes */
    uint64_t numbers[SF_PATH_MTU_TRIES]; /* of the last of these; late answers count too */
    sf_mono probed_at;                   /* when the last left; SF_NEVER: none is on its way */
    sf_mono due;                         /* when there is something to do */
};

/* A path of which nothing is known. `top` is at least the floor. */
void sf_path_mtu_init(struct sf_path_mtu *mtu, size_t top, sf_mono now);

/* When a probe is to go, or the one on its way counts as lost; SF_NEVER: nothing is left to try. */
sf_mono sf_path_mtu_deadline(const struct sf_path_mtu *mtu);

/*
 * Let time pass. `heard` is when the peer was heard last: a probe sent into the
 * dark tells nothing. Returns the size of a probe that is to go now; 0 = none.
 */
size_t sf_path_mtu_tick(struct sf_path_mtu *mtu, sf_mono heard, sf_mono now);

/* The probe that tick asked for left as `number`, used once; it counts as lost at `lost_at`. */
void sf_path_mtu_probed(struct sf_path_mtu *mtu, uint64_t number, sf_mono lost_at, sf_mono now);

/* The peer says that probe `number` came through. Whether it was one of this path. */
bool sf_path_mtu_answered(struct sf_path_mtu *mtu, uint64_t number, sf_mono now);

/* The own host says that a datagram of `bytes` is too large for it. */
void sf_path_mtu_refused(struct sf_path_mtu *mtu, size_t bytes, sf_mono now);

/*
 * Nothing came back of what went last, for whatever reason: before as much goes
 * out once more, be sure that the size in use still comes through.
 */
void sf_path_mtu_doubt(struct sf_path_mtu *mtu, sf_mono now);

/*
 * Datagrams of the size in use do not come through any more, others do: go on at
 * the floor, or, where that is it, be narrow. Returns whether it has become narrow.
 */
bool sf_path_mtu_black_hole(struct sf_path_mtu *mtu, sf_mono now);

/* A datagram of the size in use came through. */
void sf_path_mtu_came(struct sf_path_mtu *mtu);

#endif
