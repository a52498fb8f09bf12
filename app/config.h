/*
 * config.h - the settings of a node: the file `config` in its home.
 *
 * `key = value` lines, comments from '#' at the start of a line; strict: an
 * unknown or repeated key, a value out of form, a line too long are errors
 * that name file, line, value and the accepted form. skyferry.conf(5) is the
 * reference. The same reader serves peers/NAME.conf.
 */
#ifndef SF_APP_CONFIG_H
#define SF_APP_CONFIG_H

#include "app/error.h"
#include "app/home.h"
#include "app/limit.h"
#include "base/bytes.h"
#include "base/status.h"
#include "node/node.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_CONFIG_FILE_BYTES_MAX = 64 * 1024,
    SF_CONFIG_LINE_BYTES_MAX = 4352, /* a path and its key */
    SF_CONFIG_LISTEN_MAX = 8,
    SF_CONFIG_OUTBOX_MAX = 16,
    SF_CONFIG_LIMIT_MAX = 16,
    SF_CONFIG_HOST_BYTES_MAX = 63,
    SF_CONFIG_GROUP_BYTES_MAX = 63,
    SF_CONFIG_WORKERS_MAX = 64,
    SF_CONFIG_PORT_DEFAULT = 7272,
};

#define SF_CONFIG_RESERVE_BYTES_DEFAULT (UINT64_C(1) << 30)
#define SF_CONFIG_QUOTA_BYTES_DEFAULT   (UINT64_C(1) << 40)
/* Of filler, to a peer and in a day. */
#define SF_CONFIG_PRIVACY_BUDGET_DEFAULT (UINT64_C(10) * 1000 * 1000 * 1000)
#define SF_CONFIG_PRIVACY_FORM           "size, none or timing"
#define SF_CONFIG_LISTEN_FORM                                                                      \
    "ADDRESS:PORT [on INTERFACE], such as [::]:7272, 192.0.2.1:7272 or [::]:7272 on eth1"

enum sf_config_disk {
    SF_CONFIG_DISK_AUTO, /* io_uring where the host has it */
    SF_CONFIG_DISK_URING,
    SF_CONFIG_DISK_POSIX,
};

enum sf_config_confine {
    SF_CONFIG_CONFINE_AUTO, /* with what the kernel has */
    SF_CONFIG_CONFINE_YES,  /* or not at all */
    SF_CONFIG_CONFINE_NO,
};

/* A local numeric address to listen on. */
struct sf_config_listen {
    char host[SF_CONFIG_HOST_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;
    char
        interface[SF_MARK_INTERFACE_BYTES_MAX + 1]; /* nothing comes or goes by another; "" = any */
};

struct sf_config {
    struct sf_config_listen listen[SF_CONFIG_LISTEN_MAX];
    size_t listen_count;
    bool is_listen_default; /* no `listen` was given: IPv4 alone will do where there is no IPv6 */
    uint32_t mtu_bytes;     /* IP bytes, 1280 .. 9000; 0 = the default */
    uint64_t reserve_bytes;
    uint64_t quota_bytes;
    uint64_t keep_bytes;           /* of copies of what was sent; 0 = none are kept */
    uint32_t class_bytes;          /* 0 = the size of the transfer decides */
    uint32_t workers;              /* 0 = one per core */
    enum sf_node_privacy privacy;  /* of peers that say nothing else, as the next */
    uint64_t privacy_budget_bytes; /* IP bytes of filler to a peer in a day, for timing */
    char outbox[SF_CONFIG_OUTBOX_MAX][SF_HOME_PATH_BYTES_MAX + 1]; /* absolute directories */
    size_t outbox_count;
    struct sf_limit limits[SF_CONFIG_LIMIT_MAX];
    size_t limit_count;
    enum sf_config_disk disk;
    enum sf_config_confine confine;
    char group[SF_CONFIG_GROUP_BYTES_MAX + 1]; /* of sockets and inbox; "" = the daemon's own */
};

/* Every default. */
void sf_config_init(struct sf_config *config);

/* Parse "[::]:7272", "[::]:7272 on eth1". SF_EFORMAT; numeric addresses only. */
SF_MUST_USE int sf_config_listen_parse(const char *text, struct sf_config_listen *ret_listen);

/* The words for enum sf_node_privacy. SF_EFORMAT for any other. */
SF_MUST_USE int sf_config_privacy_parse(const char *text, enum sf_node_privacy *ret_privacy);
const char *sf_config_privacy_name(enum sf_node_privacy privacy);

/*
 * Parse the text of a config file onto the defaults. `file` is for messages.
 * Returns SF_OK or SF_EFORMAT, with *error filled and *ret_config untouched.
 */
SF_MUST_USE int sf_config_parse(const char *file, struct sf_view text, struct sf_config *ret_config,
    struct sf_app_error *error);

/* Read the config of a home; all defaults if there is none. Errors of parsing and reading. */
SF_MUST_USE int sf_config_read(
    const struct sf_home *home, struct sf_config *ret_config, struct sf_app_error *error);

/* The commented file that `skyferry init` writes: every key, commented out, with its default. */
extern const char sf_config_template[];

/* --- The reader itself ------------------------------------------------------ */

/* One setting; key and value end in NUL and live during the call. Fills *error on failure. */
typedef int (*sf_config_setting)(void *context, const char *file, unsigned line, const char *key,
    const char *value, struct sf_app_error *error);

/*
 * Call `setting` for every `key = value` of `text` in order, stopping at its
 * first failure. Returns SF_OK, what `setting` returned, or SF_EFORMAT for a
 * line that is none (control characters, no '=', an empty key or value, a
 * section, a line or file too long).
 */
SF_MUST_USE int sf_config_each(const char *file, struct sf_view text, sf_config_setting setting,
    void *context, struct sf_app_error *error);

/* SF_EFORMAT with "FILE:LINE: KEY = VALUE: expected FORM" in *error. */
int sf_config_complain(struct sf_app_error *error, const char *file, unsigned line, const char *key,
    const char *value, const char *form);

#endif
