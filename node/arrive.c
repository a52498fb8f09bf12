/*
 * arrive.c - from the link to the spool: what comes in, bundle by bundle.
 *
 *   granted:   open on a worker -> put (slot, sync, fact, sync) -> held
 *   ahead of its grant:  put as an orphan; opened when the grant has come
 *
 * The link's buffer is lent until the bundle is durable, so a slow disk slows
 * the link down instead of filling memory.
 */
#include "node/internal.h"

#include <stdlib.h>

/*
 * Bundles come on the sender's own session, so wrong ones are its own: rot in
 * a spool whose key it has forgotten, so that it cannot see it. So many in a
 * row, with nothing right among them, and there is nothing better to come.
 */
enum { WRONG_MAX = 32 };

struct arrival {
    struct flight flight;
    struct inbound *in;
    uint64_t index;
    uint8_t *sealed; /* the link's */
    uint8_t *plain;  /* NULL for an orphan */
    struct sf_view content;
    bool is_opening; /* its plaintext is on the account of those being opened */
    int status;
    struct sf_job job;
    struct sf_spool_put put;
    struct arrival *next;
};

/* A control object on its way in: what to do with it when it is complete. */
struct control {
    unsigned peer;
    uint32_t handle;
    enum sf_kind kind;
    struct sf_transfer_id transfer;
    struct control *next;
};

static bool
is_open(const struct inbound *in)
{
    return in->record.phase < SF_IN_DONE && !in->want_freed;
}

/* --- Verdicts ------------------------------------------------------------------------ */

static void
verdict(struct inbound *in, uint64_t index, enum sf_link_verdict verdict_)
{
    if (in->handle != 0 &&
        sf_link_received(in->node->link, in->peer, in->handle, index, verdict_) == SF_ENOENT) {
        in->handle = 0;
    }
}

static void
arrival_free(struct arrival *arrival)
{
    struct inbound *in = arrival->in;

    flight_end(&arrival->flight);
    node_must(in->node, sf_range_set_remove(&in->storing, arrival->index, arrival->index + 1));
    sf_link_buffer_return(in->node->link, arrival->sealed);
    if (arrival->is_opening) {
        opening_give(in->node, in->record.class_bytes);
    }
    free(arrival->plain);
    free(arrival);
}

static void
arrival_drop(struct flight *flight)
{
    struct arrival *arrival = FLIGHT_OF(flight, struct arrival);
    struct arrival **at = &arrival->in->waiting;

    while (*at != NULL && *at != arrival) {
        at = &(*at)->next;
    }
    if (*at == arrival) {
        *at = arrival->next; /* it is not there to be freed again */
    }
    free(arrival->plain);
    free(arrival);
}

/* --- Durable ---------------------------------------------------------------------------- */

static void
held(struct arrival *arrival)
{
    struct inbound *in = arrival->in;

    if (sf_range_set_add(&in->held, arrival->index, arrival->index + 1) != SF_OK) {
        node_fail(in->node, SF_ENOMEM);
        return;
    }
    verdict(in, arrival->index, SF_LINK_KEEP);
    contacts_bundle_came(in->node, in->peer);
    in->wrong = 0;
    in->receipt_due = true;
    if (in->decoder != NULL) {
        struct opened opened = {arrival->index, arrival->plain, arrival->content};

        arrival->plain = NULL;
        decoder_take(in->decoder, &opened);
    }
}

static void
stored(struct sf_spool_put *put)
{
    struct arrival *arrival = put->owner;
    struct inbound *in = arrival->in;

    in->arrivals--;
    if (put->status != SF_OK) {
        /* What a failed write or sync covered is not held: it is asked for again. */
        verdict(in, arrival->index, SF_LINK_AGAIN);
        if (put->status == SF_ENOSPC) {
            room_refused(in->node);
        } else if (is_open(in)) {
            inbound_rest(in, put->status);
        }
    } else if (!is_open(in)) {
        /* It ended meanwhile; the fact goes with the rest of it. */
    } else if (arrival->plain == NULL) {
        inbound_rested(in);
        if (sf_range_set_add(&in->orphans, arrival->index, arrival->index + 1) != SF_OK) {
            node_fail(in->node, SF_ENOMEM);
        }
        verdict(in, arrival->index, SF_LINK_KEEP);
    } else {
        inbound_rested(in);
        held(arrival);
    }
    arrival_free(arrival);
    arrive_go_on(in);
}

static void
store(struct arrival *arrival)
{
    struct inbound *in = arrival->in;

    arrival->put = (struct sf_spool_put){
        .done = stored,
        .owner = arrival,
        .spool = in->spool,
        .index = arrival->index,
        .object = arrival->sealed,
        .table = arrival->plain == NULL ? SF_TABLE_IN_ORPHAN : SF_TABLE_IN_HELD,
        .key = sf_view(in->key, sizeof(in->key)),
    };
    sf_spool_put(&arrival->put);
}

/* --- Opened --------------------------------------------------------------------------------- */

static struct arrival *
arrival_of(struct sf_job *job)
{
    return (struct arrival *)(void *)((char *)job - offsetof(struct arrival, job));
}

static void
run_open(struct sf_job *job)
{
    struct arrival *arrival = arrival_of(job);

    arrival->status = open_bundle(
        arrival->in, arrival->index, arrival->sealed, arrival->plain, &arrival->content);
}

static void
opened(struct sf_job *job)
{
    struct arrival *arrival = arrival_of(job);
    struct inbound *in = arrival->in;

    if (arrival->status == SF_OK && is_open(in)) {
        store(arrival);
        return;
    }
    in->arrivals--;
    if (arrival->status != SF_OK) {
        node_say(in->node, SF_NODE_EVENT_WARNING, &in->id,
            "bundle %llu is not what its sender sealed (%s); asking again",
            (unsigned long long)arrival->index, sf_status_text(arrival->status));
        verdict(in, arrival->index, SF_LINK_AGAIN);
        in->wrong++;
    }
    arrival_free(arrival);
    if (in->wrong >= WRONG_MAX && is_open(in)) {
        inbound_refuse(in, SF_REFUSAL_DAMAGED,
            "its sender keeps sending bundles that are not what it sealed: its copy is damaged");
    }
}

/* A bundle waits for its slot, and its fact comes after that of its transfer. */
static bool
may_process(const struct inbound *in)
{
    return in->spool != NULL && in->record.phase != 0 && (in->seal == NULL || in->has_signer);
}

static void
process(struct arrival *arrival)
{
    struct inbound *in = arrival->in;

    in->arrivals++;
    if (in->seal == NULL) {
        store(arrival);
        return;
    }
    arrival->is_opening = true;
    arrival->plain = malloc(in->record.class_bytes);
    if (arrival->plain == NULL) {
        in->arrivals--;
        verdict(in, arrival->index, SF_LINK_AGAIN);
        inbound_rest(in, SF_ENOMEM);
        arrival_free(arrival);
        return;
    }
    arrival->job = (struct sf_job){.run = run_open, .done = opened};
    sf_workers_submit(in->node->workers, &arrival->job);
}

/* --- Orphans -------------------------------------------------------------------------------------- */

enum { ORPHAN_CHECKS_MAX = 2 }; /* at a time, of all transfers */

struct orphan {
    struct flight flight;
    struct fetch fetch;
    struct inbound *in;
    struct opened opened;
};

static void
end_check(struct inbound *in)
{
    in->is_checking_orphan = false;
    in->node->orphan_checks--;
}

static void
orphan_free(struct orphan *orphan)
{
    flight_end(&orphan->flight);
    free(orphan->opened.plain);
    free(orphan);
}

static void
orphan_drop(struct flight *flight)
{
    struct orphan *orphan = FLIGHT_OF(flight, struct orphan);

    fetch_drop(&orphan->fetch);
    free(orphan->opened.plain);
    free(orphan);
}

static void
orphan_durable(void *owner)
{
    struct orphan *orphan = owner;
    struct inbound *in = orphan->in;

    end_check(in);
    in->fetches--;
    if (is_open(in)) {
        uint64_t index = orphan->opened.index;

        node_must(in->node, sf_range_set_remove(&in->orphans, index, index + 1));
        node_must(in->node, sf_range_set_add(&in->held, index, index + 1));
        in->receipt_due = true;
        if (in->decoder != NULL) {
            decoder_take(in->decoder, &orphan->opened);
            orphan->opened.plain = NULL;
        }
        arrive_go_on(in);
    }
    orphan_free(orphan);
}

static void
orphan_opened(struct fetch *fetch)
{
    struct orphan *orphan = fetch->owner;
    struct inbound *in = fetch->in;
    struct sf_journal *journal = in->node->journal;
    struct sf_view key = sf_view(in->key, sizeof(in->key));
    uint64_t index = fetch->index;

    if (!is_open(in)) {
        free(fetch->plain);
        fetch->plain = NULL;
        orphan_free(orphan);
        end_check(in);
        return;
    }
    node_must(in->node, sf_journal_remove(journal, SF_TABLE_IN_ORPHAN, key, index, index + 1));
    if (fetch->status != SF_OK) {
        node_must(in->node, sf_range_set_remove(&in->orphans, index, index + 1));
        /* It was in no receipt, so nothing is taken back. */
        node_commit(in->node);
        verdict(in, index, SF_LINK_AGAIN);
        end_check(in);
        orphan_free(orphan);
        arrive_go_on(in);
        return;
    }
    orphan->in = in;
    orphan->opened = (struct opened){index, fetch->plain, fetch->content};
    fetch->plain = NULL;
    in->fetches++; /* until the fact is durable: only then it is held */
    node_must(in->node, sf_journal_add(journal, SF_TABLE_IN_HELD, key, index, index + 1, NULL));
    node_commit_then(in->node, orphan_durable, orphan);
}

/* The grant has come: what was stored ahead of it is opened, one after the other. */
static void
check_orphan(struct inbound *in)
{
    struct orphan *orphan;

    if (in->is_checking_orphan || in->node->orphan_checks == ORPHAN_CHECKS_MAX ||
        in->orphans.count == 0 || in->seal == NULL || !in->is_recorded) {
        return;
    }
    orphan = calloc(1, sizeof(*orphan));
    if (orphan == NULL) {
        return;
    }
    orphan->fetch = (struct fetch){
        .in = in,
        .index = in->orphans.ranges[0].from,
        .done = orphan_opened,
        .owner = orphan,
    };
    if (fetch_begin(&orphan->fetch) != SF_OK) {
        free(orphan);
        return;
    }
    flight_begin(&in->node->flights, &orphan->flight, orphan_drop);
    in->is_checking_orphan = true;
    in->node->orphan_checks++;
}

void
arrive_go_on(struct inbound *in)
{
    if (!may_process(in) || !is_open(in) || in->node->is_closing) {
        return;
    }
    while (in->waiting != NULL &&
           (in->seal == NULL || opening_take(in->node, in->record.class_bytes))) {
        struct arrival *arrival = in->waiting;

        in->waiting = arrival->next;
        process(arrival);
    }
    check_orphan(in);
}

void
arrive_drop(struct inbound *in)
{
    while (in->waiting != NULL) {
        struct arrival *arrival = in->waiting;

        in->waiting = arrival->next;
        arrival_free(arrival);
    }
}

/* --- Control objects ---------------------------------------------------------------------------------- */

static struct control **
find_control(struct sf_node *node, unsigned peer, uint32_t handle)
{
    struct control **at = &node->controls;

    while (*at != NULL && ((*at)->peer != peer || (*at)->handle != handle)) {
        at = &(*at)->next;
    }
    return at;
}

static void
drop_control(struct control **at)
{
    struct control *control = *at;

    *at = control->next;
    free(control);
}

void
arrive_drop_controls(struct sf_node *node, unsigned peer)
{
    struct control **at = &node->controls;

    while (*at != NULL) {
        if ((*at)->peer == peer) {
            drop_control(at);
        } else {
            at = &(*at)->next;
        }
    }
}

void
arrive_fini(struct sf_node *node)
{
    while (node->controls != NULL) {
        drop_control(&node->controls);
    }
}

static void
accept_control(struct sf_node *node, const struct sf_link_event *event)
{
    const struct sf_link_object *object = &event->object;
    struct control *control = NULL;

    if (object->count == 1 && object->first == 0 && sf_class_is_control(object->class_bytes)) {
        control = malloc(sizeof(*control));
    }
    if (control == NULL || sf_link_accept(node->link, event->peer, event->handle, NULL) != SF_OK) {
        free(control);
        sf_link_decline(node->link, event->peer, event->handle);
        return;
    }
    *control = (struct control){
        event->peer, event->handle, (enum sf_kind)object->kind, object->transfer, node->controls};
    node->controls = control;
}

/* A grant that is not needed: say that it is here, so that it is not sent. */
static bool
is_granted(struct sf_node *node, const struct sf_link_event *event)
{
    const struct peer *peer = &node->peers[event->peer];
    const struct inbound *in =
        inbound_find(node, &event->object.transfer, &peer->conf.card.fingerprint);
    struct sf_range_set all;
    bool is_known = in != NULL && !in->is_forgotten && (in->seal != NULL || !is_open(in));

    if (!is_known) {
        return false;
    }
    sf_range_set_init(&all, 1);
    if (sf_range_set_add(&all, 0, 1) != SF_OK ||
        sf_link_accept(node->link, event->peer, event->handle, &all) != SF_OK) {
        sf_link_decline(node->link, event->peer, event->handle);
    }
    sf_range_set_fini(&all);
    return true;
}

/* --- Data objects ------------------------------------------------------------------------------------------ */

static void
refuse_data(struct sf_node *node, const struct sf_link_event *event, const struct refusal *refusal)
{
    struct peer *peer = &node->peers[event->peer];

    /* It is offered again and again until its sender has heard: that must not use up all records. */
    if (peer->data_refused != refusal->reason || node->now >= peer->data_refused_until) {
        peer->data_refused = refusal->reason;
        peer->data_refused_until = sf_mono_add(node->now, RECORD_EVERY);
        record_peer(node, "data_refused", peer, sf_refusal_text(refusal->reason));
    }
    inbound_refuse_unknown(node, peer, refusal);
    sf_link_decline(node->link, event->peer, event->handle);
}

static bool
is_sane(const struct sf_link_object *object)
{
    return sf_class_is_data(object->class_bytes) && object->first == 0 && object->count > 0 &&
           object->count <= SF_BUNDLES_MAX;
}

static void
accept_data(struct inbound *in, const struct sf_link_event *event)
{
    struct sf_node *node = in->node;
    struct sf_range_set have;
    int status;

    sf_range_set_init(&have, SF_JOURNAL_RANGES_MAX);
    status = sf_range_set_copy(&have, &in->held);
    if (status == SF_OK) {
        status = sf_range_set_merge(&have, &in->orphans);
    }
    if (status == SF_OK) {
        status = sf_range_set_merge(&have, &in->storing);
    }
    if (status == SF_OK) {
        status = sf_link_accept(node->link, event->peer, event->handle, &have);
    }
    sf_range_set_fini(&have);
    if (status != SF_OK) {
        sf_link_decline(node->link, event->peer, event->handle);
        return;
    }
    in->handle = event->handle;
    in->peer = event->peer;
    in->link_count = event->object.is_count_final ? event->object.count : 0;
    in->receipt_due = in->is_recorded;
    if (inbound_is_resting(in) && sf_link_pause(node->link, in->peer, in->handle) != SF_OK) {
        in->handle = 0;
    }
}

static void
object_data(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];
    const struct sf_link_object *object = &event->object;
    struct inbound *in = inbound_find(node, &object->transfer, &peer->conf.card.fingerprint);
    struct refusal refusal = {.transfer = object->transfer};

    if (in != NULL && !is_open(in)) {
        in->is_asked = true;
        if (!in->is_forgotten) {
            inbound_send_tombstone(in);
        }
        sf_link_decline(node->link, event->peer, event->handle);
        return;
    }
    if (!is_sane(object)) {
        refusal.reason = SF_REFUSAL_TOO_LARGE;
        refuse_data(node, event, &refusal);
        return;
    }
    if (!peer->conf.may_send) {
        refusal.reason = SF_REFUSAL_NOT_ALLOWED;
        refuse_data(node, event, &refusal);
        return;
    }
    if (in == NULL && ended_is_noted(node, &object->transfer, &peer->conf.card.fingerprint)) {
        refusal.reason = SF_REFUSAL_FINISHED;
        refuse_data(node, event, &refusal);
        return;
    }
    if (in == NULL) {
        if (!room_for(node, peer, object->count * object->class_bytes, &refusal)) {
            refuse_data(node, event, &refusal);
            return;
        }
        in = inbound_create(node, &object->transfer, &peer->conf.card.fingerprint);
        if (in == NULL) {
            sf_link_decline(node->link, event->peer, event->handle);
            return;
        }
        in->record.class_bytes = object->class_bytes;
        in->record.slots = object->count;
        inbound_make_spool(in);
    }
    if (in->record.class_bytes != object->class_bytes || object->count > in->record.slots) {
        /* Overtaken on the way: an announcement from before its count was final. It is repeated. */
        sf_link_decline(node->link, event->peer, event->handle);
        return;
    }
    in->touched = node->now;
    accept_data(in, event);
}

void
inbound_object(struct sf_node *node, const struct sf_link_event *event)
{
    if (!node->peers[event->peer].used) {
        sf_link_decline(node->link, event->peer, event->handle);
        return;
    }
    switch (event->object.kind) {
    case SF_KIND_DATA:
        object_data(node, event);
        break;
    case SF_KIND_GRANT:
        if (!is_granted(node, event)) {
            accept_control(node, event);
        }
        break;
    case SF_KIND_LETTER:
        accept_control(node, event);
        break;
    default:
        sf_link_decline(node->link, event->peer, event->handle);
        break;
    }
}

static struct inbound *
find_handle(struct sf_node *node, unsigned peer, uint32_t handle)
{
    struct inbound *in = node->ins;

    while (in != NULL && (in->handle != handle || in->peer != peer || handle == 0)) {
        in = in->next;
    }
    return in;
}

/* The digests say it signed; this tells an end without digests from one that has not come. */
void
inbound_count(struct sf_node *node, const struct sf_link_event *event)
{
    struct inbound *in = find_handle(node, event->peer, event->handle);

    if (in != NULL && event->object.is_count_final) {
        in->link_count = event->object.count;
    }
}

/*
 * It is here, or on its way to the disk: its slot is not written again, least
 * of all once a receipt lists it.
 */
static bool
has_bundle(const struct inbound *in, uint64_t index)
{
    return sf_range_set_has(&in->held, index) || sf_range_set_has(&in->orphans, index) ||
           sf_range_set_has(&in->storing, index);
}

/* A bundle that came complete; NULL if it is not taken. */
static struct arrival *
arrival_new(struct inbound *in, const struct sf_link_event *event)
{
    struct arrival *arrival;

    if (event->index >= in->record.slots || event->buffer_bytes != in->record.class_bytes) {
        return NULL;
    }
    if (has_bundle(in, event->index)) {
        verdict(in, event->index, SF_LINK_KEEP);
        return NULL;
    }
    arrival = calloc(1, sizeof(*arrival));
    if (arrival == NULL ||
        sf_range_set_add(&in->storing, event->index, event->index + 1) != SF_OK) {
        verdict(in, event->index, SF_LINK_AGAIN);
        inbound_rest(in, SF_ENOMEM);
        free(arrival);
        return NULL;
    }
    return arrival;
}

void
inbound_bundle(struct sf_node *node, const struct sf_link_event *event)
{
    struct control **control = find_control(node, event->peer, event->handle);
    struct inbound *in;
    struct arrival *arrival;

    if (*control != NULL) {
        post_take(node, &node->peers[event->peer], (*control)->kind, &(*control)->transfer,
            event->buffer, event->buffer_bytes);
        (void)!sf_link_received(node->link, event->peer, event->handle, event->index, SF_LINK_KEEP);
        sf_link_buffer_return(node->link, event->buffer);
        return;
    }
    in = find_handle(node, event->peer, event->handle);
    arrival = in == NULL || !is_open(in) ? NULL : arrival_new(in, event);
    if (arrival == NULL) {
        sf_link_buffer_return(node->link, event->buffer);
        return;
    }
    flight_begin(&node->flights, &arrival->flight, arrival_drop);
    arrival->in = in;
    arrival->index = event->index;
    arrival->sealed = event->buffer;
    in->received_bytes += event->buffer_bytes;
    in->touched = node->now;
    arrival->next = in->waiting;
    in->waiting = arrival;
    arrive_go_on(in);
}

void
inbound_gone(struct sf_node *node, const struct sf_link_event *event)
{
    struct control **control = find_control(node, event->peer, event->handle);
    struct inbound *in = find_handle(node, event->peer, event->handle);

    if (*control != NULL) {
        drop_control(control);
    }
    if (in != NULL) {
        in->handle = 0;
        in->is_asked = false;
    }
}

/* --- Partial bundles when memory is short ---------------------------------------------------------------------- */

struct spill {
    struct flight flight;
    struct sf_node *node;
    struct inbound *in;
    unsigned peer;
    uint32_t handle;
    bool is_load;
    struct sf_spool_io io;
};

static void
spill_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct spill));
}

static void
spill_done(struct sf_spool_io *io)
{
    struct spill *spill = io->owner;

    spill->in->fetches--;
    if (spill->is_load) {
        sf_link_loaded(
            spill->node->link, spill->peer, spill->handle, io->index, io->data, io->status);
    } else {
        sf_link_spilled(
            spill->node->link, spill->peer, spill->handle, io->index, io->data, io->status);
    }
    flight_end(&spill->flight);
    free(spill);
}

static void
spill_begin(struct sf_node *node, const struct sf_link_event *event, bool is_load)
{
    struct inbound *in = find_handle(node, event->peer, event->handle);
    struct spill *spill = NULL;

    if (in != NULL && in->spool != NULL && event->index < in->record.slots &&
        !has_bundle(in, event->index)) {
        spill = calloc(1, sizeof(*spill));
    }
    if (spill == NULL) {
        if (is_load) {
            sf_link_loaded(
                node->link, event->peer, event->handle, event->index, event->buffer, SF_ENOENT);
        } else {
            sf_link_spilled(
                node->link, event->peer, event->handle, event->index, event->buffer, SF_ENOENT);
        }
        return;
    }
    flight_begin(&node->flights, &spill->flight, spill_drop);
    spill->node = node;
    spill->in = in;
    spill->peer = event->peer;
    spill->handle = event->handle;
    spill->is_load = is_load;
    spill->io = (struct sf_spool_io){
        .done = spill_done,
        .owner = spill,
        .spool = in->spool,
        .index = event->index,
        .bytes = in->record.class_bytes,
        .data = event->buffer,
    };
    in->fetches++;
    if (is_load) {
        sf_spool_get(&spill->io);
    } else {
        sf_spool_write_raw(&spill->io);
    }
}

void
inbound_spill(struct sf_node *node, const struct sf_link_event *event)
{
    spill_begin(node, event, false);
}

void
inbound_load(struct sf_node *node, const struct sf_link_event *event)
{
    spill_begin(node, event, true);
}
