/* What goes wrong in a life. */
#include "sim/life_state.h"

#include "base/assert.h"
#include "sim/memory.h"

#include <stdio.h>

enum { QUEUE_BYTES = 1000000, RESETS_MAX = 16 /* that a node takes in one run */ };

#define DAY_NS    (UINT64_C(86400) * SF_SEC)
#define EPOCH_MS  INT64_C(1767225600000) /* of the world's wall clocks */
#define RESET_NS  (10 * SF_SEC) /* so long after an image was put back somebody stands by */
#define NOTICE_NS (20 * SF_SEC) /* others go on so long before they, too, are switched off */

static uint64_t
pick(struct life *life, enum sf_fault kind, uint64_t below)
{
    return sf_faults_pick(&life->faults, kind, below);
}

static bool
strikes(struct life *life, enum sf_fault kind, uint32_t percent)
{
    return sf_faults_strikes(&life->faults, kind, percent * 10000);
}

static void
fired(struct life *life, enum sf_fault kind)
{
    life->result->faults[kind]++;
}

static void
say(struct life *life, unsigned number, const char *what)
{
    sf_trace_say(
        &life->trace, sf_world_now(life->world), "[%s] %s", life->nodes[number].name, what);
}

static unsigned
any_node(struct life *life, enum sf_fault kind)
{
    return (unsigned)pick(life, kind, life->node_count);
}

/* What a disk has done wrong since it was made. */
static void
count_disk(struct life *life, unsigned number)
{
    uint64_t *faults = life->result->faults;
    struct sf_sim_disk_stats stats;

    sf_sim_disk_get_stats(sf_world_disk(life->world, number), &stats);
    faults[SF_FAULT_READ_ERROR] += stats.read_errors;
    faults[SF_FAULT_WRITE_ERROR] += stats.write_errors;
    faults[SF_FAULT_SYNC_ERROR] += stats.sync_errors;
    faults[SF_FAULT_BIT_ROT] += stats.rotted;
    faults[SF_FAULT_MISDIRECTED] += stats.misdirected;
    faults[SF_FAULT_FULL_DISK] += stats.full;
    faults[SF_FAULT_TORN_WRITE] += stats.torn;
    faults[SF_FAULT_LOST_WRITE] += stats.lost;
}

/* --- Links --------------------------------------------------------------------------- */

static void
one_path(struct life *life, unsigned from, unsigned to)
{
    struct sf_sim_path_config path = life->calm;

    sf_faults_path(&life->faults, &path);
    if (to < from && life->faults.is_on[SF_FAULT_ASYMMETRY]) {
        path.rate_bps = path.rate_bps / 1000 < 8000 ? 8000 : path.rate_bps / 1000;
        fired(life, SF_FAULT_ASYMMETRY);
    }
    if (life->is_one_way && from == 1) {
        path.loss_ppm = SF_PRNG_PPM;
    }
    if (path.mtu_bytes != life->calm.mtu_bytes) {
        fired(life, SF_FAULT_MTU);
    }
    if (path.delay_ns >= SF_SEC) {
        fired(life, SF_FAULT_LONG_DELAY);
    }
    sf_world_path(life->world, from, to, &path);
}

void
life_paths(struct life *life)
{
    for (unsigned from = 0; from < life->node_count; from++) {
        for (unsigned to = 0; to < life->node_count; to++) {
            if (life->is_connected[from][to]) {
                one_path(life, from, to);
            }
        }
    }
}

/* --- Disks --------------------------------------------------------------------------- */

static void
hurt_disk(struct life *life, unsigned number)
{
    struct sf_sim_disk *disk = sf_world_disk(life->world, number);
    struct life_node *node = &life->nodes[number];
    struct sf_sim_disk_rates rates;

    sf_faults_disk(&life->faults, &rates);
    sf_sim_disk_set_rates(disk, &rates);
    node->has_rot |= rates.bit_rot_ppm != 0 || rates.misdirect_ppm != 0;
    node->has_disk_faults |= node->has_rot || rates.read_error_ppm != 0 ||
                             rates.write_error_ppm != 0 || rates.sync_error_ppm != 0;
}

static void
fill_disk(struct life *life, unsigned number)
{
    struct sf_sim_disk *disk = sf_world_disk(life->world, number);
    struct sf_sim_disk_stats stats;

    sf_sim_disk_get_stats(disk, &stats);
    sf_sim_disk_set_capacity(disk, stats.used_bytes + pick(life, SF_FAULT_FULL_DISK, 1 << 20));
    life->nodes[number].has_limit = true;
    life->nodes[number].has_disk_faults = true;
    say(life, number, "its disk is nearly full");
}

static void
heal(struct life *life, unsigned number)
{
    sf_sim_disk_heal(sf_world_disk(life->world, number));
    sf_sim_disk_set_capacity(sf_world_disk(life->world, number), 0);
    life->nodes[number].has_limit = false;
}

static void
disk_faults(struct life *life)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        if (sf_prng_below(&life->pace, 5) == 0) {
            hurt_disk(life, i);
        }
        if (sf_prng_below(&life->pace, 6) == 0) {
            heal(life, i);
        }
    }
    if (strikes(life, SF_FAULT_FULL_DISK, 15)) {
        fill_disk(life, any_node(life, SF_FAULT_FULL_DISK));
    }
    if (strikes(life, SF_FAULT_SLOW_DISK, 20)) {
        uint64_t most = 1 + pick(life, SF_FAULT_SLOW_DISK, SF_SEC);

        sf_sim_disk_latency(
            sf_world_disk(life->world, any_node(life, SF_FAULT_SLOW_DISK)), most / 20, most);
        fired(life, SF_FAULT_SLOW_DISK);
    }
}

/* --- Nodes --------------------------------------------------------------------------- */

/* What the next cut of power may leave. */
static enum sf_sim_damage_model
damage(struct life *life)
{
    bool tears = life->faults.is_on[SF_FAULT_TORN_WRITE];

    if (!life->faults.is_on[SF_FAULT_LOST_WRITE]) {
        return tears ? SF_SIM_DAMAGE_TORN : SF_SIM_DAMAGE_KEEP_ALL;
    }
    switch (pick(life, SF_FAULT_LOST_WRITE, 5)) {
    case 0:
        return SF_SIM_DAMAGE_LOSE_ALL;
    case 1:
        return SF_SIM_DAMAGE_KEEP_ALL;
    case 2:
        return SF_SIM_DAMAGE_REORDERED;
    case 3:
        return tears ? SF_SIM_DAMAGE_TORN : SF_SIM_DAMAGE_SUBSET;
    default:
        return SF_SIM_DAMAGE_SUBSET;
    }
}

static void
crash(struct life *life, unsigned number)
{
    enum sf_sim_damage_model model = damage(life);

    if (sf_world_node(life->world, number) == NULL) {
        return;
    }
    sf_world_crash(life->world, number, model);
    sf_trace_say(&life->trace, sf_world_now(life->world), "[%s] power cut, damage %u",
        life->nodes[number].name, (unsigned)model);
}

/*
 * Peers notice a restored copy, but not all can say so: who puts an image back
 * where nothing comes back, or where nobody knows its address, says it instead
 * (skyferry peer reset): once, and once more for each time that the image may not know of.
 */
static void
reset_peers(struct life *life, unsigned number)
{
    struct sf_node *node = sf_world_node(life->world, number);
    unsigned times = life->nodes[number].resets_due;
    struct sf_node_error error;

    if ((!life->is_one_way && !life->nodes[number].is_behind_nat) || node == NULL) {
        return;
    }
    for (unsigned i = 0; i < times * life->node_count; i++) {
        if (life->is_connected[number][i / times]) {
            sf_assert(sf_node_peer_reset(node, life->nodes[i / times].name, &error) == SF_OK);
        }
    }
    life->nodes[number].resets += times;
}

void
life_start(struct life *life, unsigned number)
{
    struct sf_node_error error;
    int status = sf_world_start(life->world, number, &error);

    if (status != SF_OK) {
        sf_trace_say(&life->trace, sf_world_now(life->world), "[%s] does not start: %s",
            life->nodes[number].name, error.text);
        if (status != SF_EIO && status != SF_ENOSPC &&
            !(status == SF_ENOMEM && life->nodes[number].has_run_out)) {
            life_fail(
                life, "other", "%s does not start: %.300s", life->nodes[number].name, error.text);
            return;
        }
        heal(life, number);
        sf_world_memory(life->world, number)->fails = 0;
        sf_world_crash(life->world, number, SF_SIM_DAMAGE_LOSE_ALL);
        if (sf_world_start(life->world, number, &error) != SF_OK) {
            life_fail(life, "other", "%s does not start on a healthy disk: %.300s",
                life->nodes[number].name, error.text);
            return;
        }
    }
    say(life, number, "starts");
    life->nodes[number].starts++;
    life->nodes[number].fingerprint = sf_node_card(sf_world_node(life->world, number))->fingerprint;
    checker_started(life, number);
    life_look_after(life, number);
    if (sf_world_now(life->world) < life->nodes[number].reset_until) {
        reset_peers(life, number); /* the power went before that was durable: again */
    }
}

/* Everybody is switched off, so that months cost nothing. */
static void
pass_months(struct life *life, uint64_t span_ns)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        if (sf_world_is_off(life->world, i)) {
            crash(life, i);
        } else {
            sf_world_stop(life->world, i);
            say(life, i, "stops");
        }
    }
    sf_world_run(life->world, sf_world_now(life->world) + span_ns);
    fired(life, SF_FAULT_ABSENCE);
}

static uint64_t
draw_absence(struct life *life)
{
    switch (pick(life, SF_FAULT_ABSENCE, 4)) {
    case 0:
        return pick(life, SF_FAULT_ABSENCE, 60) * SF_SEC;
    case 1:
        return pick(life, SF_FAULT_ABSENCE, 3600) * SF_SEC;
    case 2:
        return pick(life, SF_FAULT_ABSENCE, DAY_NS);
    default:
        return pick(life, SF_FAULT_ABSENCE, 120 * DAY_NS);
    }
}

void
life_revive(struct life *life)
{
    uint64_t longest_ns = 0;
    bool is_any_off = false;

    for (unsigned i = 0; i < life->node_count; i++) {
        if (!sf_world_is_off(life->world, i)) {
            continue;
        }
        is_any_off = true;
        if (sf_sim_disk_is_cut(sf_world_disk(life->world, i))) {
            fired(life, SF_FAULT_CRASH_AT);
        }
        crash(life, i);
        if (strikes(life, SF_FAULT_ABSENCE, 30)) {
            uint64_t span_ns = draw_absence(life);

            longest_ns = span_ns > longest_ns ? span_ns : longest_ns;
        }
    }
    if (!is_any_off) {
        return;
    }
    if (longest_ns > 0) {
        life_pass(life, longest_ns < NOTICE_NS ? longest_ns : NOTICE_NS);
    }
    if (longest_ns > NOTICE_NS) {
        pass_months(life, longest_ns - NOTICE_NS);
    }
    for (unsigned i = 0; i < life->node_count && !life_is_over(life); i++) {
        if (sf_world_is_off(life->world, i)) {
            crash(life, i);
            life_start(life, i);
        }
    }
}

/* Whether what was said to it in the last while is written down. */
static bool
has_settled(struct life *life, unsigned number)
{
    sf_mono now = sf_world_now(life->world);

    return now >= life->nodes[number].reset_until &&
           now >= sf_sim_disk_now(sf_world_disk(life->world, number));
}

/* Keep an image of a disk; another time, put it back. */
static void
roll_back(struct life *life, unsigned number)
{
    struct life_node *node = &life->nodes[number];
    struct sf_sim_disk *image = node->image;

    if (image == NULL) {
        sf_assert(sf_sim_disk_clone(sf_world_disk(life->world, number), &node->image) == SF_OK);
        sf_sim_disk_restart(node->image, SF_SIM_DAMAGE_KEEP_ALL, 1);
        node->image_resets = has_settled(life, number) ? node->resets : node->resets_sure;
        say(life, number, "an image of its disk is kept");
        return;
    }
    node->image = NULL;
    if (sf_world_node(life->world, number) != NULL) {
        sf_world_crash(life->world, number, SF_SIM_DAMAGE_LOSE_ALL);
    }
    count_disk(life, number); /* it goes, with its figures */
    sf_world_replace_disk(life->world, number, image);
    life_watch_disk(life, number);
    node->is_restored = true;
    say(life, number, "the image is put back");
    fired(life, SF_FAULT_ROLLBACK);
    checker_restored(life, number);
    node->reset_until = sf_mono_add(sf_world_now(life->world), RESET_NS);
    node->resets_sure = node->image_resets;
    node->resets_due = 1 + node->resets - node->image_resets;
    if (node->resets_due > RESETS_MAX) {
        node->resets_due = RESETS_MAX;
    }
    life_start(life, number);
}

/* Of what it allocates from now on, one or some fail. */
static void
starve(struct life *life, unsigned number)
{
    struct sf_sim_memory *memory = sf_world_memory(life->world, number);

    if (!sf_sim_memory_is_there()) {
        return;
    }
    memory->fail_at = memory->calls + pick(life, SF_FAULT_MEMORY, 300);
    memory->fails = pick(life, SF_FAULT_MEMORY, 3) == 0 ? 1 + pick(life, SF_FAULT_MEMORY, 60) : 1;
    life->nodes[number].has_run_out = true;
    say(life, number, "will be short of memory");
}

static void
node_faults(struct life *life)
{
    if (strikes(life, SF_FAULT_CRASH, 25)) {
        crash(life, any_node(life, SF_FAULT_CRASH));
        fired(life, SF_FAULT_CRASH);
    }
    if (strikes(life, SF_FAULT_CRASH_AT, 25)) {
        struct sf_sim_disk *disk = sf_world_disk(life->world, any_node(life, SF_FAULT_CRASH_AT));

        sf_sim_disk_cut_at(disk, sf_sim_disk_operations(disk) + pick(life, SF_FAULT_CRASH_AT, 80));
    }
    if (strikes(life, SF_FAULT_MEMORY, 25)) {
        starve(life, any_node(life, SF_FAULT_MEMORY));
    }
    if (strikes(life, SF_FAULT_WALL, 15)) {
        unsigned number = any_node(life, SF_FAULT_WALL);
        int64_t true_ms = EPOCH_MS + (int64_t)(sf_world_now(life->world) / SF_MS);
        int64_t wanted_ms = true_ms + sf_faults_wall_ms(&life->faults, true_ms);

        sf_world_wall_jump(life->world, number, wanted_ms - sf_world_wall(life->world, number).ms);
        say(life, number, "its wall clock jumps");
        fired(life, SF_FAULT_WALL);
    }
    if (strikes(life, SF_FAULT_ROLLBACK, 20)) {
        roll_back(life, any_node(life, SF_FAULT_ROLLBACK));
    }
}

/* --- A round -------------------------------------------------------------------------- */

void
life_faults(struct life *life)
{
    if (sf_prng_below(&life->pace, 6) == 0) {
        life_paths(life);
    }
    disk_faults(life);
    node_faults(life);
    attacker_strikes(life);
}

/*
 * A start is over at once in the world's time, but not in that of its disk: on a
 * slow one it took a minute, and what the node writes now is done no sooner.
 * Until then that disk is as slow as it was.
 */
static void
await_disks(struct life *life)
{
    sf_mono now = sf_world_now(life->world);
    sf_mono last = now;

    for (unsigned i = 0; i < life->node_count; i++) {
        sf_mono there = sf_sim_disk_now(sf_world_disk(life->world, i));

        last = there > last ? there : last;
    }
    life_pass(life, last - now);
}

void
life_calm(struct life *life)
{
    for (unsigned i = 0; i < SF_FAULTS; i++) {
        life->faults.is_on[i] = false;
    }
    for (unsigned i = 0; i < life->node_count; i++) {
        struct sf_sim_disk *disk = sf_world_disk(life->world, i);

        heal(life, i);
        sf_world_memory(life->world, i)->fails = 0;
        sf_sim_disk_cut_at(disk, SF_NEVER);
        sf_sim_disk_latency(disk, 20 * SF_US, 100 * SF_US);
        if (life->nodes[i].is_behind_nat) {
            life->result->faults[SF_FAULT_NAT] += sf_world_rebindings(life->world, i);
            sf_world_nat(life->world, i, &(struct sf_sim_nat_config){.idle_ns = 60 * SF_SEC});
        }
    }
    life_paths(life);
    life_revive(life);
    await_disks(life);
}

/* --- What fired ------------------------------------------------------------------------ */

static void
count_path(struct life *life, unsigned from, unsigned to)
{
    const struct sf_sim_path_stats *stats = sf_world_path_stats(life->world, from, to);
    uint64_t *faults = life->result->faults;
    bool is_shut = life->is_one_way && from == 1;

    faults[is_shut ? SF_FAULT_ONE_WAY : SF_FAULT_LOSS] += stats->dropped_loss;
    faults[SF_FAULT_BURST] += stats->bursts;
    faults[SF_FAULT_WINDOWS] += stats->dropped_outage;
    faults[SF_FAULT_DUPLICATE] += stats->duplicated;
    faults[SF_FAULT_REORDER] += stats->reordered;
    faults[SF_FAULT_CORRUPT] += stats->corrupted;
}

void
life_count_faults(struct life *life)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        count_disk(life, i);
        life->result->faults[SF_FAULT_MEMORY] += sf_world_memory(life->world, i)->failed;
        for (unsigned k = 0; k < life->node_count; k++) {
            count_path(life, i, k);
        }
    }
}

void
life_faults_fini(struct life *life)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        sf_sim_disk_close(life->nodes[i].image);
    }
}
