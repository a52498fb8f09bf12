/* Scenarios: any bytes are refused with a reason or give a question that can be estimated. */
#include "base/assert.h"
#include "sim/fluid.h"
#include "sim/scenario.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Profiles that exist have names without an 'x'. */
static bool
load(void *context, const char *name, struct sf_sim_profile *profile, char *ret_text)
{
    (void)context;
    profile->forward.rate_bps = 1000000;
    snprintf(ret_text, SF_SCENARIO_ERROR_BYTES, "there is no profile \"%.60s\"", name);
    return strchr(name, 'x') == NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing;
    static struct sf_scenario scenario;
    static struct sf_whatif result;
    static const struct sf_scenario_loader loader = {load, NULL};
    struct sf_scenario_error error = {0, ""};

    sf_scenario_init(&scenario);
    if (sf_scenario_parse(
            &scenario, sf_view(data == NULL ? &nothing : data, bytes), &loader, &error) != SF_OK ||
        sf_scenario_check(&scenario, &error) != SF_OK) {
        sf_assert(error.text[0] != '\0');
        return 0;
    }
    sf_fluid_estimate(&scenario, &result);
    sf_assert(result.outcome == SF_WHATIF_DELIVERED || result.why[0] != '\0');
    for (size_t i = 0; i < result.receiver_count; i++) {
        sf_assert(result.receivers[i].is_delivered || result.receivers[i].why[0] != '\0');
        sf_assert(
            !result.receivers[i].is_delivered || result.receivers[i].delivered_at >= result.begin);
    }
    return 0;
}
