/* Network profiles: any bytes are refused with a reason or give a path that can be opened. */
#include "base/assert.h"
#include "sim/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing;
    struct sf_sim_profile profile;
    struct sf_sim_profile_error error;
    struct sf_sim_path path;
    struct sf_sim_nat nat;

    sf_sim_profile_init(&profile);
    if (sf_sim_profile_parse(&profile, sf_view(data == NULL ? &nothing : data, bytes), &error) !=
        SF_OK) {
        sf_assert(error.text[0] != '\0');
        return 0;
    }
    sf_assert(sf_sim_path_init(&path, &profile.forward, 1, 0) == SF_OK);
    sf_assert(sf_sim_path_init(&path, &profile.back, 1, 1) == SF_OK);
    sf_assert(sf_sim_nat_init(&nat, &profile.nat) == SF_OK);
    return 0;
}
