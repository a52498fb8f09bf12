/* Contact plans under a scenario: any plan that can be read is refused with a reason or followed. */
#include "base/assert.h"
#include "link/contact_ion.h"
#include "sim/fluid.h"
#include "sim/schedule.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
check_way(const struct sf_schedule *schedule, const struct sf_schedule_way *way)
{
    sf_mono free_at = 0;

    for (size_t i = 0; i < way->count; i++) {
        const struct sf_sim_contact *contact = &way->contacts[i];

        sf_assert(way->stations[i] < schedule->station_count);
        sf_assert(contact->start >= free_at);
        sf_assert(contact->span_ns > 0);
        free_at = contact->start + contact->span_ns;
        sf_assert(free_at <= SF_SIM_PATH_TIME_NS_MAX);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing;
    static struct sf_scenario scenario;
    static struct sf_whatif result;
    const struct sf_contact_ion ion = {.name = "plan"};
    struct sf_schedule schedule;
    struct sf_contact_plan plan;
    struct sf_contact_error wrong;
    struct sf_scenario_error error = {0, ""};

    sf_contact_plan_init(&plan);
    if (sf_contact_ion_decode(
            &ion, sf_view(data == NULL ? &nothing : data, bytes), &plan, &wrong) != SF_OK) {
        return 0;
    }
    sf_scenario_init(&scenario);
    scenario.size_bytes = 1000000;
    if (sf_schedule_make(&plan, &scenario, &schedule, &error) != SF_OK) {
        sf_assert(error.text[0] != '\0');
        sf_assert(scenario.schedule == NULL);
    } else {
        check_way(&schedule, &schedule.up[0]);
        check_way(&schedule, &schedule.down[0]);
        sf_fluid_estimate(&scenario, &result);
        sf_schedule_fini(&schedule);
    }
    sf_contact_plan_fini(&plan);
    return 0;
}
