#include "app/keeper.h"

#include "base/assert.h"
#include "bundle/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 8 << 20, /* copied by one job, so that others get their turn */
    BUFFER_BYTES = 256 << 10,
    COPIES_MAX = 64, /* waiting to be made; each holds a file open */
    ROOM_SHARE = 10, /* one part in so many of the file system stays free of copies */
};

#define LOOK_SPAN (5 * SF_SEC)

/* One file being copied. The job owns it while it runs. */
struct copy {
    struct sf_job job; /* first */
    struct sf_keeper *keeper;
    struct copy *next;
    struct sf_kept kept;
    int from;
    int to; /* -1: not begun */
    uint64_t offset;
    bool is_whole;
    bool has_failed;
};

struct sf_keeper {
    struct sf_daemon *daemon;
    int fd;
    struct copy *first; /* this one is being made, those behind it wait */
    size_t waiting;
    bool is_ending;
    bool may_have_copies; /* there may be something to give way */
    sf_mono look_at;
};

/* --- The folder -------------------------------------------------------------------------- */

static void
part_name(const struct sf_kept *kept, char out[SF_KEPT_NAME_BYTES + sizeof(SF_KEPT_PART)])
{
    sf_kept_name(kept, out);
    memcpy(out + SF_KEPT_NAME_BYTES - 1, SF_KEPT_PART, sizeof(SF_KEPT_PART));
}

static void
forget(const struct sf_keeper *keeper, const struct sf_kept *kept)
{
    char name[SF_KEPT_NAME_BYTES];

    sf_kept_name(kept, name);
    (void)unlinkat(keeper->fd, name, 0);
}

/* Whether it can never be a base: its transfer is forgotten, or has ended without arriving. */
static bool
is_useless(const struct sf_keeper *keeper, const struct sf_kept *kept)
{
    struct sf_node_transfer *transfer = keeper->daemon->scratch;

    return !sf_node_transfer_find(keeper->daemon->node, &kept->transfer, transfer) ||
           !transfer->outgoing || transfer->state == SF_NODE_FAILED ||
           transfer->state == SF_NODE_CANCELLED;
}

/* Forget what is of no use, and then the oldest, until `bytes` more are within the quota. */
static void
keep_quota(struct sf_keeper *keeper, uint64_t bytes)
{
    uint64_t quota = keeper->daemon->config.keep_bytes;
    uint64_t total = bytes;
    struct sf_kept *list;
    size_t count;

    if (sf_kept_list(keeper->fd, &list, &count) != SF_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_useless(keeper, &list[i])) {
            forget(keeper, &list[i]);
            list[i].bytes = 0;
        }
        total += list[i].bytes;
    }
    for (size_t i = 0; i < count && (total > quota || count - i >= SF_KEPT_LIST_MAX); i++) {
        forget(keeper, &list[i]);
        total -= list[i].bytes;
    }
    free(list);
}

/* Whether what the node may need stays free when `bytes` more are written. */
static bool
has_room(const struct sf_keeper *keeper, uint64_t bytes)
{
    struct statvfs info;
    uint64_t free_bytes;
    uint64_t least;

    if (fstatvfs(keeper->fd, &info) != 0) {
        return false;
    }
    free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    least =
        keeper->daemon->config.reserve_bytes + (uint64_t)info.f_blocks * info.f_frsize / ROOM_SHARE;
    return free_bytes >= least && free_bytes - least >= bytes;
}

void
sf_keeper_make_room(struct sf_keeper *keeper, uint64_t bytes)
{
    struct sf_kept *list;
    size_t count;

    if (!keeper->may_have_copies || has_room(keeper, bytes) ||
        sf_kept_list(keeper->fd, &list, &count) != SF_OK) {
        return;
    }
    for (size_t i = 0; i < count && !has_room(keeper, bytes); i++) {
        forget(keeper, &list[i]);
    }
    keeper->may_have_copies = count > 0;
    free(list);
}

/* What transfers wait for. */
static uint64_t
wanted_bytes(const struct sf_daemon *daemon)
{
    uint64_t bytes = 0;

    (void)sf_node_is_full(daemon->node, &bytes);
    for (size_t i = 0; sf_node_transfer_at(daemon->node, i, daemon->scratch); i++) {
        bytes = daemon->scratch->need_bytes > bytes ? daemon->scratch->need_bytes : bytes;
    }
    return bytes;
}

void
sf_keeper_tick(struct sf_keeper *keeper)
{
    if (!keeper->may_have_copies || keeper->daemon->now < keeper->look_at) {
        return;
    }
    keeper->look_at = sf_mono_add(keeper->daemon->now, LOOK_SPAN);
    sf_keeper_make_room(keeper, wanted_bytes(keeper->daemon));
}

/* --- Copying ------------------------------------------------------------------------------ */

/* The next piece, by whatever the two files allow. False at an error; 0 bytes at the end. */
static bool
copy_piece(struct copy *copy, uint64_t *ret_bytes)
{
    off_t from = (off_t)copy->offset;
    off_t to = from;
    ssize_t got = copy_file_range(copy->from, &from, copy->to, &to, PIECE_BYTES, 0);
    uint8_t *buffer;
    bool is_done = true;

    *ret_bytes = 0;
    if (got >= 0) {
        *ret_bytes = (uint64_t)got;
        return true;
    }
    buffer = malloc(BUFFER_BYTES);
    while (is_done && *ret_bytes < PIECE_BYTES) {
        off_t at = (off_t)(copy->offset + *ret_bytes);

        got = buffer == NULL ? -1 : pread(copy->from, buffer, BUFFER_BYTES, at);
        is_done = got >= 0 && pwrite(copy->to, buffer, (size_t)got, at) == got;
        if (got <= 0) {
            break;
        }
        *ret_bytes += (uint64_t)got;
    }
    free(buffer);
    return is_done;
}

/* On a worker. */
static void
run_copy(struct sf_job *job)
{
    struct copy *copy = (struct copy *)job;
    uint64_t bytes = 0;

    if (copy->offset == 0 && ioctl(copy->to, FICLONE, copy->from) == 0) {
        copy->is_whole = true;
        return;
    }
    copy->has_failed = !copy_piece(copy, &bytes);
    copy->offset += bytes;
    copy->is_whole = !copy->has_failed && (bytes == 0 || copy->offset >= copy->kept.bytes);
}

static void begin_copy(struct sf_keeper *keeper);

static void
end_copy(struct copy *copy)
{
    struct sf_keeper *keeper = copy->keeper;
    char part[SF_KEPT_NAME_BYTES + sizeof(SF_KEPT_PART)];
    char name[SF_KEPT_NAME_BYTES];

    part_name(&copy->kept, part);
    sf_kept_name(&copy->kept, name);
    if (copy->to >= 0) {
        keeper->may_have_copies = true;
        if (!copy->is_whole || renameat(keeper->fd, part, keeper->fd, name) != 0) {
            (void)unlinkat(keeper->fd, part, 0);
        }
        close(copy->to);
    }
    close(copy->from);
    keeper->first = copy->next;
    keeper->waiting--;
    free(copy);
}

static void
copied(struct sf_job *job)
{
    struct copy *copy = (struct copy *)job;
    struct sf_keeper *keeper = copy->keeper;

    if (keeper->is_ending) {
        return; /* sf_keeper_close() lets go of it */
    }
    if (!copy->is_whole && !copy->has_failed && has_room(keeper, copy->kept.bytes - copy->offset)) {
        sf_workers_submit(sf_threads_workers(keeper->daemon->threads), job);
        return;
    }
    end_copy(copy);
    begin_copy(keeper);
}

/* Begin with the first of those that wait that is worth it. */
static void
begin_copy(struct sf_keeper *keeper)
{
    struct copy *copy;

    while ((copy = keeper->first) != NULL) {
        char part[SF_KEPT_NAME_BYTES + sizeof(SF_KEPT_PART)];
        char name[SF_KEPT_NAME_BYTES];

        sf_kept_name(&copy->kept, name);
        part_name(&copy->kept, part);
        keep_quota(keeper, copy->kept.bytes);
        if (copy->kept.bytes <= keeper->daemon->config.keep_bytes &&
            has_room(keeper, copy->kept.bytes) && faccessat(keeper->fd, name, F_OK, 0) != 0) {
            copy->to = openat(
                keeper->fd, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        }
        if (copy->to >= 0) {
            copy->job = (struct sf_job){.run = run_copy, .done = copied};
            sf_workers_submit(sf_threads_workers(keeper->daemon->threads), &copy->job);
            return;
        }
        end_copy(copy);
    }
}

void
sf_keeper_take(
    struct sf_keeper *keeper, struct sf_keeper_order *order, const struct sf_transfer_id *transfer)
{
    bool is_idle = keeper->first == NULL;
    struct copy **last = &keeper->first;

    while (*last != NULL) {
        last = &(*last)->next;
    }
    for (size_t i = 0; i < order->count; i++) {
        struct copy *copy = keeper->waiting == COPIES_MAX ? NULL : calloc(1, sizeof(*copy));

        if (copy == NULL) {
            close(order->files[i].fd);
            continue;
        }
        copy->keeper = keeper;
        copy->kept = order->files[i].kept;
        copy->kept.transfer = *transfer;
        copy->kept.bytes = order->files[i].bytes;
        copy->from = order->files[i].fd;
        copy->to = -1;
        *last = copy;
        last = &copy->next;
        keeper->waiting++;
    }
    order->count = 0;
    if (is_idle) {
        begin_copy(keeper);
    }
}

/* --- What is to be kept ------------------------------------------------------------------- */

/* Where it goes in the order, or SF_SUBMIT_BASES_MAX if there are as many that are larger. */
static size_t
slot_for(const struct sf_keeper_order *order, uint64_t bytes)
{
    size_t least = 0;

    if (order->count < SF_SUBMIT_BASES_MAX) {
        return order->count;
    }
    for (size_t i = 1; i < order->count; i++) {
        least = order->files[i].bytes < order->files[least].bytes ? i : least;
    }
    return order->files[least].bytes < bytes ? least : SF_SUBMIT_BASES_MAX;
}

void
sf_keeper_add(const struct sf_keeper *keeper, struct sf_keeper_order *order, size_t source, int fd)
{
    struct stat info;
    size_t slot;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        (uint64_t)info.st_size < SF_KEEPER_FILE_BYTES_MIN ||
        (uint64_t)info.st_size > keeper->daemon->config.keep_bytes) {
        return;
    }
    slot = slot_for(order, (uint64_t)info.st_size);
    fd = slot == SF_SUBMIT_BASES_MAX ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    if (slot == order->count) {
        order->count++;
    } else {
        close(order->files[slot].fd);
    }
    order->files[slot].fd = fd;
    order->files[slot].source = source;
    order->files[slot].bytes = (uint64_t)info.st_size;
}

/* Its place in the order of the manifest. */
static uint32_t
place_of(const struct sf_sources *sources, const struct sf_node_source *source)
{
    uint32_t place = 0;

    for (size_t i = 0; i < sources->count; i++) {
        place += sf_path_compare(
                     (const char *)sources->list[i].path.data, (const char *)source->path.data) < 0;
    }
    return place;
}

void
sf_keeper_name(struct sf_keeper_order *order, const struct sf_sources *sources, uint32_t user,
    struct sf_view label)
{
    for (size_t i = 0; i < order->count; i++) {
        const struct sf_node_source *source = &sources->list[order->files[i].source];
        struct sf_kept *kept = &order->files[i].kept;

        *kept = (struct sf_kept){.user = user, .place = place_of(sources, source)};
        sf_kept_tag(label, &kept->label);
        sf_kept_tag(source->path, &kept->path);
    }
}

void
sf_keeper_drop(struct sf_keeper_order *order)
{
    for (size_t i = 0; i < order->count; i++) {
        close(order->files[i].fd);
    }
    order->count = 0;
}

/* --- What is offered ---------------------------------------------------------------------- */

static bool
has_return(const struct sf_daemon *daemon, const char *name)
{
    struct sf_node_peer_info info;

    for (size_t i = 0; sf_node_peer_at(daemon->node, i, &info); i++) {
        if (strcmp(info.peer.name, name) == 0) {
            return !info.peer.no_return;
        }
    }
    return false;
}

/* A copy that is what is asked for, of a transfer that the recipient has signed for. */
struct search {
    struct sf_node *node;
    const struct sf_submit_ask *ask;
    char recipient[SF_SUBMIT_NAME_BYTES_MAX + 1];
    struct sf_kept_tag label;
    struct sf_transfer_id base; /* RESUMED: by which the recipient got it */
    bool is_kept;               /* TRANSFER: there are copies of it */
};

static bool
is_found(struct search *search, const struct sf_kept *kept, struct sf_transfer_id *ret_by)
{
    const struct sf_submit_ask *ask = search->ask;
    bool is_it =
        ask->what == SF_SUBMIT_ASK_TRANSFER
            ? sf_transfer_equal(&kept->transfer, &ask->transfer)
            : ask->what == SF_SUBMIT_ASK_RESUMED || sf_kept_tag_equal(&kept->label, &search->label);

    search->is_kept |= is_it;
    return is_it && sf_node_came_by(search->node, &kept->transfer, search->recipient, ret_by) &&
           (ask->what != SF_SUBMIT_ASK_RESUMED || sf_transfer_equal(ret_by, &search->base));
}

/* The files of one transfer and user, opened, each with the digest that was signed. */
static void
open_copies(const struct sf_keeper *keeper, const struct sf_kept *found, const struct sf_kept *list,
    size_t count, struct sf_submit_offer *offer, int *fds)
{
    for (size_t i = 0; i < count && offer->count < SF_SUBMIT_BASES_MAX; i++) {
        struct sf_node_file file;
        char name[SF_KEPT_NAME_BYTES];
        int fd;

        if (list[i].user != found->user ||
            !sf_transfer_equal(&list[i].transfer, &found->transfer) ||
            !sf_node_transfer_file(keeper->daemon->node, &found->transfer, list[i].place, &file) ||
            file.bytes != list[i].bytes) {
            continue;
        }
        sf_kept_name(&list[i], name);
        fd = openat(keeper->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            offer->files[offer->count].path = list[i].path;
            offer->files[offer->count].sha256 = file.sha256;
            fds[offer->count++] = fd;
        }
    }
}

/* SF_OK, also if nothing was asked for by name and there is nothing. */
static int
judge(const struct search *search, const struct sf_submit_offer *offer, struct sf_app_error *error)
{
    if (offer->count > 0 || search->ask->what != SF_SUBMIT_ASK_TRANSFER) {
        return SF_OK;
    }
    return sf_app_error_set(error, SF_ENOENT,
        search->is_kept ? "%.63s has not signed for that transfer, or this is forgotten: send "
                          "without a base"
                        : "for %.63s: no copies of that transfer are kept here: give the file, or "
                          "directory, itself as the base, or send without one",
        search->recipient);
}

int
sf_keeper_offer(struct sf_keeper *keeper, const struct sf_submit_ask *ask, uint32_t user,
    struct sf_submit_offer *ret_offer, int ret_fds[SF_SUBMIT_BASES_MAX], struct sf_app_error *error)
{
    struct search search = {.node = keeper->daemon->node, .ask = ask};
    struct sf_node_transfer *resumed = keeper->daemon->scratch;
    bool sees_all = user == 0 || user == geteuid();
    struct sf_kept *list;
    size_t count;
    int status;

    memset(ret_offer, 0, sizeof(*ret_offer));
    memcpy(search.recipient, ask->recipient.data, ask->recipient.bytes);
    sf_kept_tag(ask->label, &search.label);
    if (ask->what == SF_SUBMIT_ASK_NEWEST && !has_return(keeper->daemon, search.recipient)) {
        return SF_OK; /* it could not say that it has lost it */
    }
    if (ask->what == SF_SUBMIT_ASK_RESUMED) {
        if (!sf_node_transfer_find(search.node, &ask->transfer, resumed) || !resumed->has_base) {
            return SF_OK;
        }
        search.base = resumed->base;
    }
    status = sf_kept_list(keeper->fd, &list, &count);
    if (status != SF_OK) {
        return sf_app_error_set(error, status, "the kept copies cannot be listed");
    }
    for (size_t i = count; i > 0 && ret_offer->count == 0; i--) {
        const struct sf_kept *kept = &list[i - 1];

        if ((sees_all || kept->user == user) && is_found(&search, kept, &ret_offer->by)) {
            open_copies(keeper, kept, list, count, ret_offer, ret_fds);
        }
    }
    free(list);
    if (ret_offer->count == 0) {
        memset(ret_offer, 0, sizeof(*ret_offer));
    }
    return judge(&search, ret_offer, error);
}

/* --- Opening and closing ------------------------------------------------------------------ */

/* What was being copied when an earlier run ended. */
static void
remove_parts(const struct sf_keeper *keeper)
{
    int own = openat(keeper->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = own < 0 ? NULL : fdopendir(own);
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        size_t bytes = strlen(entry->d_name);

        if (bytes == SF_KEPT_NAME_BYTES - 1 + sizeof(SF_KEPT_PART) - 1 &&
            strcmp(entry->d_name + SF_KEPT_NAME_BYTES - 1, SF_KEPT_PART) == 0) {
            (void)unlinkat(keeper->fd, entry->d_name, 0);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    } else if (own >= 0) {
        close(own);
    }
}

int
sf_keeper_open(struct sf_daemon *daemon, struct sf_keeper **ret_keeper, struct sf_app_error *error)
{
    struct sf_keeper *keeper = calloc(1, sizeof(*keeper));

    if (keeper == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory for what is kept");
    }
    keeper->daemon = daemon;
    keeper->fd = mkdirat(daemon->home.fd, SF_KEPT_DIRECTORY, 0700) != 0 && errno != EEXIST
                     ? -1
                     : openat(daemon->home.fd, SF_KEPT_DIRECTORY,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (keeper->fd < 0 || fchmod(keeper->fd, 0700) != 0) {
        int failed = errno;

        sf_keeper_close(keeper);
        return sf_app_error_set(error, SF_EIO, "cannot open %s/%s: %s", daemon->home.path,
            SF_KEPT_DIRECTORY, strerror(failed));
    }
    keeper->may_have_copies = true;
    remove_parts(keeper);
    keep_quota(keeper, 0);
    *ret_keeper = keeper;
    return SF_OK;
}

void
sf_keeper_stop(struct sf_keeper *keeper)
{
    if (keeper != NULL) {
        keeper->is_ending = true;
    }
}

void
sf_keeper_close(struct sf_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    while (keeper->first != NULL) {
        keeper->first->is_whole = false;
        end_copy(keeper->first);
    }
    if (keeper->fd >= 0) {
        close(keeper->fd);
    }
    free(keeper);
}
