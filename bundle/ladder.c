#include "bundle/ladder.h"

#include "base/crypto.h"
#include "bundle/labels.h"

void
sf_ladder_begin(const uint8_t seed[SF_LADDER_SEED_BYTES], const struct sf_fingerprint *from,
    const struct sf_fingerprint *to, struct sf_rung *ret_rung)
{
    const struct sf_view info[] = {
        SF_LABEL_VIEW(SF_LABEL_LADDER), sf_view(from->b, 32), sf_view(to->b, 32)};

    sf_hkdf_sha256(sf_view(seed, SF_LADDER_SEED_BYTES), sf_view(NULL, 0), info, 3, ret_rung->state,
        sizeof(ret_rung->state));
    ret_rung->number = 0;
    sf_ladder_climb(ret_rung);
}

void
sf_ladder_climb(struct sf_rung *rung)
{
    const struct sf_view info = SF_LABEL_VIEW(SF_LABEL_LADDER_NEXT);
    uint8_t above[32];

    sf_hkdf_expand(rung->state, &info, 1, above, sizeof(above));
    memcpy(rung->state, above, sizeof(above));
    rung->number++;
    sf_wipe(above, sizeof(above));
}

void
sf_ladder_psk(const struct sf_rung *rung, uint8_t ret_psk[32])
{
    const struct sf_view info = SF_LABEL_VIEW(SF_LABEL_LADDER_PSK);

    sf_hkdf_expand(rung->state, &info, 1, ret_psk, 32);
}

void
sf_ladder_link_psk(const uint8_t seed[SF_LADDER_SEED_BYTES], uint8_t ret_psk[32])
{
    const struct sf_view info = SF_LABEL_VIEW(SF_LABEL_PSK_LINK);

    sf_hkdf_sha256(sf_view(seed, SF_LADDER_SEED_BYTES), sf_view(NULL, 0), &info, 1, ret_psk, 32);
}

void
sf_ladder_check(const uint8_t seed[SF_LADDER_SEED_BYTES], uint8_t ret_check[SF_LADDER_CHECK_BYTES])
{
    const struct sf_view info = SF_LABEL_VIEW(SF_LABEL_PSK_CHECK);

    sf_hkdf_sha256(sf_view(seed, SF_LADDER_SEED_BYTES), sf_view(NULL, 0), &info, 1, ret_check,
        SF_LADDER_CHECK_BYTES);
}
