/* HDTN contact plans: any bytes are refused with a reason, or give a plan that is written and
 * read again as the same. */
#include "base/assert.h"
#include "link/contact_hdtn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing;
    const struct sf_contact_hdtn config = {.name = "fuzz", .reference = {INT64_C(1795392000000)}};
    struct sf_contact_plan plan, again;
    struct sf_contact_error error = {0};
    size_t wanted, written;
    char *out;

    sf_contact_plan_init(&plan);
    sf_contact_plan_init(&again);
    if (sf_contact_hdtn_decode(
            &config, sf_view(data == NULL ? &nothing : data, bytes), &plan, &error) != SF_OK) {
        sf_assert(error.text[0] != '\0');
        sf_assert(plan.sealed && plan.contact_count == 0);
        return 0;
    }
    sf_assert(sf_contact_hdtn_encode(&config, &plan, NULL, 0, &wanted, &error) == SF_OK);
    out = malloc(wanted + 1);
    sf_assert(out != NULL);
    sf_assert(sf_contact_hdtn_encode(&config, &plan, out, wanted, &written, &error) == SF_OK);
    sf_assert(written == wanted);
    sf_assert(sf_contact_hdtn_decode(&config, sf_view(out, written), &again, &error) == SF_OK);
    sf_assert(again.contact_count == plan.contact_count);
    sf_assert(again.range_count == plan.range_count);
    for (size_t i = 0; i < plan.contact_count; i++) {
        const struct sf_contact *contact = &plan.contacts[i];
        const struct sf_contact *same;
        uint64_t from = plan.nodes[contact->from].number;
        uint64_t to = plan.nodes[contact->to].number;

        sf_assert(sf_contact_at(&plan, contact->from, contact->to, contact->start) == contact);
        same = sf_contact_at(&again, sf_contact_plan_numbered(&again, from),
            sf_contact_plan_numbered(&again, to), contact->start);
        sf_assert(same != NULL && same->rate_bps == contact->rate_bps);
        sf_assert(same->start.ms == contact->start.ms && same->end.ms == contact->end.ms);
    }
    free(out);
    sf_contact_plan_fini(&again);
    sf_contact_plan_fini(&plan);
    return 0;
}
