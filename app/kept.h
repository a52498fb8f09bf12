/*
 * kept.h - copies of files that were sent, against which the next version is sent as what changed.
 *
 * They stand in `kept/` of the home, one file each, and its name says all there is to know of it:
 *
 *     TRANSFER-USER-LABEL-PATH-PLACE
 *
 * the id of the transfer (32 hex digits); the user who sent it (8); the first 16 bytes of the
 * SHA-256 of the transfer's label, and of the file's path below it (32 each); and its place in the
 * order of the manifest (4). A copy that is being made has `.part` behind. So there is no index
 * that could be wrong. Nothing of a copy is believed: whoever uses one reads it to its end first,
 * and compares its SHA-256 with the one that the recipient has signed for.
 */
#ifndef SF_APP_KEPT_H
#define SF_APP_KEPT_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_KEPT_DIRECTORY "kept"
#define SF_KEPT_PART      ".part"

enum {
    SF_KEPT_TAG_BYTES = 16,
    SF_KEPT_NAME_BYTES = 32 + 1 + 8 + 1 + 32 + 1 + 32 + 1 + 4 + 1, /* with the NUL */
    SF_KEPT_PLACE_MAX = 65535,
    SF_KEPT_LIST_MAX = 4096, /* copies that are looked at in one folder */
};

/* What stands for a name, of any length and any bytes. */
struct sf_kept_tag {
    uint8_t b[SF_KEPT_TAG_BYTES];
};

struct sf_kept {
    struct sf_transfer_id transfer;
    uint32_t user;
    struct sf_kept_tag label;
    struct sf_kept_tag path; /* of the empty path, for a single file */
    uint32_t place;          /* 0 .. SF_KEPT_PLACE_MAX */
    uint64_t bytes;          /* in a list: its length, */
    int64_t made_ns;         /* ... and when it was made, by the wall clock */
};

void sf_kept_tag(struct sf_view name, struct sf_kept_tag *ret_tag);
bool sf_kept_tag_equal(const struct sf_kept_tag *a, const struct sf_kept_tag *b);

/* The name of a copy. */
void sf_kept_name(const struct sf_kept *kept, char ret_name[SF_KEPT_NAME_BYTES]);

/* What a name says; `bytes` and `made_ns` are 0. SF_EFORMAT if it is no name of a copy. */
SF_MUST_USE int sf_kept_parse(const char *name, struct sf_kept *ret_kept);

/*
 * All copies in the open directory `fd`, at most SF_KEPT_LIST_MAX, the oldest first; the caller
 * frees *ret_list. SF_OK, SF_ENOMEM or SF_EIO.
 */
SF_MUST_USE int sf_kept_list(int fd, struct sf_kept **ret_list, size_t *ret_count);

#endif
