/*
 * lives.h - the lives of a node: which of its numbered starts was which.
 *
 * A node counts its starts, durably, and each start draws a random value, its
 * life. Numbers alone do not tell a start from another one with the same number:
 * that of an older image of the disk, or of a copy that runs somewhere else. So
 * a node shows the lives of its last starts in every opener, and who has seen
 * one of these starts as another life knows that this state was copied.
 *
 * Plain numbers; no memory, no randomness of its own.
 */
#ifndef SF_LINK_LIVES_H
#define SF_LINK_LIVES_H

#include <stdbool.h>
#include <stdint.h>

enum { SF_LIVES_MAX = 8 };

struct sf_lives {
    uint32_t boot;               /* number of the present start; 0: there was none */
    uint64_t life[SF_LIVES_MAX]; /* [i] is that of start `boot` - i; 0: it had no such start */
};

/* A new start, greater than all before, as `life` (not 0). */
void sf_lives_begin(struct sf_lives *lives, uint32_t boot, uint64_t life);

/*
 * The present life goes on under a greater number, and takes those in between:
 * somebody has seen greater ones than it knew of.
 */
void sf_lives_jump(struct sf_lives *lives, uint32_t boot);

/* Whether start `boot` is one of those that are still known, ... */
bool sf_lives_covers(const struct sf_lives *lives, uint32_t boot);
/* ... and which life it was; 0 if it is none of them, or there was none. */
uint64_t sf_lives_at(const struct sf_lives *lives, uint32_t boot);

/* Somebody has seen start `boot` as `life`: it is not denied any more. Not the present one. */
void sf_lives_admit(struct sf_lives *lives, uint32_t boot, uint64_t life);

/* Can a node that shows `lives` be the one that was seen as `life` at start `boot` (0: never seen)? */
bool sf_lives_follow(const struct sf_lives *lives, uint32_t boot, uint64_t life);

#endif
