/*
 * headroom.h - blocks reserved behind the end of a file that only grows.
 *
 * A journal must be able to say that something was freed while the disk has no
 * room left. So some of the room is its own beforehand: reserved behind the end
 * of the file, whose length stays what it is. When half of it is used up it is
 * filled up again; when that cannot be done the file is *tight*, and its owner
 * takes in nothing new until there is room.
 *
 * Inside store/ only. Not thread-safe.
 */
#ifndef SF_STORE_HEADROOM_H
#define SF_STORE_HEADROOM_H

#include "store/disk.h"

struct sf_headroom {
    struct sf_disk *disk;
    uint64_t bytes;    /* wanted behind the end */
    uint64_t reserved; /* up to this offset blocks are the file's */
    bool is_tight;     /* the last time there was no room to fill it up */
    bool is_running;
    uint64_t asked; /* by the running operation: up to here */
    struct sf_disk_op op;
    void (*done)(void *owner); /* an operation is over; may be NULL */
    void *owner;
};

/* Want `bytes` bytes; nothing is reserved yet, nor known to be. */
void sf_headroom_init(struct sf_headroom *headroom, struct sf_disk *disk, uint64_t bytes);

/*
 * Reserve as much as there is behind `end` of `file`, and wait for it. For
 * start-up. SF_OK also if there is too little (is_tight says so); SF_EIO.
 */
SF_MUST_USE int sf_headroom_fill(struct sf_headroom *headroom, int file, uint64_t end);

/* The file ends at `end` now: begin to fill up what is reserved if half of it is used. */
void sf_headroom_check(struct sf_headroom *headroom, int file, uint64_t end);

/* It did not work and may now. As check, also if less than half is used. */
void sf_headroom_retry(struct sf_headroom *headroom, int file, uint64_t end);

/* How much is missing of what is wanted behind `end`. */
uint64_t sf_headroom_lacks(const struct sf_headroom *headroom, uint64_t end);

#endif
