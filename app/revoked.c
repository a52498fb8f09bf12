#include "app/revoked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char suffix[] = ".revoked";

enum {
    ENTRIES_MAX = 8192, /* looked at in peers/ */
    DIGITS = 2 * sizeof(struct sf_fingerprint),
    FILE_NAME_BYTES = DIGITS + sizeof(suffix),
    PATH_BYTES = sizeof(SF_HOME_PEERS) + FILE_NAME_BYTES,
    CONTENT_BYTES_MAX = 256,
};

static int
digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool
parse(const char *text, struct sf_fingerprint *ret_fingerprint)
{
    struct sf_fingerprint fingerprint;

    for (size_t i = 0; i < sizeof(fingerprint.b); i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);

        if (low < 0) {
            return false;
        }
        fingerprint.b[i] = (uint8_t)(high << 4 | low);
    }
    *ret_fingerprint = fingerprint;
    return true;
}

bool
sf_revoked_fingerprint_parse(const char *text, struct sf_fingerprint *ret_fingerprint)
{
    return strlen(text) == DIGITS && parse(text, ret_fingerprint);
}

static void
file_name(const struct sf_fingerprint *fingerprint, char ret_path[PATH_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char hex[DIGITS + 1];

    for (size_t i = 0; i < sizeof(fingerprint->b); i++) {
        hex[2 * i] = digits[fingerprint->b[i] >> 4];
        hex[2 * i + 1] = digits[fingerprint->b[i] & 15];
    }
    hex[DIGITS] = '\0';
    (void)snprintf(ret_path, PATH_BYTES, "%s/%s%s", SF_HOME_PEERS, hex, suffix);
}

/* What it says is for people alone: what cannot be read is not known. */
static void
read_content(const struct sf_home *home, struct sf_revoked_node *node)
{
    char path[PATH_BYTES];
    char text[CONTENT_BYTES_MAX + 1];
    char was[SF_PEERS_NAME_BYTES_MAX + 1] = "";
    int64_t when_ms = 0;
    size_t bytes = 0;
    struct sf_app_error ignored;
    const struct sf_home_read read_ = {.name = path, .out = text, .bytes_max = CONTENT_BYTES_MAX};

    file_name(&node->fingerprint, path);
    if (sf_home_read_file(home, &read_, &bytes, &ignored) != SF_OK) {
        return;
    }
    text[bytes] = '\0';
    /* NOLINTNEXTLINE(cert-err34-c): 18 digits fit */
    if (sscanf(text, "was = %63s when = %18" SCNd64, was, &when_ms) == 2 && when_ms > 0) {
        node->when_ms = when_ms;
        if (sf_peers_name_is_valid(was)) {
            memcpy(node->was, was, sizeof(was));
        }
    }
}

static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct sf_fingerprint));
}

/* The fingerprints of all, from the names of the files in `folder`. */
static int
list(DIR *folder, struct sf_revoked_node *nodes, size_t *ret_count)
{
    const struct dirent *entry;
    size_t seen = 0;
    size_t count = 0;

    while ((entry = readdir(folder)) != NULL) {
        struct sf_fingerprint fingerprint;

        if (++seen > ENTRIES_MAX) {
            return SF_ELIMIT;
        }
        if (strlen(entry->d_name) != FILE_NAME_BYTES - 1 ||
            strcmp(entry->d_name + DIGITS, suffix) != 0 || !parse(entry->d_name, &fingerprint)) {
            continue;
        }
        if (count == SF_REVOKED_MAX) {
            return SF_ELIMIT;
        }
        nodes[count++] = (struct sf_revoked_node){.fingerprint = fingerprint};
    }
    *ret_count = count;
    return SF_OK;
}

int
sf_revoked_read_all(const struct sf_home *home, struct sf_revoked_node **ret_nodes,
    size_t *ret_count, struct sf_app_error *error)
{
    struct sf_revoked_node *nodes = calloc(SF_REVOKED_MAX, sizeof(*nodes));
    size_t count = 0;
    int status = SF_OK;
    DIR *folder;
    int failed;
    int fd;

    if (nodes == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory for the revoked nodes");
    }
    fd = openat(home->fd, SF_HOME_PEERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    folder = fd < 0 ? NULL : fdopendir(fd);
    failed = errno;
    if (folder == NULL && (fd >= 0 || failed != ENOENT)) {
        status = sf_app_error_set(
            error, SF_EIO, "cannot list %s/%s: %s", home->path, SF_HOME_PEERS, strerror(failed));
    } else if (folder != NULL && list(folder, nodes, &count) != SF_OK) {
        status = sf_app_error_set(error, SF_ELIMIT,
            "%s/%s has too many entries: a node knows at most %d revoked ones", home->path,
            SF_HOME_PEERS, SF_REVOKED_MAX);
    }
    if (folder != NULL) {
        closedir(folder);
    } else if (fd >= 0) {
        close(fd);
    }
    if (status != SF_OK) {
        free(nodes);
        return status;
    }
    qsort(nodes, count, sizeof(*nodes), compare);
    for (size_t i = 0; i < count; i++) {
        read_content(home, &nodes[i]);
    }
    *ret_nodes = nodes;
    *ret_count = count;
    return SF_OK;
}

const struct sf_revoked_node *
sf_revoked_find(
    const struct sf_revoked_node *nodes, size_t count, const struct sf_fingerprint *fingerprint)
{
    for (size_t i = 0; i < count; i++) {
        if (sf_fingerprint_equal(&nodes[i].fingerprint, fingerprint)) {
            return &nodes[i];
        }
    }
    return NULL;
}

int
sf_revoked_write(
    const struct sf_home *home, const struct sf_revoked_node *node, struct sf_app_error *error)
{
    char path[PATH_BYTES];
    char text[CONTENT_BYTES_MAX];
    int bytes = snprintf(text, sizeof(text), "was = %s\nwhen = %" PRId64 "\n",
        node->was[0] == '\0' ? "?" : node->was, node->when_ms);

    file_name(&node->fingerprint, path);
    return sf_home_write_file(home,
        &(struct sf_home_write){.name = path, .content = sf_view(text, (size_t)bytes)}, error);
}

int
sf_revoked_remove(const struct sf_home *home, const struct sf_fingerprint *fingerprint,
    struct sf_app_error *error)
{
    char path[PATH_BYTES];

    file_name(fingerprint, path);
    return sf_home_remove_file(home, path, error);
}

int
sf_revoked_refuse(const struct sf_revoked_node *node, const char *name, struct sf_app_error *error)
{
    time_t seconds = (time_t)(node->when_ms / 1000);
    char when[32] = "once";
    struct tm parts;

    if (node->when_ms > 0 && gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(when, sizeof(when), "on %Y-%m-%d", &parts);
    }
    return sf_app_error_set(error, SF_EAUTH,
        "the node of this card was revoked here %s%s%s; if it is to be trusted again: `skyferry "
        "peer add %s --card FILE --readmit`",
        when, node->was[0] == '\0' ? "" : ", when it was called ", node->was, name);
}
