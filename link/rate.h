/*
 * rate.h - how fast to send on a path that others use too, and whose capacity
 * nobody told us.
 *
 * A rate, not a window: nothing waits for an acknowledgement, and loss alone
 * slows nothing down. Reports give, for one stretch of datagrams after the
 * other, the rates of sending and of arrival, the share lost and the queue
 * (delivery.h). From them:
 *
 *   START    the rate grows with what arrives, 2.5-fold each round trip, until
 *            a queue shows, or less arrives than is sent.
 *   CALM     the share is the most that arrived in one of the last rounds, as
 *            in BBR (draft-ietf-ccwg-bbr). While a queue stands, the rate is
 *            that share, corrected by the distance of the queue from a small
 *            aim: where the queue will be when what is in flight has come, is
 *            reckoned ahead, so a round trip of 600 ms does not make it swing.
 *            While none stands, the rate grows, by 2 % a round at first, twice
 *            as fast each round. The aim is the smaller the faster a flow is
 *            (as in Swift, SIGCOMM 2020), so that equals become equal. When
 *            the least delay was not seen for long, the queue is let run dry,
 *            so that who came later learns what is queue and what is distance
 *            (as in LEDBAT++, draft-irtf-iccrg-ledbat-plus-plus).
 *   CONTEST  somebody fills the queue whatever we do. Then the rate follows
 *            the curve of CUBIC (curve.h), and falls by 3/10 when the queue
 *            is full and something is lost beyond what the path always loses.
 *            Who has less than a quarter beside somebody who does not fall
 *            (BBR is deaf to loss) presses on until much is lost.
 *
 * Which of the two it is, probes tell, every eight rounds or so: a quarter more
 * is sent for a moment. Alone in a queue no more arrives for it; beside others
 * more arrives, at their expense, the more the smaller our share is. So the
 * answer is our share (after the idea of Nimbus, "Elasticity Detection", Goyal
 * et al.). The same tells when a long queue makes us give way: while a queue of
 * our own drains, more arrives than is sent; who fills all room that is left
 * lets no more arrive. Two of us near equal shares stay CALM; who has less
 * than a third stops giving way.
 *
 * A policer or a short queue shows no delay: there it counts that for two
 * stretches less arrived than was sent, beyond the path's own loss. Then, for a
 * moment, no more is sent than arrived: what is lost even so is the path's own,
 * and from then on slows nothing down; else the share was found. A pause in
 * which nothing came, as when a satellite changes, is not counted at all; nor is
 * what was sent while there was too little to send. The mark CE counts as
 * a queue above the aim.
 *
 * A SCAVENGER aims at a quarter of the queue, gives way without a floor and
 * never contests.
 *
 * Integers, no clock, no allocation. One for each peer, not thread-safe.
 */
#ifndef SF_LINK_RATE_H
#define SF_LINK_RATE_H

#include "link/curve.h"
#include "link/delivery.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_RATE_ROUNDS = 8, /* the share is the most of so many */
    SF_RATE_LOSSES = 8, /* the path's own loss is the least of so many */
};

#define SF_RATE_BPS_MIN   UINT64_C(16000)    /* it never falls below: reports must go on */
#define SF_RATE_START_BPS UINT64_C(10000000) /* of a path of which nothing is known */
#define SF_RATE_BLIND_BYTES                                                                        \
    UINT64_C(1048576) /* so much goes at that rate before a report; then a tenth */

enum sf_rate_phase {
    SF_RATE_START,
    SF_RATE_CALM,
    SF_RATE_CONTEST,
};

struct sf_rate_config {
    uint64_t max_bps;   /* >= SF_RATE_BPS_MIN, or what is below is the rate */
    uint64_t known_bps; /* found on this path before; 0 = nothing is known */
    bool is_scavenger;
};

struct sf_rate {
    struct sf_rate_config config;
    struct sf_delivery delivery;
    enum sf_rate_phase phase;
    uint64_t bps; /* the rate now */

    struct sf_delivery_point from; /* where the running stretch begins */
    bool has_from;
    sf_mono round_from;              /* a round ends when something sent after this is reported */
    sf_mono reported;                /* when the last report came */
    struct sf_delivery_stretch last; /* the last whole stretch; span_ns 0 = none */

    uint64_t shares[SF_RATE_ROUNDS]; /* bits a second; the newest round's is at share_at */
    size_t share_at;
    uint64_t losses[SF_RATE_LOSSES]; /* ppm */
    size_t loss_count;               /* ever */
    unsigned lossy;                  /* stretches in a row that lost too much */
    sf_mono trial_from;              /* since then no more goes than arrived; 0 = no trial */
    unsigned hold;                   /* rounds in which nothing grows, after that */
    unsigned free_rounds;            /* in a row without a queue */
    sf_mono yield_from;              /* since then we give way to a long queue; 0 = none */
    uint64_t yield_bps;              /* what arrived until then */
    uint64_t claim_bps;              /* the share before a long queue came; 0 = there is none */
    uint64_t queue_top_ns;           /* the longest of late */
    bool overflowed;                 /* more did not fit, of late */
    unsigned hold_top;               /* stretches until that is forgotten */
    bool is_dry;                     /* the queue is being let run dry... */
    sf_mono dry_until;               /* ...until something sent then is reported */
    uint64_t ce_dgrams;
    bool is_marked; /* CE came in the running stretch */

    unsigned probe_wait; /* rounds until the next probe */
    bool is_probing;
    sf_mono probe_from, probe_to; /* sent within */
    struct sf_delivery_point probe_point;
    bool has_probe_point;
    struct sf_delivery_stretch probe_before;
    uint64_t others_permille; /* how much of the queue's traffic is not ours, as probes tell */

    struct sf_curve curve; /* in the contest */
    uint64_t found_bps;    /* to be remembered; 0 = nothing found */
};

/* Begin on a path; `config` is copied. */
void sf_rate_init(struct sf_rate *rate, const struct sf_rate_config *config);

/* Another ceiling, or another manner; what was found stays. */
void sf_rate_set(struct sf_rate *rate, const struct sf_rate_config *config);

/* As sf_delivery_sent(). */
static inline void
sf_rate_sent(struct sf_rate *rate, uint64_t epoch, uint64_t counter, size_t ip_bytes,
    uint64_t idle_ns, sf_mono now)
{
    sf_delivery_sent(&rate->delivery, epoch, counter, ip_bytes, idle_ns, now);
}

/* A report came; `ce_dgrams` as it says. */
void sf_rate_input(
    struct sf_rate *rate, const struct sf_delivery_report *report, uint64_t ce_dgrams, sf_mono now);

/*
 * The peer was not heard for long, and is again: what was sent meanwhile says
 * nothing. The rate is the one that was found before.
 */
void sf_rate_resume(struct sf_rate *rate);

/* The rate now, bits a second. */
uint64_t sf_rate_bps(const struct sf_rate *rate);

/* What is worth remembering of the path: `known_bps` of the next time. 0 = nothing. */
static inline uint64_t
sf_rate_found(const struct sf_rate *rate)
{
    return rate->found_bps;
}

#endif
