#include <config.h>

#include "app/walk.h"

#include "app/text.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct walker {
    struct sf_walk *walk;
    size_t room;
    bool has_home;
    dev_t home_dev;
    ino_t home_ino;
    char **names; /* last components of the paths, if there are several */
    size_t name_count;
};

/* Where the walk stands: the name as the user would write it, and below the label. */
struct place {
    const char *shown;
    const char *path;
    unsigned depth;
};

/* --- Refusals -------------------------------------------------------------- */

/* Put "NAME: SENTENCE" into the walk's error. */
__attribute__((format(printf, 4, 5))) static int
refuse(struct sf_walk *walk, int status, const char *name, const char *format, ...)
{
    char *shown = sf_text_escaped(sf_view(name, strlen(name)), sf_text_is_utf8());
    int used = snprintf(walk->error, sizeof(walk->error), "%.4000s: ", shown);
    va_list list;

    free(shown);
    sf_assert(used > 0 && (size_t)used < sizeof(walk->error));
    va_start(list, format);
    (void)vsnprintf(walk->error + used, sizeof(walk->error) - (size_t)used, format, list);
    va_end(list);
    return status;
}

static int
refuse_errno(struct sf_walk *walk, const char *name, int error)
{
    switch (error) {
    case ENOENT:
        return refuse(walk, SF_ENOENT, name, "no such file or directory");
    case EACCES:
    case EPERM:
        return refuse(walk, SF_EAUTH, name, "you may not read it (%s)", strerror(error));
    case ELOOP:
        return refuse(walk, SF_EINVAL, name, "became a symbolic link while it was being opened");
    case EMFILE:
    case ENFILE:
        return refuse(walk, SF_ELIMIT, name,
            "%zu files are open and the system allows no more; send fewer at once, pack them into "
            "one archive, or raise the limit (ulimit -Hn)",
            walk->file_count);
    case ENAMETOOLONG:
        return refuse(walk, SF_ELIMIT, name, "the name is too long for the file system");
    default:
        return refuse(walk, SF_EIO, name, "%s", strerror(error));
    }
}

static const char *
kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFLNK:
        return "a symbolic link";
    case S_IFCHR:
    case S_IFBLK:
        return "a device";
    case S_IFSOCK:
        return "a socket";
    case S_IFIFO:
        return "a pipe";
    default:
        return "not a file";
    }
}

static int
refuse_kind(struct sf_walk *walk, const char *name, mode_t mode)
{
    if (S_ISLNK(mode)) {
        return refuse(walk, SF_EINVAL, name,
            "is a symbolic link, and links are not followed; name what it points to, or leave it "
            "out");
    }
    return refuse(walk, SF_EINVAL, name, "is %s; only regular files and directories can be sent",
        kind_of(mode));
}

/* --- Files ----------------------------------------------------------------- */

static int
add_file(struct walker *walker, const struct place *place, int fd, const struct stat *st)
{
    struct sf_walk *walk = walker->walk;
    struct sf_walk_file *file;

    if (walk->file_count == SF_WALK_FILES_MAX) {
        return refuse(walk, SF_ELIMIT, place->shown,
            "would be file number %d; a transfer holds at most %d, pack them into one archive",
            SF_WALK_FILES_MAX + 1, SF_WALK_FILES_MAX);
    }
    if (walk->file_count == walker->room) {
        walker->room = walker->room == 0 ? 64 : walker->room * 2;
        walk->files = realloc(walk->files, walker->room * sizeof(*walk->files));
        sf_assert(walk->files != NULL);
    }
    file = &walk->files[walk->file_count];
    *file = (struct sf_walk_file){
        .path = strdup(place->path),
        .fd = fd,
        .bytes = (uint64_t)st->st_size,
        .mtime_s = (int64_t)st->st_mtime,
        .executable = (st->st_mode & S_IXUSR) != 0,
    };
    sf_assert(file->path != NULL);
    walk->file_count++;
    walk->bytes += file->bytes;
    return SF_OK;
}

static int walk_directory(struct walker *walker, int fd, const struct place *place);

/*
 * Look at `name` in the directory `dir` and open it as what it is. Looked at
 * before it is opened, so that no device is ever touched; looked at again
 * afterwards, so that nothing slips in between.
 */
static int
walk_entry(struct walker *walker, int dir, const char *name, const struct place *place)
{
    struct sf_walk *walk = walker->walk;
    struct stat before;
    struct stat st;
    bool is_directory;
    int fd;

    if (fstatat(dir, name, &before, AT_SYMLINK_NOFOLLOW) != 0) {
        return refuse_errno(walk, place->shown, errno);
    }
    is_directory = S_ISDIR(before.st_mode);
    if (!is_directory && !S_ISREG(before.st_mode)) {
        return refuse_kind(walk, place->shown, before.st_mode);
    }
    fd = openat(dir, name,
        O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
            (is_directory ? O_DIRECTORY : 0));
    if (fd < 0) {
        return refuse_errno(walk, place->shown, errno);
    }
    if (fstat(fd, &st) != 0 || st.st_dev != before.st_dev || st.st_ino != before.st_ino ||
        (st.st_mode & S_IFMT) != (before.st_mode & S_IFMT)) {
        (void)close(fd);
        return refuse(walk, SF_EINVAL, place->shown,
            "was replaced while it was being opened; try again when nobody changes it");
    }
    if (is_directory) {
        if (walker->has_home && st.st_dev == walker->home_dev && st.st_ino == walker->home_ino) {
            (void)close(fd);
            return refuse(walk, SF_EINVAL, place->shown,
                "is this node's own home, which holds its secret keys; name the files you mean");
        }
        return walk_directory(walker, fd, place);
    }
    if (add_file(walker, place, fd, &st) != SF_OK) {
        (void)close(fd);
        return SF_ELIMIT;
    }
    /* O_NONBLOCK was for a pipe put in the file's place; the daemon wants plain reads. */
    (void)fcntl(fd, F_SETFL, 0);
    return SF_OK;
}

/* --- Directories ----------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

/* The names in a directory but for "." and "..", in order. Takes `fd`. */
static int
list_directory(DIR *directory, char ***ret_names, size_t *ret_count)
{
    char **names = NULL;
    size_t count = 0;
    size_t room = 0;
    struct dirent *entry;

    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (count == room) {
            char **grown;

            room = room == 0 ? 64 : room * 2;
            grown = realloc(names, room * sizeof(*names));
            sf_assert(grown != NULL);
            names = grown;
        }
        names[count] = strdup(entry->d_name);
        sf_assert(names[count] != NULL);
        count++;
        if (count > SF_WALK_FILES_MAX) {
            break; /* the count of files will be refused */
        }
    }
    if (errno != 0) {
        free_names(names, count);
        return SF_EIO;
    }
    if (count > 0) {
        qsort(names, count, sizeof(*names), compare_names);
    }
    *ret_names = names;
    *ret_count = count;
    return SF_OK;
}

static char *
join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    bool slash = length > 0 && directory[length - 1] != '/';
    size_t bytes = length + slash + strlen(name) + 1;
    char *path = malloc(bytes);

    sf_assert(path != NULL);
    (void)snprintf(path, bytes, "%s%s%s", directory, slash ? "/" : "", name);
    return path;
}

/* Everything in the directory `fd`, which is closed. */
static int
walk_directory(struct walker *walker, int fd, const struct place *place)
{
    struct sf_walk *walk = walker->walk;
    DIR *directory = NULL;
    char **names = NULL;
    size_t count = 0;
    int status = SF_OK;

    if (place->depth >= SF_WALK_DEPTH_MAX) {
        (void)close(fd);
        return refuse(walk, SF_ELIMIT, place->shown,
            "lies deeper than %d directories; pack it into an archive", SF_WALK_DEPTH_MAX);
    }
    directory = fdopendir(fd);
    if (directory == NULL) {
        (void)close(fd);
        return refuse_errno(walk, place->shown, errno);
    }
    if (list_directory(directory, &names, &count) != SF_OK) {
        status = refuse_errno(walk, place->shown, errno);
    }
    walk->empty_directories += status == SF_OK && count == 0;
    for (size_t i = 0; i < count && status == SF_OK; i++) {
        char *shown = join(place->shown, names[i]);
        char *path = join(place->path, names[i]);
        struct place below = {.shown = shown, .path = path, .depth = place->depth + 1};

        status = walk_entry(walker, dirfd(directory), names[i], &below);
        free(shown);
        free(path);
    }
    free_names(names, count);
    (void)closedir(directory);
    return status;
}

/* --- The paths ------------------------------------------------------------- */

/*
 * Split a path as given into the directory to start from and the last
 * component, both fresh memory. SF_EINVAL if it has no name of its own.
 */
static int
split(struct sf_walk *walk, const char *path, char **ret_directory, char **ret_name)
{
    size_t end = strlen(path);
    size_t begin;

    if (end == 0) {
        return refuse(walk, SF_EINVAL, "''", "an empty path names nothing");
    }
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    if (begin == end || (end - begin == 1 && path[begin] == '.') ||
        (end - begin == 2 && path[begin] == '.' && path[begin + 1] == '.')) {
        return refuse(walk, SF_EINVAL, path,
            "has no name of its own to arrive under; give the directory by its name");
    }
    if (end - begin > SF_WALK_NAME_BYTES_MAX) {
        return refuse(
            walk, SF_ELIMIT, path, "the name is longer than %d bytes", SF_WALK_NAME_BYTES_MAX);
    }
    *ret_directory = begin == 0 ? strdup(".") : strndup(path, begin);
    *ret_name = strndup(path + begin, end - begin);
    sf_assert(*ret_directory != NULL && *ret_name != NULL);
    return SF_OK;
}

/* One path of the command line; `alone` if it is the only one. */
static int
walk_path(struct walker *walker, const char *path, bool alone)
{
    struct sf_walk *walk = walker->walk;
    struct place place = {.shown = path, .path = ""};
    char *directory = NULL;
    char *name = NULL;
    struct stat st;
    int status;
    int dir;

    status = split(walk, path, &directory, &name);
    if (status != SF_OK) {
        return status;
    }
    sf_assert(directory != NULL);
    dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        status = refuse_errno(walk, path, errno);
        goto out;
    }
    walk->single_file =
        alone && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
    if (alone) {
        /* What lies below the path carries no part of it: the label stands for it. */
        if (walk->label[0] == '\0') {
            (void)snprintf(walk->label, sizeof(walk->label), "%s", name);
        }
    } else {
        place.path = name;
        place.depth = 1;
        walker->names[walker->name_count++] = name;
    }
    status = walk_entry(walker, dir, name, &place);
    (void)close(dir);
out:
    free(directory);
    if (place.path != name) {
        free(name);
    }
    return status;
}

/* Two paths with the same last component cannot lie in one directory. */
static int
check_names(struct walker *walker)
{
    if (walker->name_count > 1) {
        qsort(walker->names, walker->name_count, sizeof(*walker->names), compare_names);
    }
    for (size_t i = 1; i < walker->name_count; i++) {
        if (strcmp(walker->names[i - 1], walker->names[i]) == 0) {
            return refuse(walker->walk, SF_EINVAL, walker->names[i],
                "two of the paths would arrive under this name; send them one by one");
        }
    }
    return SF_OK;
}

static int
check_label(struct sf_walk *walk, const char *label)
{
    if (label[0] == '\0' || strcmp(label, ".") == 0 || strcmp(label, "..") == 0 ||
        strchr(label, '/') != NULL || strlen(label) > SF_WALK_NAME_BYTES_MAX) {
        return refuse(walk, SF_EINVAL, label,
            "cannot be the name of a transfer: one file name of at most %d bytes, without '/'",
            SF_WALK_NAME_BYTES_MAX);
    }
    (void)snprintf(walk->label, sizeof(walk->label), "%s", label);
    return SF_OK;
}

int
sf_walk(const struct sf_walk_config *config, struct sf_walk *walk)
{
    struct walker walker = {.walk = walk};
    struct stat st;
    int status = SF_OK;

    *walk = (struct sf_walk){0};
    if (config->home != NULL && stat(config->home, &st) == 0) {
        walker.has_home = true;
        walker.home_dev = st.st_dev;
        walker.home_ino = st.st_ino;
    }
    if (config->label != NULL) {
        status = check_label(walk, config->label);
    } else if (config->path_count > 1) {
        uint8_t number[4];

        sf_random_fill(config->random, number, sizeof(number));
        (void)snprintf(
            walk->label, sizeof(walk->label), "skyferry-%08x", (unsigned)sf_get_be32(number));
        walk->label_made_up = true;
    }
    walker.names = calloc(config->path_count, sizeof(*walker.names));
    sf_assert(walker.names != NULL);
    for (size_t i = 0; i < config->path_count && status == SF_OK; i++) {
        status = walk_path(&walker, config->paths[i], config->path_count == 1);
    }
    if (status == SF_OK && walk->file_count == 0) {
        status =
            refuse(walk, SF_ENOENT, config->paths[0], "holds no file, so there is nothing to send");
    }
    if (status == SF_OK) {
        status = check_names(&walker);
    }
    free_names(walker.names, walker.name_count);
    if (status != SF_OK) {
        char error[SF_WALK_ERROR_BYTES];

        memcpy(error, walk->error, sizeof(error));
        sf_walk_fini(walk);
        memcpy(walk->error, error, sizeof(error));
    }
    return status;
}

void
sf_walk_fini(struct sf_walk *walk)
{
    for (size_t i = 0; i < walk->file_count; i++) {
        (void)close(walk->files[i].fd);
        free(walk->files[i].path);
    }
    free(walk->files);
    *walk = (struct sf_walk){0};
}

size_t
sf_walk_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit more = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
            limit = more;
        }
    }
    return (size_t)limit.rlim_cur;
}
