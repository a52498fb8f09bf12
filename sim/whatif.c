#include "sim/whatif.h"

#include "base/assert.h"
#include "sim/contacts.h"
#include "sim/hollow.h"
#include "sim/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_NS_FIRST (100 * SF_MS) /* doubled whenever the samples are full */
#define GRACE_NS        (5 * SF_SEC) /* for what still happens at a receiver after the last datagram */

enum {
    GROUND = SF_STAGE_GROUND,
    COMPARE_BYTES = 65536,
};

/*
 * Follows the contacts of one way: at their own times for what is sent, and as
 * late as the first and the last of it arrive for what is received.
 */
struct cursor {
    uint64_t start_shift_ns;
    uint64_t end_shift_ns;
    bool is_over;                    /* there is no contact any more */
    bool is_inside;                  /* of `interval` */
    struct sf_sim_interval interval; /* the contact it is in, or the next one */
    size_t row;                      /* of the contact inside; SF_WHATIF_CONTACTS_MAX: cut */
    uint64_t begun;                  /* contacts so far */
    struct sf_whatif_contact before; /* the counters when it began */
};

struct way {
    const struct sf_sim_path_config *path;
    struct cursor sent;
    struct cursor arrived;
    size_t *rows; /* of the table, by number of the contact */
    size_t rows_count;
};

struct run {
    const struct sf_scenario *scenario;
    const struct sf_whatif_progress *progress;
    struct sf_whatif *result;
    struct sf_stage *stage;
    struct sf_world *world; /* of it */
    struct sf_transfer_id id;
    struct sf_node_transfer transfer; /* scratch: it is large */
    uint64_t content;
    void (*generate)(void *context, uint64_t offset, uint8_t *out, size_t bytes);
    sf_mono sample_at;
    uint64_t sample_ns;
    bool is_changed; /* a transfer changed state: look at it */
    bool is_over;
    struct way ways[SF_SCENARIO_RECEIVERS_MAX];
};

static sf_mono
now_of(const struct run *run)
{
    return sf_world_now(run->world) - SF_SEC;
}

/* --- Looking ------------------------------------------------------------------- */

/* The link of `node` towards the peer it was introduced to as number `index`. */
static struct sf_link_peer_stats
link_of(struct run *run, unsigned node, size_t index)
{
    struct sf_node_peer_info info;

    memset(&info, 0, sizeof(info));
    sf_assert(sf_node_peer_at(sf_world_node(run->world, node), index, &info));
    return info.link;
}

/* The counters of one way, all that a contact's row is made of. */
static struct sf_whatif_contact
count_way(struct run *run, unsigned receiver)
{
    struct sf_sim_path_stats path = sf_stage_sent(run->stage, receiver);
    struct sf_link_peer_stats out = link_of(run, GROUND, receiver);
    struct sf_link_peer_stats in = link_of(run, receiver + 1, 0);

    return (struct sf_whatif_contact){
        .sent_bytes = path.bytes_in,
        .sent_datagrams = path.datagrams_in,
        .lost_datagrams =
            path.dropped_loss + path.dropped_queue + path.dropped_mtu + path.corrupted,
        .received_bytes = in.data_bytes_in,
        .resent_bytes = out.resent_bytes_out,
    };
}

static void
take_sample(struct run *run, struct sf_whatif_sample *sample)
{
    *sample = (struct sf_whatif_sample){.at = now_of(run)};
    for (unsigned i = 0; i < run->scenario->receiver_count; i++) {
        struct sf_whatif_contact way = count_way(run, i);
        struct sf_link_peer_stats out = link_of(run, GROUND, i);

        sample->sent_bytes += way.sent_bytes;
        sample->sent_datagrams += way.sent_datagrams;
        sample->lost_datagrams += way.lost_datagrams;
        sample->dark_datagrams += sf_stage_sent(run->stage, i).dropped_outage;
        sample->returned_bytes += sf_stage_returned(run->stage, i).bytes_in;
        sample->data_bytes += out.data_bytes_out;
        sample->resent_bytes += way.resent_bytes;
        sample->received_bytes[i] = way.received_bytes;
        if (sf_world_transfer(run->world, i + 1, &run->id, &run->transfer)) {
            sample->delivered_bytes[i] = run->transfer.state == SF_NODE_DONE
                                             ? run->scenario->size_bytes
                                             : run->transfer.plain_done;
        }
    }
    if (sf_world_transfer(run->world, GROUND, &run->id, &run->transfer)) {
        sample->custody_bytes = run->transfer.plain_done;
    }
}

/* Forget every second sample, so that there is room for as many more at half the pace. */
static void
thin_samples(struct sf_whatif *result)
{
    size_t kept = 0;

    for (size_t i = 0; i < result->sample_count; i += 2) {
        result->samples[kept++] = result->samples[i];
    }
    result->sample_count = kept;
}

static uint32_t
share_ppm(const struct run *run, const struct sf_whatif_sample *sample)
{
    uint64_t sealed = run->result->sealed_bytes;
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < run->scenario->receiver_count; i++) {
        least = sample->received_bytes[i] < least ? sample->received_bytes[i] : least;
    }
    if (sealed == 0) {
        return 0;
    }
    return least >= sealed ? 1000000 : (uint32_t)((unsigned __int128)least * 1000000 / sealed);
}

/* Returns false if the caller gives up. */
static bool
add_sample(struct run *run)
{
    struct sf_whatif *result = run->result;
    struct sf_whatif_sample *sample;

    if (result->sample_count == SF_WHATIF_SAMPLES_MAX) {
        thin_samples(result);
        run->sample_ns *= 2;
    }
    sample = &result->samples[result->sample_count];
    take_sample(run, sample);
    result->sample_count++;
    run->sample_at = sample->at + run->sample_ns;
    return run->progress == NULL ||
           run->progress->tick(run->progress->context, sample->at, share_ppm(run, sample));
}

/* --- Contacts ------------------------------------------------------------------ */

static sf_mono
cursor_deadline(const struct cursor *cursor)
{
    sf_mono at = cursor->is_inside ? cursor->interval.end : cursor->interval.start;
    uint64_t shift_ns = cursor->is_inside ? cursor->end_shift_ns : cursor->start_shift_ns;

    return cursor->is_over || at == SF_NEVER ? SF_NEVER : at + shift_ns;
}

/* A row for the contact of `receiver` that begins now. */
static size_t
open_row(struct run *run, unsigned receiver, const struct cursor *cursor)
{
    struct sf_whatif *result = run->result;
    struct sf_whatif_receiver *to = &result->receivers[receiver];

    to->contacts += !to->is_delivered;
    if (result->contact_count == SF_WHATIF_CONTACTS_MAX) {
        result->contacts_cut++;
        return SF_WHATIF_CONTACTS_MAX;
    }
    result->contacts[result->contact_count] = (struct sf_whatif_contact){
        .receiver = receiver,
        .start = cursor->interval.start,
        .end = cursor->interval.end,
        .is_needed = !to->is_delivered,
    };
    return result->contact_count++;
}

/* What happened since the contact began goes into its row. */
static void
fill_row(struct run *run, unsigned receiver, const struct cursor *cursor, bool arrived)
{
    struct sf_whatif_contact *row = &run->result->contacts[cursor->row];
    struct sf_whatif_contact after = count_way(run, receiver);

    if (cursor->row == SF_WHATIF_CONTACTS_MAX) {
        return;
    }
    if (arrived) {
        row->received_bytes = after.received_bytes - cursor->before.received_bytes;
        return;
    }
    row->sent_bytes = after.sent_bytes - cursor->before.sent_bytes;
    row->sent_datagrams = after.sent_datagrams - cursor->before.sent_datagrams;
    row->lost_datagrams = after.lost_datagrams - cursor->before.lost_datagrams;
    row->resent_bytes = after.resent_bytes - cursor->before.resent_bytes;
}

/*
 * Rows are found again by the arriving cursor, which may be many contacts
 * behind: a ring of their numbers, as long as the table.
 */
static void
remember_row(struct way *way, uint64_t number, size_t row)
{
    way->rows[number % way->rows_count] = row;
}

static void
cursor_step(struct run *run, unsigned receiver, struct cursor *cursor)
{
    struct way *way = &run->ways[receiver];
    bool arrived = cursor == &way->arrived;
    sf_mono now = now_of(run);

    while (cursor_deadline(cursor) <= now) {
        if (!cursor->is_inside) {
            cursor->is_inside = true;
            cursor->before = count_way(run, receiver);
            if (arrived) {
                cursor->row = way->rows[cursor->begun % way->rows_count];
            } else {
                cursor->row = open_row(run, receiver, cursor);
                remember_row(way, cursor->begun, cursor->row);
            }
            cursor->begun++;
        } else {
            struct sf_whatif_receiver *to = &run->result->receivers[receiver];

            fill_row(run, receiver, cursor, arrived);
            if (arrived && !to->is_delivered &&
                count_way(run, receiver).received_bytes == cursor->before.received_bytes) {
                to->contacts_wasted++;
            }
            cursor->is_inside = false;
            cursor->is_over =
                !sf_sim_contacts_next(way->path, cursor->interval.end, &cursor->interval);
        }
    }
}

static void
cursor_init(struct cursor *cursor, const struct sf_sim_path_config *path, sf_mono at)
{
    cursor->is_over = !sf_sim_contacts_next(path, at, &cursor->interval);
}

/* --- The end ------------------------------------------------------------------- */

/* See what became of the transfer at every node. */
static void
look(struct run *run)
{
    struct sf_whatif *result = run->result;
    sf_mono now = now_of(run);

    run->is_changed = false;
    for (unsigned i = 0; i < run->scenario->receiver_count; i++) {
        struct sf_whatif_receiver *to = &result->receivers[i];

        if (!to->is_delivered && sf_world_transfer(run->world, i + 1, &run->id, &run->transfer) &&
            run->transfer.state == SF_NODE_DONE) {
            to->is_delivered = true;
            to->delivered_at = now;
        }
    }
    if (!sf_world_transfer(run->world, GROUND, &run->id, &run->transfer)) {
        return;
    }
    if (run->transfer.state != SF_NODE_SEALING && result->custody_at == SF_NEVER) {
        result->custody_at = now;
    }
    result->bundles = run->transfer.count;
    result->class_bytes = run->transfer.class_bytes;
    result->sealed_bytes = run->transfer.count * run->transfer.class_bytes;
    for (size_t i = 0; i < run->transfer.recipient_count; i++) {
        struct sf_whatif_receiver *to = &result->receivers[i];

        if (!to->is_confirmed && run->transfer.recipients[i].state == SF_NODE_TO_FINAL) {
            to->is_confirmed = true;
            to->confirmed_at = now;
        }
        snprintf(to->why, sizeof(to->why), "%s", run->transfer.recipients[i].why);
    }
    run->is_over = run->transfer.state == SF_NODE_DONE || run->transfer.state == SF_NODE_FAILED ||
                   run->transfer.state == SF_NODE_CANCELLED;
    if (run->is_over && run->transfer.state != SF_NODE_DONE) {
        result->outcome = SF_WHATIF_NEVER;
        snprintf(
            result->why, sizeof(result->why), "the transfer failed: %.400s", run->transfer.why);
    }
}

/* Asked by the world after every event. */
static bool
is_over(struct sf_world *world, void *context)
{
    struct run *run = context;

    (void)world;
    if (run->is_changed) {
        look(run);
    }
    return run->is_over;
}

static void
note_event(void *context, unsigned number, const struct sf_node_event *event)
{
    struct run *run = context;

    (void)number;
    run->is_changed |= event->kind == SF_NODE_EVENT_TRANSFER;
}

/* The most a datagram can be under way on a path, what waits in its queue included. */
static uint64_t
late_ns(const struct sf_sim_path_config *path)
{
    uint64_t queue_ns =
        path->rate_bps == 0 ? 0 : path->queue_bytes * 8 * 1000 / path->rate_bps * SF_MS;
    uint64_t delay_ns = path->delay_ns;

    for (size_t i = 0; i < path->plan_count; i++) {
        if (path->plan[i].delay_ns != SF_SIM_PATH_DELAY_KEPT && path->plan[i].delay_ns > delay_ns) {
            delay_ns = path->plan[i].delay_ns;
        }
    }
    return delay_ns + path->jitter_ns + path->reorder_ns + queue_ns;
}

/*
 * Whether a receiver without the file will never get it, because its last
 * contact is over and nothing is under way any more.
 */
static bool
is_proven_lost(struct run *run)
{
    struct sf_whatif *result = run->result;

    for (unsigned i = 0; i < run->scenario->receiver_count; i++) {
        const struct way *way = &run->ways[i];
        sf_mono ended = way->sent.interval.end;

        if (!result->receivers[i].is_delivered && way->sent.is_over &&
            now_of(run) > ended + late_ns(way->path) + GRACE_NS) {
            result->outcome = SF_WHATIF_NEVER;
            snprintf(result->why, sizeof(result->why),
                "the last contact with %s is over and %" PRIu64 " of %" PRIu64
                " sealed bytes have not arrived",
                run->scenario->receivers[i].name,
                result->sealed_bytes - count_way(run, i).received_bytes, result->sealed_bytes);
            return true;
        }
    }
    return false;
}

/* Whether all that is missing is a receipt, and no receipt can come any more. */
static bool
is_silent(const struct run *run)
{
    for (unsigned i = 0; i < run->scenario->receiver_count; i++) {
        const struct sf_whatif_receiver *to = &run->result->receivers[i];
        const struct sf_sim_path_config *back = &run->scenario->receivers[i].profile.back;
        struct sf_sim_interval interval;

        if (!to->is_delivered) {
            return false;
        }
        if (!to->is_confirmed && back->loss_ppm < SF_PRNG_PPM &&
            (sf_sim_contacts_next(back, now_of(run), &interval) ||
                now_of(run) < to->delivered_at + late_ns(back) + GRACE_NS)) {
            return false;
        }
    }
    return true;
}

/* --- Sending ----------------------------------------------------------------------- */

static void
send_file(struct run *run)
{
    static const char *const paths[] = {"source/file"};
    const struct sf_scenario *scenario = run->scenario;
    unsigned to[SF_SCENARIO_RECEIVERS_MAX];
    struct sf_world_send send = {
        .from = GROUND,
        .to = to,
        .to_count = scenario->receiver_count,
        .label = "file",
        .paths = paths,
        .path_count = 1,
        .priority = SF_NODE_PRIORITY_DEFAULT,
    };
    struct sf_node_error error;

    for (unsigned i = 0; i < scenario->receiver_count; i++) {
        to[i] = i + 1;
    }
    run->content = scenario->seed;
    run->generate = sf_hollow_is_chosen() ? sf_hollow_generate : sf_sim_disk_generate;
    sf_assert(sf_sim_disk_source(sf_world_disk(run->world, GROUND), paths[0], scenario->size_bytes,
                  run->generate, &run->content) == SF_OK);
    if (sf_world_send(run->world, &send, &run->id, &error) != SF_OK) {
        run->is_over = true;
        run->result->outcome = SF_WHATIF_NEVER;
        snprintf(
            run->result->why, sizeof(run->result->why), "it cannot be sent: %.400s", error.text);
    }
}

/* Bytes of the delivered file from its beginning on that are those of the source. */
static uint64_t
compare_file(struct run *run, unsigned receiver)
{
    static uint8_t expected[COMPARE_BYTES];
    static uint8_t actual[COMPARE_BYTES];
    struct sf_sim_disk *disk = sf_world_disk(run->world, receiver + 1);
    const char *path = "inbox/ground/file";
    uint64_t offset = 0;
    size_t got = 0;

    if (sf_hollow_is_chosen()) {
        return sf_sim_disk_zeros(disk, path);
    }
    do {
        if (sf_sim_disk_get(disk, path, offset, actual, sizeof(actual), &got) != SF_OK) {
            return offset;
        }
        run->generate(&run->content, offset, expected, got);
        if (memcmp(expected, actual, got) != 0) {
            return offset;
        }
        offset += got;
    } while (got == sizeof(actual));
    return offset;
}

/* --- Running ----------------------------------------------------------------------- */

static sf_mono
next_stop(const struct run *run, sf_mono until)
{
    sf_mono next = sf_mono_min(run->sample_at, until);

    for (size_t i = 0; i < run->scenario->receiver_count; i++) {
        next = sf_mono_min(next, cursor_deadline(&run->ways[i].sent));
        next = sf_mono_min(next, cursor_deadline(&run->ways[i].arrived));
    }
    return next;
}

static int
play(struct run *run)
{
    sf_mono until = run->scenario->start_ns + run->scenario->until_ns;

    while (!run->is_over) {
        if (sf_world_run_until(run->world, SF_SEC + next_stop(run, until), is_over, run)) {
            break;
        }
        for (unsigned i = 0; i < run->scenario->receiver_count; i++) {
            cursor_step(run, i, &run->ways[i].sent);
            cursor_step(run, i, &run->ways[i].arrived);
        }
        if (now_of(run) >= run->sample_at) {
            look(run);
            if (!add_sample(run)) {
                return SF_ESTATE;
            }
        }
        if (run->is_over || is_proven_lost(run) || is_silent(run)) {
            break;
        }
        if (now_of(run) >= until) {
            run->result->outcome = SF_WHATIF_LATE;
            snprintf(run->result->why, sizeof(run->result->why),
                "the time is over and the file is not there");
            break;
        }
    }
    return SF_OK;
}

/* Fill what stands at the end. */
static void
conclude(struct run *run)
{
    struct sf_whatif *result = run->result;
    bool all = true;

    result->end = now_of(run);
    for (unsigned i = 0; i < run->scenario->receiver_count; i++) {
        struct sf_whatif_receiver *to = &result->receivers[i];

        if (run->ways[i].sent.is_inside) {
            fill_row(run, i, &run->ways[i].sent, false);
        }
        if (run->ways[i].arrived.is_inside) {
            fill_row(run, i, &run->ways[i].arrived, true);
        }
        to->received_bytes = count_way(run, i).received_bytes;
        all &= to->is_delivered;
        if (to->is_delivered) {
            to->compared_bytes = compare_file(run, i);
            to->why[0] = '\0';
        }
    }
    if (all && result->why[0] == '\0') {
        result->outcome = SF_WHATIF_DELIVERED;
    }
    (void)add_sample(run);
}

int
sf_whatif_run(const struct sf_scenario *scenario, const struct sf_whatif_progress *progress,
    struct sf_whatif *ret_result)
{
    struct run *run = calloc(1, sizeof(*run));
    int status;

    sf_assert(run != NULL);
    memset(ret_result, 0, sizeof(*ret_result));
    ret_result->outcome = SF_WHATIF_DELIVERED;
    ret_result->begin = scenario->start_ns;
    ret_result->custody_at = SF_NEVER;
    ret_result->plain_bytes = scenario->size_bytes;
    ret_result->receiver_count = scenario->receiver_count;
    run->scenario = scenario;
    run->progress = progress;
    run->result = ret_result;
    run->sample_ns = SAMPLE_NS_FIRST;
    run->stage = sf_stage_open(scenario);
    run->world = sf_stage_world(run->stage);
    sf_world_watch(run->world, note_event, run);
    for (size_t i = 0; i < scenario->receiver_count; i++) {
        struct way *way = &run->ways[i];

        way->path = &scenario->receivers[i].profile.forward;
        way->rows_count = SF_WHATIF_CONTACTS_MAX;
        way->rows = calloc(way->rows_count, sizeof(*way->rows));
        sf_assert(way->rows != NULL);
        cursor_init(&way->sent, way->path, scenario->start_ns);
        cursor_init(&way->arrived, way->path, scenario->start_ns);
        way->arrived.start_shift_ns = way->path->delay_ns;
        way->arrived.end_shift_ns = late_ns(way->path);
    }
    send_file(run);
    status = add_sample(run) ? play(run) : SF_ESTATE;
    if (status == SF_OK) {
        conclude(run);
    }
    sf_stage_close(run->stage);
    for (size_t i = 0; i < scenario->receiver_count; i++) {
        free(run->ways[i].rows);
    }
    free(run);
    return status;
}

uint64_t
sf_whatif_goodput_bps(const struct sf_whatif *result)
{
    sf_mono last = 0;

    for (size_t i = 0; i < result->receiver_count; i++) {
        if (!result->receivers[i].is_delivered) {
            return 0;
        }
        if (result->receivers[i].delivered_at > last) {
            last = result->receivers[i].delivered_at;
        }
    }
    if (last <= result->begin) {
        return 0;
    }
    return (uint64_t)((unsigned __int128)result->plain_bytes * 8 * SF_SEC / (last - result->begin));
}
