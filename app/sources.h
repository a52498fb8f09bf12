/*
 * sources.h - the files of one transfer while they are gathered: each an open
 * descriptor, checked, handed to the disk.
 */
#ifndef SF_APP_SOURCES_H
#define SF_APP_SOURCES_H

#include "app/daemon.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SF_SOURCES_MAX = 65536 };

struct sf_sources {
    struct sf_daemon *daemon;
    struct sf_node_source *list; /* their paths are ours */
    size_t count;
    size_t room;
};

void sf_sources_init(struct sf_sources *sources, struct sf_daemon *daemon);

/* Close what was not handed on and forget all. */
void sf_sources_fini(struct sf_sources *sources);

/*
 * Add open descriptor `fd`, which is taken over in every case, to go to `path`
 * (copied) below the label. SF_EAUTH (not open for reading), SF_EINVAL (no
 * regular file), SF_ELIMIT, SF_ENOMEM; the text names no file.
 */
SF_MUST_USE int sf_sources_add(struct sf_sources *sources, int fd, struct sf_view path,
    bool is_executable, struct sf_app_error *error);

/*
 * The file that was added last has this earlier version, which every recipient got, with that
 * digest. `fd` and failures as above.
 */
SF_MUST_USE int sf_sources_add_base(
    struct sf_sources *sources, int fd, const struct sf_digest *sha256, struct sf_app_error *error);

/* Begin the transfer: `send` lacks only its sources. They are the node's then, whatever it says. */
SF_MUST_USE int sf_sources_send(struct sf_sources *sources, struct sf_node_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_app_error *error);

#endif
