#include "link/lives.h"

#include "base/assert.h"

#include <string.h>

/* Make room for the numbers up to `boot`, which are all `life`. */
static void
shift(struct sf_lives *lives, uint32_t boot, uint64_t life)
{
    uint32_t by = boot - lives->boot;

    if (by < SF_LIVES_MAX) {
        memmove(lives->life + by, lives->life, (SF_LIVES_MAX - by) * sizeof(lives->life[0]));
    }
    for (uint32_t i = 0; i < by && i < SF_LIVES_MAX; i++) {
        lives->life[i] = life;
    }
    lives->boot = boot;
}

void
sf_lives_begin(struct sf_lives *lives, uint32_t boot, uint64_t life)
{
    sf_assert(boot > lives->boot && life != 0);
    shift(lives, boot, 0);
    lives->life[0] = life;
}

void
sf_lives_jump(struct sf_lives *lives, uint32_t boot)
{
    sf_assert(boot > lives->boot);
    shift(lives, boot, lives->life[0]);
}

bool
sf_lives_covers(const struct sf_lives *lives, uint32_t boot)
{
    return boot != 0 && boot <= lives->boot && lives->boot - boot < SF_LIVES_MAX;
}

uint64_t
sf_lives_at(const struct sf_lives *lives, uint32_t boot)
{
    return sf_lives_covers(lives, boot) ? lives->life[lives->boot - boot] : 0;
}

void
sf_lives_admit(struct sf_lives *lives, uint32_t boot, uint64_t life)
{
    if (boot != lives->boot && sf_lives_covers(lives, boot)) {
        lives->life[lives->boot - boot] = life;
    }
}

bool
sf_lives_follow(const struct sf_lives *lives, uint32_t boot, uint64_t life)
{
    return boot == 0 || (boot <= lives->boot &&
                            (!sf_lives_covers(lives, boot) || sf_lives_at(lives, boot) == life));
}
