/*
 * world_send.c - transfers between the nodes of a world.
 */
#include "sim/world_state.h"

#include "base/crypto.h"

#include <stdio.h>
#include <stdlib.h>

static void
error_of_open(struct sf_node_error *error, int status, const char *path)
{
    error->status = status;
    snprintf(error->text, sizeof(error->text), "%s: %s", path, sf_status_text(status));
}

static int
open_file(struct world_node *self, const char *path, int *ret_file, struct sf_disk_stat *ret_stat,
    struct sf_node_error *error)
{
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .path = path};
    int status = sf_disk_run(self->config.disk, &op);

    if (status != SF_OK) {
        error_of_open(error, status, path);
        return status;
    }
    *ret_file = op.ret_file;
    *ret_stat = op.ret_stat;
    return SF_OK;
}

/* As the program that sends it would: its digest is that of what stands there now. */
static int
open_base(struct world_node *self, const char *path, struct sf_node_base *ret_base,
    struct sf_node_error *error)
{
    enum { WINDOW_BYTES = 64 << 10 };
    uint8_t *window = world_alloc(WINDOW_BYTES);
    struct sf_sha256 hash;
    uint64_t offset = 0;
    size_t bytes = WINDOW_BYTES;
    int status = open_file(self, path, &ret_base->file, &ret_base->stat, error);

    sf_sha256_init(&hash);
    while (status == SF_OK && bytes == WINDOW_BYTES) {
        status = sf_sim_disk_get(self->disk, path, offset, window, WINDOW_BYTES, &bytes);
        sf_sha256_update(&hash, window, bytes);
        offset += bytes;
    }
    sf_sha256_final(&hash, ret_base->sha256.b);
    free(window);
    return status;
}

int
sf_world_send(struct sf_world *world, const struct sf_world_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error)
{
    struct world_node *self = world->nodes[send->from];
    struct sf_node_source *sources = world_alloc(send->path_count * sizeof(*sources));
    struct sf_node_base *bases = world_alloc(send->path_count * sizeof(*bases));
    const char *recipients[SF_WORLD_NODES_MAX];
    struct sf_node_send order = {
        .recipients = recipients,
        .recipient_count = send->to_count,
        .label = sf_view(send->label, strlen(send->label)),
        .sources = sources,
        .source_count = send->path_count,
        .single_file = send->names == NULL,
        .priority = send->priority,
        .deadline = send->deadline,
        .forget_key = send->forget_key,
        .has_resume = send->has_resume,
        .resume = send->resume,
    };
    int status = SF_OK;

    for (size_t i = 0; i < send->to_count; i++) {
        recipients[i] = world->nodes[send->to[i]]->name;
    }
    for (size_t i = 0; status == SF_OK && i < send->path_count; i++) {
        status = open_file(self, send->paths[i], &sources[i].file, &sources[i].stat, error);
        if (status == SF_OK && send->bases != NULL && send->bases[i] != NULL) {
            sources[i].base = &bases[i];
            status = open_base(self, send->bases[i], &bases[i], error);
        }
        if (send->names != NULL) {
            sources[i].path = sf_view(send->names[i], strlen(send->names[i]));
        }
    }
    if (status == SF_OK) {
        (void)sf_sim_memory_enter(&self->memory);
        status = sf_node_send(self->node, &order, ret_transfer, error);
        (void)sf_sim_memory_enter(NULL);
        world_step(self);
    }
    free(sources);
    free(bases);
    return status;
}

int
sf_world_cancel(struct sf_world *world, unsigned number, const struct sf_transfer_id *id,
    struct sf_node_error *error)
{
    struct world_node *self = world->nodes[number];
    int status;

    (void)sf_sim_memory_enter(&self->memory);
    status = sf_node_cancel(self->node, id, error);
    (void)sf_sim_memory_enter(NULL);
    world_step(self);
    return status;
}

bool
sf_world_transfer(struct sf_world *world, unsigned number, const struct sf_transfer_id *id,
    struct sf_node_transfer *ret_transfer)
{
    return world->nodes[number]->node != NULL &&
           sf_node_transfer_find(world->nodes[number]->node, id, ret_transfer);
}
