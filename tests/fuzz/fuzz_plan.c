/*
 * Plan files of peers: head, contact plan, and what becomes of both.
 */
#include "app/plan.h"
#include "node/contacts.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_app_error error;
    struct sf_plan plan;

    if (sf_plan_parse("plan", sf_view(data, bytes), &plan, &error) != SF_OK) {
        return 0;
    }
    if (plan.leg_count == 0 || plan.leg_count > SF_NODE_CONTACTS_MAX ||
        plan.gateway_count > SF_PLAN_GATEWAYS_MAX) {
        abort();
    }
    /* What is taken is a row of contacts as the node wants it. */
    for (size_t i = 0; i < plan.leg_count; i++) {
        const struct sf_contact_leg *leg = &plan.legs[i];

        if (leg->start.ms < 0 || leg->end.ms <= leg->start.ms || leg->rate_bps == 0 ||
            leg->way >= SF_CONTACT_WAYS_MAX ||
            (plan.way_gateway[leg->way] != SF_PLAN_NONE &&
                plan.way_gateway[leg->way] >= plan.gateway_count) ||
            (i > 0 && plan.legs[i - 1].end.ms > leg->start.ms)) {
            abort();
        }
    }
    sf_plan_fini(&plan);
    return 0;
}
