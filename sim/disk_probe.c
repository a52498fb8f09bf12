/* What tests do to a simulated disk from outside, without an operation. */
#include "base/assert.h"
#include "sim/disk_state.h"

#include <string.h>

/* --- Faults --- */

int
sf_sim_disk_fault(struct sf_sim_disk *disk, const struct sf_sim_fault *fault)
{
    if (disk->fault_count == SF_SIM_DISK_FAULTS_MAX) {
        return SF_ELIMIT;
    }
    disk->faults[disk->fault_count++] = (struct sf_sim_armed_fault){*fault, false};
    return SF_OK;
}

void
sf_sim_disk_heal(struct sf_sim_disk *disk)
{
    disk->fault_count = 0;
    memset(&disk->rates, 0, sizeof(disk->rates));
}

void
sf_sim_disk_set_rates(struct sf_sim_disk *disk, const struct sf_sim_disk_rates *rates)
{
    disk->rates = *rates;
}

void
sf_sim_disk_set_capacity(struct sf_sim_disk *disk, uint64_t capacity_bytes)
{
    disk->config.capacity_bytes = capacity_bytes;
}

/* --- Bytes of a file --- */

struct sf_disk_stat
sf_sim_inode_stat(const struct sf_sim_inode *inode)
{
    return (struct sf_disk_stat){
        .bytes =
            inode->generate != NULL ? inode->source_bytes : inode->images[SF_SIM_VOLATILE].bytes,
        .inode = inode->number,
        .mtime_ns = inode->mtime_ns,
        .ctime_ns = inode->ctime_ns,
        .is_directory = inode->is_directory,
        .is_regular = !inode->is_directory,
    };
}

int
sf_sim_inode_list(
    const struct sf_sim_inode *directory, uint8_t *out, size_t bytes, size_t *ret_bytes)
{
    const struct sf_sim_names *names = &directory->names[SF_SIM_VOLATILE];
    size_t used = 0;

    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen(names->entries[i].name) + 1;

        if (length > bytes - used) {
            return SF_ELIMIT;
        }
        memcpy(out + used, names->entries[i].name, length);
        used += length;
    }
    *ret_bytes = used;
    return SF_OK;
}

void
sf_sim_inode_read(const struct sf_sim_inode *inode, uint64_t offset, uint8_t *out, size_t bytes,
    size_t *ret_bytes)
{
    uint64_t length = sf_sim_inode_stat(inode).bytes;

    if (offset >= length) {
        *ret_bytes = 0;
        return;
    }
    if (bytes > length - offset) {
        bytes = (size_t)(length - offset);
    }
    if (inode->generate != NULL) {
        inode->generate(inode->context, offset, out, bytes);
    } else {
        sf_sim_image_read(&inode->images[SF_SIM_VOLATILE], offset, out, bytes);
    }
    *ret_bytes = bytes;
}

void
sf_sim_inode_flip(
    struct sf_sim_disk *disk, struct sf_sim_inode *inode, uint64_t offset, uint8_t mask)
{
    for (int face = SF_SIM_VOLATILE; face <= SF_SIM_DURABLE; face++) {
        struct sf_sim_image *image = &inode->images[face];
        uint8_t byte;

        if (offset < image->bytes) {
            if (face == SF_SIM_VOLATILE && inode->live > 0) {
                disk->tree.used_blocks += sf_sim_image_blocks_missing(image, offset, 1);
            }
            sf_sim_image_read(image, offset, &byte, 1);
            byte = (uint8_t)(byte ^ mask);
            sf_sim_image_write(image, offset, &byte, 1);
        }
    }
    /* What waits to be synced goes to the same place of the medium. */
    for (size_t i = 0; i < inode->change_count; i++) {
        struct sf_sim_change *change = &inode->changes[i];

        if (change->data != NULL && offset >= change->offset &&
            offset - change->offset < change->bytes) {
            change->data[offset - change->offset] =
                (uint8_t)(change->data[offset - change->offset] ^ mask);
        }
    }
}

/* --- What tests put in and look for --- */

/* The directory `path` stands in, made durable with all above it; NULL if a file is in the way. */
static struct sf_sim_inode *
make_parents(struct sf_sim_disk *disk, const char *path, const char **ret_name)
{
    struct sf_sim_inode *at = disk->tree.root;
    char name[SF_DISK_PATH_BYTES_MAX];
    const char *slash;

    while ((slash = strchr(path, '/')) != NULL) {
        struct sf_sim_inode *below;
        size_t bytes = (size_t)(slash - path);

        memcpy(name, path, bytes);
        name[bytes] = '\0';
        below = sf_sim_names_find(&at->names[SF_SIM_VOLATILE], name);
        if (below == NULL) {
            below = sf_sim_inode_new(&disk->tree, true);
            sf_sim_names_set(&disk->tree, at, SF_SIM_VOLATILE, name, below);
        }
        if (!below->is_directory) {
            return NULL;
        }
        sf_sim_names_set(&disk->tree, at, SF_SIM_DURABLE, name, below);
        at = below;
        path = slash + 1;
    }
    *ret_name = path;
    return at;
}

/* A new durable empty file at `path`. */
static struct sf_sim_inode *
make_file(struct sf_sim_disk *disk, const char *path)
{
    const char *name;
    struct sf_sim_inode *directory = make_parents(disk, path, &name);
    struct sf_sim_inode *inode;

    if (directory == NULL) {
        return NULL;
    }
    disk->tree.sequence++; /* so that its times differ from those of others */
    inode = sf_sim_inode_new(&disk->tree, false);
    sf_sim_names_set(&disk->tree, directory, SF_SIM_VOLATILE, name, inode);
    sf_sim_names_set(&disk->tree, directory, SF_SIM_DURABLE, name, inode);
    return inode;
}

static int
check_path(const char *path)
{
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .path = path};

    return sf_disk_op_check(&op, false);
}

static struct sf_sim_inode *
find_file(const struct sf_sim_disk *disk, const char *path)
{
    struct sf_sim_inode *inode =
        check_path(path) == SF_OK ? sf_sim_tree_find(&disk->tree, path) : NULL;

    return inode == NULL || inode->is_directory ? NULL : inode;
}

int
sf_sim_disk_source(struct sf_sim_disk *disk, const char *path, uint64_t bytes,
    void (*generate)(void *context, uint64_t offset, uint8_t *out, size_t bytes), void *context)
{
    struct sf_sim_inode *inode;

    if (check_path(path) != SF_OK || bytes > INT64_MAX || generate == NULL) {
        return SF_EINVAL;
    }
    if (sf_sim_tree_find(&disk->tree, path) != NULL) {
        return SF_EEXIST;
    }
    inode = make_file(disk, path);
    if (inode == NULL) {
        return SF_EINVAL;
    }
    inode->source_bytes = bytes;
    inode->generate = generate;
    inode->context = context;
    return SF_OK;
}

void
sf_sim_disk_generate(void *context, uint64_t offset, uint8_t *out, size_t bytes)
{
    uint64_t seed = *(const uint64_t *)context;

    while (bytes > 0) {
        struct sf_prng prng;
        uint8_t block[64];
        size_t skip = (size_t)(offset % sizeof(block));
        size_t take = sizeof(block) - skip < bytes ? sizeof(block) - skip : bytes;

        sf_prng_init_stream(&prng, seed, offset / sizeof(block));
        sf_prng_fill(&prng, block, sizeof(block));
        memcpy(out, block + skip, take);
        out += take;
        offset += take;
        bytes -= take;
    }
}

int
sf_sim_disk_put(struct sf_sim_disk *disk, const char *path, struct sf_view content)
{
    struct sf_sim_inode *inode;

    if (check_path(path) != SF_OK) {
        return SF_EINVAL;
    }
    inode = sf_sim_tree_find(&disk->tree, path);
    if (inode != NULL && inode->is_directory) {
        return SF_EINVAL;
    }
    inode = make_file(disk, path);
    if (inode == NULL) {
        return SF_EINVAL;
    }
    disk->tree.used_blocks +=
        sf_sim_image_blocks_missing(&inode->images[SF_SIM_VOLATILE], 0, content.bytes);
    sf_sim_image_write(&inode->images[SF_SIM_VOLATILE], 0, content.data, content.bytes);
    if (!disk->config.steady) {
        sf_sim_image_copy(&inode->images[SF_SIM_DURABLE], &inode->images[SF_SIM_VOLATILE]);
    }
    return SF_OK;
}

int
sf_sim_disk_get(struct sf_sim_disk *disk, const char *path, uint64_t offset, uint8_t *out,
    size_t bytes, size_t *ret_bytes)
{
    struct sf_sim_inode *inode = find_file(disk, path);

    if (inode == NULL) {
        return SF_ENOENT;
    }
    sf_sim_inode_read(inode, offset, out, bytes, ret_bytes);
    return SF_OK;
}

uint64_t
sf_sim_disk_zeros(struct sf_sim_disk *disk, const char *path)
{
    struct sf_sim_inode *inode = find_file(disk, path);

    return inode == NULL || inode->generate != NULL
               ? 0
               : sf_sim_image_zeros(&inode->images[SF_SIM_VOLATILE]);
}

int
sf_sim_disk_names(
    struct sf_sim_disk *disk, const char *path, uint8_t *out, size_t bytes, size_t *ret_bytes)
{
    const struct sf_sim_inode *inode =
        check_path(path) == SF_OK ? sf_sim_tree_find(&disk->tree, path) : NULL;

    return inode == NULL || !inode->is_directory ? SF_ENOENT
                                                 : sf_sim_inode_list(inode, out, bytes, ret_bytes);
}

int
sf_sim_disk_get_durable(struct sf_sim_disk *disk, const char *path, uint64_t offset, uint8_t *out,
    size_t bytes, size_t *ret_bytes)
{
    const struct sf_sim_inode *inode =
        check_path(path) == SF_OK ? sf_sim_tree_find_durable(&disk->tree, path) : NULL;
    uint64_t length;

    if (inode == NULL || inode->is_directory) {
        return SF_ENOENT;
    }
    if (inode->generate != NULL) {
        sf_sim_inode_read(inode, offset, out, bytes, ret_bytes);
        return SF_OK;
    }
    length = inode->images[SF_SIM_DURABLE].bytes;
    *ret_bytes = offset >= length ? 0 : bytes < length - offset ? bytes : (size_t)(length - offset);
    if (*ret_bytes > 0) {
        sf_sim_image_read(&inode->images[SF_SIM_DURABLE], offset, out, *ret_bytes);
    }
    return SF_OK;
}

int
sf_sim_disk_rot(struct sf_sim_disk *disk, const char *path, uint64_t offset, uint8_t mask)
{
    struct sf_sim_inode *inode = find_file(disk, path);

    if (inode == NULL) {
        return SF_ENOENT;
    }
    if (inode->generate != NULL || offset >= inode->images[SF_SIM_VOLATILE].bytes) {
        return SF_EINVAL;
    }
    sf_sim_inode_flip(disk, inode, offset, mask);
    return SF_OK;
}

int
sf_sim_disk_touch(struct sf_sim_disk *disk, const char *path, int64_t mtime_ns)
{
    struct sf_sim_inode *inode = find_file(disk, path);

    if (inode == NULL) {
        return SF_ENOENT;
    }
    inode->mtime_ns = mtime_ns;
    inode->ctime_ns++;
    return SF_OK;
}

bool
sf_sim_disk_grep(
    const struct sf_sim_disk *disk, struct sf_view needle, char *ret_where, size_t where_bytes)
{
    sf_assert(needle.bytes > 0 && needle.bytes <= SF_SIM_PAGE_BYTES);
    return sf_sim_tree_grep(&disk->tree, needle, ret_where, where_bytes);
}

void
sf_sim_disk_get_stats(const struct sf_sim_disk *disk, struct sf_sim_disk_stats *ret_stats)
{
    *ret_stats = disk->stats;
    ret_stats->torn = disk->tree.torn;
    ret_stats->lost = disk->tree.lost;
    ret_stats->used_bytes = disk->tree.used_blocks * SF_SIM_PAGE_BYTES;
    ret_stats->memory_bytes = sf_sim_tree_memory(&disk->tree);
}

uint64_t
sf_sim_disk_hash(const struct sf_sim_disk *disk)
{
    return sf_sim_tree_hash(&disk->tree);
}
