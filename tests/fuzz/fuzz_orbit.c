/* Orbits in every form: any bytes are refused with a reason, or give orbits that can be followed. */
#include "base/assert.h"
#include "link/contact_orbit.h"
#include "link/passes.h"

#include <math.h>

enum { FOLLOWED_MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
follow(const struct sf_orbit *orbit)
{
    static const struct sf_pass_station station = {.latitude_deg = 50,
        .longitude_deg = 8,
        .mask_deg = 10,
        .rates = {{.up_bps = 1000, .down_bps = 1000}, {.elevation_deg = 30, .up_bps = 2000}},
        .rate_count = 2};
    double epoch_ms = floor(orbit->elements.epoch_days * 86400000);
    struct sf_passes passes;
    struct sf_sgp4_state state;
    struct sf_sgp4 sat;

    sf_assert(sf_sgp4_init(&sat, &orbit->elements) == SF_OK);
    if (sf_sgp4_at(&sat, 1000, &state) == SF_OK) {
        for (size_t i = 0; i < 3; i++) {
            sf_assert(isfinite(state.position_km[i]) && isfinite(state.velocity_kms[i]));
        }
    }
    sf_passes_init(&passes);
    if (epoch_ms >= 0 &&
        sf_passes_find(&passes, &sat, &station, (struct sf_wall){(int64_t)epoch_ms},
            (struct sf_wall){(int64_t)epoch_ms + 7200000}) == SF_OK) {
        for (size_t i = 0; i < passes.count; i++) {
            const struct sf_pass *pass = &passes.passes[i];

            sf_assert(pass->start.ms < pass->end.ms);
            sf_assert(i == 0 || pass[-1].end.ms <= pass->start.ms);
        }
    }
    sf_passes_fini(&passes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing;
    struct sf_contact_error error = {0};
    struct sf_orbits orbits;

    sf_orbits_init(&orbits);
    if (sf_orbits_decode(&orbits, "fuzz", sf_view(data == NULL ? &nothing : data, bytes), &error) !=
        SF_OK) {
        sf_assert(error.text[0] != '\0' && orbits.count == 0);
        return 0;
    }
    sf_assert(orbits.count > 0);
    for (size_t i = 0; i < orbits.count && i < FOLLOWED_MAX; i++) {
        follow(&orbits.orbits[i]);
    }
    sf_orbits_fini(&orbits);
    return 0;
}
