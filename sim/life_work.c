/* What is sent in a life, and what becomes of it. */
#include "sim/life_state.h"

#include "base/assert.h"
#include "node/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 400000, BLOCK_BYTES = 4096 };

static uint64_t
pick(struct life *life, uint64_t below)
{
    return sf_prng_below(&life->work, below);
}

/* What a later version has of a block: mostly the same, a few bytes moved, or all new. */
static void
change_block(const struct life_content *content, uint64_t block, uint8_t text[BLOCK_BYTES])
{
    struct sf_prng prng;
    uint64_t how;

    sf_prng_init_stream(&prng, content->changes, block);
    how = sf_prng_below(&prng, 8);
    if (how == 0) {
        sf_prng_fill(&prng, text, BLOCK_BYTES);
    } else if (how <= 2) {
        for (unsigned i = 0; i < BLOCK_BYTES; i += how == 1 ? 97 : 2) {
            text[i] = (uint8_t)(text[i] + 1);
        }
    }
}

/* Kinds: 0 random, 1 one half of it repeated, 2 zeros between random blocks. */
void
life_content(void *context, uint64_t offset, uint8_t *out, size_t bytes)
{
    const struct life_content *content = context;

    while (bytes > 0) {
        uint64_t block = offset / BLOCK_BYTES;
        size_t skip = (size_t)(offset % BLOCK_BYTES);
        size_t take = BLOCK_BYTES - skip < bytes ? BLOCK_BYTES - skip : bytes;
        uint8_t text[BLOCK_BYTES];
        struct sf_prng prng;

        sf_prng_init_stream(&prng, content->seed, content->kind == 1 ? block / 2 : block);
        if (content->kind == 2 && block % 3 == 1) {
            memset(text, 0, sizeof(text));
        } else {
            sf_prng_fill(&prng, text, sizeof(text));
        }
        if (content->changes != 0) {
            change_block(content, block, text);
        }
        memcpy(out, text + skip, take);
        out += take;
        offset += take;
        bytes -= take;
    }
}

/* --- Sending ------------------------------------------------------------------------- */

static uint64_t
draw_bytes(struct life *life)
{
    switch (pick(life, 5)) {
    case 0:
        return pick(life, 3) * 4095;
    case 1:
        return pick(life, BYTES_MAX);
    default:
        return pick(life, BYTES_MAX / 4);
    }
}

/* Whether all recipients of `was` have signed for it, by one transfer: itself, or the whole. */
static bool
is_final(const struct life *life, const struct life_sent *was)
{
    const struct sf_node *node = sf_world_node(life->world, was->from);
    struct sf_transfer_id first;
    struct sf_transfer_id by;

    for (unsigned i = 0; i < was->to_count; i++) {
        if (!sf_node_came_by(node, &was->id, life->nodes[was->to[i]].name, &by)) {
            return false;
        }
        if (i == 0) {
            first = by;
        } else if (!sf_transfer_equal(&first, &by)) {
            return false;
        }
    }
    return was->to_count > 0;
}

/* Perhaps it is the next version of something that has arrived: then so are its files. */
static void
choose_base(struct life *life, struct life_sent *sent)
{
    unsigned first = (unsigned)sf_prng_below(&life->bases, LIFE_TRANSFERS_MAX);

    if (!life->has_bases || sf_prng_below(&life->bases, 4) == 0) {
        return;
    }
    for (unsigned i = 0; i < LIFE_TRANSFERS_MAX && sent->base == NULL; i++) {
        const struct life_sent *was = &life->sent[(first + i) % LIFE_TRANSFERS_MAX];

        if (was < life->sent + life->sent_count && was->from == sent->from && !was->is_forgotten &&
            is_final(life, was)) {
            sent->base = was;
        }
    }
    if (sent->base == NULL) {
        return;
    }
    sent->forgets_key = false;
    sent->is_directory = sent->base->is_directory;
    sent->to_count = sent->base->to_count;
    memcpy(sent->to, sent->base->to, sizeof(sent->to));
}

static void
make_files(struct life *life, struct life_sent *sent)
{
    sent->is_directory = pick(life, 3) == 0;
    sent->file_count = sent->is_directory ? 1 + (unsigned)pick(life, LIFE_FILES_MAX) : 1;
    choose_base(life, sent);
    if (sent->base != NULL) {
        sent->file_count = sent->base->file_count;
    }
    for (unsigned i = 0; i < sent->file_count; i++) {
        struct life_file *file = &sent->files[i];

        file->bytes = draw_bytes(life);
        file->content.seed = sf_prng_u64(&life->work);
        file->content.kind = (unsigned)pick(life, 3);
        if (sent->base != NULL) {
            file->bytes = sent->base->files[i].bytes;
            file->content = sent->base->files[i].content;
            file->content.changes = sf_prng_u64(&life->bases) | 1;
        }
        snprintf(file->path, sizeof(file->path), "source/t%u-%u", life->sent_count, i);
        snprintf(file->name, sizeof(file->name), i == 1 ? "deep/part%u" : "part%u", i);
        sf_assert(sf_sim_disk_source(sf_world_disk(life->world, sent->from), file->path,
                      file->bytes, life_content, &file->content) == SF_OK);
    }
}

static int
hand_over(struct life *life, struct life_sent *sent, bool is_resumed, struct sf_node_error *error)
{
    const char *paths[LIFE_FILES_MAX];
    const char *names[LIFE_FILES_MAX];
    const char *bases[LIFE_FILES_MAX];
    struct sf_world_send order = {
        .from = sent->from,
        .to = sent->to,
        .to_count = sent->to_count,
        .label = sent->label,
        .paths = paths,
        .names = sent->is_directory ? names : NULL,
        .path_count = sent->file_count,
        .bases = sent->base == NULL ? NULL : bases,
        .priority = sent->priority,
        .forget_key = sent->forgets_key,
        .has_resume = is_resumed,
        .resume = sent->id,
    };
    struct sf_transfer_id id;
    int status;

    for (unsigned i = 0; i < sent->file_count; i++) {
        paths[i] = sent->files[i].path;
        names[i] = sent->files[i].name;
        bases[i] = sent->base == NULL ? NULL : sent->base->files[i].path;
    }
    status = sf_world_send(life->world, &order, is_resumed ? &id : &sent->id, error);
    sf_trace_say(&life->trace, sf_world_now(life->world), "[%s] %s %s, %u files, to %u: %s",
        life->nodes[sent->from].name, is_resumed ? "resumes" : "sends", sent->label,
        sent->file_count, sent->to_count, status == SF_OK ? "taken" : error->text);
    return status;
}

static bool
has_failed(const struct life_node *node)
{
    return node->has_disk_faults || node->is_restored || node->has_run_out;
}

bool
life_may_fail(const struct life *life, const struct life_sent *sent)
{
    bool may = has_failed(&life->nodes[sent->from]);

    for (unsigned i = 0; i < sent->to_count; i++) {
        may |= has_failed(&life->nodes[sent->to[i]]);
    }
    return may;
}

static void
choose_recipients(struct life *life, struct life_sent *sent)
{
    unsigned most = 1 + (unsigned)pick(life, life->node_count - 1);
    unsigned first = (unsigned)pick(life, life->node_count);

    for (unsigned i = 0; i < life->node_count && sent->to_count < most; i++) {
        unsigned to = (first + i) % life->node_count;

        if (life->is_connected[sent->from][to]) {
            sent->to[sent->to_count++] = to;
        }
    }
}

void
life_send(struct life *life)
{
    struct life_sent *sent = &life->sent[life->sent_count];
    struct sf_node_error error;

    if (life->sent_count == LIFE_TRANSFERS_MAX) {
        return;
    }
    *sent = (struct life_sent){
        .from = life->is_one_way ? 0 : (unsigned)pick(life, life->node_count),
        .priority = (uint8_t)pick(life, 256),
        .forgets_key = pick(life, 5) == 0,
    };
    choose_recipients(life, sent);
    snprintf(sent->label, sizeof(sent->label), "t%u", life->sent_count);
    if (sf_world_is_off(life->world, sent->from)) {
        return;
    }
    make_files(life, sent);
    life->sent_count++;
    for (unsigned i = 0; i < LIFE_NODES_MAX; i++) {
        sf_range_set_init(&sent->claims[i].held, 4096);
    }
    if (hand_over(life, sent, false, &error) != SF_OK) {
        sent->is_forgotten = true;
        if (!life_may_fail(life, sent) && !sf_world_is_off(life->world, sent->from)) {
            life_fail(life, "other", "%s is not taken: %.300s", sent->label, error.text);
        }
    }
}

/* Whoever cancels knows that it may not arrive; set before anything follows from it. */
static bool
cancel(struct life *life, struct life_sent *sent, unsigned at)
{
    bool was_cancelled = sent->is_cancelled;
    struct sf_node_error error;

    sent->is_cancelled = true;
    if (sf_world_cancel(life->world, at, &sent->id, &error) != SF_OK) {
        sent->is_cancelled = was_cancelled;
        return false;
    }
    sf_trace_say(&life->trace, sf_world_now(life->world), "[%s] cancels %s", life->nodes[at].name,
        sent->label);
    return true;
}

static void
cancel_one(struct life *life)
{
    struct life_sent *sent = &life->sent[pick(life, LIFE_TRANSFERS_MAX)];
    unsigned at = pick(life, 2) == 0 ? sent->from : sent->to[0];

    if (sent < life->sent + life->sent_count && !sent->is_forgotten &&
        !sf_world_is_off(life->world, at)) {
        (void)cancel(life, sent, at);
    }
}

/* People do what they like with what was delivered. */
static void
spoil_one(struct life *life)
{
    struct life_sent *sent = &life->sent[sf_prng_below(&life->bases, LIFE_TRANSFERS_MAX)];
    unsigned place = (unsigned)sf_prng_below(&life->bases, LIFE_NODES_MAX);
    char path[128];

    if (sent >= life->sent + life->sent_count || place >= sent->to_count ||
        !sent->claims[place].is_delivered) {
        return;
    }
    snprintf(path, sizeof(path), "inbox/%s/%s%s%s", life->nodes[sent->from].name, sent->label,
        sent->is_directory ? "/" : "", sent->is_directory ? sent->files[0].name : "");
    if (sf_sim_disk_put(sf_world_disk(life->world, sent->to[place]), path, sf_view("spoiled", 7)) ==
        SF_OK) {
        sent->claims[place].is_spoiled = true;
        sf_trace_say(&life->trace, sf_world_now(life->world), "[%s] %s is overwritten in its inbox",
            life->nodes[sent->to[place]].name, sent->label);
    }
}

void
life_work(struct life *life)
{
    if (life->has_bases && sf_prng_below(&life->bases, 3) == 0) {
        spoil_one(life);
    }
    if (pick(life, 4) == 0) {
        life_send(life);
    }
    if (pick(life, 40) == 0) {
        cancel_one(life);
    }
}

void
life_look_after(struct life *life, unsigned number)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];
        struct sf_node_transfer transfer;
        struct sf_node_error error;

        if (sent->from != number || sent->is_forgotten || sf_world_is_off(life->world, number)) {
            continue;
        }
        if (!sf_world_transfer(life->world, number, &sent->id, &transfer)) {
            if (sent->has_custody && !life->nodes[number].is_restored) {
                life_fail(life, "I1", "%s was in custody and is forgotten", sent->label);
            }
            sent->is_forgotten = true;
            continue;
        }
        if (transfer.state == SF_NODE_INTERRUPTED && hand_over(life, sent, true, &error) != SF_OK &&
            !life_may_fail(life, sent) && !sf_world_is_off(life->world, number)) {
            life_fail(life, "other", "%s cannot be resumed: %.300s", sent->label, error.text);
        }
    }
}

/* --- The end -------------------------------------------------------------------------- */

bool
life_is_one_way(const struct life *life, const struct life_sent *sent)
{
    return life->is_one_way && sent->from == 0;
}

/*
 * A recipient whose medium fails may give up, and so may one whose base is gone, who wants the
 * whole; where nothing comes back nobody hears of it.
 */
static bool
has_given_up(const struct life *life, const struct life_sent *sent, unsigned place)
{
    struct sf_inspect_in in;

    return (life_may_fail(life, sent) || sent->base != NULL) &&
           sf_inspect_in(sf_world_node(life->world, sent->to[place]), &sent->id,
               &life->nodes[sent->from].fingerprint, &in) &&
           in.phase == SF_IN_REFUSED;
}

/* Delivered, or given up, without anybody hearing of it. */
static bool
is_settled(const struct life *life, const struct life_sent *sent)
{
    for (unsigned i = 0; i < sent->to_count; i++) {
        if (!sent->claims[i].is_delivered && !sent->is_cancelled && !has_given_up(life, sent, i)) {
            return false;
        }
    }
    return true;
}

bool
life_has_ended(const struct life *life, const struct life_sent *sent)
{
    struct sf_node_transfer transfer;

    if (sent->is_forgotten || !sf_world_transfer(life->world, sent->from, &sent->id, &transfer) ||
        transfer.state == SF_NODE_DONE || (life_is_one_way(life, sent) && is_settled(life, sent))) {
        return true;
    }
    for (unsigned i = 0; i < transfer.recipient_count; i++) {
        if (transfer.recipients[i].state <= SF_NODE_TO_PAUSED) {
            return false;
        }
    }
    return transfer.state == SF_NODE_CANCELLED || transfer.state == SF_NODE_FAILED;
}

bool
life_all_ended(const struct life *life)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        if (!life_has_ended(life, &life->sent[i])) {
            return false;
        }
    }
    return true;
}

void
life_cancel_rest(struct life *life)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        struct life_sent *sent = &life->sent[i];
        struct sf_node_transfer transfer;

        if (sf_world_transfer(life->world, sent->from, &sent->id, &transfer) &&
            (transfer.state == SF_NODE_FAILED || life_is_one_way(life, sent))) {
            (void)cancel(life, sent, sent->from);
        }
        if (sent->is_forgotten && life_is_one_way(life, sent)) {
            /* An older image does not know of it, and nobody can ask: its recipient gives it up. */
            (void)cancel(life, sent, sent->to[0]);
        }
    }
}

void
life_work_fini(struct life *life)
{
    for (unsigned i = 0; i < life->sent_count; i++) {
        for (unsigned k = 0; k < LIFE_NODES_MAX; k++) {
            sf_range_set_fini(&life->sent[i].claims[k].held);
        }
        free(life->sent[i].bundles);
    }
}
