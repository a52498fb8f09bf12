/*
 * Files sent by path over HTTP: only from below the directories the operator
 * named, and never through a symbolic link, so that whoever may write into an
 * outbox cannot make the daemon read anything else.
 */
#include "app/control_internal.h"

#include "app/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PATHS_MAX = 1024, /* in one request */
    LEVELS_MAX = 63,  /* of directories below a path, so that a name has at most 64 components */
    PATH_BYTES_MAX = 16384,
};

/* What is gathered, and where it goes. */
struct gather {
    struct sf_sources sources;
    struct sf_app_error *error;
    char path[PATH_BYTES_MAX + 1]; /* of the file that is looked at, below the label */
    size_t path_bytes;
};

static int gather_entry(struct gather *gather, int fd, unsigned level);

/* --- Directories ------------------------------------------------------------------- */

static int
refuse(struct gather *gather, int status, const char *why)
{
    return sf_app_error_set(
        gather->error, status, "%.200s: %s", gather->path_bytes == 0 ? "." : gather->path, why);
}

/* Add "/name" to the path; returns the length before, or SIZE_MAX if it is too long. */
static size_t
push_name(struct gather *gather, const char *name)
{
    size_t before = gather->path_bytes;
    size_t bytes = strlen(name);
    size_t slash = before > 0 ? 1 : 0;

    if (before + slash + bytes > PATH_BYTES_MAX) {
        return SIZE_MAX;
    }
    if (slash != 0) {
        gather->path[before] = '/';
    }
    memcpy(gather->path + before + slash, name, bytes + 1);
    gather->path_bytes = before + slash + bytes;
    return before;
}

static void
pop_name(struct gather *gather, size_t before)
{
    gather->path_bytes = before;
    gather->path[before] = '\0';
}

static int
skip_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* By bytes, whatever the locale: a transfer that is resumed must come in the same order. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int
gather_directory(struct gather *gather, int fd, unsigned level)
{
    struct dirent **entries = NULL;
    int count = scandirat(fd, ".", &entries, skip_dots, by_name);
    int status = SF_OK;

    if (count < 0) {
        return refuse(gather, SF_EIO, strerror(errno));
    }
    if (level == LEVELS_MAX) {
        status = refuse(gather, SF_ELIMIT, "too many levels of directories");
    }
    for (int i = 0; i < count; i++) {
        if (status == SF_OK) {
            size_t before = push_name(gather, entries[i]->d_name);
            int entry = before == SIZE_MAX ? -1
                                           : openat(fd, entries[i]->d_name,
                                                 O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

            if (before == SIZE_MAX) {
                status = refuse(gather, SF_ELIMIT, "the path below it is too long");
            } else if (entry < 0) {
                status = refuse(gather, SF_EAUTH,
                    errno == ELOOP ? "symbolic links are not sent" : strerror(errno));
            } else {
                status = gather_entry(gather, entry, level + 1);
            }
            if (before != SIZE_MAX) {
                pop_name(gather, before);
            }
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* Take over `fd`, which is open on gather->path. */
static int
gather_entry(struct gather *gather, int fd, unsigned level)
{
    struct stat info;
    int status;

    if (fstat(fd, &info) != 0) {
        status = refuse(gather, SF_EIO, strerror(errno));
    } else if (S_ISDIR(info.st_mode)) {
        status = gather_directory(gather, fd, level);
    } else if (S_ISREG(info.st_mode)) {
        return sf_sources_add(&gather->sources, fd, sf_view(gather->path, gather->path_bytes),
            (info.st_mode & S_IXUSR) != 0, gather->error);
    } else {
        status = refuse(gather, SF_EINVAL, "only regular files and directories can be sent");
    }
    close(fd);
    return status;
}

/* --- Paths ------------------------------------------------------------------------- */

/* What of `path` is below directory `outbox`; NULL if it is not below. */
static const char *
below(const char *outbox, const char *path)
{
    size_t bytes = strcmp(outbox, "/") == 0 ? 0 : strlen(outbox);

    if (strncmp(outbox, path, bytes) != 0 || path[bytes] != '/') {
        return NULL;
    }
    path += bytes;
    while (*path == '/') {
        path++;
    }
    return *path == '\0' ? NULL : path;
}

/* Open `path` by way of the outbox it is below. Returns the descriptor or a status. */
static int
open_path(const struct sf_daemon *daemon, const char *path, struct sf_app_error *error)
{
    const struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    for (size_t i = 0; i < daemon->config.outbox_count; i++) {
        const char *rest = below(daemon->config.outbox[i], path);
        int root;
        long fd;
        int failed;

        if (rest == NULL) {
            continue;
        }
        root = open(daemon->config.outbox[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0) {
            return sf_app_error_set(error, SF_EIO, "cannot open the outbox %.200s: %s",
                daemon->config.outbox[i], strerror(errno));
        }
        fd = syscall(SYS_openat2, root, rest, &how, sizeof(how));
        failed = errno;
        close(root);
        if (fd >= 0) {
            return (int)fd;
        }
        return sf_app_error_set(error, failed == ENOENT ? SF_ENOENT : SF_EAUTH,
            "cannot open %.200s: %s", path,
            failed == ELOOP   ? "a component of it is a symbolic link"
            : failed == EXDEV ? "it leads out of the outbox"
                              : strerror(failed));
    }
    return sf_app_error_set(error, SF_EAUTH,
        "%.200s is not below an outbox: only paths below the directories of the setting `outbox` "
        "are sent by path; `skyferry send` hands over any file you can read",
        path);
}

/* The last component of an absolute path; *ret_bytes may end before a '/'. */
static const char *
base_name(const char *path, size_t *ret_bytes)
{
    size_t end = strlen(path);
    size_t from;

    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    for (from = end; from > 0 && path[from - 1] != '/'; from--) {
    }
    *ret_bytes = end - from;
    return path + from;
}

/* --- The request --------------------------------------------------------------------- */

struct wish {
    const char *recipients[SF_NODE_RECIPIENTS_MAX];
    char *paths[PATHS_MAX]; /* ours */
    size_t path_count;
    char *label; /* ours; NULL: of the only path */
    struct sf_node_send send;
};

/* A string, or (with `is_hex`) the bytes it stands for, in fresh memory without NUL inside. */
static char *
name_bytes(const json_t *value, bool is_hex)
{
    const char *text = json_string_value(value);
    char *bytes;
    size_t count;

    if (text == NULL) {
        return NULL;
    }
    bytes = is_hex ? sf_control_hex_bytes(text, &count) : strdup(text);
    if (bytes != NULL && strlen(bytes) != (is_hex ? count : json_string_length(value))) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static int
take_paths(struct wish *wish, const json_t *list, bool is_hex, struct sf_app_error *error)
{
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > PATHS_MAX) {
        return sf_app_error_set(
            error, SF_EINVAL, "paths: expected a list of 1 to %d absolute paths", PATHS_MAX);
    }
    if (wish->path_count > 0) {
        return sf_app_error_set(error, SF_EINVAL, "paths: give paths or paths_hex, not both");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *path = name_bytes(json_array_get(list, i), is_hex);

        if (path == NULL || *path != '/') {
            free(path);
            return sf_app_error_set(error, SF_EINVAL, "paths: expected absolute paths");
        }
        wish->paths[wish->path_count++] = path;
    }
    return SF_OK;
}

static int
take_recipients(struct wish *wish, const json_t *list, struct sf_app_error *error)
{
    size_t count = json_array_size(list);

    if (!json_is_array(list) || count == 0 || count > SF_NODE_RECIPIENTS_MAX) {
        return sf_app_error_set(
            error, SF_EINVAL, "to: expected a list of 1 to %d peers", SF_NODE_RECIPIENTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        wish->recipients[i] = json_string_value(json_array_get(list, i));
        if (wish->recipients[i] == NULL) {
            return sf_app_error_set(error, SF_EINVAL, "to: expected names of peers");
        }
    }
    wish->send.recipients = wish->recipients;
    wish->send.recipient_count = count;
    return SF_OK;
}

static int
take_label(struct wish *wish, const json_t *value, bool is_hex, struct sf_app_error *error)
{
    char *label = name_bytes(value, is_hex);

    if (label == NULL || wish->label != NULL) {
        free(label);
        return sf_app_error_set(error, SF_EINVAL, "label: expected one name");
    }
    wish->label = label;
    return SF_OK;
}

static int
take_member(struct wish *wish, const char *name, const json_t *value, struct sf_app_error *error)
{
    if (strcmp(name, "paths") == 0 || strcmp(name, "paths_hex") == 0) {
        return take_paths(wish, value, strcmp(name, "paths_hex") == 0, error);
    }
    if (strcmp(name, "to") == 0) {
        return take_recipients(wish, value, error);
    }
    if (strcmp(name, "label") == 0 || strcmp(name, "label_hex") == 0) {
        return take_label(wish, value, strcmp(name, "label_hex") == 0, error);
    }
    if (strcmp(name, "priority") == 0) {
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > UINT8_MAX) {
            return sf_app_error_set(error, SF_EINVAL, "priority: expected 0 (most urgent) to 255");
        }
        wish->send.priority = (uint8_t)json_integer_value(value);
        return SF_OK;
    }
    if (strcmp(name, "deadline_ms") == 0) {
        if (!json_is_null(value) && (!json_is_integer(value) || json_integer_value(value) <= 0)) {
            return sf_app_error_set(
                error, SF_EINVAL, "deadline_ms: expected milliseconds since 1970, or null");
        }
        wish->send.deadline.ms = json_is_null(value) ? 0 : json_integer_value(value);
        return SF_OK;
    }
    if (strcmp(name, "forget_key") == 0) {
        if (!json_is_boolean(value)) {
            return sf_app_error_set(error, SF_EINVAL, "forget_key: expected true or false");
        }
        wish->send.forget_key = json_boolean_value(value);
        return SF_OK;
    }
    if (strcmp(name, "resume") == 0) {
        if (!json_is_string(value) ||
            !sf_control_id_parse(json_string_value(value), &wish->send.resume)) {
            return sf_app_error_set(
                error, SF_EINVAL, "resume: expected the 32 hexadecimal digits of a transfer");
        }
        wish->send.has_resume = true;
        return SF_OK;
    }
    return sf_app_error_set(error, SF_EINVAL,
        "unknown member %.40s: expected paths, to, label, priority, deadline_ms, forget_key or "
        "resume",
        name);
}

static int
parse_wish(const json_t *body, struct wish *wish, struct sf_app_error *error)
{
    const char *name;
    json_t *value;

    wish->send.priority = SF_NODE_PRIORITY_DEFAULT;
    if (!json_is_object(body)) {
        return sf_app_error_set(error, SF_EFORMAT, "expected a JSON object with paths and to");
    }
    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        int status = take_member(wish, name, value, error);

        if (status != SF_OK) {
            return status;
        }
    }
    if (wish->path_count == 0 || wish->send.recipient_count == 0) {
        return sf_app_error_set(error, SF_EINVAL, "paths and to are needed");
    }
    if (wish->path_count > 1 && wish->label == NULL) {
        return sf_app_error_set(
            error, SF_EINVAL, "several paths need a label, the name of what will arrive");
    }
    return SF_OK;
}

/* Open and gather every path. A lone file is the transfer itself, a lone directory its root. */
static int
gather_paths(struct wish *wish, struct gather *gather)
{
    int status = SF_OK;

    for (size_t i = 0; i < wish->path_count && status == SF_OK; i++) {
        int fd = open_path(gather->sources.daemon, wish->paths[i], gather->error);
        struct stat info;
        size_t bytes;
        const char *base = base_name(wish->paths[i], &bytes);
        char name[256];

        if (fd < 0) {
            return fd;
        }
        if (bytes >= sizeof(name) || fstat(fd, &info) != 0) {
            close(fd);
            return sf_app_error_set(gather->error, SF_EINVAL, "a name is longer than 255 bytes");
        }
        memcpy(name, base, bytes);
        name[bytes] = '\0';
        if (wish->path_count > 1) {
            (void)push_name(gather, name);
        } else {
            wish->send.single_file = S_ISREG(info.st_mode);
            if (wish->label == NULL) {
                wish->label = strdup(name);
            }
        }
        status = gather_entry(gather, fd, wish->path_count > 1 ? 1 : 0);
        pop_name(gather, 0);
    }
    return status;
}

static void
forget_wish(struct wish *wish)
{
    for (size_t i = 0; i < wish->path_count; i++) {
        free(wish->paths[i]);
    }
    free(wish->label);
    free(wish);
}

int
sf_control_send(struct sf_daemon *daemon, const json_t *body, struct sf_transfer_id *ret_transfer,
    struct sf_app_error *error)
{
    struct wish *wish = calloc(1, sizeof(*wish));
    struct gather *gather = calloc(1, sizeof(*gather));
    int status;

    if (wish == NULL || gather == NULL) {
        free(wish);
        free(gather);
        return sf_app_error_set(error, SF_ENOMEM, "no memory for the request: try again");
    }
    sf_sources_init(&gather->sources, daemon);
    gather->error = error;
    status = parse_wish(body, wish, error);
    if (status == SF_OK) {
        status = gather_paths(wish, gather);
    }
    if (status == SF_OK && gather->sources.count == 0) {
        status = sf_app_error_set(error, SF_EINVAL, "there is no file below the paths");
    } else if (status == SF_OK && wish->label == NULL) {
        status = sf_app_error_set(error, SF_ENOMEM, "no memory for the request: try again");
    } else if (status == SF_OK) {
        wish->send.label = sf_view(wish->label, strlen(wish->label));
        status = sf_sources_send(&gather->sources, &wish->send, ret_transfer, error);
    }
    sf_sources_fini(&gather->sources);
    free(gather);
    forget_wish(wish);
    return status;
}
