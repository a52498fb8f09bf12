/*
 * attacker.c - one on the path, without keys: it sees every datagram, keeps
 * some for ever, and sends them again, whole or in pieces, from where they came
 * or from elsewhere, to whom they were meant or to others.
 */
#include "sim/life_state.h"

#include "base/assert.h"
#include "node/inspect.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEPT_MAX = 128, /* of each kind; the oldest stay as likely as the newest */
    DATAGRAM_BYTES_MAX = 9000,
    STRIKES_MAX = 40, /* in a round */
    JUNK_BYTES_MAX = 1400,
    FOREIGN_ADDRESS = 0x0b000001, /* 11.0.0.1: nobody of this world */
    FOREIGN_ADDRESSES = 64,
};

struct kept {
    unsigned from;
    unsigned to;
    size_t count;
    uint8_t *bytes;
    bool was_taken; /* as authentic and new, */
    unsigned start; /* ... in this life of its receiver */
};

struct hoard {
    struct kept kept[KEPT_MAX];
    size_t count;
    uint64_t seen;
};

struct attacker {
    struct hoard sent;           /* some may never have arrived */
    struct hoard arrived;        /* nothing new to those it was meant for */
    struct kept *arriving;       /* one that is being kept */
    const struct kept *replayed; /* one that must not be taken again */
    uint64_t taken;              /* what the receiver had taken before */
};

void
attacker_open(struct life *life)
{
    life->attacker = calloc(1, sizeof(*life->attacker));
    sf_assert(life->attacker != NULL);
}

static void
hoard_fini(struct hoard *hoard)
{
    for (size_t i = 0; i < hoard->count; i++) {
        free(hoard->kept[i].bytes);
    }
}

void
attacker_close(struct life *life)
{
    hoard_fini(&life->attacker->sent);
    hoard_fini(&life->attacker->arrived);
    free(life->attacker);
}

/* Keep each datagram with the same chance, however many there are. NULL: not this one. */
static struct kept *
keep(struct life *life, struct hoard *hoard, enum sf_fault kind,
    const struct sf_world_datagram *datagram)
{
    size_t at = hoard->count;
    struct kept *kept;

    hoard->seen++;
    if (hoard->count == KEPT_MAX) {
        uint64_t drawn = sf_faults_pick(&life->faults, kind, hoard->seen);

        if (drawn >= KEPT_MAX) {
            return NULL;
        }
        at = (size_t)drawn;
        free(hoard->kept[at].bytes);
    } else {
        hoard->count++;
    }
    kept = &hoard->kept[at];
    *kept = (struct kept){
        .from = datagram->from,
        .to = datagram->to,
        .count = datagram->count,
        .start = life->nodes[datagram->to].starts,
    };
    kept->bytes = malloc(datagram->count);
    sf_assert(kept->bytes != NULL);
    memcpy(kept->bytes, datagram->bytes, datagram->count);
    return kept;
}

void
attacker_sees_sent(struct life *life, const struct sf_world_datagram *datagram)
{
    if (datagram->to != SF_WORLD_NOBODY &&
        (life->faults.is_on[SF_FAULT_REPLAY] || life->faults.is_on[SF_FAULT_SPLICE])) {
        (void)keep(life, &life->attacker->sent, SF_FAULT_REPLAY, datagram);
    }
}

void
attacker_sees_arrival(struct life *life, const struct sf_world_datagram *datagram)
{
    struct attacker *attacker = life->attacker;

    attacker->taken = sf_inspect_datagrams_in(sf_world_node(life->world, datagram->to));
    attacker->arriving = NULL;
    if (datagram->from != SF_WORLD_NOBODY && life->faults.is_on[SF_FAULT_SPOOF]) {
        attacker->arriving = keep(life, &attacker->arrived, SF_FAULT_SPOOF, datagram);
    }
}

void
attacker_sees_taken(struct life *life, const struct sf_world_datagram *datagram)
{
    struct attacker *attacker = life->attacker;
    bool was_taken =
        sf_inspect_datagrams_in(sf_world_node(life->world, datagram->to)) > attacker->taken;

    if (attacker->arriving != NULL) {
        attacker->arriving->was_taken = was_taken;
        attacker->arriving = NULL;
    }
    if (attacker->replayed != NULL && was_taken) {
        life_fail(life, "I7", "%s took a datagram of %s once more, from an attacker",
            life->nodes[datagram->to].name, life->nodes[attacker->replayed->from].name);
    }
    attacker->replayed = NULL;
}

/* --- What it does with it ------------------------------------------------------------------ */

static void
inject(struct life *life, enum sf_fault kind, const struct sf_addr *from, unsigned to,
    const uint8_t *bytes, size_t count)
{
    sf_trace_explain(&life->trace, sf_world_now(life->world), "attacker: %s to %s, %zu bytes",
        sf_fault_name(kind), life->nodes[to].name, count);
    life->result->faults[kind]++;
    sf_world_inject(life->world, from, to, bytes, count);
    life->attacker->replayed = NULL; /* it may have been off */
}

static const struct kept *
any_kept(struct life *life, const struct hoard *hoard, enum sf_fault kind)
{
    return hoard->count == 0 ? NULL
                             : &hoard->kept[sf_faults_pick(&life->faults, kind, hoard->count)];
}

static struct sf_addr
foreign_addr(struct life *life, enum sf_fault kind)
{
    return sf_addr_v4(
        FOREIGN_ADDRESS + (uint32_t)sf_faults_pick(&life->faults, kind, FOREIGN_ADDRESSES), 7272);
}

static void
replay(struct life *life)
{
    const struct kept *kept = any_kept(life, &life->attacker->sent, SF_FAULT_REPLAY);
    struct sf_addr from;

    if (kept != NULL) {
        from = sf_world_addr(kept->from);
        checker_replayed(life, kept->from, kept->to, &from, kept->count);
        inject(life, SF_FAULT_REPLAY, &from, kept->to, kept->bytes, kept->count);
    }
}

/* From nowhere, sometimes to the one who sent it. */
static void
spoof(struct life *life)
{
    const struct kept *kept = any_kept(life, &life->attacker->arrived, SF_FAULT_SPOOF);
    struct sf_addr from = foreign_addr(life, SF_FAULT_SPOOF);

    if (kept != NULL) {
        bool is_turned = sf_faults_pick(&life->faults, SF_FAULT_SPOOF, 4) == 0;

        if (kept->was_taken && kept->start == life->nodes[kept->to].starts) {
            life->attacker->replayed = kept;
        } else if (!is_turned) {
            checker_replayed(life, kept->from, kept->to, &from, kept->count);
        }
        inject(life, SF_FAULT_SPOOF, &from, is_turned ? kept->from : kept->to, kept->bytes,
            kept->count);
    }
}

/* Nothing was cut after all. */
static bool
is_same(const struct kept *kept, unsigned to, const uint8_t *bytes, size_t count)
{
    return kept->to == to && kept->count == count && memcmp(kept->bytes, bytes, count) == 0;
}

/* The head of one datagram with the tail of another, or a part of one, to anybody. */
static void
splice(struct life *life)
{
    const struct kept *head = any_kept(life, &life->attacker->sent, SF_FAULT_SPLICE);
    const struct kept *tail = any_kept(life, &life->attacker->sent, SF_FAULT_SPLICE);
    uint8_t bytes[DATAGRAM_BYTES_MAX];
    struct sf_addr from;
    unsigned to;
    size_t cut;
    size_t count;

    if (head == NULL || tail == NULL) {
        return;
    }
    cut = (size_t)sf_faults_pick(&life->faults, SF_FAULT_SPLICE, head->count + 1);
    memcpy(bytes, head->bytes, cut);
    count = cut;
    if (tail->count > cut && sf_faults_pick(&life->faults, SF_FAULT_SPLICE, 3) > 0) {
        memcpy(bytes + cut, tail->bytes + cut, tail->count - cut);
        count = tail->count;
    }
    if (count > 0 && sf_faults_pick(&life->faults, SF_FAULT_SPLICE, 2) == 0) {
        bytes[sf_faults_pick(&life->faults, SF_FAULT_SPLICE, count)] ^= 1;
    }
    from = sf_world_addr(head->from);
    to = (unsigned)sf_faults_pick(&life->faults, SF_FAULT_SPLICE, life->node_count);
    if (is_same(head, to, bytes, count) || is_same(tail, to, bytes, count)) {
        checker_replayed(life, head->from, to, &from, count);
    }
    inject(life, SF_FAULT_SPLICE, &from, to, bytes, count);
}

static void
junk(struct life *life)
{
    uint8_t bytes[JUNK_BYTES_MAX];
    size_t count = (size_t)sf_faults_pick(&life->faults, SF_FAULT_JUNK, sizeof(bytes));
    unsigned to = (unsigned)sf_faults_pick(&life->faults, SF_FAULT_JUNK, life->node_count);
    struct sf_addr from = foreign_addr(life, SF_FAULT_JUNK);

    sf_prng_fill(&life->faults.prng[SF_FAULT_JUNK], bytes, count);
    if (count >= 8 && sf_faults_pick(&life->faults, SF_FAULT_JUNK, 2) == 0) {
        memset(bytes, 0, 4); /* as an opener begins */
    }
    inject(life, SF_FAULT_JUNK, &from, to, bytes, count);
}

static void
strike(struct life *life, enum sf_fault kind, void (*act)(struct life *life))
{
    uint64_t times = sf_faults_strikes(&life->faults, kind, 300000)
                         ? sf_faults_amount(&life->faults, kind, STRIKES_MAX * 1000) / 1000
                         : 0;

    for (uint64_t i = 0; i <= times && times > 0 && !life_is_over(life); i++) {
        act(life);
    }
}

void
attacker_strikes(struct life *life)
{
    strike(life, SF_FAULT_REPLAY, replay);
    strike(life, SF_FAULT_SPOOF, spoof);
    strike(life, SF_FAULT_SPLICE, splice);
    strike(life, SF_FAULT_JUNK, junk);
}
