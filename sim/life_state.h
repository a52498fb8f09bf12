/*
 * life_state.h - what the parts of a life share; nobody else includes it.
 *
 *   life.c         who is there, and in which order things happen
 *   life_work.c    what is sent, resumed and cancelled, and when all is done
 *   life_faults.c  what goes wrong
 *   attacker.c     one on the path, without keys
 *   traitor.c      a recipient who turns on the others
 *   checker.c      the invariants, each a function of its own
 */
#ifndef SF_SIM_LIFE_STATE_H
#define SF_SIM_LIFE_STATE_H

#include "base/range_set.h"
#include "sim/faults.h"
#include "sim/life.h"
#include "sim/trace.h"
#include "sim/world.h"

enum {
    LIFE_NODES_MAX = 4,
    LIFE_TRANSFERS_MAX = 6,
    LIFE_FILES_MAX = 3,
};

/* Bytes that depend on the seed alone; what of them is repeated, zero or random, on `kind`. */
struct life_content {
    uint64_t seed;
    unsigned kind;
    uint64_t changes; /* not 0: changed, in some blocks a little, in some altogether */
};

struct life_file {
    uint64_t bytes;
    struct life_content content;
    char path[40]; /* on the sender's disk */
    char name[24]; /* in a directory; "" for a single file */
};

/* What is known of a sealed bundle, once its sender has recorded it. */
struct life_bundle {
    bool is_known;
    uint8_t siv[32];
    uint32_t crc;
};

/* What one recipient could have stated in receipts, and what the sender took from them. */
struct life_claim {
    bool is_known;
    bool is_cut; /* its power went right behind what it sent last, and that was not looked at */
    uint64_t generation;
    struct sf_range_set held;
    uint64_t told_generation;
    uint64_t told_counter;
    uint64_t told_total;
    bool is_final;
    bool is_delivered; /* it is in the inbox, durably */
    bool is_spoiled;   /* and people have put something else in its place */
};

struct life_sent {
    struct sf_transfer_id id;
    unsigned from;
    unsigned to[LIFE_NODES_MAX];
    unsigned to_count;
    struct life_file files[LIFE_FILES_MAX];
    unsigned file_count;
    bool is_directory;
    const struct life_sent *base; /* it is sent as what changed against that; NULL: for itself */
    char label[16];
    uint8_t priority;
    bool forgets_key;
    bool has_custody;  /* it was said to be */
    bool is_cancelled; /* by either end: it may or may not have arrived */
    bool is_forgotten; /* it never became a fact, or an older image does not know it */
    struct life_bundle *bundles;
    uint64_t bundle_count;
    uint64_t sealed_total;
    struct life_claim claims[LIFE_NODES_MAX]; /* by place in `to` */
};

struct life_node {
    const char *name;
    struct sf_fingerprint fingerprint;
    bool is_inbox_touched;
    bool has_disk_faults;  /* ever: what fails may fail with a reason */
    bool has_run_out;      /* of memory, ever: the same */
    sf_mono reset_until;   /* a start before then says once more that an image was put back, */
    unsigned resets_due;   /* ... so many times: the image may not know of earlier ones */
    unsigned resets;       /* ever said */
    unsigned resets_sure;  /* of these, what the present life has surely written down, */
    unsigned image_resets; /* ... and what the image has */
    bool has_rot;          /* ever: the medium itself changed bytes */
    bool has_limit;        /* now: the disk is small */
    bool is_restored;      /* ever: an older image was put back */
    bool is_behind_nat;
    unsigned starts;
    struct sf_sim_disk *image; /* to be put back some day */
};

struct checker;
struct attacker;

struct life {
    uint64_t seed;
    struct sf_world *world;
    struct sf_trace trace;
    struct sf_faults faults;
    struct sf_prng shape; /* who is there */
    struct sf_prng work;  /* what is sent */
    struct sf_prng pace;  /* how time passes */
    struct sf_prng bases; /* what builds on what, in lives that have such transfers */
    bool has_bases;
    struct sf_prng privacy; /* who hides sizes and times, in lives that have such nodes */
    bool has_privacy;
    unsigned node_count;
    struct life_node nodes[LIFE_NODES_MAX];
    bool is_connected[LIFE_NODES_MAX][LIFE_NODES_MAX];
    uint64_t rate_bps;
    struct sf_sim_path_config calm; /* how every path is without faults */
    bool is_one_way;                /* from node 0 to node 1 */
    struct life_sent sent[LIFE_TRANSFERS_MAX];
    unsigned sent_count;
    bool is_calm;
    struct checker *checker;
    struct attacker *attacker;
    struct sf_life_result *result;
};

/* --- life.c --- */

/* The first failure stays; the life ends soon after. */
__attribute__((format(printf, 3, 4))) void life_fail(
    struct life *life, const char *invariant, const char *format, ...);

static inline bool
life_is_over(const struct life *life)
{
    return !life->result->is_good;
}

/* Listen to what the node's disk is told to do; anew for another disk. */
void life_watch_disk(struct life *life, unsigned number);

/* Let time pass by at most `span_ns`; less if something fails. */
void life_pass(struct life *life, uint64_t span_ns);

/* --- life_work.c --- */

/* Something new is sent, sometimes something is cancelled. */
void life_work(struct life *life);
void life_send(struct life *life);
/* After the sender of transfers came back: resume, or see that it never was a fact. */
void life_look_after(struct life *life, unsigned number);
/* Ended at its sender, and nobody is still to be told. */
bool life_has_ended(const struct life *life, const struct life_sent *sent);
/* All that was sent and not forgotten has ended. */
bool life_all_ended(const struct life *life);
/* Where it goes without a return path nobody hears that it arrived. */
/* A transfer may fail, with its reason, where a disk or the memory of either side failed. */
bool life_may_fail(const struct life *life, const struct life_sent *sent);

bool life_is_one_way(const struct life *life, const struct life_sent *sent);
/* Cancel what is still there and will not end by itself. */
void life_cancel_rest(struct life *life);
/* Bytes of `file` from `offset` on. */
void life_content(void *context, uint64_t offset, uint8_t *out, size_t bytes);
void life_work_fini(struct life *life);

/* --- life_faults.c --- */

/* A round of faults. */
void life_faults(struct life *life);
/* A path between two nodes as the seed wants it now. */
void life_paths(struct life *life);
/* Nodes that are off come back, some after a long while. */
void life_revive(struct life *life);
/* Power is back at a node, or its program starts again. */
void life_start(struct life *life, unsigned number);
/* From now on nothing fails any more. */
void life_calm(struct life *life);
/* How often each kind fired. */
void life_count_faults(struct life *life);
void life_faults_fini(struct life *life);

/* --- attacker.c --- */

void attacker_open(struct life *life);
void attacker_close(struct life *life);
void attacker_sees_sent(struct life *life, const struct sf_world_datagram *datagram);
void attacker_sees_arrival(struct life *life, const struct sf_world_datagram *datagram);
void attacker_sees_taken(struct life *life, const struct sf_world_datagram *datagram);
/* What it does in a round. */
void attacker_strikes(struct life *life);

/* --- traitor.c --- */

/* After an event: now and then a recipient makes a bundle for another one, which changes nothing. */
void traitor_stepped(struct life *life);

/* --- checker.c --- */

void checker_open(struct life *life);
void checker_close(struct life *life);
void checker_sent(struct life *life, const struct sf_world_datagram *datagram);
void checker_arrives(struct life *life, const struct sf_world_datagram *datagram);
/*
 * A genuine datagram of `from` is about to come to `to`, for whom it was meant, from `addr` or
 * once more. To one who never got it, or has forgotten it in a crash, it is new.
 */
void checker_replayed(
    struct life *life, unsigned from, unsigned to, const struct sf_addr *addr, size_t count);
void checker_stepped(struct life *life, unsigned number);
/* A node has started: on what its disk kept, or (`is_restored`) on an older image. */
void checker_started(struct life *life, unsigned number);
/* An older image was put into a node: what it said since is forgotten there. */
void checker_restored(struct life *life, unsigned number);
/* Faults have stopped; and all has ended. */
void checker_calm(struct life *life);
void checker_end(struct life *life);
/* Whether anything is left of what has ended; and nothing may be, in the end. */
bool checker_is_clean(struct life *life);
void checker_rest(struct life *life);

#endif
