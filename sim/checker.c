/*
 * checker.c - the invariants of custody, after every event.
 *
 * What a node says of itself is compared with what its disk would keep if the
 * power went now, with what it said before, and with what the other end says.
 * Only what has changed is looked at again. The invariants of the link, I6 of
 * datagrams and I7, are in checker_link.c.
 */
#include "sim/checker.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "bundle/envelope.h"
#include "node/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_BYTES = 128,
    SLOT_BYTES_MAX = SF_ENVELOPE_CLASS_MAX,
    LIST_BYTES = 65536,
    CHUNK_BYTES = 65536,
    CONTROL_BYTES = 16384, /* grants, receipts and cancels of one transfer and recipient */
};

/* --- What is on the disks -------------------------------------------------------------- */

enum face { FACE_SEEN, FACE_DURABLE };

static bool
read_file(struct life *life, unsigned number, enum face face, const char *path, uint64_t offset,
    uint8_t *out, size_t bytes, size_t *ret_bytes)
{
    struct sf_sim_disk *disk = sf_world_disk(life->world, number);
    int status = face == FACE_SEEN
                     ? sf_sim_disk_get(disk, path, offset, out, bytes, ret_bytes)
                     : sf_sim_disk_get_durable(disk, path, offset, out, bytes, ret_bytes);

    return status == SF_OK;
}

static void
spool_path(const struct sf_transfer_id *id, const char *suffix, char ret_path[PATH_BYTES])
{
    size_t used = (size_t)snprintf(ret_path, PATH_BYTES, "spool/");

    for (size_t i = 0; i < sizeof(id->b); i++) {
        used += (size_t)snprintf(ret_path + used, PATH_BYTES - used, "%02x", id->b[i]);
    }
    snprintf(ret_path + used, PATH_BYTES - used, "%s", suffix);
}

/* The sealed bundle in a slot, as far as it is one; false if there is none. */
static bool
read_slot(struct life *life, unsigned number, enum face face, const struct slot *slot,
    struct life_bundle *ret_bundle)
{
    uint8_t *object = life->checker->object;
    uint8_t id[SF_OBJECT_ID_BYTES];
    char path[PATH_BYTES];
    size_t bytes;

    spool_path(slot->file, slot->suffix, path);
    if (!read_file(life, number, face, path, slot->index * slot->class_bytes, object,
            slot->class_bytes, &bytes) ||
        bytes != slot->class_bytes ||
        sf_envelope_peek(sf_view(object, bytes), id, ret_bundle->siv) != SF_OK) {
        return false;
    }
    ret_bundle->is_known = true;
    ret_bundle->crc = sf_crc32c(0, object, bytes);
    return true;
}

static bool
is_file_whole(
    struct life *life, unsigned number, enum face face, struct life_file *file, const char *path)
{
    uint8_t *actual = life->checker->object;
    uint8_t *expected = actual + CHUNK_BYTES;
    uint64_t offset = 0;
    size_t bytes;

    do {
        if (!read_file(life, number, face, path, offset, actual, CHUNK_BYTES, &bytes)) {
            return false;
        }
        life_content(&file->content, offset, expected, bytes);
        if (memcmp(actual, expected, bytes) != 0) {
            return false;
        }
        offset += bytes;
    } while (bytes == CHUNK_BYTES);
    return offset == file->bytes;
}

/* Every file of a transfer stands in an inbox, with all its bytes. */
static bool
is_whole(struct life *life, unsigned number, enum face face, struct life_sent *sent)
{
    for (unsigned i = 0; i < sent->to_count; i++) {
        if (sent->to[i] == number && sent->claims[i].is_spoiled) {
            return true; /* it was, before people put something else there */
        }
    }
    for (unsigned i = 0; i < sent->file_count; i++) {
        char path[PATH_BYTES];

        snprintf(path, sizeof(path), "inbox/%s/%s%s%s", life->nodes[sent->from].name, sent->label,
            sent->is_directory ? "/" : "", sent->is_directory ? sent->files[i].name : "");
        if (!is_file_whole(life, number, face, &sent->files[i], path)) {
            return false;
        }
    }
    return true;
}

static size_t
list(struct life *life, unsigned number, const char *path)
{
    size_t bytes;

    return sf_sim_disk_names(sf_world_disk(life->world, number), path, life->checker->names,
               LIST_BYTES, &bytes) == SF_OK
               ? bytes
               : 0;
}

/* --- I1: whoever is to have it can produce it -------------------------------------------- */

static void
check_i1_custody(struct life *life, struct life_sent *sent, const struct sf_inspect_out *out)
{
    if (out->is_in_custody && !sent->has_custody) {
        sent->has_custody = true;
        if (!sf_range_set_covers(out->sealed, 0, out->count)) {
            life_fail(life, "I1", "%s is in custody and not all of it is sealed", sent->label);
        }
    }
    if (sent->has_custody && !sent->is_cancelled && !life_may_fail(life, sent) &&
        out->phase != SF_OUT_CUSTODY && out->phase != SF_OUT_DONE) {
        life_fail(life, "I1", "%s was in custody and is given up (phase %d) though no disk failed",
            sent->label, (int)out->phase);
    }
}

/* The bundles that the sender knows are in its slots. */
static void
check_i1_slots(struct life *life, struct life_sent *sent, const struct sf_inspect_out *out)
{
    for (uint64_t i = 0; i < sent->bundle_count && !out->is_freed; i++) {
        const struct slot slot = {&sent->id, ".out", i, out->class_bytes};
        struct life_bundle bundle;

        if (!sent->bundles[i].is_known || !sf_range_set_has(out->sealed, i) ||
            life->nodes[sent->from].has_rot) {
            continue;
        }
        if (!read_slot(life, sent->from, FACE_DURABLE, &slot, &bundle) ||
            bundle.crc != sent->bundles[i].crc) {
            life_fail(life, "I1",
                "bundle %" PRIu64 " of %s is not in the spool of its sender any more", i,
                sent->label);
        }
    }
}

/* --- I2: freed only on everybody's FINAL, or by a cancel ------------------------------------ */

static void
check_i2_delete(struct life *life, struct life_sent *sent, const struct sf_inspect_out *out)
{
    const struct sf_node *node = sf_world_node(life->world, sent->from);
    bool all_opened = true;

    if (!sent->has_custody || out->is_cancelled || life->nodes[sent->from].is_restored) {
        return;
    }
    for (unsigned i = 0; i < sent->to_count; i++) {
        struct life_node *recipient = &life->nodes[sent->to[i]];
        struct sf_inspect_to to;

        if (!sf_inspect_to(node, &sent->id, &recipient->fingerprint, &to)) {
            life_fail(life, "I2", "%s has lost a recipient", sent->label);
            return;
        }
        all_opened &= to.has_opened || to.phase != SF_TO_OPEN;
        if (out->is_freed && to.phase != SF_TO_FINAL && to.phase != SF_TO_WHOLE) {
            life_fail(
                life, "I2", "%s is freed and %s has not said FINAL", sent->label, recipient->name);
        }
        if ((to.phase == SF_TO_FINAL || (to.phase == SF_TO_WHOLE && out->is_freed)) &&
            !sent->claims[i].is_delivered && !recipient->is_restored &&
            !is_whole(life, sent->to[i], FACE_DURABLE, sent)) {
            life_fail(life, "I2", "FINAL of %s is believed, and %s does not have the files",
                sent->label, recipient->name);
        }
    }
    if (!out->has_key && !out->is_freed && !(out->forgets_key && all_opened) &&
        !life->nodes[sent->from].has_disk_faults) {
        life_fail(life, "I2", "the key of %s is gone too early", sent->label);
    }
}

/* --- I3: what a receipt could list is there ---------------------------------------------------- */

static void
check_i3_bundle(struct life *life, struct life_sent *sent, unsigned place,
    const struct sf_inspect_in *in, uint64_t index)
{
    const struct slot slot = {&in->local, ".in", index, in->class_bytes};
    unsigned number = sent->to[place];
    struct life_bundle bundle;

    if (index < in->punched || life->nodes[number].has_rot || index >= sent->bundle_count ||
        !sent->bundles[index].is_known || life->nodes[sent->from].has_rot) {
        return;
    }
    if (!read_slot(life, number, FACE_DURABLE, &slot, &bundle)) {
        life_fail(life, "I3",
            "%s may say that it holds bundle %" PRIu64 " of %s, which its disk does "
            "not keep",
            life->nodes[number].name, index, sent->label);
    } else if (bundle.crc != sent->bundles[index].crc) {
        life_fail(life, "I3", "%s holds another bundle %" PRIu64 " of %s than was sealed",
            life->nodes[number].name, index, sent->label);
    }
}

static void
check_i3_held(
    struct life *life, struct life_sent *sent, unsigned place, const struct sf_inspect_in *in)
{
    struct life_claim *claim = &sent->claims[place];

    for (size_t i = 0; i < in->held->count; i++) {
        const struct sf_range *range = &in->held->ranges[i];

        if (sf_range_set_covers(&claim->held, range->from, range->to)) {
            continue;
        }
        for (uint64_t index = range->from; index < range->to; index++) {
            if (!sf_range_set_has(&claim->held, index)) {
                check_i3_bundle(life, sent, place, in, index);
            }
        }
    }
    sf_assert(sf_range_set_copy(&claim->held, in->held) == SF_OK);
}

/* What the sender was told in this generation is no more than the recipient could say. */
static void
check_i3_told(
    struct life *life, const struct life_sent *sent, unsigned place, const struct sf_inspect_to *to)
{
    const struct life_claim *claim = &sent->claims[place];

    if (!claim->is_known || claim->is_cut || to->generation != claim->generation ||
        to->phase == SF_TO_FINAL || life->nodes[sent->to[place]].is_restored) {
        return;
    }
    for (size_t i = 0; i < to->told->count; i++) {
        if (!sf_range_set_covers(&claim->held, to->told->ranges[i].from, to->told->ranges[i].to)) {
            life_fail(life, "I3", "a receipt of %s about %s lists what it never held",
                life->nodes[sent->to[place]].name, sent->label);
        }
    }
}

/* --- I4: an inbox shows whole files, each once --------------------------------------------------- */

static void
check_i4_entry(struct life *life, unsigned number, unsigned from, const char *name)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];

        if (sent->from == from && strcmp(sent->label, name) == 0) {
            if (!is_whole(life, number, FACE_SEEN, sent)) {
                life_fail(life, "I4", "%s in the inbox of %s is not what %s sent", name,
                    life->nodes[number].name, life->nodes[from].name);
            }
            return;
        }
    }
    life_fail(life, "I4", "the inbox of %s shows \"%s\", which nobody sent, or twice",
        life->nodes[number].name, name);
}

static void
check_i4_inbox(struct life *life, unsigned number)
{
    for (unsigned from = 0; from < life->node_count; from++) {
        char path[PATH_BYTES];
        size_t bytes;

        snprintf(path, sizeof(path), "inbox/%s", life->nodes[from].name);
        bytes = list(life, number, path);
        for (size_t i = 0; i < bytes;) {
            const char *name = (const char *)life->checker->names + i;

            check_i4_entry(life, number, from, name);
            i += strlen(name) + 1;
        }
    }
}

/* What is said to be delivered is there, and stays there. */
static void
check_i4_delivered(struct life *life, struct life_sent *sent, unsigned place)
{
    unsigned number = sent->to[place];

    if (!is_whole(life, number, FACE_DURABLE, sent) && !life->nodes[number].is_restored) {
        life_fail(life, "I4", "%s is delivered to %s, and its disk does not keep it", sent->label,
            life->nodes[number].name);
    }
    sent->claims[place].is_delivered = true;
}

/* --- I5: nothing that was said is taken back ------------------------------------------------------- */

/* At a recipient, by its own generations. */
static void
check_i5_held(
    struct life *life, struct life_sent *sent, unsigned place, const struct sf_inspect_in *in)
{
    struct life_claim *claim = &sent->claims[place];
    const struct life_node *node = &life->nodes[sent->to[place]];

    if (!claim->is_known) {
        return;
    }
    if (in->generation < claim->generation) {
        life_fail(life, "I5", "%s went back to an older generation of receipts about %s",
            node->name, sent->label);
    } else if (in->generation > claim->generation) {
        if (!node->has_disk_faults && !node->is_restored) {
            life_fail(life, "I5", "%s lost bundles of %s though its disk did not fail", node->name,
                sent->label);
        }
        sf_range_set_clear(&claim->held);
    } else {
        for (size_t i = 0; i < claim->held.count; i++) {
            const struct sf_range *range = &claim->held.ranges[i];

            if (!sf_range_set_covers(in->held, range->from, range->to)) {
                life_fail(life, "I5", "%s does not hold any more what it could have said about %s",
                    node->name, sent->label);
            }
        }
    }
}

/* At the sender, by the receipts it took. */
static void
check_i5_told(
    struct life *life, struct life_sent *sent, unsigned place, const struct sf_inspect_to *to)
{
    struct life_claim *claim = &sent->claims[place];
    uint64_t total = sf_range_set_total(to->told);
    bool is_behind = to->generation < claim->told_generation ||
                     (to->generation == claim->told_generation &&
                         (to->counter < claim->told_counter || total < claim->told_total));

    /* What ends it lists nothing and counts no more. */
    if (is_behind && to->phase <= SF_TO_VERIFIED) {
        life_fail(life, "I5", "the sender of %s took back what it was told", sent->label);
    }
    if (claim->is_final && to->phase != SF_TO_FINAL) {
        life_fail(life, "I5", "the sender of %s took back a FINAL", sent->label);
    }
    claim->told_generation = to->generation;
    claim->told_counter = to->counter;
    claim->told_total = total;
    claim->is_final = to->phase == SF_TO_FINAL;
}

/* --- I6: no key and nonce seal two things; of bundles -------------------------------------------------- */

static struct life_bundle *
bundle_at(struct life_sent *sent, uint64_t index)
{
    if (index >= sent->bundle_count) {
        sent->bundles = realloc(sent->bundles, (index + 1) * sizeof(*sent->bundles));
        sf_assert(sent->bundles != NULL);
        memset(sent->bundles + sent->bundle_count, 0,
            (index + 1 - sent->bundle_count) * sizeof(*sent->bundles));
        sent->bundle_count = index + 1;
    }
    return &sent->bundles[index];
}

/* Key and nonce of a bundle follow from its siv. A journalled index keeps its siv for ever. */
static void
check_i6_bundle(struct life *life, struct life_sent *sent, uint64_t index, uint32_t class_bytes)
{
    const struct slot slot = {&sent->id, ".out", index, class_bytes};
    bool has_rot = life->nodes[sent->from].has_rot;
    struct life_bundle *known = bundle_at(sent, index);
    struct life_bundle bundle;

    if (!read_slot(life, sent->from, has_rot ? FACE_SEEN : FACE_DURABLE, &slot, &bundle)) {
        if (!has_rot) {
            life_fail(life, "I1", "bundle %" PRIu64 " of %s may fly, and its disk does not keep it",
                index, sent->label);
        }
        return;
    }
    if (known->is_known && !has_rot &&
        (memcmp(known->siv, bundle.siv, sizeof(bundle.siv)) != 0 || known->crc != bundle.crc)) {
        life_fail(life, "I6", "bundle %" PRIu64 " of %s was sealed twice, and differs", index,
            sent->label);
    }
    for (uint64_t i = 0; i < sent->bundle_count; i++) {
        if (i != index && sent->bundles[i].is_known && !has_rot &&
            memcmp(sent->bundles[i].siv, bundle.siv, sizeof(bundle.siv)) == 0) {
            life_fail(life, "I6", "two bundles of %s have one siv", sent->label);
        }
    }
    *known = bundle;
}

static void
check_i6_sealed(struct life *life, struct life_sent *sent, const struct sf_inspect_out *out)
{
    uint64_t total = sf_range_set_total(out->sealed);

    if (total == sent->sealed_total || out->is_freed || out->phase > SF_OUT_CUSTODY) {
        return;
    }
    sent->sealed_total = total;
    for (size_t i = 0; i < out->sealed->count; i++) {
        for (uint64_t k = out->sealed->ranges[i].from; k < out->sealed->ranges[i].to; k++) {
            if (k >= sent->bundle_count || !sent->bundles[k].is_known) {
                check_i6_bundle(life, sent, k, out->class_bytes);
            }
        }
    }
}

/* --- I8: once faults have stopped it arrives, and soon -------------------------------------------------- */

/* What is still to go to one recipient, in sealed bytes. */
static uint64_t
remaining_to(
    struct life *life, struct life_sent *sent, unsigned place, const struct sf_inspect_out *out)
{
    const struct sf_node *node = sf_world_node(life->world, sent->to[place]);
    uint64_t count = out->count != 0 ? out->count : out->slots;
    struct sf_inspect_in in;

    if (sf_inspect_in(node, &sent->id, &life->nodes[sent->from].fingerprint, &in)) {
        uint64_t held = in.phase >= SF_IN_DELIVERING ? count : sf_range_set_total(in.held);

        count -= held < count ? held : count;
    }
    return count * out->class_bytes;
}

static uint64_t
segment_bytes(struct life *life)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < life->node_count; i++) {
        bytes += sf_inspect_segment_bytes(sf_world_node(life->world, i));
    }
    return bytes;
}

void
checker_calm(struct life *life)
{
    struct checker *checker = life->checker;
    uint64_t round_ns = 2 * life->calm.delay_ns + 500 * SF_MS;

    checker->calm_at = sf_world_now(life->world);
    /* Where a medium or an image was bad, more may yet turn out to be missing; where nothing
       comes back, everything is sent again and again. */
    checker->is_bounded = !life->is_one_way;
    for (unsigned i = 0; i < life->node_count; i++) {
        checker->is_bounded &= !life->nodes[i].has_disk_faults && !life->nodes[i].is_restored &&
                               !life->nodes[i].has_run_out;
    }
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];
        struct sf_inspect_out out;

        if (sent->is_forgotten ||
            !sf_inspect_out(sf_world_node(life->world, sent->from), &sent->id, &out) ||
            out.phase > SF_OUT_CUSTODY) {
            continue;
        }
        checker->is_bounded &= sent->base == NULL; /* it may take the whole beside it */
        for (unsigned k = 0; k < sent->to_count; k++) {
            checker->remaining_bytes += remaining_to(life, sent, k, &out);
            checker->open_pairs++;
            checker->spare_bytes +=
                2 * (uint64_t)out.class_bytes + life->rate_bps / 8 * (round_ns / SF_MS) / 1000;
        }
    }
    checker->segment_bytes = segment_bytes(life);
}

static void
check_i8_liveness(struct life *life)
{
    struct checker *checker = life->checker;
    uint64_t spent = segment_bytes(life) - checker->segment_bytes;
    uint64_t span_ns = sf_world_now(life->world) - checker->calm_at;

    sf_trace_say(&life->trace, sf_world_now(life->world),
        "delivered after %" PRIu64 " ms of calm: %" PRIu64 " bytes remained for %u, %" PRIu64
        " were sent; spare %" PRIu64,
        span_ns / SF_MS, checker->remaining_bytes, checker->open_pairs, spent,
        checker->spare_bytes);
    if (checker->is_bounded &&
        spent > checker->remaining_bytes + checker->remaining_bytes / 20 + checker->spare_bytes) {
        life_fail(life, "I8",
            "%" PRIu64 " segment bytes were sent for %" PRIu64 " that remained; %" PRIu64
            " more than a twentieth are allowed",
            spent, checker->remaining_bytes, checker->spare_bytes);
    }
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct sf_node_transfer transfer;

        if (!life_has_ended(life, &life->sent[i]) &&
            sf_world_transfer(life->world, life->sent[i].from, &life->sent[i].id, &transfer)) {
            life_fail(life, "I8", "%s is %s after %" PRIu64 " s without faults; %s: %s %.200s",
                life->sent[i].label, sf_node_state_name(transfer.state), span_ns / SF_SEC,
                transfer.recipients[0].name,
                sf_node_recipient_state_name(transfer.recipients[0].state),
                transfer.recipients[0].why);
        }
    }
}

/* --- When what is looked at ------------------------------------------------------------------------------ */

static void
look_out(struct life *life, struct life_sent *sent)
{
    const struct sf_node *node = sf_world_node(life->world, sent->from);
    struct sf_inspect_out out;

    if (sent->is_forgotten || !sf_inspect_out(node, &sent->id, &out)) {
        return;
    }
    check_i6_sealed(life, sent, &out);
    check_i1_custody(life, sent, &out);
    check_i2_delete(life, sent, &out);
    for (unsigned i = 0; i < sent->to_count; i++) {
        struct sf_inspect_to to;

        if (sf_inspect_to(node, &sent->id, &life->nodes[sent->to[i]].fingerprint, &to)) {
            check_i5_told(life, sent, i, &to);
            check_i3_told(life, sent, i, &to);
        }
    }
}

static void
look_in(struct life *life, struct life_sent *sent, unsigned place)
{
    struct life_claim *claim = &sent->claims[place];
    const struct sf_node *node = sf_world_node(life->world, sent->to[place]);
    struct sf_inspect_in in;

    if (!sf_inspect_in(node, &sent->id, &life->nodes[sent->from].fingerprint, &in)) {
        return;
    }
    if (in.is_delivered && !claim->is_delivered) {
        check_i4_delivered(life, sent, place);
    }
    if (in.phase != SF_IN_RECEIVING || !in.is_stable) {
        return;
    }
    check_i5_held(life, sent, place, &in);
    check_i3_held(life, sent, place, &in);
    claim->is_known = true;
    claim->is_cut = false;
    claim->generation = in.generation;
}

/*
 * The power went amid the step: a receipt may have left in it, of what was durable and was never
 * looked at. What it lists is held against what is there after the start.
 */
static void
cut(struct life *life, unsigned number)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        for (unsigned k = 0; k < life->sent[i].to_count; k++) {
            life->sent[i].claims[k].is_cut |= life->sent[i].to[k] == number;
        }
    }
}

void
checker_stepped(struct life *life, unsigned number)
{
    if (life_is_over(life)) {
        return;
    }
    if (sf_world_is_off(life->world, number)) {
        cut(life, number);
        return;
    }
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];

        if (sent->from == number) {
            look_out(life, sent);
        }
        for (unsigned k = 0; k < sent->to_count; k++) {
            if (sent->to[k] == number) {
                look_in(life, sent, k);
            }
        }
    }
    if (life->nodes[number].is_inbox_touched) {
        life->nodes[number].is_inbox_touched = false;
        check_i4_inbox(life, number);
    }
}

static void
sender_started(struct life *life, struct life_sent *sent)
{
    struct sf_inspect_out out;

    for (unsigned i = 0; i < sent->to_count; i++) {
        struct life_claim *claim = &sent->claims[i];

        /* What was taken from receipts and not yet durable may be gone; nobody was promised it. */
        claim->told_generation = 0;
        claim->told_counter = 0;
        claim->told_total = 0;
        claim->is_final = false;
    }
    sent->sealed_total = 0;
    if (!sent->is_forgotten &&
        sf_inspect_out(sf_world_node(life->world, sent->from), &sent->id, &out) &&
        out.phase <= SF_OUT_CUSTODY) {
        check_i1_slots(life, sent, &out);
    }
}

static void
recipient_started(struct life *life, struct life_sent *sent, unsigned place)
{
    struct life_claim *claim = &sent->claims[place];
    const struct life_node *node = &life->nodes[sent->to[place]];
    struct sf_inspect_in in;

    if (claim->is_known && !node->is_restored &&
        !sf_inspect_in(sf_world_node(life->world, sent->to[place]), &sent->id,
            &life->nodes[sent->from].fingerprint, &in)) {
        life_fail(life, "I3", "%s has forgotten %s, about which it could have given receipts",
            node->name, sent->label);
    }
    if (claim->is_delivered) {
        check_i4_delivered(life, sent, place);
    }
}

void
checker_started(struct life *life, unsigned number)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];

        if (sent->from == number) {
            sender_started(life, sent);
        }
        for (unsigned k = 0; k < sent->to_count; k++) {
            if (sent->to[k] == number) {
                recipient_started(life, sent, k);
            }
        }
    }
    checker_forgets_addresses(life, number);
    life->nodes[number].is_inbox_touched = true;
    checker_stepped(life, number);
}

void
checker_restored(struct life *life, unsigned number)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];

        if (sent->from == number) {
            sent->has_custody = false; /* said again if the image knows of it */
        }
        for (unsigned k = 0; k < sent->to_count; k++) {
            if (sent->to[k] == number) {
                sent->claims[k].is_known = false;
                sent->claims[k].is_delivered = false;
                sf_range_set_clear(&sent->claims[k].held);
            }
        }
    }
}

/* --- The end ---------------------------------------------------------------------------------------------- */

static void
check_outcome(struct life *life, struct life_sent *sent)
{
    struct sf_node_transfer transfer;

    if (sent->is_forgotten || !sf_world_transfer(life->world, sent->from, &sent->id, &transfer) ||
        life_is_one_way(life, sent)) {
        return;
    }
    if (transfer.state == SF_NODE_DONE) {
        for (unsigned i = 0; i < sent->to_count; i++) {
            if (!life->nodes[sent->to[i]].is_restored &&
                !is_whole(life, sent->to[i], FACE_SEEN, sent)) {
                life_fail(life, "I4", "%s is done, and %s does not have it", sent->label,
                    life->nodes[sent->to[i]].name);
            }
        }
    } else if (!sent->is_cancelled && !life_may_fail(life, sent)) {
        life_fail(life, "I1", "%s is %s: %.300s", sent->label, sf_node_state_name(transfer.state),
            transfer.why);
    } else if (transfer.why[0] == '\0') {
        life_fail(life, "I1", "%s is %s without a reason", sent->label,
            sf_node_state_name(transfer.state));
    }
}

void
checker_end(struct life *life)
{
    check_i8_liveness(life);
    for (unsigned i = 0; i < life->sent_count; i++) {
        check_outcome(life, &life->sent[i]);
    }
}

/* A folder in which something is left, or NULL. */
static const char *
folder_in_use(struct life *life, unsigned number)
{
    return list(life, number, "spool") > 0     ? "spool"
           : list(life, number, "staging") > 0 ? "staging"
                                               : NULL;
}

bool
checker_is_clean(struct life *life)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        if (folder_in_use(life, i) != NULL) {
            return false;
        }
    }
    return true;
}

void
checker_rest(struct life *life)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        const char *folder = folder_in_use(life, i);

        if (folder != NULL) {
            life_fail(life, "other", "%s has not freed everything: %s/%.40s", life->nodes[i].name,
                folder, (const char *)life->checker->names);
        }
    }
}

void
checker_open(struct life *life)
{
    struct checker *checker = calloc(1, sizeof(*checker));

    sf_assert(checker != NULL);
    checker->object = malloc(SLOT_BYTES_MAX);
    checker->names = malloc(LIST_BYTES);
    sf_assert(checker->object != NULL && checker->names != NULL);
    life->checker = checker;
}

void
checker_close(struct life *life)
{
    free(life->checker->object);
    free(life->checker->names);
    free(life->checker->sessions);
    free(life->checker);
}
