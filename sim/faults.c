#include "sim/faults.h"

#include "base/time.h"

#include <stdio.h>

/* Streams of the seed; those of the world are below. */
enum { STREAM_FAULTS = 100000 };

enum { MTU_BYTES_MIN = 576, MTU_BYTES_SPAN = 9000 - 576 };

/* In how many of a hundred seeds a kind is on, and the name it has in tables. */
static const struct {
    const char *name;
    unsigned percent;
} kinds[SF_FAULTS] = {
    [SF_FAULT_READ_ERROR] = {"read error", 15},
    [SF_FAULT_WRITE_ERROR] = {"write error", 15},
    [SF_FAULT_SYNC_ERROR] = {"fsync error", 20},
    [SF_FAULT_BIT_ROT] = {"bit rot", 12},
    [SF_FAULT_MISDIRECTED] = {"misdirected write", 12},
    [SF_FAULT_TORN_WRITE] = {"torn write", 50},
    [SF_FAULT_LOST_WRITE] = {"lost write", 75},
    [SF_FAULT_FULL_DISK] = {"full disk", 15},
    [SF_FAULT_SLOW_DISK] = {"slow disk", 25},
    [SF_FAULT_LOSS] = {"loss", 60},
    [SF_FAULT_BURST] = {"burst of loss", 30},
    [SF_FAULT_DUPLICATE] = {"duplicate", 40},
    [SF_FAULT_REORDER] = {"reordering", 40},
    [SF_FAULT_CORRUPT] = {"corruption", 40},
    [SF_FAULT_LONG_DELAY] = {"long delay", 12},
    [SF_FAULT_ONE_WAY] = {"one way only", 8},
    [SF_FAULT_ASYMMETRY] = {"asymmetry", 15},
    [SF_FAULT_WINDOWS] = {"contact windows", 30},
    [SF_FAULT_NAT] = {"NAT rebinding", 20},
    [SF_FAULT_MTU] = {"MTU", 40},
    [SF_FAULT_CRASH] = {"crash", 75},
    [SF_FAULT_CRASH_AT] = {"crash amid an operation", 60},
    [SF_FAULT_ABSENCE] = {"absence", 40},
    [SF_FAULT_WALL] = {"clock jump", 35},
    [SF_FAULT_ROLLBACK] = {"image rolled back", 10},
    [SF_FAULT_REPLAY] = {"replay", 35},
    [SF_FAULT_SPOOF] = {"spoofed replay", 30},
    [SF_FAULT_SPLICE] = {"splice", 30},
    [SF_FAULT_JUNK] = {"junk", 30},
    [SF_FAULT_MEMORY] = {"allocation failure", 20},
    [SF_FAULT_FORGE] = {"recipient forges", 50},
};

const char *
sf_fault_name(enum sf_fault kind)
{
    return kinds[kind].name;
}

void
sf_faults_draw(struct sf_faults *faults, uint64_t seed)
{
    for (unsigned i = 0; i < SF_FAULTS; i++) {
        struct sf_prng *prng = &faults->prng[i];

        sf_prng_init_stream(prng, seed, STREAM_FAULTS + i);
        faults->is_on[i] = sf_prng_below(prng, 100) < kinds[i].percent;
        faults->share_ppm[i] = 1 + (uint32_t)sf_prng_below(prng, SF_PRNG_PPM);
    }
}

uint64_t
sf_faults_pick(struct sf_faults *faults, enum sf_fault kind, uint64_t below)
{
    return sf_prng_below(&faults->prng[kind], below);
}

bool
sf_faults_strikes(struct sf_faults *faults, enum sf_fault kind, uint32_t ppm)
{
    return faults->is_on[kind] && sf_prng_chance(&faults->prng[kind], ppm);
}

uint64_t
sf_faults_amount(struct sf_faults *faults, enum sf_fault kind, uint64_t most)
{
    uint64_t share = most / 1000 * (faults->share_ppm[kind] / 1000);

    return faults->is_on[kind] ? 1 + sf_prng_below(&faults->prng[kind], share + 1) : 0;
}

/* --- Links --- */

static void
delay(struct sf_faults *faults, struct sf_sim_path_config *path)
{
    static const uint64_t delays[] = {SF_SEC, 3 * SF_SEC, 30 * SF_SEC, 1320 * SF_SEC};

    if (sf_faults_strikes(faults, SF_FAULT_LONG_DELAY, 300000)) {
        path->delay_ns = delays[sf_faults_pick(faults, SF_FAULT_LONG_DELAY, 4)];
    }
}

/* Contacts as a satellite's, and times in which all is lost. */
static void
close_windows(struct sf_faults *faults, struct sf_sim_path_config *path)
{
    if (sf_faults_strikes(faults, SF_FAULT_WINDOWS, 600000)) {
        path->period_ns = (60 + sf_faults_pick(faults, SF_FAULT_WINDOWS, 540)) * SF_SEC;
        path->duty_ppm = 50000 + (uint32_t)sf_faults_pick(faults, SF_FAULT_WINDOWS, 800000);
    }
    if (sf_faults_strikes(faults, SF_FAULT_BURST, 700000)) {
        uint64_t period = path->period_ns == 0 ? 200 * SF_SEC : path->period_ns;

        path->period_ns = period;
        path->outages[path->outage_count++] = (struct sf_sim_window){
            .start = sf_faults_pick(faults, SF_FAULT_BURST, period / 2),
            .span_ns = 100 * SF_MS + sf_faults_pick(faults, SF_FAULT_BURST, 70 * SF_SEC),
        };
        path->burst_enter_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_BURST, 20000);
        path->burst_leave_ppm = 100000;
        path->burst_loss_ppm = 900000;
    }
}

/* Another way through the network takes less than the last, or not even an opener. */
static void
narrow(struct sf_faults *faults, struct sf_sim_path_config *path)
{
    if (sf_faults_strikes(faults, SF_FAULT_MTU, 400000)) {
        path->mtu_bytes =
            MTU_BYTES_MIN + (uint32_t)sf_faults_pick(faults, SF_FAULT_MTU, MTU_BYTES_SPAN);
    }
}

void
sf_faults_path(struct sf_faults *faults, struct sf_sim_path_config *path)
{
    path->loss_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_LOSS, 300000);
    path->duplicate_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_DUPLICATE, 100000);
    path->corrupt_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_CORRUPT, 50000);
    path->reorder_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_REORDER, 100000);
    path->reorder_ns = sf_faults_amount(faults, SF_FAULT_REORDER, 10 * SF_SEC);
    delay(faults, path);
    close_windows(faults, path);
    narrow(faults, path);
}

/* --- Disks --- */

void
sf_faults_disk(struct sf_faults *faults, struct sf_sim_disk_rates *ret_rates)
{
    *ret_rates = (struct sf_sim_disk_rates){
        .read_error_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_READ_ERROR, 100000),
        .write_error_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_WRITE_ERROR, 50000),
        .sync_error_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_SYNC_ERROR, 100000),
        .bit_rot_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_BIT_ROT, 200000),
        .misdirect_ppm = (uint32_t)sf_faults_amount(faults, SF_FAULT_MISDIRECTED, 200000),
        .media_in_folders = true,
    };
}

/* --- Clocks --- */

int64_t
sf_faults_wall_ms(struct sf_faults *faults, int64_t true_ms)
{
    static const int64_t years_ms = INT64_C(31556952000);

    switch (sf_faults_pick(faults, SF_FAULT_WALL, 7)) {
    case 0:
        return 1000;
    case 1:
        return -1000;
    case 2:
        return 10 * years_ms;
    case 3:
        return -10 * years_ms;
    case 4:
        return -true_ms; /* 1970 */
    case 5:
        return INT64_C(2147483647000) - true_ms; /* 2038, a second before signed 32 bits end */
    default:
        return INT64_C(4294967295000) - true_ms; /* 2106, a second before 32 bits end */
    }
}

/* --- In words --- */

void
sf_faults_text(const struct sf_faults *faults, char *text, size_t bytes)
{
    size_t used = 0;

    for (unsigned i = 0; i < SF_FAULTS && used < bytes; i++) {
        if (faults->is_on[i]) {
            int more = snprintf(text + used, bytes - used, "%s%s %u %%", used == 0 ? "" : ", ",
                kinds[i].name, faults->share_ppm[i] / 10000);

            used += more < 0 ? 0 : (size_t)more;
        }
    }
    if (used == 0) {
        snprintf(text, bytes, "none");
    }
}
